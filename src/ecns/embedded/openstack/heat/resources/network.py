"""Resources of Neutron."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from ecns.embedded.openstack.errors import ProblemError
from ecns.embedded.openstack.heat.errors import FailedError
from ecns.embedded.openstack.heat.properties import Property, Schema
from ecns.embedded.openstack.heat.resources.base import Resource, Simple

if TYPE_CHECKING:
    from ecns.embedded.openstack.store import Body

_COMMON = frozenset({"show", "id", "name", "status", "project_id", "tenant_id"})


class _Neutron(Simple):
    kind = "neutron"

    def body(self, properties: Body) -> Body:
        """With fields that Heat does not know by name."""
        return super().body(properties) | (properties.get("value_specs") or {})

    def failed(self, error: ProblemError) -> FailedError:
        """With the type of Neutron's error."""
        return FailedError(
            f"{error.kind or 'Neutron'}Client", f"{error.message}\nNeutron server returns request_ids: []"
        )


class Net(_Neutron):
    """A network."""

    path, singular = "/v2.0/networks", "network"
    renamed: ClassVar[dict[str, tuple[str, str]]] = {"value_specs": ("", "")}
    schema: ClassVar[Schema] = {
        "name": Property(),
        "admin_state_up": Property(bool),
        "shared": Property(bool),
        "port_security_enabled": Property(bool),
        "value_specs": Property(dict),
        "tags": Property(list),
    }
    attributes = _COMMON | {"subnets", "admin_state_up", "mtu", "shared"}


class Subnet(_Neutron):
    """A block of addresses."""

    path, singular = "/v2.0/subnets", "subnet"
    renamed: ClassVar[dict[str, tuple[str, str]]] = {"network": ("network_id", "network")}
    schema: ClassVar[Schema] = {
        "network": Property(required=True, fixed=True, names="network"),
        "name": Property(),
        "cidr": Property(fixed=True),
        "ip_version": Property(int, fixed=True, default=4),
        "enable_dhcp": Property(bool, default=True),
        "gateway_ip": Property(),
        "dns_nameservers": Property(list),
        "allocation_pools": Property(list),
        "host_routes": Property(list),
        "tags": Property(list),
    }
    attributes = _COMMON | {
        "cidr",
        "gateway_ip",
        "network_id",
        "allocation_pools",
        "enable_dhcp",
        "ip_version",
    }


class Port(_Neutron):
    """A port."""

    path, singular = "/v2.0/ports", "port"
    renamed: ClassVar[dict[str, tuple[str, str]]] = {
        "network": ("network_id", "network"),
        "value_specs": ("", ""),
    }
    schema: ClassVar[Schema] = {
        "network": Property(required=True, fixed=True, names="network"),
        "name": Property(),
        "fixed_ips": Property(
            list,
            inside={
                "subnet": Property(names="subnet"),
                "ip_address": Property(),
                "subnet_id": Property(names="subnet"),
            },
        ),
        "security_groups": Property(list),
        "admin_state_up": Property(bool, default=True),
        "allowed_address_pairs": Property(list),
        "device_id": Property(),
        "device_owner": Property(),
        "mac_address": Property(fixed=True),
        "port_security_enabled": Property(bool),
        "binding:vnic_type": Property(),
        "no_fixed_ips": Property(bool, default=False),
        "tags": Property(list),
        "value_specs": Property(dict),
    }
    attributes = _COMMON | {
        "fixed_ips",
        "mac_address",
        "network_id",
        "security_groups",
        "subnets",
        "device_id",
        "device_owner",
        "network",
        "admin_state_up",
        "allowed_address_pairs",
    }

    def body(self, properties: Body) -> Body:
        """With subnets and groups by their ids."""
        sent = super().body(properties)
        if sent.pop("no_fixed_ips", False):
            sent["fixed_ips"] = []
        elif "fixed_ips" in sent:
            sent["fixed_ips"] = [self._address(one) for one in sent["fixed_ips"]]
        if "security_groups" in sent:
            groups = {
                g["name"]: g["id"] for g in self.engine.cloud.neutron.owned("security-groups", self.caller)
            }
            sent["security_groups"] = [groups.get(one, one) for one in sent["security_groups"]]
        return sent

    def _address(self, one: Body) -> Body:
        subnet = one.get("subnet") or one.get("subnet_id")
        found = {"ip_address": one["ip_address"]} if one.get("ip_address") else {}
        return found | ({"subnet_id": self.names.identity("subnet", subnet) or subnet} if subnet else {})

    def attribute(self, name: str, path: list[Any]) -> Any:
        """With the subnets and the network themselves."""
        if name == "subnets":
            ids = [ip["subnet_id"] for ip in self.shown().get("fixed_ips", [])]
            return [self.raw("GET", f"/v2.0/subnets/{one}")["subnet"] for one in ids]
        if name == "network":
            return self.raw("GET", f"/v2.0/networks/{self.shown().get('network_id')}")["network"]
        return super().attribute(name, path)


class Router(_Neutron):
    """A router."""

    path, singular = "/v2.0/routers", "router"
    schema: ClassVar[Schema] = {
        "name": Property(),
        "admin_state_up": Property(bool, default=True),
        "external_gateway_info": Property(
            dict,
            inside={
                "network": Property(names="network"),
                "enable_snat": Property(bool),
                "external_fixed_ips": Property(list),
            },
        ),
        "tags": Property(list),
    }
    attributes = _COMMON | {"external_gateway_info", "admin_state_up"}

    def body(self, properties: Body) -> Body:
        """With the external network by its id."""
        sent = super().body(properties)
        if (gateway := sent.get("external_gateway_info")) is not None:
            network = self.names.identity("network", gateway.get("network"))
            snat = {"enable_snat": gateway["enable_snat"]} if gateway.get("enable_snat") is not None else {}
            sent["external_gateway_info"] = {"network_id": network, **snat}
        return sent


class RouterInterface(Resource):
    """A router in a subnet."""

    kind = "neutron"
    schema: ClassVar[Schema] = {
        "router": Property(required=True, fixed=True, names="router"),
        "subnet": Property(fixed=True, names="subnet"),
        "port": Property(fixed=True, names="port"),
    }
    attributes = frozenset({"show"})

    def _sent(self, properties: Body) -> tuple[str, Body]:
        router = self.names.identity("router", properties["router"]) or properties["router"]
        for key in ("subnet", "port"):
            if properties.get(key):
                return router, {f"{key}_id": self.names.identity(key, properties[key]) or properties[key]}
        return router, {}

    def create(self, properties: Body) -> str | None:
        """Put it there."""
        router, sent = self._sent(properties)
        self.call("PUT", f"/v2.0/routers/{router}/add_router_interface", sent)
        key, value = next(iter(sent.items()))
        return f"{router}:{key}={value}"

    def delete(self) -> bool:
        """Take it away."""
        router, _, rest = self.physical.partition(":")
        key, _, value = rest.partition("=")
        try:
            self.raw("PUT", f"/v2.0/routers/{router}/remove_router_interface", {key: value})
        except ProblemError as error:
            return error.status != HTTPStatus.CONFLICT
        return True

    def deleted(self) -> bool:
        """It is gone at once."""
        return True

    def attribute(self, name: str, path: list[Any]) -> Any:  # noqa: ARG002  of the protocol
        """It has none to speak of."""
        return {}


class SecurityGroup(_Neutron):
    """A security group with exactly its rules, and those to leave by."""

    path, singular = "/v2.0/security-groups", "security_group"
    schema: ClassVar[Schema] = {
        "name": Property(),
        "description": Property(),
        "rules": Property(
            list,
            default=[],
            inside={
                "direction": Property(default="ingress", choices=("ingress", "egress")),
                "ethertype": Property(default="IPv4", choices=("IPv4", "IPv6")),
                "protocol": Property(),
                "port_range_min": Property(int, least=0, most=65535),
                "port_range_max": Property(int, least=0, most=65535),
                "remote_ip_prefix": Property(),
                "remote_group_id": Property(),
                "remote_mode": Property(default="remote_ip_prefix"),
            },
        ),
    }
    attributes = _COMMON

    def create(self, properties: Body) -> str | None:
        """Make it, then its rules."""
        name = properties.get("name") or self.physical_name()
        sent = {"name": name, "description": properties.get("description") or ""}
        made = self.call("POST", self.path, {"security_group": sent})["security_group"]
        self.record["physical"] = made["id"]
        self._rules(properties["rules"])
        return str(made["id"])

    def _rules(self, rules: list[Body]) -> None:
        for rule in rules:
            sent = {key: value for key, value in rule.items() if key != "remote_mode"}
            if rule.get("remote_mode") == "remote_group_id":
                sent.setdefault("remote_group_id", self.physical)
            sent["security_group_id"] = self.physical
            try:
                self.raw("POST", "/v2.0/security-group-rules", {"security_group_rule": sent})
            except ProblemError as error:
                if error.kind != "SecurityGroupRuleExists":
                    raise self.failed(error) from error

    def update(self, changed: Body, properties: Body) -> bool:
        """Change it; rules are made anew."""
        plain = {key: value for key, value in changed.items() if key != "rules" and value is not None}
        if plain:
            self.call("PUT", self.one(), {"security_group": plain})
        if "rules" in changed:
            for rule in self.shown().get("security_group_rules", []):
                if rule["direction"] == "ingress" or rule["protocol"] is not None:
                    self.call("DELETE", f"/v2.0/security-group-rules/{rule['id']}")
            self._rules(properties["rules"])
        return True


class FloatingIP(_Neutron):
    """An address of an external network."""

    path, singular = "/v2.0/floatingips", "floatingip"
    named = False
    renamed: ClassVar[dict[str, tuple[str, str]]] = {
        "floating_network": ("floating_network_id", "network"),
        "port_id": ("port_id", "port"),
        "value_specs": ("", ""),
    }
    schema: ClassVar[Schema] = {
        "floating_network": Property(required=True, fixed=True, names="network"),
        "floating_subnet": Property(fixed=True, names="subnet"),
        "port_id": Property(names="port"),
        "fixed_ip_address": Property(),
        "floating_ip_address": Property(fixed=True),
        "value_specs": Property(dict),
        "tags": Property(list),
    }
    attributes = _COMMON | {
        "floating_ip_address",
        "fixed_ip_address",
        "port_id",
        "router_id",
        "floating_network_id",
    }

    def body(self, properties: Body) -> Body:
        """With the subnet by its id."""
        sent = super().body(properties)
        if subnet := sent.pop("floating_subnet", None):
            sent["subnet_id"] = self.names.identity("subnet", subnet) or subnet
        return sent


class FloatingIPAssociation(Resource):
    """Where a floating address leads."""

    kind = "neutron"
    schema: ClassVar[Schema] = {
        "floatingip_id": Property(required=True, fixed=True),
        "port_id": Property(required=True, names="port"),
        "fixed_ip_address": Property(),
    }
    attributes = frozenset({"show"})

    def create(self, properties: Body) -> str | None:
        """Lead it there."""
        self._lead(properties["floatingip_id"], properties["port_id"])
        return str(properties["floatingip_id"])

    def _lead(self, address: str, port: str | None) -> None:
        self.call("PUT", f"/v2.0/floatingips/{address}", {"floatingip": {"port_id": port}})

    def update(self, changed: Body, properties: Body) -> bool:  # noqa: ARG002  of the protocol
        """Lead it elsewhere."""
        self._lead(self.physical, properties["port_id"])
        return True

    def delete(self) -> bool:
        """Lead it nowhere."""
        try:
            self.raw("PUT", f"/v2.0/floatingips/{self.physical}", {"floatingip": {"port_id": None}})
        except ProblemError:
            return True
        return True

    def deleted(self) -> bool:
        """It is gone at once."""
        return True

    def attribute(self, name: str, path: list[Any]) -> Any:  # noqa: ARG002  as above
        """It has none to speak of."""
        return {}

"""Resources of Nova."""

from __future__ import annotations

import base64
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from ecns.embedded.openstack.errors import ProblemError
from ecns.embedded.openstack.heat.errors import FailedError, invalid
from ecns.embedded.openstack.heat.properties import Property, Schema
from ecns.embedded.openstack.heat.resources.base import Resource, Simple

if TYPE_CHECKING:
    from ecns.embedded.openstack.store import Body

_VERSION = {"openstack-api-version": "compute 2.96"}
_ROOT = "/v2.1"
_DEVICE: Schema = {
    "device_name": Property(),
    "volume_id": Property(names="volume"),
    "snapshot_id": Property(),
    "image": Property(names="image"),
    "image_id": Property(names="image"),
    "volume_size": Property(int, least=1),
    "volume_type": Property(names="type"),
    "delete_on_termination": Property(bool),
    "boot_index": Property(int),
    "device_type": Property(),
    "disk_bus": Property(),
    "swap_size": Property(int),
    "ephemeral_size": Property(int),
    "ephemeral_format": Property(),
}
_NETWORK: Schema = {
    "network": Property(names="network"),
    "uuid": Property(names="network"),
    "port": Property(names="port"),
    "subnet": Property(names="subnet"),
    "fixed_ip": Property(),
    "floating_ip": Property(),
    "port_extra_properties": Property(dict),
    "allocate_network": Property(),
    "tag": Property(),
}


class Server(Resource):
    """A server."""

    kind, path, singular = "nova", f"{_ROOT}/servers", "server"
    checks = True
    schema: ClassVar[Schema] = {
        "name": Property(),
        "flavor": Property(required=True, names="flavor"),
        "image": Property(names="image"),
        "key_name": Property(fixed=True, names="key"),
        "networks": Property(list, inside=_NETWORK),
        "security_groups": Property(list, default=[]),
        "availability_zone": Property(fixed=True),
        "metadata": Property(dict, default={}),
        "user_data": Property(),
        "user_data_format": Property(
            default="HEAT_CFNTOOLS", choices=("HEAT_CFNTOOLS", "RAW", "SOFTWARE_CONFIG"), fixed=True
        ),
        "user_data_update_policy": Property(default="REPLACE", choices=("REPLACE", "IGNORE")),
        "software_config_transport": Property(),
        "admin_pass": Property(),
        "admin_user": Property(),
        "config_drive": Property(bool, fixed=True),
        "diskConfig": Property(choices=("AUTO", "MANUAL"), fixed=True),
        "block_device_mapping": Property(list, fixed=True, inside=_DEVICE),
        "block_device_mapping_v2": Property(list, fixed=True, inside=_DEVICE),
        "scheduler_hints": Property(dict, fixed=True),
        "flavor_update_policy": Property(default="RESIZE"),
        "image_update_policy": Property(default="REBUILD"),
        "personality": Property(dict, fixed=True),
        "reservation_id": Property(fixed=True),
        "tags": Property(list),
    }
    attributes = frozenset(
        {
            "show",
            "name",
            "addresses",
            "networks",
            "first_address",
            "instance_name",
            "accessIPv4",
            "accessIPv6",
        }
        | {"console_urls", "tags", "os_collect_config"}
    )

    def validate(self, properties: Body) -> None:
        """It boots from something, and its ports and groups do not contradict each other."""
        devices = [
            *(properties.get("block_device_mapping_v2") or []),
            *(properties.get("block_device_mapping") or []),
        ]
        boots = any(d.get("boot_index") == 0 or d.get("device_name") in {"vda", "/dev/vda"} for d in devices)
        if properties.get("image") is None and not boots and not devices:
            raise invalid(f"Neither image nor bootable volume is specified for instance {self.name}")
        for network in properties.get("networks") or []:
            if not any(
                network.get(key) is not None
                for key in ("network", "uuid", "port", "subnet", "allocate_network")
            ):
                raise invalid(
                    'One of the properties "network", "port", "allocate_network" or "subnet" should be set '
                    f'for the specified network of server "{self.name}".'
                )

    def create(self, properties: Body) -> str | None:
        """Make it."""
        sent = self._sent(properties)
        hints = (
            {"os:scheduler_hints": properties["scheduler_hints"]} if properties.get("scheduler_hints") else {}
        )
        made = self.call("POST", self.path, {"server": sent | hints}, **_VERSION)
        return str(made["server"]["id"])

    def _sent(self, properties: Body) -> Body:
        sent: Body = {
            "name": properties.get("name") or self.physical_name(),
            "flavorRef": self.names.identity("flavor", properties["flavor"]) or properties["flavor"],
            "metadata": {key: str(value) for key, value in properties["metadata"].items()},
        }
        if image := properties.get("image"):
            sent["imageRef"] = self.names.identity("image", image) or image
        for name, field in (
            ("key_name", "key_name"),
            ("availability_zone", "availability_zone"),
            ("admin_pass", "adminPass"),
            ("config_drive", "config_drive"),
            ("tags", "tags"),
        ):
            if properties.get(name) is not None:
                sent[field] = properties[name]
        if properties.get("user_data"):
            sent["user_data"] = base64.b64encode(properties["user_data"].encode()).decode()
        if properties["security_groups"]:
            sent["security_groups"] = [{"name": self._group(name)} for name in properties["security_groups"]]
        networks = properties.get("networks")
        if networks:
            sent["networks"] = [self._network(one) for one in networks]
        devices = properties.get("block_device_mapping_v2") or properties.get("block_device_mapping")
        if devices:
            sent["block_device_mapping_v2"] = [self._device(one) for one in devices]
        return sent

    def _group(self, name: str) -> str:
        group = self.engine.cloud.store.get("security-groups", name)
        return str(group["name"]) if group else name

    def _network(self, one: Body) -> Body:
        if one.get("port"):
            return {"port": self.names.identity("port", one["port"]) or one["port"]}
        network = one.get("network") or one.get("uuid")
        if network is None and one.get("subnet"):
            subnet = self.engine.cloud.store.get("subnets", self.names.identity("subnet", one["subnet"]))
            network = subnet and subnet["network_id"]
        found = {"uuid": self.names.identity("network", network) or network}
        return found | ({"fixed_ip": one["fixed_ip"]} if one.get("fixed_ip") else {})

    def _device(self, one: Body) -> Body:
        found: Body = {
            "boot_index": one.get("boot_index"),
            "delete_on_termination": bool(one.get("delete_on_termination")),
        }
        image = one.get("image") or one.get("image_id")
        if one.get("volume_id"):
            found |= {"source_type": "volume", "uuid": one["volume_id"], "destination_type": "volume"}
        elif one.get("snapshot_id"):
            found |= {"source_type": "snapshot", "uuid": one["snapshot_id"], "destination_type": "volume"}
        elif image:
            identity = self.names.identity("image", image) or image
            found |= {"source_type": "image", "uuid": identity, "destination_type": "volume"}
        else:
            local = "local" if one.get("swap_size") or one.get("ephemeral_size") else "volume"
            found |= {"source_type": "blank", "destination_type": local}
        for key in ("volume_size", "volume_type", "device_name"):
            if one.get(key) is not None:
                found[key] = one[key]
        return found

    def shown(self) -> Body:
        """As the newest Nova shows it."""
        if not self.physical:
            return {}
        try:
            found: Body = self.raw("GET", self.one(), **_VERSION)["server"]
        except ProblemError:
            return {}
        return found

    def created(self) -> bool:
        """Whether it runs."""
        return self._is("ACTIVE")

    def _is(self, *wanted: str) -> bool:
        shown = self.shown()
        if shown.get("status") == "ERROR":
            fault = shown.get("fault") or {}
            said = f"Message: {fault.get('message', 'Unknown')}, Code: {fault.get('code', 'Unknown')}"
            raise FailedError("ResourceInError", f'Went to status ERROR due to "{said}"')
        return shown.get("status") in wanted and shown.get("OS-EXT-STS:task_state") is None

    def update(self, changed: Body, properties: Body) -> bool:
        """Change it in place: its name, metadata, flavor, image, ports or groups."""
        steps = self.record["data"].setdefault("steps", [])
        if not self._is("ACTIVE", "SHUTOFF", "VERIFY_RESIZE"):
            return False
        if "name" in changed and properties.get("name"):
            self.call("PUT", self.one(), {"server": {"name": properties["name"]}})
        if "metadata" in changed:
            texts = {key: str(value) for key, value in properties["metadata"].items()}
            self.call("PUT", f"{self.one()}/metadata", {"metadata": texts})
        if "flavor" in changed and "resize" not in steps:
            flavor = self.names.identity("flavor", changed["flavor"])
            self.call("POST", f"{self.one()}/action", {"resize": {"flavorRef": flavor}})
            steps.append("resize")
            return False
        if self.shown().get("status") == "VERIFY_RESIZE":
            self.call("POST", f"{self.one()}/action", {"confirmResize": None})
        if "image" in changed and "rebuild" not in steps:
            image = self.names.identity("image", changed["image"])
            self.call("POST", f"{self.one()}/action", {"rebuild": {"imageRef": image}})
            steps.append("rebuild")
            return False
        self.record["data"].pop("steps")
        return True

    def replaces(self, changed: Body) -> bool:
        """Whether a change needs a new server: other ports or user data do, as in a Heat that cannot plug."""
        return bool({"networks", "user_data", "security_groups"} & set(changed))

    def give_way(self) -> None:
        """Let the server that is made in its place have its ports."""
        if self.shown():
            for one in self.raw("GET", f"{self.one()}/os-interface")["interfaceAttachments"]:
                self.raw("DELETE", f"{self.one()}/os-interface/{one['port_id']}")

    def act(self, action: str) -> None:
        """Suspend it, or let it run again."""
        self.call("POST", f"{self.one()}/action", {action: None})

    def acted(self, action: str) -> bool:
        """Whether it is suspended, or runs."""
        return self._is("SUSPENDED" if action == "suspend" else "ACTIVE")

    def check(self) -> None:
        """It is there and runs."""
        status = self.shown().get("status")
        if status is None:
            raise FailedError("NotFound", f"Instance {self.physical} could not be found. (HTTP 404)")
        if status != "ACTIVE":
            raise FailedError("Error", f"['status': expected 'ACTIVE', got '{status}']")

    def attribute(self, name: str, path: list[Any]) -> Any:  # noqa: ARG002  of the protocol
        """What it has, and its addresses by the names and ids of their networks."""
        shown = self.shown()
        if name in {"addresses", "networks", "first_address"}:
            return self._addresses(name, shown.get("addresses", {}))
        if name == "instance_name":
            return shown.get("OS-EXT-SRV-ATTR:instance_name")
        if name in {"os_collect_config", "console_urls"}:
            return {}
        return shown if name == "show" else shown.get(name)

    def _addresses(self, name: str, addresses: Body) -> Any:
        if name == "first_address":
            return next((ip["addr"] for found in addresses.values() for ip in found), "")
        ports = {
            p["mac_address"]: p
            for p in self.engine.cloud.store.all("ports")
            if p["device_id"] == self.physical
        }
        by: Body = {}
        for network, found in addresses.items():
            port = next(
                (
                    ports[ip["OS-EXT-IPS-MAC:mac_addr"]]
                    for ip in found
                    if ip["OS-EXT-IPS-MAC:mac_addr"] in ports
                ),
                None,
            )
            if name == "networks":
                value: Any = [ip["addr"] for ip in found]
            else:
                value = [
                    ip | {"port": port["id"] if port and ip["OS-EXT-IPS:type"] == "fixed" else None}
                    for ip in found
                ]
            by[network] = value
            if port is not None:
                by[port["network_id"]] = value
        return by


class KeyPair(Simple):
    """A key."""

    kind, path, singular = "nova", f"{_ROOT}/os-keypairs", "keypair"
    schema: ClassVar[Schema] = {
        "name": Property(required=True, fixed=True),
        "public_key": Property(fixed=True),
        "save_private_key": Property(bool, default=False, fixed=True),
        "type": Property(fixed=True),
        "user": Property(fixed=True),
    }
    attributes = frozenset({"show", "public_key", "private_key"})

    def validate(self, properties: Body) -> None:
        """Nova makes no keys any more."""
        if properties.get("public_key") is None:
            raise invalid("The public_key property is required by the nova API version currently used.")

    def create(self, properties: Body) -> str | None:
        """Make it known."""
        sent = {"name": properties["name"], "public_key": properties["public_key"]}
        self.call("POST", self.path, {"keypair": sent})
        return str(properties["name"])


class ServerGroup(Simple):
    """A rule about where servers run."""

    kind, path, singular = "nova", f"{_ROOT}/os-server-groups", "server_group"
    schema: ClassVar[Schema] = {
        "name": Property(fixed=True),
        "policies": Property(list, default=[], fixed=True),
        "rules": Property(dict, fixed=True),
    }
    attributes = frozenset({"show"})

    def body(self, properties: Body) -> Body:
        """With its one policy."""
        sent = {"policies": [str(one) for one in properties["policies"]] or ["anti-affinity"]}
        return sent | ({"name": properties["name"]} if properties.get("name") else {})

    def delete(self) -> bool:
        """Remove it."""
        try:
            self.raw("DELETE", self.one())
        except ProblemError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise self.failed(error) from error
        return True

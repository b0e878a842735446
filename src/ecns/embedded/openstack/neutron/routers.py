"""Routers and floating addresses."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from ecns.embedded.openstack.errors import bad, conflict, missing
from ecns.embedded.openstack.neutron import addresses
from ecns.embedded.openstack.neutron.kinds import KINDS
from ecns.embedded.openstack.neutron.part import Part

if TYPE_CHECKING:
    from ecns.embedded.openstack.callers import Caller
    from ecns.embedded.openstack.neutron.service import Neutron
    from ecns.embedded.openstack.service import Call
    from ecns.embedded.openstack.store import Body

INTERFACE = "network:router_interface"
GATEWAY = "network:router_gateway"


class Routers(Part):
    """Routers; a gateway leads them to an external network."""

    def make(self, caller: Caller, body: Body) -> None:
        """Complete a new router."""
        body |= {"status": "ACTIVE", "availability_zones": []}
        wanted, body["external_gateway_info"] = body["external_gateway_info"], None
        self.store.save("routers", body)
        try:
            self._gateway(caller, body, wanted)
        except BaseException:
            self.store.delete("routers", body["id"])
            raise

    def change(self, caller: Caller, body: Body, fields: Body) -> None:
        """Change a router."""
        if "external_gateway_info" in fields:
            self._gateway(caller, body, fields.pop("external_gateway_info"))
        super().change(caller, body, fields)

    def _gateway(self, caller: Caller, body: Body, wanted: Any) -> None:
        current = body["external_gateway_info"]
        network_id = (wanted or {}).get("network_id")
        if current and current["network_id"] == network_id:
            return
        network = None
        if network_id is not None:
            network = self.store.get("networks", network_id)
            if network is None or not self.neutron.seen(caller, KINDS["networks"], network):
                raise missing(f"Network {network_id} could not be found.", "NetworkNotFound")
            if not network["router:external"]:
                raise bad(
                    f"Bad router request: Network {network_id} is not an external network.", "BadRequest"
                )
        if current:
            if any(ip["router_id"] == body["id"] for ip in self.store.all("floatingips")):
                raise conflict(
                    f"Gateway cannot be updated for router {body['id']}, since a gateway to external network "
                    f"{current['network_id']} is required by one or more floating IPs.",
                    "RouterExternalGatewayInUseByFloatingIp",
                )
            for port in self.store.all("ports"):
                if port["device_id"] == body["id"] and port["device_owner"] == GATEWAY:
                    self.store.delete("ports", port["id"])
            body["external_gateway_info"] = None
        if network is not None:
            port = self._port(caller, network, body, GATEWAY, project="")
            body["external_gateway_info"] = {
                "network_id": network["id"],
                "external_fixed_ips": port["fixed_ips"],
                "enable_snat": bool(wanted.get("enable_snat", True)),
            }

    def _port(
        self, caller: Caller, network: Body, router: Body, owner: str, *, project: str, fixed_ips: Any = None
    ) -> Body:
        sent = {
            "network_id": network["id"],
            "device_id": router["id"],
            "device_owner": owner,
            "fixed_ips": fixed_ips,
            "port_security_enabled": False,
        }
        port = self.neutron.make(caller, KINDS["ports"], {"port": sent})
        port |= {"project_id": project, "status": "ACTIVE"}
        return self.store.save("ports", port)

    def attach(self, caller: Caller, router: Body, subnet: Body) -> Body:
        """A port of the router in a subnet, with the gateway's address."""
        network = self.store.get("networks", subnet["network_id"])
        assert network is not None, "subnets keep it"  # noqa: S101  a fault of ours
        fixed = [{"subnet_id": subnet["id"], "ip_address": subnet["gateway_ip"]}]
        return self._port(caller, network, router, INTERFACE, project=router["project_id"], fixed_ips=fixed)

    def delete(self, body: Body) -> None:
        """A router goes when nothing is behind it."""
        ports = [port for port in self.store.all("ports") if port["device_id"] == body["id"]]
        if behind := [port["id"] for port in ports if port["device_owner"] == INTERFACE]:
            raise conflict(
                f"Router {body['id']} has ports still attached: {', '.join(behind)}", "RouterInUse"
            )
        for port in ports:
            self.store.delete("ports", port["id"])


def _said(router: Body, port: Body) -> Body:
    subnets = [ip["subnet_id"] for ip in port["fixed_ips"]]
    return {
        "id": router["id"],
        "tenant_id": router["project_id"],
        "project_id": router["project_id"],
        "port_id": port["id"],
        "network_id": port["network_id"],
        "subnet_id": subnets[0] if subnets else None,
        "subnet_ids": subnets,
    }


def _sent(call: Call) -> tuple[str | None, str | None]:
    sent = call.json()
    if not isinstance(sent, dict) or not ({"subnet_id", "port_id"} & set(sent)):
        raise bad("Bad router request: Either subnet_id or port_id must be specified.", "BadRequest")
    return sent.get("subnet_id"), sent.get("port_id")


def add_interface(neutron: Neutron, call: Call, router: Body) -> Body:
    """Put a router into a subnet; what is answered.

    Raises:
        ProblemError: 400, it is there already or the subnet has no gateway; 404; 409, the port is another's.
    """
    subnet_id, port_id = _sent(call)
    part = neutron.parts["routers"]
    assert isinstance(part, Routers)  # noqa: S101  a fault of ours
    if port_id is not None:
        port = neutron.found(call, KINDS["ports"], str(port_id))
        if port["device_id"]:
            raise conflict(
                f"Unable to complete operation on port {port_id} for network {port['network_id']}. Port "
                "already has an "
                f"attached device {port['device_id']}.",
                "PortInUse",
            )
        port |= {"device_id": router["id"], "device_owner": INTERFACE, "status": "ACTIVE"}
        neutron.touch("ports", port)
        return _said(router, port)
    subnet = neutron.found(call, KINDS["subnets"], str(subnet_id))
    for port in neutron.store.all("ports"):
        if port["device_id"] == router["id"] and any(
            ip["subnet_id"] == subnet["id"] for ip in port["fixed_ips"]
        ):
            raise bad(
                f"Bad router request: Router already has a port on subnet {subnet['id']}.", "BadRequest"
            )
    if not subnet["gateway_ip"]:
        raise bad("Bad router request: Subnet for router interface must have a gateway IP.", "BadRequest")
    return _said(router, part.attach(call.caller, router, subnet))


def remove_interface(neutron: Neutron, call: Call, router: Body) -> Body:
    """Take a router out of a subnet; what is answered.

    Raises:
        ProblemError: 404, it is not there; 409, floating addresses need it.
    """
    subnet_id, port_id = _sent(call)
    for port in neutron.store.all("ports"):
        if port["device_id"] != router["id"] or port["device_owner"] != INTERFACE:
            continue
        subnets = [ip["subnet_id"] for ip in port["fixed_ips"]]
        if port["id"] == port_id or subnet_id in subnets:
            used = [ip for ip in neutron.store.all("floatingips") if ip["router_id"] == router["id"]]
            for address in used:
                leads = neutron.store.get("ports", address["port_id"])
                if leads and any(ip["subnet_id"] in subnets for ip in leads["fixed_ips"]):
                    raise conflict(
                        f"Router interface for subnet {subnets[0]} on router {router['id']} cannot be "
                        "deleted, as it "
                        "is required by one or more floating IPs.",
                        "RouterInterfaceInUseByFloatingIP",
                    )
            neutron.store.delete("ports", port["id"])
            return _said(router, port)
    if subnet_id is not None:
        raise missing(
            f"Router {router['id']} has no interface on subnet {subnet_id}.",
            "RouterInterfaceNotFoundForSubnet",
        )
    raise missing(
        f"Router {router['id']} does not have an interface with id {port_id}", "RouterInterfaceNotFound"
    )


class FloatingIps(Part):
    """Addresses of external networks that lead to ports."""

    def make(self, caller: Caller, body: Body) -> None:
        """Complete a new floating address."""
        network_id = body["floating_network_id"]
        network = self.store.get("networks", network_id)
        if network is None or not self.neutron.seen(caller, KINDS["networks"], network):
            raise missing(f"Network {network_id} could not be found.", "NetworkNotFound")
        if not network["router:external"]:
            raise bad(
                f"Bad floatingip request: Network {network_id} is not a valid external network.", "BadRequest"
            )
        inside = [s for s in self.store.all("subnets") if s["network_id"] == network_id]
        subnets = [s for s in inside if "." in s["cidr"]]  # of IPv4
        if body["subnet_id"] is not None:
            subnets = [s for s in subnets if s["id"] == body["subnet_id"]]
            if not subnets:
                raise missing(f"Subnet {body['subnet_id']} could not be found.", "SubnetNotFound")
        body.pop("subnet_id")
        body["_subnet"], body["floating_ip_address"] = self._address(
            subnets, body["floating_ip_address"], network_id
        )
        body |= {"status": "DOWN", "router_id": None, "revision_number": 0}
        port_id, body["port_id"] = body["port_id"], None
        asked, body["fixed_ip_address"] = body["fixed_ip_address"], None
        self._lead(caller, body, port_id, asked)

    def _address(self, subnets: list[Body], asked: Any, network_id: str) -> tuple[str, str]:
        if asked is not None:
            address = addresses.address_of(asked)
            for subnet in subnets:
                if address in ipaddress.ip_network(subnet["cidr"]):
                    if str(address) in addresses.used(self.store, subnet["id"]):
                        raise addresses.taken(address, subnet["id"])
                    return subnet["id"], str(address)
            raise bad(
                f"IP address {asked} is not a valid IP for any of the subnets on the specified network.",
                "InvalidIpForNetwork",
            )
        for subnet in subnets:
            if found := addresses.free(self.store, subnet):
                return subnet["id"], found
        raise conflict(
            f"No more IP addresses available on network {network_id}.", "IpAddressGenerationFailure"
        )

    def change(self, caller: Caller, body: Body, fields: Body) -> None:
        """Lead it elsewhere."""
        if "port_id" in fields:
            self._lead(caller, body, fields.pop("port_id"), fields.pop("fixed_ip_address", None))
        body["description"] = fields.get("description", body["description"])

    def _lead(self, caller: Caller, body: Body, port_id: Any, asked: Any) -> None:
        if port_id is None:
            body |= {"port_id": None, "fixed_ip_address": None, "router_id": None, "status": "DOWN"}
            return
        port = self.store.get("ports", port_id)
        if port is None or not caller.sees(port):
            raise missing(f"Port {port_id} could not be found.", "PortNotFound")
        fixed = next((ip for ip in port["fixed_ips"] if asked in (None, ip["ip_address"])), None)
        if fixed is None:
            raise bad(f"Bad floatingip request: Port {port_id} has no such fixed IP address.", "BadRequest")
        for other in self.store.all("floatingips"):
            if (
                other["id"] != body["id"]
                and other["fixed_ip_address"] == fixed["ip_address"]
                and other["port_id"] == port_id
            ):
                raise conflict(
                    f"Cannot associate floating IP {body['floating_ip_address']} ({body['id']}) with "
                    f"port {port_id} using "
                    f"fixed IP {fixed['ip_address']}, as that fixed IP already has a floating IP on "
                    "external network "
                    f"{body['floating_network_id']}.",
                    "FloatingIPPortAlreadyAssociated",
                )
        router = self._router(fixed["subnet_id"], body["floating_network_id"])
        if router is None:
            raise missing(
                f"External network {body['floating_network_id']} is not reachable from subnet "
                f"{fixed['subnet_id']}.  "
                f"Therefore, cannot associate Port {port_id} with a Floating IP.",
                "ExternalGatewayForFloatingIPNotFound",
            )
        body |= {
            "port_id": port_id,
            "fixed_ip_address": fixed["ip_address"],
            "router_id": router,
            "status": "ACTIVE",
        }

    def _router(self, subnet_id: str, network_id: str) -> str | None:
        for port in self.store.all("ports"):
            if port["device_owner"] == INTERFACE and any(
                ip["subnet_id"] == subnet_id for ip in port["fixed_ips"]
            ):
                router = self.store.get("routers", port["device_id"])
                gateway = router and router["external_gateway_info"]
                if router and gateway and gateway["network_id"] == network_id:
                    return str(router["id"])
        return None

    def shown(self, shown: Body, caller: Caller) -> Body:  # noqa: ARG002  the protocol's
        """With the port that it leads to."""
        port = self.store.get("ports", shown["port_id"])
        keys = ("name", "network_id", "mac_address", "admin_state_up", "status", "device_id", "device_owner")
        for key in ("dns_name", "dns_domain"):
            shown.pop(key, None)
        return shown | {"port_details": {key: port[key] for key in keys} if port else None}

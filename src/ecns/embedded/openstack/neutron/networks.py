"""Networks and their subnets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.openstack.errors import bad, conflict, missing
from ecns.embedded.openstack.neutron import addresses
from ecns.embedded.openstack.neutron.part import Part

if TYPE_CHECKING:
    from ecns.embedded.openstack.callers import Caller
    from ecns.embedded.openstack.store import Body

AUTOMATIC = ("network:dhcp", "network:ha_router_replicated_interface")
"""Owners of ports that go with their network."""


class Networks(Part):
    """Networks; external ones lead out of the cloud, shared ones are every project's."""

    def make(self, caller: Caller, body: Body) -> None:  # noqa: ARG002  the protocol's
        """Complete a new network."""
        body |= {
            "status": "ACTIVE",
            "ipv4_address_scope": None,
            "ipv6_address_scope": None,
            "availability_zones": [],
        }
        if body["provider:network_type"] is None:
            body["provider:network_type"] = "local"
        self._default_group(body["project_id"])

    def _default_group(self, project: str) -> None:
        from ecns.embedded.openstack.neutron.groups import default_group  # noqa: PLC0415  they need each other

        default_group(self.neutron, project)

    def delete(self, body: Body) -> None:
        """A network goes with its subnets, unless something is in it."""
        ports = [p for p in self.store.all("ports") if p["network_id"] == body["id"]]
        if used := [p["id"] for p in ports if p["device_owner"] not in AUTOMATIC]:
            raise conflict(
                f"Unable to complete operation on network {body['id']}. There are one or more ports "
                "still in use on "
                f"the network, id for these ports is: {','.join(used)}.",
                "NetworkInUse",
            )
        for port in ports:
            self.store.delete("ports", port["id"])
        for subnet in self.store.all("subnets"):
            if subnet["network_id"] == body["id"]:
                self.store.delete("subnets", subnet["id"])

    def shown(self, shown: Body, caller: Caller) -> Body:
        """With its subnets; how it is wired is for administrators."""
        shown["subnets"] = [s["id"] for s in self.store.all("subnets") if s["network_id"] == shown["id"]]
        shown.pop("dns_domain", None)
        if not caller.admin:
            for key in [key for key in shown if key.startswith("provider:")]:
                del shown[key]
        if not shown["router:external"]:
            shown.pop("is_default", None)
        return shown


class Subnets(Part):
    """Blocks of addresses in networks."""

    def make(self, caller: Caller, body: Body) -> None:
        """Complete a new subnet."""
        from ecns.embedded.openstack.neutron.kinds import KINDS  # noqa: PLC0415  they need each other

        network = self.store.get("networks", body["network_id"])
        if network is None or not self.neutron.seen(caller, KINDS["networks"], network):
            raise missing(f"Network {body['network_id']} could not be found.", "NetworkNotFound")
        if not caller.sees(network):
            raise self.neutron.disallowed("create_subnet")
        if body.pop("prefixlen") is not None or body["subnetpool_id"] is not None:
            raise bad("Invalid input for operation: this cloud has no subnet pools.", "InvalidInput")
        if body["cidr"] is None:
            raise bad(
                "Bad subnets request: a subnetpool must be specified in the absence of a cidr.", "BadRequest"
            )
        others = [s for s in self.store.all("subnets") if s["network_id"] == network["id"]]
        addresses.laid_out(body, others)
        body["revision_number"] = 0

    def change(self, caller: Caller, body: Body, fields: Body) -> None:
        """Change a subnet; its block stays."""
        block = addresses.block_of(body["cidr"])
        if fields.get("allocation_pools") is not None:
            addresses.check_pools(block, fields["allocation_pools"])
        if fields.get("gateway_ip") is not None:
            fields["gateway_ip"] = str(addresses.address_of(fields["gateway_ip"]))
        super().change(caller, body, fields)

    def delete(self, body: Body) -> None:
        """A subnet goes when no port has an address of it."""
        if any(
            ip["subnet_id"] == body["id"]
            for port in self.store.all("ports")
            for ip in port["fixed_ips"]
            if port["device_owner"] not in AUTOMATIC
        ):
            raise conflict(
                f"Unable to complete operation on subnet {body['id']}: One or more ports have an IP "
                "allocation from "
                "this subnet.",
                "SubnetInUse",
            )

    def shown(self, shown: Body, caller: Caller) -> Body:  # noqa: ARG002  the protocol's
        """With what its network is."""
        network = self.store.get("networks", shown["network_id"])
        return shown | {"router:external": bool(network and network["router:external"])}

"""Ports: where things are in networks."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from ecns.embedded.openstack.errors import bad, conflict, missing
from ecns.embedded.openstack.neutron import addresses
from ecns.embedded.openstack.neutron.groups import default_group
from ecns.embedded.openstack.neutron.kinds import KINDS
from ecns.embedded.openstack.neutron.part import Part

if TYPE_CHECKING:
    from ecns.embedded.openstack.callers import Caller
    from ecns.embedded.openstack.store import Body

ROUTERS = ("network:router_interface", "network:router_gateway", "network:floatingip")
"""Owners of ports that only routers and floating addresses may remove."""


def mac() -> str:
    """A new hardware address."""
    return "fa:16:3e:" + ":".join(f"{random.randrange(256):02x}" for _ in range(3))  # noqa: S311  no secret


class Ports(Part):
    """Ports."""

    def make(self, caller: Caller, body: Body) -> None:
        """Complete a new port."""
        network = self.store.get("networks", body["network_id"])
        if network is None or not self.neutron.seen(caller, KINDS["networks"], network):
            raise missing(f"Network {body['network_id']} could not be found.", "NetworkNotFound")
        body["security_groups"] = self._groups(caller, body["security_groups"], body)
        body["fixed_ips"] = addresses.fixed(self.store, network, body["fixed_ips"])
        body["mac_address"] = self._mac(body["mac_address"], network["id"])
        body["status"] = "DOWN"
        self._bound(body)

    def _mac(self, asked: Any, network_id: str) -> str:
        if asked is None:
            return mac()
        if any(p["mac_address"] == asked for p in self.store.all("ports") if p["network_id"] == network_id):
            raise conflict(
                f"Unable to complete operation for network {network_id}. The mac address {asked} is in use.",
                "MacAddressInUse",
            )
        return str(asked)

    def _groups(self, caller: Caller, asked: list[Any] | None, body: Body) -> list[str]:
        if asked is None:
            if body["device_owner"].startswith("network:") or not body["port_security_enabled"]:
                return []
            return [default_group(self.neutron, body["project_id"])["id"]]
        for identity in asked:
            group = self.store.get("security-groups", identity)
            if group is None or not (caller.sees(group)):
                raise missing(f"Security group {identity} does not exist", "SecurityGroupNotFound")
        return sorted(set(asked))

    def _bound(self, body: Body) -> None:
        """A port that a device has on a host carries traffic, as far as this cloud can tell."""
        if body["device_owner"].startswith("compute:"):
            body["status"] = "ACTIVE"
        elif not body["device_owner"].startswith("network:"):
            body["status"] = "DOWN"

    def change(self, caller: Caller, body: Body, fields: Body) -> None:
        """Change a port."""
        if "security_groups" in fields:
            fields["security_groups"] = self._groups(caller, fields["security_groups"] or [], body)
        if "fixed_ips" in fields:
            network = self.store.get("networks", body["network_id"])
            assert network is not None, "ports keep it"  # noqa: S101  a fault of ours
            fields["fixed_ips"] = addresses.fixed(self.store, network, fields["fixed_ips"], body)
        if body["device_owner"].startswith("network:router") and "device_id" in fields:
            raise bad("Invalid input for operation: a router's port cannot be given away.", "InvalidInput")
        super().change(caller, body, fields)
        self._bound(body)

    def delete(self, body: Body) -> None:
        """A port goes, and with it what a floating address led to."""
        if body["device_owner"] in ROUTERS:
            raise conflict(
                f"Port {body['id']} cannot be deleted directly via the port API: has device owner "
                f"{body['device_owner']}.",
                "ServicePortInUse",
            )
        for address in self.store.all("floatingips"):
            if address["port_id"] == body["id"]:
                address |= {"port_id": None, "fixed_ip_address": None, "router_id": None, "status": "DOWN"}
                self.neutron.touch("floatingips", address)

    def shown(self, shown: Body, caller: Caller) -> Body:
        """Where it is bound is for administrators."""
        shown.pop("dns_name", None)
        host = shown.pop("binding:host_id", "")
        profile = shown.pop("binding:profile", {})
        if caller.admin:
            kind = "unbound" if not host else "other"
            shown |= {
                "binding:host_id": host,
                "binding:profile": profile,
                "binding:vif_type": kind,
                "binding:vif_details": {},
            }
        return shown

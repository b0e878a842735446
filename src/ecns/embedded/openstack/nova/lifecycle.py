"""How servers come and go, a moment after they were asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.openstack.errors import ProblemError
from ecns.embedded.openstack.neutron.kinds import KINDS
from ecns.embedded.openstack.nova import hosts
from ecns.embedded.openstack.service import now

if TYPE_CHECKING:
    from ecns.embedded.openstack.nova.service import Nova
    from ecns.embedded.openstack.store import Body

BUILD_SECONDS = 0.3
DELETE_SECONDS = 0.2


class Lifecycle:
    """What happens to servers by itself."""

    def __init__(self, nova: Nova) -> None:
        self.nova = nova
        self.store = nova.store

    def built(self, identity: str) -> None:
        """Put a server on a host, with its ports and volumes; it runs, or it has failed."""
        server = self.store.get("servers", identity)
        if server is None or server["_state"] != "building":
            return
        host = hosts.chosen(self.store, server, self.store.get("server-groups", server["_group"]))
        if host is None:
            self._fail(server, "No valid host was found. ")
            return
        server["_host"] = host.name
        try:
            self._plugged(server, host)
            self.nova.attachments.of_new(server)
        except ProblemError as error:
            server["_host"] = ""
            self._fail(server, f"Build of instance {identity} aborted: {error.message}")
            return
        server |= {"_state": "active", "_task": None, "_power": 1, "_launched": now(), "updated": now()}
        self.store.save("servers", server)

    def _fail(self, server: Body, message: str) -> None:
        """A server that could not be made, and why."""
        server["_fault"] = {"code": 500, "created": now(), "message": message}
        server |= {"_state": "error", "_task": None, "_power": 0, "updated": now()}
        self.store.save("servers", server)

    def _plugged(self, server: Body, host: hosts.Host) -> None:
        neutron = self.nova.cloud.neutron
        owner = self.nova.cloud.owner(server)
        for entry in server["_networks"]:
            port = self.store.get("ports", entry.get("port"))
            if port is None:
                groups = [
                    group["id"]
                    for group in self.store.all("security-groups")
                    if group["project_id"] == server["project_id"] and group["name"] in server["_groups"]
                ]
                sent: Body = {
                    "network_id": entry.get("network"),
                    **({"security_groups": groups} if groups else {}),
                }
                if entry.get("fixed_ip"):
                    sent["fixed_ips"] = [{"ip_address": entry["fixed_ip"]}]
                port = neutron.make(owner, KINDS["ports"], {"port": sent})
                port["_made_for_server"] = True
            port |= {
                "device_id": server["id"],
                "device_owner": f"compute:{host.zone}",
                "binding:host_id": host.name,
                "status": "ACTIVE",
            }
            neutron.touch("ports", port)

    def unplug(self, port: Body) -> None:
        """Take a port out of its server; one that was made for it goes."""
        if port.get("_made_for_server"):
            port["device_owner"] = ""
            self.nova.cloud.neutron.parts["ports"].delete(port)
            self.store.delete("ports", port["id"])
        else:
            port |= {"device_id": "", "device_owner": "", "binding:host_id": "", "status": "DOWN"}
            self.nova.cloud.neutron.touch("ports", port)

    def gone(self, identity: str) -> None:
        """Remove a server, and what was made for it."""
        server = self.store.get("servers", identity)
        if server is None:
            return
        for port in self.store.all("ports"):
            if port["device_id"] == identity:
                self.unplug(port)
        self.nova.attachments.of_gone(server)
        group = self.store.get("server-groups", server["_group"])
        if group is not None and identity in group["members"]:
            group["members"].remove(identity)
            self.store.save("server-groups", group)
        self.store.delete("servers", identity)

"""Volumes on servers: those that a server is made with, and those that come and go."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from ecns.embedded.openstack.errors import bad, conflict, missing
from ecns.embedded.openstack.http import Answer
from ecns.embedded.openstack.service import new_id

if TYPE_CHECKING:
    from ecns.embedded.openstack.nova.service import Nova
    from ecns.embedded.openstack.service import Call
    from ecns.embedded.openstack.store import Body

_PATH = "/servers/{id}/os-volume_attachments"
_RULE = "os_compute_api:os-volumes-attachments"


class Attachments:
    """Volumes on servers."""

    def __init__(self, nova: Nova) -> None:
        self.nova = nova
        self.store = nova.store
        nova.route("GET", _PATH, self._listed)
        nova.route("POST", _PATH, self._made, "member", f"{_RULE}:create")
        nova.route("GET", f"{_PATH}/{{volume}}", self._shown)
        nova.route("DELETE", f"{_PATH}/{{volume}}", self._deleted, "member", f"{_RULE}:delete")

    def show(self, call: Call, server: Body, kept: Body) -> Body:
        """An attachment as it is answered."""
        shown = {
            "id": kept["volume_id"],
            "volumeId": kept["volume_id"],
            "serverId": server["id"],
            "device": kept["device"],
        }
        if call.version >= (2, 70):
            shown["tag"] = None
        if call.version >= (2, 79):
            shown["delete_on_termination"] = kept["goes"]
        if call.version >= (2, 89):
            shown |= {"attachment_id": kept["attachment_id"], "bdm_uuid": kept["id"]}
            del shown["id"]
        return shown

    def _listed(self, call: Call) -> Answer:
        server = self.nova.servers.found(call)
        return Answer(
            body={"volumeAttachments": [self.show(call, server, kept) for kept in server["_volumes"]]}
        )

    def _kept(self, call: Call, server: Body) -> Body:
        for kept in server["_volumes"]:
            if kept["volume_id"] == call.names["volume"]:
                found: Body = kept
                return found
        raise missing(f"Instance {server['id']} is not attached to volume {call.names['volume']}")

    def _shown(self, call: Call) -> Answer:
        server = self.nova.servers.found(call)
        return Answer(body={"volumeAttachment": self.show(call, server, self._kept(call, server))})

    def _made(self, call: Call) -> Answer:
        server, sent = self.nova.servers.found(call), self.nova.body(call, "volumeAttachment")
        volume = self.store.get("volumes", sent.get("volumeId"))
        if volume is None or not call.caller.sees(volume):
            raise missing(f"Volume {sent.get('volumeId')} could not be found.")
        if server["_task"] is not None or server["_state"] not in {
            "active",
            "stopped",
            "suspended",
            "paused",
        }:
            raise conflict(
                f"Cannot 'attach_volume' instance {server['id']} while it is in vm_state {server['_state']}"
            )
        if volume["status"] != "available":
            raise bad(
                f"Invalid volume: volume {volume['id']} status must be available or downloading to "
                f"reserve, but the current status is {volume['status']}."
            )
        self.nova.cloud.cinder.reserve(volume["id"])
        kept = self.attach(
            server, volume, goes=bool(sent.get("delete_on_termination")), device=sent.get("device")
        )
        return Answer(body={"volumeAttachment": self.show(call, server, kept)})

    def attach(self, server: Body, volume: Body, *, goes: bool, device: str | None = None) -> Body:
        """Put a volume on a server.

        Args:
            server: that gets it.
            volume: that is free.
            goes: whether it is removed with the server.
            device: its name, or None for the next.
        """
        used = {kept["device"] for kept in server["_volumes"]}
        first = 0 if server["_boot_volume"] else 1
        names = (f"/dev/sd{chr(ord('a') + number)}" for number in range(first, 26))
        device = device or next(name for name in names if name not in used)
        kept = {
            "id": new_id(),
            "volume_id": volume["id"],
            "device": device,
            "goes": goes,
            "attachment_id": new_id(),
        }
        server["_volumes"].append(kept)
        self.store.save("servers", server)
        self.nova.cloud.cinder.attach(volume["id"], server["id"], kept)
        return kept

    def _deleted(self, call: Call) -> Answer:
        server = self.nova.servers.found(call)
        kept = self._kept(call, server)
        if server["_boot_volume"] and server["_volumes"][0] is kept:
            raise bad("Cannot detach a root device volume")
        self.nova.cloud.cinder.detach(kept["volume_id"], server["id"])
        server["_volumes"].remove(kept)
        self.store.save("servers", server)
        return Answer(HTTPStatus.ACCEPTED)

    # With a server

    def of_new(self, server: Body) -> None:
        """Make and attach the volumes that a new server is to have.

        Raises:
            ProblemError: one cannot be made.
        """
        cinder = self.nova.cloud.cinder
        owner = self.nova.cloud.owner(server)
        for device in sorted(server["_devices"], key=lambda d: str(d.get("boot_index")) != "0"):
            source = device["source_type"]
            if source in {"image", "blank"} and device.get("destination_type") != "volume":
                continue
            volume = self.store.get("volumes", device.get("uuid")) if source == "volume" else None
            if volume is None:
                volume = cinder.for_server(owner, device)
            goes = bool(device.get("delete_on_termination"))
            self.attach(server, volume, goes=goes, device=device.get("device_name"))

    def of_gone(self, server: Body) -> None:
        """Let the volumes of a server go that is removed, also those that it has not got yet."""
        for device in server["_devices"]:
            if device["source_type"] == "volume":
                self.nova.cloud.cinder.release(device["uuid"])
        for kept in server["_volumes"]:
            self.nova.cloud.cinder.detach(kept["volume_id"], server["id"], at_once=True)
            if kept["goes"]:
                self.nova.cloud.cinder.remove(kept["volume_id"])

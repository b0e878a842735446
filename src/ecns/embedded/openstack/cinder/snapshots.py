"""Snapshots of volumes."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from ecns.embedded.openstack.errors import bad
from ecns.embedded.openstack.http import Answer
from ecns.embedded.openstack.service import new_id, now

if TYPE_CHECKING:
    from ecns.embedded.openstack.cinder.service import Cinder
    from ecns.embedded.openstack.service import Call
    from ecns.embedded.openstack.store import Body


class Snapshots:
    """The operations on snapshots."""

    def __init__(self, cinder: Cinder) -> None:
        self.cinder = cinder
        one = "/snapshots/{id}"
        cinder.route("GET", "/snapshots", lambda call: cinder.listed(call, "snapshot", detail=False))
        cinder.route("GET", "/snapshots/detail", lambda call: cinder.listed(call, "snapshot", detail=True))
        cinder.route("POST", "/snapshots", self._snapshot_made, "member", "volume:create_snapshot")
        cinder.route("GET", one, self._snapshot)
        cinder.route(
            "PUT", one, lambda call: cinder.changed(call, "snapshot"), "member", "volume:update_snapshot"
        )
        cinder.route("DELETE", one, self._snapshot_deleted, "member", "volume:delete_snapshot")

    def show(self, _: Call, snapshot: Body, *, new: bool = False) -> Body:
        """A snapshot as it is answered."""
        keys = (
            "id",
            "created_at",
            "updated_at",
            "name",
            "description",
            "volume_id",
            "status",
            "size",
            "metadata",
        )
        shown = {key: snapshot[key] for key in keys}
        if not new:
            done = "100%" if snapshot["status"] == "available" else "0%"
            shown |= {
                "os-extended-snapshot-attributes:project_id": snapshot["project_id"],
                "os-extended-snapshot-attributes:progress": done,
            }
        return shown

    def _snapshot(self, call: Call) -> Answer:
        return Answer(body={"snapshot": self.show(call, self.cinder.found(call, "snapshot"))})

    def _snapshot_made(self, call: Call) -> Answer:
        sent = self.cinder.body(call, "snapshot")
        volume = self.cinder.found(call, "volume", sent.get("volume_id") or "none")
        if volume["status"] != "available" and not (sent.get("force") and volume["status"] == "in-use"):
            raise bad(
                f"Invalid volume: Volume {volume['id']} status must be available, but current status is: "
                f"{volume['status']}."
            )
        self.cinder.quotas.check(call.caller.project_id, snapshots=1, gigabytes=volume["size"])
        snapshot = {
            "id": new_id(),
            "created_at": now(),
            "name": sent.get("name"),
            "description": sent.get("description"),
            "volume_id": volume["id"],
            "size": volume["size"],
            "metadata": sent.get("metadata") or {},
            "project_id": call.caller.project_id,
            "user_id": call.caller.user_id,
            "volume_type": volume["volume_type"],
            "_bootable": volume["bootable"],
            "_image_metadata": volume["_image_metadata"],
        }
        self.cinder.later("snapshots", snapshot, "creating")
        return Answer(HTTPStatus.ACCEPTED, {"snapshot": self.show(call, snapshot, new=True)})

    def _snapshot_deleted(self, call: Call) -> Answer:
        snapshot = self.cinder.found(call, "snapshot")
        if snapshot["status"] not in {"available", "error"}:
            raise bad(
                "Invalid snapshot: Snapshot status must be available or error, and snapshot must not be "
                "part of a group."
            )
        self.cinder.later("snapshots", snapshot, "deleting")
        return Answer(HTTPStatus.ACCEPTED)

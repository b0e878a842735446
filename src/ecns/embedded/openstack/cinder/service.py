"""Cinder's manners, volumes and snapshots."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ecns.embedded.openstack.cinder.quotas import Quotas
from ecns.embedded.openstack.cinder.snapshots import Snapshots
from ecns.embedded.openstack.cinder.types import Types
from ecns.embedded.openstack.errors import ProblemError, bad, missing
from ecns.embedded.openstack.http import Answer
from ecns.embedded.openstack.microversions import Versioned, told
from ecns.embedded.openstack.service import Call, links_of, new_id, now, page

if TYPE_CHECKING:
    from ecns.embedded.openstack.callers import Caller
    from ecns.embedded.openstack.cloud import Cloud
    from ecns.embedded.openstack.store import Body

SECONDS = 0.2
ZONE = "nova"
_IN_USE = (
    "Invalid volume: Volume status must be available or error or error_restoring or error_extending or "
    "error_managing "
    "and must not be migrating, attached, belong to a group, have snapshots, awaiting a transfer, or be "
    "disassociated "
    "from snapshots after volume transfer."
)
_MALFORMED = (
    "The server could not comply with the request since it is either malformed or otherwise incorrect."
)


class Cinder(Versioned):
    """Volumes."""

    prefix = "/volume"
    tail = "/v3"
    types = ("block-storage", "cinder")
    root = "/v3"
    kind = "volume"
    oldest, newest = (3, 0), (3, 71)

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.kinds = Types(self)
        self.quotas = Quotas(self)
        self.snapshots = Snapshots(self)
        self.route("GET", "/os-availability-zone", self._zones)
        self.route("GET", "/volumes", lambda call: self.listed(call, "volume", detail=False))
        self.route("GET", "/volumes/detail", lambda call: self.listed(call, "volume", detail=True))
        self.route("POST", "/volumes", self._made, "member", "volume:create")
        self.route(
            "GET", "/volumes/{id}", lambda call: Answer(body={"volume": self.show(call, self.found(call))})
        )
        self.route(
            "PUT", "/volumes/{id}", lambda call: self.changed(call, "volume"), "member", "volume:update"
        )
        self.route("DELETE", "/volumes/{id}", self._deleted, "member", "volume:delete")
        self.route("POST", "/volumes/{id}/action", self._act, "member", "volume:extend")

    # Manners

    def versions(self, path: str, base: str) -> Answer | None:
        """The one version."""
        if path not in {"", "/", "/v3", "/v3/"}:
            return None
        about = {
            "id": "v3.0",
            "status": "CURRENT",
            "version": told(self.newest),
            "min_version": "3.0",
            "updated": "2023-08-31T00:00:00Z",
            "links": [{"rel": "self", "href": f"{base}/v3/"}],
        }
        status = HTTPStatus.MULTIPLE_CHOICES if path in {"", "/"} else HTTPStatus.OK
        return Answer(status, {"versions": [about]}, {"OpenStack-API-Version": "volume 3.0"})

    def leave(self, call: Call, answer: Answer) -> Answer:
        """With the microversion that was served."""
        version = call.version if call.version != (0, 0) else self.oldest
        answer.headers["OpenStack-API-Version"] = f"volume {told(version)}"
        answer.headers["Vary"] = "OpenStack-API-Version"
        answer.headers["x-compute-request-id"] = call.request_id
        return super().leave(call, answer)

    def problem(self, error: ProblemError) -> Answer:
        """`{"itemNotFound": {"code", "message"}}` and its kin."""
        name, said = self.fault(error)
        if error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            said["retryAfter"] = "0"
        return Answer(error.status, {name: said})

    def resume(self) -> None:
        """Go on with volumes and snapshots that something is being done with."""
        for kind in ("volumes", "snapshots"):
            for body in self.store.all(kind):
                if body["status"] in {"creating", "deleting", "extending", "detaching", "attaching"}:
                    self.cloud.later(SECONDS, self._settled, kind, body["id"])

    def _settled(self, kind: str, identity: str) -> None:
        body = self.store.get(kind, identity)
        if body is None:
            return
        if body["status"] == "deleting":
            self.store.delete(kind, identity)
            return
        if body["status"] == "extending":
            body["size"] = body.pop("_new_size", body["size"])
        if body["status"] == "attaching":
            body["status"] = "in-use" if body["attachments"] else "available"
        elif body["status"] in {"creating", "extending", "detaching"}:
            body["status"] = "in-use" if body.get("attachments") else "available"
            body["bootable"] = body.get("_bootable", body.get("bootable"))
        body["updated_at"] = now()
        self.store.save(kind, body)

    def later(self, kind: str, body: Body, status: str) -> None:
        """Give a volume or snapshot a state that passes in a moment."""
        body |= {"status": status, "updated_at": None if status == "creating" else now()}
        self.store.save(kind, body)
        self.cloud.later(SECONDS, self._settled, kind, body["id"])

    # Reading

    def _zones(self, _: Call) -> Answer:
        return Answer(body={"availabilityZoneInfo": [{"zoneName": ZONE, "zoneState": {"available": True}}]})

    def found(self, call: Call, kind: str = "volume", identity: Any = None) -> Body:
        """The volume or snapshot that the path names.

        Raises:
            ProblemError: 404, there is none for the caller.
        """
        identity = identity or call.names["id"]
        body = self.store.get(f"{kind}s", identity)
        if body is None or not call.caller.sees(body):
            raise missing(f"{kind.capitalize()} {identity} could not be found.")
        return body

    def listed(self, call: Call, kind: str, *, detail: bool) -> Answer:
        """A list of volumes or snapshots."""
        every = call.flag("all_tenants") and call.caller.admin
        found = self.store.all(f"{kind}s") if every else self.owned(f"{kind}s", call.caller)
        filters = {
            name: value
            for name, value in call.query
            if name
            in {
                "name",
                "status",
                "bootable",
                "volume_id",
                "volume_type",
                "availability_zone",
                "project_id",
                "id",
            }
        }
        found = [b for b in found if all(str(b.get(name)) == value for name, value in filters.items())]
        found.reverse()
        sort = call.text("sort") or call.text("sort_key")
        if sort:
            key, _, direction = sort.partition(":")
            direction = direction or call.text("sort_dir") or "desc"
            found.sort(key=lambda b: str(b.get(key)), reverse=direction == "desc")
        found, following = page(
            call, found, lambda marker: missing(f"{kind.capitalize()} {marker} could not be found.")
        )
        view = self.show if kind == "volume" else self.snapshots.show
        shown = [view(call, body) for body in found]
        if not detail and kind == "volume":
            shown = [{key: body[key] for key in ("id", "name", "links")} for body in shown]
        links = links_of(call, following)
        said: Body = {f"{kind}s": shown}
        return Answer(body=said | ({f"{kind}s_links": links} if links else {}))

    def show(self, call: Call, volume: Body, *, new: bool = False) -> Body:
        """A volume as it is answered."""
        root = call.base.removesuffix("/v3")
        shown = {
            key: value for key, value in volume.items() if not key.startswith("_") and key != "project_id"
        }
        shown["links"] = [
            {"rel": "self", "href": f"{call.base}/volumes/{volume['id']}"},
            {"rel": "bookmark", "href": f"{root}/volumes/{volume['id']}"},
        ]
        if call.caller.admin:
            shown |= {
                "migration_status": None,
                "os-vol-mig-status-attr:migstat": None,
                "os-vol-mig-status-attr:name_id": None,
                "os-vol-host-attr:host": f"controller@{volume['volume_type']}#{volume['volume_type']}",
            }
        if not new:
            shown["os-vol-tenant-attr:tenant_id"] = volume["project_id"]
            if volume.get("_image_metadata"):
                shown["volume_image_metadata"] = volume["_image_metadata"]
        return shown

    # Volumes

    def _made(self, call: Call) -> Answer:
        sent = self.body(call, "volume")
        volume = self.make(call.caller, sent)
        return Answer(HTTPStatus.ACCEPTED, {"volume": self.show(call, volume, new=True)})

    def make(self, caller: Caller, sent: Body, *, checked: bool = True) -> Body:
        """A new volume.

        Raises:
            ProblemError: what it is made of is not there, or it is over quota.
        """
        source = self._source(caller, sent)
        size = sent.get("size")
        if size is None and source is not None:
            size = (
                source["_least"]
                if source.get("_kind") == "snapshot" or source.get("_kind") == "volume"
                else None
            )
        if size is None:
            raise bad(_MALFORMED)
        if isinstance(size, bool) or not re.fullmatch(r"-?[0-9]{1,9}", str(size)):
            raise bad(
                f"Invalid input for field/attribute size. Value: {size}. {size!r} does not match '^[0-9]+$'"
            )
        size = int(size)
        if size < 1:
            raise bad(
                f"Invalid input for field/attribute size. Value: {size}. {size} is less than the minimum of 1"
            )
        if source is not None and size < source["_least"]:
            raise bad(
                f"Invalid input received: Volume size '{size}'GB cannot be smaller than the original "
                f"size {source['_least']}GB."
            )
        asked = sent.get("volume_type") or (source or {}).get("volume_type")
        kind = self.kinds.default() if asked is None else self.kinds.named(caller, asked)
        if asked is not None and kind is None:
            raise missing(f"Volume type with name {asked} could not be found.")
        zone = sent.get("availability_zone")
        if zone not in {None, "", ZONE}:
            raise bad(f"Availability zone '{zone}' is invalid.")
        if checked:
            self.quotas.check(caller.project_id, volumes=1, gigabytes=size)
        volume: Body = {
            "id": new_id(),
            "status": "creating",
            "size": size,
            "availability_zone": ZONE,
            "created_at": now(),
            "updated_at": None,
            "name": sent.get("name"),
            "description": sent.get("description"),
            "volume_type": kind["name"] if kind else None,
            "snapshot_id": sent.get("snapshot_id"),
            "source_volid": sent.get("source_volid"),
            "metadata": sent.get("metadata") or {},
            "user_id": caller.user_id,
            "bootable": "false",
            "encrypted": False,
            "replication_status": None,
            "consistencygroup_id": None,
            "multiattach": False,
            "attachments": [],
            "project_id": caller.project_id,
            "_bootable": "true" if source is not None and source["_bootable"] == "true" else "false",
            "_image_metadata": (source or {}).get("_image_metadata") or {},
        }
        self.later("volumes", volume, "creating")
        return volume

    def _source(self, caller: Caller, sent: Body) -> Body | None:
        """What a volume is made of, with the least size that it needs."""
        if (reference := sent.get("imageRef")) is not None:
            image = self.cloud.glance.seen(caller, str(reference))
            if image is None:
                raise bad("Invalid image identifier or unable to access requested image.")
            least = max(image["min_disk"], -(-(image["size"] or 0) // 2**30), 1)
            about = {
                "image_id": image["id"],
                "image_name": image["name"],
                "checksum": image["checksum"],
                "container_format": image["container_format"],
                "disk_format": image["disk_format"],
                "min_disk": str(image["min_disk"]),
                "min_ram": str(image["min_ram"]),
                "size": str(image["size"]),
            }
            return {"_least": least, "_bootable": "true", "_image_metadata": about}
        for key, kind in (("snapshot_id", "snapshots"), ("source_volid", "volumes")):
            if (reference := sent.get(key)) is not None:
                found = self.store.get(kind, reference)
                if found is None or not caller.sees(found):
                    raise missing(f"{kind[:-1].capitalize()} {reference} could not be found.")
                if found["status"] not in {"available", "in-use"}:
                    raise bad(f"Invalid {kind[:-1]}: {reference} is not available.")
                bootable = found.get("_bootable") or found.get("bootable")
                return {**found, "_least": found["size"], "_bootable": bootable, "_kind": kind[:-1]}
        return None

    def for_server(self, caller: Caller, device: Body) -> Body:
        """The volume that a new server brings up itself, there at once.

        Raises:
            ProblemError: it cannot be made.
        """
        key = {"image": "imageRef", "snapshot": "snapshot_id"}.get(device["source_type"])
        sent: Body = {"size": device.get("volume_size"), "volume_type": device.get("volume_type"), "name": ""}
        if key is not None:
            sent[key] = device.get("uuid")
        volume = self.make(caller, sent)
        volume |= {"status": "available", "bootable": volume["_bootable"]}
        return volume

    def changed(self, call: Call, kind: str) -> Answer:
        """Change what a volume or snapshot is called."""
        body, sent = self.found(call, kind), self.body(call, kind)
        for key in ("name", "description", "metadata"):
            body[key] = sent.get(key, body[key])
        body["updated_at"] = now()
        self.store.save(f"{kind}s", body)
        view = self.show if kind == "volume" else self.snapshots.show
        return Answer(body={kind: view(call, body)})

    def _deleted(self, call: Call) -> Answer:
        volume = self.found(call)
        snapshots = [s for s in self.store.all("snapshots") if s["volume_id"] == volume["id"]]
        if volume["status"] not in {"available", "error"} or (snapshots and not call.flag("cascade")):
            raise bad(_IN_USE)
        for snapshot in snapshots:
            self.later("snapshots", snapshot, "deleting")
        self.later("volumes", volume, "deleting")
        return Answer(HTTPStatus.ACCEPTED)

    def _act(self, call: Call) -> Answer:
        volume, sent = self.found(call), call.json()
        if not isinstance(sent, dict) or len(sent) != 1:
            raise bad("There is no such action")
        action, argument = next(iter(sent.items()))
        argument = argument if isinstance(argument, dict) else {}
        if action == "os-extend":
            return self._extended(volume, argument.get("new_size"))
        if action == "os-set_bootable":
            volume["bootable"] = volume["_bootable"] = (
                "true" if argument.get("bootable") in {True, "true", "True"} else "false"
            )
        elif action == "os-set_image_metadata":
            volume["_image_metadata"] |= argument.get("metadata") or {}
        elif action == "os-reset_status" and call.caller.admin:
            volume["status"] = str(argument.get("status") or volume["status"])
        elif action == "os-retype":
            kind = self.kinds.named(call.caller, argument.get("new_type"))
            if kind is None:
                raise missing(f"Volume type with name {argument.get('new_type')} could not be found.")
            volume["volume_type"] = kind["name"]
        else:
            raise bad(f"There is no such action: {action}")
        self.store.save("volumes", volume)
        return Answer(HTTPStatus.ACCEPTED if action == "os-retype" else HTTPStatus.OK)

    def _extended(self, volume: Body, size: Any) -> Answer:
        if isinstance(size, bool) or not isinstance(size, int):
            raise bad(
                f"Invalid input for field/attribute new_size. Value: {size}. {size!r} is not of type "
                "'integer'"
            )
        if size <= volume["size"]:
            raise bad(
                "Invalid input received: New size for extend must be greater than current size. "
                f"(current: {volume['size']}, "
                f"extended: {size})."
            )
        if volume["status"] != "available":
            raise bad(
                f"Invalid volume: Volume {volume['id']} status must be '('available',)' to extend, "
                f"currently {volume['status']}."
            )
        self.quotas.check(volume["project_id"], gigabytes=size - volume["size"])
        volume["_new_size"] = size
        self.later("volumes", volume, "extending")
        return Answer(HTTPStatus.ACCEPTED)

    # With servers

    def reserve(self, identity: str) -> None:
        """A server is about to get a volume."""
        if (volume := self.store.get("volumes", identity)) is not None:
            volume["status"] = "reserved"
            self.store.save("volumes", volume)

    def release(self, identity: str) -> None:
        """The server that was about to get a volume is gone."""
        volume = self.store.get("volumes", identity)
        if volume is not None and volume["status"] == "reserved":
            volume |= {"status": "available", "updated_at": now()}
            self.store.save("volumes", volume)

    def attach(self, identity: str, server_id: str, kept: Body) -> None:
        """A server has a volume now."""
        volume = self.store.get("volumes", identity)
        if volume is None:
            return
        volume["attachments"] = [
            {
                "id": identity,
                "attachment_id": kept["attachment_id"],
                "volume_id": identity,
                "server_id": server_id,
                "host_name": None,
                "device": kept["device"],
                "attached_at": now(),
            }
        ]
        volume |= {"status": "in-use", "updated_at": now()}
        self.store.save("volumes", volume)

    def detach(self, identity: str, server_id: str, *, at_once: bool = False) -> None:
        """A server lets a volume go."""
        volume = self.store.get("volumes", identity)
        if volume is None or not any(one["server_id"] == server_id for one in volume["attachments"]):
            return
        volume["attachments"] = []
        if at_once:
            volume |= {"status": "available", "updated_at": now()}
            self.store.save("volumes", volume)
        else:
            self.later("volumes", volume, "detaching")

    def remove(self, identity: str) -> None:
        """Remove a volume that nothing has."""
        if (volume := self.store.get("volumes", identity)) is not None:
            self.later("volumes", volume, "deleting")

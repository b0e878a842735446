"""Resources of Cinder."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from ecns.embedded.openstack.errors import ProblemError
from ecns.embedded.openstack.heat.errors import FailedError, invalid
from ecns.embedded.openstack.heat.properties import Property, Schema
from ecns.embedded.openstack.heat.resources.base import Resource, Simple

if TYPE_CHECKING:
    from ecns.embedded.openstack.store import Body

_PREFIX = "/v3"


class Volume(Simple):
    """A volume."""

    kind, path, singular = "cinder", f"{_PREFIX}/volumes", "volume"
    checks = True
    renamed: ClassVar[dict[str, tuple[str, str]]] = {"image": ("imageRef", "image")}
    done = ("status", "available", "error")
    schema: ClassVar[Schema] = {
        "size": Property(int, least=1),
        "name": Property(),
        "description": Property(),
        "image": Property(fixed=True, names="image"),
        "snapshot_id": Property(fixed=True),
        "source_volid": Property(fixed=True),
        "volume_type": Property(fixed=True, names="type"),
        "availability_zone": Property(fixed=True),
        "metadata": Property(dict, default={}),
        "read_only": Property(bool),
        "scheduler_hints": Property(dict, fixed=True),
        "backup_id": Property(fixed=True),
    }
    attributes = frozenset(
        {"show", "size", "status", "bootable", "volume_type", "availability_zone", "created_at", "metadata"}
        | {"display_name", "snapshot_id", "source_volid", "attachments"}
    )

    def validate(self, properties: Body) -> None:
        """It has a size, or what it is a copy of has."""
        options = [key for key in ("source_volid", "snapshot_id") if properties.get(key) is not None]
        if properties.get("size") is None and len(options) != 1:
            raise invalid(
                'If neither "backup_id" nor "size" is provided, one and only one of "source_volid", '
                f'"snapshot_id" must be specified, but currently specified options: {options}.'
            )

    def body(self, properties: Body) -> Body:
        """Without what only Heat knows."""
        left_out = {"read_only", "scheduler_hints", "backup_id"}
        return {key: value for key, value in super().body(properties).items() if key not in left_out}

    def update(self, changed: Body, properties: Body) -> bool:
        """Call it something else, or let it grow."""
        names = {key: properties.get(key) for key in ("name", "description", "metadata") if key in changed}
        if names:
            self.call("PUT", self.one(), {"volume": names})
        if "size" in changed:
            if self.shown().get("status") == "in-use":
                raise FailedError(
                    "NotSupported", "Extending of an attached volume is not supported by this stand-in"
                )
            self.call("POST", f"{self.one()}/action", {"os-extend": {"new_size": changed["size"]}})
        return True

    def delete(self) -> bool:
        """Remove it once nothing has it."""
        status = self.shown().get("status")
        if status in {"in-use", "detaching", "creating", "extending"}:
            return False
        try:
            self.raw("DELETE", self.one())
        except ProblemError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return True
            raise self.failed(error) from error
        return True

    def check(self) -> None:
        """It is there and usable."""
        status = self.shown().get("status")
        if status not in {"available", "in-use"}:
            raise FailedError("Error", f"['status': expected 'available', got '{status}']")


class VolumeAttachment(Resource):
    """A volume on a server."""

    kind = "nova"
    schema: ClassVar[Schema] = {
        "instance_uuid": Property(required=True),
        "volume_id": Property(required=True, names="volume"),
        "mountpoint": Property(),
    }
    attributes = frozenset({"show"})

    def create(self, properties: Body) -> str | None:
        """Attach it, once both are ready for it."""
        sent = {"volumeId": properties["volume_id"]}
        if properties.get("mountpoint"):
            sent["device"] = properties["mountpoint"]
        path = f"/v2.1/servers/{properties['instance_uuid']}/os-volume_attachments"
        made = self.call("POST", path, {"volumeAttachment": sent})
        self.record["data"]["server"] = properties["instance_uuid"]
        return str(made["volumeAttachment"]["id"])

    def _path(self) -> str:
        return f"/v2.1/servers/{self.record['data'].get('server')}/os-volume_attachments/{self.physical}"

    def update(self, changed: Body, properties: Body) -> bool:  # noqa: ARG002  of the protocol
        """Attach it elsewhere, once it is free."""
        if not self.record["data"].get("leaves"):
            self.record["data"]["leaves"] = self.delete()
        if not self.deleted():
            return False
        del self.record["data"]["leaves"]
        self.record["physical"] = self.create(properties)
        return True

    def delete(self) -> bool:
        """Detach it."""
        try:
            self.raw("DELETE", self._path())
        except ProblemError as error:
            if error.status in {HTTPStatus.NOT_FOUND, HTTPStatus.BAD_REQUEST}:
                return True
            raise self.failed(error) from error
        return True

    def deleted(self) -> bool:
        """Whether the volume is free again."""
        volume = self.engine.cloud.store.get("volumes", self.physical)
        return volume is None or volume["status"] in {"available", "error"}

    def attribute(self, name: str, path: list[Any]) -> Any:  # noqa: ARG002  as above
        """As Nova shows it."""
        try:
            return self.raw("GET", self._path())["volumeAttachment"]
        except ProblemError:
            return {}

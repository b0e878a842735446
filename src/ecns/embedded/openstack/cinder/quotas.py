"""What a project may have of Cinder, and has."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ecns.embedded.openstack.errors import ProblemError, bad
from ecns.embedded.openstack.http import Answer

if TYPE_CHECKING:
    from ecns.embedded.openstack.cinder.service import Cinder
    from ecns.embedded.openstack.service import Call

DEFAULTS = {
    "volumes": 10,
    "per_volume_gigabytes": -1,
    "snapshots": 10,
    "gigabytes": 1000,
    "backups": 10,
    "backup_gigabytes": 1000,
    "groups": 10,
}


class Quotas:
    """The operations on quotas and limits."""

    def __init__(self, cinder: Cinder) -> None:
        self.cinder = cinder
        self.store = cinder.store
        path = "/os-quota-sets/{id}"
        cinder.route("GET", "/limits", self._limits)
        cinder.route("GET", path, self._shown)
        cinder.route(
            "GET",
            f"{path}/defaults",
            lambda call: Answer(body={"quota_set": {"id": call.names["id"], **DEFAULTS}}),
        )
        cinder.route("PUT", path, self._changed, "admin", "volume_extension:quotas:update")
        cinder.route("DELETE", path, self._reset, "admin", "volume_extension:quotas:delete")

    def limits(self, project: str) -> dict[str, int]:
        """What a project may have."""
        found = dict(DEFAULTS)
        for kind in self.store.all("volume-types"):
            for name in ("volumes", "gigabytes", "snapshots"):
                found[f"{name}_{kind['name']}"] = -1
        kept = self.store.get("volume-quotas", project)
        return found | (kept["limits"] if kept else {})

    def used(self, project: str) -> dict[str, int]:
        """What a project has."""
        volumes = [v for v in self.store.all("volumes") if v["project_id"] == project]
        snapshots = [s for s in self.store.all("snapshots") if s["project_id"] == project]
        found = {
            "volumes": len(volumes),
            "snapshots": len(snapshots),
            "gigabytes": sum(one["size"] for one in (*volumes, *snapshots)),
        }
        for volume in volumes:
            for name, more in (("volumes", 1), ("gigabytes", volume["size"])):
                key = f"{name}_{volume['volume_type']}"
                found[key] = found.get(key, 0) + more
        return found

    def check(self, project: str, *, volumes: int = 0, snapshots: int = 0, gigabytes: int = 0) -> None:
        """See that more fits.

        Raises:
            ProblemError: 413 in Cinder's words, it does not.
        """
        may, has = self.limits(project), self.used(project)
        too_large = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        if 0 <= may["gigabytes"] < has["gigabytes"] + gigabytes:
            raise ProblemError(
                too_large,
                "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes "
                "quota. Requested "
                f"{gigabytes}G, quota is {may['gigabytes']}G and {has['gigabytes']}G has been consumed.",
            )
        if 0 <= may["volumes"] < has["volumes"] + volumes:
            raise ProblemError(
                too_large,
                f"VolumeLimitExceeded: Maximum number of volumes allowed ({may['volumes']}) exceeded for "
                "quota 'volumes'.",
            )
        if 0 <= may["snapshots"] < has["snapshots"] + snapshots:
            raise ProblemError(
                too_large,
                f"SnapshotLimitExceeded: Maximum number of snapshots allowed ({may['snapshots']}) exceeded",
            )

    def _project(self, call: Call) -> str:
        project = call.names["id"]
        if project != call.caller.project_id and not call.caller.admin:
            raise self.cinder.disallowed("volume_extension:quotas:show")
        return project

    def _shown(self, call: Call) -> Answer:
        project = self._project(call)
        found: dict[str, Any] = dict(self.limits(project))
        if call.flag("usage"):
            has = self.used(project)
            found = {
                name: {"limit": limit, "in_use": has.get(name, 0), "reserved": 0}
                for name, limit in found.items()
            }
        return Answer(body={"quota_set": {**found, "id": project}})

    def _changed(self, call: Call) -> Answer:
        sent, project = self.cinder.body(call, "quota_set"), call.names["id"]
        limits = self.limits(project)
        wanted = {name: value for name, value in sent.items() if name not in {"tenant_id", "skip_validation"}}
        for name, value in wanted.items():
            if name not in limits:
                raise bad(f"Invalid input for field/attribute quota_set. '{name}' was unexpected")
            if not str(value).lstrip("-").isdigit() or int(value) < -1:
                raise bad(f"Invalid input for field/attribute {name}. Value: {value}.")
        kept = self.store.get("volume-quotas", project) or {"id": project, "limits": {}}
        kept["limits"] |= {name: int(value) for name, value in wanted.items()}
        self.store.save("volume-quotas", kept)
        return Answer(body={"quota_set": self.limits(project)})

    def _reset(self, call: Call) -> Answer:
        self.store.delete("volume-quotas", call.names["id"])
        return Answer(HTTPStatus.OK)

    def _limits(self, call: Call) -> Answer:
        project = call.caller.project_id
        may, has = self.limits(project), self.used(project)
        absolute = {
            "maxTotalVolumes": may["volumes"],
            "maxTotalSnapshots": may["snapshots"],
            "maxTotalVolumeGigabytes": may["gigabytes"],
            "maxTotalBackups": may["backups"],
            "maxTotalBackupGigabytes": may["backup_gigabytes"],
            "totalVolumesUsed": has["volumes"],
            "totalGigabytesUsed": has["gigabytes"],
            "totalSnapshotsUsed": has["snapshots"],
            "totalBackupsUsed": 0,
            "totalBackupGigabytesUsed": 0,
        }
        return Answer(body={"limits": {"rate": [], "absolute": absolute}})

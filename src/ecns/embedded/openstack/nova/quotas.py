"""What a project may have of Nova, and has."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ecns.embedded.openstack.errors import bad, forbidden
from ecns.embedded.openstack.http import Answer

if TYPE_CHECKING:
    from ecns.embedded.openstack.nova.service import Nova
    from ecns.embedded.openstack.service import Call
    from ecns.embedded.openstack.store import Body, Store

DEFAULTS = {
    "cores": 20,
    "fixed_ips": -1,
    "floating_ips": -1,
    "injected_file_content_bytes": 10240,
    "injected_file_path_bytes": 255,
    "injected_files": 5,
    "instances": 10,
    "key_pairs": 100,
    "metadata_items": 128,
    "ram": 51200,
    "security_group_rules": -1,
    "security_groups": -1,
    "server_group_members": 10,
    "server_groups": 10,
}


GONE: dict[tuple[int, int], frozenset[str]] = {
    (2, 36): frozenset({"fixed_ips", "floating_ips", "security_group_rules", "security_groups"})
    | {"maxSecurityGroupRules", "maxSecurityGroups", "maxTotalFloatingIps"}
    | {"totalFloatingIpsUsed", "totalSecurityGroupsUsed"},
    (2, 39): frozenset({"maxImageMeta"}),
    (2, 57): frozenset({"injected_file_content_bytes", "injected_file_path_bytes", "injected_files"})
    | {"maxPersonality", "maxPersonalitySize"},
}
"""What is no longer told, by the first microversion without it."""


def told(found: Body, version: tuple[int, int]) -> Body:
    """Quotas or limits as a microversion has them."""
    gone = {name for since, names in GONE.items() if version >= since for name in names}
    return {name: value for name, value in found.items() if name not in gone}


def limits(store: Store, project: str) -> dict[str, int]:
    """What a project may have."""
    kept = store.get("compute-quotas", project)
    return DEFAULTS | (kept["limits"] if kept else {})


def used(store: Store, project: str) -> dict[str, int]:
    """What a project has."""
    servers = [server for server in store.all("servers") if server["project_id"] == project]
    return {
        "cores": sum(server["_flavor"]["vcpus"] for server in servers),
        "instances": len(servers),
        "ram": sum(server["_flavor"]["ram"] for server in servers),
        "server_groups": sum(1 for group in store.all("server-groups") if group["project_id"] == project),
    }


def check(store: Store, project: str, wanted: dict[str, int]) -> None:
    """See that more fits.

    Raises:
        ProblemError: 403 in Nova's words, it does not.
    """
    may, has = limits(store, project), used(store, project)
    over = [name for name in sorted(wanted) if may[name] >= 0 and has[name] + wanted[name] > may[name]]
    if over:
        names = ", ".join(over)
        asked = ", ".join(str(wanted[name]) for name in over)
        now = ", ".join(str(has[name]) for name in over)
        most = ", ".join(str(may[name]) for name in over)
        raise forbidden(
            f"Quota exceeded for {names}: Requested {asked}, but already used {now} of {most} {names}"
        )


class Quotas:
    """The operations on quotas and limits."""

    def __init__(self, nova: Nova) -> None:
        self.nova = nova
        self.store = nova.store
        path = "/os-quota-sets/{id}"
        nova.route("GET", "/limits", self._limits)
        nova.route("GET", path, self._shown)
        nova.route(
            "GET",
            f"{path}/defaults",
            lambda call: Answer(body={"quota_set": {"id": call.names["id"], **DEFAULTS}}),
        )
        nova.route("GET", f"{path}/detail", self._detail)
        nova.route("PUT", path, self._changed, "admin", "os_compute_api:os-quota-sets:update")
        nova.route("DELETE", path, self._reset, "admin", "os_compute_api:os-quota-sets:delete")

    def _project(self, call: Call, rule: str) -> str:
        project = call.names["id"]
        if project != call.caller.project_id and not call.caller.admin:
            raise self.nova.disallowed(f"os_compute_api:os-quota-sets:{rule}")
        return project

    def _shown(self, call: Call) -> Answer:
        project = self._project(call, "show")
        found = told({"id": project, **limits(self.store, project)}, call.version)
        return Answer(body={"quota_set": found})

    def _detail(self, call: Call) -> Answer:
        project = self._project(call, "detail")
        has = used(self.store, project)
        found = {
            name: {"limit": limit, "in_use": has.get(name, 0), "reserved": 0}
            for name, limit in limits(self.store, project).items()
        }
        return Answer(body={"quota_set": told({"id": project, **found}, call.version)})

    def _changed(self, call: Call) -> Answer:
        sent = call.json()
        wanted: Any = sent.get("quota_set") if isinstance(sent, dict) else None
        if not isinstance(wanted, dict):
            raise bad("Invalid input for field/attribute quota_set. 'quota_set' is a required property")
        project = call.names["id"]
        wanted = {name: value for name, value in wanted.items() if name not in {"force", "tenant_id"}}
        for name, value in wanted.items():
            if name not in DEFAULTS:
                raise bad(f"Additional properties are not allowed ('{name}' was unexpected)")
            if not str(value).lstrip("-").isdigit() or int(value) < -1:
                raise bad(f"Invalid input for field/attribute {name}. Value: {value}.")
        kept = self.store.get("compute-quotas", project) or {"id": project, "limits": {}}
        kept["limits"] |= {name: int(value) for name, value in wanted.items()}
        self.store.save("compute-quotas", kept)
        return Answer(body={"quota_set": limits(self.store, project)})

    def _reset(self, call: Call) -> Answer:
        self.store.delete("compute-quotas", call.names["id"])
        return Answer(HTTPStatus.ACCEPTED)

    def _limits(self, call: Call) -> Answer:
        project = call.caller.project_id
        if (asked := call.text("tenant_id")) and call.caller.admin:
            project = asked
        may, has = limits(self.store, project), used(self.store, project)
        absolute = {
            "maxTotalCores": may["cores"],
            "maxPersonality": may["injected_files"],
            "maxPersonalitySize": may["injected_file_content_bytes"],
            "maxTotalInstances": may["instances"],
            "maxTotalKeypairs": may["key_pairs"],
            "maxServerMeta": may["metadata_items"],
            "maxImageMeta": may["metadata_items"],
            "maxTotalRAMSize": may["ram"],
            "maxServerGroups": may["server_groups"],
            "maxServerGroupMembers": may["server_group_members"],
            "maxTotalFloatingIps": -1,
            "maxSecurityGroups": -1,
            "maxSecurityGroupRules": -1,
            "totalRAMUsed": has["ram"],
            "totalCoresUsed": has["cores"],
            "totalInstancesUsed": has["instances"],
            "totalFloatingIpsUsed": 0,
            "totalSecurityGroupsUsed": 0,
            "totalServerGroupsUsed": has["server_groups"],
        }
        return Answer(body={"limits": {"rate": [], "absolute": told(absolute, call.version)}})

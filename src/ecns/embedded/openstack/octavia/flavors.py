"""Octavia's flavors, zones and their profiles, and quotas."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ecns.embedded.openstack.errors import bad, conflict, missing
from ecns.embedded.openstack.http import Answer
from ecns.embedded.openstack.octavia.kinds import KINDS, invalid
from ecns.embedded.openstack.service import new_id

if TYPE_CHECKING:
    from ecns.embedded.openstack.octavia.service import Octavia
    from ecns.embedded.openstack.service import Call
    from ecns.embedded.openstack.store import Body

PROVIDER = "amphora"
ROOT = "/v2.0/lbaas"
QUOTAS = {
    "load_balancer": -1,
    "listener": -1,
    "member": -1,
    "pool": -1,
    "health_monitor": -1,
    "l7policy": -1,
    "l7rule": -1,
}
_SHAPES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "flavors": (
        "flavor",
        "flavors",
        {"name": ..., "description": "", "enabled": True, "flavor_profile_id": ...},
    ),
    "flavorprofiles": (
        "flavorprofile",
        "flavorprofile",
        {"name": ..., "provider_name": ..., "flavor_data": ...},
    ),
    "availabilityzones": (
        "availability_zone",
        "availability_zones",
        {"name": ..., "description": "", "enabled": True, "availability_zone_profile_id": ...},
    ),
    "availabilityzoneprofiles": (
        "availability_zone_profile",
        "availability_zone_profile",
        {"name": ..., "provider_name": ..., "availability_zone_data": ...},
    ),
}
"""Path → its name in bodies, how its links are called, fields with defaults (`...`: needed)."""
_PROFILES = {
    "flavors": ("flavor_profile_id", "flavorprofiles"),
    "availabilityzones": ("availability_zone_profile_id", "availabilityzoneprofiles"),
}


class Flavors:
    """The operations on flavors, zones, profiles and quotas."""

    def __init__(self, octavia: Octavia) -> None:
        self.octavia = octavia
        self.store = octavia.store
        for path in _SHAPES:
            self._collection(path)
        quota = f"{ROOT}/quotas/{{id}}"
        octavia.route("GET", f"{ROOT}/quotas", self._all_quotas)
        octavia.route("GET", f"{ROOT}/quotas/defaults", self._default_quota, "admin")
        octavia.route("GET", quota, self._quota)
        octavia.route("PUT", quota, self._quota_changed, "admin")
        octavia.route("DELETE", quota, self._quota_reset, "admin")
        octavia.route("GET", f"{ROOT}/quotas/{{id}}/default", self._default_quota)

    def _collection(self, path: str) -> None:
        reader = "admin" if path.endswith("profiles") else "reader"
        route, at = self.octavia.route, f"{ROOT}/{path}"
        route("GET", at, lambda call: self._listed(call, path), reader)
        route("POST", at, lambda call: self._made(call, path), "admin")
        route(
            "GET",
            f"{at}/{{id}}",
            lambda call: Answer(body={_SHAPES[path][0]: self._show(path, self._found(call, path))}),
            reader,
        )
        route("PUT", f"{at}/{{id}}", lambda call: self._changed(call, path), "admin")
        route("DELETE", f"{at}/{{id}}", lambda call: self._deleted(call, path), "admin")

    def _show(self, path: str, body: Body) -> Body:
        names = (*(() if path == "availabilityzones" else ("id",)), *_SHAPES[path][2])
        return {name: body[name] for name in names}

    def _found(self, call: Call, path: str) -> Body:
        identity = call.names["id"]
        for body in self.store.all(_kept(path)):
            if identity == (body["name"] if path == "availabilityzones" else body["id"]):
                return body
        raise missing(f"{_SHAPES[path][0]} {identity} not found.")

    def _listed(self, call: Call, path: str) -> Answer:
        _, links, fields = _SHAPES[path]
        plural = {
            "availabilityzones": "availability_zones",
            "availabilityzoneprofiles": "availability_zone_profiles",
        }.get(path, path)
        key = "name" if path == "availabilityzones" else "id"
        bodies = [self._show(path, body) for body in self.store.all(_kept(path))]
        return self.octavia.listed(call, plural, bodies, {*fields, "id"}, links=f"{links}_links", key=key)

    def _read(self, path: str, sent: Any, *, new: bool) -> Body:
        singular, _, fields = _SHAPES[path]
        if not isinstance(sent, dict) or not isinstance(sent.get(singular), dict):
            raise invalid(singular, None, "Mandatory field missing.")
        sent = sent[singular]
        for name in sent:
            if name not in fields:
                raise bad(f"Unknown attribute for argument {singular}.{singular}: {name}")
        for name, default in fields.items():
            if new and default is ... and sent.get(name) is None:
                raise invalid(name, None, "Mandatory field missing.")
        for name in sent:
            if name.endswith("_data"):
                self._check_data(name, sent[name])
        if sent.get("provider_name", PROVIDER) not in {PROVIDER, "octavia"}:
            raise bad(f"Provider '{sent['provider_name']}' is not enabled.")
        return dict(sent) if not new else {name: sent.get(name, default) for name, default in fields.items()}

    @staticmethod
    def _check_data(name: str, text: Any) -> None:
        try:
            wrong = not isinstance(json.loads(text), dict)
        except (TypeError, ValueError):
            wrong = True
        if wrong:
            raise bad(f"{text} is not a valid option for {name}")

    def _made(self, call: Call, path: str) -> Answer:
        fields = self._read(path, call.json(), new=True)
        if path in _PROFILES:
            name, profiles = _PROFILES[path]
            if self.store.get(_kept(profiles), fields[name]) is None:
                raise bad(f"Validation failure: Invalid {name}.")
            if any(body["name"] == fields["name"] for body in self.store.all(_kept(path))):
                raise conflict("A record with the specified name already exists.")
        body = self.store.save(_kept(path), {"id": new_id(), **fields})
        return Answer(HTTPStatus.CREATED, {_SHAPES[path][0]: self._show(path, body)})

    def _changed(self, call: Call, path: str) -> Answer:
        body = self._found(call, path)
        body |= self._read(path, call.json(), new=False)
        self.store.save(_kept(path), body)
        return Answer(body={_SHAPES[path][0]: self._show(path, body)})

    def _deleted(self, call: Call, path: str) -> Answer:
        body = self._found(call, path)
        balancers = self.store.all("loadbalancers")
        used = {
            "flavors": any(lb["flavor_id"] == body["id"] for lb in balancers),
            "availabilityzones": any(lb["availability_zone"] == body["name"] for lb in balancers),
            "flavorprofiles": any(
                f["flavor_profile_id"] == body["id"] for f in self.store.all(_kept("flavors"))
            ),
            "availabilityzoneprofiles": any(
                z["availability_zone_profile_id"] == body["id"]
                for z in self.store.all(_kept("availabilityzones"))
            ),
        }
        if used[path]:
            raise conflict(
                f"{_SHAPES[path][0].replace('_', ' ').capitalize()} {call.names['id']} is in use and "
                "cannot be modified."
            )
        self.store.delete(_kept(path), body["id"])
        return Answer(HTTPStatus.NO_CONTENT)

    # Quotas

    def limits(self, project: str) -> dict[str, int]:
        """What a project may have."""
        kept = self.store.get("balancer-quotas", project)
        return QUOTAS | (kept["limits"] if kept else {})

    def check(self, kind: str, project: str) -> None:
        """See that one more fits.

        Raises:
            ProblemError: 403 in Octavia's words, it does not.
        """
        limit = self.limits(project)[KINDS[kind].quota]
        has = sum(1 for body in self.store.all(kind) if body["project_id"] == project)
        if 0 <= limit <= has:
            title = KINDS[kind].title
            raise self.octavia.over_quota(f"Quota has been met for resources: {title}")

    def _said(self, project: str) -> Body:
        limits = self.limits(project)
        return {
            "project_id": project,
            "loadbalancer": limits["load_balancer"],
            "load_balancer": limits["load_balancer"],
            "listener": limits["listener"],
            "member": limits["member"],
            "pool": limits["pool"],
            "healthmonitor": limits["health_monitor"],
            "health_monitor": limits["health_monitor"],
            "l7policy": limits["l7policy"],
            "l7rule": limits["l7rule"],
            "tenant_id": project,
        }

    def _all_quotas(self, call: Call) -> Answer:
        found = [
            self._said(kept["id"])
            for kept in self.store.all("balancer-quotas")
            if call.caller.sees(kept | {"project_id": kept["id"]})
        ]
        return Answer(body={"quotas": found, "quotas_links": []})

    def _default_quota(self, _: Call) -> Answer:
        said = {
            name: limit for name, limit in self._said("").items() if name not in {"project_id", "tenant_id"}
        }
        return Answer(body={"quota": said})

    def _quota(self, call: Call) -> Answer:
        project = call.names["id"]
        if project != call.caller.project_id and not call.caller.admin:
            raise self.octavia.disallowed("")
        return Answer(body={"quota": self._said(project)})

    def _quota_changed(self, call: Call) -> Answer:
        project, sent = call.names["id"], call.json()
        wanted = sent.get("quota") if isinstance(sent, dict) else None
        if not isinstance(wanted, dict):
            raise invalid("quota", None, "Mandatory field missing.")
        older = {"loadbalancer": "load_balancer", "healthmonitor": "health_monitor"}
        wanted = {
            older.get(name, name): value
            for name, value in wanted.items()
            if name not in {"project_id", "tenant_id"}
        }
        for name, value in wanted.items():
            if name not in QUOTAS:
                raise bad(f"Unknown attribute for argument quotas.quota: {name}")
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < -1):
                raise invalid(name, value, "Value should be greater or equal to -1")
        kept = self.store.get("balancer-quotas", project) or {"id": project, "limits": {}}
        kept["limits"] |= {name: QUOTAS[name] if value is None else value for name, value in wanted.items()}
        self.store.save("balancer-quotas", kept)
        return Answer(HTTPStatus.ACCEPTED, {"quota": self._said(project)})

    def _quota_reset(self, call: Call) -> Answer:
        if self.store.get("balancer-quotas", call.names["id"]) is None:
            raise missing(f"Quotas {call.names['id']} not found.")
        self.store.delete("balancer-quotas", call.names["id"])
        return Answer(HTTPStatus.NO_CONTENT)


def _kept(path: str) -> str:
    """What a collection is called in the store, where other services have flavors too."""
    return f"balancer-{path}"

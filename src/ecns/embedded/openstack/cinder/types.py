"""Types of volumes."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ecns.embedded.openstack.errors import bad, conflict, missing
from ecns.embedded.openstack.http import Answer
from ecns.embedded.openstack.service import links_of, new_id, page

if TYPE_CHECKING:
    from ecns.embedded.openstack.callers import Caller
    from ecns.embedded.openstack.cinder.service import Cinder
    from ecns.embedded.openstack.service import Call
    from ecns.embedded.openstack.store import Body

DEFAULT = "hdd"
"""The type of volumes that ask for none."""


def new(name: str, description: str | None, backend: str = "", *, public: bool = True) -> Body:
    """A new type."""
    return {
        "id": new_id(),
        "name": name,
        "description": description,
        "is_public": public,
        "extra_specs": {"volume_backend_name": backend} if backend else {},
        "projects": [],
    }


class Types:
    """The operations on types of volumes."""

    def __init__(self, cinder: Cinder) -> None:
        self.cinder = cinder
        self.store = cinder.store
        cinder.route("GET", "/types", self._listed)
        cinder.route("POST", "/types", self._made, "admin", "volume_extension:type_create")
        cinder.route("GET", "/types/{id}", self._shown)
        cinder.route("PUT", "/types/{id}", self._changed, "admin", "volume_extension:type_update")
        cinder.route("DELETE", "/types/{id}", self._deleted, "admin", "volume_extension:type_delete")
        cinder.route("GET", "/types/{id}/extra_specs", self._specs)
        cinder.route(
            "POST",
            "/types/{id}/extra_specs",
            self._specs_made,
            "admin",
            "volume_extension:types_extra_specs:create",
        )
        cinder.route(
            "POST",
            "/types/{id}/action",
            self._access_changed,
            "admin",
            "volume_extension:volume_type_access:addProjectAccess",
        )
        cinder.route(
            "GET",
            "/types/{id}/os-volume-type-access",
            self._access,
            "admin",
            "volume_extension:volume_type_access:get_all_for_type",
        )

    def seen(self, caller: Caller, kind: Body) -> bool:
        """Whether a caller may use a type."""
        return bool(kind["is_public"]) or caller.admin or caller.project_id in kind["projects"]

    def named(self, caller: Caller, name: Any) -> Body | None:
        """A type that a caller may use, by its name or id."""
        for kind in self.store.all("volume-types"):
            if name in {kind["id"], kind["name"]} and self.seen(caller, kind):
                return kind
        return None

    def default(self) -> Body | None:
        """The type of volumes that ask for none."""
        return next((kind for kind in self.store.all("volume-types") if kind["name"] == DEFAULT), None)

    def _found(self, call: Call) -> Body:
        identity = call.names["id"]
        found = self.default() if identity == "default" else self.store.get("volume-types", identity)
        if found is None or not self.seen(call.caller, found):
            raise missing(f"Volume type {identity} could not be found.")
        return found

    def show(self, caller: Caller, kind: Body) -> Body:
        """A type as it is answered; how it is made is for administrators."""
        shown = {
            "id": kind["id"],
            "name": kind["name"],
            "is_public": kind["is_public"],
            "description": kind["description"],
            "extra_specs": kind["extra_specs"] if caller.admin else {},
        }
        if caller.admin:
            shown["qos_specs_id"] = None
        return shown | {"os-volume-type-access:is_public": kind["is_public"]}

    def _listed(self, call: Call) -> Answer:
        found = [kind for kind in self.store.all("volume-types") if self.seen(call.caller, kind)]
        public = call.text("is_public").lower()
        if call.caller.admin and public != "none":
            found = [kind for kind in found if kind["is_public"] is (public not in {"false", "0"})]
        found, following = page(
            call, list(reversed(found)), lambda marker: bad(f"marker [{marker}] not found")
        )
        links = links_of(call, following)
        said: Body = {"volume_types": [self.show(call.caller, kind) for kind in found]}
        return Answer(body=said | ({"volume_type_links": links} if links else {}))

    def _shown(self, call: Call) -> Answer:
        shown = self.show(call.caller, self._found(call))
        if call.names["id"] == "default":
            del shown["os-volume-type-access:is_public"]
        return Answer(body={"volume_type": shown})

    def _made(self, call: Call) -> Answer:
        sent = self.cinder.body(call, "volume_type")
        name = sent.get("name")
        if not isinstance(name, str) or not name.strip():
            raise bad("Invalid input for field/attribute name. Volume type name can not be empty.")
        if any(kind["name"] == name for kind in self.store.all("volume-types")):
            raise conflict(f"Volume Type {name} already exists.")
        kind = new(
            name, sent.get("description"), public=bool(sent.get("os-volume-type-access:is_public", True))
        )
        kind["extra_specs"] = sent.get("extra_specs") or {}
        self.store.save("volume-types", kind)
        return Answer(body={"volume_type": self.show(call.caller, kind)})

    def _changed(self, call: Call) -> Answer:
        kind, sent = self._found(call), self.cinder.body(call, "volume_type")
        for key in ("name", "description", "is_public"):
            kind[key] = sent.get(key, kind[key])
        self.store.save("volume-types", kind)
        return Answer(body={"volume_type": self.show(call.caller, kind)})

    def _deleted(self, call: Call) -> Answer:
        kind = self._found(call)
        if any(volume["volume_type"] == kind["name"] for volume in self.store.all("volumes")):
            raise bad("Target volume type is still in use.")
        self.store.delete("volume-types", kind["id"])
        return Answer(HTTPStatus.ACCEPTED)

    def _specs(self, call: Call) -> Answer:
        return Answer(body={"extra_specs": self._found(call)["extra_specs"] if call.caller.admin else {}})

    def _specs_made(self, call: Call) -> Answer:
        kind, sent = self._found(call), self.cinder.body(call, "extra_specs")
        kind["extra_specs"] |= sent
        self.store.save("volume-types", kind)
        return Answer(body={"extra_specs": sent})

    def _access(self, call: Call) -> Answer:
        kind = self._found(call)
        found = [{"volume_type_id": kind["id"], "project_id": project} for project in kind["projects"]]
        return Answer(body={"volume_type_access": found})

    def _access_changed(self, call: Call) -> Answer:
        kind, sent = self._found(call), call.json()
        for verb in ("addProjectAccess", "removeProjectAccess"):
            if isinstance(sent, dict) and isinstance(sent.get(verb), dict):
                project = str(sent[verb].get("project"))
                others = [one for one in kind["projects"] if one != project]
                kind["projects"] = [*others, project] if verb.startswith("add") else others
                self.store.save("volume-types", kind)
                return Answer(HTTPStatus.ACCEPTED)
        raise bad("There is no such action")

"""Flavors: what servers are made of, and their extra specs."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ecns.embedded.openstack.errors import bad, conflict, missing
from ecns.embedded.openstack.http import Answer
from ecns.embedded.openstack.service import links_of, new_id, page

if TYPE_CHECKING:
    from ecns.embedded.openstack.callers import Caller
    from ecns.embedded.openstack.nova.service import Nova
    from ecns.embedded.openstack.service import Call
    from ecns.embedded.openstack.store import Body

DESCRIBED = (2, 55)
SPECIFIED = (2, 61)
"""The first microversions with a flavor's description, and with its extra specs in it."""
SWAP_AS_NUMBER = (2, 75)
WITHOUT_FACTOR = (2, 102)
_MANAGE = "os_compute_api:os-flavor-manage"


class Flavors:
    """The operations on flavors."""

    def __init__(self, nova: Nova) -> None:
        self.nova = nova
        self.store = nova.store
        nova.route("GET", "/flavors", lambda call: self._listed(call, detail=False))
        nova.route("GET", "/flavors/detail", lambda call: self._listed(call, detail=True))
        nova.route("POST", "/flavors", self._made, "admin", f"{_MANAGE}:create")
        nova.route("GET", "/flavors/{id}", self._shown)
        nova.route("PUT", "/flavors/{id}", self._changed, "admin", f"{_MANAGE}:update")
        nova.route("DELETE", "/flavors/{id}", self._deleted, "admin", f"{_MANAGE}:delete")
        specs = "/flavors/{id}/os-extra_specs"
        nova.route("GET", specs, self._specs)
        nova.route("POST", specs, self._specs_made, "admin", "os_compute_api:os-flavor-extra-specs:create")
        nova.route("GET", f"{specs}/{{key}}", self._spec)
        nova.route(
            "PUT",
            f"{specs}/{{key}}",
            self._spec_changed,
            "admin",
            "os_compute_api:os-flavor-extra-specs:update",
        )
        nova.route(
            "DELETE",
            f"{specs}/{{key}}",
            self._spec_deleted,
            "admin",
            "os_compute_api:os-flavor-extra-specs:delete",
        )
        nova.route(
            "GET", "/flavors/{id}/os-flavor-access", self._access, "admin", "os_compute_api:os-flavor-access"
        )
        nova.route(
            "POST",
            "/flavors/{id}/action",
            self._access_changed,
            "admin",
            "os_compute_api:os-flavor-access:add_tenant_access",
        )

    def seen(self, caller: Caller, flavor: Body) -> bool:
        """Whether a caller may use a flavor."""
        return bool(flavor["is_public"]) or caller.admin or caller.project_id in flavor["projects"]

    def found(self, caller: Caller, identity: Any) -> Body | None:
        """A flavor that a caller may use, by its id."""
        flavor = self.store.get("flavors", str(identity))
        return flavor if flavor is not None and self.seen(caller, flavor) else None

    def _named(self, call: Call) -> Body:
        flavor = self.found(call.caller, call.names["id"])
        if flavor is None:
            raise missing(f"Flavor {call.names['id']} could not be found.")
        return flavor

    def show(self, call: Call, flavor: Body) -> Body:
        """A flavor as it is answered."""
        shown = {
            "id": flavor["id"],
            "name": flavor["name"],
            "ram": flavor["ram"],
            "disk": flavor["disk"],
            "swap": flavor["swap"] or ("" if call.version < SWAP_AS_NUMBER else 0),
            "OS-FLV-EXT-DATA:ephemeral": flavor["ephemeral"],
            "OS-FLV-DISABLED:disabled": False,
            "vcpus": flavor["vcpus"],
            "os-flavor-access:is_public": flavor["is_public"],
            "rxtx_factor": flavor["rxtx_factor"],
            "links": self.nova.links(call, "flavors", flavor["id"]),
        }
        if call.version >= WITHOUT_FACTOR:
            del shown["OS-FLV-DISABLED:disabled"], shown["rxtx_factor"]
        if call.version >= DESCRIBED:
            shown["description"] = flavor["description"]
        if call.version >= SPECIFIED:
            shown["extra_specs"] = flavor["extra_specs"]
        return shown

    def _listed(self, call: Call, *, detail: bool) -> Answer:
        found = [flavor for flavor in self.store.all("flavors") if self.seen(call.caller, flavor)]
        public = call.text("is_public").lower()
        if call.caller.admin and public != "none":
            found = [flavor for flavor in found if flavor["is_public"] is (public not in {"false", "0"})]
        for name, key in (("minRam", "ram"), ("minDisk", "disk")):
            text = call.text(name)
            if text:
                if not text.isdigit():
                    raise bad(f"Invalid {name} filter [{text}]")
                found = [flavor for flavor in found if flavor[key] >= int(text)]
        key = call.text("sort_key") or "flavorid"
        field = {"flavorid": "id", "memory_mb": "ram", "root_gb": "disk"}.get(key, key)
        found.sort(
            key=lambda flavor: (flavor.get(field) is None, flavor.get(field)),
            reverse=call.text("sort_dir") == "desc",
        )
        found, following = page(call, found, lambda marker: bad(f"marker [{marker}] not found"))
        shown = [self.show(call, flavor) for flavor in found]
        if not detail:
            keys = (
                ("id", "name", "description", "links")
                if call.version >= DESCRIBED
                else ("id", "name", "links")
            )
            shown = [{key: flavor[key] for key in keys} for flavor in shown]
        links = links_of(call, following)
        return Answer(body={"flavors": shown} | ({"flavors_links": links} if links else {}))

    def _shown(self, call: Call) -> Answer:
        return Answer(body={"flavor": self.show(call, self._named(call))})

    def _made(self, call: Call) -> Answer:
        sent = self.nova.body(call, "flavor")
        for key in ("name", "ram", "vcpus", "disk"):
            if key not in sent:
                raise bad(
                    f"Invalid input for field/attribute flavor. Value: {sent}. '{key}' is a required property"
                )
        numbers = {}
        for key, default, least in (
            ("ram", 0, 1),
            ("vcpus", 0, 1),
            ("disk", 0, 0),
            ("swap", 0, 0),
            ("OS-FLV-EXT-DATA:ephemeral", 0, 0),
        ):
            numbers[key] = self.nova.number(sent.get(key, default), key, least)
        name = str(sent["name"])
        identity = str(sent.get("id") or "auto")
        identity = new_id() if identity == "auto" else identity
        for flavor in self.store.all("flavors"):
            if flavor["name"] == name:
                raise conflict(f"Flavor with name {name} already exists.")
            if flavor["id"] == identity:
                raise conflict(f"Flavor with ID {identity} already exists.")
        flavor = new(name, numbers["vcpus"], numbers["ram"], numbers["disk"], identity)
        flavor |= {
            "swap": numbers["swap"],
            "ephemeral": numbers["OS-FLV-EXT-DATA:ephemeral"],
            "is_public": bool(sent.get("os-flavor-access:is_public", True)),
            "description": sent.get("description"),
        }
        self.store.save("flavors", flavor)
        return Answer(body={"flavor": self.show(call, flavor)})

    def _changed(self, call: Call) -> Answer:
        flavor = self._named(call)
        flavor["description"] = self.nova.body(call, "flavor").get("description")
        self.store.save("flavors", flavor)
        return Answer(body={"flavor": self.show(call, flavor)})

    def _deleted(self, call: Call) -> Answer:
        self.store.delete("flavors", self._named(call)["id"])
        return Answer(HTTPStatus.ACCEPTED)

    # Extra specs

    def _specs(self, call: Call) -> Answer:
        return Answer(body={"extra_specs": self._named(call)["extra_specs"]})

    def _specs_made(self, call: Call) -> Answer:
        flavor, sent = self._named(call), self.nova.body(call, "extra_specs")
        self._add(flavor, sent)
        return Answer(body={"extra_specs": sent})

    def _add(self, flavor: Body, sent: Body) -> None:
        for key, value in sent.items():
            if not isinstance(value, str | int | float) or isinstance(value, bool):
                raise bad(
                    f"Invalid input for field/attribute {key}. Value: {value}. {value} is not of type "
                    "'string', 'number'"
                )
            flavor["extra_specs"][key] = str(value)
        self.store.save("flavors", flavor)

    def _spec(self, call: Call) -> Answer:
        flavor, key = self._named(call), call.names["key"]
        if key not in flavor["extra_specs"]:
            raise missing(f"Flavor {flavor['id']} has no extra specs with key {key}.")
        return Answer(body={key: flavor["extra_specs"][key]})

    def _spec_changed(self, call: Call) -> Answer:
        flavor, key, sent = self._named(call), call.names["key"], call.json()
        if not isinstance(sent, dict) or list(sent) != [key]:
            raise bad("Request body and URI mismatch")
        self._add(flavor, sent)
        return Answer(body=sent)

    def _spec_deleted(self, call: Call) -> Answer:
        self._spec(call)
        flavor = self._named(call)
        del flavor["extra_specs"][call.names["key"]]
        self.store.save("flavors", flavor)
        return Answer(HTTPStatus.OK)

    # Access

    def _said(self, flavor: Body) -> Answer:
        found = [{"flavor_id": flavor["id"], "tenant_id": project} for project in flavor["projects"]]
        return Answer(body={"flavor_access": found})

    def _access(self, call: Call) -> Answer:
        flavor = self._named(call)
        if flavor["is_public"]:
            raise missing("Access list not available for public flavors.")
        return self._said(flavor)

    def _access_changed(self, call: Call) -> Answer:
        flavor, sent = self._named(call), call.json()
        for verb in ("addTenantAccess", "removeTenantAccess"):
            if isinstance(sent, dict) and isinstance(sent.get(verb), dict):
                project = str(sent[verb].get("tenant"))
                if verb.startswith("add"):
                    if flavor["is_public"]:
                        raise conflict("Can not add access to a public flavor.")
                    flavor["projects"].append(project)
                elif project in flavor["projects"]:
                    flavor["projects"].remove(project)
                self.store.save("flavors", flavor)
                return self._said(flavor)
        raise bad("There is no such action")


def new(name: str, vcpus: int, ram: int, disk: int, identity: str = "") -> Body:
    """A new flavor."""
    return {
        "id": identity or new_id(),
        "name": name,
        "vcpus": vcpus,
        "ram": ram,
        "disk": disk,
        "swap": 0,
        "ephemeral": 0,
        "rxtx_factor": 1.0,
        "is_public": True,
        "description": None,
        "extra_specs": {},
        "projects": [],
    }

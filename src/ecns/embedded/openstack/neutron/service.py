"""Neutron's collections over HTTP."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from ecns.embedded.openstack.errors import ProblemError, bad, conflict, forbidden, missing
from ecns.embedded.openstack.http import Answer
from ecns.embedded.openstack.neutron import groups, lists, networks, ports, routers
from ecns.embedded.openstack.neutron.kinds import KINDS, Kind, read
from ecns.embedded.openstack.service import Call, Service, new_id, now, zulu

if TYPE_CHECKING:
    from ecns.embedded.openstack.callers import Caller
    from ecns.embedded.openstack.cloud import Cloud
    from ecns.embedded.openstack.store import Body

QUOTAS = {
    "network": 100,
    "subnet": 100,
    "subnetpool": -1,
    "port": 500,
    "router_route": 30,
    "router": 10,
    "floatingip": 50,
    "rbac_policy": 10,
    "security_group": 10,
    "security_group_rule": 100,
}
EXTENSIONS = (
    "agent",
    "allowed-address-pairs",
    "availability_zone",
    "binding",
    "default-subnetpools",
    "dns-integration",
    "ext-gw-mode",
    "external-net",
    "filter-validation",
    "net-mtu",
    "network_availability_zone",
    "pagination",
    "port-security",
    "project-id",
    "provider",
    "quotas",
    "quota_details",
    "router",
    "security-group",
    "sorting",
    "standard-attr-description",
    "standard-attr-revisions",
    "standard-attr-tag",
    "standard-attr-timestamp",
)
_PARTS = {
    "networks": networks.Networks,
    "subnets": networks.Subnets,
    "ports": ports.Ports,
    "routers": routers.Routers,
    "floatingips": routers.FloatingIps,
    "security-groups": groups.Groups,
    "security-group-rules": groups.Rules,
}


class Neutron(Service):
    """Networks and what is in them."""

    prefix = "/network"
    types = ("network", "neutron")
    malformed: ClassVar[str] = "Body contains invalid data"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.parts = {plural: part(self) for plural, part in _PARTS.items()}
        root = "/v2.0"
        for plural, kind in KINDS.items():
            self._collection(root, plural, kind)
        self.route(
            "PUT",
            f"{root}/routers/{{id}}/add_router_interface",
            self._interface_added,
            "member",
            "add_router_interface",
        )
        self.route(
            "PUT",
            f"{root}/routers/{{id}}/remove_router_interface",
            self._interface_removed,
            "member",
            "remove_router_interface",
        )
        for name in (
            "availability_zones",
            "agents",
            "subnetpools",
            "address-scopes",
            "rbac-policies",
            "flavors",
        ):
            key = name.replace("-", "_")
            self.route("GET", f"{root}/{name}", lambda _, key=key: Answer(body={key: []}))  # type: ignore[misc]  # a default binds the name
        self.route("GET", f"{root}/extensions", self._extensions)
        self.route("GET", f"{root}/extensions/{{alias}}", self._extension)
        self.route("GET", f"{root}/quotas/{{id}}", self._quota)
        self.route("GET", f"{root}/quotas/{{id}}/default", lambda _: Answer(body={"quota": QUOTAS}))
        self.route("GET", f"{root}/quotas/{{id}}/details", self._quota_details)
        self.route("PUT", f"{root}/quotas/{{id}}", self._quota_changed, "admin", "update_quota")
        self.route("DELETE", f"{root}/quotas/{{id}}", self._quota_reset, "admin", "delete_quota")

    def _collection(self, root: str, plural: str, kind: Kind) -> None:
        one = f"{root}/{plural}/{{id}}"

        def route(method: str, path: str, handler: Any, role: str = "reader", verb: str = "get") -> None:
            self.route(method, path, lambda call: handler(call, kind), role, f"{verb}_{kind.singular}")

        route("GET", f"{root}/{plural}", self._listed)
        route("POST", f"{root}/{plural}", self._made, "member", "create")
        route("GET", one, self._shown)
        route("PUT", one, self._changed, "member", "update")
        route("DELETE", one, self._deleted, "member", "delete")
        if kind.tagged:
            route(
                "GET", f"{one}/tags", lambda call, kind: Answer(body={"tags": self.found(call, kind)["tags"]})
            )
            route("PUT", f"{one}/tags", self._tags, "member", "update")
            route("DELETE", f"{one}/tags", self._tags_removed, "member", "update")
            route("GET", f"{one}/tags/{{tag}}", self._tag_shown)
            route("PUT", f"{one}/tags/{{tag}}", self._tag_added, "member", "update")
            route("DELETE", f"{one}/tags/{{tag}}", self._tag_removed, "member", "update")

    # Manners

    def versions(self, path: str, base: str) -> Answer | None:
        """The one version."""
        if path not in {"", "/"}:
            return None
        link = {"rel": "self", "href": f"{base}/v2.0/"}
        return Answer(body={"versions": [{"id": "v2.0", "status": "CURRENT", "links": [link]}]})

    def enter(self, call: Call) -> Answer | None:
        """What is at the root."""
        call.path = call.path.removesuffix(".json")
        if call.path == "/v2.0" and call.method == "GET":
            found = [
                {
                    "name": kind.singular,
                    "collection": plural.replace("-", "_"),
                    "links": [{"rel": "self", "href": f"{call.base}/v2.0/{plural}"}],
                }
                for plural, kind in KINDS.items()
            ]
            return Answer(body={"resources": found})
        return None

    def problem(self, error: ProblemError) -> Answer:
        """`{"NeutronError": …}`."""
        kind = error.kind or {400: "HTTPBadRequest", 404: "HTTPNotFound"}.get(int(error.status), "Conflict")
        return Answer(error.status, {"NeutronError": {"type": kind, "message": error.message, "detail": ""}})

    def disallowed(self, rule: str) -> ProblemError:
        """The policy does not let the caller."""
        return forbidden(f"rule:{rule} is disallowed by policy", "PolicyNotAuthorized")

    # Collections

    def seen(self, caller: Caller, kind: Kind, body: Body) -> bool:
        """Whether a caller sees a document."""
        if caller.sees(body):
            return True
        if kind.plural == "networks":
            return bool(body["shared"] or body["router:external"])
        if kind.plural == "subnets":
            network = self.store.get("networks", body["network_id"])
            return network is not None and bool(network["shared"])
        return False

    def found(self, call: Call, kind: Kind, identity: str = "", *, to_change: bool = False) -> Body:
        """The document that the path names.

        Raises:
            ProblemError: 404, there is none for the caller; 403, they only see it.
        """
        identity = identity or call.names["id"]
        body = self.store.get(kind.plural, identity)
        if body is None or not self.seen(call.caller, kind, body):
            said = f"{kind.title} {identity} could not be found."
            if kind.plural == "security-groups":
                said = f"Security group {identity} does not exist"
            elif kind.plural == "security-group-rules":
                said = f"Security group rule {identity} does not exist"
            raise missing(said, f"{kind.error}NotFound")
        if to_change and not call.caller.sees(body):
            verb = {"PUT": "update", "DELETE": "delete"}.get(call.method, "update")
            raise self.disallowed(f"{verb}_{kind.singular}")
        return body

    def show(self, kind: Kind, body: Body, caller: Caller) -> Body:
        """A document as it is answered."""
        shown = {key: value for key, value in body.items() if not key.startswith("_")}
        shown |= {"tenant_id": body["project_id"]}
        for key in ("created_at", "updated_at"):
            shown[key] = zulu(body[key])
        return self.parts[kind.plural].shown(shown, caller)

    def _listed(self, call: Call, kind: Kind) -> Answer:
        self.parts[kind.plural].before_list(call.caller)
        bodies = [body for body in self.store.all(kind.plural) if self.seen(call.caller, kind, body)]
        shown = [self.show(kind, body, call.caller) for body in bodies]
        return lists.answer(call, kind, shown)

    def _shown(self, call: Call, kind: Kind) -> Answer:
        shown = self.show(kind, self.found(call, kind), call.caller)
        return Answer(body={kind.singular: lists.fields_of(call, shown)})

    def _made(self, call: Call, kind: Kind) -> Answer:
        sent = call.json()
        plural = kind.plural.replace("-", "_")
        if isinstance(sent, dict) and isinstance(sent.get(plural), list):
            made = [self.make(call.caller, kind, {kind.singular: one}) for one in sent[plural]]
            return Answer(HTTPStatus.CREATED, {plural: [self.show(kind, body, call.caller) for body in made]})
        made_one = self.make(call.caller, kind, sent)
        return Answer(HTTPStatus.CREATED, {kind.singular: self.show(kind, made_one, call.caller)})

    def make(self, caller: Caller, kind: Kind, sent: Any) -> Body:
        """A new document.

        Raises:
            ProblemError: the body is wrong, or what it needs is not there; 409, over quota.
        """
        fields = read(kind, sent, admin=caller.admin, new=True)
        project = fields.pop("project_id", None) or caller.project_id
        if project != caller.project_id and not caller.admin:
            raise self.disallowed(f"create_{kind.singular}")
        self.check_quota(kind.singular, project)
        moment = now()
        tags = sent[kind.singular].get("tags") or []
        body = {
            "id": new_id(),
            "project_id": project,
            **fields,
            **({"tags": tags} if kind.tagged else {}),
            "created_at": moment,
            "updated_at": moment,
            "revision_number": 1,
        }
        self.parts[kind.plural].make(caller, body)
        return self.store.save(kind.plural, body)

    def _changed(self, call: Call, kind: Kind) -> Answer:
        body = self.found(call, kind, to_change=True)
        fields = read(kind, call.json(), admin=call.caller.admin, new=False)
        self.parts[kind.plural].change(call.caller, body, fields)
        self.touch(kind.plural, body)
        return Answer(body={kind.singular: self.show(kind, body, call.caller)})

    def touch(self, plural: str, body: Body) -> None:
        """Keep a document that was changed."""
        body["updated_at"] = now()
        body["revision_number"] += 1
        self.store.save(plural, body)

    def _deleted(self, call: Call, kind: Kind) -> Answer:
        body = self.found(call, kind, to_change=True)
        self.parts[kind.plural].delete(body)
        self.store.delete(kind.plural, body["id"])
        return Answer(HTTPStatus.NO_CONTENT)

    # Tags

    def _tags(self, call: Call, kind: Kind) -> Answer:
        body = self.found(call, kind, to_change=True)
        sent = call.json()
        tags = sent.get("tags") if isinstance(sent, dict) else None
        if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
            raise bad("Invalid tags body")
        body["tags"] = sorted(set(tags))
        self.touch(kind.plural, body)
        return Answer(body={"tags": body["tags"]})

    def _tags_removed(self, call: Call, kind: Kind) -> Answer:
        body = self.found(call, kind, to_change=True)
        body["tags"] = []
        self.touch(kind.plural, body)
        return Answer(HTTPStatus.NO_CONTENT)

    def _tag_shown(self, call: Call, kind: Kind) -> Answer:
        if call.names["tag"] not in self.found(call, kind)["tags"]:
            raise missing(f"Tag {call.names['tag']} could not be found.", "TagNotFound")
        return Answer(HTTPStatus.NO_CONTENT)

    def _tag_added(self, call: Call, kind: Kind) -> Answer:
        body = self.found(call, kind, to_change=True)
        body["tags"] = sorted({*body["tags"], call.names["tag"]})
        self.touch(kind.plural, body)
        return Answer(HTTPStatus.CREATED, b"null")

    def _tag_removed(self, call: Call, kind: Kind) -> Answer:
        self._tag_shown(call, kind)
        body = self.found(call, kind, to_change=True)
        body["tags"] = [tag for tag in body["tags"] if tag != call.names["tag"]]
        self.touch(kind.plural, body)
        return Answer(HTTPStatus.NO_CONTENT)

    # Routers

    def _interface_added(self, call: Call) -> Answer:
        router = self.found(call, KINDS["routers"], to_change=True)
        return Answer(body=routers.add_interface(self, call, router))

    def _interface_removed(self, call: Call) -> Answer:
        router = self.found(call, KINDS["routers"], to_change=True)
        return Answer(body=routers.remove_interface(self, call, router))

    # Quotas

    def quota(self, project: str) -> dict[str, int]:
        """What a project may have."""
        kept = self.store.get("network-quotas", project)
        return QUOTAS | (kept["limits"] if kept else {})

    def in_use(self, singular: str, project: str) -> int:
        """How many of a kind a project has."""
        plural = next((plural for plural, kind in KINDS.items() if kind.singular == singular), "")
        return sum(1 for body in self.store.all(plural) if body["project_id"] == project)

    def check_quota(self, singular: str, project: str) -> None:
        """See that one more fits.

        Raises:
            ProblemError: 409, it does not.
        """
        limit = self.quota(project).get(singular, -1)
        if 0 <= limit <= self.in_use(singular, project):
            raise conflict(f"Quota exceeded for resources: ['{singular}'].", "OverQuota")

    def _asked_project(self, call: Call) -> str:
        project = call.names["id"]
        if project != call.caller.project_id and not call.caller.admin:
            raise self.disallowed("get_quota")
        return project

    def _quota(self, call: Call) -> Answer:
        return Answer(body={"quota": self.quota(self._asked_project(call))})

    def _quota_details(self, call: Call) -> Answer:
        project = self._asked_project(call)
        found = {
            name: {"limit": limit, "used": self.in_use(name, project), "reserved": 0}
            for name, limit in self.quota(project).items()
        }
        return Answer(body={"quota": found})

    def _quota_changed(self, call: Call) -> Answer:
        sent = call.json()
        wanted = sent.get("quota") if isinstance(sent, dict) else None
        if not isinstance(wanted, dict):
            raise bad("Unable to find 'quota' in request body")
        project = call.names["id"]
        for name, limit in wanted.items():
            if name not in QUOTAS:
                raise bad(f"Unrecognized attribute(s) '{name}'")
            if not isinstance(limit, int) or isinstance(limit, bool) or limit < -1:
                raise bad(f"Invalid input for {name}. Reason: '{limit}' is not in valid range.")
        kept = self.store.get("network-quotas", project) or {"id": project, "limits": {}}
        kept["limits"] |= wanted
        self.store.save("network-quotas", kept)
        return Answer(body={"quota": self.quota(project)})

    def _quota_reset(self, call: Call) -> Answer:
        self.store.delete("network-quotas", call.names["id"])
        return Answer(HTTPStatus.NO_CONTENT)

    # Extensions

    def _extensions(self, _: Call) -> Answer:
        return Answer(body={"extensions": [_extension(alias) for alias in EXTENSIONS]})

    def _extension(self, call: Call) -> Answer:
        if call.names["alias"] not in EXTENSIONS:
            raise missing("Extension with alias {} does not exist".format(call.names["alias"]))
        return Answer(body={"extension": _extension(call.names["alias"])})


def _extension(alias: str) -> Body:
    return {
        "name": alias,
        "alias": alias,
        "description": alias,
        "updated": "2020-01-01T00:00:00-00:00",
        "links": [],
    }

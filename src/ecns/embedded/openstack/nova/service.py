"""Nova's manners, and what is neither flavor nor server: zones, keys, groups, hosts."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from ecns.embedded.openstack.errors import ProblemError, bad, conflict, forbidden, missing
from ecns.embedded.openstack.http import Answer
from ecns.embedded.openstack.nova.actions import Actions
from ecns.embedded.openstack.nova.attachments import Attachments
from ecns.embedded.openstack.nova.flavors import Flavors
from ecns.embedded.openstack.nova.hosts import HOSTS, ZONES
from ecns.embedded.openstack.nova.quotas import Quotas, limits
from ecns.embedded.openstack.nova.servers import Servers
from ecns.embedded.openstack.service import Call, Service, new_id, now

if TYPE_CHECKING:
    from ecns.embedded.openstack.cloud import Cloud
    from ecns.embedded.openstack.store import Body

OLDEST, NEWEST = (2, 1), (2, 104)
_FAULTS = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
    501: "notImplemented",
}
_HEADERS = ("openstack-api-version", "x-openstack-nova-api-version")
NOT_FOUND_PAGE = (
    b"<html>\n <head>\n  <title>404 Not Found</title>\n </head>\n <body>\n  <h1>404 Not Found</h1>\n"
    b"  The resource could not be found.<br /><br />\n\n\n\n </body>\n</html>"
)
GROUP_RULES = (2, 64)


class Nova(Service):
    """Servers."""

    prefix = "/compute"
    tail = "/v2.1"
    types = ("compute", "nova")
    malformed: ClassVar[str] = "Malformed request body"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.flavors = Flavors(self)
        self.quotas = Quotas(self)
        self.servers = Servers(self)
        self.actions = Actions(self)
        self.attachments = Attachments(self)
        self.route("GET", "/os-availability-zone", self._zones)
        self.route(
            "GET",
            "/os-availability-zone/detail",
            self._zones_in_detail,
            "admin",
            "os_compute_api:os-availability-zone:detail",
        )
        self.route("GET", "/os-keypairs", self._keys)
        self.route("POST", "/os-keypairs", self._key_made, "member", "os_compute_api:os-keypairs:create")
        self.route("GET", "/os-keypairs/{name}", self._key)
        self.route(
            "DELETE", "/os-keypairs/{name}", self._key_deleted, "member", "os_compute_api:os-keypairs:delete"
        )
        self.route("GET", "/os-server-groups", self._groups)
        self.route(
            "POST", "/os-server-groups", self._group_made, "member", "os_compute_api:os-server-groups:create"
        )
        self.route("GET", "/os-server-groups/{id}", self._group)
        self.route(
            "DELETE",
            "/os-server-groups/{id}",
            self._group_deleted,
            "member",
            "os_compute_api:os-server-groups:delete",
        )
        self.route("GET", "/os-services", self._services, "admin", "os_compute_api:os-services:list")
        for path in ("/os-hypervisors", "/os-hypervisors/detail"):
            self.route("GET", path, self._hypervisors, "admin", "os_compute_api:os-hypervisors:list")
        self.route("GET", "/os-aggregates", self._aggregates, "admin", "os_compute_api:os-aggregates:index")
        self.route("GET", "/extensions", lambda _: Answer(body={"extensions": []}))

    # Manners

    def versions(self, path: str, base: str) -> Answer | None:
        """The documents about the API."""
        about = {
            "id": "v2.1",
            "status": "CURRENT",
            "version": f"{NEWEST[0]}.{NEWEST[1]}",
            "min_version": "2.1",
            "updated": "2013-07-23T11:33:21Z",
            "links": [{"rel": "self", "href": f"{base}/v2.1/"}],
        }
        if path in {"", "/"}:
            return Answer(body={"versions": [about]})
        if path in {"/v2.1", "/v2.1/"}:
            media = [
                {"base": "application/json", "type": "application/vnd.openstack.compute+json;version=2.1"}
            ]
            return Answer(body={"version": about | {"media-types": media}})
        return None

    def enter(self, call: Call) -> Answer | None:
        """Take the prefix off, and see which microversion is asked for."""
        if not call.path.startswith("/v2.1"):
            return self.unknown(call)
        call.base += "/v2.1"
        call.path = call.path.removeprefix("/v2.1") or "/"
        call.path = call.path.removeprefix(f"/{call.caller.project_id}") or "/"
        call.version = self._version(call)
        return None

    def _version(self, call: Call) -> tuple[int, int]:
        asked = ""
        for piece in call.headers.get(_HEADERS[0], "").split(","):
            kind, _, version = piece.strip().partition(" ")
            if kind == "compute":
                asked = version.strip()
        asked = asked or call.headers.get(_HEADERS[1], "")
        if not asked:
            return OLDEST
        if asked == "latest":
            return NEWEST
        if not re.fullmatch(r"[0-9]+\.[0-9]+", asked):
            raise bad(
                f"API Version String {asked} is of invalid format. Must be of format MajorNum.MinorNum."
            )
        major, minor = map(int, asked.split("."))
        if not OLDEST <= (major, minor) <= NEWEST:
            call.version = (major, minor)
            raise ProblemError(
                HTTPStatus.NOT_ACCEPTABLE,
                f"Version {asked} is not supported by the API. Minimum is 2.1 and maximum is "
                f"{NEWEST[0]}.{NEWEST[1]}.",
            )
        return major, minor

    def leave(self, call: Call, answer: Answer) -> Answer:
        """With the microversion that was served."""
        answer.headers["x-compute-request-id"] = call.request_id
        if call.version != (0, 0) and answer.media != "text/html; charset=UTF-8":
            text = f"{call.version[0]}.{call.version[1]}"
            answer.headers["OpenStack-API-Version"] = f"compute {text}"
            answer.headers["X-OpenStack-Nova-API-Version"] = text
            answer.headers["Vary"] = "OpenStack-API-Version, X-OpenStack-Nova-API-Version"
        return super().leave(call, answer)

    def unknown(self, call: Call) -> Answer:  # noqa: ARG002  the protocol's
        """A page of HTML."""
        return Answer(HTTPStatus.NOT_FOUND, NOT_FOUND_PAGE, media="text/html; charset=UTF-8")

    def problem(self, error: ProblemError) -> Answer:
        """`{"itemNotFound": {"code", "message"}}` and its kin."""
        name = _FAULTS.get(int(error.status), "computeFault")
        said = {name: {"code": int(error.status), "message": error.message}}
        return Answer(error.status, said, media="application/json; charset=UTF-8")

    def disallowed(self, rule: str) -> ProblemError:
        """The policy does not let the caller."""
        return forbidden(f"Policy doesn't allow {rule} to be performed.")

    def resume(self) -> None:
        """Go on with servers that something is being done with."""
        self.servers.resume()
        self.actions.resume()

    # For the rooms

    def links(self, call: Call, kind: str, identity: str) -> list[dict[str, str]]:
        """Where a thing is."""
        root = call.base.removesuffix("/v2.1")
        return [
            {"rel": "self", "href": f"{call.base}/{kind}/{identity}"},
            {"rel": "bookmark", "href": f"{root}/{kind}/{identity}"},
        ]

    @staticmethod
    def body(call: Call, key: str) -> Body:
        """The object that a body holds under a key.

        Raises:
            ProblemError: 400, there is none.
        """
        sent = call.json()
        found = sent.get(key) if isinstance(sent, dict) else None
        if not isinstance(found, dict):
            raise bad(
                f"Invalid input for field/attribute {key}. Value: {found}. '{key}' is a required property"
            )
        return found

    @staticmethod
    def number(value: Any, name: str, least: int) -> int:
        """A whole number, or digits.

        Raises:
            ProblemError: 400, it is none, or too small.
        """
        if isinstance(value, bool) or not re.fullmatch(r"-?[0-9]{1,10}", str(value)):
            raise bad(
                f"Invalid input for field/attribute {name}. Value: {value}. {value!r} does not match "
                "'^[0-9]*$'"
            )
        if int(value) < least:
            raise bad(
                f"Invalid input for field/attribute {name}. Value: {value}. {value} is less than the "
                f"minimum of {least}"
            )
        return int(value)

    # Zones and hosts

    def _zones(self, _: Call) -> Answer:
        found = [{"zoneName": zone, "zoneState": {"available": True}, "hosts": None} for zone in ZONES]
        return Answer(body={"availabilityZoneInfo": found})

    def _zones_in_detail(self, _: Call) -> Answer:
        found = []
        for zone in ZONES:
            service = {"nova-compute": {"available": True, "active": True, "updated_at": now()}}
            hosts = {host.name: service for host in HOSTS if host.zone == zone}
            found.append({"zoneName": zone, "zoneState": {"available": True}, "hosts": hosts})
        return Answer(body={"availabilityZoneInfo": found})

    def _services(self, _: Call) -> Answer:
        found = [
            {
                "id": number,
                "binary": "nova-compute",
                "host": host.name,
                "zone": host.zone,
                "status": "enabled",
                "state": "up",
                "updated_at": now(),
                "disabled_reason": None,
            }
            for number, host in enumerate(HOSTS, 1)
        ]
        return Answer(body={"services": found})

    def _hypervisors(self, call: Call) -> Answer:
        found: list[Body] = [
            {"id": number, "hypervisor_hostname": host.name, "state": "up", "status": "enabled"}
            for number, host in enumerate(HOSTS, 1)
        ]
        if call.path.endswith("/detail"):
            for one, host in zip(found, HOSTS, strict=True):
                servers = [s["_flavor"] for s in self.store.all("servers") if s["_host"] == host.name]
                one |= {
                    "hypervisor_type": "fake",
                    "hypervisor_version": 1000,
                    "host_ip": "127.0.0.1",
                    "vcpus": host.vcpus,
                    "memory_mb": host.ram,
                    "local_gb": host.disk,
                    "vcpus_used": sum(flavor["vcpus"] for flavor in servers),
                    "memory_mb_used": sum(flavor["ram"] for flavor in servers),
                    "local_gb_used": sum(flavor["disk"] for flavor in servers),
                    "running_vms": len(servers),
                    "service": {"id": one["id"], "host": host.name, "disabled_reason": None},
                }
        return Answer(body={"hypervisors": found})

    def _aggregates(self, _: Call) -> Answer:
        found = [
            {
                "id": number,
                "name": zone,
                "availability_zone": zone,
                "hosts": [host.name for host in HOSTS if host.zone == zone],
                "metadata": {"availability_zone": zone},
                "deleted": False,
                "deleted_at": None,
                "created_at": "2026-01-01T00:00:00.000000",
                "updated_at": None,
            }
            for number, zone in enumerate(ZONES, 1)
        ]
        return Answer(body={"aggregates": found})

    # Keys: they are a user's, not a project's

    def key(self, user_id: str, name: Any) -> Body | None:
        """A user's key."""
        return self.store.get("keypairs", f"{user_id}/{name}")

    def _own_key(self, call: Call) -> Body:
        found = self.key(call.caller.user_id, call.names["name"])
        if found is None:
            raise missing(f"Keypair {call.names['name']} not found for user {call.caller.user_id}")
        return found

    def _show_key(self, call: Call, key: Body, *names: str) -> Body:
        kind = ("type",) if call.version >= (2, 2) else ()
        return {name: key[name] for name in ("name", "public_key", "fingerprint", *kind, *names)}

    def _keys(self, call: Call) -> Answer:
        found = [key for key in self.store.all("keypairs") if key["user_id"] == call.caller.user_id]
        return Answer(body={"keypairs": [{"keypair": self._show_key(call, key)} for key in found]})

    def _key(self, call: Call) -> Answer:
        key = self._own_key(call)
        shown = self._show_key(call, key, "user_id", "created_at")
        more = {"deleted": False, "deleted_at": None, "id": key["number"], "updated_at": None}
        return Answer(body={"keypair": shown | more})

    def _key_made(self, call: Call) -> Answer:
        sent = self.body(call, "keypair")
        name = sent.get("name")
        if not isinstance(name, str) or not re.fullmatch(r"[\w\- .@]{1,255}", name, re.ASCII):
            raise bad(
                f"Invalid input for field/attribute name. Value: {name}. {name!r} is not a valid keypair name"
            )
        user = call.caller.user_id
        if self.key(user, name) is not None:
            raise conflict(f"Key pair '{name}' already exists.")
        number = 1 + max((key["number"] for key in self.store.all("keypairs")), default=0)
        if (
            sum(1 for key in self.store.all("keypairs") if key["user_id"] == user)
            >= limits(self.store, call.caller.project_id)["key_pairs"]
        ):
            raise forbidden("Quota exceeded, too many key pairs.")
        private = None
        public = sent.get("public_key")
        if public is None:
            public, private = _generated()
        key = {
            "id": f"{user}/{name}",
            "number": number,
            "name": name,
            "user_id": user,
            "type": "ssh",
            "public_key": public,
            "fingerprint": _fingerprint(public),
            "created_at": now(),
        }
        self.store.save("keypairs", key)
        shown = self._show_key(call, key, "user_id") | ({"private_key": private} if private else {})
        return Answer(HTTPStatus.OK if call.version < (2, 2) else HTTPStatus.CREATED, {"keypair": shown})

    def _key_deleted(self, call: Call) -> Answer:
        self.store.delete("keypairs", self._own_key(call)["id"])
        return Answer(HTTPStatus.ACCEPTED if call.version < (2, 2) else HTTPStatus.NO_CONTENT)

    # Groups of servers

    def _own_group(self, call: Call) -> Body:
        found = self.store.get("server-groups", call.names["id"])
        if found is None or not call.caller.sees(found):
            raise missing(f"Instance group {call.names['id']} could not be found.")
        return found

    def _show_group(self, call: Call, group: Body) -> Body:
        shown = {"id": group["id"], "name": group["name"], "members": group["members"]}
        if call.version >= GROUP_RULES:
            shown |= {"policy": group["policy"], "rules": {}}
        else:
            shown |= {"policies": [group["policy"]], "metadata": {}}
        if call.version >= (2, 13):
            shown |= {"project_id": group["project_id"], "user_id": group["user_id"]}
        return shown

    def _groups(self, call: Call) -> Answer:
        every = call.flag("all_projects") and call.caller.admin
        found = self.store.all("server-groups") if every else self.owned("server-groups", call.caller)
        return Answer(body={"server_groups": [self._show_group(call, group) for group in found]})

    def _group(self, call: Call) -> Answer:
        return Answer(body={"server_group": self._show_group(call, self._own_group(call))})

    def _group_made(self, call: Call) -> Answer:
        sent = self.body(call, "server_group")
        given = (
            sent.get("policy")
            if call.version >= GROUP_RULES
            else next(iter(sent.get("policies") or ()), None)
        )
        if given not in {"affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"}:
            raise bad(
                f"Invalid input for field/attribute policy. Value: {given}. {given!r} is not one of the "
                "policies"
            )
        if (
            len(self.owned("server-groups", call.caller))
            >= limits(self.store, call.caller.project_id)["server_groups"]
        ):
            raise forbidden("Quota exceeded, too many server groups.")
        group = {
            "id": new_id(),
            "name": str(sent.get("name") or ""),
            "policy": given,
            "members": [],
            "project_id": call.caller.project_id,
            "user_id": call.caller.user_id,
        }
        self.store.save("server-groups", group)
        return Answer(body={"server_group": self._show_group(call, group)})

    def _group_deleted(self, call: Call) -> Answer:
        self.store.delete("server-groups", self._own_group(call)["id"])
        return Answer(HTTPStatus.NO_CONTENT)


def _fingerprint(public: Any) -> str:
    """The MD5 of a public key's blob, as Nova tells it."""
    refused = bad("Keypair data is invalid: failed to generate fingerprint")
    try:
        kind, blob = str(public).split()[:2]
        raw = base64.b64decode(blob, validate=True)
    except (ValueError, binascii.Error) as error:
        raise refused from error
    length = int.from_bytes(raw[:4], "big")
    if raw[4 : 4 + length] != kind.encode() or len(raw) <= 4 + length + 4 + 16:
        raise refused
    digest = hashlib.md5(raw, usedforsecurity=False).hexdigest()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))


def _generated() -> tuple[str, str]:
    from cryptography.hazmat.primitives import serialization as form  # noqa: PLC0415  slow, and few need it
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415  as above

    key = ed25519.Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(form.Encoding.OpenSSH, form.PublicFormat.OpenSSH)
    private = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.OpenSSH, form.NoEncryption())
    return f"{public.decode()} Generated-by-Nova", private.decode()

"""Nova's manners, and what is neither flavor nor server: zones, keys, groups, hosts."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ecns.embedded.openstack.errors import ProblemError, bad, conflict, forbidden, missing
from ecns.embedded.openstack.http import Answer
from ecns.embedded.openstack.microversions import Versioned, told
from ecns.embedded.openstack.nova.actions import Actions
from ecns.embedded.openstack.nova.attachments import Attachments
from ecns.embedded.openstack.nova.flavors import Flavors
from ecns.embedded.openstack.nova.places import Places
from ecns.embedded.openstack.nova.quotas import Quotas, limits
from ecns.embedded.openstack.nova.servers import Servers
from ecns.embedded.openstack.service import Call, new_id, now

if TYPE_CHECKING:
    from ecns.embedded.openstack.cloud import Cloud
    from ecns.embedded.openstack.store import Body

GROUP_RULES, SOFT_RULES, KEY_NAMES = (2, 64), (2, 15), (2, 92)
KEY_NAME, NEWER_KEY_NAME = r"^[_\- a-zA-Z0-9]+$", r"^[_\-\@\. a-zA-Z0-9]+$"


class Nova(Versioned):
    """Servers."""

    prefix = "/compute"
    tail = "/v2.1"
    types = ("compute", "nova")
    root = "/v2.1"
    kind = "compute"
    oldest, newest = (2, 1), (2, 104)
    other_header = "x-openstack-nova-api-version"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.flavors = Flavors(self)
        self.places = Places(self)
        self.quotas = Quotas(self)
        self.servers = Servers(self)
        self.actions = Actions(self)
        self.attachments = Attachments(self)
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
        self.route("GET", "/extensions", lambda _: Answer(body={"extensions": []}))

    # Manners

    def versions(self, path: str, base: str) -> Answer | None:
        """The documents about the API."""
        about = {
            "id": "v2.1",
            "status": "CURRENT",
            "version": told(self.newest),
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
        """Lists have a limit that is a number."""
        answer = super().enter(call)
        if (limit := call.text("limit")) and not re.fullmatch("[0-9]*", limit):
            said = f"Invalid input for query parameters limit. Value: {limit}."
            raise bad(f"{said} {limit!r} does not match '^[0-9]*$'")
        return answer

    def leave(self, call: Call, answer: Answer) -> Answer:
        """With the microversion that was served."""
        answer.headers["x-compute-request-id"] = call.request_id
        if call.version != (0, 0) and answer.media != "text/html; charset=UTF-8":
            text = told(call.version)
            answer.headers["OpenStack-API-Version"] = f"compute {text}"
            answer.headers["X-OpenStack-Nova-API-Version"] = text
            answer.headers["Vary"] = "OpenStack-API-Version, X-OpenStack-Nova-API-Version"
        return super().leave(call, answer)

    def problem(self, error: ProblemError) -> Answer:
        """`{"itemNotFound": {"code", "message"}}` and its kin."""
        name, said = self.fault(error)
        return Answer(error.status, {name: said}, media="application/json; charset=UTF-8")

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
            pattern = KEY_NAME if call.version < KEY_NAMES else NEWER_KEY_NAME
            raise bad(
                f"Invalid input for field/attribute name. Value: {name}. {name!r} does not match {pattern!r}"
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
        field = "policy" if call.version >= GROUP_RULES else "policies"
        if field not in sent:
            raise bad(
                f"Invalid input for field/attribute server_group. Value: {sent}. {field!r} is a required "
                "property"
            )
        policies = ["anti-affinity", "affinity"]
        policies += ["soft-anti-affinity", "soft-affinity"] if call.version >= SOFT_RULES else []
        if given not in policies:
            name = field if field == "policy" else 0
            said = f"Invalid input for field/attribute {name}. Value: {given}."
            raise bad(f"{said} {given!r} is not one of {policies}")
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

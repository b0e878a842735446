"""Glance: images, with the properties that operators give them.

Source: https://docs.openstack.org/api-ref/image/v2/
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import unquote

from ecns.embedded.openstack.errors import ProblemError, bad, conflict, forbidden, missing
from ecns.embedded.openstack.http import Answer
from ecns.embedded.openstack.service import UUID, Call, Service, new_id, now, query_of, zulu

if TYPE_CHECKING:
    from ecns.embedded.openstack.callers import Caller
    from ecns.embedded.openstack.cloud import Cloud
    from ecns.embedded.openstack.store import Body

_COMPARED = frozenset({"name", "id", "status", "container_format", "disk_format"})
"""What an operator may stand before, with a colon."""
_LISTED = re.compile(r'"((?:[^"\\]|\\.)*)",?|([^,]+),?')
HTML = "text/html; charset=UTF-8"
_DISKS = (None, "ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso", "ploop")
_CONTAINERS = (None, "ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed")
_READ_ONLY = frozenset(
    {
        "status",
        "size",
        "checksum",
        "owner",
        "created_at",
        "updated_at",
        "self",
        "file",
        "schema",
        "virtual_size",
    }
    | {"os_hash_algo", "os_hash_value", "stores", "direct_url", "locations"}
)
_FIELDS = (
    "name",
    "disk_format",
    "container_format",
    "visibility",
    "size",
    "virtual_size",
    "status",
    "checksum",
    "protected",
    "min_ram",
    "min_disk",
    "owner",
    "os_hidden",
    "os_hash_algo",
    "os_hash_value",
)
_MOST_OF_PAGE, _USUAL_PAGE = 1000, 25


class Glance(Service):
    """Images."""

    prefix = "/image"
    types = ("image", "glance")
    malformed: ClassVar[str] = (
        "The server could not comply with the request since it is either malformed or otherwise incorrect."
    )

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        images, one = "/v2/images", "/v2/images/{id}"
        self.route("GET", images, self._listed)
        self.route("POST", images, self._made, "member", "add_image")
        self.route("GET", one, lambda call: Answer(body=self.show(self.found(call))))
        self.route("PATCH", one, self._changed, "member", "modify_image")
        self.route("DELETE", one, self._deleted, "member", "delete_image")
        self.route("PUT", f"{one}/file", self._uploaded, "member", "upload_image")
        self.route("GET", f"{one}/file", self._downloaded)
        self.route("PUT", f"{one}/tags/{{tag}}", self._tagged, "member", "modify_image")
        self.route("DELETE", f"{one}/tags/{{tag}}", self._untagged, "member", "modify_image")
        self.route(
            "GET",
            f"{one}/members",
            lambda call: Answer(
                body={"members": self.found(call)["_members"], "schema": "/v2/schemas/members"}
            ),
        )
        self.route("POST", f"{one}/members", self._shared, "member", "add_member")
        self.route(
            "GET",
            "/v2/schemas/image",
            lambda _: Answer(
                body={"name": "image", "properties": {}, "additionalProperties": {"type": "string"}}
            ),
        )
        self.route("GET", "/v2/schemas/images", lambda _: Answer(body={"name": "images", "properties": {}}))

    # Manners

    def versions(self, path: str, base: str) -> Answer | None:
        """The versions, all of them at one address."""
        if path not in {"", "/", "/versions"}:
            return None
        link = {"rel": "self", "href": f"{base}/v2/"}
        found = [
            {"id": f"v2.{number}", "status": "CURRENT" if number == 16 else "SUPPORTED", "links": [link]}  # noqa: PLR2004  the newest
            for number in range(16, -1, -1)
        ]
        return Answer(HTTPStatus.MULTIPLE_CHOICES, {"versions": found})

    def problem(self, error: ProblemError) -> Answer:
        """A page of HTML, as Glance's are."""
        status = HTTPStatus(error.status)
        title = f"{int(status)} {status.phrase}"
        said = (
            f"<html>\n <head>\n  <title>{title}</title>\n </head>\n <body>\n  <h1>{title}</h1>\n"
            f"  {html.escape(error.message)}<br /><br />\n\n\n\n </body>\n</html>"
        )
        return Answer(status, said.encode(), media=HTML)

    def disallowed(self, rule: str) -> ProblemError:
        """The policy does not let the caller."""
        return forbidden(f"You are not authorized to complete {rule} action.")

    # Reading

    def seen(self, caller: Caller, identity: str) -> Body | None:
        """An image that a caller may use, or None."""
        image = self.store.get("images", identity)
        if image is None:
            return None
        shared = any(m["member_id"] == caller.project_id for m in image["_members"])
        if (
            caller.admin
            or image["owner"] == caller.project_id
            or image["visibility"] in {"public", "community"}
            or shared
        ):
            return image
        return None

    def found(self, call: Call, *, to: str = "") -> Body:
        """The image that the path names.

        Args:
            call: names it.
            to: what is to be done with it, when only its owner may.

        Raises:
            ProblemError: 404, there is none for the caller; 403, it is another's.
        """
        image = self.seen(call.caller, call.names["id"])
        if image is None:
            raise missing(f"No image found with ID {call.names['id']}")
        if to and not call.caller.admin and image["owner"] != call.caller.project_id:
            raise self.disallowed(to)
        return image

    def show(self, image: Body) -> Body:
        """An image as it is answered."""
        path = f"/v2/images/{image['id']}"
        shown = {**image["_properties"], **{key: image[key] for key in _FIELDS}, "id": image["id"]}
        shown |= {
            "created_at": zulu(image["created_at"]),
            "updated_at": zulu(image["updated_at"]),
            "tags": image["tags"],
            "self": path,
            "file": f"{path}/file",
            "schema": "/v2/schemas/image",
        }
        return shown | ({"stores": "default"} if image["status"] == "active" else {})

    def _listed(self, call: Call) -> Answer:
        text = call.text("limit")
        if text and not text.isdigit():
            raise bad(
                "limit param must be an integer"
                if not text.lstrip("-").isdigit()
                else "limit param must be positive"
            )
        limit = min(int(text) if text else _USUAL_PAGE, _MOST_OF_PAGE)
        about = {"limit", "marker", "sort", "sort_key", "sort_dir", "member_status"}
        filters = [(name, value) for name, value in call.query if name not in about]
        found = [image for image in self.store.all("images") if self.seen(call.caller, image["id"])]
        found = [i for i in found if self._listable(call, i) and all(_matches(i, *pair) for pair in filters)]
        found.reverse()
        sorts = [piece for piece in call.text("sort").split(",") if piece]
        if not sorts and call.text("sort_key"):
            sorts = [f"{call.text('sort_key')}:{call.text('sort_dir') or 'desc'}"]
        for piece in reversed(sorts):
            key, _, direction = piece.partition(":")
            if key not in {*_FIELDS, "id", "created_at", "updated_at"}:
                raise bad(f"Invalid sort key: {key}.")
            found.sort(key=lambda image, key=key: str(image.get(key)), reverse=direction != "asc")  # type: ignore[misc]  # a default binds the key
        if marker := call.text("marker"):
            ids = [image["id"] for image in found]
            if marker not in ids:
                raise bad(f"Invalid marker. Image {marker} could not be found.")
            found = found[ids.index(marker) + 1 :]
        found = found[:limit]
        said: Body = {"images": [self.show(image) for image in found]}
        first = _without(call, "marker")
        said["first"] = f"/v2/images?{first}" if first else "/v2/images"
        said["schema"] = "/v2/schemas/images"
        if found and len(found) == limit:
            said["next"] = f"/v2/images?{query_of(call, marker=found[-1]['id'])}"
        return Answer(body=said)

    def _listable(self, call: Call, image: Body) -> bool:
        visibility = call.text("visibility")
        hidden = call.flag("os_hidden")
        if image["os_hidden"] is not hidden:
            return False
        return (
            image["visibility"] != "community"
            or visibility in {"community", "all"}
            or image["owner"] == call.caller.project_id
        )

    # Changing

    def _checked(self, caller: Caller, key: str, value: Any) -> None:
        if key in _READ_ONLY:
            raise forbidden(f"Attribute '{key}' is read-only.")
        if key == "visibility":
            if value not in {"public", "private", "shared", "community"}:
                raise bad(
                    f"Provided object does not match schema 'image': '{value}' is not one of the visibilities"
                )
            if value == "public" and not caller.admin:
                raise self.disallowed("publicize_image")
        for name, known in (("disk_format", _DISKS), ("container_format", _CONTAINERS)):
            if key == name and value not in known:
                raise bad(
                    f"Provided object does not match schema 'image': {value!r} is not one of {list(known)}"
                )
        if key in {"min_disk", "min_ram"} and (
            isinstance(value, bool) or not isinstance(value, int) or value < 0
        ):
            raise bad(f"Provided object does not match schema 'image': {value!r} is not of type 'integer'")
        if key not in {*_FIELDS, "tags", "id"} and not isinstance(value, str):
            raise bad(f"Provided object does not match schema 'image': {value!r} is not of type 'string'")
        if key == "name" and not isinstance(value, str | None):
            raise bad(
                f"Provided object does not match schema 'image': {value!r} is not of type 'null', 'string'"
            )

    def _made(self, call: Call) -> Answer:
        sent = call.json()
        if not isinstance(sent, dict):
            raise bad("Provided object does not match schema 'image'")
        for key, value in sent.items():
            if key != "owner" or not call.caller.admin:
                self._checked(call.caller, key, value)
        identity = sent.get("id") or new_id()
        if not isinstance(identity, str) or not UUID.fullmatch(identity):
            raise bad(
                f"Provided object does not match schema 'image': {identity!r} does not match the pattern "
                "of ids"
            )
        if self.store.get("images", identity) is not None:
            raise conflict(f"Image ID {identity} already exists!")
        image = self.make(sent.get("owner") or call.caller.project_id, {**sent, "id": identity})
        headers = {"Location": f"{call.base}/v2/images/{identity}"}
        return Answer(HTTPStatus.CREATED, self.show(image), headers)

    def make(self, owner: str, sent: Body, data: bytes | None = None) -> Body:
        """A new image, with its data or to be given it."""
        moment = now()
        usual: Body = dict.fromkeys(_FIELDS)
        usual |= {
            "visibility": "shared",
            "status": "queued",
            "protected": False,
            "min_ram": 0,
            "min_disk": 0,
            "os_hidden": False,
        }
        own = {key: value for key, value in sent.items() if key in _FIELDS and key not in _READ_ONLY}
        image = {
            **usual,
            **own,
            "id": sent.get("id") or new_id(),
            "owner": owner,
            "tags": sorted(set(sent.get("tags") or [])),
            "created_at": moment,
            "updated_at": moment,
            "_properties": {k: v for k, v in sent.items() if k not in {*_FIELDS, "tags", "id"}},
            "_members": [],
        }
        self.store.save("images", image)
        if data is not None:
            self._filled(image, data)
        return image

    def _filled(self, image: Body, data: bytes) -> None:
        image |= {
            "size": len(data),
            "virtual_size": len(data),
            "status": "active",
            "checksum": hashlib.md5(data, usedforsecurity=False).hexdigest(),
            "os_hash_algo": "sha512",
            "os_hash_value": hashlib.sha512(data).hexdigest(),
            "updated_at": now(),
        }
        self.store.save("images", image)
        self.store.save("image-data", {"id": image["id"], "data": base64.b64encode(data).decode()})

    def of_server(self, caller: Caller, server: Body, name: str, properties: Body) -> str:
        """An image of a server's disk; its id."""
        texts = {key: str(value) for key, value in properties.items()}
        about = {"image_type": "snapshot", "instance_uuid": server["id"], "user_id": caller.user_id, **texts}
        sent = {
            "name": name,
            "disk_format": "raw",
            "container_format": "bare",
            "visibility": "private",
            **about,
        }
        made = self.make(server["project_id"], sent, b"\0" * 512)
        return str(made["id"])

    def _changed(self, call: Call) -> Answer:
        image = self.found(call, to="modify_image")
        operations = call.json()
        if not isinstance(operations, list):
            raise bad("Request body must be a JSON array of operation objects.")
        for operation in operations:
            self._change(call.caller, image, operation)
        image["updated_at"] = now()
        self.store.save("images", image)
        return Answer(body=self.show(image))

    def _change(self, caller: Caller, image: Body, operation: Any) -> None:
        if not isinstance(operation, dict) or operation.get("op") not in {"add", "replace", "remove"}:
            raise bad("Operations must be JSON objects with op, path and value.")
        key = unquote(str(operation.get("path", ""))).removeprefix("/").replace("~1", "/").replace("~0", "~")
        if operation["op"] == "remove":
            if key in _FIELDS:
                raise forbidden(f"Property {key} may not be removed.")
            if key not in image["_properties"]:
                raise conflict(f"Property {key} does not exist.")
            del image["_properties"][key]
            return
        value = operation.get("value")
        self._checked(caller, key, value)
        if key == "tags":
            image["tags"] = sorted(set(value)) if isinstance(value, list) else []
        elif key in _FIELDS:
            image[key] = value
        else:
            if operation["op"] == "replace" and key not in image["_properties"]:
                raise conflict(f"Property {key} does not exist.")
            image["_properties"][key] = value

    def _deleted(self, call: Call) -> Answer:
        image = self.found(call, to="delete_image")
        if image["protected"]:
            raise forbidden(f"Image {image['id']} is protected and cannot be deleted.")
        self.store.delete("images", image["id"])
        self.store.delete("image-data", image["id"])
        return Answer(HTTPStatus.NO_CONTENT)

    def _uploaded(self, call: Call) -> Answer:
        image = self.found(call, to="upload_image")
        if call.headers.get("content-type", "").partition(";")[0] != "application/octet-stream":
            raise ProblemError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/octet-stream"
            )
        if image["status"] != "queued":
            raise conflict(f"Image status transition from {image['status']} to saving is not allowed")
        if image["disk_format"] is None or image["container_format"] is None:
            raise conflict("Properties disk_format, container_format must be set prior to saving data.")
        self._filled(image, call.body)
        return Answer(HTTPStatus.NO_CONTENT)

    def _downloaded(self, call: Call) -> Answer:
        image = self.found(call)
        kept = self.store.get("image-data", image["id"])
        if kept is None:
            return Answer(HTTPStatus.NO_CONTENT)
        headers = {"Content-MD5": image["checksum"]}
        return Answer(body=base64.b64decode(kept["data"]), headers=headers, media="application/octet-stream")

    def _tagged(self, call: Call) -> Answer:
        image = self.found(call, to="modify_image")
        image["tags"] = sorted({*image["tags"], call.names["tag"]})
        self.store.save("images", image)
        return Answer(HTTPStatus.NO_CONTENT)

    def _untagged(self, call: Call) -> Answer:
        image = self.found(call, to="modify_image")
        if call.names["tag"] not in image["tags"]:
            raise missing("Tag not found.")
        image["tags"].remove(call.names["tag"])
        self.store.save("images", image)
        return Answer(HTTPStatus.NO_CONTENT)

    def _shared(self, call: Call) -> Answer:
        image, sent = self.found(call, to="add_member"), call.json()
        if not isinstance(sent, dict) or not isinstance(sent.get("member"), str):
            raise bad("Member to be added not specified")
        if image["visibility"] != "shared":
            raise forbidden("Only shared images have members.")
        moment = zulu(now())
        member = {
            "image_id": image["id"],
            "member_id": sent["member"],
            "status": "accepted",
            "created_at": moment,
            "updated_at": moment,
            "schema": "/v2/schemas/member",
        }
        image["_members"].append(member)
        self.store.save("images", image)
        return Answer(body=member)


def _without(call: Call, name: str) -> str:
    from dataclasses import replace  # noqa: PLC0415  one line uses it

    return query_of(replace(call, query=[pair for pair in call.query if pair[0] != name]))


def _wanted(text: str) -> list[str]:
    operator, colon, rest = text.partition(":")
    if operator not in {"in", "eq"} and colon:
        raise bad(f"Unable to filter by unknown operator '{operator}'.")
    if operator == "in" and colon:
        return [quoted.replace('\\"', '"') or plain for quoted, plain in _LISTED.findall(rest)]
    return [rest if colon else text]


def _matches(image: Body, name: str, text: str) -> bool:
    if name in {"visibility", "os_hidden"}:
        return name == "os_hidden" or text == "all" or image["visibility"] == text
    if name == "tag":
        return text in image["tags"]
    if name in {"size_min", "size_max"}:
        size = image["size"] or 0
        return size >= int(text) if name == "size_min" else size <= int(text)
    value = image[name] if name in {*_FIELDS, "id"} else image["_properties"].get(name)
    wanted = _wanted(text) if name in _COMPARED else [text]
    if isinstance(value, bool):
        return text.lower() == str(value).lower()
    return value is not None and str(value) in wanted

"""What Nova and Cinder have in common: microversions, the project in paths, faults by their names."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, ClassVar

from ecns.embedded.openstack.errors import ProblemError, bad, forbidden
from ecns.embedded.openstack.http import Answer
from ecns.embedded.openstack.service import Call, Service

if TYPE_CHECKING:
    from ecns.embedded.openstack.store import Body

Version = tuple[int, int]

FAULTS = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
    501: "notImplemented",
}

NOT_FOUND_PAGE = (
    b"<html>\n <head>\n  <title>404 Not Found</title>\n </head>\n <body>\n  <h1>404 Not Found</h1>\n"
    b"  The resource could not be found.<br /><br />\n\n\n\n </body>\n</html>"
)


class Versioned(Service):
    """A service whose answers depend on the microversion that is asked for."""

    root: ClassVar[str]
    """Where the API is, below the service's prefix."""
    kind: ClassVar[str]
    """What the service is called in the header that asks."""
    oldest: ClassVar[Version]
    newest: ClassVar[Version]
    other_header: ClassVar[str] = ""
    """An older header that asks for a version alone."""
    malformed: ClassVar[str] = "Malformed request body"

    def enter(self, call: Call) -> Answer | None:
        """Take the prefix off, and see which microversion is asked for."""
        if not call.path.startswith(self.root):
            return self.unknown(call)
        call.base += self.root
        call.path = call.path.removeprefix(self.root) or "/"
        call.path = call.path.removeprefix(f"/{call.caller.project_id}") or "/"
        call.version = self._version(call)
        return None

    def _version(self, call: Call) -> Version:
        asked = ""
        for piece in call.headers.get("openstack-api-version", "").split(","):
            kind, _, version = piece.strip().partition(" ")
            if kind == self.kind:
                asked = version.strip()
        asked = asked or call.headers.get(self.other_header, "")
        if not asked:
            return self.oldest
        if asked == "latest":
            return self.newest
        if not re.fullmatch(r"[0-9]+\.[0-9]+", asked):
            raise bad(
                f"API Version String {asked} is of invalid format. Must be of format MajorNum.MinorNum."
            )
        major, minor = map(int, asked.split("."))
        if not self.oldest <= (major, minor) <= self.newest:
            call.version = (major, minor)
            raise ProblemError(
                HTTPStatus.NOT_ACCEPTABLE,
                f"Version {asked} is not supported by the API. Minimum is {told(self.oldest)} and maximum is "
                f"{told(self.newest)}.",
            )
        return major, minor

    def unknown(self, call: Call) -> Answer:  # noqa: ARG002  the protocol's
        """A page of HTML."""
        return Answer(HTTPStatus.NOT_FOUND, NOT_FOUND_PAGE, media="text/html; charset=UTF-8")

    @staticmethod
    def fault(error: ProblemError) -> tuple[str, Body]:
        """A refusal: its name, and what is said."""
        name = FAULTS.get(int(error.status), "computeFault")
        return name, {"code": int(error.status), "message": error.message}

    def disallowed(self, rule: str) -> ProblemError:
        """The policy does not let the caller."""
        return forbidden(f"Policy doesn't allow {rule} to be performed.")

    @staticmethod
    def body(call: Call, key: str) -> Body:
        """The object that a body holds under a key.

        Raises:
            ProblemError: 400, there is none.
        """
        sent = call.json()
        if not isinstance(sent, dict) or key not in sent:
            raise bad(f"'{key}' is a required property")
        found = sent[key]
        if not isinstance(found, dict):
            raise bad(
                f"Invalid input for field/attribute {key}. Value: {found}. {found!r} is not of type 'object'"
            )
        return found


def told(version: Version) -> str:
    """A version as it is written."""
    return f"{version[0]}.{version[1]}"

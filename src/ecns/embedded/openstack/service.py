"""What the services have in common: routes with the role that each needs, calls, documents of a project."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from ecns.embedded.openstack.errors import ProblemError, bad
from ecns.embedded.openstack.http import Answer

if TYPE_CHECKING:
    from ecns.embedded.openstack.callers import Caller
    from ecns.embedded.openstack.cloud import Cloud
    from ecns.embedded.openstack.store import Body

MOST_OF_PAGE = 1000
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def now() -> str:
    """This moment in UTC, with microseconds and without a zone."""
    return datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


def zulu(moment: str | None) -> str | None:
    """A moment of `now` in whole seconds, with its zone."""
    return moment and f"{moment[:19]}Z"


def new_id() -> str:
    """A new id."""
    return str(uuid.uuid4())


@dataclass
class Call:
    """One request to a service.

    Args:
        caller: who asks.
        path: what follows the service's prefix.
        query: the parameters in their order.
        headers: by their names in small letters.
        body: as it came.
        base: the service's address, as the client knows it.
    """

    caller: Caller
    method: str
    path: str
    query: list[tuple[str, str]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    base: str = ""
    names: dict[str, str] = field(default_factory=dict)
    """What the path names."""
    request_id: str = field(default_factory=lambda: f"req-{uuid.uuid4()}")
    version: tuple[int, int] = (0, 0)
    """The microversion, of services that have them."""

    def text(self, name: str) -> str:
        """A parameter; the last one when it is given several times."""
        return next((value for key, value in reversed(self.query) if key == name), "")

    def flag(self, name: str) -> bool:
        """Whether a parameter says yes."""
        return self.text(name).lower() in {"1", "true", "yes", "on", "t", "y"}

    def json(self) -> Any:
        """The body.

        Raises:
            ValueError: it is not JSON.
        """
        found = json.loads(self.body)
        json.dumps(found, ensure_ascii=False).encode()  # half a surrogate pair is no text
        return found


Handler = Callable[[Call], Answer]


@dataclass(frozen=True)
class Route:
    """An operation: `role` is what it needs, `rule` what the policy calls it."""

    method: str
    pattern: re.Pattern[str]
    handler: Handler
    role: str
    rule: str


class Service:
    """One service of the cloud.

    Args:
        cloud: the others, and what is remembered.
    """

    prefix: ClassVar[str]
    """Where it is, on this port."""
    tail: ClassVar[str] = ""
    """What the catalog adds."""
    types: ClassVar[tuple[str, str]]
    """Its type in the catalog, and its name."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.store = cloud.store
        self._routes: list[Route] = []

    def route(self, method: str, path: str, handler: Handler, role: str = "reader", rule: str = "") -> None:
        """Serve a path; `{name}` in it is any piece."""
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)
        self._routes.append(Route(method, re.compile(pattern + "/?"), handler, role, rule))

    def find(self, call: Call) -> Route | None:
        """The operation that a call is for."""
        for route in self._routes:
            if route.method == call.method and (found := route.pattern.fullmatch(call.path)):
                call.names = found.groupdict()
                return route
        return None

    def handle(self, call: Call) -> Answer:
        """Answer a call; a refusal is an answer too."""
        try:
            answer = self.enter(call)
            if answer is None:
                route = self.find(call)
                if route is None:
                    answer = self.unknown(call)
                else:
                    if route.role and route.role not in call.caller.roles:
                        raise self.disallowed(route.rule)
                    answer = route.handler(call)
        except ProblemError as error:
            answer = self.problem(error)
        except (ValueError, RecursionError):
            answer = self.problem(bad(self.malformed))
        return self.leave(call, answer)

    malformed: ClassVar[str] = "Malformed request body"
    """What it says of a body that is not JSON."""

    def versions(self, path: str, base: str) -> Answer | None:  # noqa: ARG002  who has them says so
        """The documents that need no token, or None."""
        return None

    def enter(self, call: Call) -> Answer | None:  # noqa: ARG002  as above
        """Look at a call before it is served; an answer ends it."""
        return None

    def leave(self, call: Call, answer: Answer) -> Answer:
        """Add what every answer has."""
        answer.headers.setdefault("x-openstack-request-id", call.request_id)
        return answer

    def unknown(self, call: Call) -> Answer:  # noqa: ARG002  as above
        """The answer for a path that is not served."""
        return self.problem(
            ProblemError(HTTPStatus.NOT_FOUND, "The resource could not be found.", "HTTPNotFound")
        )

    def problem(self, error: ProblemError) -> Answer:
        """A refusal in the service's own shape."""
        raise NotImplementedError

    def disallowed(self, rule: str) -> ProblemError:
        """The policy does not let the caller."""
        raise NotImplementedError

    def resume(self) -> None:
        """Go on with what was under way when the process ended."""

    # Documents

    def owned(self, kind: str, caller: Caller) -> list[Body]:
        """What a project has of a kind."""
        return [body for body in self.store.all(kind) if body.get("project_id") == caller.project_id]


def page(
    call: Call, bodies: list[Body], refusal: Callable[[str], ProblemError], key: str = "id"
) -> tuple[list[Body], str]:
    """The part of a list that `limit` and `marker` ask for, and the query of the next part (empty: the last).

    Raises:
        ProblemError: 400, `limit` is no number; what `refusal` says of an unknown `marker`.
    """
    text, marker = call.text("limit"), call.text("marker")
    if text and (not text.isdigit()):
        raise bad(
            f"limit param must be an integer: {text}"
            if text.lstrip("-").isdigit()
            else "limit param must be an integer"
        )
    limit = min(int(text) if text else MOST_OF_PAGE, MOST_OF_PAGE)
    if marker:
        names = [body[key] for body in bodies]
        if marker not in names:
            raise refusal(marker)
        bodies = bodies[names.index(marker) + 1 :]
    found = bodies[:limit] if limit or text else bodies
    if not found or len(found) < limit:
        return found, ""
    return found, query_of(call, marker=str(found[-1][key]))


def query_of(call: Call, **changes: str) -> str:
    """The query of a call with other parameters in it."""
    from urllib.parse import urlencode  # noqa: PLC0415  two lines use it

    kept = [(name, value) for name, value in call.query if name not in changes]
    return urlencode([*kept, *changes.items()], safe=":/,")


def links_of(call: Call, following: str) -> list[dict[str, str]]:
    """The link to the next part of a list, if there is one."""
    return [{"rel": "next", "href": f"{call.base}{call.path}?{following}"}] if following else []


def without(body: Body, names: Iterable[str]) -> Body:
    """A document without some fields."""
    left_out = set(names)
    return {key: value for key, value in body.items() if key not in left_out}

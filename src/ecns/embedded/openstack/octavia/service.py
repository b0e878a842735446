"""Octavia's manners, and load balancers with all that they are made of.

Whatever changes makes its load balancer `PENDING_UPDATE` for a moment, and meanwhile nothing else of it may
change: that is what clients of a real one must live with.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from ecns.embedded.openstack.errors import ProblemError, bad, conflict, forbidden, missing
from ecns.embedded.openstack.http import Answer
from ecns.embedded.openstack.octavia.flavors import PROVIDER, ROOT, Flavors
from ecns.embedded.openstack.octavia.kinds import KINDS, Kind
from ecns.embedded.openstack.octavia.parts import Balancers
from ecns.embedded.openstack.service import Call, Service, page

if TYPE_CHECKING:
    from collections.abc import Collection

    from ecns.embedded.openstack.cloud import Cloud
    from ecns.embedded.openstack.store import Body

_ABOUT = frozenset({"limit", "marker", "sort", "fields", "page_reverse"})
_SHOWN = frozenset(
    {"id", "project_id", "tenant_id", "provisioning_status", "operating_status", "created_at", "updated_at"}
)


class Octavia(Service):
    """Load balancers."""

    prefix = "/load-balancer"
    types = ("load-balancer", "octavia")
    malformed: ClassVar[str] = "Request is not in valid JSON format"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.flavors = Flavors(self)
        self.balancers = Balancers(self)
        self.route("GET", f"{ROOT}/providers", self._providers)

    def resume(self) -> None:
        """Go on with what was pending."""
        self.balancers.resume()

    # Manners

    def versions(self, path: str, base: str) -> Answer | None:
        """The versions, all of them at one address."""
        if path not in {"", "/", "/v2", "/v2/", "/v2.0", "/v2.0/"}:
            return None
        link = {"rel": "self", "href": f"{base}/v2"}
        found = [
            {
                "id": f"v2.{number}",
                "status": "CURRENT" if number == 27 else "SUPPORTED",  # noqa: PLR2004  the newest
                "updated": "2023-05-04T00:00:00Z",
                "links": [link],
            }
            for number in range(28)
        ]
        return Answer(body={"versions": found})

    def enter(self, call: Call) -> Answer | None:
        """`/v2` is `/v2.0`."""
        if call.path.startswith("/v2/"):
            call.path = f"/v2.0{call.path[3:]}"
        return None

    def unknown(self, call: Call) -> Answer:  # noqa: ARG002  the protocol's
        """As its framework says it."""
        return Answer(HTTPStatus.NOT_FOUND, {"code": 404, "title": "Not Found", "description": ""})

    def problem(self, error: ProblemError) -> Answer:
        """`{"faultcode", "faultstring"}`."""
        server = error.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        said = {
            "faultcode": "Server" if server else "Client",
            "faultstring": error.message,
            "debuginfo": None,
        }
        return Answer(error.status, said)

    def disallowed(self, rule: str) -> ProblemError:  # noqa: ARG002  it never says which
        """The policy does not let the caller."""
        return forbidden("Policy does not allow this request to be performed.")

    @staticmethod
    def over_quota(message: str) -> ProblemError:
        """A quota is used up."""
        return forbidden(message)

    @staticmethod
    def immutable(title: str, identity: str) -> ProblemError:
        """Something of it is pending."""
        return conflict(f"{title} {identity} is immutable and cannot be updated.")

    def _providers(self, _: Call) -> Answer:
        return Answer(body={"providers": [{"name": PROVIDER, "description": PROVIDER}]})

    # For the rooms

    def found(self, call: Call, kind: Kind, identity: str) -> Body:
        """A thing.

        Raises:
            ProblemError: 404, there is none; 403, it is another project's.
        """
        body = self.store.get(kind.plural, identity)
        if body is None:
            raise missing(f"{kind.title} {identity} not found.")
        if not call.caller.sees(body):
            raise self.disallowed("")
        return body

    def listed(
        self,
        call: Call,
        plural: str,
        bodies: list[Body],
        filters: Collection[str],
        *,
        links: str = "",
        key: str = "id",
    ) -> Answer:
        """The part of a list that a query asks for."""
        found = bodies
        for name, text in call.query:
            if name in _ABOUT:
                continue
            field = "project_id" if name == "tenant_id" else name
            if field in {"tags", "tags-any"}:
                wanted = set(text.split(","))
                found = [
                    b
                    for b in found
                    if (wanted <= set(b["tags"]) if field == "tags" else bool(wanted & set(b["tags"])))
                ]
            elif field in filters:
                found = [b for b in found if _equals(b.get(field), text)]
            else:
                raise bad(f"Validation failure: Unknown attribute {name}")
        for piece in reversed([one for one in call.text("sort").split(",") if one]):
            field, _, direction = piece.partition(":")
            found = sorted(found, key=lambda b, field=field: str(b.get(field)), reverse=direction == "desc")  # type: ignore[misc]  # a default binds the field
        found, following = page(
            call, found, lambda marker: missing(f"{plural[:-1]} {marker} not found."), key
        )
        wanted_fields = [value for name, value in call.query if name == "fields"]
        if wanted_fields:
            found = [{name: b[name] for name in b if name in wanted_fields} for b in found]
        href = f"{call.base}{call.path}?{following}"
        next_link = [{"href": href, "rel": "next"}] if following and call.text("limit") else []
        return Answer(body={plural: found, links or f"{plural}_links": next_link})

    def collection(self, call: Call, kind: Kind, bodies: list[Body]) -> Answer:
        """A list of things."""
        return self.listed(call, kind.plural, bodies, {*kind.fields, *_SHOWN})

    def kind(self, plural: str) -> Kind:
        """A kind by its name."""
        return KINDS[plural]


def _equals(value: Any, text: str) -> bool:
    if isinstance(value, bool):
        return str(value).lower() == text.lower()
    return str(value) == text

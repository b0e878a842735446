"""What every handler needs: the store, the caller's token, bodies in and out."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aiohttp import web

from ecns.embedded.keystone.errors import ProblemError, invalid, not_found, unauthorized
from ecns.embedded.keystone.tokens import Seen

if TYPE_CHECKING:
    from ecns.embedded.keystone.store import Body, Store
    from ecns.embedded.keystone.tokens import Tokens

PREFIX = "/identity"
SEEN = web.RequestKey("seen", Seen)
"""The caller's token, in requests that come with one that holds."""


class Api:
    """What the handlers share."""

    def __init__(self, store: Store, tokens: Tokens) -> None:
        self.store = store
        self.tokens = tokens
        self.base = ""
        """The address of the v3 API, known once it listens."""

    def found(self, kind: str, singular: str, identity: str) -> Body:
        """A document.

        Raises:
            ProblemError: 404, there is none.
        """
        body = self.store.get(kind, identity)
        if body is None:
            raise not_found(singular, identity)
        return body

    def linked(self, kind: str, body: Body) -> Body:
        """A document with its address."""
        return {**body, "links": {"self": f"{self.base}/{kind}/{body['id']}"}}

    def page(self, request: web.Request, kind: str, bodies: list[Body]) -> web.Response:
        """A list of documents; `limit` and `marker` cut it as Keystone does."""
        marker = request.query.get("marker")
        if marker is not None:
            ids = [body["id"] for body in bodies]
            if marker not in ids:
                raise invalid(f"Marker {marker} could not be found.")
            bodies = bodies[ids.index(marker) + 1 :]
        following = None
        limit = request.query.get("limit", "")
        if limit.isdigit() and 0 < int(limit) < len(bodies):
            bodies = bodies[: int(limit)]
            query = {**request.query, "marker": bodies[-1]["id"]}
            following = f"{self.base}/{kind}?{'&'.join(f'{key}={value}' for key, value in query.items())}"
        links = {"self": f"{self.base}/{kind}", "previous": None, "next": following}
        return self.json({kind: [self.linked(kind, body) for body in bodies], "links": links})

    @staticmethod
    def json(
        body: Any, status: HTTPStatus = HTTPStatus.OK, headers: dict[str, str] | None = None
    ) -> web.Response:
        """A JSON answer."""
        return web.Response(
            body=json.dumps(body).encode(), status=status, headers=headers, content_type="application/json"
        )


def seen_of(request: web.Request) -> Seen:
    """The caller's token.

    Raises:
        ProblemError: 401, there is none that holds.
    """
    seen: Seen | None = request.get(SEEN)
    if seen is None:
        raise unauthorized()
    return seen


async def json_body(request: web.Request) -> Any:
    """The body.

    Raises:
        ProblemError: 400, it is not JSON.
    """
    try:
        body = json.loads(await request.read())
        json.dumps(body, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except UnicodeEncodeError as error:
        raise invalid("The body holds what is not text.") from error
    except (ValueError, RecursionError) as error:
        raise ProblemError(
            HTTPStatus.BAD_REQUEST, "The server could not comply with the request since it is malformed."
        ) from error
    return body

"""The guard of every operation: product type, token, project, policy, in this order.

Source: reference chapter 1.11; decisions, "Calling".
"""

from __future__ import annotations

import base64
from functools import partial
from typing import TYPE_CHECKING, Any

from litestar.connection import WebSocket

from ecns.api.common.operations import Operations
from ecns.errors import BadRequestError, ForbiddenError
from ecns.server.queries import Queries
from ecns.server.requests import context

if TYPE_CHECKING:
    from litestar.connection import ASGIConnection
    from litestar.handlers import BaseRouteHandler

    from ecns.identity.policy import Policy
    from ecns.identity.tokens import TokenChecker
    from ecns.server.limits import Limits

TOKEN_PROTOCOL = "ecns.token."  # noqa: S105  a prefix, no secret


class Authentication:
    """Lets a request through to its route when its caller may do what it asks for."""

    def __init__(self, tokens: TokenChecker, policy: Policy, limits: Limits) -> None:
        self.tokens = tokens
        self.policy = policy
        self.limits = limits
        self.queries = Queries()

    async def __call__(
        self, connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
    ) -> None:
        """Litestar's guard.

        Raises:
            NotFoundError: the product type does not have the operation.
            BadRequestError: the action is unknown, or a query parameter.
            UnauthorizedError: no token, or none that is valid.
            ForbiddenError: another project's id was sent, or policy refuses.
            TooManyRequestsError: the caller is over a limit.
            UnsupportedMediaTypeError: the body is of a type that the operation does not take.
        """
        operations: Operations | None = handler.opt.get("operations")
        if operations is None:
            return
        seen = context(connection.scope)
        path, headers = connection.path_params, connection.headers
        if seen.caller is None:  # otherwise a stream asks again, and where it is has been found out
            seen.product_type = path.get("product_type", "eks")
            seen.cluster = path.get("cluster_name", headers.get("x-ecns-cluster", ""))
            named_there = path.get("namespace_name", path.get("namespace", ""))
            seen.namespace = named_there or headers.get("x-ecns-namespace", "")
            named = [name for key, name in path.items() if key.endswith("_name") and key != "cluster_name"]
            seen.name = named[-1] if named else ""
        seen.operation = operations.select(seen.product_type, connection.query_params.get("action"))
        caller = await self.tokens.check(token(connection))
        if seen.caller is None:
            seen.open_stream = partial(self.limits.stream, caller.user_id)
        seen.caller = caller
        self.limits.request(caller.user_id)
        project_id = headers.get("x-project-id", "")
        if project_id and project_id != caller.project_id and not self.policy.is_cloud_admin(caller):
            raise ForbiddenError("X-Project-Id is not the project of the token")
        self.policy.check(seen.operation, caller, {"project_id": caller.project_id})
        self.queries.refuse_unknown(connection, handler)
        seen.take_body(operations.body)


def token(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """The token that a request brings: in `X-Auth-Token`; a WebSocket may have it in a subprotocol.

    Pages in a browser cannot set headers of a WebSocket. Among their subprotocols is then
    `ecns.token.<token in base64url, without padding>`, as Kubernetes has it; it is never answered.
    """
    sent = connection.headers.get("x-auth-token", "")
    if sent or not isinstance(connection, WebSocket):
        return sent
    for protocol in connection.scope["subprotocols"]:
        if protocol.startswith(TOKEN_PROTOCOL):
            encoded = protocol.removeprefix(TOKEN_PROTOCOL)
            padded = encoded + "=" * (-len(encoded) % 4)
            try:
                return base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
            except ValueError:
                raise BadRequestError(f"the subprotocol {TOKEN_PROTOCOL}… is not base64url") from None
    return ""

"""The guard of every operation: product type, token, project, policy, in this order.

Source: reference chapter 1.11; decisions, "Calling".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecns.api.common.operations import Operations
from ecns.errors import ForbiddenError
from ecns.server.requests import context

if TYPE_CHECKING:
    from litestar.connection import ASGIConnection
    from litestar.handlers import BaseRouteHandler

    from ecns.identity.policy import Policy
    from ecns.identity.tokens import TokenChecker
    from ecns.server.limits import Limits


class Authentication:
    """Lets a request through to its route when its caller may do what it asks for."""

    def __init__(self, tokens: TokenChecker, policy: Policy, limits: Limits) -> None:
        self.tokens = tokens
        self.policy = policy
        self.limits = limits

    async def __call__(
        self, connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
    ) -> None:
        """Litestar's guard.

        Raises:
            NotFoundError: the product type does not have the operation.
            BadRequestError: the action is unknown.
            UnauthorizedError: no token, or none that is valid.
            ForbiddenError: another project's id was sent, or policy refuses.
            TooManyRequestsError: the caller is over a limit.
        """
        operations: Operations | None = handler.opt.get("operations")
        if operations is None:
            return
        seen = context(connection.scope)
        seen.product_type = connection.path_params.get("product_type", "eks")
        path, headers = connection.path_params, connection.headers
        seen.cluster = path.get("cluster_name", headers.get("x-ecns-cluster", ""))
        seen.namespace = path.get("namespace_name", headers.get("x-ecns-namespace", ""))
        seen.name = next(
            (name for key, name in path.items() if key.endswith("_name") and key != "cluster_name"), ""
        )
        seen.operation = operations.select(seen.product_type, connection.query_params.get("action"))
        caller = await self.tokens.check(connection.headers.get("x-auth-token", ""))
        seen.caller = caller
        self.limits.request(caller.user_id)
        project_id = connection.headers.get("x-project-id", "")
        if project_id and project_id != caller.project_id and not self.policy.is_cloud_admin(caller):
            raise ForbiddenError("X-Project-Id is not the project of the token")
        self.policy.check(seen.operation, caller, {"project_id": caller.project_id})
        if operations.stream:
            seen.at_end = self.limits.stream(caller.user_id)
            seen.unlimited()

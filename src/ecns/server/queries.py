"""Parameters of the query string that an operation does not have: refused, never passed over.

A filter that is misspelled would show everything, a `dryrun` change something.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecns.errors import BadRequestError

if TYPE_CHECKING:
    from litestar.connection import ASGIConnection
    from litestar.handlers import BaseRouteHandler

AGAINST_CACHES = frozenset({"t", "ts", "timestamp"})
"""What pages put into addresses so that no cache answers, as are all names that begin with `_`."""


class Queries:
    """Knows the query parameters of each operation."""

    def __init__(self) -> None:
        self._known: dict[tuple[BaseRouteHandler, frozenset[str]], frozenset[str]] = {}

    def refuse_unknown(
        self, connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
    ) -> None:
        """Refuse a request with a query parameter that its operation does not have.

        Raises:
            BadRequestError: there is one; `field` is its name.
        """
        sent = connection.query_params
        if not sent:
            return
        path = connection.path_params
        if (known := self._known.get((handler, frozenset(path)))) is None:
            expected = handler.create_kwargs_model(path).expected_query_params
            own = {one.field_alias for one in expected}
            if "" not in handler.opt["operations"].by_action:
                own.add("action")  # where there is one alone, the operation does not ask which
            known = self._known[handler, frozenset(path)] = frozenset(own)
        for name in sent:
            if name not in known and name not in AGAINST_CACHES and not name.startswith("_"):
                there = ", ".join(sorted(known)) or "none"
                raise BadRequestError(
                    f"query parameter {name[:80]!r} is unknown; there are {there}", field=name[:80]
                )

"""The cloud: its services, what they remember, and what is still to happen."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ecns.embedded.openstack.cinder import Cinder
from ecns.embedded.openstack.errors import ProblemError
from ecns.embedded.openstack.glance import Glance
from ecns.embedded.openstack.heat import Heat
from ecns.embedded.openstack.http import JSON, Answer, Request
from ecns.embedded.openstack.neutron import Neutron
from ecns.embedded.openstack.nova import Nova
from ecns.embedded.openstack.octavia import Octavia
from ecns.embedded.openstack.service import Call, Service

if TYPE_CHECKING:
    from ecns.embedded.openstack.callers import Caller, Tokens
    from ecns.embedded.openstack.store import Store

_log = logging.getLogger(__name__)
SERVICES: tuple[type[Service], ...] = (Nova, Neutron, Cinder, Glance, Octavia, Heat)


class Cloud:
    """All services over one store.

    Args:
        store: what is remembered.
        tokens: tell who calls.
        challenge: Keystone's address, for those who come without a token.
    """

    def __init__(self, store: Store, tokens: Tokens | None = None, challenge: str = "") -> None:
        self.store = store
        self._tokens = tokens
        self._challenge = challenge
        self._timers: set[asyncio.TimerHandle] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.nova = Nova(self)
        self.neutron = Neutron(self)
        self.cinder = Cinder(self)
        self.glance = Glance(self)
        self.octavia = Octavia(self)
        self.heat = Heat(self)
        self.services: tuple[Service, ...] = (
            self.nova,
            self.neutron,
            self.cinder,
            self.glance,
            self.octavia,
            self.heat,
        )

    def resume(self) -> None:
        """Go on with what was under way when the process ended."""
        for service in self.services:
            service.resume()

    def stop(self) -> None:
        """Let nothing more happen."""
        for timer in self._timers:
            timer.cancel()
        for task in self.tasks:
            task.cancel()

    def later(self, seconds: float, step: Callable[..., None], *arguments: Any) -> None:
        """Do something after a while; `resume` of its service must find it again."""

        def due() -> None:
            self._timers.discard(timer)
            try:
                step(*arguments)
            except Exception:  # noqa: BLE001  a fault of ours must not end the others
                _log.exception("%s failed", step)

        timer = asyncio.get_running_loop().call_later(seconds, due)
        self._timers.add(timer)

    # Requests

    async def answer(self, request: Request) -> Answer:
        """Answer a request of HTTP."""
        method = "GET" if request.method == "HEAD" else request.method
        service = next(
            (s for s in self.services if request.path == s.prefix or request.path.startswith(f"{s.prefix}/")),
            None,
        )
        if service is None:
            return self._start(request)
        base = f"http://{request.host}{service.prefix}"
        path = request.path[len(service.prefix) :]
        if method == "GET" and (found := service.versions(path, base)) is not None:
            return found
        try:
            assert self._tokens is not None  # noqa: S101  a server has them
            caller = await self._tokens.caller(request.headers.get("x-auth-token", ""))
        except ProblemError as error:
            return self._unauthorized(error)
        call = Call(
            caller,
            method,
            path.removesuffix("/") or "/",
            request.query,
            request.headers,
            request.body,
            base,
        )
        return service.handle(call)

    def _unauthorized(self, error: ProblemError) -> Answer:
        status = HTTPStatus(error.status)
        headers = {}
        if status == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = f'Keystone uri="{self._challenge}"'
        said = {"code": int(status), "title": status.phrase, "message": error.message}
        return Answer(status, {"error": said}, headers)

    def _start(self, request: Request) -> Answer:
        if request.path != "/":
            return Answer(
                HTTPStatus.NOT_FOUND, {"error": {"code": 404, "title": "Not Found", "message": request.path}}
            )
        base = f"http://{request.host}"
        return Answer(body={service.types[1]: base + service.prefix for service in self.services})

    def call(
        self, caller: Caller, service: Service, method: str, path: str, body: Any = None, **headers: str
    ) -> Any:
        """A call of one service by another, as `caller`; the decoded body.

        Raises:
            ProblemError: it is refused; the message is the service's.
        """
        path, _, query = path.partition("?")
        pairs = [tuple(pair.split("=", 1)) for pair in query.split("&") if pair]
        raw = b"" if body is None else json.dumps(body).encode()
        sent = {"content-type": JSON, **headers}
        call = Call(caller, method, path, pairs, sent, raw)  # type: ignore[arg-type]  # of two pieces
        service.enter(call)
        route = service.find(call)
        if route is None:
            raise ProblemError(HTTPStatus.NOT_FOUND, f"{method} {path}")
        if route.role and route.role not in caller.roles:
            raise service.disallowed(route.rule)
        return route.handler(call).body

    def owner(self, body: dict[str, Any]) -> Caller:
        """Whoever made a thing, to go on with it when nobody calls."""
        from ecns.embedded.openstack.callers import Caller  # noqa: PLC0415  two lines use it

        return Caller(body["user_id"], "", body["project_id"], roles=frozenset({"member", "reader"}))

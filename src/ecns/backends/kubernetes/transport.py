"""HTTP towards one cluster: connections, credentials, retries, streams and WebSockets.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
import msgspec
from multidict import CIMultiDict
from yarl import URL

from ecns.backends.common.breaker import Breaker
from ecns.backends.kubernetes.credentials import Access, Credentials
from ecns.backends.kubernetes.errors import status_error, transport_error
from ecns.errors import (
    BadRequestError,
    EcnsError,
    ForbiddenError,
    TooManyRequestsError,
    UpstreamUnavailableError,
)

CONCURRENCY = 64
"""Requests at a time to one cluster, streams aside: an API server's own limit is about 600 for everybody."""
CONNECT_SECONDS = 5.0
KEEPALIVE_SECONDS = 15.0
"""Shorter than what load balancers keep, so that no request meets a connection that is about to close."""
LONGEST_WAIT = 5.0
"""Seconds of a `Retry-After` that are waited for; more is the caller's business."""
WAITS = 2
"""How often a refused GET waits for `Retry-After`."""
PIECE = 64 * 1024
"""Bytes of a stream that are read at once, at most."""
MESSAGE_BYTES = 16 * 1024 * 1024
"""Longest WebSocket message: a terminal's output comes in pieces of 32 KiB, files pasted in larger ones."""
CLOSE_SECONDS = 2.0
"""How long a WebSocket waits for the other side to close it, too."""
ALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
"""Seconds, seconds and times: so a silent stream notices that the other side is gone without a word."""
EXEC_PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")

Query = Iterable[tuple[str, str]]

_LIMITS = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
_BROKEN = (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError)
_CAUGHT = (aiohttp.ClientError, OSError, TimeoutError)


class Impersonation(msgspec.Struct, frozen=True, tag=True):
    """As whom a request is made; the cluster's own rules and audit log then know the caller.

    Source: https://kubernetes.io/docs/reference/access-authn-authz/user-impersonation/
    """

    user: str
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, str], ...] = ()

    def headers(self) -> list[tuple[str, str]]:
        """As HTTP headers.

        Raises:
            BadRequestError: a name has characters that no header can carry.
        """
        pairs = [("Impersonate-User", self.user)]
        pairs += [("Impersonate-Group", group) for group in self.groups]
        pairs += [(f"Impersonate-Extra-{quote(key, safe='')}", value) for key, value in self.extra]
        if not self.user or not all(value.isprintable() for _, value in pairs):
            raise BadRequestError("the caller's name or groups cannot be told to a cluster")
        return pairs


class Bearer(msgspec.Struct, frozen=True, tag=True):
    """A request made with the caller's own token, for clusters that trust whoever issued it."""

    token: str

    def headers(self) -> list[tuple[str, str]]:
        """As HTTP headers."""
        return [("Authorization", f"Bearer {self.token}")]

    def __repr__(self) -> str:
        return "Bearer(…)"


Actor = Impersonation | Bearer
"""As whom a change is made."""


class Stream:
    """An answer that comes in pieces: logs, watches."""

    def __init__(self, cluster: str, response: aiohttp.ClientResponse) -> None:
        self._cluster = cluster
        self._response = response
        self.status = response.status

    async def read(self) -> bytes:
        """The next piece; empty at the end. Raises as iterating does."""
        try:
            return await self._response.content.read(PIECE)
        except _CAUGHT as error:
            raise transport_error(self._cluster, error) from error

    def close(self) -> None:
        """Read no more; the connection is closed, unless all was read."""
        self._response.close()

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The pieces as they arrive, in no particular cut.

        Raises:
            UpstreamTimeoutError: nothing came for longer than the stream may be silent.
            UpstreamUnavailableError: the connection broke.
        """
        return self._pieces()

    async def _pieces(self) -> AsyncIterator[bytes]:
        while piece := await self.read():
            yield piece


class Transport:
    """One cluster.

    Args:
        name: for messages.
        credentials: where it is and who we are.
        timeout: seconds for one call that is no stream, retries and waiting included.
        concurrency: calls at a time; more wait.
    """

    def __init__(
        self, name: str, credentials: Credentials, *, timeout: float = 20.0, concurrency: int = CONCURRENCY
    ) -> None:
        self.name = name
        self.credentials = credentials
        self.timeout = timeout
        self.breaker = Breaker()
        self.epoch = 0
        """Counts the changes of the server's address: what was read from another cluster means nothing."""
        self._server = credentials.server
        self._slots = asyncio.Semaphore(concurrency)
        self._sessions: tuple[aiohttp.ClientSession, aiohttp.ClientSession] | None = None

    async def close(self) -> None:
        """Close all connections."""
        if self._sessions is not None:
            for session in reversed(self._sessions):
                await session.close()
            self._sessions = None

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Query = (),
        body: bytes | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        actor: Actor | None = None,
        background: bool = False,
    ) -> bytes:
        """One call and its whole answer.

        A GET is tried again when the connection breaks, and after `Retry-After`; what changes something only
        when it surely did not reach the cluster.

        Args:
            method: HTTP's.
            path: below the server's address, quoted.
            query: parameters, not quoted.
            body: as sent.
            content_type: of the body.
            accept: of the answer.
            actor: as whom; None: ECNS itself.
            background: nobody waits for it, so it may find out whether a cluster is up again.

        Raises:
            EcnsError: see `status_error` and `transport_error`.
        """
        if not background:
            self.breaker.check()
        safe = method in {"GET", "HEAD"}
        headers = [("Accept", accept)]
        if body is not None:
            headers.append(("Content-Type", content_type))
        target = _target(path, query)
        try:
            async with asyncio.timeout(self.timeout), self._slots:
                again = safe
                while True:
                    try:
                        response = await self._send(method, target, headers, body, actor, wait=safe)
                        async with response:
                            return await response.read()
                    except _BROKEN:
                        if not again:
                            raise
                        again = False
        except _CAUGHT as error:
            raise self._failed(error, sent=not safe) from error

    @contextlib.asynccontextmanager
    async def stream(self, method: str, path: str, **options: Any) -> AsyncIterator[Stream]:
        """As `open`; closed with the block."""
        stream = await self.open(method, path, **options)
        try:
            yield stream
        finally:
            stream.close()

    async def open(
        self,
        method: str,
        path: str,
        *,
        query: Query = (),
        accept: str = "application/json, */*",
        actor: Actor | None = None,
        silence: float | None = None,
        buffer: int | None = None,
        background: bool = False,
    ) -> Stream:
        """An answer of any length, piece by piece; to be closed by who asked for it.

        Args:
            method: HTTP's.
            path: below the server's address, quoted.
            query: parameters, not quoted.
            accept: of the answer.
            actor: as whom; None: ECNS itself.
            silence: seconds without a byte after which it counts as cut; None: any.
            buffer: bytes that wait to be read, about; then the cluster is made to wait.
            background: as of `request`.

        Raises:
            EcnsError: what the cluster refuses with; while reading what cuts the stream.
        """
        if not background:
            self.breaker.check()
        limits = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=silence)
        try:
            async with asyncio.timeout(self.timeout):
                response = await self._send(
                    method,
                    _target(path, query),
                    [("Accept", accept)],
                    None,
                    actor,
                    wait=False,
                    limits=limits,
                    buffer=buffer,
                )
        except _CAUGHT as error:
            raise self._failed(error) from error
        transport = response.connection and response.connection.transport
        if buffer and (limit := getattr(transport, "set_read_buffer_limits", None)) is not None:
            limit(high=buffer)  # of TLS: it would hold half a MiB beside what we do
        return Stream(self.name, response)

    @contextlib.asynccontextmanager
    async def websocket(
        self,
        path: str,
        *,
        query: Query = (),
        actor: Actor | None = None,
        protocols: tuple[str, ...] = EXEC_PROTOCOLS,
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """A WebSocket, such as of exec or attach; its `protocol` is what the cluster chose.

        Raises:
            EcnsError: the cluster refuses, with its reason.
        """
        self.breaker.check()
        target = _target(path, query)
        try:
            async with asyncio.timeout(self.timeout):
                access = await self._access(actor)
                try:
                    socket = await self._upgraded(access, target, protocols, actor)
                except _RefusedError as refused:
                    if refused.status != 401 or not await self._renew(access, actor):  # noqa: PLR2004  HTTP's
                        raise
                    socket = await self._upgraded(await self._access(actor), target, protocols, actor)
        except _RefusedError as refused:
            raise self._refusal(refused.status, refused.body, None, actor) from None
        except _CAUGHT as error:
            raise self._failed(error) from error
        self.breaker.succeeded()
        try:
            yield socket
        finally:
            await socket.close()

    # The way there

    async def _upgraded(
        self, access: Access, target: str, protocols: tuple[str, ...], actor: Actor | None
    ) -> aiohttp.ClientWebSocketResponse:
        return await self._session()[1].ws_connect(
            URL(access.server + target, encoded=True),
            protocols=protocols,
            headers=self._headers(access, [], actor),
            ssl=access.ssl,
            server_hostname=access.server_hostname,
            proxy=access.proxy,
            max_msg_size=MESSAGE_BYTES,
            timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_SECONDS),
        )

    async def _send(
        self,
        method: str,
        target: str,
        headers: list[tuple[str, str]],
        body: bytes | None,
        actor: Actor | None,
        *,
        wait: bool,
        limits: aiohttp.ClientTimeout | None = None,
        buffer: int | None = None,
    ) -> aiohttp.ClientResponse:
        """A successful answer, its body still to be read."""
        session = self._session()[0]
        reconnect = renew = True
        waits = WAITS if wait else 0
        while True:
            access = await self._access(actor)
            try:
                response = await session.request(
                    method,
                    URL(access.server + target, encoded=True),
                    data=body,
                    headers=self._headers(access, headers, actor),
                    ssl=access.ssl,
                    server_hostname=access.server_hostname,
                    proxy=access.proxy,
                    allow_redirects=False,
                    timeout=limits or _LIMITS,
                    read_bufsize=buffer,
                )
            except aiohttp.ClientConnectorError as error:
                if isinstance(error, aiohttp.ClientSSLError) or not reconnect:
                    raise
                self.breaker.failed(transport_error(self.name, error))
                reconnect = False
                continue
            self.breaker.succeeded()
            if response.status < 300:  # noqa: PLR2004  HTTP's successes
                return response
            async with response:
                said = await response.read()
            if response.status == 401 and renew and await self._renew(access, actor):  # noqa: PLR2004  HTTP's
                renew = False
                continue
            refusal = self._refusal(response.status, said, response.headers, actor)
            if not waits or not (delay := _delay(refusal)):
                raise refusal
            waits -= 1
            await asyncio.sleep(delay)

    async def _access(self, actor: Actor | None) -> Access:
        access = await self.credentials.access()
        if isinstance(actor, Bearer):
            access = self.credentials.without(access)
        if access.server != self._server:
            self._server = access.server
            self.epoch += 1
        return access

    async def _renew(self, access: Access, actor: Actor | None) -> bool:
        """After a 401: whether ECNS has newer credentials. A caller's token is the caller's to renew."""
        return not isinstance(actor, Bearer) and await self.credentials.renew(access)

    def _refusal(
        self, status: int, body: bytes, headers: Mapping[str, str] | None, actor: Actor | None
    ) -> EcnsError:
        if status == 401 and isinstance(actor, Bearer):  # noqa: PLR2004  HTTP's
            return ForbiddenError(f"cluster {self.name} does not accept the token of this request")
        return status_error(self.name, status, body, headers, impersonated=actor is not None)

    def _headers(
        self, access: Access, headers: list[tuple[str, str]], actor: Actor | None
    ) -> CIMultiDict[str]:
        return CIMultiDict((*headers, *access.headers, *(actor.headers() if actor else access.impersonation)))

    def _session(self) -> tuple[aiohttp.ClientSession, aiohttp.ClientSession]:
        """Two sessions on one pool: the second tells why a WebSocket was refused."""
        if self._sessions is None:
            connector = aiohttp.TCPConnector(
                limit=0,
                keepalive_timeout=KEEPALIVE_SECONDS,
                ttl_dns_cache=10,
                socket_factory=_socket,
            )
            common: dict[str, Any] = {
                "connector": connector,
                "cookie_jar": aiohttp.DummyCookieJar(),
                "timeout": _LIMITS,
                # Not compressed: on a cloud's own network unpacking costs more than it saves.
                "headers": {"Accept-Encoding": "identity", "User-Agent": "ecns"},
                "read_bufsize": 2**18,
            }
            self._sessions = (
                aiohttp.ClientSession(**common),
                aiohttp.ClientSession(**common, connector_owner=False, middlewares=(_told,)),
            )
        return self._sessions

    def _failed(self, error: Exception, *, sent: bool = False) -> EcnsError:
        unsent = isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
        failure = transport_error(self.name, error, sent=sent and not unsent)
        self.breaker.failed(failure)
        return failure


class _RefusedError(Exception):
    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


async def _told(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep the body of a refused upgrade, which aiohttp does not."""
    response = await handler(request)
    if response.status != 101:  # noqa: PLR2004  HTTP's "Switching Protocols"
        raise _RefusedError(response.status, await response.read())
    return response


def _socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """A socket that asks a silent other side whether it is still there."""
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in ALIVE.items():
        if (option := getattr(socket, name, None)) is not None:  # not every system has all of them
            made.setsockopt(socket.IPPROTO_TCP, option, value)
    return made


def _target(path: str, query: Query) -> str:
    encoded = urlencode(list(query), quote_via=quote)
    return f"{path}?{encoded}" if encoded else path


def _delay(error: EcnsError) -> float:
    """Seconds after which it is worth trying again; 0: not soon."""
    if not isinstance(error, TooManyRequestsError | UpstreamUnavailableError):
        return 0.0
    wait = error.headers.get("Retry-After", "")
    return float(wait) if wait.isdigit() and float(wait) <= LONGEST_WAIT else 0.0

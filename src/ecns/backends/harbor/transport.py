"""HTTP towards Harbor: connections, our account, and what may be tried again.

Harbor sets a cookie with nearly every answer and refuses every change of a client that sends it back, so none
is kept. A wrong password is no account to Harbor, not an error: `Harbor.verify` tells.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import msgspec
from multidict import CIMultiDictProxy
from yarl import URL

from ecns.backends.common.breaker import Breaker
from ecns.backends.common.errors import transport_error
from ecns.backends.harbor.errors import HARBOR, UPSTREAM
from ecns.config import ConfigError
from ecns.config import Harbor as Settings
from ecns.errors import UpstreamError, UpstreamTimeoutError

CONNECTIONS = 32
"""Calls under way at one time; more wait here and not in Harbor. Long bodies have others."""
CONNECT_SECONDS = 5.0
KEEPALIVE_SECONDS = 15.0
RETRY_SECONDS = 0.2
CHECKED = 20 * 1024 * 1024
"""Bytes of a long body that Harbor is trusted to check and to move to its store in a second."""
_BROKEN = (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError)
_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
"""What may be sent again when the connection broke: a POST may have been done."""
_AWAY = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})


class Flow(msgspec.Struct, frozen=True):
    """A long body, which is sent for as long as the other side takes some of it now and then."""

    size: int
    pieces: Callable[[], AsyncIterable[bytes]]
    """Each of up to 256 KiB: what is less is not seen to be taken."""


class Account(msgspec.Struct, frozen=True):
    """Who we are."""

    username: str
    password: str

    @property
    def header(self) -> str:
        """The value of `Authorization`."""
        both = f"{self.username}:{self.password}"
        return f"Basic {base64.b64encode(both.encode()).decode()}"

    def __repr__(self) -> str:
        return f"Account({self.username})"


class Answer(msgspec.Struct, frozen=True):
    """A whole answer."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes
    repeated: bool
    """It is the answer to a second attempt: the first may have been done."""

    @property
    def ok(self) -> bool:
        """Whether the status is one of success."""
        return self.status < HTTPStatus.MULTIPLE_CHOICES


class Transport:
    """Connections to one Harbor; belongs to the event loop of its first call.

    Args:
        settings: where it is and who we are there.

    Raises:
        ConfigError: a file of the settings cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.url = settings.url.rstrip("/")
        if urlsplit(self.url).scheme not in {"http", "https"} or not urlsplit(self.url).hostname:
            raise ConfigError(f"harbor.url: {settings.url!r} is not an http or https address")
        if ":" in settings.username:
            raise ConfigError("harbor.username: has a colon, which HTTP cannot carry")
        try:
            self._tls = ssl.create_default_context(cafile=settings.ca_file) if settings.ca_file else True
        except OSError as error:
            raise ConfigError(f"harbor.ca_file: {settings.ca_file}: {error.strerror or error}") from error
        self.account = self._read(settings.password_file)
        self.breaker = Breaker()
        self._sessions: tuple[aiohttp.ClientSession, aiohttp.ClientSession] | None = None
        """For calls, and for long bodies, which hold no calls up."""

    def _read(self, file: Path | None) -> Account | None:
        if not self.settings.username:
            return None
        try:
            password = file.read_text().rstrip("\r\n") if file else ""
        except (OSError, ValueError) as error:
            raise ConfigError(f"harbor.password_file: {file} cannot be read") from error
        return Account(self.settings.username, password)

    def reread(self) -> bool:
        """Read the password again; whether it is another one."""
        try:
            account = self._read(self.settings.password_file)
        except ConfigError:
            return False
        changed, self.account = account != self.account, account
        return changed

    async def close(self) -> None:
        """Close all connections."""
        sessions, self._sessions = self._sessions or (), None
        for session in sessions:
            await session.close()

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | Flow = b"",
        redirects: bool = False,
    ) -> Answer:
        """One request and its whole answer, whatever its status.

        What changes nothing, or the same when done twice, is sent again once when the connection broke or
        something between says that Harbor is away; a POST only if it was certainly not received; a long body
        never. What got no answer in time is not sent again: that would only take as long once more.

        Args:
            method: of HTTP.
            url: encoded, sent as it is.
            headers: with the credentials.
            body: of the request.
            redirects: follow them, as a registry with an object store answers.

        Raises:
            UpstreamError: there was no whole answer, or Harbor is known to be down.
        """
        self.breaker.check()
        again = not isinstance(body, Flow)
        repeatable = again and method in _REPEATABLE
        for repeated in (False, True):
            try:
                answer = await self._answered(
                    method, url, headers, body, redirects=redirects, repeated=repeated
                )
            except (aiohttp.ClientError, OSError, ValueError) as error:
                unsent = isinstance(error, aiohttp.ClientConnectorError)
                safe = again and unsent and not isinstance(error, aiohttp.ClientSSLError)
                if repeated or not (safe or (repeatable and isinstance(error, _BROKEN))):
                    raise self._failed(error, method, body) from error
            else:
                self.breaker.succeeded()
                if repeated or not repeatable or answer.status not in _AWAY:
                    return answer
            await asyncio.sleep(RETRY_SECONDS)
        raise AssertionError("unreachable")  # pragma: no cover

    async def _answered(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | Flow,
        *,
        redirects: bool,
        repeated: bool,
    ) -> Answer:
        loop, flow = asyncio.get_running_loop(), body if isinstance(body, Flow) else None
        patience = self._patience(body)
        async with asyncio.timeout(patience) as guard:

            async def pieces(flow: Flow) -> AsyncIterator[bytes]:
                async for piece in flow.pieces():
                    guard.reschedule(loop.time() + patience)
                    yield piece
                guard.reschedule(loop.time() + patience + flow.size / CHECKED)

            async with self._connections(flow).request(
                method,
                URL(url, encoded=True),
                headers=headers if flow is None else {**headers, "Content-Length": str(flow.size)},
                data=body or None if flow is None else pieces(flow),
                allow_redirects=redirects,
                max_redirects=3,
            ) as response:
                answer = Answer(response.status, response.headers, await response.read(), repeated)
                if flow is not None and not answer.ok:
                    # It may have been refused before all of it was sent, which nobody reads then.
                    response.close()
                return answer

    def _patience(self, body: bytes | Flow) -> float:
        """Seconds for a call, or those in which something of a long body is taken."""
        return self.settings.stall_timeout if isinstance(body, Flow) else self.settings.timeout

    def _failed(self, error: Exception, method: str, body: bytes | Flow) -> UpstreamError:
        sent = method not in {"GET", "HEAD"} and not isinstance(body, Flow)
        sent = sent and not isinstance(error, aiohttp.ClientConnectorError)
        failure = transport_error(HARBOR, error, upstream=UPSTREAM, sent=sent, seconds=self._patience(body))
        if isinstance(failure, UpstreamTimeoutError):
            # One that refuses says so at once, and pushes go on as soon as it has started again.
            self.breaker.failed(failure)
        return failure

    def _connections(self, flow: Flow | None) -> aiohttp.ClientSession:
        if self._sessions is None:
            self._sessions = (self._opened(CONNECTIONS), self._opened(0))
        return self._sessions[flow is not None]

    def _opened(self, limit: int) -> aiohttp.ClientSession:
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=limit, ssl=self._tls, keepalive_timeout=KEEPALIVE_SECONDS),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=True,
            headers={"User-Agent": "ecns"},
        )
        # It would send again by itself, even a body that is read already, and tell nobody.
        session._retry_connection = False  # noqa: SLF001  there is no other way to say so
        return session

"""HTTP towards Harbor: connections, our account, and what may be tried again.

Harbor sets a cookie with nearly every answer and refuses every change of a client that sends it back, so none
is kept. A wrong password is no account to Harbor, not an error: `Harbor.verify` tells.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterable, Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import msgspec
from multidict import CIMultiDictProxy
from yarl import URL

from ecns.backends.harbor.errors import transport_error
from ecns.config import ConfigError
from ecns.config import Harbor as Settings

CONNECTIONS = 32
"""Calls under way at one time; more wait here and not in Harbor."""
CONNECT_SECONDS = 5.0
KEEPALIVE_SECONDS = 15.0
RETRY_SECONDS = 0.2
_BROKEN = (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError)
_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
"""What may be sent again when the connection broke: a POST may have been done."""
_AWAY = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})
Body = bytes | Callable[[], AsyncIterable[bytes]]
"""A whole body, or what gives its pieces anew for each attempt."""


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
        self._session: aiohttp.ClientSession | None = None

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
        if self._session is not None:
            await self._session.close()
            self._session = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """The connections."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=CONNECTIONS, ssl=self._tls, keepalive_timeout=KEEPALIVE_SECONDS
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=True,
                headers={"User-Agent": "ecns"},
            )
            # It would send again by itself, even a body that is read already, and tell nobody.
            self._session._retry_connection = False  # noqa: SLF001  there is no other way to say so
        return self._session

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: Body = b"",
        timeout: aiohttp.ClientTimeout | None = None,  # noqa: ASYNC109  aiohttp's own
        redirects: bool = False,
        repeat: bool = True,
    ) -> Answer:
        """One request and its whole answer, whatever its status.

        What changes nothing, or the same when done twice, is sent again once when the connection broke or
        something between says that Harbor is away; a POST only if it was certainly not received.

        Args:
            method: of HTTP.
            url: encoded, sent as it is.
            headers: with the credentials.
            body: of the request.
            timeout: other than the settings'.
            redirects: follow them, as a registry with an object store answers.
            repeat: send again what may be.

        Raises:
            UpstreamError: there was no whole answer.
        """
        limits = timeout or aiohttp.ClientTimeout(total=self.settings.timeout, sock_connect=CONNECT_SECONDS)
        repeatable = repeat and method in _REPEATABLE
        for repeated in (False, True):
            try:
                async with self.session.request(
                    method,
                    URL(url, encoded=True),
                    headers=headers,
                    data=body() if callable(body) else body or None,
                    allow_redirects=redirects,
                    max_redirects=3,
                    timeout=limits,
                ) as response:
                    answer = Answer(response.status, response.headers, await response.read(), repeated)
                    if callable(body) and not answer.ok:
                        # It may have been refused before all of it was sent, which nobody reads then.
                        response.close()
            except aiohttp.ClientConnectorError as error:
                if repeated or not repeat or isinstance(error, aiohttp.ClientSSLError):
                    raise transport_error(error) from error
            except _BROKEN as error:
                if repeated or not repeatable:
                    raise transport_error(error) from error
            except (aiohttp.ClientError, OSError, ValueError) as error:
                raise transport_error(error) from error
            else:
                if repeated or not repeatable or answer.status not in _AWAY:
                    return answer
            await asyncio.sleep(RETRY_SECONDS)
        raise AssertionError("unreachable")  # pragma: no cover

"""HTTP towards one OpenStack service: connections, limits, retries and what its refusals mean."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import msgspec
from yarl import URL

from ecns.backends.common.breaker import Breaker
from ecns.backends.common.errors import transport_error
from ecns.backends.openstack import errors
from ecns.config import ConfigError
from ecns.errors import EcnsError, TooManyRequestsError, UpstreamInvalidError, UpstreamUnavailableError

CONNECTIONS = 64
"""Calls of one service at a time; more wait, within their timeout. One that hangs holds no others up."""
CONNECT_SECONDS = 5.0
KEEPALIVE_SECONDS = 15.0
"""Shorter than what load balancers keep, so that no request meets a connection that is about to close."""
LONGEST_WAIT = 5.0
"""Seconds of a `Retry-After` that are waited for; more is the caller's business."""
WAITS = 2
"""How often a refused GET waits for `Retry-After`."""

_BROKEN = (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError)
_CAUGHT = (aiohttp.ClientError, OSError, TimeoutError, ValueError)

T = TypeVar("T")
Refusal = Callable[[int, Mapping[str, str], bytes], EcnsError]


def trust(ca_file: Path | None, key: str = "identity.ca_file") -> ssl.SSLContext | bool:
    """Whom to trust: the authorities in a PEM file, or the system's.

    Raises:
        ConfigError: the file cannot be read or holds no certificate.
    """
    try:
        return ssl.create_default_context(cafile=ca_file) if ca_file else True
    except OSError as error:
        raise ConfigError(f"{key}: {ca_file}: {error.strerror or error}") from error


class Answer(msgspec.Struct, frozen=True):
    """A successful answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Wire:
    """One service, wherever its addresses lead; belongs to the event loop of its first call.

    Args:
        where: the service as a person calls it, such as `Nova`.
        timeout: seconds for one call, connecting, waiting and retries included.
        tls: as of `trust`.
        refusal: the error for an answer that is no success; None: the usual one.
    """

    def __init__(
        self,
        where: str,
        *,
        timeout: float,
        tls: ssl.SSLContext | bool = True,
        refusal: Refusal | None = None,
    ) -> None:
        self.where = where
        self.upstream = where.lower()
        self.timeout = timeout
        self.breaker = Breaker()
        self._tls = tls
        self._refusal = refusal or self._usual
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        """One call and its whole answer.

        A GET is tried again when the connection breaks, and after `Retry-After`; what changes something only
        when it surely did not reach the service.

        Args:
            method: HTTP's.
            url: with its query, quoted.
            headers: more of them.
            body: JSON.

        Raises:
            EcnsError: the service refuses; see `errors.refusal`.
            UpstreamUnavailableError: it cannot be reached, or is known to be down.
            UpstreamTimeoutError: it did not answer in time.
            UpstreamInvalidError: what answers is not HTTP.
        """
        self.breaker.check()
        safe = method in {"GET", "HEAD"}
        sent = dict(headers or {})
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        try:
            async with asyncio.timeout(self.timeout):
                again = safe
                while True:
                    try:
                        return await self._answered(method, URL(url, encoded=True), sent, body, wait=safe)
                    except _BROKEN:
                        if not again:
                            raise
                        again = False
        except _CAUGHT as error:
            unsent = isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
            failure = transport_error(
                self.where, error, upstream=self.upstream, sent=not safe and not unsent, seconds=self.timeout
            )
            self.breaker.failed(failure)
            raise failure from error

    def decoded(self, answer: Answer, kind: type[T]) -> T:
        """An answer's body.

        Raises:
            UpstreamInvalidError: it is something else.
        """
        return self.decode(answer.body, kind, answer.headers)

    def decode(self, body: bytes | msgspec.Raw, kind: type[T], headers: Mapping[str, str]) -> T:
        """A part of an answer's body; as `decoded`."""
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UpstreamInvalidError(
                f"{self.where}'s answer is not what its API promises: {error}",
                upstream=self.upstream,
                details=errors.about(self.upstream, headers),
            ) from error

    async def _answered(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes | None, *, wait: bool
    ) -> Answer:
        reconnect, waits = True, WAITS if wait else 0
        while True:
            try:
                async with self._opened().request(
                    method, url, headers=headers, data=body, allow_redirects=False
                ) as response:
                    self.breaker.succeeded()
                    said, status = await response.read(), response.status
            except aiohttp.ClientConnectorError as error:
                if isinstance(error, aiohttp.ClientSSLError) or not reconnect:
                    raise
                reconnect = False
                continue
            if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
                return Answer(status, response.headers, said)
            refused = self._refusal(status, response.headers, said)
            if not waits or not (delay := _delay(refused)):
                raise refused
            waits -= 1
            await asyncio.sleep(delay)

    def _usual(self, status: int, headers: Mapping[str, str], body: bytes) -> EcnsError:
        return errors.refusal(self.where, self.upstream, status, headers, body)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector: dict[str, Any] = {"keepalive_timeout": KEEPALIVE_SECONDS, "ttl_dns_cache": 10}
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CONNECTIONS, ssl=self._tls, **connector),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                # Not compressed: on a cloud's own network unpacking costs more than it saves.
                headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "ecns"},
            )
        return self._session


def _delay(error: EcnsError) -> float:
    """Seconds after which it is worth trying again; 0: not soon."""
    if not isinstance(error, TooManyRequestsError | UpstreamUnavailableError):
        return 0.0
    wait = error.headers.get("Retry-After", "")
    return float(wait) if wait.isdigit() and float(wait) <= LONGEST_WAIT else 0.0

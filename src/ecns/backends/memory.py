"""What ECNS remembers between requests: in this process, or in a Valkey that all replicas share."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from ecns.config import ConfigError
from ecns.errors import UpstreamUnavailableError

LIMIT = 64 * 1024 * 1024
"""Bytes that a process remembers by itself; then the oldest goes."""
ENTRY = 200
"""Bytes that an entry takes beside its name and value, about."""
SWEEP_SECONDS = 60.0
CONNECT_SECONDS = 2.0
CALL_SECONDS = 5.0
SCHEMES = {"redis": "valkey", "rediss": "valkeys", "valkey": "valkey", "valkeys": "valkeys"}

T = TypeVar("T")


class Memory(Protocol):
    """Values by name, each for so many seconds."""

    async def get(self, name: str) -> bytes | None:
        """A value, unless its time is over."""

    async def set(self, name: str, value: bytes, expires_in: int) -> None:
        """Remember a value."""

    async def delete(self, name: str) -> None:
        """Forget a value, if there is one."""


class Local:
    """In this process, in bounded memory.

    Args:
        limit: bytes.
        clock: monotonic seconds.
    """

    def __init__(self, limit: int = LIMIT, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._kept: dict[str, tuple[float, bytes]] = {}
        """The longest unchanged first."""
        self._bytes = 0
        self._swept = clock()

    async def get(self, name: str) -> bytes | None:
        """A value, unless its time is over."""
        until, value = self._kept.get(name, (0.0, None))
        return value if self._clock() < until else None

    async def set(self, name: str, value: bytes, expires_in: int) -> None:
        """Remember a value."""
        now = self._clock()
        await self.delete(name)
        self._kept[name] = (now + expires_in, value)
        self._bytes += _size(name, value)
        if now - self._swept >= SWEEP_SECONDS:
            self._swept = now
            for old in [old for old, (until, _) in self._kept.items() if until <= now]:
                await self.delete(old)
        while self._bytes > self._limit:
            await self.delete(next(iter(self._kept)))

    async def delete(self, name: str) -> None:
        """Forget a value, if there is one."""
        if (entry := self._kept.pop(name, None)) is not None:
            self._bytes -= _size(name, entry[1])

    async def close(self) -> None:
        """Nothing is open."""


class Shared:
    """In a Valkey, or a Redis.

    Args:
        url: where it is.

    Raises:
        ConfigError: the address cannot be, or the library is not installed.

    Every method raises:
        UpstreamUnavailableError: it cannot be reached, or refuses.
    """

    def __init__(self, url: str) -> None:
        try:
            from valkey import asyncio as client  # type: ignore[import-not-found]  # noqa: PLC0415  an extra that few install
            from valkey.exceptions import ValkeyError  # type: ignore[import-not-found]  # noqa: PLC0415  as above
        except ImportError as error:
            raise ConfigError("sessions.url: needs the library valkey: install ecns[valkey]") from error
        scheme, colon, rest = url.partition("://")
        try:
            self._client: Any = client.Valkey.from_url(
                f"{SCHEMES.get(scheme, scheme)}{colon}{rest}",
                socket_timeout=CALL_SECONDS,
                socket_connect_timeout=CONNECT_SECONDS,
            )
        except ValueError as error:
            raise ConfigError(f"sessions.url: {error}") from error
        self._failures = (ValkeyError, OSError)

    async def get(self, name: str) -> bytes | None:
        """A value, unless its time is over."""
        found: bytes | None = await self._told(self._client.get(name))
        return found

    async def set(self, name: str, value: bytes, expires_in: int) -> None:
        """Remember a value."""
        await self._told(self._client.set(name, value, ex=expires_in))

    async def delete(self, name: str) -> None:
        """Forget a value, if there is one."""
        await self._told(self._client.delete(name))

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def _told(self, answer: Awaitable[T]) -> T:
        try:
            return await answer
        except self._failures as error:
            raise UpstreamUnavailableError(
                f"the store of sessions does not answer: {error}", upstream="sessions"
            ) from error


def memory(url: str) -> Local | Shared:
    """Where a configuration wants things to be remembered.

    Raises:
        ConfigError: as `Shared`.
    """
    return Shared(url) if url else Local()


def _size(name: str, value: bytes) -> int:
    return len(name) + len(value) + ENTRY

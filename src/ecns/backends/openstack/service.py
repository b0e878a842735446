"""What the clients of all services have in common: the address, the token, pages."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, TypeVar
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import msgspec

from ecns.backends.openstack import errors
from ecns.backends.openstack.catalog import Catalogs
from ecns.backends.openstack.wire import Answer, Wire
from ecns.errors import EcnsError, NotSupportedError, UnauthorizedError, UpstreamInvalidError

PAGE = 1000
"""Items of a page that are asked for: as many as services give at most by default."""
LIST_PAGES = 1000
"""Pages of one list at most: a service whose next page never ends is refused."""

T = TypeVar("T")
Query = Iterable[tuple[str, str]]


class _Link(msgspec.Struct):
    href: str = ""
    rel: str = ""


class _Links(msgspec.Struct):
    next: str | None = None


class Service:
    """A client of one service of the cloud; every method is given the caller's token.

    Args:
        catalogs: know where it answers.
        timeout: seconds for one call.
        tls: as of `wire.trust`.

    Every method raises, apart from what it names itself:
        NotSupportedError: the catalog has no such service (501).
        UnauthorizedError: the service does not accept the token (401).
        ForbiddenError: its policy does not let the caller, or a quota is used up (403).
        UpstreamUnavailableError, UpstreamTimeoutError, UpstreamInvalidError: it is down (503), slow (504), or
            answers nonsense (502).
        All of them name the service (`upstream`) and, if it gave one, its id of the request
        (`upstream_request_id`).
    """

    where: ClassVar[str]
    """The service as a person calls it."""
    types: ClassVar[tuple[str, ...]]
    """What it is called in catalogs. Source: https://service-types.openstack.org/"""
    version: ClassVar[re.Pattern[str]]
    """How its addresses end."""
    default_version: ClassVar[str]
    """What is added to an address that does not end so."""

    def __init__(self, catalogs: Catalogs, *, timeout: float, tls: ssl.SSLContext | bool = True) -> None:
        self._catalogs = catalogs
        self._wire = Wire(self.where, timeout=timeout, tls=tls, refusal=self._refusal)

    async def close(self) -> None:
        """Close all connections."""
        await self._wire.close()

    async def needed(self, token: str) -> None:
        """See that the catalog has the service, for what cannot be without it."""
        await self._address(token)

    async def installed(self, token: str) -> bool:
        """Whether the catalog has the service."""
        try:
            await self.needed(token)
        except NotSupportedError:
            return False
        return True

    async def _address(self, token: str) -> str:
        url = await self._catalogs.endpoint(token, self.where, self.types)
        return url if self.version.search(url) else url + self.default_version

    async def _send(
        self,
        method: str,
        token: str,
        path: str,
        *,
        query: Query = (),
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One call; `path` follows the address and is quoted, `query` is not, `body` becomes JSON."""
        encoded = urlencode(list(query), quote_via=quote)
        url = f"{await self._address(token)}{path}{f'?{encoded}' if encoded else ''}"
        return await self._wire.request(
            method,
            url,
            headers={"X-Auth-Token": token, **(headers or {})},
            body=None if body is None else msgspec.json.encode(body),
        )

    async def _get(
        self,
        token: str,
        path: str,
        kind: type[T],
        *,
        query: Query = (),
        headers: Mapping[str, str] | None = None,
    ) -> T:
        answer = await self._send("GET", token, path, query=query, headers=headers)
        return self._wire.decoded(answer, kind)

    async def _pages(
        self,
        token: str,
        path: str,
        key: str,
        kind: type[list[T]],
        *,
        query: Query = (),
        headers: Mapping[str, str] | None = None,
    ) -> list[T]:
        """A collection, page by page: an object with the items under `key` and what comes next beside it.

        Of the address of the next page its query is taken alone: its host is the service's own idea.
        """
        found: list[T] = []
        asked = [*query, ("limit", str(PAGE))]
        for _ in range(LIST_PAGES):
            answer = await self._send("GET", token, path, query=asked, headers=headers)
            page = self._wire.decoded(answer, dict[str, msgspec.Raw])
            items = self._wire.decode(page.pop(key, b""), kind, answer.headers)
            found += items
            asked = parse_qsl(urlsplit(self._next(page, answer)).query, keep_blank_values=True)
            if not items or not any(name == "marker" for name, _ in asked):
                return found
        raise UpstreamInvalidError(f"a list of {self.where} never ends", upstream=self._wire.upstream)

    def _next(self, page: Mapping[str, msgspec.Raw | bytes], answer: Answer) -> str:
        """The address of the page that follows; empty: none does."""
        for name, value in page.items():
            if name == "next":
                return self._wire.decode(value, str | None, answer.headers) or ""  # type: ignore[arg-type]  # a union is no type to mypy
            if name == "links" or name.endswith("_links"):
                links: Any = self._wire.decode(value, list[_Link] | _Links, answer.headers)  # type: ignore[arg-type]  # as above
                if isinstance(links, _Links):
                    return links.next or ""
                return next((link.href for link in links if link.rel == "next"), "")
        return ""

    def _refusal(self, status: int, headers: Mapping[str, str], body: bytes) -> EcnsError:
        found = errors.refusal(self.where, self.where.lower(), status, headers, body)
        if isinstance(found, UnauthorizedError):
            found.headers.update(self._catalogs.challenge)
        return found


def named(name: str) -> str:
    """A name or id as a part of a path."""
    return quote(name, safe="")

"""Keystone's Identity API v3, as far as ECNS asks it; always with the caller's own token.

Source: https://docs.openstack.org/api-ref/identity/v3/
"""

from __future__ import annotations

import re
import ssl
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
import msgspec

from ecns.config import ConfigError
from ecns.errors import (
    EcnsError,
    ForbiddenError,
    NotFoundError,
    UnauthorizedError,
    UpstreamInvalidError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)

CONNECTIONS = 64
"""Calls under way at one time; a flood of junk tokens waits here and not in Keystone."""
LIST_PAGES = 1000
"""Pages of one list at most: a Keystone whose next page never ends is refused."""
ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What Keystone's ids look like; anything else would be a path of the caller's making."""

T = TypeVar("T")


class Ref(msgspec.Struct, frozen=True):
    """An id with its name."""

    id: str
    name: str


class Owned(msgspec.Struct, frozen=True):
    """A user or a project in a token, with its domain."""

    id: str
    name: str
    domain: Ref


class Token(msgspec.Struct, frozen=True):
    """A validated token; `project`, `domain` and `system` say its scope, none of them: unscoped."""

    user: Owned
    expires_at: datetime
    methods: tuple[str, ...] = ()
    project: Owned | None = None
    domain: Ref | None = None
    system: dict[str, Any] | None = None
    roles: tuple[Ref, ...] = ()


class Domain(msgspec.Struct, frozen=True):
    """A domain (部门 in the reference)."""

    id: str
    name: str
    enabled: bool = True
    description: str | None = None


class Project(msgspec.Struct, frozen=True):
    """A project and the domain that owns it."""

    id: str
    name: str
    domain_id: str | None = None
    enabled: bool = True
    description: str | None = None


class User(msgspec.Struct, frozen=True):
    """A user; `email` where the directory has one."""

    id: str
    name: str
    domain_id: str
    enabled: bool = True
    email: str | None = None


class Endpoint(msgspec.Struct, frozen=True):
    """Where a service answers; `interface` is public, internal or admin."""

    url: str
    interface: str = "public"
    region_id: str | None = None


class Service(msgspec.Struct, frozen=True):
    """One service of the catalog."""

    type: str
    name: str = ""
    endpoints: tuple[Endpoint, ...] = ()


class _Links(msgspec.Struct):
    next: str | None = None


class _TokenBody(msgspec.Struct):
    token: Token


class _ProjectBody(msgspec.Struct):
    project: Project


class _CatalogBody(msgspec.Struct):
    catalog: list[Service]


class _Version(msgspec.Struct):
    id: str


class _VersionBody(msgspec.Struct):
    version: _Version


class _Problem(msgspec.Struct):
    message: str = ""


class _ErrorBody(msgspec.Struct):
    error: _Problem


class Keystone:
    """A client of one Keystone; belongs to the event loop of its first call.

    Args:
        auth_url: the v3 address; `/v3` is added when it is missing.
        timeout: seconds for one call, connecting included.
        ca_file: PEM of the authorities to trust in place of the system's.

    Raises:
        ConfigError: `ca_file` cannot be read or holds no certificate.

    Every method raises, apart from what it names itself:
        UpstreamUnavailableError: Keystone cannot be reached, or says that it is not available (503).
        UpstreamTimeoutError: it did not answer in time (504).
        UpstreamInvalidError: it answered what is not the Identity API (502).
    """

    def __init__(self, auth_url: str, *, timeout: float = 5.0, ca_file: Path | None = None) -> None:
        auth_url = auth_url.rstrip("/")
        self.auth_url = auth_url if auth_url.endswith("/v3") else f"{auth_url}/v3"
        self._timeout = timeout
        try:
            self._tls = ssl.create_default_context(cafile=ca_file) if ca_file else True
        except OSError as error:
            raise ConfigError(f"identity.ca_file: {ca_file}: {error.strerror or error}") from error
        self._session: aiohttp.ClientSession | None = None

    @property
    def challenge(self) -> dict[str, str]:
        """The header of a 401: where to get a token."""
        return {"WWW-Authenticate": f'Keystone uri="{self.auth_url}"'}

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def ping(self) -> None:
        """See that an Identity API v3 answers."""
        await self._get("", _VersionBody)

    async def validate(self, token: str) -> Token:
        """Whom a token stands for. It validates itself, so ECNS needs no account in Keystone.

        Raises:
            UnauthorizedError: Keystone does not accept the token.
            ForbiddenError: Keystone accepts it and does not let it see itself: it acts for another user, by a
                trust with impersonation.
        """
        try:
            body = await self._get("/auth/tokens?nocatalog", _TokenBody, token, {"X-Subject-Token": token})
        except NotFoundError as error:
            raise self._refused() from error
        except ForbiddenError as error:
            raise ForbiddenError(
                "Keystone does not let this token validate itself, as one that impersonates another user by "
                "a trust; use the user's own token, or an application credential",
                details=error.details,
            ) from error
        return body.token

    async def own_projects(self, token: str) -> list[Project]:
        """The projects that the token's user has a role in."""
        return await self._list("/auth/projects", list[Project], token)

    async def own_domains(self, token: str) -> list[Domain]:
        """The domains that the token's user has a role on."""
        return await self._list("/auth/domains", list[Domain], token)

    async def projects(self, token: str) -> list[Project]:
        """All projects that the token may list.

        Raises:
            ForbiddenError: Keystone's policy lets only administrators do it.
        """
        return await self._list("/projects", list[Project], token)

    async def project(self, token: str, project_id: str) -> Project:
        """One project.

        Raises:
            ForbiddenError: it is not one that the token may see.
            NotFoundError: there is none with this id.
        """
        if not ID.fullmatch(project_id):
            raise NotFoundError("Keystone has no project with this id")
        return (await self._get(f"/projects/{project_id}", _ProjectBody, token)).project

    async def domains(self, token: str) -> list[Domain]:
        """All domains that the token may list.

        Raises:
            ForbiddenError: Keystone's policy lets only administrators do it.
        """
        return await self._list("/domains", list[Domain], token)

    async def users(self, token: str) -> list[User]:
        """All users that the token may list.

        Raises:
            ForbiddenError: Keystone's policy lets only administrators do it.
        """
        return await self._list("/users", list[User], token)

    async def catalog(self, token: str) -> list[Service]:
        """The services that the token's project may use, and where they answer."""
        return (await self._get("/auth/catalog", _CatalogBody, token)).catalog

    async def _list(self, path: str, kind: type[list[T]], token: str) -> list[T]:
        """A collection: one object with the items under the path's last part and `links` beside it."""
        found: list[T] = []
        query = ""
        for _ in range(LIST_PAGES):
            page = await self._get(path + query, dict[str, msgspec.Raw], token)
            items = _decoded(page.get(path.rpartition("/")[2], b""), kind)
            links = _decoded(page.get("links", b"{}"), _Links)
            found += items
            following = dict(parse_qsl(urlsplit(links.next or "").query))
            if "marker" not in following or not items:
                return found
            query = f"?{urlencode(following)}"
        raise UpstreamInvalidError("a list of Keystone never ends", upstream="keystone")

    async def _get(
        self, path: str, kind: type[T], token: str = "", headers: dict[str, str] | None = None
    ) -> T:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CONNECTIONS, ssl=self._tls),
                timeout=aiohttp.ClientTimeout(total=self._timeout),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Accept": "application/json", "User-Agent": "ecns"},
            )
        sent = {"X-Auth-Token": token, **(headers or {})} if token else {}
        try:
            async with self._session.get(
                self.auth_url + path, headers=sent, allow_redirects=False
            ) as response:
                body = await response.read()
        except TimeoutError as error:
            raise UpstreamTimeoutError(
                f"Keystone did not answer within {self._timeout:g} s", upstream="keystone"
            ) from error
        except (aiohttp.ClientConnectionError, OSError) as error:
            raise UpstreamUnavailableError("Keystone cannot be reached", upstream="keystone") from error
        except (aiohttp.ClientError, ValueError) as error:
            raise UpstreamInvalidError(
                "Keystone's answer is not an HTTP answer", upstream="keystone"
            ) from error
        if response.status != HTTPStatus.OK:
            raise self._problem(response, body)
        return _decoded(body, kind, _request_id(response))

    def _refused(self) -> UnauthorizedError:
        return UnauthorizedError("Keystone does not accept the token", headers=self.challenge)

    def _problem(self, response: aiohttp.ClientResponse, body: bytes) -> EcnsError:
        details = _request_id(response)
        status = response.status
        if status == HTTPStatus.UNAUTHORIZED:
            return self._refused()
        if status == HTTPStatus.FORBIDDEN:
            return ForbiddenError(f"Keystone refuses: {_message(body)}", details=details)
        if status == HTTPStatus.NOT_FOUND:
            return NotFoundError(f"Keystone: {_message(body)}", details=details)
        if status == HTTPStatus.GATEWAY_TIMEOUT:
            return UpstreamTimeoutError(
                "Keystone did not answer in time", upstream="keystone", details=details
            )
        if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            after = response.headers.get("Retry-After", "")
            return UpstreamUnavailableError(
                f"Keystone is not available (it answered {status})",
                upstream="keystone",
                details=details,
                headers={"Retry-After": after} if after.isdigit() else None,
            )
        return UpstreamInvalidError(
            f"Keystone answered {status}, which is not of the Identity API v3",
            upstream="keystone",
            details=details,
        )


def _decoded(body: bytes | msgspec.Raw, kind: type[T], details: dict[str, str] | None = None) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise UpstreamInvalidError(
            "Keystone's answer is not of the Identity API v3", upstream="keystone", details=details
        ) from error


def _request_id(response: aiohttp.ClientResponse) -> dict[str, str]:
    found = response.headers.get("x-openstack-request-id", "")
    return {"upstream_request_id": found} if found else {}


def _message(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=_ErrorBody).error.message or "no reason given"
    except msgspec.DecodeError:
        return "no reason given"

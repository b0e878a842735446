"""Keystone's Identity API v3, as far as ECNS asks it; always with the caller's own token.

Source: https://docs.openstack.org/api-ref/identity/v3/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from ecns.backends.openstack import errors
from ecns.backends.openstack.wire import Wire, trust
from ecns.errors import (
    EcnsError,
    ForbiddenError,
    NotFoundError,
    UnauthorizedError,
    UpstreamInvalidError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)

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
        self._wire = Wire("Keystone", timeout=timeout, tls=trust(ca_file), refusal=self._refusal)

    @property
    def challenge(self) -> dict[str, str]:
        """The header of a 401: where to get a token."""
        return {"WWW-Authenticate": f'Keystone uri="{self.auth_url}"'}

    async def close(self) -> None:
        """Close all connections."""
        await self._wire.close()

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

    async def issue(self, credential_id: str, secret: str) -> tuple[str, float]:
        """A token for an application credential, and the Unix time at which it ends.

        Raises:
            UnauthorizedError: Keystone does not accept the credential.
        """
        identity = {
            "methods": ["application_credential"],
            "application_credential": {"id": credential_id, "secret": secret},
        }
        body = msgspec.json.encode({"auth": {"identity": identity}})
        answer = await self._wire.request("POST", f"{self.auth_url}/auth/tokens?nocatalog", body=body)
        token = self._wire.decoded(answer, _TokenBody).token
        return answer.headers.get("X-Subject-Token", ""), token.expires_at.timestamp()

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
            items = self._wire.decode(page.get(path.rpartition("/")[2], b""), kind, {})
            links = self._wire.decode(page.get("links", b"{}"), _Links, {})
            found += items
            following = dict(parse_qsl(urlsplit(links.next or "").query))
            if "marker" not in following or not items:
                return found
            query = f"?{urlencode(following)}"
        raise UpstreamInvalidError("a list of Keystone never ends", upstream="keystone")

    async def _get(
        self, path: str, kind: type[T], token: str = "", headers: dict[str, str] | None = None
    ) -> T:
        sent = {"X-Auth-Token": token, **(headers or {})} if token else {}
        answer = await self._wire.request("GET", self.auth_url + path, headers=sent)
        return self._wire.decoded(answer, kind)

    def _refused(self) -> UnauthorizedError:
        return UnauthorizedError("Keystone does not accept the token", headers=self.challenge)

    def _refusal(self, status: int, headers: Mapping[str, str], body: bytes) -> EcnsError:
        """Of the usual ones; but what is asked here never depends on what a caller sent."""
        if status == HTTPStatus.UNAUTHORIZED:
            return self._refused()
        found = errors.refusal("Keystone", "keystone", status, headers, body)
        details = errors.about("keystone", headers)
        if isinstance(
            found, ForbiddenError | NotFoundError | UpstreamTimeoutError | UpstreamUnavailableError
        ):
            return found
        if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return UpstreamUnavailableError(
                found.message, upstream="keystone", details=details, headers=found.headers
            )
        return UpstreamInvalidError(found.message, upstream="keystone", details=details)

"""The OCI registry behind Harbor: what a push needs, and reading small things.

Speaks to any registry that follows the specification: without accounts, with Basic, or with tokens as Harbor.
Source: https://github.com/opencontainers/distribution-spec/blob/main/spec.md;
https://distribution.github.io/distribution/spec/auth/token/
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from http import HTTPStatus
from typing import Any, Literal, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from ecns.backends.harbor.errors import UPSTREAM, invalid, problem, status_error
from ecns.backends.harbor.transport import Answer, Flow, Transport
from ecns.errors import (
    EcnsError,
    NotFoundError,
    UpstreamError,
    UpstreamInvalidError,
    UpstreamUnavailableError,
)

AGENT = "harbor-registry-client"
"""Harbor counts the reading of a manifest as a pull unless its own client reads; ECNS pulls nothing."""
ATTEMPTS = 3
"""For one layer, when the connection breaks or the registry is away for a moment."""
PAUSE_SECONDS = 1.0
DROP_SECONDS = 2.0
"""So long is it tried to have the registry forget what it got of a layer."""
RENEW_SECONDS = 30.0
"""So long before its end a token is not used any more."""
TOKENS = 1000
"""Tokens that are kept, about."""
NESTED = 4
"""An index may hold an index; more than so many are nobody's."""
MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)

Pieces = Callable[[], AsyncIterator[bytes]]
Actions = Literal["pull", "pull,push"]
T = TypeVar("T")

_CHALLENGE = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class BlobUnknownError(UpstreamError):
    """A manifest names a blob that the registry does not have (any more)."""


class _AgainError(UpstreamError):
    """An upload was lost on the way; it may be tried again."""


class _Token(msgspec.Struct):
    token: str = ""
    access_token: str = ""
    expires_in: float | None = None


class _Realm(msgspec.Struct, frozen=True):
    """Where tokens come from."""

    url: str
    service: str


class _Descriptor(msgspec.Struct):
    digest: str


class _Manifest(msgspec.Struct):
    """A manifest or an index."""

    config: _Descriptor | None = None
    manifests: list[_Descriptor] | None = None


class Registry:
    """A client of one registry.

    Args:
        transport: how to reach it, and who we are there.

    Every method raises, apart from what it names itself:
        UpstreamError: the registry cannot be reached, refuses ECNS's account or answers nonsense.
    """

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self._realm: _Realm | None = None
        self._basic = False
        self._tokens: dict[str, tuple[str, float]] = {}
        """By scope, with the monotonic time until which each is used."""
        self._fetching = asyncio.Lock()

    # Reading

    async def has_blob(self, repository: str, digest: str) -> bool:
        """Whether a repository has a blob.

        Raises:
            NotFoundError: there is no such workspace.
        """
        answer = await self._call("HEAD", self._path(repository, "blobs", digest), repository, "pull,push")
        return _found(answer)

    async def manifest(self, repository: str, reference: str) -> tuple[str, bytes]:
        """The media type and the bytes of a manifest or an index.

        Raises:
            NotFoundError: there is none.
        """
        path = self._path(repository, "manifests", reference)
        headers = {"Accept": ", ".join(MANIFESTS), "User-Agent": AGENT}
        answer = await self._call("GET", path, repository, "pull", headers=headers)
        _check(answer)
        return answer.headers.get("Content-Type", ""), answer.body

    async def blob(self, repository: str, digest: str) -> bytes:
        """A small blob, such as an image's configuration.

        Raises:
            NotFoundError: there is none.
        """
        path = self._path(repository, "blobs", digest)
        answer = await self._call("GET", path, repository, "pull", redirects=True)
        _check(answer)
        return answer.body

    async def configuration(self, repository: str, digest: str) -> dict[str, Any]:
        """The configuration of an image; of an index, that of the first image in it.

        Raises:
            NotFoundError: there is no image of this digest.
        """
        for _ in range(NESTED):
            _, body = await self.manifest(repository, digest)
            manifest = _decoded(body, _Manifest)
            if manifest.config is not None:
                return _decoded(await self.blob(repository, manifest.config.digest), dict[str, Any])
            if not manifest.manifests:
                break
            digest = manifest.manifests[0].digest
        raise NotFoundError(f"{repository}@{digest} has no configuration")

    # Pushing

    async def push_blob(
        self, repository: str, digest: str, size: int, pieces: Pieces, *, mount: str = ""
    ) -> None:
        """Push a blob in one request, straight from where it lies; from its start again when that breaks.

        It may last as long as it likes while the registry takes some of it: one that takes nothing for
        `harbor.stall_timeout` is given up.

        Args:
            repository: with the workspace's name before it.
            digest: of the blob.
            size: its bytes.
            pieces: gives the blob anew for each attempt.
            mount: another repository that has it, and from which the registry may take it itself.

        Raises:
            ForbiddenError: the workspace's storage limit does not allow it.
            NotFoundError: there is no such workspace.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await self._push_once(repository, digest, size, pieces, mount)
            except (UpstreamUnavailableError, _AgainError):
                if attempt == ATTEMPTS:
                    raise
                await asyncio.sleep(PAUSE_SECONDS * attempt)
                with contextlib.suppress(UpstreamUnavailableError):
                    if await self.has_blob(repository, digest):
                        return  # it was the answer that got lost
            else:
                return

    async def _push_once(self, repository: str, digest: str, size: int, pieces: Pieces, mount: str) -> None:
        at = await self.begin(repository, digest, mount=mount) if mount else await self.begin(repository)
        if not at:
            return
        try:
            await self.finish(repository, at, digest, Flow(size, pieces) if size else b"")
        except BaseException:
            # Also when the client has left: what came of it would take the registry's disk for days.
            await self.drop(repository, at)
            raise

    async def begin(self, repository: str, digest: str = "", *, mount: str = "") -> str:
        """Begin to push a blob.

        Args:
            repository: with the workspace's name before it.
            digest: of the blob, with `mount`.
            mount: another repository that has it, and from which the registry may take it itself.

        Returns:
            Where it goes on; empty when the registry has taken it from `mount`.
        """
        asking = asyncio.create_task(self._begin(repository, digest, mount))
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            await asyncio.wait([asking], timeout=DROP_SECONDS)
            if asking.done() and not asking.cancelled() and not asking.exception() and asking.result():
                await self.drop(repository, asking.result())
            asking.cancel()
            raise

    async def _begin(self, repository: str, digest: str, mount: str) -> str:
        path = self._path(repository, "blobs", "uploads/")
        if mount:
            path += "?" + urlencode({"mount": digest, "from": mount})
        begun = await self._call("POST", path, repository, "pull,push", more=mount)
        _check(begun)
        return "" if mount and begun.status == HTTPStatus.CREATED else _location(begun)

    async def fill(self, repository: str, at: str, size: int, pieces: Pieces) -> str:
        """Send the content of a blob that is begun; the registry keeps it only when it is finished.

        Returns:
            Where it goes on.
        """
        headers = {"Content-Type": "application/octet-stream"}
        body = Flow(size, pieces)
        answer = await self._call("PATCH", at, repository, "pull,push", headers=headers, body=body)
        _check(answer)
        return _location(answer)

    async def finish(self, repository: str, at: str, digest: str, body: bytes | Flow = b"") -> None:
        """Have the registry check a blob and keep it.

        Args:
            repository: with the workspace's name before it.
            at: where it goes on.
            digest: of the blob.
            body: what was not sent before.

        Raises:
            ForbiddenError: the workspace's storage limit does not allow it.
        """
        path = f"{at}{'&' if '?' in at else '?'}digest={quote(digest, safe='')}"
        headers = {"Content-Type": "application/octet-stream"}
        answer = await self._call("PUT", path, repository, "pull,push", headers=headers, body=body)
        if answer.status == HTTPStatus.NOT_FOUND:
            raise _AgainError("the registry has forgotten an upload", upstream=UPSTREAM)
        if problem(answer.body)[0] == "DIGEST_INVALID":
            raise _AgainError("a layer did not arrive as it was sent", upstream=UPSTREAM)
        _check(answer)

    async def drop(self, repository: str, at: str) -> None:
        """Have the registry forget a blob that is begun, if it is there to hear so.

        A caller that is cancelled waits for it.
        """
        dropping = asyncio.create_task(self._drop(repository, at))
        try:
            await asyncio.shield(dropping)
        except asyncio.CancelledError:
            await asyncio.wait([dropping])
            raise

    async def _drop(self, repository: str, at: str) -> None:
        with contextlib.suppress(EcnsError, TimeoutError):
            async with asyncio.timeout(DROP_SECONDS):
                await self._call("DELETE", at, repository, "pull,push")

    async def put_manifest(self, repository: str, reference: str, media_type: str, body: bytes) -> None:
        """Push a manifest or an index.

        Args:
            repository: with the workspace's name before it.
            reference: a tag, or the digest.
            media_type: as the manifest says.
            body: its bytes.

        Raises:
            BadRequestError: the registry does not take it.
            BlobUnknownError: it names what is not there.
            ConflictError: the tag is immutable.
            ForbiddenError: the workspace's storage limit does not allow it.
        """
        path = self._path(repository, "manifests", reference)
        answer = await self._call(
            "PUT", path, repository, "pull,push", headers={"Content-Type": media_type}, body=body
        )
        code, message = problem(answer.body)
        if code in {"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN"}:
            raise BlobUnknownError(f"Harbor: {message}", upstream=UPSTREAM, details={"reason": code})
        _check(answer)

    # Calls

    def _path(self, repository: str, *parts: str) -> str:
        return "/".join(("/v2", quote(repository, safe="/"), *(quote(part, safe=":/") for part in parts)))

    async def _call(
        self,
        method: str,
        path: str,
        repository: str,
        actions: Actions,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | Flow = b"",
        redirects: bool = False,
        more: str = "",
    ) -> Answer:
        """One request, with the credentials that the registry asks for.

        A token that is refused is replaced once: it may have run out, or have been of an older password.
        `more` is another repository that is read.
        """
        scope = [f"repository:{repository}:{actions}", *([f"repository:{more}:pull"] if more else ())]
        last = False
        while True:
            authorization, remembered = await self._authorization(scope)
            sent = dict(headers or {})
            if authorization:
                sent["Authorization"] = authorization
            answer = await self.transport.send(
                method, self.transport.url + path, headers=sent, body=body, redirects=redirects
            )
            if answer.status != HTTPStatus.UNAUTHORIZED:
                return answer
            if answer.headers.get("WWW-Authenticate") == "":
                raise NotFoundError(f"Harbor has no workspace for {repository}")
            if last or not self._learn(answer, authorization, remembered, scope):
                raise UpstreamError(
                    f"the registry does not let ECNS's account do this to {repository}", upstream=UPSTREAM
                )
            # The first 401 may only have said where tokens come from.
            last = bool(authorization)

    def _learn(self, answer: Answer, authorization: str, remembered: bool, scope: list[str]) -> bool:  # noqa: FBT001
        """Take in what a 401 asks for; whether there is anything new to try."""
        self._tokens.pop(" ".join(scope), None)
        asked = answer.headers.get("WWW-Authenticate", "")
        kind, _, rest = asked.partition(" ")
        facts = dict(_CHALLENGE.findall(rest))
        if kind.lower() == "bearer" and "realm" in facts:
            realm = _Realm(self._own(facts["realm"]), facts.get("service", ""))
            changed, self._realm, self._basic = realm != self._realm, realm, False
            return changed or not authorization or remembered or self.transport.reread()
        if authorization.startswith("Bearer"):
            # Harbor asks for Basic when it does not take a token: a new one is what helps.
            return remembered or self.transport.reread()
        if kind.lower() == "basic" and self.transport.account is not None:
            changed, self._basic, self._realm = not self._basic, True, None
            return changed or self.transport.reread()
        return False

    def _own(self, realm: str) -> str:
        """The address of the token service: ours, since our password is sent there."""
        ours, named = urlsplit(self.transport.url), urlsplit(realm)
        if (named.scheme, named.netloc) == (ours.scheme, ours.netloc) or named.path == "/service/token":
            return f"{self.transport.url}{named.path}"
        raise UpstreamInvalidError(
            f"the registry's tokens come from another host, {named.netloc!r}; it is not told ECNS's password",
            upstream=UPSTREAM,
        )

    async def _authorization(self, scope: list[str]) -> tuple[str, bool]:
        """The header's value for a scope, and whether it is a token that was got before."""
        account = self.transport.account
        if self._basic and account is not None:
            return account.header, False
        if self._realm is None:
            return "", False
        async with self._fetching:
            token, until = self._tokens.get(" ".join(scope), ("", 0.0))
            if token and time.monotonic() < until:
                return f"Bearer {token}", True
            return f"Bearer {await self._fetch(self._realm, scope)}", False

    async def _fetch(self, realm: _Realm, scope: list[str]) -> str:
        """A new token."""
        query = urlencode({"service": realm.service, "scope": scope}, doseq=True, quote_via=quote)
        headers = {"Accept": "application/json"}
        if (account := self.transport.account) is not None:
            headers["Authorization"] = account.header
        answer = await self.transport.send("GET", f"{realm.url}?{query}", headers=headers)
        _check(answer)
        found = _decoded(answer.body, _Token)
        token = found.token or found.access_token
        lives = 60.0 if found.expires_in is None else found.expires_in
        now = time.monotonic()
        if len(self._tokens) >= TOKENS:
            self._tokens = {key: kept for key, kept in self._tokens.items() if kept[1] > now}
        self._tokens[" ".join(scope)] = (token, now + lives - min(RENEW_SECONDS, lives / 2))
        return token


def _decoded(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise invalid(error) from error


def _found(answer: Answer) -> bool:
    if answer.status == HTTPStatus.NOT_FOUND:
        return False
    _check(answer)
    return True


def _check(answer: Answer) -> None:
    if not answer.ok:
        raise status_error(answer.status, answer.body, answer.headers)


def _location(answer: Answer) -> str:
    """Where a push goes on, at our own address: where a proxy stands before it the registry knows another."""
    location = urlsplit(answer.headers.get("Location", ""))
    if answer.status != HTTPStatus.ACCEPTED or not location.path.startswith("/"):
        raise UpstreamInvalidError("the registry does not say where a layer goes", upstream=UPSTREAM)
    return f"{location.path}?{location.query}" if location.query else location.path

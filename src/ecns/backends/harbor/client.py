"""Harbor's API 2.0, as far as ECNS uses it; always with ECNS's own account.

Our own, and thin: the known clients drop totals, follow every page, and send a POST again. Who may see what
is decided above (`ecns.identity.workspaces`): to Harbor every question here is an administrator's.
Source: https://github.com/goharbor/harbor/blob/main/api/v2.0/swagger.yaml; the tests hold it against what was
recorded of a real one.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from ecns.backends.harbor import types
from ecns.backends.harbor.errors import UPSTREAM, invalid, status_error
from ecns.backends.harbor.transport import Account, Answer, Transport
from ecns.config import Harbor as Settings
from ecns.errors import EcnsError, NotFoundError, UpstreamError, UpstreamInvalidError

PAGE = 100
"""Items of a page at most, to Harbor."""
PAGES_AT_ONCE = 4
IDS = 100
"""Projects that one question about repositories names at most: a longer address may be refused."""
VERSION_SECONDS = 600.0

T = TypeVar("T")
_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&#34;", '"'), ("&#39;", "'"), ("&amp;", "&"))
BY_NAME = {"X-Is-Resource-Name": "true"}
"""A name of digits alone is a name, and no id."""


class Page(msgspec.Struct, frozen=True):
    """A part of a list, and of how many."""

    items: list[Any]
    total: int


class _Tags(msgspec.Struct):
    tags: list[str] | None = None


class Harbor:
    """A client of one Harbor.

    Args:
        settings: where it is and who we are there.

    Raises:
        ConfigError: a file of the settings cannot be read.

    Every method raises, apart from what it names itself:
        UpstreamError: Harbor cannot be reached, does not accept ECNS's account or answers nonsense.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.transport = Transport(settings)
        self.domain = settings.domain or urlsplit(self.transport.url).netloc
        """The registry's name in image references."""
        self._escapes: tuple[float, bool] = (0.0, False)

    async def close(self) -> None:
        """Close all connections."""
        await self.transport.close()

    # The system

    async def ping(self) -> None:
        """See that Harbor answers."""
        url = f"{self.transport.url}/api/v2.0/ping"
        answer = await self.transport.send("GET", url, headers={"Accept": "*/*"})
        if not answer.ok:
            raise status_error(answer.status, answer.body, answer.headers)

    async def verify(self) -> str:
        """See that Harbor takes ECNS's account, and what for; its version, where it tells.

        A wrong password alone is no error to Harbor: it answers as to somebody without an account.

        Raises:
            UpstreamError: the account is not accepted, or not an administrator's.
        """
        try:
            user = await self._get("/users/current", types.User)
        except EcnsError as error:
            if error.details.get("reason") != "PRECONDITION":  # it is a robot
                raise
            user = types.User(self.settings.username, sysadmin_flag=True)
        if not user.sysadmin_flag:
            raise UpstreamError(
                f"ECNS's account in Harbor ({user.username}) is not an administrator's", upstream=UPSTREAM
            )
        await self._page("/robots", types.Robot, {}, page=1, size=1)
        return (await self._get("/systeminfo", types.SystemInfo)).harbor_version

    async def volumes(self) -> types.Volume:
        """Bytes of all of Harbor's storages together.

        Harbor with an object store tells none: all is 0 then.
        """
        found = (await self._get("/systeminfo/volumes", types.Volumes)).storage or []
        return types.Volume(sum(one.total for one in found), sum(one.free for one in found))

    async def collections(self) -> list[types.Collection]:
        """The newest runs of the garbage collection, newest first."""
        return (await self._page("/system/gc", types.Collection, {}, page=1, size=20)).items

    async def collect(self) -> None:
        """Begin a garbage collection."""
        await self._call("POST", "/system/gc/schedule", body={"schedule": {"type": "Manual"}})

    async def stop_collecting(self, run: int) -> None:
        """Stop a run; one that is over stays as it is.

        Harbor's own word for it, a schedule of type None, takes a schedule away and stops nothing.
        """
        await self._call("PUT", f"/system/gc/{run}")

    # Projects

    async def projects(self) -> list[types.Project]:
        """All projects, by name."""
        return await self._all("/projects", types.Project, {"with_detail": "true"})

    async def project(self, name: str) -> types.Project:
        """One project.

        Raises:
            NotFoundError: there is none of this name.
        """
        return await self._get(f"/projects/{_segment(name)}", types.Project, headers=BY_NAME)

    async def has_project(self, name: str) -> bool:
        """Whether a name is taken, by whatever project."""
        try:
            await self._call("HEAD", "/projects", query={"project_name": name})
        except NotFoundError:
            return False
        return True

    async def create_project(self, name: str, *, public: bool) -> int:
        """Make a project; its id.

        Raises:
            BadRequestError: Harbor does not take the name.
            ConflictError: the name is taken.
        """
        answer = await self._call(
            "POST", "/projects", body={"project_name": name, "metadata": {"public": _bool(public)}}
        )
        return _made(answer)

    async def set_public(self, project_id: int, *, public: bool) -> None:
        """Say whether everybody may pull from a project.

        Raises:
            NotFoundError: there is none with this id.
        """
        body = {"metadata": {"public": _bool(public)}}
        await self._call("PUT", f"/projects/{project_id}", body=body)

    async def delete_project(self, project_id: int) -> None:
        """Delete a project without repositories.

        Raises:
            NotFoundError: there is none with this id.
            ConflictError: it holds repositories.
        """
        await self._call("DELETE", f"/projects/{project_id}")

    # Repositories

    async def repositories(
        self,
        project_ids: Iterable[int],
        *,
        sort: str = "-creation_time",
        start: int = 0,
        count: int | None = None,
    ) -> Page:
        """Repositories of these projects, and how many there are.

        Args:
            project_ids: whose.
            sort: a field, `-` before it for descending.
            start: how many to leave out; only with at most `IDS` projects.
            count: how many; None: all.
        """
        ids = sorted(project_ids)
        if not ids:
            return Page([], 0)
        chunks = [ids[at : at + IDS] for at in range(0, len(ids), IDS)]
        queries = [{"q": f"project_id={{{' '.join(map(str, chunk))}}}", "sort": sort} for chunk in chunks]
        if count is not None:
            assert len(queries) == 1, "a window over several questions"  # noqa: S101  a fault of ours
            return await self._window("/repositories", types.Repository, queries[0], start, count)
        lists = [await self._all("/repositories", types.Repository, query) for query in queries]
        found = [one for each in lists for one in each]
        return Page(found, len(found))

    async def repository(self, project: str, name: str) -> types.Repository:
        """One repository.

        Raises:
            NotFoundError: there is none of this name.
        """
        return await self._get(_repository(project, name), types.Repository)

    async def describe(self, project: str, name: str, description: str) -> None:
        """Set a repository's description.

        Raises:
            NotFoundError: there is none of this name.
        """
        await self._call("PUT", _repository(project, name), body={"description": description})

    async def description(self, repository: types.Repository) -> str:
        """A repository's description as it was written; later Harbors keep it escaped for HTML."""
        text = repository.description
        if "&" not in text or any(raw in text for _, raw in _ENTITIES[:-1]) or not await self._escaping():
            return text
        for entity, raw in _ENTITIES:
            text = text.replace(entity, raw)
        return text

    async def _escaping(self) -> bool:
        asked, escapes = self._escapes
        if not asked or time.monotonic() - asked > VERSION_SECONDS:
            version = (await self._get("/systeminfo", types.SystemInfo)).harbor_version
            escapes = _escapes(version)
            self._escapes = (time.monotonic(), escapes)
        return escapes

    async def tags(self, project: str, name: str) -> list[str]:
        """The tags of a repository, by the registry's own list, the shortest that tells them."""
        url = f"{self.transport.url}/v2/{project}/{name}/tags/list"
        answer = await self._sent("GET", url, {"Accept": "application/json"}, b"")
        if answer.status == HTTPStatus.NOT_FOUND:
            return []
        if not answer.ok:
            raise status_error(answer.status, answer.body, answer.headers)
        return _decoded(answer, _Tags).tags or []

    async def delete_repository(self, project: str, name: str) -> None:
        """Delete a repository with all that is in it.

        Raises:
            NotFoundError: there is none of this name.
            ConflictError: a tag in it is immutable.
        """
        await self._call("DELETE", _repository(project, name))

    # Artifacts

    async def artifacts(self, project: str, name: str) -> list[types.Artifact]:
        """The artifacts of a repository that have a tag, the newest first; none if there is no repository."""
        path = f"{_repository(project, name)}/artifacts"
        return await self._all(path, types.Artifact, {"with_tag": "true", "q": "tags=*"})

    async def all_artifacts(self, project: str, name: str) -> list[types.Artifact]:
        """The artifacts of a repository, those without a tag too; none if there is no repository."""
        path = f"{_repository(project, name)}/artifacts"
        return await self._all(path, types.Artifact, {"with_tag": "false"})

    async def artifact(self, project: str, name: str, reference: str) -> types.Artifact:
        """One artifact, by a tag or its digest.

        Raises:
            NotFoundError: there is none.
        """
        path = f"{_repository(project, name)}/artifacts/{_segment(reference)}"
        return await self._get(path, types.Artifact)

    async def delete_artifact(self, project: str, name: str, digest: str) -> None:
        """Delete an artifact with all its tags.

        Raises:
            NotFoundError: there is none.
            ConflictError: a tag of it is immutable, or an index names it.
        """
        await self._call("DELETE", f"{_repository(project, name)}/artifacts/{_segment(digest)}")

    async def delete_tag(self, project: str, name: str, tag: str) -> None:
        """Take a tag from its artifact.

        Raises:
            NotFoundError: there is none.
            ConflictError: it is immutable.
        """
        await self._call(
            "DELETE", f"{_repository(project, name)}/artifacts/{_segment(tag)}/tags/{_segment(tag)}"
        )

    # Robots

    async def robots(self) -> list[types.Robot]:
        """The robots of the system, with what they may do."""
        return await self._all("/robots", types.Robot, {})

    async def create_robot(
        self, name: str, description: str, permissions: list[types.Permission], *, days: int = -1
    ) -> types.MadeRobot:
        """Make a robot of the system.

        Args:
            name: without Harbor's prefix.
            description: up to 1,024 characters.
            permissions: at least one.
            days: that it lives; -1: for ever.

        Raises:
            ConflictError: the name is taken.
            NotFoundError: a project of its permissions is not there.
        """
        body = {
            "name": name,
            "level": "system",
            "duration": days,
            "description": description,
            "disable": False,
            "permissions": permissions,
        }
        answer = await self._call("POST", "/robots", body=body)
        return _decoded(answer, types.MadeRobot)

    async def update_robot(
        self, robot: types.Robot, *, description: str, permissions: list[types.Permission]
    ) -> None:
        """Change what a robot may do, and its description.

        Raises:
            NotFoundError: there is none with this id.
        """
        body = {
            "name": robot.name,
            "level": robot.level,
            "duration": robot.duration,
            "description": description,
            "disable": robot.disable,
            "permissions": permissions,
        }
        await self._call("PUT", f"/robots/{robot.id}", body=body)

    async def set_secret(self, robot_id: int, secret: str) -> None:
        """Set a robot's secret: 8 to 128 characters, upper and lower case and a digit among them.

        Raises:
            NotFoundError: there is none with this id.
        """
        await self._call("PATCH", f"/robots/{robot_id}", body={"secret": secret})

    async def accepts(self, username: str, secret: str) -> bool:
        """Whether an account can log in to the registry with this secret."""
        headers = {"Accept": "application/json", "Authorization": Account(username, secret).header}
        answer = await self.transport.send("GET", f"{self.transport.url}/v2/", headers=headers)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            return False
        if not answer.ok:
            raise status_error(answer.status, answer.body, answer.headers)
        return True

    async def delete_robot(self, robot_id: int) -> None:
        """Delete a robot.

        Raises:
            NotFoundError: there is none with this id.
        """
        await self._call("DELETE", f"/robots/{robot_id}")

    # Calls

    async def _get(
        self,
        path: str,
        kind: type[T],
        query: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> T:
        return _decoded(await self._call("GET", path, query=query, headers=headers), kind)

    async def _page(
        self, path: str, kind: type[T], query: Mapping[str, str], *, page: int, size: int
    ) -> Page:
        answer = await self._call("GET", path, query={**query, "page": page, "page_size": size})
        items: list[T] = _decoded(answer, list[kind]) or []  # type: ignore[valid-type]  # made at run time
        total = answer.headers.get("X-Total-Count", "")
        return Page(items, int(total) if total.isdigit() else len(items))

    async def _all(self, path: str, kind: type[T], query: Mapping[str, str]) -> list[T]:
        """All items; one that moved to another page meanwhile comes once."""
        return (await self._window(path, kind, query, 0, None)).items

    async def _window(
        self, path: str, kind: type[T], query: Mapping[str, str], start: int, count: int | None
    ) -> Page:
        """Items from `start` on, whatever the size of Harbor's pages."""
        size = count if count and count <= PAGE and start % count == 0 else PAGE
        first = await self._page(path, kind, query, page=start // size + 1, size=size)
        end = first.total if count is None else min(first.total, start + count)
        numbers = range(start // size + 2, (end - 1) // size + 2) if end else range(0)
        gate = asyncio.Semaphore(PAGES_AT_ONCE)

        async def page(number: int) -> Page:
            async with gate:
                return await self._page(path, kind, query, page=number, size=size)

        pages = [first, *await asyncio.gather(*map(page, numbers))]
        found = list({_key(one): one for each in pages for one in each.items}.values())
        skip = start % size
        return Page(found[skip:] if count is None else found[skip : skip + count], first.total)

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        url = f"{self.transport.url}/api/v2.0{path}"
        if query:
            url += "?" + urlencode(query, quote_via=quote, safe="")
        sent = {"Accept": "application/json", **(headers or {})}
        content = b""
        if body is not None:
            sent["Content-Type"] = "application/json"
            content = msgspec.json.encode(body)
        answer = await self._sent(method, url, sent, content)
        if answer.status == HTTPStatus.UNAUTHORIZED and self.transport.reread():
            answer = await self._sent(method, url, sent, content)
        if answer.ok:
            return answer
        if answer.repeated and method == "DELETE" and answer.status == HTTPStatus.NOT_FOUND:
            return answer  # the first attempt did it
        raise status_error(answer.status, answer.body, answer.headers)

    async def _sent(self, method: str, url: str, headers: dict[str, str], body: bytes) -> Answer:
        if (account := self.transport.account) is not None:
            headers = {**headers, "Authorization": account.header}
        return await self.transport.send(method, url, headers=headers, body=body)


def _key(item: Any) -> Any:
    for field in ("id", "project_id", "digest"):
        if (value := getattr(item, field, None)) is not None:
            return value
    return id(item)


def _decoded(answer: Answer, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise invalid(error) from error


def _made(answer: Answer) -> int:
    number = answer.headers.get("Location", "").rstrip("/").rpartition("/")[2]
    if not number.isdigit():
        raise UpstreamInvalidError("Harbor does not say what it has made", upstream=UPSTREAM)
    return int(number)


def _bool(value: bool) -> str:  # noqa: FBT001  there is nothing else to it
    """Harbor's booleans of metadata are words."""
    return "true" if value else "false"


def _segment(text: str) -> str:
    return quote(text, safe="")


def _repository(project: str, name: str) -> str:
    """The path of a repository; slashes are encoded twice, so that a proxy's decoding leaves them."""
    return f"/projects/{_segment(project)}/repositories/{_segment(_segment(name))}"


def _escapes(version: str) -> bool:
    """Whether a Harbor escapes the descriptions that it is given: 2.12.4, 2.13.1 and later ones do."""
    match = _VERSION.match(version)
    if match is None:
        return False
    number = tuple(int(part) for part in match.groups())
    return number >= (2, 13, 1) or (2, 12, 4) <= number < (2, 13, 0)

"""Who may see which workspace of Harbor, and whose it is; the one place that decides it.

ECNS asks Harbor as an administrator, so every check is here. A workspace is a project of Harbor that belongs
to a project of Keystone. Harbor keeps that link, since ECNS keeps nothing: a robot account of the system,
named `ecns.workspace.<id of Harbor's project>`, whose description names the project of Keystone. Only
administrators of Harbor can make or change such robots; there is one of a name, so of two who want the same
workspace one gets it; ids are never used again, so no project inherits an old one's link; and all links are
one list.

What an administrator makes in Harbor itself has no link: everybody sees it if it is public, and cloud
administrators see and manage it. A robot made by hand links it; `docs/images.md` says how.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import time
from collections.abc import Iterable
from datetime import datetime

import msgspec

from ecns.backends.harbor import types
from ecns.backends.harbor.client import Harbor
from ecns.backends.harbor.types import Access, Owner, Permission, Project, Robot, Workspace
from ecns.errors import (
    BadRequestError,
    ConflictError,
    EcnsError,
    ForbiddenError,
    NotFoundError,
    NotSupportedError,
)
from ecns.identity.caller import Caller
from ecns.identity.policy import Policy

LINK = "ecns.workspace."
"""Begins the name of a robot that links a workspace to its project."""
LONGEST = 255
LINKS_SECONDS = 10.0
"""So long a link, or the lack of one, is believed without asking Harbor again."""
NEW_SECONDS = 30.0
"""So long the lack of one is not believed of a project that was not seen before."""
MAKING = "ecns.making."
"""Begins the name of a robot that stands for a workspace in the making: a digest of its name follows."""
FORGOTTEN_SECONDS = 900.0
"""After so long another project may make what was begun and not completed."""

_NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_LINKED = re.compile(re.escape(LINK) + r"(\d+)$")


class Workspaces:
    """Finds workspaces for callers.

    Args:
        harbor: where they are; None where ECNS has no Harbor.
        policy: tells cloud administrators.
    """

    def __init__(self, harbor: Harbor | None, policy: Policy) -> None:
        self._harbor = harbor
        self.policy = policy
        self._links: dict[int, tuple[Robot, Owner]] = {}
        """By id of Harbor's project."""
        self._nobodys: dict[int, float] = {}
        """When a project was first seen without a link, by id."""
        self._asked = float("-inf")
        """When the answer that the links are from was asked for."""
        self._changed = float("-inf")
        """When ECNS changed them itself: an answer that was asked for before is of no use."""
        self._asking: asyncio.Task[None] | None = None

    @property
    def harbor(self) -> Harbor:
        """Harbor itself, for what is done to a workspace that was found here.

        Raises:
            NotSupportedError: there is none.
        """
        if self._harbor is None:
            raise NotSupportedError("this installation has no image registry ([harbor])")
        return self._harbor

    # Who may

    def is_own(self, caller: Caller, workspace: Workspace) -> bool:
        """Whether a workspace belongs to the caller's project."""
        owner = workspace.owner
        return owner is not None and bool(caller.project_id) and owner.project_id == caller.project_id

    def may_see(self, caller: Caller, workspace: Workspace) -> bool:
        """Whether a workspace is there for a caller."""
        return workspace.public or self.is_own(caller, workspace) or self.policy.is_cloud_admin(caller)

    def may_change(self, caller: Caller, workspace: Workspace) -> bool:
        """Whether a caller may change a workspace and what is in it."""
        return self.is_own(caller, workspace) or self.policy.is_cloud_admin(caller)

    # Finding

    async def visible(self, caller: Caller, *, everything: bool | None = None) -> list[Workspace]:
        """The workspaces that are there for a caller, newest first.

        Args:
            caller: who asks.
            everything: cloud administrators see all unless this is False; nobody else may ask for it.

        Raises:
            ForbiddenError: everything is for cloud administrators.
            UpstreamError: Harbor does not answer.
        """
        admin = self.policy.is_cloud_admin(caller)
        if everything and not admin:
            raise ForbiddenError("all=true is for cloud administrators")
        projects, _ = await asyncio.gather(self.harbor.projects(), self._know())
        found = await self._joined(*projects)
        if not admin or everything is False:
            found = [one for one in found if one.public or self.is_own(caller, one)]
        found.sort(key=lambda one: (one.project.creation_time, one.name), reverse=True)
        return found

    async def find(self, caller: Caller, name: str) -> Workspace:
        """A workspace that is there for a caller.

        Raises:
            NotFoundError: there is none, or another project's private one: the caller cannot tell which.
            UpstreamError: Harbor does not answer.
        """
        missing = NotFoundError(f"workspace {name!r} is not there")
        if not is_name(name):
            raise missing
        try:
            project, _ = await asyncio.gather(self.harbor.project(name), self._know())
        except NotFoundError:
            raise missing from None
        (found,) = await self._joined(project)
        if not self.may_see(caller, found):
            raise missing
        return found

    async def own(self, caller: Caller, name: str) -> Workspace:
        """A workspace that a caller may change.

        Raises:
            NotFoundError: as `find`.
            ForbiddenError: it is another project's, and public.
            UpstreamError: Harbor does not answer.
        """
        found = await self.find(caller, name)
        if not self.may_change(caller, found):
            raise ForbiddenError(f"workspace {name!r} is another project's; you may read it")
        return found

    async def owned(self, caller: Caller) -> list[Workspace]:
        """The workspaces of the caller's project, by name."""
        projects, _ = await asyncio.gather(self.harbor.projects(), self._know(since=0.0))
        found = await self._joined(*projects)
        return sorted((one for one in found if self.is_own(caller, one)), key=lambda one: one.name)

    async def taken(self, caller: Caller, name: str) -> bool:
        """Whether a workspace can no longer be made with a name.

        Names are one world for all projects, so who may make workspaces learns of all that are taken;
        everybody else of those that they may see.

        Raises:
            UpstreamError: Harbor does not answer.
        """
        if not is_name(name):
            return False
        if self.policy.allows("workspace.create", caller, {"project_id": caller.project_id}):
            return await self.harbor.has_project(name)
        try:
            await self.find(caller, name)
        except NotFoundError:
            return False
        return True

    # Making and ending

    async def create(self, caller: Caller, name: str, *, public: bool) -> Workspace:
        """Make a workspace of the caller's project.

        What is cut off between making and linking is completed by the same request sent again.

        Raises:
            BadRequestError: the name cannot be.
            ConflictError: the name is taken.
            UpstreamError: Harbor does not answer.
        """
        check_name(name, "harbor_project_name")
        claim, kept = await self._claim(caller, name)
        try:
            project = await self._made(name, claim if kept else None, public=public)
            await self._link(caller, project, claim)
        except (BadRequestError, ConflictError):
            await self._release(claim)
            raise
        with contextlib.suppress(EcnsError):  # it is made, whatever becomes of the note
            await self._release(claim)
        return await self.find(caller, name)

    async def _claim(self, caller: Caller, name: str) -> tuple[Robot, bool]:
        """Note who is making a workspace, and whether that was noted before.

        Raises:
            ConflictError: another project is making it.
        """
        note = f"{MAKING}{hashlib.sha256(name.encode()).hexdigest()[:32]}"
        owner = Owner(caller.project_id, caller.project_name, caller.project_domain_name)
        # Harbor wants a right in each robot; nobody is told its secret.
        right = [Permission("/", [Access("catalog", "read")], "system")]
        with contextlib.suppress(ConflictError):
            made = await self.harbor.create_robot(note, msgspec.json.encode(owner).decode(), right)
            return Robot(made.id, made.name), False
        for robot in await self.harbor.robots():
            if robot.name.endswith(note):
                whose = _owner(robot.description)
                if whose is not None and whose.project_id == caller.project_id:
                    return robot, True
                if time.time() - unix(robot.creation_time) > FORGOTTEN_SECONDS:
                    await self._release(robot)
        raise ConflictError(f"workspace {name!r} is being made by another project")

    async def _release(self, claim: Robot) -> None:
        with contextlib.suppress(NotFoundError):
            await self.harbor.delete_robot(claim.id)

    async def _made(self, name: str, claim: Robot | None, *, public: bool) -> Project:
        """A new project of Harbor, or the one that was made under an earlier claim and is nobody's yet.

        Raises:
            ConflictError: the name is taken.
        """
        try:
            return Project(await self.harbor.create_project(name, public=public), name)
        except ConflictError as error:
            taken = ConflictError(f"workspace {name!r} exists already")
            if claim is None:
                raise taken from error
            await self._know(since=0.0)
            try:
                project = await self.harbor.project(name)
            except NotFoundError:
                raise taken from error
            before = unix(project.creation_time) < unix(claim.creation_time)
            if before or project.repo_count or project.project_id in self._links:
                raise taken from error
            await self.harbor.set_public(project.project_id, public=public)
            return project

    async def delete(self, workspace: Workspace) -> None:
        """Delete a workspace without images, and its link.

        Raises:
            ConflictError: it is not empty.
            UpstreamError: Harbor does not answer.
        """
        await self._know()
        link = self._links.get(workspace.id)
        await self.harbor.delete_project(workspace.id)
        self._changed = time.monotonic()
        if link is not None:
            with contextlib.suppress(NotFoundError):
                await self.harbor.delete_robot(link[0].id)

    async def _link(self, caller: Caller, project: Project, claim: Robot) -> None:
        """Write down whose a project is; if that cannot be, remove it again.

        Raises:
            ConflictError: somebody was faster.
        """
        owner = Owner(caller.project_id, caller.project_name, caller.project_domain_name)
        permissions = [Permission(project.name, [Access("repository", "pull")])]
        try:
            await self.harbor.create_robot(
                f"{LINK}{project.project_id}", msgspec.json.encode(owner).decode(), permissions
            )
        except ConflictError as error:
            raise ConflictError(f"workspace {project.name!r} exists already") from error
        except BaseException:
            # Also when the client has left. If this fails too, the claim stays, and the repeat completes it.
            await asyncio.shield(self._undo(project, claim))
            raise
        finally:
            self._changed = time.monotonic()

    async def _undo(self, project: Project, claim: Robot) -> None:
        with contextlib.suppress(EcnsError):
            await self.harbor.delete_project(project.project_id)
            await self._release(claim)

    # Links

    async def _joined(self, *projects: Project) -> list[Workspace]:
        """Projects with whose they are; Harbor is asked again for those that have no link and are new here.

        They may be in the making, by another replica.
        """
        now = time.monotonic()
        without = [one.project_id for one in projects if one.project_id not in self._links]
        if any(now - self._nobodys.setdefault(one, now) < NEW_SECONDS for one in without):
            await self._know(since=0.0)
        links = self._links
        return [
            Workspace(one, links[one.project_id][1] if one.project_id in links else None) for one in projects
        ]

    async def _know(self, since: float = LINKS_SECONDS) -> None:
        """Have links that are at most so many seconds old; who asks meanwhile waits for the same answer."""
        needed = time.monotonic() - since
        while self._asked < max(needed, self._changed):
            if self._asking is None or self._asking.done():
                self._asking = asyncio.create_task(self._ask())
                self._asking.add_done_callback(lambda task: task.cancelled() or task.exception())
            await asyncio.shield(self._asking)

    async def _ask(self) -> None:
        began = time.monotonic()
        self._links = links(await self.harbor.robots())
        self._asked = began


def links(robots: Iterable[types.Robot]) -> dict[int, tuple[Robot, Owner]]:
    """The links that a list of robots holds; what is no link, or names nobody, is left out."""
    found = {}
    for robot in robots:
        match = _LINKED.search(robot.name)
        if match and (owner := _owner(robot.description)):
            found[int(match[1])] = (robot, owner)
    return found


def _owner(description: str) -> Owner | None:
    """Whom a link names: ECNS's own JSON, or the bare id that somebody wrote by hand."""
    try:
        owner = msgspec.json.decode(description, type=Owner)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        bare = description.strip()
        return Owner(bare) if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", bare) else None
    return owner if owner.project_id else None


def is_name(name: str) -> bool:
    """Whether Harbor takes a name for a project."""
    return len(name) <= LONGEST and _NAME.fullmatch(name) is not None


def check_name(name: str, field: str) -> None:
    """Check the name of a workspace.

    Raises:
        BadRequestError: it cannot be; `field` says where it stands.
    """
    if not is_name(name):
        raise BadRequestError(
            f"{field}: {name!r} is not a name (1 to {LONGEST} of a-z and 0-9, with single . _ - in between)",
            field=field,
        )


def unix(time_: str) -> float:
    """Seconds of a time as Harbor writes it; 0 for what is none."""
    try:
        return datetime.fromisoformat(time_).timestamp()
    except ValueError:
        return 0.0

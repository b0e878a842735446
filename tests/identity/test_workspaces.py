"""Whose a workspace is, with several replicas of ECNS before one Harbor, and a Harbor that fails."""

from __future__ import annotations

import asyncio
import itertools
import json
from datetime import UTC, datetime
from typing import Any, cast

import msgspec
import pytest

from ecns.backends.harbor.client import Harbor
from ecns.backends.harbor.types import MadeRobot, Owner, Permission, Project, Robot
from ecns.config import Harbor as Settings
from ecns.errors import ConflictError, EcnsError, ForbiddenError, NotFoundError, UpstreamUnavailableError
from ecns.identity import workspaces as module
from ecns.identity.caller import Caller
from ecns.identity.policy import Policy
from ecns.identity.workspaces import Workspaces, is_name, links, unix
from tests.identity.callers import caller


def of(project: str, *roles: str) -> Caller:
    return caller(*roles, user_id=f"user-of-{project}", project_id=project, project_name=f"name-of-{project}")


ONE, TWO, ADMIN = of("one"), of("two"), of("cloud", "admin")


class Fake:
    """As much of Harbor as is asked; it fails as it is told."""

    def __init__(self) -> None:
        self.settings = Settings(url="http://h", username="ecns")
        self.by_name: dict[str, Project] = {}
        self.robots_: dict[str, Robot] = {}
        self.asked: list[str] = []
        self.fails: dict[str, list[EcnsError]] = {}
        """By method, what its next calls end with."""
        self._numbers = itertools.count(1)

    def _call(self, name: str) -> None:
        self.asked.append(name)
        if waiting := self.fails.get(name):
            raise waiting.pop(0)

    async def projects(self) -> list[Project]:
        self._call("projects")
        return list(self.by_name.values())

    async def project(self, name: str) -> Project:
        self._call("project")
        if name not in self.by_name:
            raise NotFoundError("no")
        return self.by_name[name]

    async def has_project(self, name: str) -> bool:
        return name in self.by_name

    async def create_project(self, name: str, *, public: bool) -> int:
        self._call("create_project")
        await asyncio.sleep(0)
        if name in self.by_name:
            raise ConflictError("taken")
        return self.by_hand(name, public=public).project_id

    def by_hand(self, name: str, *, public: bool = False) -> Project:
        made = datetime.now(UTC).isoformat()
        metadata = {"public": str(public).lower()}
        self.by_name[name] = Project(next(self._numbers), name, metadata, creation_time=made)
        return self.by_name[name]

    async def set_public(self, project_id: int, *, public: bool) -> None:
        for name, one in self.by_name.items():
            if one.project_id == project_id:
                metadata = {"public": str(public).lower()}
                self.by_name[name] = msgspec.structs.replace(one, metadata=metadata)

    async def delete_project(self, project_id: int) -> None:
        self._call("delete_project")
        self.by_name = {name: one for name, one in self.by_name.items() if one.project_id != project_id}

    async def robots(self) -> list[Robot]:
        self._call("robots")
        found = list(self.robots_.values())
        await asyncio.sleep(0)
        return found

    async def create_robot(
        self, name: str, description: str, permissions: list[Permission], **_: Any
    ) -> MadeRobot:
        self._call("create_robot" if "making" in name else "link")
        await asyncio.sleep(0)
        if name in self.robots_:
            raise ConflictError("taken")
        made = datetime.now(UTC).isoformat()
        robot = Robot(
            next(self._numbers), f"robot${name}", description, creation_time=made, permissions=permissions
        )
        self.robots_[name] = robot
        return MadeRobot(robot.id, robot.name, "secret")

    async def delete_robot(self, robot_id: int) -> None:
        self._call("delete_robot")
        if robot_id not in {one.id for one in self.robots_.values()}:
            raise NotFoundError("no")
        self.robots_ = {name: one for name, one in self.robots_.items() if one.id != robot_id}

    @property
    def names(self) -> list[str]:
        """Of the robots."""
        return sorted(self.robots_)


@pytest.fixture
def fake() -> Fake:
    return Fake()


def replica(fake: Fake) -> Workspaces:
    return Workspaces(cast("Harbor", fake), Policy())


async def test_what_one_replica_makes_the_others_know_at_once(fake: Fake) -> None:
    first, second = replica(fake), replica(fake)
    assert await second.visible(ONE) == []
    made = await first.create(ONE, "a", public=False)
    assert made.owner == Owner("one", "name-of-one", "Default")
    assert (await second.find(ONE, "a")).owner == made.owner
    assert [one.name for one in await second.visible(ONE)] == ["a"]
    for workspaces in (first, second):
        with pytest.raises(NotFoundError):
            await workspaces.find(TWO, "a")
        assert await workspaces.visible(TWO) == []
        assert [one.name for one in await workspaces.visible(ADMIN)] == ["a"]
    assert fake.names == ["ecns.workspace.2"], "what stood for its making is gone"


async def test_links_are_not_asked_for_again_and_again(fake: Fake) -> None:
    workspaces = replica(fake)
    await workspaces.create(ONE, "a", public=False)
    await workspaces.visible(ONE)
    fake.asked.clear()
    for _ in range(20):
        await workspaces.find(ONE, "a")
    assert "robots" not in fake.asked
    await asyncio.gather(*(workspaces._know(since=0.0) for _ in range(20)))
    assert fake.asked.count("robots") <= 2, "who asks at the same time is told the same"


async def test_a_link_that_is_taken_away_ends(fake: Fake) -> None:
    workspaces = replica(fake)
    await workspaces.create(ONE, "a", public=False)
    link = fake.robots_.pop("ecns.workspace.2")
    await workspaces._know(since=0.0)
    with pytest.raises(NotFoundError):
        await workspaces.find(ONE, "a")
    fake.robots_["ecns.workspace.2"] = msgspec.structs.replace(link, description="two")
    await workspaces._know(since=0.0)
    assert (await workspaces.own(TWO, "a")).name == "a"


async def test_a_new_project_inherits_nothing(fake: Fake) -> None:
    workspaces = replica(fake)
    await workspaces.create(ONE, "a", public=False)
    del fake.by_name["a"]  # in Harbor itself, which leaves the robot
    fake.by_hand("a")
    with pytest.raises(NotFoundError):
        await workspaces.find(ONE, "a")
    with pytest.raises(ConflictError):
        await workspaces.create(ONE, "a", public=False)


async def test_several_replicas_that_make_the_same_at_once(fake: Fake) -> None:
    wanted = [(replica(fake), who) for who in (ONE, TWO, ONE, TWO)]
    results = await asyncio.gather(
        *(workspaces.create(who, "a", public=False) for workspaces, who in wanted), return_exceptions=True
    )
    made = [one for one in results if not isinstance(one, BaseException)]
    assert len(made) == 1
    assert all(isinstance(one, ConflictError) for one in results if isinstance(one, BaseException))
    assert len([name for name in fake.names if "workspace" in name]) == 1
    assert not [name for name in fake.names if "making" in name]


DOWN = UpstreamUnavailableError("down", upstream="harbor")


@pytest.mark.parametrize("step", ["create_robot", "create_project", "link"])
async def test_each_step_of_making_may_fail_and_the_repeat_completes_it(fake: Fake, step: str) -> None:
    workspaces = replica(fake)
    fake.fails = {step: [DOWN]}
    with pytest.raises(UpstreamUnavailableError):
        await workspaces.create(ONE, "a", public=False)
    assert fake.by_name == {}
    assert (await replica(fake).create(ONE, "a", public=False)).name == "a"
    assert len(fake.names) == 1


async def test_what_could_not_be_undone_is_the_same_projects_to_complete(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspaces = replica(fake)
    fake.fails = {"link": [DOWN], "delete_project": [DOWN]}
    with pytest.raises(UpstreamUnavailableError):
        await workspaces.create(ONE, "a", public=True)
    assert list(fake.by_name) == ["a"]
    with pytest.raises(ConflictError, match="being made"):
        await replica(fake).create(TWO, "a", public=False)
    made = await replica(fake).create(ONE, "a", public=False)
    assert not made.public
    assert len(fake.names) == 1
    fake.fails = {"create_project": [DOWN]}
    with pytest.raises(UpstreamUnavailableError):
        await workspaces.create(ONE, "b", public=False)
    monkeypatch.setattr(module, "FORGOTTEN_SECONDS", -1.0)
    with pytest.raises(ConflictError, match="being made"):
        await workspaces.create(TWO, "b", public=False)
    assert (await workspaces.create(TWO, "b", public=False)).owner == Owner("two", "name-of-two", "Default")


async def test_a_client_that_leaves_while_it_is_linked(fake: Fake) -> None:
    workspaces = replica(fake)
    task = asyncio.create_task(workspaces.create(ONE, "a", public=False))
    while "link" not in fake.asked:  # noqa: ASYNC110  a step of another task is waited for
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert fake.by_name == {}
    assert not [name for name in fake.names if "making" in name]


async def test_public_ones_are_read_by_all_and_changed_by_their_own(fake: Fake) -> None:
    workspaces = replica(fake)
    await workspaces.create(ONE, "a", public=True)
    fake.by_hand("library", public=True)
    assert (await workspaces.find(TWO, "a")).name == "a"
    for name in ("a", "library"):
        with pytest.raises(ForbiddenError, match="another project's"):
            await workspaces.own(TWO, name)
        await workspaces.own(ADMIN, name)
    assert {one.name for one in await workspaces.visible(TWO)} == {"a", "library"}
    assert [one.name for one in await workspaces.owned(ONE)] == ["a"]


async def test_harbor_that_does_not_answer_hides_nothing_and_shows_nothing(fake: Fake) -> None:
    workspaces = replica(fake)
    await workspaces.create(ONE, "a", public=False)
    fake.fails = {"robots": [DOWN], "project": [DOWN]}
    with pytest.raises(UpstreamUnavailableError):
        await replica(fake).visible(ONE)
    with pytest.raises(UpstreamUnavailableError):
        await workspaces.find(ONE, "a")


def test_links_are_read_as_they_are_written() -> None:
    def robot(name: str, description: str) -> Robot:
        return Robot(1, name, description)

    mine = json.dumps({"project_id": "p", "project_name": "n", "domain_name": "d"})
    found = links(
        [
            robot("robot$ecns.workspace.1", mine),
            robot("bot_ecns.workspace.2", "75b178e459ae43bf9318670e704408e4\n"),
            robot("robot$ecns.workspace.3", "Somebody's notes: none of ours"),
            robot("robot$ecns.workspace.4", ""),
            robot("robot$ecns.workspace.5", '{"project_id": ""}'),
            robot("robot$ecns.workspace.6", '{"project_id": 7}'),
            robot("robot$ecns.workspace.x", mine),
            robot("robot$ecns.workspace.8.9", mine),
            robot("robot$ecns.login.p", mine),
            robot("robot$ecns.workspace.10", "[" * 100_000),
        ]
    )
    assert {id_: owner for id_, (_, owner) in found.items()} == {
        1: Owner("p", "n", "d"),
        2: Owner("75b178e459ae43bf9318670e704408e4"),
    }


def test_names_and_times() -> None:
    assert is_name("a.b-c_d1")
    assert not is_name("a..b")
    assert not is_name("")
    assert unix("1970-01-01T00:00:01.500Z") == 1.5
    assert unix("never") == 0.0

"""Exactly one default class: whoever sets which at once, and wherever a change is cut off."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecns.api.storage import defaults, manifests
from ecns.backends.kubernetes.client import Listing
from ecns.backends.kubernetes.kinds.storage import StorageClass
from ecns.errors import ConflictError, NotFoundError, UpstreamUnavailableError
from ecns.identity.place import Place
from tests.api.workloads.test_total import applied

NAMES = ("a", "b", "c")


class Classes:
    """As much of a cluster as the default class needs; everything that is asked takes its time.

    Args:
        seed: says how long.
        marked: who is the default at first, by the annotation of which generation.
    """

    def __init__(self, seed: int, marked: dict[str, str]) -> None:
        self.dice = random.Random(seed)  # noqa: S311  no secret
        self.writes = 0
        self.cut_off_after: int | None = None
        self.fewest = len(marked)
        self.whole: dict[str, dict[str, Any]] = {
            name: {
                "metadata": {
                    "name": name,
                    "resourceVersion": "0",
                    "creationTimestamp": f"2026-01-0{number}T00:00:00Z",
                    **({"annotations": {marked[name]: "true"}} if name in marked else {}),
                },
                "provisioner": "p",
            }
            for number, name in enumerate(NAMES, 1)
        }

    def typed(self) -> list[StorageClass]:
        return [msgspec.convert(one, StorageClass) for one in self.whole.values()]

    @property
    def marked(self) -> list[str]:
        return [one.metadata.name for one in self.typed() if manifests.is_marked(one)]

    async def pause(self) -> None:
        for _ in range(self.dice.randrange(4)):
            await asyncio.sleep(0)


class FakeObjects:
    """One process's way to the cluster."""

    dry_run = False

    def __init__(self, classes: Classes) -> None:
        self.classes = classes
        self.client = self

    async def list(self, _kind: Any) -> Listing[StorageClass]:
        await self.classes.pause()
        found = self.classes.typed()
        await self.classes.pause()
        return Listing(found, "1")

    async def get(self, _kind: Any, name: str) -> StorageClass:
        await self.classes.pause()
        return msgspec.convert(self._whole(name), StorageClass)

    def _whole(self, name: str) -> dict[str, Any]:
        if name not in self.classes.whole:
            raise NotFoundError(f"{name} is not there")
        return copy.deepcopy(self.classes.whole[name])

    async def change(self, _kind: Any, name: str, build: Any) -> StorageClass:
        await self.classes.pause()
        operations = build(self._whole(name))
        await self.classes.pause()
        if self.classes.writes == self.classes.cut_off_after:
            raise UpstreamUnavailableError("the process has ended", upstream="cluster")
        try:
            changed = applied(self._whole(name), operations)
        except AssertionError:
            raise ConflictError("a test of the patch failed") from None
        if operations:
            self.classes.writes += 1
            changed["metadata"]["resourceVersion"] = str(self.classes.writes)
        self.classes.whole[name] = changed
        self.classes.fewest = min(self.classes.fewest, len(self.classes.marked))
        await self.classes.pause()
        return msgspec.convert(changed, StorageClass)


MARKED = st.dictionaries(st.sampled_from(NAMES), st.sampled_from([manifests.DEFAULT, manifests.OLD_DEFAULT]))


async def outcome(objects: Any, name: str) -> str:
    try:
        await defaults.set_default(objects, name)
    except ConflictError:
        return "conflict"
    return name


@given(st.integers(), MARKED, st.lists(st.sampled_from(NAMES), min_size=1, max_size=5))
async def test_of_several_at_once_one_stays(seed: int, marked: dict[str, str], wanted: list[str]) -> None:
    classes = Classes(seed, marked)
    told = await asyncio.gather(*(outcome(FakeObjects(classes), name) for name in wanted))
    assert len(classes.marked) == 1
    assert classes.marked[0] in wanted
    assert classes.marked[0] in told, "who set the one that stays is told so"
    assert not any(manifests.becoming(one) for one in classes.typed())
    assert not marked or classes.fewest >= 1, "there was always one"


@given(st.integers(), MARKED.filter(bool), st.sampled_from(NAMES), st.integers(0, 6))
async def test_a_change_that_is_cut_off_is_completed(
    seed: int, marked: dict[str, str], name: str, after: int
) -> None:
    classes = Classes(seed, marked)
    objects: Any = FakeObjects(classes)
    classes.cut_off_after = after
    try:
        await defaults.set_default(objects, name)
        done = True
    except UpstreamUnavailableError:
        done = False
    assert classes.fewest >= 1
    assert manifests.default(classes.typed()) is not None
    classes.cut_off_after = None
    begun = any(manifests.becoming(one) for one in classes.typed())
    settled = await defaults.complete(objects)
    if done or begun:
        assert (settled, classes.marked) == (name, [name])
    await defaults.set_default(objects, name)
    assert classes.marked == [name]


@given(st.integers(), MARKED, st.sampled_from(NAMES), st.sampled_from(NAMES))
async def test_setting_and_unsetting_at_once_agree(
    seed: int, marked: dict[str, str], name: str, other: str
) -> None:
    classes = Classes(seed, marked)

    async def unset() -> None:
        objects: Any = FakeObjects(classes)
        with contextlib.suppress(ConflictError):
            await defaults.unset_default(objects, other)

    await asyncio.gather(outcome(FakeObjects(classes), name), unset())
    if other == name:  # whoever came later is right
        assert name not in classes.marked or classes.marked == [name]
    else:
        assert classes.marked == [name]
    assert not any(manifests.becoming(one) for one in classes.typed())


async def test_what_is_so_already_is_left_so() -> None:
    classes = Classes(0, {"a": manifests.DEFAULT})
    objects: Any = FakeObjects(classes)
    await defaults.set_default(objects, "a")
    await defaults.unset_default(objects, "b")
    assert classes.writes == 0
    with pytest.raises(NotFoundError):
        await defaults.set_default(objects, "nothing")
    assert classes.marked == ["a"]


async def test_other_annotations_stay() -> None:
    classes = Classes(0, {"a": manifests.OLD_DEFAULT})
    classes.whole["a"]["metadata"]["annotations"]["mine"] = "kept"
    objects: Any = FakeObjects(classes)
    await defaults.set_default(objects, "b")
    annotations = classes.whole["a"]["metadata"]["annotations"]
    assert annotations == {manifests.DEFAULT: "false", manifests.OLD_DEFAULT: "false", "mine": "kept"}
    assert classes.whole["b"]["metadata"]["annotations"] == {manifests.DEFAULT: "true"}


async def test_what_was_cut_off_long_ago_is_completed_by_who_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    classes = Classes(0, {"a": manifests.DEFAULT})
    classes.cut_off_after = 1
    objects: Any = FakeObjects(classes)
    with pytest.raises(UpstreamUnavailableError):
        await defaults.set_default(objects, "b")
    assert classes.marked == ["a", "b"]
    classes.cut_off_after = None
    monkeypatch.setattr(defaults, "Objects", lambda _place, _places: objects)
    place = Place(
        caller=None,  # type: ignore[arg-type]  # nobody asks
        cluster=msgspec.defstruct("Cluster", [("name", str)])("eks"),  # type: ignore[arg-type]  # its name is enough
        namespace="n",
        actor=None,
        places=None,  # type: ignore[arg-type]  # likewise
        written={},
    )
    defaults.complete_what_was_cut_off(place, classes.typed())
    assert not defaults._completing, "it may be under way still"
    monkeypatch.setattr(defaults, "CUT_OFF_SECONDS", -1.0)
    defaults.complete_what_was_cut_off(place, classes.typed())
    defaults.complete_what_was_cut_off(place, classes.typed())
    (task,) = defaults._completing.values()
    await task
    assert classes.marked == ["b"]
    assert not any(manifests.becoming(one) for one in classes.typed())

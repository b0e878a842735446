from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from ecns.backends.kubernetes.kinds import DEPLOYMENT, POD_ROW
from ecns.backends.kubernetes.objects import Objects, newest_first
from ecns.backends.kubernetes.sharing import sharer
from tests.backends.kubernetes.server import Thing, thing


def made(name: str, version: int, **more: Any) -> Thing:
    return msgspec.convert(thing(name, version, **more), Thing)


def test_newest_first_and_equally_old_ones_by_name() -> None:
    objects: Objects[Thing] = Objects({})
    times = {"b": "2026-11-23T10:00:00Z", "a": "2026-11-23T10:00:00Z", "old": "2025-12-31T23:59:59Z"}
    for version, (name, at) in enumerate(times.items(), 1):
        objects.put(made(name, version, at=at))
    view = objects.namespace("default")
    assert [obj.metadata.name for obj in view] == ["a", "b", "old"]
    objects.put(made("new", 9, at="2026-11-24T00:00:00Z"))
    assert [obj.metadata.name for obj in view[:2]] == ["new", "a"]
    assert newest_first(Thing()) == (0, "")


def test_who_was_thought_to_be_gone_and_is_listed_later_is_not() -> None:
    objects: Objects[Thing] = Objects({})
    objects.put(made("a", 1))
    objects.drop(made("a", 1).metadata)
    objects.merge([made("a", 1)], 5)  # asked for before it went
    assert not len(objects)
    dead = objects.dead()
    objects.merge([made("a", 6)], 6, dead)
    objects.put(made("a", 7, replicas=3))
    assert [obj.spec.replicas for obj in objects.namespace("default")] == [3]


STEP = st.tuples(st.sampled_from(["put", "drop"]), st.sampled_from("abc"), st.integers(0, 3))


@settings(max_examples=60)
@given(st.lists(STEP, max_size=25), st.randoms(use_true_random=False))
def test_in_whatever_order_news_comes_the_newest_stands(
    steps: list[tuple[str, str, int]], shuffle: Any
) -> None:
    """A history of one namespace, told in any order and more than once, ends as the history does."""
    live: dict[str, Thing] = {}
    news: list[tuple[str, Thing]] = []
    made_before: dict[str, int] = {}
    for version, (what, name, replicas) in enumerate(steps, 1):
        if what == "drop":
            if name in live:
                gone = live.pop(name)
                metadata = msgspec.structs.replace(gone.metadata, resource_version=str(version))
                news.append(("drop", msgspec.structs.replace(gone, metadata=metadata)))
            continue
        if name not in live:
            made_before[name] = made_before.get(name, 0) + 1
        uid = f"{name}-{made_before[name]}"
        at = f"2026-11-23T10:00:{made_before[name]:02}Z"
        live[name] = made(name, version, uid=uid, at=at, replicas=replicas)
        news.append(("put", live[name]))
    told = [*news, *news]
    shuffle.shuffle(told)
    objects: Objects[Thing] = Objects({"replicas": lambda obj: [obj.spec.replicas]})
    objects.namespace("default")
    for what, obj in told:
        objects.put(obj) if what == "put" else objects.drop(obj.metadata)
        ordered = objects.namespace("default")
        assert list(ordered) == sorted(objects, key=newest_first)
    assert {obj.metadata.name: obj for obj in objects} == live
    for replicas in range(4):
        found = {obj.metadata.name for obj in objects.index("replicas", replicas)}
        assert found == {name for name, obj in live.items() if obj.spec.replicas == replicas}


def test_sharing_changes_nothing_but_memory() -> None:
    labels = {"app": "web"}
    row = {
        "metadata": {
            "name": "p",
            "uid": "u",
            "labels": labels,
            "ownerReferences": [{"name": "o", "uid": "1"}],
        },
        "spec": {"nodeName": "node-1", "containers": [{"name": "c", "image": "nginx"}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    }
    data = msgspec.json.encode(row)
    pods = [msgspec.json.decode(data, type=POD_ROW.type) for _ in range(2)]
    untouched = msgspec.json.decode(data, type=POD_ROW.type)
    assert pods[0].status.conditions
    sharer(POD_ROW.type)(pods)
    one, two = pods
    assert one == two == untouched
    assert one.spec.node_name is two.spec.node_name
    assert one.metadata.owner_references
    assert two.metadata.owner_references
    assert one.metadata.owner_references[0] is two.metadata.owner_references[0]
    sharer(DEPLOYMENT.type)(
        [msgspec.convert({"spec": {"strategy": {"rollingUpdate": {"maxSurge": 1}}}}, DEPLOYMENT.type)]
    )

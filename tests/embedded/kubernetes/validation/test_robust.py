"""Whatever a client leaves out, empties or repeats: it is refused or taken, but nothing breaks."""

from __future__ import annotations

import random
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from tests.embedded.kubernetes.defaults.test_settled import KINDS, STATES
from tests.embedded.kubernetes.recorded import ORACLE
from tests.embedded.kubernetes.validation.replay import Replay

from ecns.embedded.kubernetes import admission, errors, validation
from ecns.embedded.kubernetes.defaults import apply_defaults

EMPTY: dict[type, Any] = {str: "", int: -1, bool: False, float: 0, dict: {}, list: [], type(None): None}
ODD = [None, "x", 0, {}, [], [None], [{}], {"a": {}}]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


def spoil(obj: dict[str, Any], chance: random.Random) -> None:
    found = [place for place in places(obj) if place[0] not in {"kind", "apiVersion"}]
    if not found:
        return
    path = chance.choice(found)
    holder: Any = obj
    for step in path[:-1]:
        holder = holder[step]
    dice = chance.random()
    if dice < 0.4:
        del holder[path[-1]]
    elif dice < 0.9:
        holder[path[-1]] = deepcopy(EMPTY[type(holder[path[-1]])])
    elif isinstance(holder, list):
        holder.append(deepcopy(holder[path[-1]]))
    else:
        holder[path[-1]] = deepcopy(chance.choice(ODD))


def run(name: str, obj: dict[str, Any], old: dict[str, Any] | None) -> list[Any]:
    validation.unknown_fields(name, obj)
    obj["metadata"] = obj.get("metadata") or {}
    apply_defaults(name, obj)
    metadata = obj["metadata"]
    request = admission.Request(
        operation="UPDATE" if old else "CREATE",
        resource=name,
        subresource="",
        namespace=metadata.get("namespace", ""),
        name=metadata.get("name", ""),
        obj=obj,
        old=old,
    )
    admission.mutate(Replay(), request)
    if old is None:
        validation.prepare_for_create(name, obj)
        causes = validation.validate_create(name, obj)
    else:
        validation.prepare_for_update(name, obj, old)
        causes = validation.validate_update(name, obj, old)
    if not causes:
        admission.check(Replay(), request)
        validation.warnings(name, obj, old)
    return causes


@pytest.mark.skipif(not STATES, reason=f"no recordings at {ORACLE}")
@pytest.mark.parametrize("kind", STATES)
def test_nothing_breaks(kind: str) -> None:
    chance = random.Random(kind)  # noqa: S311  the same objects in every run
    refused = 0
    for _ in range(40):
        base = chance.choice(STATES[kind])
        for old in (None, base):
            obj = deepcopy(base)
            for _ in range(chance.randint(1, 3)):
                spoil(obj, chance)
            try:
                refused += bool(run(KINDS[base["apiVersion"], kind].name, obj, old))
            except errors.ApiError:
                refused += 1
    assert refused

from __future__ import annotations

from ecns.backends.kubernetes.changes import HISTORY, QUEUE, Change, Changes


def change(version: int) -> Change[str]:
    return Change("MODIFIED", "x", version)


async def test_goes_on_where_a_reader_left_off() -> None:
    changes: Changes[str] = Changes()
    for version in range(1, 6):
        changes.tell(change(version))
    with changes.subscribe(3, now=5) as later, changes.subscribe(None, now=5) as new:
        changes.tell(change(6))
        assert [(await anext(later)).resource_version for _ in range(3)] == [4, 5, 6]
        assert (await anext(new)).resource_version == 6
    assert [left async for left in later] == []
    assert not changes.followers


async def test_who_comes_back_too_late_is_told() -> None:
    changes: Changes[str] = Changes()
    for version in range(1, HISTORY + 10):
        changes.tell(change(version))
    with changes.subscribe(3, now=HISTORY + 9) as late:
        assert await anext(late) == Change("LOST", None, HISTORY + 9)
        changes.tell(change(HISTORY + 10))
        assert (await anext(late)).type == "MODIFIED"


async def test_a_slow_reader_is_let_go() -> None:
    changes: Changes[str] = Changes()
    slow = changes.subscribe(None, now=0)
    for version in range(1, QUEUE + 2):
        changes.tell(change(version))
    assert not changes.followers
    assert [(left.type, left.resource_version) async for left in slow] == [("LOST", QUEUE + 1)]

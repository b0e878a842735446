"""What one caller may ask for, in simulated time."""

from __future__ import annotations

import pytest

from ecns.config import Limits as Settings
from ecns.errors import TooManyRequestsError
from ecns.server import limits as module
from ecns.server.limits import Limits


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limits(clock: Clock) -> Limits:
    return Limits(Settings(requests_per_second=2, burst=4, streams=2), clock)


def served(limits: Limits, caller: str, tries: int) -> int:
    done = 0
    for _ in range(tries):
        try:
            limits.request(caller)
        except TooManyRequestsError:
            continue
        done += 1
    return done


def test_a_burst_then_as_many_as_the_rate_gives(limits: Limits, clock: Clock) -> None:
    assert served(limits, "a", 10) == 4
    clock.now += 1.0
    assert served(limits, "a", 10) == 2
    clock.now += 0.25
    with pytest.raises(TooManyRequestsError) as refused:
        limits.request("a")
    assert refused.value.headers == {"Retry-After": "1"}
    clock.now += 0.25
    limits.request("a")
    clock.now += 3600
    assert served(limits, "a", 10) == 4


def test_callers_do_not_pay_for_each_other(limits: Limits) -> None:
    assert served(limits, "a", 10) == 4
    assert served(limits, "b", 10) == 4


def test_few_are_remembered(limits: Limits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 3)
    for caller in "abcdefgh":
        limits.request(caller)
    assert len(limits._buckets) == 3


def test_streams_count_while_they_are_open(limits: Limits) -> None:
    first = limits.stream("a")
    limits.stream("a")
    with pytest.raises(TooManyRequestsError):
        limits.stream("a")
    limits.stream("b")
    first()
    limits.stream("a")()
    assert limits._streams == {"a": 1, "b": 1}

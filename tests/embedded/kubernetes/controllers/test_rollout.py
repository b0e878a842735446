from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ecns.embedded.kubernetes.controllers import rollout

sizes = st.integers(min_value=0, max_value=40)
amounts = st.one_of(sizes, st.integers(min_value=0, max_value=100).map(lambda number: f"{number}%"))


def _deployment(replicas: int, surge: Any, unavailable: Any) -> dict[str, Any]:
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    return {
        "spec": {"replicas": replicas, "strategy": {"type": "RollingUpdate", "rollingUpdate": rolling}},
        "status": {},
    }


def _set(name: str, replicas: int, available: int) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "creationTimestamp": f"2026-01-01T00:00:0{len(name) % 10}Z"},
        "spec": {"replicas": replicas},
        "status": {"availableReplicas": min(available, replicas)},
    }


@settings(max_examples=60)
@given(sizes, amounts, amounts, sizes, sizes, sizes, sizes)
def test_a_step_never_exceeds_the_surge_nor_goes_below_what_must_be_available(  # noqa: PLR0917  all drawn
    replicas: int, surge: Any, unavailable: Any, old: int, old_up: int, new: int, new_up: int
) -> None:
    deployment = _deployment(replicas, surge, unavailable)
    before, after = _set("old", old, old_up), _set("newer", new, new_up)
    grown = rollout.new_size(deployment, [before, after], after)
    assert grown == new or grown + old <= replicas + rollout.max_surge(deployment)
    steps = rollout.cleanup_sizes(deployment, [before], after)
    if steps:
        left = steps[-1][1]
        up = rollout.available(before) + rollout.available(after)
        least = replicas - rollout.max_unavailable(deployment)
        lost = max(rollout.available(before) - left, 0)
        assert 0 <= left < old
        assert up - lost >= min(least, up)


@settings(max_examples=60)
@given(
    st.integers(min_value=1, max_value=40),
    sizes,
    st.lists(st.integers(min_value=1, max_value=20), min_size=2, max_size=4),
)
def test_proportional_scaling_adds_up(replicas: int, surge: int, present: list[int]) -> None:
    deployment = _deployment(replicas, surge, 1)
    sets = [_set("x" * (index + 1), size, size) for index, size in enumerate(present)]
    for one in sets:
        one["metadata"]["annotations"] = {rollout.MAXIMUM: str(sum(present))}
    found = rollout.proportional(deployment, sets)
    rest = replicas + surge - sum(size for _, size in found)
    assert rest == 0 or (rest < 0 and found[0][1] == 0)  # what rounding leaves is the first one's, if it can

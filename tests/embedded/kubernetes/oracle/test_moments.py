"""The rule that compares moments lets pass what passed, and nothing else."""

from __future__ import annotations

from typing import Any

from tests.embedded.kubernetes.oracle import moments


def _history(*states: dict[str, Any], last: str = "MODIFIED") -> list[dict[str, Any]]:
    kinds = ["ADDED", *["MODIFIED"] * (len(states) - 2), last]
    return [
        {"type": kind, "object": {"metadata": {"name": "a"}, "status": state}, "uid": "1"}
        for kind, state in zip(kinds, states, strict=True)
    ]


def test_a_counter_may_go_in_other_steps() -> None:
    whole = _history({"ready": 0}, {"ready": 1}, {"ready": 2}, {"ready": 3})
    assert moments.same_history(whole, _history({"ready": 0}, {"ready": 3}))


def test_a_counter_must_reach_the_same() -> None:
    whole = _history({"ready": 0}, {"ready": 3}, {"ready": 1})
    assert not moments.same_history(whole, _history({"ready": 0}, {"ready": 2}, {"ready": 1}))
    assert not moments.same_history(whole, _history({"ready": 0}, {"ready": 3}))
    assert not moments.same_history(whole, _history({"ready": 0}, {"ready": 3}, {"ready": 1}, {"ready": 2}))


def test_other_fields_take_the_same_values_in_the_same_order() -> None:
    whole = _history({"phase": "Pending"}, {"phase": "Running"}, {"phase": "Failed"})
    assert not moments.same_history(whole, _history({"phase": "Pending"}, {"phase": "Failed"}))
    assert not moments.same_history(
        whole, _history({"phase": "Running"}, {"phase": "Pending"}, {"phase": "Failed"})
    )
    assert not moments.same_history(
        whole, _history({"phase": "Pending"}, {"phase": "Running"}, {"phase": "Failed"}, last="DELETED")
    )


def test_a_state_is_accepted_where_it_was_passed() -> None:
    one, two = (
        {"metadata": {"name": "a"}, "status": {"n": 1}},
        {"metadata": {"name": "a"}, "status": {"n": 2}},
    )
    assert moments.passed(one, [one, two])
    assert moments.passed({"items": [two]}, [one, two])
    assert not moments.passed({"metadata": {"name": "a"}, "status": {"n": 3}}, [one, two])
    assert not moments.passed({"items": []}, [one, two])


def test_of_a_change_only_the_status_is_the_moments() -> None:
    one, two = (
        {"metadata": {"name": "a"}, "status": {"n": 1}},
        {"metadata": {"name": "a"}, "status": {"n": 2}},
    )
    assert moments.passed_status(one, two, [one, two])
    assert not moments.passed_status(one, {**two, "spec": {"x": 1}}, [one, two])
    assert not moments.passed_status({**one, "status": {"n": 3}}, two, [one, two])


def test_events_are_the_same_however_often() -> None:
    event = {"involvedObject": {"kind": "Pod", "name": "a"}, "reason": "Killing", "message": "m", "count": 1}
    assert moments.told_events([event]) == moments.told_events([{**event, "count": 3}])
    assert moments.told_events([event]) != moments.told_events([{**event, "message": "other"}])

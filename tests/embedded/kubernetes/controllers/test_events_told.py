"""What the recorder of events makes of very many of them, as client-go's does."""

from __future__ import annotations

from ecns.embedded.kubernetes.cluster import Cluster
from ecns.embedded.kubernetes.controllers.events import Events

_ABOUT = {"kind": "ReplicaSet", "apiVersion": "apps/v1", "metadata": {"name": "web", "namespace": "default"}}


def _told(messages: list[str]) -> list[tuple[str, int]]:
    cluster = Cluster()
    cluster.create("namespaces", {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "default"}})
    events = Events(cluster)
    for message in messages:
        events.record(_ABOUT, "Warning", "FailedCreate", message, component="replicaset-controller")
    found = [(event["message"], event["count"]) for event in cluster.list("events", "default")]
    cluster.close()
    return found


def test_equal_ones_are_counted() -> None:
    assert _told(["no", "no", "no"]) == [("no", 3)]


def test_many_of_one_reason_become_one() -> None:
    found = _told([f"pod {index}" for index in range(14)])
    assert found[:9] == [(f"pod {index}", 1) for index in range(9)]
    assert found[9:] == [("(combined from similar events): pod 13", 5)]


def test_a_combined_one_does_not_say_who_reports() -> None:
    cluster = Cluster()
    cluster.create("namespaces", {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "default"}})
    events = Events(cluster)
    for index in range(10):
        events.record(_ABOUT, "Warning", "FailedCreate", f"pod {index}", component="replicaset-controller")
    told = {event["message"]: event["reportingComponent"] for event in cluster.list("events", "default")}
    cluster.close()
    assert told["pod 0"] == "replicaset-controller"
    assert not told["(combined from similar events): pod 9"]


def test_who_says_too_much_is_not_heard() -> None:
    assert _told(["again"] * 40) == [("again", 25)]

"""Whose a volume is: that of the namespace of its claim, and of no later one of the same name."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ecns.backends.kubernetes.kinds.core import Namespace, PersistentVolume
from ecns.backends.memory import Local
from ecns.identity.place import PROJECT_LABEL, Places
from ecns.identity.policy import Policy
from tests.identity.callers import caller

MADE = "2026-01-02T00:00:00Z"


class FakeCluster:
    """Knows one namespace of the project p1."""

    def cache(self, _kind: Any) -> FakeCluster:
        return self

    def get(self, name: str) -> Namespace | None:
        metadata = {"name": "shop", "creationTimestamp": MADE, "labels": {PROJECT_LABEL: "p1"}}
        return msgspec.convert({"metadata": metadata}, Namespace) if name == "shop" else None


@pytest.mark.parametrize(
    ("claim", "since", "seen"),
    [
        ({"namespace": "shop", "name": "c", "uid": "u"}, MADE, ["member", "reader"]),
        ({"namespace": "shop", "name": "c", "uid": "u"}, "2026-01-03T00:00:00Z", ["member", "reader"]),
        ({"namespace": "shop", "name": "c", "uid": "u"}, "2026-01-01T00:00:00Z", []),
        ({"namespace": "gone", "name": "c"}, MADE, []),
        ({}, MADE, []),
        (None, MADE, []),
    ],
)
def test_who_may_see_a_volume(claim: dict[str, str] | None, since: str, seen: list[str]) -> None:
    places = Places([], Local(), Policy())  # type: ignore[arg-type]  # no clusters are needed
    cluster: Any = FakeCluster()
    whole = {
        "metadata": {"name": "v", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"claimRef": claim} if claim is not None else {},
        "status": {"lastPhaseTransitionTime": since},
    }
    volume = msgspec.convert(whole, PersistentVolume)
    for role in ("member", "reader"):
        assert places.may_see_volume(caller(role), cluster, volume) == (role in seen)
        assert not places.may_see_volume(caller(role, project_id="p2"), cluster, volume)
    assert places.may_see_volume(caller("admin", project_id="p2"), cluster, volume)

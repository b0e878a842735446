"""Claims of whatever kind are shown; what is changed of them is one thing only."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecns.api.claims import manifests
from ecns.api.claims.types import Claim, ClaimToMake, Surroundings, Whereabouts
from ecns.backends.kubernetes.kinds.core import PersistentVolumeClaim
from tests.api.workloads.recorded import recorded
from tests.api.workloads.test_total import applied

TEXT = st.text(max_size=20)
QUANTITY = st.one_of(TEXT, st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.just("1Gi"))
MODES = st.lists(st.sampled_from([*manifests.ACCESS_MODES, "Strange"]), max_size=3)
CONDITION = st.fixed_dictionaries(
    {"type": TEXT, "status": st.sampled_from(["True", "False", "Unknown"])},
    optional={"reason": TEXT, "message": TEXT},
)
CLAIM = st.fixed_dictionaries(
    {"metadata": st.fixed_dictionaries({"name": st.just("c"), "namespace": st.just("n")})},
    optional={
        "spec": st.fixed_dictionaries(
            {},
            optional={
                "accessModes": MODES,
                "storageClassName": TEXT,
                "resources": st.fixed_dictionaries(
                    {}, optional={"requests": st.dictionaries(st.just("storage"), QUANTITY)}
                ),
                "volumeName": TEXT,
                "volumeMode": TEXT,
            },
        ),
        "status": st.fixed_dictionaries(
            {},
            optional={
                "phase": st.sampled_from(["", "Pending", "Bound", "Lost", "Odd"]),
                "accessModes": MODES,
                "capacity": st.dictionaries(st.just("storage"), QUANTITY),
                "conditions": st.lists(CONDITION, max_size=2),
            },
        ),
    },
)
AROUND = st.builds(
    Surroundings,
    where=st.just(Whereabouts("eks", "https://eks", "Default", "demo")),
    attached=st.lists(st.tuples(TEXT, TEXT, st.none() | TEXT), max_size=2).map(tuple),
    pods=st.integers(0, 20),
    class_mode=st.sampled_from([None, "Immediate", "WaitForFirstConsumer"]),
)


@given(CLAIM, AROUND)
def test_every_claim_is_shown(whole: dict[str, object], around: Surroundings) -> None:
    found = msgspec.convert(whole, PersistentVolumeClaim)
    row = msgspec.json.decode(msgspec.json.encode(manifests.shown(found, around)), type=Claim)
    assert (row.name, row.namespace, row.cluster, row.project) == ("c", "n", "eks", "demo")
    assert row.status
    assert all(row.reasons)
    assert manifests.usable(row) in {True, False}


def test_every_recorded_claim_is_shown() -> None:
    count = 0
    for whole in recorded("PersistentVolumeClaim"):
        count += 1
        found = msgspec.convert(whole, PersistentVolumeClaim)
        row = manifests.shown(found, Surroundings())
        assert row.name == whole["metadata"]["name"]
        assert row.status in {whole.get("status", {}).get("phase", "Pending"), "Removing"}
        assert row.capacity
    assert count


def claim(**spec: object) -> PersistentVolumeClaim:
    status = spec.pop("status", {})
    metadata = {"name": "c", "namespace": "n", **spec.pop("metadata", {})}  # type: ignore[dict-item]  # a dict
    return msgspec.convert({"metadata": metadata, "spec": spec, "status": status}, PersistentVolumeClaim)


@pytest.mark.parametrize(
    ("found", "around", "reason"),
    [
        (claim(storageClassName="x"), Surroundings(class_mode="Immediate"), None),
        (claim(storageClassName="x"), Surroundings(class_mode="WaitForFirstConsumer"), "first pod"),
        (claim(storageClassName="x"), Surroundings(), "no storage class 'x'"),
        (claim(), Surroundings(), "no default"),
        (claim(volumeName="v", status={"phase": "Lost"}), Surroundings(), "'v' is gone"),
        (claim(status={"phase": "Bound"}), Surroundings(pods=1), None),
        (
            claim(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}),
            Surroundings(pods=7, pod_names=("a", "b", "c", "d", "e")),
            "a, b, c, d, e and 2 more",
        ),
        (
            claim(
                status={
                    "phase": "Bound",
                    "conditions": [
                        {"type": "FileSystemResizePending", "status": "True", "message": "start a pod"}
                    ],
                }
            ),
            Surroundings(),
            "start a pod",
        ),
    ],
)
def test_a_claim_says_why_it_is_not_as_wanted(
    found: PersistentVolumeClaim, around: Surroundings, reason: str | None
) -> None:
    reasons = manifests.reasons(found, around)
    assert len(reasons) == (reason is not None)
    assert reason is None or reason in reasons[0]


def test_which_claims_another_workload_could_mount() -> None:
    def usable(mode: str, phase: str, pods: int = 0) -> bool:
        found = claim(accessModes=["ReadOnlyMany", mode], status={"phase": phase})
        return manifests.usable(manifests.shown(found, Surroundings(pods=pods)))

    assert usable("ReadWriteOnce", "Bound")
    assert usable("ReadWriteOnce", "Pending")
    assert usable("ReadWriteMany", "Bound", pods=1)
    assert not usable("ReadWriteOnce", "Bound", pods=1)
    assert not usable("ReadWriteMany", "Lost")


def test_what_grows_is_the_request_alone() -> None:
    whole = {
        "metadata": {"name": "c"},
        "spec": {
            "resources": {"requests": {"storage": "1Gi"}, "limits": {"storage": "9Gi"}},
            "dataSource": {"kind": "VolumeSnapshot", "name": "s"},
        },
    }
    changed = applied(whole, manifests.grown(whole, "2Gi"))
    assert changed["spec"]["resources"] == {"requests": {"storage": "2Gi"}, "limits": {"storage": "9Gi"}}
    assert changed["spec"]["dataSource"] == whole["spec"]["dataSource"]
    assert manifests.grown(whole, "1Gi") == []


def test_what_is_made_asks_for_what_was_sent() -> None:
    sent = ClaimToMake(
        access_modes=["ReadWriteMany", "ReadWriteMany"], storage_class_name="", volume_mode="Block"
    )
    made = manifests.claim_object(sent, "c", "n", "3Gi")
    assert made.spec.access_modes == ["ReadWriteMany"]
    assert made.spec.storage_class_name is None
    assert (made.spec.volume_mode, manifests.asked(made)) == ("Block", "3Gi")


def test_the_class_of_an_old_claim_is_in_its_annotation() -> None:
    old = claim(metadata={"annotations": {"volume.beta.kubernetes.io/storage-class": "slow"}})
    assert manifests.class_of(old) == "slow"
    assert manifests.class_of(claim(storageClassName="fast")) == "fast"
    assert manifests.class_of(claim()) == ""

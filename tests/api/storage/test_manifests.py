"""Classes and volumes of whatever kind are shown."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecns.api.claims.types import Whereabouts
from ecns.api.storage import manifests
from ecns.backends.kubernetes.kinds.core import PersistentVolume
from ecns.backends.kubernetes.kinds.storage import StorageClass
from tests.api.workloads.recorded import recorded

HERE = Whereabouts("eks", "https://eks", "Default", "demo")
TEXT = st.text(max_size=20)
MARK = st.sampled_from(["true", "false", "yes", ""])
ANNOTATIONS = st.fixed_dictionaries(
    {}, optional={manifests.DEFAULT: MARK, manifests.OLD_DEFAULT: MARK, manifests.BECOMING: TEXT}
)
CLASS = st.fixed_dictionaries(
    {
        "metadata": st.fixed_dictionaries(
            {"name": st.sampled_from("abc")},
            optional={
                "annotations": ANNOTATIONS,
                "creationTimestamp": st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]),
            },
        )
    },
    optional={
        "provisioner": TEXT,
        "parameters": st.dictionaries(TEXT, TEXT, max_size=2),
        "reclaimPolicy": TEXT,
        "volumeBindingMode": TEXT,
        "allowVolumeExpansion": st.booleans(),
    },
)
VOLUME = st.fixed_dictionaries(
    {"metadata": st.fixed_dictionaries({"name": st.just("v")})},
    optional={
        "spec": st.fixed_dictionaries(
            {},
            optional={
                "capacity": st.dictionaries(TEXT, TEXT | st.integers(), max_size=2),
                "accessModes": st.lists(TEXT, max_size=2),
                "storageClassName": TEXT,
                "claimRef": st.fixed_dictionaries({}, optional={"name": TEXT, "namespace": TEXT}),
                "persistentVolumeReclaimPolicy": TEXT,
                "csi": st.just({"driver": "d", "volumeHandle": "h"}),
            },
        ),
        "status": st.fixed_dictionaries({}, optional={"phase": TEXT, "reason": TEXT, "message": TEXT}),
    },
)


@given(CLASS, st.booleans())
def test_every_class_is_shown(whole: dict[str, object], is_default: bool) -> None:  # noqa: FBT001  from hypothesis
    found = msgspec.convert(whole, StorageClass)
    row = manifests.shown_class(found, HERE, is_default=is_default)
    msgspec.json.encode(row)
    assert (row.cluster, row.capacity, row.is_default) == ("eks", 0, is_default)
    assert "ReadWriteOnce" in row.access_modes
    assert manifests.becoming(found) >= 0


@given(st.lists(CLASS, max_size=4, unique_by=lambda one: one["metadata"]["name"]))
def test_one_class_at_most_is_the_default(several: list[dict[str, object]]) -> None:
    classes = [msgspec.convert(whole, StorageClass) for whole in several]
    marked = [one for one in classes if manifests.is_marked(one)]
    name = manifests.default(classes)
    assert (name is None) == (not marked)
    if name is not None:
        found = next(one for one in marked if one.metadata.name == name)
        newest = max(one.metadata.creation_timestamp or "" for one in marked)
        assert (found.metadata.creation_timestamp or "") == newest


@given(VOLUME)
def test_every_volume_is_shown(whole: dict[str, object]) -> None:
    row = manifests.shown_volume(msgspec.convert(whole, PersistentVolume), HERE)
    msgspec.json.encode(row)
    assert row.name == "v"
    assert row.status


def test_every_recorded_volume_and_class_is_shown() -> None:
    volumes = [msgspec.convert(whole, PersistentVolume) for whole in recorded("PersistentVolume")]
    states = {manifests.shown_volume(one, HERE).status for one in volumes}
    assert {"Available", "Bound", "Released"} <= states
    classes = [msgspec.convert(whole, StorageClass) for whole in recorded("StorageClass")]
    assert classes
    for one in classes:
        assert manifests.shown_class(one, HERE, is_default=False).provisioner == one.provisioner


@pytest.mark.parametrize(
    ("annotations", "default"),
    [
        ({}, None),
        ({manifests.DEFAULT: "true"}, "c"),
        ({manifests.OLD_DEFAULT: "true"}, "c"),
        ({manifests.OLD_DEFAULT: "true", manifests.DEFAULT: "false"}, "c"),
        ({manifests.DEFAULT: "True"}, None),
    ],
)
def test_annotations_of_both_generations_mark_the_default(
    annotations: dict[str, str], default: str | None
) -> None:
    found = msgspec.convert({"metadata": {"name": "c", "annotations": annotations}}, StorageClass)
    assert manifests.default([found]) == default


def test_a_volume_says_why_it_failed_or_stays() -> None:
    failed = {"metadata": {"name": "v"}, "status": {"phase": "Failed", "reason": "R", "message": "m"}}
    row = manifests.shown_volume(msgspec.convert(failed, PersistentVolume), HERE)
    assert (row.status, row.reason) == ("Failed", "R: m")
    going = {
        "metadata": {"name": "v", "deletionTimestamp": "2026-01-01T00:00:00Z"},
        "status": {"phase": "Bound"},
    }
    row = manifests.shown_volume(msgspec.convert(going, PersistentVolume), HERE)
    assert (row.status, row.reason) == ("Removing", "kept until its claim is gone")


def test_a_class_of_cinder_names_its_type() -> None:
    whole = manifests.class_object("ssd", volume_type="fast", domain="Default", project="demo")
    row = manifests.shown_class(msgspec.convert(whole, StorageClass), HERE, is_default=False)
    assert (row.provisioner, row.volume_type) == ("cinder.csi.openstack.org", "fast")
    assert (row.domain, row.project, row.allow_volume_expansion) == ("Default", "demo", True)
    assert "type" not in manifests.class_object("c", volume_type="", domain="", project="")["parameters"]

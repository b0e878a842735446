"""Classes of the volume types that a real Cinder has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.api.common.batches import Batch
from ecns.api.storage.types import OneClass
from tests.api.answers import told
from tests.api.claims.asking import unused

if TYPE_CHECKING:
    from tests.gateway import Gateway


def test_a_type_that_cinder_does_not_have_is_warned_of(cloud_gateway: Gateway) -> None:
    admin = cloud_gateway.client("admin", **{"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": "demo"})
    name = unused("type")
    path = f"/kubernetes/sc/{name}/"
    types = {one["name"]: one["id"] for one in cloud_gateway.client("visitor").get("/volumes/").json()}
    for kind, known in (("ssd", True), (types["ssd"], True), ("others-own", True), ("sdd", False)):
        made = told(admin.post(path, json={"volume_type": kind}), OneClass)
        assert made.storage_class.volume_type == kind
        assert (made.warnings == []) == known
        assert known or "ssd" in made.warnings[0]
        told(admin.delete(path), Batch[None])

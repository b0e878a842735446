"""Classes of the volume types that a real Cinder has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.api.common.batches import Batch
from ecns.api.storage.types import OneClass
from tests.api.answers import refused, told
from tests.api.claims.asking import unused

if TYPE_CHECKING:
    from tests.gateway import Gateway


def test_a_class_is_of_a_type_that_cinder_has(cloud_gateway: Gateway) -> None:
    admin = cloud_gateway.client("admin", **{"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": "demo"})
    name = unused("type")
    path = f"/kubernetes/sc/{name}/"
    message = refused(admin.post(path, params={"volume_type": "sdd"}), 400, field="volume_type")
    assert "ssd" in message
    types = {one["name"]: one["id"] for one in cloud_gateway.client("visitor").get("/volumes/").json()}
    for kind in ("ssd", types["ssd"], "others-own"):
        made = told(admin.post(path, json={"volume_type": kind}), OneClass)
        assert made.storage_class.volume_type == kind
        told(admin.delete(path), Batch[None])

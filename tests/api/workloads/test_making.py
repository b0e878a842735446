"""What a workload carries of the request that makes it."""

from __future__ import annotations

from typing import Any

import msgspec

from ecns.api.workloads import aspects, manifests, types
from ecns.api.workloads.manifests.controllers import INCOMPLETE
from ecns.api.workloads.manifests.names import CREATING, REQUEST
from tests.api.workloads.asking import workload

PORT: dict[str, Any] = {"access_mode": [{"type": "ClusterIP", "access": [{"port": 80}]}]}


def made(key: str = "", **more: Any) -> manifests.WorkloadObjects:
    sent = msgspec.convert(workload("w", **more), types.Workload)
    objects = manifests.objects(sent, namespace="here", registry_domain="registry.example")
    manifests.mark(objects, sent, key)
    return objects


def reasons(objects: manifests.WorkloadObjects) -> list[str]:
    shown = manifests.workload(objects.controller).workload_status
    assert shown is not None
    return list(shown.reasons)


def test_what_has_several_objects_is_incomplete_until_it_is_finished() -> None:
    objects = made(**PORT)
    assert manifests.creating(objects.controller)
    assert reasons(objects) == [INCOMPLETE]
    whole = msgspec.to_builtins(objects.controller)
    test, remove = manifests.finished(whole)
    assert (test["op"], remove["op"], remove["path"]) == (
        "test",
        "remove",
        "/metadata/labels/ecns.easystack.com~1creating",
    )
    del whole["metadata"]["labels"][CREATING]
    assert manifests.finished(whole) == []


def test_what_has_one_object_is_complete_at_once() -> None:
    objects = made()
    assert not manifests.creating(objects.controller)
    assert reasons(objects) == []


def test_a_request_is_told_from_another_one() -> None:
    first = made(**PORT).controller
    assert manifests.request(first) == manifests.request(made(**PORT).controller)
    assert manifests.creating(first) == manifests.creating(made("somebody key", **PORT).controller)
    others = [made(), made("somebody key", **PORT), made("somebody other", **PORT), made(replicas=2, **PORT)]
    assert len({manifests.request(one) for one in (first, *(other.controller for other in others))}) == 5


def test_it_is_not_the_users_label_and_a_change_of_labels_keeps_it() -> None:
    controller = made(labels={"tier": "front"}, **PORT).controller
    assert manifests.workload(controller).labels == {"tier": "front"}
    operations = aspects.labels(msgspec.to_builtins(controller), "Deployment", {"tier": "back"})
    assert CREATING not in repr(operations).replace("~1", "/")
    assert REQUEST in (controller.metadata.annotations or {})

"""What a workload carries of the request that makes it."""

from __future__ import annotations

from typing import Any

import msgspec

from ecns.api.common import marks
from ecns.api.common.marks import INCOMPLETE
from ecns.api.common.names import CREATING, REQUEST
from ecns.api.workloads import aspects, manifests, types
from tests.api.workloads.asking import workload

PORT: dict[str, Any] = {"access_mode": [{"type": "ClusterIP", "access": [{"port": 80}]}]}


def made(key: str = "", **more: Any) -> manifests.WorkloadObjects:
    sent = msgspec.convert(workload("w", **more), types.Workload)
    objects = manifests.objects(sent, namespace="here", registry_domain="registry.example")
    marks.mark(objects.controller.metadata, sent, key, alone=not objects.dependants)
    return objects


def reasons(objects: manifests.WorkloadObjects) -> list[str]:
    shown = manifests.workload(objects.controller).workload_status
    assert shown is not None
    return list(shown.reasons)


def test_what_has_several_objects_is_incomplete_until_it_is_finished() -> None:
    objects = made(**PORT)
    assert marks.creating(objects.controller)
    assert reasons(objects) == [INCOMPLETE]
    whole = msgspec.to_builtins(objects.controller)
    test, remove = marks.finished(whole)
    assert (test["op"], remove["op"], remove["path"]) == (
        "test",
        "remove",
        "/metadata/labels/ecns.easystack.com~1creating",
    )
    del whole["metadata"]["labels"][CREATING]
    assert marks.finished(whole) == []


def test_what_has_one_object_is_complete_at_once() -> None:
    objects = made()
    assert not marks.creating(objects.controller)
    assert reasons(objects) == []


def test_a_request_is_told_from_another_one() -> None:
    first = made(**PORT).controller
    assert marks.request(first) == marks.request(made(**PORT).controller)
    assert marks.creating(first) == marks.creating(made("somebody key", **PORT).controller)
    others = [made(), made("somebody key", **PORT), made("somebody other", **PORT), made(replicas=2, **PORT)]
    assert len({marks.request(one) for one in (first, *(other.controller for other in others))}) == 5


def test_it_is_not_the_users_label_and_a_change_of_labels_keeps_it() -> None:
    controller = made(labels={"tier": "front"}, **PORT).controller
    assert manifests.workload(controller).labels == {"tier": "front"}
    operations = aspects.labels(msgspec.to_builtins(controller), "Deployment", {"tier": "back"})
    assert CREATING not in repr(operations).replace("~1", "/")
    assert REQUEST in (controller.metadata.annotations or {})

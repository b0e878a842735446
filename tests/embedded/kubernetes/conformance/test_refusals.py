"""What small kinds refuse, and what of an event and an autoscaler belongs to whom in which version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.embedded.kubernetes.conftest import Client

STORAGE = "/apis/storage.k8s.io/v1"
DEFAULT = "namespaces/default"
EVENTS = f"/apis/events.k8s.io/v1/{DEFAULT}/events"
OLD_EVENTS = f"/api/v1/{DEFAULT}/events"
SCALERS = f"/apis/autoscaling/%s/{DEFAULT}/horizontalpodautoscalers"
ATTACHMENT = {"attacher": "a.b", "nodeName": "n", "source": {"persistentVolumeName": "v"}}
DATED: dict[str, Any] = {
    "metadata": {"name": "it"},
    "regarding": {"namespace": "default"},
    "eventTime": "2026-01-02T03:04:05.000000Z",
    "type": "Normal",
    "action": "Do",
    "reason": "Because",
    "reportingController": "example.com/c",
    "reportingInstance": "c-1",
}


@pytest.mark.parametrize(
    ("path", "body", "fields"),
    [
        (f"{STORAGE}/volumeattachments", {"spec": ATTACHMENT}, []),
        (f"{STORAGE}/volumeattachments", {}, ["spec.attacher", "spec.source", "spec.nodeName"]),
        (f"{STORAGE}/volumeattributesclasses", {"driverName": "d", "parameters": {"a": "b"}}, []),
        (f"{STORAGE}/volumeattributesclasses", {}, ["driverName", "parameters"]),
        (f"{STORAGE}/csinodes", {"spec": {"drivers": None}}, []),
        (
            f"{STORAGE}/csinodes",
            {"spec": {"drivers": [{"name": "D", "nodeID": "", "topologyKeys": ["k", "k"]}]}},
            ["spec.drivers[0].nodeID", "spec.drivers[0]"],
        ),
        (f"{STORAGE}/csidrivers", {"spec": {"fsGroupPolicy": "Maybe"}}, ["spec.fsGroupPolicy"]),
        (
            f"{STORAGE}/csidrivers",
            {"spec": {"tokenRequests": [{"audience": "", "expirationSeconds": 5}, {"audience": ""}]}},
            ["spec.tokenRequests[0].expirationSeconds", "spec.tokenRequests[1].audience"],
        ),
        (
            f"{STORAGE}/{DEFAULT}/csistoragecapacities",
            {"storageClassName": "A", "capacity": "-1"},
            ["storageClassName", "capacity"],
        ),
        ("/apis/networking.k8s.io/v1/ingressclasses", {"spec": {}}, ["spec.controller"]),
        (
            "/apis/networking.k8s.io/v1/ingressclasses",
            {"spec": {"controller": "a.b/?"}},
            ["spec.controller"],
        ),
        (f"/apis/apps/v1/{DEFAULT}/controllerrevisions", {"revision": 1}, ["data"]),
        (f"/apis/apps/v1/{DEFAULT}/controllerrevisions", {"data": {}, "revision": 1}, []),
        (EVENTS, DATED, []),
        (EVENTS, {"regarding": {"namespace": "default"}}, ["eventTime", "type"]),
        (EVENTS, DATED | {"deprecatedCount": 1}, ["count"]),
        (EVENTS, DATED | {"series": {"count": 1}}, ["series.count", "series.lastObservedTime"]),
        (EVENTS, DATED | {"reportingController": ""}, ["reportingController"] * 2),
        (OLD_EVENTS, {"involvedObject": {"namespace": "default"}}, []),
        (OLD_EVENTS, {"involvedObject": {"namespace": "other"}}, ["involvedObject.namespace"]),
        (
            OLD_EVENTS,
            {"eventTime": DATED["eventTime"], "reportingComponent": "c", "action": "a" * 129, "reason": "r"},
            ["reportingInstance", "action"],
        ),
    ],
)
async def test_a_new_object_is_checked(
    api: Client, path: str, body: dict[str, Any], fields: list[str]
) -> None:
    answer = await api.post(path, {"metadata": {"name": "it"}, **body})
    assert answer.status == (422 if fields else 201), answer.text
    named = [cause["field"] for cause in answer.json["details"]["causes"]] if fields else []
    assert sorted(set(named), key=named.index) == sorted(set(fields), key=fields.index)


@pytest.mark.parametrize(
    ("path", "body", "change", "field"),
    [
        (f"{STORAGE}/volumeattachments", {"spec": ATTACHMENT}, {"spec": {"nodeName": "m"}}, "spec"),
        (
            f"{STORAGE}/volumeattributesclasses",
            {"driverName": "d", "parameters": {"a": "b"}},
            {"parameters": {"a": "c"}},
            "parameters",
        ),
        (
            f"{STORAGE}/{DEFAULT}/csistoragecapacities",
            {"storageClassName": "a"},
            {"storageClassName": "b"},
            "storageClassName",
        ),
        (f"{STORAGE}/csidrivers", {"spec": {}}, {"spec": {"attachRequired": False}}, "spec.attachedRequired"),
        (EVENTS, DATED, {"note": "other"}, "message"),
    ],
)
async def test_what_is_fixed_stays(
    api: Client, path: str, body: dict[str, Any], change: dict[str, Any], field: str
) -> None:
    await api.post(path, {"metadata": {"name": "it"}, **body})
    answer = await api.patch(f"{path}/it", change)
    assert answer.status == 422, answer.text
    assert [cause["field"] for cause in answer.json["details"]["causes"]] == [field]


async def test_the_series_of_an_event_goes_on(api: Client) -> None:
    await api.post(EVENTS, DATED)
    series = {"count": 2, "lastObservedTime": DATED["eventTime"]}
    assert (await api.patch(f"{EVENTS}/it", {"series": series})).status == 200
    assert (await api.get(f"{OLD_EVENTS}/it")).json["series"]["count"] == 2


async def test_fields_are_owned_in_the_version_that_was_spoken(api: Client) -> None:
    made = (await api.post(EVENTS, DATED | {"note": "hello"})).json["metadata"]["managedFields"]
    assert made[0]["apiVersion"] == "events.k8s.io/v1"
    assert {"f:regarding", "f:note", "f:reportingController"} <= set(made[0]["fieldsV1"])
    await api.patch(f"{OLD_EVENTS}/it?fieldManager=other", {"message": "bye"})
    first, second = (await api.get(f"{EVENTS}/it")).json["metadata"]["managedFields"]
    assert "f:note" not in first["fieldsV1"]
    assert (second["apiVersion"], set(second["fieldsV1"])) == ("v1", {"f:message"})


async def test_an_autoscaler_is_owned_in_the_version_that_was_spoken(api: Client) -> None:
    target = {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"}
    spec = {"maxReplicas": 3, "scaleTargetRef": target, "targetCPUUtilizationPercentage": 70}
    body = {"metadata": {"name": "it"}, "spec": spec}
    made = (await api.post(SCALERS % "v1", body)).json["metadata"]["managedFields"]
    assert made[0]["apiVersion"] == "autoscaling/v1"
    assert {f"f:{key}" for key in spec} <= set(made[0]["fieldsV1"]["f:spec"])
    metrics = [{"type": "Resource", "resource": {"name": "cpu"}}]
    metrics[0]["resource"] |= {"target": {"type": "Utilization", "averageUtilization": 60}}  # type: ignore[operator]
    await api.patch(f"{SCALERS % 'v2'}/it?fieldManager=other", {"spec": {"metrics": metrics}})
    first, second = (await api.get(f"{SCALERS % 'v2'}/it")).json["metadata"]["managedFields"]
    assert "f:targetCPUUtilizationPercentage" not in first["fieldsV1"]["f:spec"]
    assert second["fieldsV1"] == {"f:spec": {"f:metrics": {}}}

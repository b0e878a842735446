"""Every kind takes every operation, as the conformance suite's "should support … API operations" have it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from tests.embedded.kubernetes.conformance.streams import events

from ecns.embedded.kubernetes.resources import Resources

if TYPE_CHECKING:
    from tests.embedded.kubernetes.conftest import Client

TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}
SELECTOR = {"matchLabels": {"a": "b"}}
JOB = {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox"}]}}}
WORKLOAD = {"selector": SELECTOR, "template": TEMPLATE}
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"}
RULES = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
ROLE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
CRD = {
    "group": "example.com",
    "scope": "Namespaced",
    "names": {"plural": "ops", "kind": "Op"},
    "versions": [
        {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
    ],
}
# resource → what an object of it needs; the name is put in
NEEDS: dict[str, dict[str, Any]] = {
    "configmaps": {"data": {"k": "v"}},
    "endpoints": {"subsets": [{"addresses": [{"ip": "10.0.0.9"}], "ports": [{"port": 80}]}]},
    "events": {
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"},
        "reason": "R",
        "type": "Normal",
    },
    "limitranges": {"spec": {"limits": [{"type": "Container", "max": {"cpu": "2"}}]}},
    "namespaces": {},
    "nodes": {},
    "persistentvolumeclaims": {
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    },
    "persistentvolumes": {
        "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}}
    },
    "pods": {"spec": {"containers": [{"name": "c", "image": "nginx"}]}},
    "podtemplates": {"template": TEMPLATE},
    "replicationcontrollers": {"spec": {"replicas": 0, "selector": {"a": "b"}, "template": TEMPLATE}},
    "resourcequotas": {"spec": {"hard": {"pods": "90"}}},
    "secrets": {"data": {"k": "dg=="}},
    "serviceaccounts": {},
    "services": {"spec": {"ports": [{"port": 80}], "selector": {"a": "b"}}},
    "controllerrevisions.apps": {"revision": 1, "data": {"a": "b"}},
    "daemonsets.apps": {"spec": WORKLOAD},
    "deployments.apps": {"spec": WORKLOAD},
    "replicasets.apps": {"spec": WORKLOAD},
    "statefulsets.apps": {"spec": {**WORKLOAD, "serviceName": "x"}},
    "events.events.k8s.io": {
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "action": "A",
        "reason": "R",
        "type": "Normal",
        "reportingController": "c",
        "reportingInstance": "i",
        "regarding": {"kind": "Pod", "name": "p", "namespace": "default"},
    },
    "horizontalpodautoscalers.autoscaling": {"spec": {"maxReplicas": 3, "scaleTargetRef": TARGET}},
    "cronjobs.batch": {"spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": JOB}}},
    "jobs.batch": {"spec": JOB},
    "ingressclasses.networking.k8s.io": {"spec": {"controller": "example.com/c"}},
    "ingresses.networking.k8s.io": {
        "spec": {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}}
    },
    "networkpolicies.networking.k8s.io": {"spec": {"podSelector": {}}},
    "servicecidrs.networking.k8s.io": {"spec": {"cidrs": ["10.200.0.0/24"]}},
    "poddisruptionbudgets.policy": {"spec": {"minAvailable": 1, "selector": SELECTOR}},
    "clusterrolebindings.rbac.authorization.k8s.io": {"roleRef": ROLE},
    "clusterroles.rbac.authorization.k8s.io": {"rules": RULES},
    "rolebindings.rbac.authorization.k8s.io": {"roleRef": ROLE},
    "roles.rbac.authorization.k8s.io": {"rules": RULES},
    "csidrivers.storage.k8s.io": {"spec": {}},
    "csinodes.storage.k8s.io": {"spec": {"drivers": [{"name": "d.example.com", "nodeID": "n"}]}},
    "csistoragecapacities.storage.k8s.io": {"storageClassName": "s", "capacity": "1Gi"},
    "storageclasses.storage.k8s.io": {"provisioner": "example.com/p"},
    "volumeattachments.storage.k8s.io": {
        "spec": {"attacher": "a.example.com", "nodeName": "n", "source": {"persistentVolumeName": "v"}}
    },
    "volumeattributesclasses.storage.k8s.io": {"driverName": "d.example.com", "parameters": {"a": "b"}},
    "priorityclasses.scheduling.k8s.io": {"value": 5},
    "leases.coordination.k8s.io": {"spec": {"holderIdentity": "me", "leaseDurationSeconds": 30}},
    "runtimeclasses.node.k8s.io": {"handler": "h"},
    "endpointslices.discovery.k8s.io": {
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.0.0.9"]}],
        "ports": [{"name": "p", "port": 80, "protocol": "TCP"}],
    },
    "customresourcedefinitions.apiextensions.k8s.io": {"spec": CRD},
}
KEPT_BY_FINALIZER = {
    "namespaces",
    "persistentvolumes",
    "persistentvolumeclaims",
    "servicecidrs.networking.k8s.io",
}
KEPT_BY_FINALIZER |= {"customresourcedefinitions.apiextensions.k8s.io"}


def made(resource: str, name: str, version: str) -> dict[str, Any]:
    found = Resources()[resource]
    obj = {"apiVersion": found.api_version(version), "kind": found.kind, "metadata": {"name": name}}
    return {**obj, **copy.deepcopy(NEEDS[resource])}


def served() -> list[tuple[str, str]]:
    return [
        (item.name, version) for item in Resources() for version in item.versions if "delete" in item.verbs
    ]


def test_no_kind_is_forgotten() -> None:
    left_out = {"ipaddresses.networking.k8s.io"}  # they are made by the server for its Services
    assert {name for name, _ in served()} == set(NEEDS) | left_out


class Place:
    """Where the objects of one kind are."""

    def __init__(self, resource: str, version: str) -> None:
        self.kind = Resources()[resource]
        self.resource = resource
        root = f"/apis/{self.kind.group}/{version}" if self.kind.group else f"/api/{version}"
        self.every = f"{root}/{self.kind.plural}"
        self.many = f"{root}/namespaces/ops/{self.kind.plural}" if self.kind.namespaced else self.every
        self.name = "ops.example.com" if resource.startswith("customresource") else "one"
        self.path = f"{self.many}/{self.name}"
        self.obj = made(resource, self.name, version)
        for key in ("regarding", "involvedObject"):
            if key in self.obj:
                self.obj[key]["namespace"] = "ops"


async def with_account(api: Client, namespace: str) -> None:
    """A namespace as it is a moment after it was made: with the account that its pods take."""
    await api.post("/api/v1/namespaces", {"metadata": {"name": namespace}})
    await api.post(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "default"}})


@pytest.mark.parametrize(("resource", "version"), [item for item in served() if item[0] in NEEDS])
async def test_every_operation(api: Client, resource: str, version: str) -> None:
    await with_account(api, "ops")
    place = Place(resource, version)
    start = (await api.get(place.many)).json["metadata"]["resourceVersion"]
    await makes_and_finds(api, place)
    await changes(api, place)
    await has_a_status(api, place)
    for shape in ("Table", "PartialObjectMetadata"):
        headers = {"Accept": f"application/json;as={shape};g=meta.k8s.io;v=v1"}
        shown = await api.call("GET", place.path, headers=headers)
        assert shown.json["kind"] == shape, shown.text
    await removes(api, place, start)


async def makes_and_finds(api: Client, place: Place) -> None:
    first = await api.post(place.many, place.obj)
    assert first.status == 201, first.text
    assert first.json["metadata"]["uid"]
    again = await api.post(place.many, place.obj)
    assert (again.status, again.json["reason"]) == (409, "AlreadyExists")
    got = (await api.get(place.path)).json
    assert got["metadata"]["uid"] == first.json["metadata"]["uid"]
    assert got.get("spec") == first.json.get("spec")
    for where in {place.many, place.every}:
        listed = await api.get(where, fieldSelector=f"metadata.name={place.name}")
        assert [item["metadata"]["name"] for item in listed.json["items"]] == [place.name]
        assert listed.json["kind"] == place.kind.list_kind


async def changes(api: Client, place: Place) -> None:
    patched = await api.patch(place.path, {"metadata": {"labels": {"step": "patched"}}})
    assert patched.json["metadata"]["labels"]["step"] == "patched", patched.text
    patch = {"metadata": {"annotations": {"n": "m"}}}
    strategic = await api.patch(place.path, patch, "strategic-merge-patch+json")
    assert strategic.status == 200, strategic.text
    replacement = strategic.json
    replacement["metadata"]["labels"]["step"] = "updated"
    updated = await api.put(place.path, replacement)
    assert updated.status == 200, updated.text
    assert updated.json["metadata"]["resourceVersion"] != strategic.json["metadata"]["resourceVersion"]
    unchanged = await api.put(place.path, updated.json)
    assert unchanged.json["metadata"]["resourceVersion"] == updated.json["metadata"]["resourceVersion"]
    stale = await api.put(place.path, replacement)
    assert (stale.status, stale.json["reason"]) == (409, "Conflict")
    labelled = {"name": place.name, "labels": {"by": "apply"}}
    body = {"apiVersion": place.obj["apiVersion"], "kind": place.kind.kind, "metadata": labelled}
    applied = await api.patch(place.path, body, "apply-patch+yaml", fieldManager="test")
    assert applied.status == 200, applied.text
    assert applied.json["metadata"]["labels"].items() >= {"step": "updated", "by": "apply"}.items()
    assert applied.json["apiVersion"] == place.obj["apiVersion"]


async def has_a_status(api: Client, place: Place) -> None:
    if not place.kind.subresource("status"):
        return
    seen = await api.get(f"{place.path}/status")
    assert seen.json["kind"] == place.kind.kind
    noted = await api.patch(f"{place.path}/status", {"metadata": {"annotations": {"status": "seen"}}})
    assert noted.status == 200, noted.text
    # Newer kinds take no metadata with their status.
    seen_there = noted.json["metadata"].get("annotations", {}).get("status") == "seen"
    assert seen_there is not place.resource.startswith(("servicecidrs", "volumeattachments"))
    put = await api.put(f"{place.path}/status", noted.json)
    assert put.status == 200, put.text


async def removes(api: Client, place: Place, start: str) -> None:
    dry = await api.delete(place.path, dryRun="All")
    assert dry.status == 200, dry.text
    assert (await api.get(place.path)).status == 200
    deleted = await api.delete(place.path, propagationPolicy="Background")
    assert deleted.status in {200, 202}, deleted.text
    if place.resource in KEPT_BY_FINALIZER:
        return
    assert (await api.get(place.path)).status == 404
    selector = f"metadata.name={place.name}"
    found = await events(
        api,
        place.many,
        lambda seen: seen[-1]["type"] == "DELETED",
        resourceVersion=start,
        fieldSelector=selector,
    )
    kinds = [event["type"] for event in found]
    assert kinds[0] == "ADDED"
    assert set(kinds[1:-1]) == {"MODIFIED"}


@pytest.mark.parametrize("resource", sorted(set(NEEDS) - KEPT_BY_FINALIZER - {"services"}))
async def test_delete_collection(api: Client, resource: str) -> None:
    await with_account(api, "default")
    kind = Resources()[resource]
    version = kind.versions[0]
    many = f"/apis/{kind.group}/{version}" if kind.group else f"/api/{version}"
    many += f"/namespaces/default/{kind.plural}" if kind.namespaced else f"/{kind.plural}"
    for name in ("one", "two", "three"):
        obj = made(resource, name, version)
        obj["metadata"]["labels"] = {"odd": str(name != "two")}
        reply = await api.post(many, obj)
        assert reply.status == 201, reply.text
    gone = await api.delete(many, labelSelector="odd=True", propagationPolicy="Background")
    assert gone.status == 200, gone.text
    left = await api.get(many, labelSelector="odd")
    assert [item["metadata"]["name"] for item in left.json["items"]] == ["two"]


@pytest.mark.parametrize(
    ("path", "body", "made", "unconditional"),
    [
        ("/api/v1/namespaces/default/podtemplates", {"template": {"spec": {}}}, False, True),
        ("/apis/node.k8s.io/v1/runtimeclasses", {"handler": "x"}, True, False),
        ("/apis/storage.k8s.io/v1/csidrivers", {"spec": {}}, False, False),
        ("/apis/scheduling.k8s.io/v1/priorityclasses", {"value": 1}, False, True),
        ("/apis/coordination.k8s.io/v1/namespaces/default/leases", {"spec": {}}, True, False),
    ],
)
async def test_what_a_put_makes_and_replaces(
    api: Client, path: str, body: dict[str, Any], *, made: bool, unconditional: bool
) -> None:
    obj = {"metadata": {"name": "x"}, **body}
    assert (await api.put(f"{path}/x", obj)).status == (201 if made else 404)
    if not made:
        template = {"template": {"spec": {"containers": [{"name": "c", "image": "i"}]}}}
        obj |= template if "template" in body else {}
        assert (await api.post(path, obj)).status == 201
    found = (await api.get(f"{path}/x")).json
    del found["metadata"]["resourceVersion"]
    assert (await api.put(f"{path}/x", found)).status == (200 if unconditional else 422)


@pytest.mark.parametrize(
    ("path", "spec", "kept"),
    [
        ("/apis/networking.k8s.io/v1/servicecidrs", {"cidrs": ["10.9.0.0/24"]}, False),
        ("/apis/apps/v1/namespaces/default/deployments", None, False),
        ("/apis/apps/v1/namespaces/default/statefulsets", None, True),
    ],
)
async def test_labels_set_by_a_status(api: Client, path: str, spec: Any, *, kept: bool) -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = spec or {"selector": {"matchLabels": {"a": "b"}}, "template": template}
    assert (await api.post(path, {"metadata": {"name": "x"}, "spec": spec})).status == 201
    changed = await api.patch(f"{path}/x/status", {"metadata": {"labels": {"new": "1"}}})
    assert ("new" in changed.json["metadata"].get("labels", {})) is kept

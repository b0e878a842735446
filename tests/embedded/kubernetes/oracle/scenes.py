"""What stood there before a scenario began: it was not recorded."""

from __future__ import annotations

import base64
import re
from typing import Any

NAMESPACE_LABELS: dict[str, dict[str, str]] = {
    f"err-pod-security-{level}": {"pod-security.kubernetes.io/enforce": level}
    for level in ("restricted", "baseline", "privileged")
}
NAMESPACE_LABELS["err-pod-security-baseline"]["pod-security.kubernetes.io/warn"] = "restricted"

_TIMES = re.compile(r"\((base64 of )?(\d+) times (.)\)")


def restore(value: Any, note: str = "") -> Any:
    """A body whose very large values were shortened, as it was sent."""
    found = re.fullmatch(r"JSON patch of (\d+) operations \(shortened here\)", note)
    if found and isinstance(value, list):
        return value[:1] * int(found[1])
    if isinstance(value, dict):
        return {key: restore(item) for key, item in value.items()}
    if isinstance(value, list):
        return [restore(item) for item in value]
    if isinstance(value, str) and (found := _TIMES.fullmatch(value)):
        long = found[3] * int(found[2])
        return base64.b64encode(long.encode()).decode() if found[1] else long
    return value


def _definition(plural: str, kind: str, schema: Any, **more: Any) -> Any:
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}, **more}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"},
            "versions": [version],
        },
    }


_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_OBJECT = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}

_TEXT, _NUMBER = {"type": "string"}, {"type": "integer"}
_STATUS = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def _fields(**properties: Any) -> Any:
    return {"type": "object", "properties": properties}


def _list(item: Any, **more: Any) -> Any:
    return {"type": "array", "items": item, **more}


_ITEM = _fields(name=_TEXT, value=_TEXT)
_PATCHED = _fields(
    spec={
        **_fields(color={"type": "string", "default": "red"}, size=_NUMBER, items=_list(_ITEM), free=_OBJECT),
    },
    status=_STATUS,
)
_APPLIED = _fields(
    spec=_fields(
        color={"type": "string", "default": "red"},
        size=_NUMBER,
        atomic=_list(_ITEM, **{"x-kubernetes-list-type": "atomic"}),
        keyed=_list(
            {**_ITEM, "required": ["name"]},
            **{"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
        set=_list(_TEXT, **{"x-kubernetes-list-type": "set"}),
    ),
    status=_STATUS,
)


def _maps(namespace: str, names: str, *, labels: bool = False, **more: Any) -> list[tuple[str, str, Any]]:
    found = []
    for index, name in enumerate(names.split()):
        metadata: Any = {"name": name}
        if labels:
            metadata["labels"] = {"even": str(index % 2 == 0).lower()}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **more}
        found.append(("POST", f"/api/v1/namespaces/{namespace}/configmaps", body))
    return found


SETUPS: dict[str, list[tuple[str, str, Any]]] = {
    "err-methods": [
        (
            "POST",
            "/api/v1/namespaces/err-methods/configmaps",
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": f"c{index}", "labels": {"i": str(index)}},
            },
        )
        for index in range(3)
    ],
    "watch-initial-events": _maps("watch-initial-events", "a b", data={"k": "1"}),
    "list-paging": _maps("list-paging", "c0 c1 c2 c3 c4", labels=True),
    "list-expired": _maps("list-expired", "c0 c1 c2 c3"),
    "watch-too-old": [("POST", _DEFINITIONS, _definition("latewidgets", "LateWidget", _OBJECT))],
    "patch-custom": [
        (
            "POST",
            _DEFINITIONS,
            _definition("patchwidgets", "PatchWidget", _PATCHED, subresources={"status": {}}),
        )
    ],
    "apply-custom": [
        (
            "POST",
            _DEFINITIONS,
            _definition("applywidgets", "ApplyWidget", _APPLIED, subresources={"status": {}}),
        )
    ],
}
"""Scenario → (method, path, body) of the requests that prepare it, in order."""

NODES = {"real-0": "node-1", "hollow-0": "node-2", "hollow-1": "node-3"}
"""The recorded nodes and ours."""
ALL_NODES = {"ds-nodes", "sts-volumes", "nodes"}
"""Scenarios in which all nodes take pods; in the others two of them are cordoned."""

_WEB = {"app": "web"}
_SLEEPER = {
    "name": "c",
    "image": "busybox:1.35",
    "command": ["sh", "-c", "trap 'exit 0' TERM; sleep 3600 & wait"],
}
for _scene, _replicas in (("deploy-scale", 1), ("hpa-no-metrics", 1), ("eviction-pdb", 2)):
    SETUPS[_scene] = [
        (
            "POST",
            f"/apis/apps/v1/namespaces/{_scene}/deployments",
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "web"},
                "spec": {
                    "replicas": _replicas,
                    "selector": {"matchLabels": _WEB},
                    "template": {"metadata": {"labels": _WEB}, "spec": {"containers": [_SLEEPER]}},
                },
            },
        )
    ]

_STAY = "trap 'exit 0' TERM; sleep 3600 & wait"
_TICK = "i=0; while true; do i=$((i+1)); echo tick $i; sleep 0.5; done"
_TALK = f"echo start; echo oops >&2; for i in 1 2 3 4 5 6; do echo line $i; done; {_STAY}"


def _container(script: str, name: str = "c", **more: Any) -> Any:
    return {"name": name, "image": "busybox:1.35", "command": ["sh", "-c", script], **more}


def _pod(scene: str, name: str, *containers: Any, labels: Any = None, **spec: Any) -> tuple[str, str, Any]:
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, **({"labels": labels} if labels else {})},
        "spec": {"containers": list(containers), "terminationGracePeriodSeconds": 1, **spec},
    }
    return "POST", f"/api/v1/namespaces/{scene}/pods", body


def _usual(scene: str) -> list[tuple[str, str, Any]]:
    return [
        _pod(scene, "done", _container("true"), restartPolicy="Never"),
        _pod(scene, "nowhere", _container(_STAY), nodeSelector={"no": "where"}),
        _pod(scene, "crash", _container("echo run; exit 1")),
        _pod(
            scene,
            "two",
            _container(f"echo from one; {_STAY}", "one"),
            _container(f"echo from two; {_STAY}", "two"),
        ),
    ]


_CAT = {"name": "c", "image": "busybox:1.35", "command": ["cat"], "stdin": True, "stdinOnce": True}
SETUPS["exec-websocket"] = [_pod("exec-websocket", "box", _container(_STAY)), *_usual("exec-websocket")]
SETUPS["attach-websocket"] = [
    _pod("attach-websocket", "tick", _container(_TICK)),
    _pod("attach-websocket", "cat", _CAT, restartPolicy="Never", terminationGracePeriodSeconds=30),
    _pod(
        "attach-websocket",
        "shell",
        {"name": "c", "image": "busybox:1.35", "command": ["sh"], "stdin": True, "tty": True},
    ),
    *_usual("attach-websocket"),
]
SETUPS["logs"] = [
    _pod("logs", "talk", _container(_TALK)),
    _pod("logs", "tick", _container(_TICK)),
    *_usual("logs")[1:],
    _pod("logs", "init", _container(_STAY), initContainers=[_container("echo from init", "first")]),
    _pod("logs", "noimg", {"name": "c", "image": "nosuch.invalid/x:1"}),
    _pod("logs", "noconf", _container(_STAY, envFrom=[{"configMapRef": {"name": "nosuch"}}])),
    _pod(
        "logs",
        "short",
        _container("for i in 1 2 3; do sleep 1; echo step $i; done"),
        restartPolicy="Never",
    ),
]

SETUPS["node-cordon"] = SETUPS["nodes"] = [
    ("PATCH", f"/api/v1/nodes/{ours}", {"metadata": {"labels": {"example.com/kind": name.split("-")[0]}}})
    for name, ours in NODES.items()
]
SETUPS["pvc-pending"] = [
    (
        "POST",
        "/apis/storage.k8s.io/v1/storageclasses",
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": f"pvc-pending-{name}"},
            "provisioner": "example.com/nobody",
            "volumeBindingMode": mode,
        },
    )
    for name, mode in (("now", "Immediate"), ("wait", "WaitForFirstConsumer"))
]
SETUPS["sts-volumes"] = [
    (
        "POST",
        "/api/v1/persistentvolumes",
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": f"sts-volumes-{index}"},
            "spec": {
                "capacity": {"storage": "1Gi"},
                "accessModes": ["ReadWriteOnce"],
                "hostPath": {"path": f"/srv/sts-volumes-{index}"},
                "persistentVolumeReclaimPolicy": "Retain",
                "storageClassName": "sts-volumes",
            },
        },
    )
    for index in range(3)
]

_PATHS = {"Deployment": "apis/apps/v1", "StatefulSet": "apis/apps/v1", "Pod": "api/v1"}
_ASSIGNED = (
    "nodeName",
    "volumes",
    "serviceAccount",
    "serviceAccountName",
    "tolerations",
    "priority",
    "preemptionPolicy",
    "enableServiceLinks",
    "paused",
)


def infer(exchanges: list[Any]) -> list[tuple[str, str, Any]]:
    """Requests that make what a scenario speaks of but does not make itself, out of its first answers."""
    made: set[tuple[str, str]] = set()
    found: list[tuple[str, str, Any]] = []
    for exchange in exchanges:
        body = exchange.response["body"]
        if (
            not isinstance(body, dict)
            or body.get("kind") not in _PATHS
            or "name" not in body.get("metadata", {})
        ):
            continue
        kind, metadata = body["kind"], body["metadata"]
        if (kind, metadata["name"]) in made or metadata.get("ownerReferences"):
            continue
        made.add((kind, metadata["name"]))
        if exchange.request["method"] == "POST":
            continue
        spec = {key: value for key, value in body["spec"].items() if key not in _ASSIGNED}
        for container in spec.get("containers", ()):
            container.pop("volumeMounts", None)
        if exchange.request["method"] == "PATCH" and "template" in spec:
            spec["template"]["metadata"].pop("annotations", None)
        kept = {key: metadata[key] for key in ("name", "labels", "finalizers") if key in metadata}
        place = f"/{_PATHS[kind]}/namespaces/{metadata['namespace']}/{kind.lower()}s"
        made_body = {"apiVersion": body["apiVersion"], "kind": kind, "metadata": kept, "spec": spec}
        found.append(("POST", place, made_body))
    return found


_SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "s"},
    "spec": {"ports": [{"port": 80}]},
}
_CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "c"},
    "spec": {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
        "storageClassName": "nosuch",
    },
}
_MEANWHILE = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "meanwhile"}}
MEANWHILE: dict[str, tuple[str, str, Any]] = {
    "watch-basic/17": ("POST", "/api/v1/namespaces/watch-basic/configmaps", _MEANWHILE),
    "watch-basic/18": ("DELETE", "/api/v1/namespaces/watch-basic/configmaps/meanwhile", None),
}
"""Exchange → a request that somebody else sends while it lasts."""

BEFORE: dict[str, list[tuple[str, str, Any]]] = {
    "list-expired/02": [
        (
            "PATCH",
            "/api/v1/namespaces/list-expired/configmaps/c0",
            {"data": {"now": "1795429261.3724306"}},
        )
    ],
    "list-partial/08": [
        (
            "POST",
            "/api/v1/namespaces/list-partial/secrets",
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "b"}},
        )
    ],
    "gc-owners/26": _maps("gc-owners", "one two"),
    "pvc-bound/17": [("DELETE", "/api/v1/namespaces/pvc-bound/persistentvolumeclaims/named", None)],
    "pod-deletion/15": [
        _pod("pod-deletion", name, _container(_STAY), labels={"all": "yes"}, terminationGracePeriodSeconds=30)
        for name in "ab"
    ],
    "logs/34": [
        _pod(
            "logs",
            "slow",
            _container(_STAY),
            initContainers=[{"name": "first", "image": "busybox:1.35", "command": ["sleep", "30"]}],
        )
    ],
    "pvc-bound/16": [("DELETE", "/api/v1/persistentvolumes/pvc-bound-small", None)],
    "quota-used/04": [
        ("POST", "/api/v1/namespaces/quota-used/services", _SERVICE),
        ("POST", "/api/v1/namespaces/quota-used/persistentvolumeclaims", _CLAIM),
    ],
    "pod-states/22": _maps("pod-states", "conf", data={"a": "1"}),
}
"""Exchange → a request that was sent before it and not recorded."""

AT_ONCE = {
    "default-namespace/08",
    "default-namespace/09",
    "default-crd/17",
    "deploy-create/02",
    "deploy-scale/03",
    "eviction-pdb/08",
    "eviction-pdb/09",
    "eviction-pdb/10",
    "logs/35",
}
"""Exchanges that were sent at once after the one before, as their notes say."""

AUTH = {"exec-websocket/26": "invalid"}
"""Exchange → whose token it was sent with, where the recording does not say."""

COMPACTED = {"list-expired/02": "configmaps"}
"""Exchange → the resource whose history is forgotten before it."""

"""Pods as lists and details show them."""

from __future__ import annotations

from typing import Any

import msgspec

from ecns.api.pods import manifests
from ecns.backends.kubernetes.kinds import POD, POD_ROW

WHOLE: dict[str, Any] = {
    "metadata": {
        "name": "web-1",
        "labels": {"app": "web"},
        "creationTimestamp": "2026-11-23T10:00:00Z",
    },
    "spec": {
        "nodeName": "n1",
        "restartPolicy": "OnFailure",
        "initContainers": [{"name": "setup", "image": "busybox:1.35"}],
        "containers": [
            {
                "name": "web",
                "image": "registry.example.com/shop/web:1",
                "volumeMounts": [{"name": "v", "mountPath": "/v"}],
                "env": [{"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
            }
        ],
        "volumes": [
            {"name": "v", "persistentVolumeClaim": {"claimName": "data"}},
            {"name": "t", "projected": {"sources": []}},
        ],
    },
    "status": {
        "phase": "Running",
        "podIP": "10.0.0.1",
        "hostIP": "192.0.2.1",
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "lastProbeTime": None,
                "lastTransitionTime": "2026-11-23T10:00:09Z",
            }
        ],
        "containerStatuses": [
            {"name": "web", "ready": True, "restartCount": 3, "state": {"running": {"startedAt": "x"}}}
        ],
        "initContainerStatuses": [
            {"name": "setup", "ready": True, "restartCount": 1, "state": {"terminated": {"exitCode": 0}}}
        ],
    },
}


def test_a_row() -> None:
    row = manifests.row(msgspec.convert(WHOLE, POD_ROW.type), "registry.example.com")
    assert (row.name, row.pod_ip, row.host_ip, row.status) == ("web-1", "10.0.0.1", "192.0.2.1", "Running")
    assert row.restart_count == "4"
    assert row.ready
    assert row.labels == {"app": "web"}
    assert [(one.harbor_project_name, one.image, one.image_version) for one in row.images] == [
        ("shop", "web", "1"),
        (None, "busybox", "1.35"),
    ]


def test_a_pod() -> None:
    found = msgspec.convert(WHOLE, POD.type)
    pod = manifests.pod(found, "registry.example.com")
    assert pod.restart_policy == "OnFailure"
    assert [(one.name, one.type, one.container_statuses) for one in pod.containers] == [
        ("web", "worker", "Running"),
        ("setup", "init", "Terminated"),
    ]
    assert [(one.name, one.type) for one in pod.volumes] == [("v", "PVC"), ("t", "Other")]
    assert pod.pod_status.node_name == "n1"
    (condition,) = manifests.conditions(found)
    assert (condition.type, condition.update_time) == ("Ready", "2026-11-23T10:00:09Z")


def test_a_pod_that_is_being_removed() -> None:
    whole = {**WHOLE, "metadata": {"name": "web-1", "deletionTimestamp": "2026-11-23T10:00:00Z"}}
    assert manifests.row(msgspec.convert(whole, POD_ROW.type)).status == "Removing"


def test_containers_say_why_they_ended_and_when_they_began() -> None:
    killed = {"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-11-23T10:01:00Z"}}
    status = {
        "name": "web",
        "restartCount": 2,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
        "lastState": killed,
    }
    debug = {"name": "debug", "image": "busybox:1.35"}
    running = {"name": "debug", "state": {"running": {"startedAt": "2026-11-23T10:02:00Z"}}}
    whole = {
        **WHOLE,
        "spec": {**WHOLE["spec"], "ephemeralContainers": [debug]},
        "status": {
            **WHOLE["status"],
            "containerStatuses": [status],
            "ephemeralContainerStatuses": [running],
        },
    }
    shown = manifests.pod(msgspec.convert(whole, POD.type)).pod_status
    web, setup, ephemeral = sorted(
        shown.containers, key=lambda one: ["worker", "init", "ephemeral"].index(one.type)
    )
    assert (web.status, web.reason, web.exit_code, web.last_reason) == (
        "Error",
        "CrashLoopBackOff",
        137,
        "OOMKilled",
    )
    assert (setup.name, setup.last_reason) == ("setup", None)
    assert (ephemeral.name, ephemeral.status, ephemeral.started_at) == (
        "debug",
        "Running",
        "2026-11-23T10:02:00Z",
    )
    assert manifests.row(msgspec.convert(whole, POD_ROW.type)).status == "Failed"


def test_a_debugging_container_that_fails_fails_no_pod() -> None:
    lost = {"name": "debug", "state": {"waiting": {"reason": "ImagePullBackOff"}}}
    whole = {**WHOLE, "status": {**WHOLE["status"], "ephemeralContainerStatuses": [lost]}}
    assert manifests.row(msgspec.convert(whole, POD_ROW.type)).status == "Running"

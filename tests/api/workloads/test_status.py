"""States, reasons and revisions, from what a real cluster said."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ecns.api.pods import manifests as pod_manifests
from ecns.api.workloads import manifests
from ecns.backends.kubernetes.kinds import CONTROLLER_REVISION, DEPLOYMENT, EVENT, POD_ROW, REPLICA_SET
from ecns.backends.kubernetes.kinds.apps import Deployment
from ecns.backends.kubernetes.kinds.pods import PodRow
from tests.api.workloads.recorded import recorded

Json = dict[str, Any]


def deployment(ready: int = 0, **more: Any) -> Deployment:
    whole: Json = {
        "metadata": {"name": "web", "generation": 1},
        "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "c", "image": "nginx"}]}}},
        "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": ready},
    }
    for part, fields in more.items():
        whole[part] |= fields
    return msgspec.convert(whole, DEPLOYMENT.type)


def pod(state: Json, **status: Any) -> PodRow:
    container = {"name": "c", "image": "nginx", "restartCount": 4, **state}
    whole = {
        "metadata": {"name": "web-1", "uid": "u"},
        "spec": {"containers": [{"name": "c", "image": "nginx:9"}]},
        "status": {"phase": "Running", "containerStatuses": [container], **status},
    }
    return msgspec.convert(whole, POD_ROW.type)


CRASH = pod(
    {
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
        "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
    }
)
UNSCHEDULABLE = {
    "phase": "Pending",
    "conditions": [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
    ],
    "containerStatuses": [],
}


def test_words() -> None:
    deleted = deployment(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})
    late = deployment(
        status={
            "conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]
        }
    )
    assert manifests.workload_word(deployment(ready=1)) == "Running"
    assert manifests.workload_word(deployment()) == "Pending"
    assert manifests.workload_word(deployment(), [CRASH]) == "Failed"
    assert manifests.workload_word(late) == "Failed"
    assert manifests.workload_word(deployment(spec={"replicas": 0})) == "Stopped"
    assert manifests.workload_word(deleted) == "Removing"
    assert manifests.workload_word(deployment(ready=1, metadata={"generation": 2})) == "Pending"


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (CRASH, "keeps crashing: exit code 137 (OOMKilled), started again 4 times"),
        (
            pod({"state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}}),
            "The image nginx:9 of container c cannot be pulled: ImagePullBackOff: not found (pod web-1)",
        ),
        (pod({}, **UNSCHEDULABLE), "No node can take the pod: 0/3 nodes"),
        (pod({"state": {"running": {}}, "ready": False}), "Readiness probe failed: 503"),
        (
            pod({"state": {"waiting": {"reason": "CreateContainerConfigError", "message": "secret"}}}),
            "Container c cannot be started: CreateContainerConfigError: secret",
        ),
    ],
)
def test_why_it_is_not_ready(found: PodRow, words: str) -> None:
    unhealthy = {
        "metadata": {"name": "e"},
        "involvedObject": {"uid": "u", "fieldPath": "spec.containers{c}"},
        "reason": "Unhealthy",
        "message": "Readiness probe failed: 503",
        "lastTimestamp": "2026-01-01T00:00:00Z",
    }
    event = msgspec.convert(unhealthy, EVENT.type)
    told = manifests.why_not_ready(deployment(), [found], [event])
    assert words in told[0]
    assert manifests.why_not_ready(deployment(ready=1), [found], [event]) == []


def test_a_quota_comes_first() -> None:
    refused = {"type": "ReplicaFailure", "status": "True", "message": "pods is forbidden: exceeded quota: q"}
    controller = deployment(status={"conditions": [refused], "replicas": 0})
    told = manifests.why_not_ready(controller, [CRASH])
    assert told[0] == "The quota of the namespace does not allow more: pods is forbidden: exceeded quota: q"


def test_recorded_pods_in_trouble_have_reasons() -> None:
    troubled = 0
    for whole in recorded("Pod"):
        found = msgspec.convert(whole, POD_ROW.type)
        if pod_manifests.row(found).status == "Failed" and not found.metadata.deletion_timestamp:
            troubled += 1
            assert manifests.why_not_ready(deployment(), [found])
    assert troubled


def test_revisions_newest_first() -> None:
    def replica_set(number: int, image: str) -> Any:
        return msgspec.convert(
            {
                "metadata": {
                    "name": f"web-{number}",
                    "annotations": {
                        "deployment.kubernetes.io/revision": str(number),
                        "kubernetes.io/change-cause": f"cause {number}",
                    },
                },
                "spec": {"template": {"spec": {"containers": [{"name": "c", "image": image}]}}},
            },
            REPLICA_SET.type,
        )

    controller = deployment(metadata={"annotations": {"deployment.kubernetes.io/revision": "10"}})
    found = manifests.revisions(controller, [replica_set(9, "a:1"), replica_set(10, "a:2")])
    assert [(one.version, one.current, one.change_cause) for one in found] == [
        (10, True, "cause 10"),
        (9, False, "cause 9"),
    ]
    assert found[1].image
    assert found[1].image[0].image_version == "1"


def test_recorded_controller_revisions_name_their_images() -> None:
    count = 0
    for whole in recorded("ControllerRevision"):
        count += 1
        one = msgspec.convert(whole, CONTROLLER_REVISION.type)
        (shown,) = manifests.revisions(deployment(), [one])
        assert shown.version == one.revision
        assert shown.image
    assert count

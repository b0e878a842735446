"""When a rollout is done, and when it has failed, by what the objects say."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ecns.api.workloads import rollout
from ecns.backends.kubernetes.kinds.apps import Controller, DaemonSet, Deployment, ReplicaSet, StatefulSet
from ecns.backends.kubernetes.kinds.pods import PodRow

REVISION = "deployment.kubernetes.io/revision"


def deployment(**status: Any) -> Deployment:
    spec = {"replicas": 3, "selector": {}, "template": {}}
    metadata = {"name": "web", "uid": "d", "generation": 2, "annotations": {REVISION: "2"}}
    complete = {
        "observedGeneration": 2,
        "replicas": 3,
        "updatedReplicas": 3,
        "readyReplicas": 3,
        "availableReplicas": 3,
    }
    return msgspec.convert({"metadata": metadata, "spec": spec, "status": complete | status}, Deployment)


def pod(*waiting: str, restarts: int = 0, owner: str = "rs", **labels: str) -> PodRow:
    containers = [{"name": f"c{number}", "image": "x"} for number in range(len(waiting))]
    statuses = [
        {
            "name": f"c{number}",
            "restartCount": restarts,
            "state": {"waiting": {"reason": reason}} if reason else {"running": {"startedAt": "x"}},
        }
        for number, reason in enumerate(waiting)
    ]
    return msgspec.convert(
        {
            "metadata": {"name": "p", "labels": labels, "ownerReferences": [{"uid": owner}]},
            "spec": {"containers": containers},
            "status": {"phase": "Running", "containerStatuses": statuses},
        },
        PodRow,
    )


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ({}, "all pods are of the newest template and available"),
        ({"observedGeneration": 1}, "the cluster has not taken up the change yet"),
        ({"updatedReplicas": 1}, "1 of 3 pods are of the newest template"),
        ({"replicas": 4}, "1 old pods are still to end"),
        ({"availableReplicas": 2}, "2 of 3 pods are available"),
    ],
)
def test_what_is_waited_for_is_said(status: dict[str, int], message: str) -> None:
    controller = deployment(**status)
    now = rollout.progress(controller, [])
    assert now.message == message
    assert rollout.is_done(controller) == (not status)
    assert (now.wanted, now.ready) == (3, 3)


def test_pods_that_are_ready_and_not_available_yet_are_not_enough() -> None:
    daemon = msgspec.convert(
        {
            "metadata": {"name": "agent", "generation": 1},
            "status": {
                "observedGeneration": 1,
                "desiredNumberScheduled": 2,
                "updatedNumberScheduled": 2,
                "numberReady": 2,
                "numberAvailable": 1,
            },
        },
        DaemonSet,
    )
    assert not rollout.is_done(daemon)


def test_a_missed_deadline_counts_for_the_change_that_it_is_about() -> None:
    late = {"conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]}
    assert rollout.missed_deadline(deployment(updatedReplicas=1, **late))
    assert not rollout.missed_deadline(deployment(observedGeneration=1, **late))


@pytest.mark.parametrize(
    ("found", "failing"),
    [
        (pod(""), False),
        (pod("ContainerCreating"), False),
        (pod("ErrImagePull"), False),
        (pod("ImagePullBackOff"), True),
        (pod("CreateContainerConfigError"), True),
        (pod("CrashLoopBackOff", restarts=1), False),
        (pod("CrashLoopBackOff", restarts=2), True),
        (pod("CrashLoopBackOff", "ImagePullBackOff"), True),
    ],
)
def test_a_pod_keeps_failing_when_trying_again_has_not_helped(found: PodRow, *, failing: bool) -> None:
    assert rollout.keeps_failing(found) == failing
    assert not rollout.hopeless(found)


def test_an_image_name_that_is_none_is_hopeless() -> None:
    assert rollout.hopeless(pod("InvalidImageName"))


def test_only_pods_of_the_newest_template_count() -> None:
    owners = [
        msgspec.convert({"metadata": {"uid": f"rs{n}", "annotations": {REVISION: str(n)}}}, ReplicaSet)
        for n in (1, 2)
    ]
    assert rollout.of_new_template(deployment(), pod("", owner="rs2"), owners)
    assert not rollout.of_new_template(deployment(), pod("", owner="rs1"), owners)
    several = msgspec.convert({"status": {"updateRevision": "web-2"}}, StatefulSet)
    assert labelled(several, "controller-revision-hash", "web-2")
    assert not labelled(several, "controller-revision-hash", "web-1")
    daemon = msgspec.convert({"metadata": {"annotations": {rollout.TEMPLATE_GENERATION: "3"}}}, DaemonSet)
    assert labelled(daemon, "pod-template-generation", "3")
    assert not labelled(daemon, "pod-template-generation", "2")


def labelled(controller: Controller, label: str, value: str) -> bool:
    return rollout.of_new_template(controller, pod("", **{label: value}), [])

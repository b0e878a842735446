"""How a Job is, in one word, and why, in words that help."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ecns.api.common.marks import INCOMPLETE
from ecns.api.jobs import manifests
from ecns.backends.kubernetes.kinds.batch import Job
from ecns.backends.kubernetes.kinds.core import Event
from ecns.backends.kubernetes.kinds.pods import PodRow


def condition(kind: str, reason: str = "", message: str = "", status: str = "True") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def made(*conditions: dict[str, str], metadata: Any = None, spec: Any = None, **status: Any) -> Job:
    whole = {
        "metadata": {"name": "j", "uid": "u", **(metadata or {})},
        "spec": spec or {},
        "status": {"conditions": list(conditions), **status},
    }
    return msgspec.convert(whole, Job)


def pod(phase: str, state: Any = None, **more: Any) -> PodRow:
    statuses = [{"name": "main", "state": state}] if state else []
    whole = {
        "metadata": {"name": "j-1", "uid": "p", **more},
        "spec": {"containers": [{"name": "main", "image": "busybox"}]},
        "status": {"phase": phase, "containerStatuses": statuses},
    }
    return msgspec.convert(whole, PodRow)


PULLING = {"waiting": {"reason": "ImagePullBackOff", "message": "nowhere"}}
ENDED = {"terminated": {"exitCode": 3, "reason": "Error"}}


@pytest.mark.parametrize(
    ("job", "pods", "word"),
    [
        (made(), [], "Pending"),
        (made(), [pod("Pending")], "Pending"),
        (made(), [pod("Running", {"running": {}})], "Running"),
        (made(active=1, ready=1), [], "Running"),
        (made(), [pod("Pending", PULLING)], "Failed"),
        (made(), [pod("Failed", ENDED)], "Pending"),
        (made(), [pod("Failed", ENDED), pod("Running", {"running": {}})], "Running"),
        (made(), [pod("Unknown")], "Unknown"),
        (made(spec={"suspend": True}), [pod("Running")], "Stopped"),
        (made(condition("Complete")), [], "Succeed"),
        (made(condition("SuccessCriteriaMet")), [pod("Succeeded")], "Running"),
        (made(condition("SuccessCriteriaMet"), condition("Complete")), [], "Succeed"),
        (made(condition("Failed")), [], "Failed"),
        (made(condition("FailureTarget")), [pod("Running")], "Running"),
        (made(condition("FailureTarget"), condition("Failed")), [pod("Running")], "Failed"),
        (made(condition("Failed", status="False"), condition("Suspended", status="False")), [], "Pending"),
        (made(condition("Complete"), metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}), [], "Removing"),
    ],
)
def test_in_a_word(job: Job, pods: list[PodRow], word: str) -> None:
    assert manifests.job_word(job, pods) == word
    assert manifests.job_status(job, pods).status == word


@pytest.mark.parametrize(
    ("spec", "succeeded", "scale"),
    [
        ({"completions": 5}, 2, "2/5"),
        ({"completions": 5, "parallelism": 2}, 0, "0/5"),
        ({"parallelism": 3}, 1, "1/3"),
        ({"parallelism": 0}, 0, "0/1"),
        ({}, 0, "0/1"),
        ({"completions": 0}, 0, "0/0"),
    ],
)
def test_done_of_wanted(spec: dict[str, int], succeeded: int, scale: str) -> None:
    assert manifests.job_status(made(spec=spec, succeeded=succeeded)).scale == scale


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("BackoffLimitExceeded", "Its pods failed more often than backoff_limit (4) allows: too often"),
        ("DeadlineExceeded", "It was active longer than active_deadline_seconds (9) allows: too often"),
        ("PodFailurePolicy", "It failed: too often"),
    ],
)
def test_why_it_failed(reason: str, said: str) -> None:
    spec = {"backoffLimit": 4, "activeDeadlineSeconds": 9}
    job = made(condition("Failed", reason, "too often"), spec=spec)
    shown = manifests.job_status(job, [pod("Failed", ENDED)])
    assert shown.reason == reason
    assert shown.reasons[0] == said
    assert shown.reasons[1].startswith(
        "Container main ended: exit code 3; its last words: GET /pods/pod/j-1/"
    )
    assert manifests.job_status(made(condition("Failed"))).reasons == [
        "It failed: Kubernetes does not say why"
    ]


def test_why_it_does_not_get_on() -> None:
    pulling = manifests.job_status(made(), [pod("Pending", PULLING)])
    assert pulling.reasons == [
        "The image busybox of container main cannot be pulled: ImagePullBackOff: nowhere (pod j-1)"
    ]
    refused = {
        "metadata": {"name": "e"},
        "involvedObject": {"uid": "u"},
        "type": "Warning",
        "reason": "FailedCreate",
        "message": 'pods "j-1" is forbidden: exceeded quota: all',
    }
    events = [msgspec.convert(refused, Event)]
    assert manifests.why_not_done(made(), [], events)[0].startswith(
        "The quota of the namespace does not allow"
    )
    refused["message"] = "(combined from similar events): no such service account"
    events = [msgspec.convert(refused, Event)]
    assert manifests.why_not_done(made(), [], events) == ["Pods cannot be made: no such service account"]
    assert manifests.why_not_done(made(condition("Complete")), [], events) == []
    assert manifests.why_not_done(made(spec={"suspend": True}), [], events) == []


def test_what_was_not_made_completely_says_so() -> None:
    labels = {"ecns.easystack.com/creating": "digest"}
    assert manifests.job_status(made(metadata={"labels": labels})).reasons == [INCOMPLETE]

"""What Jobs leave behind and begin with, and claims that name their volume; as a real cluster has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.embedded.kubernetes.conformance.test_lifecycles import gone, ready, until
from tests.embedded.kubernetes.conformance.test_workloads import BATCH, CORE, pods, post, running, settled

if TYPE_CHECKING:
    from tests.embedded.kubernetes.conftest import Client


@pytest.mark.parametrize("own", [{}, {"a": "b"}, {"x": "y"}])
async def test_a_job_without_labels_has_those_of_its_pods(kubernetes: Client, own: dict[str, str]) -> None:
    pods = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox"}]}
    body = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "labelled", "labels": own},
        "spec": {"template": {"metadata": {"labels": {"a": "b"}}, "spec": pods}},
    }
    made = (await kubernetes.post("/apis/batch/v1/namespaces/default/jobs", body, dryRun="All")).json
    labels = made["metadata"]["labels"]
    assert ("job-name" in labels) is not bool(own)
    assert labels.items() >= (own or {"a": "b"}).items()


@pytest.mark.parametrize("policy", ["Background", "Orphan"])
@pytest.mark.parametrize("again", [0, 1])
async def test_the_pods_of_a_job_that_is_gone_are_let_go(kubernetes: Client, policy: str, again: int) -> None:
    short = running("sleep 100", terminationGracePeriodSeconds=0)
    await post(kubernetes, f"{BATCH}/jobs", "j", parallelism=2, template=short)
    await settled(kubernetes, f"{BATCH}/jobs/j", active=2)
    first = {pod["metadata"]["name"] for pod in await pods(kubernetes)}
    await kubernetes.delete(f"{BATCH}/jobs/j", propagationPolicy=policy)
    await until(kubernetes, f"{BATCH}/jobs/j", gone)
    for _ in range(again):
        await post(kubernetes, f"{BATCH}/jobs", "j", parallelism=1, template=short)

    def let_go(reply: Any) -> bool:
        found = [pod["metadata"] for pod in reply.json["items"] if pod["metadata"]["name"] in first]
        tracked = any(one.get("finalizers") or one.get("ownerReferences") for one in found)
        return len(found) == (2 if policy == "Orphan" else 0) and not tracked

    await until(kubernetes, f"{CORE}/pods", let_go)


async def test_a_job_has_begun_though_its_pods_are_refused(kubernetes: Client) -> None:
    await ready(kubernetes)
    await kubernetes.post(
        f"{CORE}/resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": {"pods": "0"}}}
    )
    await until(kubernetes, f"{CORE}/resourcequotas/q", lambda reply: "used" in reply.json.get("status", {}))
    await post(kubernetes, f"{BATCH}/jobs", "j", template=running("true"))
    await until(kubernetes, f"{BATCH}/jobs/j", lambda reply: reply.json["status"].get("startTime"))
    events = (await kubernetes.get(f"{CORE}/events")).json["items"]
    assert "exceeded quota: q" in next(one["message"] for one in events if one["reason"] == "FailedCreate")


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ({"accessModes": ["ReadWriteMany"]}, "incompatible accessMode"),
        ({"storageClassName": "other"}, "storageClassName does not match"),
        ({"resources": {"requests": {"storage": "5Gi"}}}, "requested PV is too small"),
        ({}, ""),
    ],
)
async def test_a_claim_takes_the_volume_that_it_names_if_that_fits(
    kubernetes: Client, wanted: dict[str, Any], why: str
) -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "storageClassName": "manual"}
    volume = {**spec, "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/x"}}
    await kubernetes.post("/api/v1/persistentvolumes", {"metadata": {"name": "pv"}, "spec": volume})
    asked = {"resources": {"requests": {"storage": "1Gi"}}, "volumeName": "pv", **spec, **wanted}
    await post(kubernetes, f"{CORE}/persistentvolumeclaims", "c", **asked)
    if not why:
        bound = f"{CORE}/persistentvolumeclaims/c"
        await until(kubernetes, bound, lambda reply: reply.json["status"]["phase"] == "Bound")
        return
    message = f'Cannot bind to requested volume "pv": {why}'
    await until(
        kubernetes,
        f"{CORE}/events",
        lambda reply: message in {one["message"] for one in reply.json["items"]},
    )

"""Jobs to objects and back: what is posted is what is shown, and anything can be shown."""

from __future__ import annotations

import json
from typing import Any

import kubernetes_validate
import msgspec
from hypothesis import given

from ecns.api.jobs import checks, manifests
from ecns.api.jobs.types import Job
from ecns.backends.kubernetes.kinds import batch
from ecns.backends.kubernetes.kinds.meta import JsonObject, OwnerReference
from tests.api.jobs.jobs import jobs
from tests.api.workloads.recorded import recorded
from tests.api.workloads.test_manifests import QUICK, REGISTRY, by_kind, lost


def decoded(body: JsonObject) -> Job:
    return checks.check_job(msgspec.convert(body, Job, strict=False))


def served(one: Any) -> Any:
    """An object as a server gives it back: through JSON, with what it fills in."""
    again = msgspec.json.decode(msgspec.json.encode(one), type=type(one))
    spec = again.spec.job_template.spec if isinstance(again, batch.CronJob) else again.spec
    pod = spec.template.spec
    for container in [*pod.containers, *(pod.init_containers or [])]:
        for probe in (container.liveness_probe, container.readiness_probe, container.startup_probe):
            if probe:
                probe.period_seconds = probe.period_seconds or 10
                probe.timeout_seconds = probe.timeout_seconds or 1
                probe.success_threshold = probe.success_threshold or 1
                probe.failure_threshold = probe.failure_threshold or 3
    return again


def missing(sent: Job, shown: Job) -> list[str]:
    """What was sent and is not shown."""
    one, two = msgspec.to_builtins(sent), json.loads(msgspec.json.encode(shown))
    return lost(
        {**one, "containers": by_kind(one["containers"])}, {**two, "containers": by_kind(two["containers"])}
    )


@QUICK
@given(jobs())
def test_what_is_posted_is_shown(body: JsonObject) -> None:
    job = decoded(body)
    made = manifests.objects(job, namespace="shop", registry_domain=REGISTRY)
    claims = {claim.metadata.name: claim for claim in made.claims}
    found = served(made.controller)
    assert missing(job, manifests.job(found, [], claims, registry_domain=REGISTRY)) == []


@QUICK
@given(jobs())
def test_the_objects_are_what_kubernetes_defines(body: JsonObject) -> None:
    made = manifests.objects(decoded(body), namespace="shop", registry_domain=REGISTRY)
    for one in [made.controller, *(found for _, found in made.dependants)]:
        whole = msgspec.json.decode(msgspec.json.encode(one))
        assert "status" not in whole
        kubernetes_validate.validate(whole, "1.36", strict=True)


def test_every_job_is_shown() -> None:
    found = list(recorded("Job"))
    assert len(found) > 50
    for whole in found:
        shown = manifests.job(msgspec.convert(whole, batch.Job))
        msgspec.json.encode(shown)
        assert shown.name == whole["metadata"]["name"]
        assert not manifests.GENERATED_LABELS & set(shown.labels or {})
        assert shown.job_status.status in {"Pending", "Running", "Succeed", "Failed", "Stopped", "Removing"}


def test_what_ecns_has_no_word_for_is_shown_all_the_same() -> None:
    spec = {
        "completionMode": "Indexed",
        "completions": 3,
        "backoffLimitPerIndex": 1,
        "podFailurePolicy": {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "X"}]}]},
        "successPolicy": {"rules": [{"succeededCount": 1}]},
        "managedBy": "example.com/queue",
        "template": {
            "spec": {
                "restartPolicy": "Always",
                "containers": [{"name": "c", "image": "a@sha256:0"}],
                "volumes": [{"name": "v", "projected": {"sources": []}}, {"name": "w", "unheard": 1}],
            }
        },
    }
    status = {"conditions": [{"type": "Unheard", "status": "True"}], "uncountedTerminatedPods": {}}
    found = msgspec.convert({"metadata": {"name": "x"}, "spec": spec, "status": status}, batch.Job)
    shown = manifests.job(found)
    assert [volume.type for volume in shown.volumes or ()] == ["Other", "Other"]
    assert shown.restart_policy == "OnFailure"
    assert shown.job_status.scale == "0/3"
    empty = manifests.job(batch.Job())
    assert (empty.job_status.status, empty.job_status.scale) == ("Pending", "0/1")


def test_a_job_of_a_cronjob_has_its_claims() -> None:
    """The claims are named after the CronJob."""
    volume = {"name": "data", "type": "StorageClass", "storage_class": {"class_name": "fast", "capacity": 1}}
    body = {"name": "nightly", "containers": [{"name": "c", "image": {"image": "a"}}], "volumes": [volume]}
    made = manifests.objects(decoded(body), namespace="shop", registry_domain=REGISTRY)
    assert [claim.metadata.name for claim in made.claims] == ["nightly-data"]
    of_run = made.controller
    of_run.metadata.name = "nightly-29923802"
    of_run.metadata.owner_references = [OwnerReference(kind="CronJob", name="nightly")]
    shown = manifests.job(of_run, [], {"nightly-data": made.claims[0]}, registry_domain=REGISTRY)
    assert (shown.name, shown.cronjob_name) == ("nightly-29923802", "nightly")
    assert shown.volumes is not None
    assert shown.volumes[0].storage_class is not None
    assert shown.volumes[0].storage_class.class_name == "fast"

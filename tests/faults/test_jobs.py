"""Faults at every step of making a Job or a CronJob with a claim, and of running one by hand."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from ecns.api.common.marks import INCOMPLETE
from ecns.api.common.names import CREATING
from tests.api.answers import refused
from tests.api.cronjobs import asking as cronjobs
from tests.api.jobs import asking as jobs
from tests.api.jobs.asking import unused
from tests.faults.proxy import Failure, Fault
from tests.faults.test_creation import ANSWERS, NAMESPACE, in_turn

if TYPE_CHECKING:
    import httpx

    from tests.faults.conftest import Faulty

CLAIM = {"name": "data", "type": "StorageClass", "storage_class": {"class_name": "standard", "capacity": 1}}
MOUNTED = jobs.container(volume_mounts=[{"volume_name": "data", "mount_path": "/data"}])
MORE: dict[str, Any] = {"volumes": [CLAIM], "containers": [MOUNTED], "suspend": True}


def post(client: httpx.Client, plural: str, name: str) -> httpx.Response:
    if plural == "jobs":
        return jobs.post(client, jobs.job(name, **MORE))
    return cronjobs.post(client, cronjobs.cronjob(name, **MORE))


def reasons(client: httpx.Client, plural: str, name: str) -> list[str]:
    if plural == "jobs":
        return jobs.state(jobs.listed(client, name=name)[name]).reasons
    return cronjobs.listed(client, name=name)[name].reasons


def whole(faulty: Faulty, client: httpx.Client, plural: str, name: str) -> None:
    """All is there, belongs together, and nothing says otherwise."""
    found = faulty.objects(NAMESPACE, name)
    assert sorted(found) == sorted([f"{plural}/{name}", f"persistentvolumeclaims/{name}-data"])
    owner = found[f"{plural}/{name}"]["metadata"]
    assert CREATING not in owner["labels"]
    claim = found[f"persistentvolumeclaims/{name}-data"]["metadata"]
    assert [one["uid"] for one in claim["ownerReferences"]] == [owner["uid"]]
    assert INCOMPLETE not in reasons(client, plural, name)


@pytest.fixture
def member(faulty: Faulty) -> httpx.Client:
    client = faulty.client(NAMESPACE)
    jobs.create(client, jobs.job(unused(), suspend=True))  # what is done once for a namespace is done
    return client


@pytest.mark.parametrize("plural", ["jobs", "cronjobs"])
@pytest.mark.parametrize("step", ["try the claim", "make it", "make the claim", "finish it"])
def test_each_step_may_fail(faulty: Faulty, member: httpx.Client, plural: str, step: str) -> None:
    def fails(failure: Failure) -> None:
        name = f"f{unused()}x"
        fault = Fault(
            failure=failure,
            method="PATCH" if step == "finish it" else "POST",
            plural="persistentvolumeclaims" if "claim" in step else plural,
            dry=step == "try the claim",
            name=name,
            reached=threading.Event(),
        )
        faulty.proxy.inject(fault)
        refused(post(member, plural, name), ANSWERS[failure])
        assert fault.reached.is_set()
        left = faulty.objects(NAMESPACE, name)
        if failure == "lost" and step == "make it":
            assert list(left) == [f"{plural}/{name}"]
            assert reasons(member, plural, name) == [INCOMPLETE]
        else:
            assert left == {}
        assert post(member, plural, name).status_code == 200
        whole(faulty, member, plural, name)
        refused(post(member, plural, name), 409)

    in_turn(fails, ("500", "lost") if step == "try the claim" else tuple(ANSWERS))


@pytest.mark.parametrize("failure", ANSWERS)
def test_a_run_with_a_key_is_made_once(faulty: Faulty, member: httpx.Client, failure: Failure) -> None:
    name = f"f{unused()}x"
    cronjobs.create(member, cronjobs.cronjob(name))
    faulty.proxy.inject(Fault(failure=failure, method="POST", plural="jobs", name=name))
    headers = {"Idempotency-Key": name}
    first = member.post(cronjobs.one(name, "run/"), headers=headers)
    if failure == "409":  # as if the name was taken: another is
        assert first.status_code == 200, first.text
    else:
        refused(first, ANSWERS[failure])
    assert cronjobs.run(member, name, **headers).job.cronjob_name == name
    assert len(cronjobs.shown(member, name).jobs) == 1

"""Faults at every step of making a workload: one clear error, nothing unseen, and the repeat completes."""

from __future__ import annotations

import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from ecns.api.common.marks import INCOMPLETE
from ecns.api.common.names import CREATING
from tests.api.answers import refused
from tests.api.workloads.asking import LIST, Json, change, changed, create, listed, unused, workload
from tests.faults.conftest import REQUEST_SECONDS
from tests.faults.proxy import Failure, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import httpx

    from tests.faults.conftest import Faulty

NAMESPACE = "faults"
PATIENT_SECONDS = 10.0
ANSWERS: dict[Failure, int] = {
    "409": 409,
    "429": 429,
    "500": 502,
    "503": 503,
    "hang": 504,
    "cut": 503,
    "lost": 503,
}
TRIALS = [
    Fault(failure="500", method="POST", plural=plural, dry=True)
    for plural in (
        "persistentvolumeclaims",
        "services",
        "ingresses",
        "horizontalpodautoscalers",
    )
]
SOME: Iterator[tuple[Failure, ...]] = itertools.cycle(
    [("409", "hang"), ("429", "cut"), ("500", "503", "lost")]
)
"""Of a trial nothing is left in any case: not every failure is tried with every kind."""
WRITES = [
    Fault(failure="500", method="POST", plural="deployments"),
    Fault(failure="500", method="POST", plural="persistentvolumeclaims"),
    Fault(failure="500", method="POST", plural="services"),
    Fault(failure="500", method="POST", plural="services", skip=1),
    Fault(failure="500", method="POST", plural="ingresses"),
    Fault(failure="500", method="POST", plural="horizontalpodautoscalers"),
    Fault(failure="500", method="PATCH", plural="deployments"),
]


def step(fault: Fault) -> str:
    """The name of a step, for people."""
    return (
        f"{'try ' if fault.dry else ''}{fault.method} {fault.plural}{f' {fault.skip}' if fault.skip else ''}"
    )


def big(name: str) -> Json:
    """A workload with a claim, two Services, an Ingress and an autoscaler."""
    routed = {"port": 80, "routers": [{"domain": "a.example.com", "path": f"/{name}"}]}
    return workload(
        name,
        access_mode=[
            {"type": "ClusterIP", "access": [routed]},
            {"type": "NodePort", "access": [{"port": 81}]},
        ],
        volumes=[
            {
                "name": "data",
                "type": "StorageClass",
                "storage_class": {"class_name": "standard", "capacity": 1},
            }
        ],
        scale_strategy={"min_replicas": 1, "max_replicas": 2, "resource": {"cpu": 50}},
    )


def post(client: httpx.Client, *sent: Json, **headers: str) -> httpx.Response:
    return client.post(LIST, json={"workloads": list(sent)}, headers=headers)


def reasons(client: httpx.Client, name: str) -> list[str]:
    """Why a workload is not as it should be, as the list says."""
    rows = client.get(LIST, params={"name": name}).json()["workloads"]
    found: list[str] = next(
        row["workload_status"]["reasons"] for row in rows if row["workload_base"]["name"] == name
    )
    return found


def whole(faulty: Faulty, client: httpx.Client, name: str) -> None:
    """All of a workload is there, and nothing says otherwise."""
    found = faulty.objects(NAMESPACE, name)
    assert len(found) == 6, list(found)
    deployment = found[f"deployments/{name}"]
    assert CREATING not in deployment["metadata"]["labels"]
    uid = deployment["metadata"]["uid"]
    for key, one in found.items():
        owners = [owner["uid"] for owner in one["metadata"].get("ownerReferences", ())]
        assert owners == ([] if one is deployment else [uid]), key
    assert INCOMPLETE not in reasons(client, name)


def seen(faulty: Faulty, client: httpx.Client, name: str) -> str:
    """What is left of a workload: nothing, a part that can be seen to be one, or all of it."""
    found = faulty.objects(NAMESPACE, name)
    if not found:
        assert name not in listed(client, name=name)
        return "nothing"
    assert f"deployments/{name}" in found, list(found)
    if INCOMPLETE in reasons(client, name):
        return "a part"
    assert len(found) == 6, list(found)
    return "all"


def in_turn(fails: Callable[[Failure], None], failures: Iterable[Failure] = tuple(ANSWERS)) -> None:
    """Try several failures, a few at once: Kubernetes is asked much."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(fails, failures))


@pytest.fixture
def member(faulty: Faulty) -> httpx.Client:
    client = faulty.client(NAMESPACE)
    create(client, workload(unused()))  # what is done once for a namespace is done
    return client


@pytest.mark.parametrize("fault", [*TRIALS, *WRITES], ids=step)
def test_each_step_may_fail(faulty: Faulty, member: httpx.Client, fault: Fault) -> None:
    def fails(failure: Failure) -> None:
        name = f"f{unused()}x"
        sent = big(name)
        injected = faulty.proxy.inject(replace(fault, failure=failure, name=name, reached=threading.Event()))
        began = time.monotonic()
        failed = post(member, sent)
        assert time.monotonic() - began < REQUEST_SECONDS
        said = refused(failed, ANSWERS[failure])
        assert injected.reached.is_set()
        assert "could not be removed" not in said
        if failure == "429":
            assert failed.headers["Retry-After"] == "3"
        begun = (
            failure == "lost" and not fault.dry and (fault.method, fault.plural) == ("POST", "deployments")
        )
        assert seen(faulty, member, name) == ("a part" if begun else "nothing"), said
        create(member, sent)
        whole(faulty, member, name)
        assert "exists" in refused(post(member, sent), 409)

    in_turn(fails, next(SOME) if fault.dry else tuple(ANSWERS))


def test_the_removal_of_what_was_made_may_fail(faulty: Faulty, member: httpx.Client) -> None:
    def fails(failure: Failure) -> None:
        name = f"f{unused()}x"
        sent = big(name)
        faulty.proxy.inject(Fault(failure="500", method="POST", plural="ingresses", name=name))
        faulty.proxy.inject(Fault(failure=failure, method="DELETE", plural="deployments", name=name))
        said = refused(post(member, sent), 502)
        if failure in {"cut", "lost"}:  # a deletion is simply sent again
            assert seen(faulty, member, name) == "nothing"
        else:
            assert "send the same request again" in said
            assert seen(faulty, member, name) == "a part"
            other = {**sent, "labels": {"another": "request"}}
            assert "exists" in refused(post(member, other), 409)
        create(member, sent)
        whole(faulty, member, name)

    in_turn(fails)


def test_a_part_may_be_completed_in_several_attempts(faulty: Faulty, member: httpx.Client) -> None:
    def fails(failure: Failure) -> None:
        name = f"f{unused()}x"
        sent = big(name)
        faulty.proxy.inject(Fault(failure="500", method="POST", plural="ingresses", name=name))
        faulty.proxy.inject(Fault(failure="503", method="DELETE", plural="deployments", name=name))
        refused(post(member, sent), 502)
        faulty.proxy.inject(Fault(failure=failure, method="POST", plural="ingresses", name=name))
        refused(post(member, sent), ANSWERS[failure])
        assert seen(faulty, member, name) == "a part"
        create(member, sent)
        whole(faulty, member, name)

    in_turn(fails)


def test_a_part_may_be_deleted(faulty: Faulty, member: httpx.Client) -> None:
    name = f"f{unused()}x"
    faulty.proxy.inject(Fault(failure="lost", method="POST", plural="deployments", name=name))
    refused(post(member, big(name)), 503)
    base = {"workloads_base": [{"name": name, "type": "Deployment"}], "delete_service": True}
    assert member.request("DELETE", LIST, json=base).status_code == 200
    create(member, big(name))
    whole(faulty, member, name)


@pytest.mark.parametrize("key", ["", "key"])
def test_one_object_whose_answer_was_lost_is_not_refused_once(
    faulty: Faulty, member: httpx.Client, key: str
) -> None:
    name = f"f{unused()}x"
    headers = {"Idempotency-Key": name} if key else {}
    faulty.proxy.inject(Fault(failure="lost", method="POST", plural="deployments", name=name))
    assert "not known" in refused(post(member, workload(name), **headers), 503)
    assert list(faulty.objects(NAMESPACE, name)) == [f"deployments/{name}"]
    assert refused(post(member, workload(name, replicas=2)), 409)
    again = post(member, workload(name), **headers)
    assert again.status_code == 200, again.text
    assert again.json()["workloads"][0]["workload_base"]["name"] == name
    assert refused(post(member, workload(name)), 409)


def test_a_namespace_is_made_ready_again(faulty: Faulty) -> None:
    def fails(failure: Failure) -> None:
        namespace = f"bound-{unused()}x"
        faulty.namespace(namespace)
        client = faulty.client(namespace)
        name = unused()
        faulty.proxy.inject(Fault(failure=failure, method="PATCH", plural="rolebindings", space=namespace))
        refused(post(client, big(name)), ANSWERS[failure])
        assert not faulty.objects(namespace, name)
        create(client, big(name))

    in_turn(fails)


def test_two_at_once_make_one(faulty: Faulty, member: httpx.Client) -> None:
    name = f"f{unused()}x"
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: post(member, big(name)).status_code, range(8)))
    assert sorted(answers) == [200, *[409] * 7]
    whole(faulty, member, name)


def test_the_items_of_a_batch_fail_alone(faulty: Faulty, member: httpx.Client) -> None:
    failing = {f"f{unused()}x": failure for failure in ANSWERS}
    others = [f"f{unused()}x" for _ in range(3)]
    for name, failure in failing.items():
        faulty.proxy.inject(Fault(failure=failure, method="POST", plural="services", name=name))
    answer = post(member, *map(big, (others[0], *failing, *others[1:])))
    assert answer.status_code == 207, answer.text
    body = answer.json()
    assert [done["name"] for done in body["succeed"]] == others
    assert {item["name"]: item["code"] for item in body["failed"]} == {
        name: ANSWERS[failure] for name, failure in failing.items()
    }
    for name in others:
        whole(faulty, member, name)
    for name in failing:
        assert seen(faulty, member, name) == "nothing"
    create(member, *map(big, failing))
    for name in failing:
        whole(faulty, member, name)


def test_a_batch_is_completed_by_its_repeat(faulty: Faulty, member: httpx.Client) -> None:
    first, second, third = (f"f{unused()}x" for _ in range(3))
    faulty.proxy.inject(Fault(failure="500", method="POST", plural="services", name=second))
    sent = [big(first), big(second), workload(third)]
    assert post(member, *sent, **{"Idempotency-Key": first}).status_code == 207
    before = faulty.objects(NAMESPACE, first)[f"deployments/{first}"]["metadata"]["uid"]
    again = post(member, *sent, **{"Idempotency-Key": first})
    assert again.status_code == 200, again.text
    assert [one["name"] for one in again.json()["succeed"]] == [first, second, third]
    whole(faulty, member, second)
    assert faulty.objects(NAMESPACE, first)[f"deployments/{first}"]["metadata"]["uid"] == before
    replayed = post(member, *sent, **{"Idempotency-Key": first})
    assert replayed.headers["Idempotency-Replayed"] == "true"
    assert replayed.content == again.content


def test_a_change_of_several_objects_is_completed_by_its_repeat(faulty: Faulty, member: httpx.Client) -> None:
    def fails(failure: Failure) -> None:
        name = f"f{unused()}x"
        modes = {"access_modes": big(name)["access_mode"]}
        create(member, workload(name))
        faulty.proxy.inject(Fault(failure=failure, method="POST", plural="services", name=name, skip=1))
        refused(change(member, name, "access_modes", modes), ANSWERS[failure])
        found = changed(member, name, "access_modes", modes)
        assert [mode.type for mode in found.access_mode or ()] == ["ClusterIP", "NodePort"]
        assert len(faulty.objects(NAMESPACE, name)) == 4

    in_turn(fails)


def test_a_gateway_that_was_killed_goes_on(faulty: Faulty) -> None:
    alone, began, half, ended = (f"k{unused()}x" for _ in range(4))
    sent = {alone: workload(alone), began: big(began), half: big(half), ended: big(ended)}
    keys = {name: {"Idempotency-Key": name} for name in (alone, half, ended)}
    faults = [
        Fault(failure="hold", method="POST", plural="deployments", name=alone),
        Fault(failure="hold", method="POST", plural="deployments", name=began),
        Fault(failure="hang", method="POST", plural="services", name=half, skip=1),
        Fault(failure="hold", method="PATCH", plural="deployments", name=ended),
    ]
    for fault in faults:
        faulty.proxy.inject(fault)
    member = faulty.client(NAMESPACE, "patient")
    with ThreadPoolExecutor(len(faults)) as pool:
        asked = [pool.submit(post, member, one, **keys.get(name, {})) for name, one in sent.items()]
        assert all(fault.reached.wait(PATIENT_SECONDS / 2) for fault in faults)
        faulty.kill()
        assert all(one.exception() is not None for one in asked)
    faulty.proxy.heal()
    faulty.start()
    member = faulty.client(NAMESPACE)
    assert seen(faulty, member, began) == "a part"
    assert seen(faulty, member, half) == "a part"
    whole(faulty, member, ended)
    for name, one in sent.items():
        again = post(member, one, **keys.get(name, {}))
        assert again.status_code == 200, again.text
        if name != alone:
            whole(faulty, member, name)
        assert refused(post(member, one), 409)

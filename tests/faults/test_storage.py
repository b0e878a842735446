"""Faults while claims are made and the default storage class is changed: there is always one default."""

from __future__ import annotations

import concurrent.futures
from typing import TYPE_CHECKING

import httpx
import pytest

from ecns.api.storage.manifests import BECOMING, DEFAULT
from tests.api.answers import refused
from tests.api.workloads.asking import unused
from tests.faults.proxy import Failure, Fault
from tests.gateway import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.conftest import Faulty

NAMESPACE = "faults"
CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
ANSWERS: dict[Failure, int] = {"429": 429, "500": 502, "503": 503, "hang": 504, "cut": 503}


@pytest.fixture
def classes(faulty: Faulty) -> Iterator[tuple[str, str]]:
    """Two classes, of which the first is the default."""
    pair = f"f{unused()}", f"f{unused()}"
    for name in pair:
        body = {"metadata": {"name": name}, "provisioner": "embedded.ecns.io/local"}
        made = faulty.kubernetes.post(CLASSES, json=body)
        assert made.status_code == 201, made.text
    assert put(faulty, pair[0]).status_code == 200
    yield pair
    faulty.proxy.heal()
    assert put(faulty, "standard").status_code == 200
    for name in pair:
        faulty.kubernetes.delete(f"{CLASSES}/{name}")


def put(faulty: Faulty, name: str) -> httpx.Response:
    """Make a class the default."""
    headers = {"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": NAMESPACE}
    client = faulty.gateway.client("admin", **headers)
    return client.put(f"/kubernetes/storageclass/{name}/default/", params={"action": "set"})


def with_annotation(faulty: Faulty, key: str) -> set[str]:
    """The classes that have it, but for a false one."""
    listed = faulty.kubernetes.get(CLASSES).json()["items"]
    found = ((item["metadata"]["name"], item["metadata"].get("annotations", {}).get(key)) for item in listed)
    return {name for name, value in found if value not in {None, "false"}}


@pytest.mark.parametrize("step", [0, 1, 2])
@pytest.mark.parametrize("failure", ANSWERS)
def test_whatever_step_fails_there_is_a_default_and_the_repeat_does_it(
    faulty: Faulty, classes: tuple[str, str], step: int, failure: Failure
) -> None:
    old, new = classes
    faulty.proxy.inject(Fault(failure=failure, method="PATCH", plural="storageclasses", skip=step))
    refused(put(faulty, new), ANSWERS[failure])
    marked = with_annotation(faulty, DEFAULT)
    assert marked
    assert marked <= {old, new}
    assert put(faulty, new).status_code == 200
    assert with_annotation(faulty, DEFAULT) == {new}
    assert with_annotation(faulty, BECOMING) == set()


def test_a_conflict_is_looked_at_again(faulty: Faulty, classes: tuple[str, str]) -> None:
    for step in (0, 1, 2):
        new = classes[1 - step % 2]
        faulty.proxy.inject(Fault(failure="409", method="PATCH", plural="storageclasses", skip=step))
        assert put(faulty, new).status_code == 200
        assert with_annotation(faulty, DEFAULT) == {new}


def test_a_gateway_that_dies_in_between_leaves_one_that_counts(
    faulty: Faulty, classes: tuple[str, str]
) -> None:
    old, new = classes
    fault = Fault(failure="hold", method="PATCH", plural="storageclasses", name=new)
    faulty.proxy.inject(fault)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asked = pool.submit(put, faulty, new)
        assert fault.reached.wait(10)
        faulty.kill()
        assert isinstance(asked.exception(20), httpx.HTTPError)
    faulty.proxy.heal()
    assert with_annotation(faulty, DEFAULT) == {old, new}
    faulty.start()
    client = faulty.client(NAMESPACE)
    params = {"type": "StorageClass", "cluster_selector": "current"}

    def defaults() -> list[str]:
        answer = client.get("/kubernetes/storage/", params=params)
        assert answer.status_code == 200, answer.text
        return [row["class_name"] for row in answer.json()["storage_class"] if row["is_default"]]

    assert len(eventually(defaults)) == 1
    assert put(faulty, new).status_code == 200
    assert (defaults(), with_annotation(faulty, DEFAULT)) == ([new], {new})


@pytest.mark.parametrize("key", ["", "key"])
def test_a_claim_whose_answer_was_lost_is_not_refused_once(faulty: Faulty, key: str) -> None:
    name, client = f"c{unused()}", faulty.client(NAMESPACE)
    path, body = f"/kubernetes/pvc/{name}/", {"pvc": {"capacity": 1}}
    headers = {"Idempotency-Key": name} if key else {}
    faulty.proxy.inject(Fault(failure="lost", method="POST", plural="persistentvolumeclaims", name=name))
    assert "not known" in refused(client.post(path, json=body, headers=headers), 503)
    again = client.post(path, json=body, headers=headers)
    assert again.status_code == 200, again.text
    refused(client.post(path, json=body), 409)
    refused(client.post(path, json={"pvc": {"capacity": 2}}), 409)
    assert client.delete(path).status_code == 200


@pytest.mark.parametrize("failure", ANSWERS)
def test_each_failure_with_a_claim_is_told_and_the_repeat_does_it(faulty: Faulty, failure: Failure) -> None:
    name, client = f"c{unused()}", faulty.client(NAMESPACE)
    path, plural = f"/kubernetes/pvc/{name}/", "persistentvolumeclaims"
    calls = {
        "POST": lambda: client.post(path, json={"pvc": {"capacity": 1}}),
        "PATCH": lambda: client.patch(path, json={"pvc": {"capacity": 2}}),
        "DELETE": lambda: client.delete(path),
    }
    for method, call in calls.items():
        faulty.proxy.inject(Fault(failure=failure, method=method, plural=plural, name=name))
        answer = call()
        if (failure, method) == ("cut", "DELETE"):  # sent again at once: to delete twice is to delete
            assert answer.status_code == 200
            return
        refused(answer, ANSWERS[failure])
        eventually(lambda call=call: call().status_code == 200)  # type: ignore[misc]  # mypy knows no defaults of lambdas

"""Faults while one object is made or changed that carries nothing of its request: ConfigMaps and Secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.api.answers import refused
from tests.api.workloads.asking import unused
from tests.faults.proxy import Failure, Fault

if TYPE_CHECKING:
    from tests.faults.conftest import Faulty

NAMESPACE = "faults"
ANSWERS: dict[Failure, int] = {"409": 409, "429": 429, "500": 502, "503": 503, "hang": 504, "cut": 503}


@pytest.fixture
def member(faulty: Faulty) -> httpx.Client:
    return faulty.client(NAMESPACE)


def post(
    client: httpx.Client, plural: str, name: str, value: str = "hunter2", **headers: str
) -> httpx.Response:
    contents: dict[str, Any]
    if plural == "secrets":
        contents = {"secret": {"name": name, "type": "Opaque", "opaque": {"a": value}}}
        return client.post("/kubernetes/secret/", json=contents, headers=headers)
    contents = {"configmap": {"name": name, "config": {"a": value}}}
    return client.post(f"/kubernetes/configmap/{name}/", json=contents, headers=headers)


def patch(client: httpx.Client, plural: str, name: str, value: str) -> httpx.Response:
    if plural == "secrets":
        return client.patch("/kubernetes/secret/", json={"secret": {"name": name, "opaque": {"a": value}}})
    return client.patch(f"/kubernetes/configmap/{name}/", json={"configmap": {"config": {"a": value}}})


@pytest.mark.parametrize("plural", ["configmaps", "secrets"])
@pytest.mark.parametrize("key", ["", "key"])
def test_one_whose_answer_was_lost_is_not_refused_once(
    faulty: Faulty, member: httpx.Client, plural: str, key: str
) -> None:
    name = f"one-{unused()}"
    headers = {"Idempotency-Key": name} if key else {}
    faulty.proxy.inject(Fault(failure="lost", method="POST", plural=plural, name=name))
    assert "not known" in refused(post(member, plural, name, **headers), 503)
    again = post(member, plural, name, **headers)
    assert again.status_code == 200, again.text
    refused(post(member, plural, name), 409)


@pytest.mark.parametrize("plural", ["configmaps", "secrets"])
def test_another_request_for_the_name_is_refused(faulty: Faulty, member: httpx.Client, plural: str) -> None:
    name = f"one-{unused()}"
    faulty.proxy.inject(Fault(failure="lost", method="POST", plural=plural, name=name))
    refused(post(member, plural, name), 503)
    refused(post(member, plural, name, "another"), 409)
    refused(post(member, plural, name, "another", **{"Idempotency-Key": name}), 409)


@pytest.mark.parametrize("plural", ["configmaps", "secrets"])
@pytest.mark.parametrize("failure", ANSWERS)
def test_each_failure_is_told_and_the_repeat_does_it(
    faulty: Faulty, member: httpx.Client, plural: str, failure: Failure
) -> None:
    name = f"one-{unused()}"
    faulty.proxy.inject(Fault(failure=failure, method="POST", plural=plural, name=name))
    refused(post(member, plural, name), ANSWERS[failure])
    assert post(member, plural, name).status_code == 200
    faulty.proxy.inject(Fault(failure=failure, method="PATCH", plural=plural, name=name))
    refused(patch(member, plural, name, "other"), ANSWERS[failure])
    assert patch(member, plural, name, "other").status_code == 200


def test_a_refusal_that_quotes_a_secret_is_not_passed_on(faulty: Faulty, member: httpx.Client) -> None:
    name, value = f"one-{unused()}", "correct-horse-battery"
    message = f'admission webhook "strength.example" denied the request: {value} is too weak'
    for failure in ("403", "500", "409", "503"):
        faulty.proxy.inject(
            Fault(failure=failure, method="POST", plural="secrets", name=name, message=message)
        )
        answer = post(member, "secrets", name, value)
        assert answer.status_code >= 400
        assert value not in answer.text
        assert "left out" in answer.json()["error"]["message"]
    assert post(member, "secrets", name, "another-value").status_code == 200
    for quoted in (value, "another-value", "YW5vdGhlci12YWx1ZQ=="):
        message = f"denied: {quoted}"
        faulty.proxy.inject(
            Fault(failure="403", method="PATCH", plural="secrets", name=name, message=message)
        )
        answer = patch(member, "secrets", name, value)
        refused(answer, 403)
        assert quoted not in answer.text
    faulty.proxy.inject(
        Fault(failure="403", method="PATCH", plural="secrets", name=name, message="the label team is needed")
    )
    assert "the label team is needed" in refused(patch(member, "secrets", name, value), 403)

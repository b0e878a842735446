"""Faults while Services, with Ingresses for their routers, and Ingresses are made and changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from ecns.api.common.names import CREATING
from tests.api.answers import refused
from tests.api.services.asking import one
from tests.api.workloads.asking import unused
from tests.faults.proxy import Failure, Fault

if TYPE_CHECKING:
    from tests.faults.conftest import Faulty

NAMESPACE = "faults"
ANSWERS: dict[Failure, int] = {"409": 409, "429": 429, "500": 502, "503": 503, "hang": 504, "cut": 503}


@pytest.fixture
def member(faulty: Faulty) -> httpx.Client:
    return faulty.client(NAMESPACE)


def post(client: httpx.Client, name: str, port: int = 80, **headers: str) -> httpx.Response:
    """Make a Service with a router."""
    access = {"port": port, "routers": [{"domain": f"{name}.example.com", "path": "/"}]}
    mode = {"type": "ClusterIP", "access": [access]}
    return client.post(
        one(name), json={"service": {"access_mode": mode, "selector": {"a": "b"}}}, headers=headers
    )


def whole(faulty: Faulty, name: str) -> None:
    """Service and Ingress are there, and nothing says otherwise."""
    found = faulty.objects(NAMESPACE, name)
    assert found.keys() == {f"services/{name}", f"ingresses/{name}"}
    service = found[f"services/{name}"]["metadata"]
    assert CREATING not in service["labels"]
    assert found[f"ingresses/{name}"]["metadata"]["ownerReferences"][0]["uid"] == service["uid"]


@pytest.mark.parametrize("plural", ["services", "ingresses"])
@pytest.mark.parametrize("failure", ANSWERS)
def test_both_are_made_or_neither(
    faulty: Faulty, member: httpx.Client, plural: str, failure: Failure
) -> None:
    name = f"n{unused()}x"
    faulty.proxy.inject(Fault(failure=failure, method="POST", plural=plural, name=name))
    refused(post(member, name), ANSWERS[failure])
    assert faulty.objects(NAMESPACE, name) == {}
    assert post(member, name).status_code == 200
    whole(faulty, name)


@pytest.mark.parametrize("plural", ["services", "ingresses"])
def test_what_was_made_though_the_answer_was_lost_is_not_refused_to_its_repeat(
    faulty: Faulty, member: httpx.Client, plural: str
) -> None:
    name = f"n{unused()}x"
    faulty.proxy.inject(Fault(failure="lost", method="POST", plural=plural, name=name))
    refused(post(member, name), 503)
    assert post(member, name).status_code == 200
    whole(faulty, name)
    refused(post(member, name), 409)
    refused(post(member, name, 81), 409)


def test_an_ingress_whose_answer_was_lost(faulty: Faulty, member: httpx.Client) -> None:
    name = f"n{unused()}x"
    resource = {"kind": "Bucket", "name": "b"}
    sent: dict[str, Any] = {
        "name": name,
        "routers": [{"domain": f"{name}.example.com", "resource": resource}],
    }
    faulty.proxy.inject(Fault(failure="lost", method="POST", plural="ingresses", name=name))
    refused(member.post("/ingress/", json={"ingress": sent}), 503)
    assert member.post("/ingress/", json={"ingress": sent}).status_code == 200
    refused(member.post("/ingress/", json={"ingress": sent}), 409)


@pytest.mark.parametrize("failure", ["500", "lost"])
def test_a_change_is_completed_by_its_repeat(faulty: Faulty, member: httpx.Client, failure: Failure) -> None:
    name = f"n{unused()}x"
    assert post(member, name).status_code == 200
    routers = [{"domain": f"{name}.example.com", "path": "/other"}]
    change = {"service": {"access_mode": {"access": [{"port": 81, "routers": routers}]}}}
    for plural in ("services", "ingresses"):
        faulty.proxy.inject(Fault(failure=failure, method="PATCH", plural=plural, name=name))
        assert member.put(one(name), json=change).status_code >= 500
    assert member.put(one(name), json=change).status_code == 200
    found = faulty.objects(NAMESPACE, name)
    assert found[f"services/{name}"]["spec"]["ports"][0]["port"] == 81
    rule = found[f"ingresses/{name}"]["spec"]["rules"][0]
    assert [path["path"] for path in rule["http"]["paths"]] == ["/other"]

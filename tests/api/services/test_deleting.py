"""Services that are tried, repeated and deleted, and who may do what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecns.api.common.batches import Batch
from ecns.api.common.objects import DryRun
from ecns.api.services import types
from tests.api.answers import refused, told
from tests.api.services.asking import (
    LIST,
    NAMESPACE,
    create,
    delete,
    kubectl,
    listed,
    one,
    service,
    there,
    whole,
)
from tests.gateway import eventually

if TYPE_CHECKING:
    import httpx

    from tests.api.project import Project
    from tests.gateway import Gateway

Json = dict[str, Any]


def test_a_dry_run_changes_nothing(gateway: Gateway, client: httpx.Client, target: str, name: str) -> None:
    dry = {"dry_run": "true"}
    routers = [{"domain": f"{name}.example.com"}]
    sent = {"service": service(target, {"port": 80, "routers": routers})}
    would = told(client.post(one(name), params=dry, json=sent), DryRun)
    assert [item["kind"] for item in would.objects] == ["Service", "Ingress"]
    assert name not in listed(client)
    create(client, name, sent["service"])
    change = {"service": {"access_mode": {"access": [{"port": 81}]}}}
    would = told(client.put(one(name), params=dry, json=change), DryRun)
    assert "port: 81" in would.diff
    would = told(delete(client, name, dry_run="true"), DryRun)
    assert sorted(would.deleted) == [f"Ingress/{name}", f"Service/{name}"]
    assert whole(gateway, name)["spec"]["ports"][0]["port"] == 80


def test_a_repeat_makes_nothing_twice(client: httpx.Client, target: str, name: str) -> None:
    sent = {"service": service(target)}
    key = {"Idempotency-Key": name}
    first = client.post(one(name), json=sent, headers=key)
    again = client.post(one(name), json=sent, headers=key)
    assert told(first, types.OneService) == told(again, types.OneService)
    assert again.headers["Idempotency-Replayed"] == "true"
    refused(client.post(one(name), json={"service": service(target, 81)}, headers=key), 409)
    refused(client.post(one(name), json=sent), 409)


def test_a_service_that_ingresses_lead_to_is_not_deleted_unless_forced(
    gateway: Gateway, client: httpx.Client, target: str, name: str
) -> None:
    create(client, name, service(target))
    kubectl(gateway, "create", "ingress", f"{name}-in", f"--rule={name}.example.com/*={name}:80")

    def refusal() -> Any:
        answer = delete(client, name)
        return answer if answer.status_code == 409 else None

    answer = eventually(refusal)
    assert f"{name}-in" in refused(answer, 409)
    assert answer.json()["details"]["used_by"] == [{"kind": "Ingress", "name": f"{name}-in"}]
    told(delete(client, name, force="true"), Batch[None])
    assert name not in listed(client)
    kubectl(gateway, "get", "ingress", f"{name}-in")


def test_deleting_is_a_batch(client: httpx.Client, target: str, name: str) -> None:
    create(client, name, service(target))
    batch = told(delete(client, name, "nothing-here", name), Batch[None], 207)
    assert [done.name for done in batch.succeed] == [name]
    assert [(one.name, one.code) for one in batch.failed] == [("nothing-here", 404)]
    refused(delete(client, "nothing-here"), 404)
    refused(client.request("DELETE", LIST, json={}), 400, field="service")
    refused(client.request("DELETE", LIST, json={"service": name}), 400, field="service")
    assert told(delete(client), Batch[None]).succeed == []


def test_who_may_do_what(gateway: Gateway, project: Project, target: str, name: str) -> None:
    create(project.member, name, service(target))
    reader = project.reader
    assert name in listed(reader)
    for method, path, body in (
        ("POST", one(f"{name}x"), {"service": service(target)}),
        ("PUT", one(name), {"service": {"labels": {"a": "b"}}}),
        ("DELETE", LIST, {"service": [name]}),
    ):
        refused(gateway.client().request(method, path, json=body), 401)
        refused(reader.request(method, path, json=body), 403)
        stranger = gateway.client("other", **there(NAMESPACE))
        refused(stranger.request(method, path, json=body), 404)
    refused(gateway.client().get(LIST), 401)
    assert name not in gateway.client("other").get(LIST).text
    refused(project.client("member", "image", **there(NAMESPACE)).get(LIST), 404)
    for product in ("hybrid", "security"):
        assert name in listed(project.client("member", product, **there(NAMESPACE)))

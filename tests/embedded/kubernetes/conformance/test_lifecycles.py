"""Namespaces, the garbage collector and quotas, as the conformance suite has them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.embedded.kubernetes.conftest import Client

CORE = "/api/v1/namespaces/default"
APPS = "/apis/apps/v1/namespaces/default"
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}


async def until(api: Client, path: str, condition: Any, seconds: float = 10) -> Any:
    """Asks again until the answer is as wanted."""
    async with asyncio.timeout(seconds):
        while True:
            reply = await api.get(path)
            if condition(reply):
                return reply
            await asyncio.sleep(0.02)


def gone(reply: Any) -> bool:
    return bool(reply.status == 404)


def empty(reply: Any) -> bool:
    return not reply.json["items"]


async def ready(api: Client, namespace: str = "default") -> None:
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
    await until(api, path, lambda reply: reply.status == 200)


async def namespace(api: Client, name: str) -> str:
    await api.post("/api/v1/namespaces", {"metadata": {"name": name}})
    await ready(api, name)
    return f"/api/v1/namespaces/{name}"


async def controller(api: Client, name: str, replicas: int = 2) -> dict[str, Any]:
    """A ReplicationController with its pods."""
    await ready(api)
    spec = {"replicas": replicas, "selector": {"a": "b"}, "template": TEMPLATE}
    made = await api.post(f"{CORE}/replicationcontrollers", {"metadata": {"name": name}, "spec": spec})
    assert made.status == 201, made.text
    await until(api, f"{CORE}/pods", lambda reply: len(reply.json["items"]) >= replicas)
    found: dict[str, Any] = made.json
    return found


async def test_a_namespace_takes_everything_in_it_along(kubernetes: Client) -> None:
    place = await namespace(kubernetes, "doomed")
    await kubernetes.post(f"{place}/pods", {"metadata": {"name": "p"}, "spec": TEMPLATE["spec"]})
    await kubernetes.post(f"{place}/services", {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}})
    await kubernetes.post(f"{place}/configmaps", {"metadata": {"name": "c"}})
    deleted = await kubernetes.delete(place)
    assert deleted.json["status"]["phase"] == "Terminating"
    refused = await kubernetes.post(f"{place}/configmaps", {"metadata": {"name": "late"}})
    assert refused.status in {403, 404}
    await until(kubernetes, place, gone)
    again = await namespace(kubernetes, "doomed")
    for kind in ("pods", "services"):
        assert empty(await kubernetes.get(f"{again}/{kind}"))


async def test_a_namespace_waits_for_finalizers(kubernetes: Client) -> None:
    place = await namespace(kubernetes, "held")
    held = {"metadata": {"name": "c", "finalizers": ["example.com/hold"]}}
    await kubernetes.post(f"{place}/configmaps", held)
    await kubernetes.delete(place)

    def says_so(reply: Any) -> bool:
        conditions = reply.json["status"].get("conditions", ())
        return any(
            item["type"] == "NamespaceFinalizersRemaining" and item["status"] == "True" for item in conditions
        )

    await until(kubernetes, place, says_so)
    await kubernetes.patch(f"{place}/configmaps/c", {"metadata": {"finalizers": None}})
    await until(kubernetes, place, gone)


async def test_a_namespace_is_patched_updated_and_finalized(kubernetes: Client) -> None:
    place = await namespace(kubernetes, "changed")
    patched = await kubernetes.patch(place, {"metadata": {"labels": {"a": "b"}}})
    assert patched.json["metadata"]["labels"]["a"] == "b"
    status = {"status": {"conditions": [{"type": "Seen", "status": "True", "reason": "R", "message": "m"}]}}
    noted = await kubernetes.patch(f"{place}/status", status)
    assert noted.json["status"]["conditions"][0]["type"] == "Seen"
    now = (await kubernetes.get(place)).json
    now["spec"]["finalizers"].append("e2e.example.com/fakeFinalizer")
    finalized = await kubernetes.put(f"{place}/finalize", now)
    assert "e2e.example.com/fakeFinalizer" in finalized.json["spec"]["finalizers"]
    now = finalized.json
    now["spec"]["finalizers"] = ["kubernetes"]
    assert (await kubernetes.put(f"{place}/finalize", now)).json["spec"]["finalizers"] == ["kubernetes"]


async def test_dependants_go_in_the_background(kubernetes: Client) -> None:
    await controller(kubernetes, "rc")
    await kubernetes.delete(f"{CORE}/replicationcontrollers/rc", propagationPolicy="Background")
    assert gone(await kubernetes.get(f"{CORE}/replicationcontrollers/rc"))
    await until(kubernetes, f"{CORE}/pods", empty)


async def test_dependants_are_orphaned(kubernetes: Client) -> None:
    await controller(kubernetes, "rc")
    await kubernetes.delete(f"{CORE}/replicationcontrollers/rc", propagationPolicy="Orphan")
    await until(kubernetes, f"{CORE}/replicationcontrollers/rc", gone)
    left = (await kubernetes.get(f"{CORE}/pods")).json["items"]
    assert len(left) == 2
    assert all("ownerReferences" not in item["metadata"] for item in left)


async def test_the_owner_waits_in_the_foreground(kubernetes: Client) -> None:
    await controller(kubernetes, "rc")
    deleted = await kubernetes.delete(f"{CORE}/replicationcontrollers/rc", propagationPolicy="Foreground")
    assert deleted.json["metadata"]["finalizers"] == ["foregroundDeletion"]
    await until(kubernetes, f"{CORE}/replicationcontrollers/rc", gone)
    assert empty(await kubernetes.get(f"{CORE}/pods"))


async def test_a_replica_set_follows_its_deployment(kubernetes: Client) -> None:
    await ready(kubernetes)
    spec = {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}
    for policy, left in (("Background", 0), ("Orphan", 1)):
        await kubernetes.post(f"{APPS}/deployments", {"metadata": {"name": policy.lower()}, "spec": spec})
        await until(kubernetes, f"{APPS}/replicasets", lambda reply: len(reply.json["items"]) == 1)
        await kubernetes.delete(f"{APPS}/deployments/{policy.lower()}", propagationPolicy=policy)
        await until(kubernetes, f"{APPS}/deployments/{policy.lower()}", gone)
        await until(
            kubernetes, f"{APPS}/replicasets", lambda reply, left=left: len(reply.json["items"]) == left
        )


def owned(name: str, *owners: dict[str, Any], block: bool = True) -> dict[str, Any]:
    references = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
            "blockOwnerDeletion": block,
        }
        for owner in owners
    ]
    return {"metadata": {"name": name, "ownerReferences": references}}


async def test_one_living_owner_keeps_a_dependant(kubernetes: Client) -> None:
    maps = f"{CORE}/configmaps"
    first, second = [
        (await kubernetes.post(maps, {"metadata": {"name": name}})).json for name in ("o1", "o2")
    ]
    await kubernetes.post(maps, owned("child", first, second))
    await kubernetes.delete(f"{maps}/o1", propagationPolicy="Foreground")
    await until(kubernetes, f"{maps}/o1", gone)
    child = (await kubernetes.get(f"{maps}/child")).json
    assert [item["name"] for item in child["metadata"]["ownerReferences"]] == ["o2"]
    await kubernetes.delete(f"{maps}/o2", propagationPolicy="Background")
    await until(kubernetes, f"{maps}/child", gone)


async def test_a_circle_of_owners_is_no_obstacle(kubernetes: Client) -> None:
    maps = f"{CORE}/configmaps"
    made = [(await kubernetes.post(maps, {"metadata": {"name": name}})).json for name in ("c1", "c2", "c3")]
    for index, item in enumerate(made):
        patch = owned(item["metadata"]["name"], made[index - 1])
        await kubernetes.patch(f"{maps}/{item['metadata']['name']}", patch)
    await kubernetes.delete(f"{maps}/c1", propagationPolicy="Foreground")
    for name in ("c1", "c2", "c3"):
        await until(kubernetes, f"{maps}/{name}", gone)


async def test_a_dependant_of_nobody_is_collected(kubernetes: Client) -> None:
    maps = f"{CORE}/configmaps"
    ghost = {"metadata": {"name": "ghost", "uid": "00000000-0000-0000-0000-000000000000"}}
    await kubernetes.post(maps, owned("child", ghost, block=False))
    await until(kubernetes, f"{maps}/child", gone)


async def test_the_service_of_the_api_comes_back(kubernetes: Client) -> None:
    path = f"{CORE}/services/kubernetes"
    before = (await kubernetes.get(path)).json
    await kubernetes.delete(path)
    after = (await until(kubernetes, path, lambda reply: reply.status == 200)).json
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert after["spec"]["clusterIP"] == before["spec"]["clusterIP"]


@pytest.mark.parametrize(
    ("resource", "key", "obj"),
    [
        ("configmaps", "configmaps", {"metadata": {"name": "x"}}),
        ("secrets", "secrets", {"metadata": {"name": "x"}}),
        ("services", "services", {"metadata": {"name": "x"}, "spec": {"ports": [{"port": 80}]}}),
        ("pods", "pods", {"metadata": {"name": "x"}, "spec": TEMPLATE["spec"]}),
    ],
)
async def test_a_quota_counts_what_comes_and_goes(
    kubernetes: Client, resource: str, key: str, obj: dict[str, Any]
) -> None:
    place = await namespace(kubernetes, "counted")
    before = len((await kubernetes.get(f"{place}/{resource}")).json["items"])
    hard = {key: str(before + 1), f"count/{resource}": "50"}
    await kubernetes.post(f"{place}/resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": hard}})

    async def used(count: int) -> None:
        def counted(reply: Any) -> bool:
            found = reply.json.get("status", {}).get("used", {})
            return bool(found.get(key) == found.get(f"count/{resource}") == str(before + count))

        await until(kubernetes, f"{place}/resourcequotas/q", counted)

    await used(0)
    assert (await kubernetes.post(f"{place}/{resource}", obj)).status == 201
    await used(1)
    refused = await kubernetes.post(f"{place}/{resource}", {**obj, "metadata": {"name": "y"}})
    assert refused.status == 403
    assert "exceeded quota: q" in refused.message
    await kubernetes.delete(f"{place}/{resource}/x", gracePeriodSeconds="0")
    await used(0)


async def test_a_quota_is_changed_and_removed(kubernetes: Client) -> None:
    place = f"{await namespace(kubernetes, 'limited')}/resourcequotas"
    await kubernetes.post(
        place, {"metadata": {"name": "q"}, "spec": {"hard": {"cpu": "1", "memory": "500Mi"}}}
    )
    await until(kubernetes, f"{place}/q", lambda reply: "cpu" in reply.json.get("status", {}).get("used", {}))
    await kubernetes.patch(f"{place}/q", {"spec": {"hard": {"cpu": "2", "memory": "1Gi"}}})
    await until(
        kubernetes, f"{place}/q", lambda reply: reply.json["status"]["hard"] == {"cpu": "2", "memory": "1Gi"}
    )
    await kubernetes.delete(f"{place}/q")
    assert gone(await kubernetes.get(f"{place}/q"))


async def test_quota_scopes_count_their_own_pods(kubernetes: Client) -> None:
    place = await namespace(kubernetes, "scoped")
    for name, scope in (("best", "BestEffort"), ("not-best", "NotBestEffort")):
        spec = {"hard": {"pods": "5"}, "scopes": [scope]}
        await kubernetes.post(f"{place}/resourcequotas", {"metadata": {"name": name}, "spec": spec})
    await kubernetes.post(f"{place}/pods", {"metadata": {"name": "p"}, "spec": TEMPLATE["spec"]})
    for name, count in (("best", "1"), ("not-best", "0")):
        await until(
            kubernetes,
            f"{place}/resourcequotas/{name}",
            lambda reply, count=count: reply.json.get("status", {}).get("used", {}).get("pods") == count,
        )

"""Workload controllers, as the conformance suite of apps and batch has them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from tests.embedded.kubernetes.conformance.test_lifecycles import gone, ready, until

if TYPE_CHECKING:
    from tests.embedded.kubernetes.conftest import Client

CORE = "/api/v1/namespaces/default"
APPS = "/apis/apps/v1/namespaces/default"
BATCH = "/apis/batch/v1/namespaces/default"
MATCH = {"matchLabels": {"app": "x"}}


def template(image: str = "nginx:1", **spec: Any) -> dict[str, Any]:
    labels = {"labels": {"app": "x"}}
    return {"metadata": labels, "spec": {"containers": [{"name": "c", "image": image}], **spec}}


def running(command: str, **spec: Any) -> dict[str, Any]:
    container = {"name": "c", "image": "busybox:1.35", "command": ["sh", "-c", command]}
    return {
        "metadata": {"labels": {"app": "x"}},
        "spec": {"restartPolicy": "Never", "containers": [container], **spec},
    }


async def post(api: Client, path: str, name: str, **spec: Any) -> dict[str, Any]:
    await ready(api)
    made = await api.post(path, {"metadata": {"name": name}, "spec": spec})
    assert made.status == 201, made.text
    found: dict[str, Any] = made.json
    return found


async def pods(api: Client, selector: str = "app=x") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await api.get(f"{CORE}/pods", labelSelector=selector)).json["items"]
    return found


def living(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [item for item in found if not item["metadata"].get("deletionTimestamp")]


async def settled(api: Client, path: str, **status: Any) -> dict[str, Any]:
    """Waits until the controller has seen the spec and the status is as wanted."""

    def there(reply: Any) -> bool:
        obj = reply.json
        found = obj.get("status", {})
        seen = found.get("observedGeneration", obj["metadata"].get("generation", 0))
        return seen == obj["metadata"].get("generation", 0) and all(
            found.get(key, 0) == value for key, value in status.items()
        )

    found: dict[str, Any] = (await until(api, path, there)).json
    return found


def kept(obj: dict[str, Any], kind: str) -> dict[str, Any]:
    """The condition of a kind."""
    found: dict[str, Any] = next(item for item in obj["status"]["conditions"] if item["type"] == kind)
    return found


async def test_a_deployment_replaces_its_pods(kubernetes: Client) -> None:
    path = f"{APPS}/deployments/web"
    await post(kubernetes, f"{APPS}/deployments", "web", replicas=3, selector=MATCH, template=template())
    await settled(kubernetes, path, readyReplicas=3, availableReplicas=3)
    await kubernetes.patch(path, {"spec": {"template": template("nginx:2")}})
    found = await settled(kubernetes, path, updatedReplicas=3, availableReplicas=3, replicas=3)
    assert kept(found, "Progressing")["reason"] == "NewReplicaSetAvailable"
    assert kept(found, "Available")["status"] == "True"
    assert {item["spec"]["containers"][0]["image"] for item in living(await pods(kubernetes))} == {"nginx:2"}
    sets = (await kubernetes.get(f"{APPS}/replicasets")).json["items"]
    revisions = {item["metadata"]["annotations"]["deployment.kubernetes.io/revision"] for item in sets}
    assert revisions == {"1", "2"}


async def test_recreate_lets_old_pods_go_first(kubernetes: Client) -> None:
    path = f"{APPS}/deployments/web"
    spec = {"replicas": 2, "selector": MATCH, "strategy": {"type": "Recreate"}}
    await post(kubernetes, f"{APPS}/deployments", "web", template=template(), **spec)
    await settled(kubernetes, path, availableReplicas=2)
    since = (await kubernetes.get(f"{CORE}/pods")).json["metadata"]["resourceVersion"]
    await kubernetes.patch(path, {"spec": {"template": template("nginx:2")}})
    await settled(kubernetes, path, updatedReplicas=2, availableReplicas=2)
    events = await kubernetes.watch(f"{CORE}/pods", resourceVersion=since, timeoutSeconds="1")
    objects = [item["object"] for item in events]
    images = [item["spec"]["containers"][0]["image"] for item in objects]
    first_new = images.index("nginx:2")
    assert all(item["status"]["phase"] == "Succeeded" for item in objects[first_new:] if is_old(item))
    assert sum(is_old(item) for item in objects[:first_new]) >= 2


def is_old(pod: dict[str, Any]) -> bool:
    return bool(pod["spec"]["containers"][0]["image"] == "nginx:1")


async def test_old_replica_sets_are_cleaned_up(kubernetes: Client) -> None:
    path = f"{APPS}/deployments/web"
    spec = {"replicas": 1, "selector": MATCH, "revisionHistoryLimit": 1}
    await post(kubernetes, f"{APPS}/deployments", "web", template=template(), **spec)
    for version in ("2", "3", "4"):
        await kubernetes.patch(path, {"spec": {"template": template(f"nginx:{version}")}})
        await settled(kubernetes, path, updatedReplicas=1, availableReplicas=1, replicas=1)
    await until(kubernetes, f"{APPS}/replicasets", lambda reply: len(reply.json["items"]) == 2)


async def test_a_rollout_that_does_not_get_on_scales_in_proportion(kubernetes: Client) -> None:
    path = f"{APPS}/deployments/web"
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}}
    spec = {"replicas": 10, "selector": MATCH, "strategy": rolling}
    await post(kubernetes, f"{APPS}/deployments", "web", template=template(), **spec)
    await settled(kubernetes, path, availableReplicas=10)
    stuck = template("registry.invalid/nosuch:1")
    await kubernetes.patch(path, {"spec": {"template": stuck}})
    await settled(kubernetes, path, updatedReplicas=5, availableReplicas=8, replicas=13)
    await kubernetes.patch(path, {"spec": {"replicas": 30}})
    await settled(kubernetes, path, replicas=33)
    sets = (await kubernetes.get(f"{APPS}/replicasets")).json["items"]
    sizes = {
        item["spec"]["template"]["spec"]["containers"][0]["image"]: item["spec"]["replicas"] for item in sets
    }
    assert sizes == {"nginx:1": 20, "registry.invalid/nosuch:1": 13}


async def test_a_replica_set_adopts_and_releases(kubernetes: Client) -> None:
    await ready(kubernetes)
    lonely = {"metadata": {"name": "lonely", "labels": {"app": "x"}}, "spec": template()["spec"]}
    await kubernetes.post(f"{CORE}/pods", lonely)
    await post(kubernetes, f"{APPS}/replicasets", "rs", replicas=1, selector=MATCH, template=template())
    adopted = await until(
        kubernetes, f"{CORE}/pods/lonely", lambda reply: reply.json["metadata"].get("ownerReferences")
    )
    assert adopted.json["metadata"]["ownerReferences"][0]["name"] == "rs"
    await kubernetes.patch(f"{CORE}/pods/lonely", {"metadata": {"labels": {"app": "other"}}})
    await until(
        kubernetes, f"{CORE}/pods/lonely", lambda reply: not reply.json["metadata"].get("ownerReferences")
    )
    await until(kubernetes, f"{CORE}/pods?labelSelector=app=x", lambda reply: len(reply.json["items"]) == 1)


@pytest.mark.parametrize("kind", ["replicasets", "replicationcontrollers"])
async def test_a_quota_that_is_in_the_way_is_told(kubernetes: Client, kind: str) -> None:
    await ready(kubernetes)
    await kubernetes.post(
        f"{CORE}/resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": {"pods": "2"}}}
    )
    await until(
        kubernetes,
        f"{CORE}/resourcequotas/q",
        lambda reply: "pods" in reply.json.get("status", {}).get("used", {}),
    )
    root = APPS if kind == "replicasets" else CORE
    selector = MATCH if kind == "replicasets" else {"app": "x"}
    await post(kubernetes, f"{root}/{kind}", "rs", replicas=3, selector=selector, template=template())
    found = await settled(kubernetes, f"{root}/{kind}/rs", replicas=2)
    failure = kept(found, "ReplicaFailure")
    assert failure["reason"] == "FailedCreate"
    assert "exceeded quota: q" in failure["message"]
    await kubernetes.patch(f"{root}/{kind}/rs", {"spec": {"replicas": 2}})
    await until(kubernetes, f"{root}/{kind}/rs", lambda reply: not reply.json["status"].get("conditions"))


async def test_a_stateful_set_keeps_its_order(kubernetes: Client) -> None:
    path = f"{APPS}/statefulsets/db"
    spec = {"serviceName": "db", "replicas": 3, "selector": MATCH, "template": template()}
    since = (await kubernetes.get(f"{CORE}/pods")).json["metadata"]["resourceVersion"]
    await post(kubernetes, f"{APPS}/statefulsets", "db", **spec)
    await settled(kubernetes, path, readyReplicas=3)
    await kubernetes.patch(f"{path}/scale", {"spec": {"replicas": 0}})
    await settled(kubernetes, path, replicas=0)
    await until(kubernetes, f"{CORE}/pods", lambda reply: not reply.json["items"])
    events = await kubernetes.watch(f"{CORE}/pods", resourceVersion=since, timeoutSeconds="1")
    names = [
        (item["type"], item["object"]["metadata"]["name"]) for item in events if item["type"] != "MODIFIED"
    ]
    up = [("ADDED", f"db-{index}") for index in range(3)]
    assert names == up + [("DELETED", f"db-{index}") for index in (2, 1, 0)]


async def test_a_stateful_set_updates_from_the_end_and_in_part(kubernetes: Client) -> None:
    path = f"{APPS}/statefulsets/db"
    spec = {"serviceName": "db", "replicas": 3, "selector": MATCH, "template": template()}
    await post(kubernetes, f"{APPS}/statefulsets", "db", **spec)
    first = await settled(kubernetes, path, readyReplicas=3)
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
    await kubernetes.patch(path, {"spec": {"updateStrategy": rolling, "template": template("nginx:2")}})
    found = await settled(kubernetes, path, readyReplicas=3, updatedReplicas=1)
    assert found["status"]["currentRevision"] == first["status"]["currentRevision"]
    assert found["status"]["updateRevision"] != found["status"]["currentRevision"]
    images = {
        item["metadata"]["name"]: item["spec"]["containers"][0]["image"] for item in await pods(kubernetes)
    }
    assert images == {"db-0": "nginx:1", "db-1": "nginx:1", "db-2": "nginx:2"}
    await kubernetes.patch(path, {"spec": {"updateStrategy": {"rollingUpdate": {"partition": 0}}}})
    found = await settled(kubernetes, path, readyReplicas=3, updatedReplicas=3, currentReplicas=3)
    assert found["status"]["currentRevision"] == found["status"]["updateRevision"]


async def test_a_stateful_set_bursts_when_told(kubernetes: Client) -> None:
    spec = {"serviceName": "db", "replicas": 3, "selector": MATCH, "podManagementPolicy": "Parallel"}
    await post(kubernetes, f"{APPS}/statefulsets", "db", template=template(), **spec)
    await settled(kubernetes, f"{APPS}/statefulsets/db", readyReplicas=3)


async def test_a_deleted_pod_of_a_stateful_set_comes_back(kubernetes: Client) -> None:
    spec = {"serviceName": "db", "replicas": 1, "selector": MATCH, "template": template()}
    await post(kubernetes, f"{APPS}/statefulsets", "db", **spec)
    await settled(kubernetes, f"{APPS}/statefulsets/db", readyReplicas=1)
    before = (await kubernetes.get(f"{CORE}/pods/db-0")).json["metadata"]["uid"]
    await kubernetes.delete(f"{CORE}/pods/db-0", gracePeriodSeconds="0")

    def another(reply: Any) -> bool:
        return bool(reply.status == 200 and reply.json["metadata"]["uid"] != before)

    await until(kubernetes, f"{CORE}/pods/db-0", another)


async def test_a_daemon_set_is_on_every_node_it_selects(kubernetes: Client) -> None:
    path = f"{APPS}/daemonsets/d"
    await post(kubernetes, f"{APPS}/daemonsets", "d", selector=MATCH, template=template())
    nodes = [item["metadata"]["name"] for item in (await kubernetes.get("/api/v1/nodes")).json["items"]]
    await settled(kubernetes, path, numberReady=len(nodes), desiredNumberScheduled=len(nodes))
    first = (await pods(kubernetes))[0]["metadata"]["name"]
    await kubernetes.delete(f"{CORE}/pods/{first}", gracePeriodSeconds="0")
    await until(kubernetes, f"{CORE}/pods/{first}", gone)
    await settled(kubernetes, path, numberReady=len(nodes))
    await kubernetes.patch(path, {"spec": {"template": {"spec": {"nodeSelector": {"color": "blue"}}}}})
    await settled(kubernetes, path, desiredNumberScheduled=0, currentNumberScheduled=0)
    await kubernetes.patch(f"/api/v1/nodes/{nodes[0]}", {"metadata": {"labels": {"color": "blue"}}})
    await settled(kubernetes, path, desiredNumberScheduled=1, numberReady=1)


async def test_a_failed_daemon_is_replaced(kubernetes: Client) -> None:
    await post(kubernetes, f"{APPS}/daemonsets", "d", selector=MATCH, template=template())
    await settled(kubernetes, f"{APPS}/daemonsets/d", numberReady=3)
    name = (await pods(kubernetes))[0]["metadata"]["name"]
    await kubernetes.patch(f"{CORE}/pods/{name}/status", {"status": {"phase": "Failed"}})
    await until(kubernetes, f"{CORE}/pods/{name}", gone)
    await settled(kubernetes, f"{APPS}/daemonsets/d", numberReady=3)


async def test_jobs_complete_fail_and_suspend(kubernetes: Client) -> None:
    jobs = f"{BATCH}/jobs"
    await post(kubernetes, jobs, "good", completions=3, parallelism=2, template=running("true"))
    found = await settled(kubernetes, f"{jobs}/good", succeeded=3)
    done = await until(kubernetes, f"{jobs}/good", lambda reply: reply.json["status"].get("completionTime"))
    assert kept(done.json, "Complete")["status"] == "True"
    assert found["status"].get("active", 0) == 0
    await post(kubernetes, jobs, "bad", backoffLimit=0, template=running("exit 1"))
    failed = await until(
        kubernetes,
        f"{jobs}/bad",
        lambda reply: any(item["type"] == "Failed" for item in reply.json["status"].get("conditions", ())),
    )
    assert kept(failed.json, "Failed")["reason"] == "BackoffLimitExceeded"
    await post(kubernetes, jobs, "asleep", suspend=True, template=running("true"))
    await until(kubernetes, f"{jobs}/asleep", lambda reply: reply.json["status"].get("conditions"))
    assert await pods(kubernetes, "job-name=asleep") == []
    await kubernetes.patch(f"{jobs}/asleep", {"spec": {"suspend": False}})
    await settled(kubernetes, f"{jobs}/asleep", succeeded=1)


async def test_indexed_jobs_number_their_pods(kubernetes: Client) -> None:
    spec = {"completions": 3, "parallelism": 3, "completionMode": "Indexed"}
    await post(kubernetes, f"{BATCH}/jobs", "i", template=running("true"), **spec)
    found = await settled(kubernetes, f"{BATCH}/jobs/i", succeeded=3)
    assert found["status"]["completedIndexes"] == "0-2"
    label = "batch.kubernetes.io/job-completion-index"
    assert {item["metadata"]["labels"][label] for item in await pods(kubernetes)} == {"0", "1", "2"}


async def test_a_job_is_deleted_with_its_pods(kubernetes: Client) -> None:
    await post(kubernetes, f"{BATCH}/jobs", "j", parallelism=2, template=running("sleep 100"))
    await settled(kubernetes, f"{BATCH}/jobs/j", active=2)
    await kubernetes.delete(f"{BATCH}/jobs/j", propagationPolicy="Foreground")
    await until(kubernetes, f"{BATCH}/jobs/j", gone)
    assert living(await pods(kubernetes)) == []


async def test_a_finished_job_goes_after_its_time(kubernetes: Client) -> None:
    await post(kubernetes, f"{BATCH}/jobs", "j", ttlSecondsAfterFinished=1, template=running("true"))
    await until(kubernetes, f"{BATCH}/jobs/j", gone)


async def test_evictions_respect_budgets(kubernetes: Client) -> None:
    await post(kubernetes, f"{APPS}/deployments", "web", replicas=1, selector=MATCH, template=template())
    await settled(kubernetes, f"{APPS}/deployments/web", availableReplicas=1)
    budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
    await post(kubernetes, budgets, "b", minAvailable=1, selector=MATCH)
    await until(kubernetes, f"{budgets}/b", lambda reply: reply.json["status"].get("currentHealthy") == 1)
    name = (await pods(kubernetes))[0]["metadata"]["name"]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    refused = await kubernetes.post(f"{CORE}/pods/{name}/eviction", eviction)
    assert refused.status == 429
    other = await kubernetes.post(f"{CORE}/pods/nosuch/eviction", eviction)
    assert (other.status, other.message) == (400, "name in URL does not match name in Eviction object")
    assert refused.json["details"]["causes"][0]["reason"] == "DisruptionBudget"
    await kubernetes.patch(f"{APPS}/deployments/web", {"spec": {"replicas": 2}})
    await until(kubernetes, f"{budgets}/b", lambda reply: reply.json["status"].get("disruptionsAllowed") == 1)
    dry = {**eviction, "deleteOptions": {"dryRun": ["All"]}}
    assert (await kubernetes.post(f"{CORE}/pods/{name}/eviction", dry)).status == 201
    assert (await kubernetes.get(f"{budgets}/b")).json["status"]["disruptionsAllowed"] == 1
    assert (await kubernetes.post(f"{CORE}/pods/{name}/eviction", eviction)).status == 201


async def test_an_evicted_pod_says_why_it_goes(kubernetes: Client) -> None:
    spec = {**template()["spec"], "nodeSelector": {"no": "where"}}
    meta = {"name": "p", "finalizers": ["example.com/hold"]}
    await until(kubernetes, f"{CORE}/serviceaccounts/default", lambda reply: reply.status == 200)
    assert (await kubernetes.post(f"{CORE}/pods", {"metadata": meta, "spec": spec})).status == 201
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}
    assert (await kubernetes.post(f"{CORE}/pods/p/eviction", eviction)).status == 201
    pod = (await kubernetes.get(f"{CORE}/pods/p")).json
    assert pod["metadata"]["deletionTimestamp"]
    why = {item["type"]: item.get("reason") for item in pod["status"]["conditions"]}
    assert why["DisruptionTarget"] == "EvictionByEvictionAPI"
    await kubernetes.patch(f"{CORE}/pods/p", {"metadata": {"finalizers": None}})


async def test_cordons_are_told_by_the_kubelet(kubernetes: Client) -> None:
    for closed in (True, False):
        await kubernetes.patch("/api/v1/nodes/node-2", {"spec": {"unschedulable": closed}})
    of_node = f"{CORE}/events?fieldSelector=involvedObject.kind=Node,involvedObject.name=node-2"

    def told(reply: Any) -> bool:
        return {"NodeNotSchedulable", "NodeSchedulable", "RegisteredNode"} <= {
            item["reason"] for item in reply.json["items"]
        }

    await until(kubernetes, of_node, told)


async def test_what_is_refused_before_it_has_a_name_is_named_by_its_prefix(kubernetes: Client) -> None:
    spec = {**template()["spec"], "serviceAccountName": "nosuch"}
    refused = await kubernetes.post(f"{CORE}/pods", {"metadata": {"generateName": "web-"}, "spec": spec})
    assert refused.status == 403
    assert refused.json["message"].startswith('pods "web-" is forbidden: error looking up service account')


async def test_services_change_their_type_and_follow_their_pods(kubernetes: Client) -> None:
    path = f"{CORE}/services/web"
    await post(kubernetes, f"{CORE}/services", "web", ports=[{"port": 80}], selector={"app": "x"})
    await post(kubernetes, f"{APPS}/deployments", "web", replicas=2, selector=MATCH, template=template())

    def addresses(reply: Any) -> set[str]:
        return {
            address
            for item in reply.json["items"]
            for endpoint in item.get("endpoints") or ()
            if endpoint["conditions"]["ready"]
            for address in endpoint["addresses"]
        }

    slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
    await until(kubernetes, slices, lambda reply: len(addresses(reply)) == 2)
    found = await until(kubernetes, slices, lambda reply: len(addresses(reply)) == 2)
    assert addresses(found) == {item["status"]["podIP"] for item in await pods(kubernetes)}
    node = await kubernetes.patch(path, {"spec": {"type": "NodePort"}})
    assert 30000 <= node.json["spec"]["ports"][0]["nodePort"] <= 32767
    outside = {"type": "ExternalName", "externalName": "example.com", "clusterIP": None, "clusterIPs": None}
    ports = [{"port": 80, "nodePort": None}]
    external = await kubernetes.patch(path, {"spec": {**outside, "ports": ports}})
    assert external.status == 200, external.text
    assert "clusterIP" not in external.json["spec"]
    back = await kubernetes.patch(path, {"spec": {"type": "ClusterIP", "externalName": None}})
    assert back.json["spec"]["clusterIP"].startswith("10.")


async def test_a_claim_is_bound_and_a_volume_kept_while_in_use(kubernetes: Client) -> None:
    claims = f"{CORE}/persistentvolumeclaims"
    need = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    await post(kubernetes, claims, "c", **need)
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]
    spec = {**template()["spec"], "volumes": volumes}
    await kubernetes.post(f"{CORE}/pods", {"metadata": {"name": "p"}, "spec": spec})
    await until(kubernetes, f"{claims}/c", lambda reply: reply.json["status"]["phase"] == "Bound")
    await until(kubernetes, f"{CORE}/pods/p", lambda reply: reply.json["status"]["phase"] == "Running")
    await kubernetes.delete(f"{claims}/c")
    assert (await kubernetes.get(f"{claims}/c")).json["metadata"]["deletionTimestamp"]
    await kubernetes.delete(f"{CORE}/pods/p", gracePeriodSeconds="0")
    await until(kubernetes, f"{claims}/c", gone)


async def test_many_writers_lose_nothing(kubernetes: Client) -> None:
    await kubernetes.post(f"{CORE}/configmaps", {"metadata": {"name": "c"}})

    async def write(writer: int) -> None:
        for step in range(10):
            patch = {"data": {f"w{writer}-{step}": "x"}}
            reply = await kubernetes.patch(f"{CORE}/configmaps/c", patch)
            assert reply.status == 200

    await asyncio.gather(*(write(writer) for writer in range(8)))
    assert len((await kubernetes.get(f"{CORE}/configmaps/c")).json["data"]) == 80


async def test_a_job_lets_pods_go_and_takes_them_back(kubernetes: Client) -> None:
    await post(kubernetes, f"{BATCH}/jobs", "j", parallelism=2, template=running("sleep 100"))
    await settled(kubernetes, f"{BATCH}/jobs/j", active=2)
    first, second = (
        f"{CORE}/pods/{item['metadata']['name']}" for item in await pods(kubernetes, "job-name=j")
    )
    await kubernetes.patch(first, {"metadata": {"ownerReferences": None}})
    await until(kubernetes, first, lambda reply: reply.json["metadata"].get("ownerReferences"))
    gone_labels = dict.fromkeys(("batch.kubernetes.io/controller-uid", "controller-uid"))
    await kubernetes.patch(second, {"metadata": {"labels": gone_labels}})
    released = await until(
        kubernetes, second, lambda reply: not reply.json["metadata"].get("ownerReferences")
    )
    assert "finalizers" not in released.json["metadata"]
    await until(
        kubernetes, f"{CORE}/pods?labelSelector=controller-uid", lambda reply: len(reply.json["items"]) == 2
    )


async def test_addresses_of_services_are_objects_in_ranges(kubernetes: Client) -> None:
    root = "/apis/networking.k8s.io/v1"

    def is_ready(reply: Any) -> bool:
        return reply.status == 200 and bool(reply.json.get("status", {}).get("conditions"))

    await until(kubernetes, f"{root}/servicecidrs/kubernetes", is_ready)
    await post(kubernetes, f"{CORE}/services", "web", ports=[{"port": 80}])
    ip = (await kubernetes.get(f"{CORE}/services/web")).json["spec"]["clusterIP"]
    found = await until(kubernetes, f"{root}/ipaddresses/{ip}", lambda reply: reply.status == 200)
    assert found.json["spec"]["parentRef"]["name"] == "web"
    await kubernetes.delete(f"{CORE}/services/web")
    await until(kubernetes, f"{root}/ipaddresses/{ip}", gone)
    for cidrs, code in (([], 422), (["10.1.2.3/8"], 422), (["192.168.7.0/24"], 201)):
        made = await kubernetes.post(
            f"{root}/servicecidrs", {"metadata": {"name": "more"}, "spec": {"cidrs": cidrs}}
        )
        assert made.status == code, made.text
    await until(kubernetes, f"{root}/servicecidrs/more", is_ready)
    parent = {"parentRef": {"resource": "services", "namespace": "default", "name": "x"}}
    for name, code in (("x", 422), ("192.168.007.1", 422), ("192.168.7.1", 201)):
        made = await kubernetes.post(f"{root}/ipaddresses", {"metadata": {"name": name}, "spec": parent})
        assert made.status == code, made.text
    await kubernetes.delete(f"{root}/servicecidrs/more")
    assert (await kubernetes.get(f"{root}/servicecidrs/more")).json["metadata"]["deletionTimestamp"]
    await kubernetes.delete(f"{root}/ipaddresses/192.168.7.1")
    await until(kubernetes, f"{root}/servicecidrs/more", gone)

"""What users do with workloads, from beginning to end, with Kubernetes agreeing at every step."""

from __future__ import annotations

import concurrent.futures
from typing import Any

import pytest

from tests.gateway import eventually
from tests.real.cluster.conftest import IMAGE, SECONDS, Site

pytestmark = pytest.mark.timeout(400)


def workload(name: str, kind: str = "Deployment", replicas: int | None = 2, **more: Any) -> dict[str, Any]:
    base: dict[str, Any] = {"name": name, "type": kind}
    if kind != "DaemonSet":
        base["replicas"] = replicas
    container = {
        "name": "web",
        "type": "worker",
        "image": IMAGE,
        "resources": {"requests": {"cpu": 0.01, "memory": 16}},
        "env": [{"type": "Normal", "name": "COLOUR", "key": "blue"}],
    }
    return {"workload_base": base, "containers": [container], **more}


def create(site: Site, *workloads: dict[str, Any]) -> Any:
    answer = site.client().post("/workloads/", json={"workloads": list(workloads)})
    assert answer.status_code == 200, answer.text
    return answer.json()


def change(site: Site, name: str, action: str, **body: Any) -> dict[str, Any]:
    answer = site.client().patch(f"/workloads/workload/{name}/", params={"action": action}, json=body)
    assert answer.status_code == 200, answer.text
    changed: dict[str, Any] = answer.json()["workload"]
    return changed


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
def test_a_life(site: Site, kind: str) -> None:
    name = f"life-{kind.lower()}"
    access = [{"type": "ClusterIP", "access": [{"port": 80, "target_port": 80, "protocol": "TCP"}]}]
    create(site, workload(name, kind, access_mode=access, labels={"tier": "front"}))
    detail = site.until(name, "Running")
    assert detail["workload"]["containers"][0]["env"][0]["key"] == "blue"
    assert [mode["type"] for mode in detail["workload"]["access_mode"]] == ["ClusterIP"]
    assert detail["events"]
    address = detail["workload"]["access_mode"][0]["cluster_ip"]
    assert (
        site.kubectl_json("get", "service", detail["workload"]["access_mode"][0]["name"])["spec"]["clusterIP"]
        == address
    )

    listed = site.client().get("/workloads/", params={"workload_type": kind, "name": name}).json()
    assert [one["workload_base"]["name"] for one in listed["workloads"]] == [name]
    pods = (
        site.client().get("/pods/", params={"label_selector": f"ecns.easystack.com/workload={name}"}).json()
    )
    assert {pod["status"] for pod in pods} == {"Running"}
    shown = site.client().get(f"/pods/pod/{pods[0]['name']}/").json()
    assert shown["pod"]["containers"][0]["name"] == "web"

    if kind != "DaemonSet":
        assert change(site, name, "scale", replicas=1)["workload_base"]["replicas"] == 1
        eventually(
            lambda: site.kubectl_json("get", kind, name)["status"].get("replicas") == 1, seconds=SECONDS
        )
    changed = detail["workload"]["containers"]
    changed[0]["env"] = [{"type": "Normal", "name": "COLOUR", "key": "red"}]
    change(site, name, "containers", containers=changed)
    eventually(lambda: site.kubectl("rollout", "status", kind.lower(), name, "--timeout=5s"), seconds=SECONDS)
    spec = site.kubectl_json("get", kind, name)["spec"]["template"]["spec"]
    assert spec["containers"][0]["env"] == [{"name": "COLOUR", "value": "red"}]

    revisions = site.client().get(f"/workloads/workload/{name}/revisions/").json()["revisions"]
    assert len(revisions) == 2
    assert revisions[0]["current"] is True
    text = site.client().get(f"/workloads/workload/{name}/revision/{revisions[1]['version']}/yaml/").text
    assert "blue" in text
    change(site, name, "rollback", target_version=str(revisions[1]["version"]))
    spec = site.kubectl_json("get", kind, name)["spec"]["template"]["spec"]
    assert spec["containers"][0]["env"] == [{"name": "COLOUR", "value": "blue"}]

    for _ in range(2):
        assert site.client().put(f"/workloads/workload/{name}/", params={"action": "stop"}).status_code == 200
    site.until(name, "Stopped")
    for _ in range(2):
        assert (
            site.client().put(f"/workloads/workload/{name}/", params={"action": "start"}).status_code == 200
        )
    site.until(name, "Running")
    assert site.client().put(f"/workloads/workload/{name}/", params={"action": "recreate"}).status_code == 200
    site.until(name, "Running")

    body = {"workloads_base": [{"name": name, "type": kind}], "delete_service": True}
    answer = site.client().request("DELETE", "/workloads/", json=body)
    assert answer.status_code == 200, answer.text
    assert site.client().get(f"/workloads/workload/{name}/").status_code == 404
    eventually(
        lambda: name not in site.kubectl("get", f"{kind},services,pods", "-o", "name"), seconds=SECONDS
    )


def test_what_is_there_is_listed_whoever_made_it(site: Site) -> None:
    site.kubectl("create", "deployment", "foreign", f"--image={IMAGE['image']}:{IMAGE['image_version']}")
    detail = site.until("foreign", "Running")
    assert detail["workload"]["workload_base"] == {"name": "foreign", "type": "Deployment", "replicas": 1}
    whole = site.kubectl_json("get", "deployment", "foreign")["spec"]
    change(site, "foreign", "labels", labels={"tier": "back"})
    site.until("foreign", "Running")
    now = site.kubectl_json("get", "deployment", "foreign")["spec"]
    assert now["template"]["metadata"]["labels"] == {"app": "foreign", "tier": "back"}
    assert now["selector"] == whole["selector"]
    assert now["template"]["spec"] == whole["template"]["spec"]


def test_an_image_that_is_nowhere_is_said_in_words(site: Site) -> None:
    nowhere = workload("nowhere", replicas=1)
    nowhere["containers"][0]["image"] = {"image": "registry.invalid/does-not-exist", "image_version": "1"}
    create(site, nowhere)

    def told() -> bool:
        detail = site.client().get("/workloads/workload/nowhere/").json()
        return "image" in " ".join(detail["workload"]["workload_status"]["reasons"])

    eventually(told, seconds=SECONDS)


def test_all_or_nothing(site: Site) -> None:
    taken = site.kubectl_json("-n", "default", "get", "service", "kubernetes")["spec"]["clusterIP"]
    access = [
        {"type": "ClusterIP", "access": [{"port": 80, "target_port": 80}]},
        {"type": "ClusterIP", "cluster_ip": taken, "access": [{"port": 81, "target_port": 81}]},
    ]
    answer = site.client().post("/workloads/", json={"workloads": [workload("half", access_mode=access)]})
    assert answer.status_code in {400, 409}, answer.text
    assert taken in answer.json()["error"]["message"]
    eventually(
        lambda: "half" not in site.kubectl("get", "deployments,services", "-o", "name"), seconds=SECONDS
    )


def test_two_people_at_once(site: Site) -> None:
    create(site, workload("shared", replicas=1))

    def scale(replicas: int) -> int:
        params = {"action": "scale"}
        return (
            site.client()
            .patch("/workloads/workload/shared/", params=params, json={"replicas": replicas})
            .status_code
        )

    def label(number: int) -> int:
        body = {"labels": {"number": str(number)}}
        return (
            site.client()
            .patch("/workloads/workload/shared/", params={"action": "labels"}, json=body)
            .status_code
        )

    site.gateway.token("developer")
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        one = threads.submit(scale, 2)
        other = threads.submit(label, 1)
        assert {one.result(), other.result()} == {200}
        statuses = list(threads.map(scale, range(1, 9)))
    assert set(statuses) <= {200, 409}
    assert 200 in statuses


def test_the_cluster_itself_stops_a_reader(site: Site) -> None:
    create(site, workload("guarded", replicas=1))
    project = site.gateway.users["visitor"]["project_id"]
    for right, allowed in (("reader", "no"), ("member", "yes")):
        answer = site.kubectl(
            *("auth", "can-i", "create", "deployments", "--as", "somebody"),
            *("--as-group", f"ecns:project:{project}:{right}"),
            ok=False,
        )
        assert answer.splitlines()[0] == allowed
    assert site.client("visitor").get("/workloads/workload/guarded/").status_code == 200
    refused = site.client("visitor").patch(
        "/workloads/workload/guarded/", params={"action": "scale"}, json={"replicas": 3}
    )
    assert refused.status_code == 403
    assert site.client("other").get("/workloads/workload/guarded/").status_code == 404

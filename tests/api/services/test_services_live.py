"""Services as they change, read as server-sent events."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.api import project as projects
from tests.api.services.asking import LIST, create, delete, one, service, update
from tests.api.workloads import asking
from tests.api.workloads.asking import unused, workload
from tests.api.workloads.test_live_http import listening

if TYPE_CHECKING:
    import httpx

    from tests.api.project import Project
    from tests.gateway import Gateway

NAMESPACE = "services-live"
WATCH = f"{LIST}?watch=true"


@pytest.fixture(scope="module")
def project(gateway: Gateway) -> Project:
    return projects.settled(gateway, NAMESPACE)


@pytest.fixture
def client(project: Project) -> httpx.Client:
    return project.member


def test_what_happens_to_a_service_is_told(client: httpx.Client, project: Project) -> None:
    name = f"s{unused()}"
    with listening(client, f"{WATCH}&name={name}") as events:
        assert events.synced() == []
        create(client, name, {**service("", selector={"app": name})})
        row = events.about(name, "added")
        assert (row["target_workload"], row["ready_endpoints"]) == ("", 0)
        kubectl = ("-n", NAMESPACE)
        project.gateway.kubectl(*kubectl, "create", "deployment", name, "--image=nginx", "--replicas=2")
        events.until(lambda told, row: told == "changed" and row["target_workload"] == name)
        events.until(lambda told, row: told == "changed" and row["ready_endpoints"] == 2)
        project.gateway.kubectl(*kubectl, "scale", "deployment", name, "--replicas=1")
        events.until(lambda _, row: row["endpoints"] == 1)
        project.gateway.kubectl(*kubectl, "create", "ingress", f"{name}-in", f"--rule={name}.x/*={name}:80")
        events.until(lambda _, row: row["access_mode"]["access"][0]["routers"])
        project.gateway.kubectl(*kubectl, "delete", "ingress", f"{name}-in")
        events.until(lambda _, row: not row["access_mode"]["access"][0]["routers"])
        update(client, name, {"access_mode": {"type": "NodePort"}})
        events.until(lambda _, row: row["access_mode"]["type"] == "NodePort")
        node = project.gateway.kubectl_json("get", "nodes")["items"][0]
        before = node["status"]["addresses"]
        another = [*before, {"type": "InternalIP", "address": "192.0.2.77"}]
        for addresses in (another, before):
            status = json.dumps({"status": {"addresses": addresses}})
            patch = ("--type=merge", "--subresource=status", "-p", status)
            project.gateway.kubectl("patch", "node", node["metadata"]["name"], *patch)
            there = addresses is another
            events.until(
                lambda _, row, there=there: ("192.0.2.77" in row["access_mode"]["private_ips"]) == there
            )
        project.gateway.kubectl(*kubectl, "delete", "deployment", name)
        events.until(lambda _, row: not row["workloads"])
        delete(client, name)
        assert events.about(name, "removed")


def test_filters_hold_for_what_comes(client: httpx.Client, project: Project) -> None:
    name, application = f"s{unused()}", f"app{unused()}"
    client.post("/applications/", json={"application": {"name": application}})
    asking.create(client, workload(name, replicas=0))
    with (
        listening(client, f"{WATCH}&name={name}&type=NodePort") as exposed,
        listening(client, f"{WATCH}&name={name}&app_selector={application}") as members,
        listening(client, f"{WATCH}&name={name}&label_selector=tier%3Dfront") as front,
    ):
        for events in (exposed, members, front):
            assert events.synced() == []
        create(client, name, service(name))
        bases = {"workloads_base": [{"name": name, "type": "Deployment"}], "application_name": application}
        client.put("/workloads/", params={"action": "attach"}, json=bases)
        assert members.about(name, "added")
        update(client, name, {"labels": {"tier": "front"}})
        assert front.about(name, "added")
        client.put("/workloads/", params={"action": "detach"}, json=bases)
        assert members.about(name, "removed")
        update(client, name, {"labels": {}})
        assert front.about(name, "removed")
    told = client.get(WATCH, headers={"X-Ecns-Namespace": "kube-system"})
    assert told.status_code == 404
    assert project.gateway.client().get(WATCH).status_code == 401


def test_who_comes_back_is_told_what_was_missed(client: httpx.Client) -> None:
    name = f"s{unused()}"
    asking.create(client, workload(name, replicas=0))
    create(client, name, service(name))
    with listening(client, f"{WATCH}&name={name}") as events:
        assert events.synced() == [f"added {name}"]
    update(client, name, {"labels": {"a": "b"}})
    create(client, f"{name}-2", service(name))
    with listening(client, f"{WATCH}&name={name}", events.last_id) as again:
        assert sorted(again.synced()) == [f"added {name}-2", f"changed {name}"]
    assert client.get(one(name)).status_code == 405

"""Changing one aspect of a workload, alone and with others (chapter 1.21)."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from ecns.api.common.batches import Batch
from ecns.api.workloads import types
from tests.api.answers import refused, told
from tests.api.workloads.asking import (
    KINDS,
    Json,
    change,
    changed,
    container,
    create,
    delete,
    one,
    revisions,
    shown,
    unused,
    workload,
)
from tests.gateway import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from tests.api.project import Project
    from tests.gateway import Gateway

NAMESPACE = "chapters"
PORT = {"port": 80, "target_port": 8080, "protocol": "TCP"}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each type of workload."""
    return str(request.param)


@pytest.fixture
def name(project: Project, kind: str) -> Iterator[str]:
    """A workload of the type."""
    made = unused()
    create(project.member, workload(made, kind, 1))
    yield made
    delete(project.member, (made, kind), delete_service=True)


def at_once(*calls: Callable[[], httpx.Response]) -> Counter[int]:
    """How often each status was answered to requests that are sent at the same time."""
    with ThreadPoolExecutor(len(calls)) as pool:
        answers = list(pool.map(lambda call: call(), calls))
    assert all(answer.status_code in {200, 409} for answer in answers), [
        answer.text for answer in answers if answer.status_code not in {200, 409}
    ]
    return Counter(answer.status_code for answer in answers)


def test_scaling(project: Project, name: str, kind: str) -> None:
    client = project.member
    if kind == "DaemonSet":
        refused(change(client, name, "scale", {"replicas": 2}), 400, field="replicas")
        return
    assert changed(client, name, "scale", {"replicas": 3}).workload_base.replicas == 3
    assert changed(client, name, "scale", {"replicas": "2"}).workload_base.replicas == 2
    for wrong in (-1, 2**31, 10**400, 1.5, None, "many", [], {}):
        refused(change(client, name, "scale", {"replicas": wrong}), 400, field="replicas")
    refused(change(client, name, "scale", {}), 400, field="replicas")
    assert shown(client, name).workload.workload_base.replicas == 2


def test_labels(gateway: Gateway, project: Project, name: str, kind: str) -> None:
    client = project.member
    assert changed(client, name, "labels", {"labels": {"a": "1", "b": "2"}}).labels == {"a": "1", "b": "2"}
    assert changed(client, name, "labels", {"labels": {"b": "3"}}).labels == {"b": "3"}
    whole = gateway.kubectl_json("-n", NAMESPACE, "get", kind, name)
    assert whole["spec"]["template"]["metadata"]["labels"]["b"] == "3"
    assert whole["metadata"]["labels"]["ecns.easystack.com/workload"] == name
    for wrong in ({"键": "x"}, {"a b": "x"}, {"": "x"}, {"x" * 64: ""}):
        refused(change(client, name, "labels", {"labels": wrong}), 400, field="labels")
    refused(change(client, name, "labels", {"labels": {"a": "值"}}), 400, field="labels.a")
    refused(change(client, name, "labels", {"labels": {"a": 1}}), 400)
    refused(change(client, name, "labels", {"labels": []}), 400, field="labels")
    assert changed(client, name, "labels", {"labels": None}).labels == {}


def test_containers(project: Project, name: str) -> None:
    client = project.member
    sent = [container(version="1.28", env=[{"name": "A", "key": "b"}]), container("second")]
    result = changed(client, name, "containers", {"containers": sent})
    assert [(found.name, found.image.image_version) for found in result.containers] == [
        ("main", "1.28"),
        ("second", "1.27"),
    ]
    found = told(client.get(one(name, "containers")), types.Containers).containers
    assert found[0].env == [types.Env(name="A", key="b")]
    for field, wrong in (
        ("containers", []),
        ("containers", None),
        ("containers", [container(type="init")]),
        ("containers[1].name", [container(), container()]),
        ("containers[0].image", [{"name": "a"}]),
        ("containers[0].resources.requests.memory", [container(resources={"requests": {"memory": 2.5}})]),
        ("containers[0].health[0].port", [container(health=[{"type": "liveness", "protocol": "tcp"}])]),
    ):
        refused(change(client, name, "containers", {"containers": wrong}), 400, field=field)
    assert len(shown(client, name).workload.containers) == 2


def test_update_strategy(project: Project, name: str, kind: str) -> None:
    client = project.member
    several: list[Json] = [
        {"type": "rolling_update", "max_unavailable": 1, "period": 2},
        {"type": "on_delete"},
    ]
    if kind == "Deployment":
        several = [
            {"type": "first_up", "batch_size": 2},
            {"type": "first_down", "batch_size": 1, "period": 4},
            {"type": "custom", "max_surge": "50%", "max_unavailable": 0},
            {"type": "recreate"},
        ]
    for strategy in several:
        found = changed(client, name, "update_strategy", {"update_strategy": strategy}).update_strategy
        assert found is not None
        for key, value in strategy.items():
            if (kind, key) != ("StatefulSet", "max_unavailable"):  # which clusters keep behind a gate only
                assert getattr(found, key) == value, strategy
    foreign = "on_delete" if kind == "Deployment" else "first_up"
    refused(
        change(client, name, "update_strategy", {"update_strategy": {"type": foreign}}),
        400,
        field="update_strategy.type",
    )
    refused(change(client, name, "update_strategy", {}), 400, field="update_strategy")
    refused(change(client, name, "update_strategy", {"update_strategy": None}), 400, field="update_strategy")


def test_scale_strategy(gateway: Gateway, project: Project, name: str, kind: str) -> None:
    client = project.member
    strategy = {"min_replicas": 1, "max_replicas": 4, "resource": {"cpu": 70}}
    if kind == "DaemonSet":
        sent = {"scale_strategy": strategy}
        refused(change(client, name, "scale_strategy", sent), 400, field="scale_strategy")
        return
    for highest in (4, 6):
        wanted = {**strategy, "max_replicas": highest}
        found = changed(client, name, "scale_strategy", {"scale_strategy": wanted}).scale_strategy
        assert found is not None
        assert (found.max_replicas, found.resource) == (highest, types.ScaleResource(cpu=70))
        asked = told(client.get(one(name, "scale_strategy")), types.SetScaleStrategy)
        assert asked.scale_strategy == found
    scaler = gateway.kubectl_json("-n", NAMESPACE, "get", "hpa", name)
    assert scaler["spec"]["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": kind, "name": name}
    assert "scale strategy" in refused(change(client, name, "scale", {"replicas": 2}), 409)
    for field, wrong in (
        ("scale_strategy.max_replicas", {"min_replicas": 2, "resource": {"cpu": 5}}),
        ("scale_strategy.min_replicas", {"min_replicas": 5, "max_replicas": 4, "resource": {"cpu": 5}}),
        ("scale_strategy.resource", {"max_replicas": 4}),
        ("scale_strategy.resource.cpu", {"max_replicas": 4, "resource": {"cpu": 0}}),
    ):
        refused(change(client, name, "scale_strategy", {"scale_strategy": wrong}), 400, field=field)
    assert changed(client, name, "scale_strategy", {"scale_strategy": None}).scale_strategy is None
    assert changed(client, name, "scale", {"replicas": 2}).workload_base.replicas == 2


def test_scheduler_strategy(gateway: Gateway, project: Project, name: str, kind: str) -> None:
    client = project.member

    def rule(**expression: Any) -> Json:
        return {"type": "nodeSelector", "node_selector": {"required": [{"expression": [expression]}]}}

    strategy = rule(key="kubernetes.io/os", operator="In", values="linux")
    changed(client, name, "scheduler_strategy", {"scheduler_strategy": [strategy]})
    pod = gateway.kubectl_json("-n", NAMESPACE, "get", kind, name)["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"kubernetes.io/os": "linux"}
    found = told(client.get(one(name, "scheduler_strategy")), types.SetSchedulerStrategy).strategies
    assert [one.type for one in found] == ["nodeSelector"]
    alone = changed(client, name, "scheduler_strategy", {"scheduler_strategy": strategy})
    assert alone.scheduler_strategy == found
    wrong = rule(key="a", operator="Gt", values="x")
    refused(
        change(client, name, "scheduler_strategy", {"scheduler_strategy": [wrong]}),
        400,
        field="scheduler_strategy[0].node_selector.required[0].expression[0].values",
    )
    refused(change(client, name, "scheduler_strategy", {}), 400, field="scheduler_strategy")
    for nothing in ([], None):
        assert (
            changed(client, name, "scheduler_strategy", {"scheduler_strategy": nothing}).scheduler_strategy
            == []
        )


def test_network(project: Project, name: str) -> None:
    client = project.member
    sent = {"dns_policy": "Default", "host_aliases": [{"ip": "10.1.1.1", "hostnames": ["a", "b"]}]}
    network = changed(client, name, "network", {"network": sent}).network
    assert network is not None
    assert network.dns_policy == "Default"
    assert network.host_aliases is not None
    assert network.host_aliases[0].ip == "10.1.1.1"
    assert told(client.get(one(name, "network")), types.SetNetwork).network == network
    for field, wrong in (
        ("network.dns_policy", {"dns_policy": "Mine"}),
        ("network.host_aliases[0].ip", {"host_aliases": [{"ip": "10.1", "hostnames": "a"}]}),
        ("network.host_aliases[0].hostnames", {"host_aliases": [{"ip": "10.1.1.1", "hostnames": "Ä"}]}),
        ("network.host_network", {"host_network": "perhaps"}),
    ):
        refused(change(client, name, "network", {"network": wrong}), 400, field=field)
    reset = changed(client, name, "network", {"network": None}).network
    assert reset is not None
    assert (reset.dns_policy, reset.host_aliases) == ("ClusterFirst", [])


def test_services_that_stay_keep_their_addresses(gateway: Gateway, project: Project, name: str) -> None:
    client = project.member

    def modes(*several: Json) -> list[types.AccessMode]:
        return changed(client, name, "access_modes", {"access_modes": list(several)}).access_mode or []

    first = modes({"type": "NodePort", "name": f"{name}-a", "access": [PORT]})[0]
    assert first.access is not None
    node_port = first.access[0].node_port
    assert first.cluster_ip
    assert node_port
    second = modes(
        {"type": "NodePort", "name": f"{name}-a", "access": [PORT, {"port": 81}]},
        {"type": "ClusterIP", "name": f"{name}-b", "access": [PORT]},
    )
    stayed = next(mode for mode in second if mode.name == f"{name}-a")
    assert stayed.cluster_ip == first.cluster_ip
    assert stayed.access is not None
    assert [access.node_port for access in stayed.access if access.port == 80] == [node_port]
    third = modes({"type": "ClusterIP", "name": f"{name}-a", "access": [PORT]})
    assert [(mode.name, mode.type, mode.cluster_ip) for mode in third] == [
        (f"{name}-a", "ClusterIP", first.cluster_ip)
    ]
    assert third[0].access is not None
    assert third[0].access[0].node_port is None
    assert modes() == []
    left = gateway.kubectl_json("-n", NAMESPACE, "get", "services")["items"]
    assert not [item for item in left if item["metadata"]["name"].startswith(f"{name}-")]


def test_a_service_changes_its_type_and_keeps_its_name(project: Project, name: str) -> None:
    client = project.member
    before = changed(
        client, name, "access_modes", {"access_modes": [{"type": "ClusterIP", "access": [PORT]}]}
    )
    after = changed(client, name, "access_modes", {"access_modes": [{"type": "NodePort", "access": [PORT]}]})
    assert before.access_mode is not None
    assert after.access_mode is not None
    assert [mode.type for mode in after.access_mode] == ["NodePort"]
    assert after.access_mode[0].name == before.access_mode[0].name == name
    assert after.access_mode[0].cluster_ip == before.access_mode[0].cluster_ip


def test_a_headless_service_is_another_one(project: Project, name: str) -> None:
    client = project.member
    kinds: list[Json] = [
        {"type": "ClusterIP", "access": [PORT]},
        {"type": "ClusterIP", "access": [PORT], "cluster_ip": "None"},
        {"type": "NodePort", "access": [PORT]},
        {"type": "ExternalName", "external_name": "db.example.com"},
        {"type": "LoadBalancer", "access": [PORT]},
    ]
    for mode in kinds:
        found = changed(client, name, "access_modes", {"access_modes": [mode]}).access_mode
        assert found is not None
        assert [one.type for one in found] == [mode["type"]]
        assert (found[0].cluster_ip == "None") == (mode.get("cluster_ip") == "None")


def test_access_modes_that_cannot_be_change_nothing(gateway: Gateway, project: Project, name: str) -> None:
    client = project.member
    kept = {"type": "ClusterIP", "name": f"{name}-kept", "access": [PORT]}
    changed(client, name, "access_modes", {"access_modes": [kept]})
    for field, wrong in (
        ("access_modes", None),
        ("access_modes[0].type", [{"access": [PORT]}]),
        ("access_modes[0].access", [{"type": "ClusterIP"}]),
        ("access_modes[0].access[0].port", [{"type": "ClusterIP", "access": [{"port": 65536}]}]),
        ("access_modes[0].access[1].port", [{"type": "ClusterIP", "access": [PORT, PORT]}]),
        (
            "access_modes[0].access[0].node_port",
            [{"type": "NodePort", "access": [{**PORT, "node_port": 80}]}],
        ),
        ("access_modes[0].name", [{**kept, "name": "1st"}]),
        ("access_modes[0].external_name", [{"type": "ExternalName"}]),
        ("access_modes[0].cluster_ip", [{**kept, "cluster_ip": "here"}]),
    ):
        refused(change(client, name, "access_modes", {"access_modes": wrong}), 400, field=field)
    outside = [{"type": "ClusterIP", "access": [PORT]}, {**kept, "cluster_ip": "10.200.0.1"}]
    assert change(client, name, "access_modes", {"access_modes": outside}).status_code in {400, 409}
    services = gateway.kubectl_json("-n", NAMESPACE, "get", "services")["items"]
    mine = [item["metadata"]["name"] for item in services if item["metadata"]["name"].startswith(f"{name}")]
    assert mine == [f"{name}-kept"]


def test_revisions_are_kept_gone_back_to_and_forgotten(project: Project, name: str, kind: str) -> None:
    client = project.member
    for version in ("1.28", "1.29"):
        known = revisions(client, name)
        changed(client, name, "containers", {"containers": [container(version=version)]})
        eventually(lambda known=known: len(revisions(client, name)) == len(known) + 1)
    found = revisions(client, name)
    assert [revision.version for revision in found] == [3, 2, 1]
    assert [revision.current for revision in found] == [True, False, False]
    assert [revision.image[0].image_version for revision in found if revision.image] == [
        "1.29",
        "1.28",
        "1.27",
    ]
    text = client.get(one(name, "revision/1/yaml/"))
    assert text.status_code == 200
    assert text.headers["content-type"].startswith("application/yaml")
    document = yaml.safe_load(text.text)
    assert document["kind"] == ("ReplicaSet" if kind == "Deployment" else "ControllerRevision")
    assert "nginx:1.27" in text.text
    back = changed(client, name, "rollback", {"target_version": "1"})
    assert back.containers[0].image.image_version == "1.27"
    eventually(lambda: revisions(client, name)[0].version == 4)
    assert [revision.version for revision in revisions(client, name)] == [4, 3, 2]
    history = one(name, "revisions/")
    refused(client.delete(history, params={"history_version": 4}), 409)
    told(client.delete(history, params={"history_version": 2}), Batch[None])
    assert [revision.version for revision in revisions(client, name)] == [4, 3]
    sent = {"revisions": [{"version": 3}, {"version": 4}, {"version": 9}]}
    batch = told(client.request("DELETE", history, json=sent), Batch[None], 207)
    assert [done.name for done in batch.succeed] == ["3"]
    assert [(failed.name, failed.code) for failed in batch.failed] == [("4", 409), ("9", 404)]
    for version in ("9", "99999999999999999999"):
        refused(change(client, name, "rollback", {"target_version": version}), 404)
        refused(client.get(one(name, f"revision/{version}/yaml")), 404)
        refused(client.delete(history, params={"history_version": version}), 404)
    for wrong in ("x", "-1", "", "1.0", "\uff11"):
        refused(change(client, name, "rollback", {"target_version": wrong}), 400, field="target_version")
    refused(change(client, name, "rollback", {}), 400, field="target_version")
    refused(client.delete(history), 400, field="revisions")


def test_two_people_change_two_aspects_at_once(project: Project, name: str) -> None:
    client, other = project.member, project.manager
    for turn in range(5):
        statuses = at_once(
            lambda turn=turn: change(client, name, "labels", {"labels": {"turn": str(turn)}}),
            lambda turn=turn: change(
                other, name, "network", {"network": {"dns_policy": ("Default", "ClusterFirst")[turn % 2]}}
            ),
        )
        assert statuses == {200: 2}
        now = shown(client, name).workload
        assert now.labels == {"turn": str(turn)}
        assert now.network is not None
        assert now.network.dns_policy == ("Default", "ClusterFirst")[turn % 2]


def test_many_change_the_same_aspect_at_once(project: Project, name: str, kind: str) -> None:
    client = project.member

    def crowd(action: str, sent: Callable[[int], Json], size: int = 10) -> None:
        statuses = at_once(
            *(lambda turn=turn: change(client, name, action, sent(turn)) for turn in range(size))
        )
        assert statuses[200] >= 1

    if kind != "DaemonSet":
        crowd("scale", lambda turn: {"replicas": turn + 2}, 20)
        crowd(
            "scale_strategy",
            lambda turn: {"scale_strategy": {"max_replicas": turn + 2, "resource": {"cpu": 50}}},
            5,
        )
    crowd("labels", lambda turn: {"labels": {"turn": str(turn)}})
    crowd("containers", lambda turn: {"containers": [container(version=f"1.{turn}")]})
    crowd(
        "access_modes",
        lambda turn: {"access_modes": [{"type": "ClusterIP", "access": [{"port": 80 + turn}]}]},
    )
    access = told(client.get(one(name, "access")), types.AccessAnswer).access_mod
    assert len(access) == 1
    at_once(
        *(
            lambda turn=turn: client.put(one(name), params={"action": ("stop", "start")[turn % 2]})
            for turn in range(6)
        )
    )

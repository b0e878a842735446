"""Stop, start, scale, labels, access and the like on whole objects."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given

from ecns.api.common import marks
from ecns.api.workloads import aspects, manifests
from ecns.api.workloads.types import (
    AccessMode,
    Network,
    ScaleStrategy,
    SchedulerStrategy,
    UpdateStrategy,
    Workload,
)
from ecns.backends.kubernetes.kinds import SERVICE
from ecns.errors import BadRequestError, ConflictError
from tests.api.workloads.test_manifests import QUICK, decoded
from tests.api.workloads.test_total import FOREIGN, applied
from tests.api.workloads.workloads import workloads

Json = dict[str, Any]


def made(kind: str = "Deployment", **more: Any) -> Json:
    """A workload that ECNS made, as the server has it."""
    base: Json = {"name": "web", "type": kind}
    if kind != "DaemonSet":
        base["replicas"] = 3
    workload = msgspec.convert(
        {
            "workload_base": base,
            "containers": [{"name": "web", "image": {"image": "nginx", "image_version": "1.27"}}],
            **more,
        },
        Workload,
    )
    found: Json = msgspec.to_builtins(
        manifests.objects(workload, namespace="x", registry_domain="").controller
    )
    return found


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
def test_start_gives_back_what_stop_took(kind: str) -> None:
    whole = made(kind, scheduler_strategy=[])
    stopped = applied(whole, aspects.stop(whole, kind))
    typed = msgspec.convert(stopped, manifests.KINDS[kind].type)
    assert manifests.workload_word(typed) == "Stopped"
    assert manifests.workload(typed).scheduler_strategy == []
    assert aspects.stop(stopped, kind) == []
    started = applied(stopped, aspects.start(stopped, kind))
    assert aspects.start(started, kind) == []
    assert started["spec"].get("replicas") == whole["spec"].get("replicas")
    assert not started["spec"]["template"]["spec"].get("nodeSelector")
    assert not started["metadata"].get("annotations")


def test_scaling_a_stopped_workload_starts_it() -> None:
    stopped = applied(whole := made(), aspects.stop(whole, "Deployment"))
    scaled = applied(stopped, aspects.scale(stopped, "Deployment", 2))
    assert scaled["spec"]["replicas"] == 2
    assert not scaled["metadata"]["annotations"]


def test_a_daemon_set_is_not_scaled() -> None:
    with pytest.raises(BadRequestError):
        aspects.scale(made("DaemonSet"), "DaemonSet", 2)


def test_every_change_tests_what_was_read() -> None:
    operations = aspects.recreate(made(), "Deployment", "2026-01-01T00:00:00Z")
    assert [one["op"] for one in operations] == ["test", "add"]
    assert operations[0]["value"] is None


def test_labels_that_select_stay() -> None:
    after = applied(FOREIGN, aspects.labels(FOREIGN, "Deployment", {"tier": "a"}))
    assert after["metadata"]["labels"] == {"app": "web", "tier": "a"}
    assert after["spec"]["template"]["metadata"]["labels"] == {"app": "web", "tier": "a"}
    with pytest.raises(BadRequestError):
        aspects.labels(FOREIGN, "Deployment", {"app": "other"})
    # A workload's own label may be another than its pods': what was shown can be sent back.
    own = {**FOREIGN, "metadata": {**FOREIGN["metadata"], "labels": {"app": "own"}}}
    assert applied(own, aspects.labels(own, "Deployment", {"app": "own"})) == own


def test_membership() -> None:
    member = applied(whole := made(), marks.attach(whole, "shop"))
    assert (
        manifests.workload(msgspec.convert(member, manifests.KINDS["Deployment"].type)).application_name
        == "shop"
    )
    assert marks.attach(member, "shop") == []
    assert marks.detach(member, "other") == []
    with pytest.raises(ConflictError):
        marks.attach(member, "other")
    assert applied(member, marks.detach(member, "shop")) == whole


@pytest.mark.parametrize("deep", ["ReplicaSet", "ControllerRevision"])
def test_rollback_takes_the_template_of_the_revision(deep: str) -> None:
    whole = made()
    template = {
        "metadata": {"labels": {"ecns.easystack.com/workload": "web", "pod-template-hash": "x"}},
        "spec": {"containers": [{"name": "web", "image": "nginx:1.0"}]},
    }
    revision: Json = {"spec": {"template": template}}
    if deep == "ControllerRevision":
        revision = {"data": {"spec": {"template": {**template, "$patch": "replace"}}}}
    after = applied(whole, aspects.rollback(whole, "Deployment", revision))
    assert after["spec"]["template"]["spec"] == template["spec"]
    assert after["spec"]["template"]["metadata"]["labels"] == {"ecns.easystack.com/workload": "web"}
    assert aspects.rollback(after, "Deployment", revision) == []


def test_leaving_the_hosts_network_gives_its_ports_back() -> None:
    whole = made(network={"host_network": True})
    whole["spec"]["template"]["spec"]["containers"][0]["ports"] = [{"containerPort": 80, "hostPort": 80}]
    after = applied(whole, aspects.network(whole, "Deployment", Network(host_network=False)))
    assert "hostNetwork" not in after["spec"]["template"]["spec"]
    assert after["spec"]["template"]["spec"]["containers"][0]["ports"] == [{"containerPort": 80}]


def test_recreate_leaves_no_rolling_update_behind() -> None:
    whole = made(update_strategy={"type": "first_up", "batch_size": 2})
    after = applied(whole, aspects.update_strategy(whole, "Deployment", UpdateStrategy(type="recreate")))
    assert after["spec"]["strategy"] == {"type": "Recreate"}


@QUICK
@given(workloads(), workloads())
def test_a_changed_workload_is_shown_as_it_was_sent(one: Json, other: Json) -> None:
    """Each aspect of one workload, changed to another's, is shown as that one's is."""
    old, new = (
        decoded(one),
        decoded(
            {
                **other,
                "volumes": None,
                "workload_base": one["workload_base"],
                "update_strategy": None,
                "scale_strategy": None,
                "containers": [
                    {**box, "volume_mounts": None, "logsidecar_injector": None} for box in other["containers"]
                ],
            }
        ),
    )
    kind = old.workload_base.type
    whole: Json = msgspec.to_builtins(
        manifests.objects(old, namespace="x", registry_domain="r.io").controller
    )
    for operations in (
        lambda now: aspects.containers(now, kind, new.containers, registry_domain="r.io"),
        lambda now: aspects.network(now, kind, new.network, registry_domain="r.io"),
        lambda now: aspects.scheduler_strategy(
            now, kind, new.scheduler_strategy or [], registry_domain="r.io"
        ),
    ):
        whole = applied(whole, operations(whole))
    shown = manifests.workload(msgspec.convert(whole, manifests.KINDS[kind].type), registry_domain="r.io")
    fresh = manifests.workload(
        manifests.objects(new, namespace="x", registry_domain="r.io").controller, registry_domain="r.io"
    )

    def plain(workload: Workload) -> Any:
        found = msgspec.to_builtins(workload)
        return [found[name] for name in ("network", "scheduler_strategy")] + [
            {key: value for key, value in box.items() if key != "volume_mounts"}
            for box in found["containers"]
        ]

    assert plain(shown) == plain(fresh)


def mode(**fields: Any) -> AccessMode:
    return msgspec.convert(fields, AccessMode)


SERVICE_OBJECT: Json = {
    "metadata": {"name": "web", "namespace": "x", "annotations": {"a": "1"}},
    "spec": {
        "type": "NodePort",
        "clusterIP": "10.96.0.9",
        "clusterIPs": ["10.96.0.9"],
        "sessionAffinity": "ClientIP",
        "selector": {"app": "web"},
        "externalTrafficPolicy": "Cluster",
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": "http", "nodePort": 30080}],
    },
}


def test_services_that_stay_keep_what_they_were_given() -> None:
    modes = [
        mode(type="NodePort", access=[{"port": 80}, {"port": 443, "target_port": 8443}]),
        mode(type="ClusterIP", access=[{"port": 80}]),
    ]
    plan = aspects.plan_access(FOREIGN, "Deployment", modes, [SERVICE_OBJECT], [], namespace="x")
    ((kind, name, operations),) = plan.patch
    after = applied(SERVICE_OBJECT, operations)
    assert (kind, name, plan.delete) == (SERVICE, "web", [])
    assert after["spec"]["clusterIP"] == "10.96.0.9"
    assert after["spec"]["sessionAffinity"] == "ClientIP"
    assert [port["port"] for port in after["spec"]["ports"]] == [80, 443]
    assert after["spec"]["ports"][0]["nodePort"] == 30080
    assert all(port["name"] for port in after["spec"]["ports"])
    ((_, created),) = plan.create
    assert created.metadata.name == "web-clusterip"
    assert created.spec.selector == {"app": "web"}
    assert created.metadata.owner_references


def test_a_service_of_another_type_gives_its_node_ports_back() -> None:
    modes = [mode(name="web", type="ClusterIP", access=[{"port": 80}])]
    plan = aspects.plan_access(FOREIGN, "Deployment", modes, [SERVICE_OBJECT], [], namespace="x")
    after = applied(SERVICE_OBJECT, plan.patch[0][2])
    assert after["spec"]["type"] == "ClusterIP"
    assert "nodePort" not in after["spec"]["ports"][0]
    assert "externalTrafficPolicy" not in after["spec"]


def test_no_modes_remove_the_services() -> None:
    plan = aspects.plan_access(FOREIGN, "Deployment", [], [SERVICE_OBJECT], [], namespace="x")
    assert plan.delete == [(SERVICE, "web")]


def test_a_foreign_ingress_keeps_its_rules_and_loses_those_not_asked_for() -> None:
    def path(where: str) -> Json:
        return {
            "path": where,
            "pathType": "Prefix",
            "backend": {"service": {"name": "web", "port": {"number": 80}}},
        }

    foreign = {
        "metadata": {"name": "front"},
        "spec": {"rules": [{"host": "a.b", "http": {"paths": [path("/x"), path("/y")]}}]},
    }
    routers = [{"domain": "a.b", "path": "/x", "target_service": "web", "service_port": 80}]
    modes = [mode(name="web", type="NodePort", access=[{"port": 80, "routers": routers}])]
    plan = aspects.plan_access(FOREIGN, "Deployment", modes, [SERVICE_OBJECT], [foreign], namespace="x")
    assert plan.create == []
    ((_, name, operations),) = [one for one in plan.patch if one[1] == "front"]
    assert applied(foreign, operations)["spec"]["rules"][0]["http"]["paths"] == [path("/x")]
    assert name == "front"


def test_the_autoscaler_is_made_changed_and_removed() -> None:
    strategy = msgspec.convert({"max_replicas": 5, "resource": {"cpu": 50}}, ScaleStrategy)
    plan = aspects.plan_scale_strategy(FOREIGN, "Deployment", strategy, None, namespace="x")
    ((_, created),) = plan.create
    whole = msgspec.to_builtins(created)
    whole["spec"]["metrics"].append({"type": "Pods", "pods": {"metric": {"name": "queue"}}})
    whole["spec"]["behavior"] = {"scaleDown": {}}
    strategy.max_replicas = 7
    ((_, _, operations),) = aspects.plan_scale_strategy(
        FOREIGN, "Deployment", strategy, whole, namespace="x"
    ).patch
    after = applied(whole, operations)
    assert after["spec"] == {**whole["spec"], "maxReplicas": 7}
    for nothing in (None, ScaleStrategy()):
        plan = aspects.plan_scale_strategy(FOREIGN, "Deployment", nothing, whole, namespace="x")
        assert [name for _, name in plan.delete] == ["web"]


def test_scheduling_keeps_a_stopped_daemon_set_stopped() -> None:
    whole = applied(start := made("DaemonSet"), aspects.stop(start, "DaemonSet"))
    strategy = msgspec.convert(
        {
            "node_selector": {
                "required": [{"expression": [{"key": "disk", "operator": "In", "values": "ssd"}]}]
            }
        },
        SchedulerStrategy,
    )
    after = applied(whole, aspects.scheduler_strategy(whole, "DaemonSet", [strategy]))
    selector = after["spec"]["template"]["spec"]["nodeSelector"]
    assert selector == {"disk": "ssd", "ecns.easystack.com/stopped": "true"}

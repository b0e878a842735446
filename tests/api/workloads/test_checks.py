"""What cannot be is refused before anything is sent, naming the field."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given

from ecns.api.workloads import checks
from ecns.api.workloads.types import Container, CreateWorkloads, Workload
from ecns.errors import BadRequestError
from tests.api.workloads.test_manifests import QUICK, decoded
from tests.api.workloads.workloads import workloads

Json = dict[str, Any]


def body(kind: str = "Deployment", container: Json | None = None, **more: Any) -> Json:
    box = {"name": "web", "image": {"image": "nginx", "image_version": "1.27"}, **(container or {})}
    return {"workload_base": {"name": "web", "type": kind}, "containers": [box], **more}


@QUICK
@given(workloads())
def test_what_is_right_passes(sent: Json) -> None:
    assert decoded(sent).workload_base.name == sent["workload_base"]["name"]


LIVENESS = {"type": "liveness", "protocol": "tcp", "port": 80}
PORT = {"type": "ClusterIP", "access": [{"port": 80}]}


@pytest.mark.parametrize(
    ("field", "sent"),
    [
        ("workload_base.name", {**body(), "workload_base": {"name": "Wörk", "type": "Deployment"}}),
        (
            "workload_base.replicas",
            {**body(), "workload_base": {"name": "a", "type": "DaemonSet", "replicas": 2}},
        ),
        (
            "workload_base.replicas",
            {**body(), "workload_base": {"name": "a", "type": "Deployment", "replicas": -1}},
        ),
        ("containers", {**body(), "containers": []}),
        ("containers[1].name", {**body(), "containers": body()["containers"] * 2}),
        ("containers[0].image.image", body(container={"image": {"image": " ", "image_version": "1"}})),
        (
            "containers[0].image.image_version",
            body(container={"image": {"image": "a:1", "image_version": "2"}}),
        ),
        (
            "containers[0].health[0].success_threshold",
            body(container={"health": [{**LIVENESS, "success_threshold": 2}]}),
        ),
        ("containers[0].health[0].port", body(container={"health": [{**LIVENESS, "port": None}]})),
        ("containers[0].health[0].port", body(container={"health": [{**LIVENESS, "port": 70000}]})),
        ("containers[0].health", body(container={"health": [LIVENESS, LIVENESS]})),
        (
            "containers[0].volume_mounts[0].volume_name",
            body(container={"volume_mounts": [{"volume_name": "v", "mount_path": "/v"}]}),
        ),
        ("containers[0].logsidecar_injector[0]", body(container={"logsidecar_injector": ["/var/log/a"]})),
        ("containers[0].logsidecar_injector[0]", body(container={"logsidecar_injector": ["a"]})),
        (
            "containers[0].env[0].key",
            body(container={"env": [{"type": "Secret", "name": "A", "value": "k"}]}),
        ),
        (
            "containers[0].resources.requests.cpu",
            body(container={"resources": {"requests": {"cpu": 2}, "limits": {"cpu": 1}}}),
        ),
        ("update_strategy.type", body(update_strategy={"type": "on_delete"})),
        ("update_strategy.type", body("StatefulSet", update_strategy={"type": "first_up"})),
        (
            "update_strategy",
            body(update_strategy={"type": "custom", "max_surge": 0, "max_unavailable": "0%"}),
        ),
        ("scale_strategy", body("DaemonSet", scale_strategy={"max_replicas": 2, "resource": {"cpu": 1}})),
        ("scale_strategy.min_replicas", body(scale_strategy={"min_replicas": 3, "max_replicas": 2})),
        ("scale_strategy.resource", body(scale_strategy={"max_replicas": 2})),
        (
            "access_mode[0].access[0].node_port",
            body(access_mode=[{"type": "NodePort", "access": [{"port": 1, "node_port": 65536}]}]),
        ),
        (
            "access_mode[0].access[1].port",
            body(access_mode=[{**PORT, "access": [{"port": 80}, {"port": 80}]}]),
        ),
        ("access_mode[1].name", body(access_mode=[{**PORT, "name": "a"}, {**PORT, "name": "a"}])),
        ("access_mode[0].external_name", body(access_mode=[{"type": "ExternalName"}])),
        ("volumes[0].type", body(volumes=[{"name": "v", "type": "Floppy"}])),
        (
            "volumes[0].storage_class.capacity",
            body(
                volumes=[
                    {
                        "name": "v",
                        "type": "StorageClass",
                        "storage_class": {"class_name": "a", "capacity": "much"},
                    }
                ]
            ),
        ),
        ("volumes[0].configmap", body(volumes=[{"name": "v", "type": "ConfigMap"}])),
        ("labels", body(labels={"a b": "c"})),
        ("labels.app.kubernetes.io/part-of", body(labels={"app.kubernetes.io/part-of": "x"})),
        ("network.host_aliases[0].ip", body(network={"host_aliases": [{"ip": "x", "hostnames": "a"}]})),
        (
            "scheduler_strategy[0].pod_affinity.required[0].expression[0].operator",
            body(
                scheduler_strategy=[
                    {
                        "pod_affinity": {
                            "required": [{"expression": [{"key": "a", "operator": "Gt", "values": "1"}]}]
                        }
                    }
                ]
            ),
        ),
        (
            "scheduler_strategy[0].node_terms.prefered[0].expression[0].weight",
            body(
                scheduler_strategy=[
                    {
                        "node_terms": {
                            "preferred": [{"expression": [{"key": "a", "operator": "Exists", "weight": 101}]}]
                        }
                    }
                ]
            ),
        ),
    ],
)
def test_what_cannot_be_is_refused(field: str, sent: Json) -> None:
    workload = msgspec.convert(sent, Workload, strict=False)
    with pytest.raises(BadRequestError) as refused:
        checks.check_workload(workload, "eks", at="w")
    assert refused.value.field == f"w.{field}"
    assert refused.value.message


def test_what_portals_send_is_taken() -> None:
    sent = body(
        container={"security": {"privileged": "true"}, "container_statuses": "Running", "health": None},
        workload_status={"anything": 1},
        Pods_status=[{}],
        unknown=1,
        scale_strategy=None,
    )
    sent["workload_base"]["replicas"] = "2"
    workload = msgspec.convert({"workloads": [sent]}, CreateWorkloads, strict=False).workloads[0]
    assert workload.workload_base.replicas == 2
    assert workload.containers[0].security
    assert workload.containers[0].security.privileged is True
    assert checks.check_workload(workload, "security").runtime_class_name == "rune"
    assert checks.check_workload(workload, "hybrid").application_type == "Hybrid"


@pytest.mark.parametrize(
    "more",
    [
        {"health": [{"type": "liveness", "protocol": "http", "path": "/", "port": 80}]},
        {"hooks": [{"type": "PreStop", "cmd": ["sleep", "1"]}]},
    ],
)
def test_init_containers_have_checks_and_hooks_only_if_they_may_be_sidecars(more: dict[str, Any]) -> None:
    image = {"image": "nginx", "image_version": "1"}
    sent = [
        {"name": "first", "type": "init", "image": image, **more},
        {"name": "main", "type": "worker", "image": image},
    ]
    containers = msgspec.convert(sent, list[Container])
    checks.check_containers(containers, sidecars=True)
    with pytest.raises(BadRequestError, match="an init container has no"):
        checks.check_containers(containers)

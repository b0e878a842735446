"""Types to objects and back: what is posted is what is shown, and anything can be shown."""

from __future__ import annotations

import json
from typing import Any

import kubernetes_validate
import msgspec
from hypothesis import HealthCheck, Phase, given, settings

from ecns.api.workloads import checks, manifests
from ecns.api.workloads.types import Workload
from ecns.backends.kubernetes.kinds.meta import JsonObject
from tests.api.workloads.workloads import workloads

REGISTRY = "registry.example.com"


def decoded(body: JsonObject) -> Workload:
    return checks.check_workload(msgspec.convert(body, Workload, strict=False), "eks")


def served(made: manifests.WorkloadObjects) -> tuple[Any, manifests.Companions]:
    """The objects as a server gives them back: through JSON, with what it fills in."""

    def again(one: Any) -> Any:
        return msgspec.json.decode(msgspec.json.encode(one), type=type(one))

    controller = again(made.controller)
    pod = controller.spec.template.spec
    pod.dns_policy = pod.dns_policy or "ClusterFirst"
    pod.restart_policy = "Always"
    for container in [*pod.containers, *(pod.init_containers or [])]:
        for probe in (container.liveness_probe, container.readiness_probe, container.startup_probe):
            if probe:
                probe.period_seconds = probe.period_seconds or 10
                probe.timeout_seconds = probe.timeout_seconds or 1
                probe.success_threshold = probe.success_threshold or 1
                probe.failure_threshold = probe.failure_threshold or 3
    services = [again(one) for one in made.services]
    for at, service in enumerate(services):
        service.spec.cluster_ip = service.spec.cluster_ip or f"10.96.1.{at}"
        for port in service.spec.ports or []:
            port.target_port = port.target_port or port.port
            if service.spec.type in {"NodePort", "LoadBalancer"}:
                port.node_port = port.node_port or 30000 + port.port % 2000
    around = manifests.Companions(
        services=services[::-1],
        ingresses=[again(one) for one in made.ingresses],
        autoscaler=made.autoscaler and again(made.autoscaler),
        claims={claim.metadata.name: again(claim) for claim in made.claims},
    )
    return controller, around


def lost(sent: Any, shown: Any, path: str = "") -> list[str]:
    """Paths of what was sent and is not shown."""
    if sent is None:
        return []
    if isinstance(sent, dict) and isinstance(shown, dict):
        return [one for key, value in sent.items() for one in lost(value, shown.get(key), f"{path}.{key}")]
    if isinstance(sent, list) and isinstance(shown, list) and len(sent) == len(shown):
        pairs = zip(sent, shown, strict=True)
        return [where for at, (one, two) in enumerate(pairs) for where in lost(one, two, f"{path}[{at}]")]
    return [] if sent == shown or (sent == [] and shown is None) else [f"{path}: {sent!r} is {shown!r}"]


def by_kind(several: list[JsonObject]) -> list[JsonObject]:
    """Workers before init containers: they run in another order than they are listed."""
    return sorted(several, key=lambda one: one["type"] == "init")


QUICK = settings(
    max_examples=25,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
"""Without shrinking: it takes minutes for so large a type, and the assertion names the paths."""


@QUICK
@given(workloads())
def test_what_is_posted_is_shown(body: JsonObject) -> None:
    workload = decoded(body)
    made = manifests.objects(workload, namespace="shop", registry_domain=REGISTRY)
    controller, around = served(made)

    shown = msgspec.to_builtins(manifests.workload(controller, around, registry_domain=REGISTRY))

    body = {**msgspec.to_builtins(workload), "containers": by_kind(msgspec.to_builtins(workload.containers))}
    shown = json.loads(json.dumps({**shown, "containers": by_kind(shown["containers"])}))
    missing = lost(body, shown)
    assert missing == [], missing


@QUICK
@given(workloads())
def test_the_objects_are_what_kubernetes_defines(body: JsonObject) -> None:
    made = manifests.objects(decoded(body), namespace="shop", registry_domain=REGISTRY)
    for one in [made.controller, *(found for _, found in made.dependants)]:
        whole = msgspec.json.decode(msgspec.json.encode(one))
        assert "status" not in whole
        kubernetes_validate.validate(whole, "1.36", strict=True)

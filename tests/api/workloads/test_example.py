"""The example of the documentation is the sample of a real project, said in the reference's words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from ecns.api.workloads import checks, manifests
from ecns.api.workloads.types import CreateWorkloads
from ecns.backends.kubernetes.kinds import quantities
from tests.api.workloads.recorded import samples

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "online-boutique.json"


def amounts(found: dict[str, Any]) -> dict[str, Any]:
    return {
        part: {"cpu": quantities.amount(of["cpu"]), "memory": quantities.amount(of["memory"])}
        for part, of in found.items()
    }


def probe(found: dict[str, Any] | None) -> dict[str, Any] | None:
    """A probe without what ECNS has no word for (headers) and with Kubernetes' own defaults."""
    if found is None:
        return None
    http = found.get("httpGet")
    if http:
        http = {"scheme": "HTTP", **{key: value for key, value in http.items() if key != "httpHeaders"}}
    return {**found, **({"httpGet": http} if http else {})}


def test_online_boutique() -> None:
    body = msgspec.json.decode(EXAMPLE.read_bytes(), type=CreateWorkloads)
    made = {}
    for at, workload in enumerate(body.workloads):
        checked = checks.check_workload(workload, "eks", at=f"workloads[{at}]")
        found = manifests.objects(checked, namespace="shop", registry_domain="registry.example.com")
        made[workload.workload_base.name] = found
    documents = samples("online-boutique.yaml")

    sample_services = {one["metadata"]["name"]: one["spec"] for one in documents if one["kind"] == "Service"}
    services = {
        one.metadata.name: msgspec.to_builtins(one.spec) for found in made.values() for one in found.services
    }
    assert services.keys() == sample_services.keys()
    for name, spec in sample_services.items():
        assert services[name]["type"] == spec["type"]
        wanted = [(port["port"], port["targetPort"]) for port in spec["ports"]]
        assert [(port["port"], port["targetPort"]) for port in services[name]["ports"]] == wanted

    deployments = [one for one in documents if one["kind"] == "Deployment"]
    assert {one["metadata"]["name"] for one in deployments} == made.keys()
    for sample in deployments:
        template = msgspec.to_builtins(made[sample["metadata"]["name"]].controller.spec.template)
        wanted = sample["spec"]["template"]
        assert wanted["metadata"]["labels"].items() <= template["metadata"]["labels"].items()
        for part in ("containers", "initContainers"):
            ours, theirs = template["spec"].get(part, []), wanted["spec"].get(part, [])
            for one, other in zip(ours, theirs, strict=True):
                for key in ("name", "image", "command", "args", "env"):
                    assert one.get(key) == other.get(key)
                for key in ("livenessProbe", "readinessProbe"):
                    assert probe(one.get(key)) == probe(other.get(key))
                assert amounts(one.get("resources", {})) == amounts(other.get("resources", {}))
                ports = [port["containerPort"] for port in other.get("ports", [])]
                assert [port["containerPort"] for port in one.get("ports", [])] == ports


def test_services_are_named_so_that_they_do_not_collide() -> None:
    body = {
        "workload_base": {"name": "web", "type": "Deployment"},
        "containers": [{"name": "web", "image": {"image": "nginx", "image_version": "1.27"}}],
        "access_mode": [
            {"type": "ClusterIP", "access": [{"port": 80}]},
            {"type": "NodePort", "access": [{"port": 80}]},
            {"type": "NodePort", "access": [{"port": 81}]},
            {"name": "own", "type": "LoadBalancer", "access": [{"port": 80}]},
        ],
    }
    workload = msgspec.convert({"workloads": [body]}, CreateWorkloads).workloads[0]
    made = manifests.objects(workload, namespace="shop", registry_domain="")
    assert [one.metadata.name for one in made.services] == ["web", "web-nodeport", "web-nodeport-2", "own"]

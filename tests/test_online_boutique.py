"""A real shop of eleven services: through ECNS in one request, and by kubectl from its own manifests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.gateway import Gateway, eventually

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "online-boutique.json"
SECONDS = 60


@pytest.fixture(scope="module")
def sample(samples: Path) -> dict[tuple[str, str], dict[str, Any]]:
    documents = yaml.safe_load_all((samples / "online-boutique.yaml").read_text())
    return {(one["kind"], one["metadata"]["name"]): one for one in documents if one}


def names(sample: dict[tuple[str, str], Any], kind: str) -> set[str]:
    return {name for found, name in sample if found == kind}


def running(gateway: Gateway, namespace: str) -> dict[str, Any]:
    """The workloads by name, once all of them are Running."""
    client = gateway.client("admin", **{"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": namespace})

    def all_running() -> dict[str, Any]:
        answer = client.get("/workloads/")
        assert answer.status_code == 200, answer.text
        found = {one["workload_base"]["name"]: one for one in answer.json()["workloads"]}
        states = {name: one["workload_status"]["status"] for name, one in found.items()}
        assert set(states.values()) == {"Running"}, states
        return found

    found: dict[str, Any] = eventually(all_running, seconds=SECONDS)
    return found


def make_namespace(gateway: Gateway, name: str) -> None:
    body = {"namespace": {"namespace_base": {"name": name, "cluster_name": "eks"}}}
    assert gateway.client("admin").post("/namespace/", json=body).status_code == 200


def essence(container: dict[str, Any]) -> dict[str, Any]:
    """What of a container decides how it runs; defaults that the server fills in are left out."""
    probes = {
        key: {
            name: value
            for name, value in container[key].items()
            if name in {"httpGet", "tcpSocket", "exec", "grpc", "initialDelaySeconds", "periodSeconds"}
        }
        for key in ("readinessProbe", "livenessProbe", "startupProbe")
        if key in container
    }
    for probe in probes.values():
        probe.setdefault("periodSeconds", 10)
        for action in ("httpGet", "grpc", "tcpSocket"):
            for extra in ("scheme", "service", "httpHeaders"):
                probe.get(action, {}).pop(extra, None)
    return {
        "image": container["image"],
        "command": container.get("command"),
        "args": container.get("args"),
        "env": sorted((one["name"], one.get("value", "")) for one in container.get("env") or []),
        "resources": container.get("resources") or {},
        "ports": sorted(port["containerPort"] for port in container.get("ports") or []),
        "probes": probes,
    }


def ports(service: dict[str, Any]) -> list[tuple[int, int]]:
    return sorted((port["port"], port.get("targetPort", port["port"])) for port in service["spec"]["ports"])


@pytest.mark.timeout(120)
def test_one_request_makes_the_whole_shop(gateway: Gateway, sample: dict[tuple[str, str], Any]) -> None:
    make_namespace(gateway, "shop")
    client = gateway.client("admin", **{"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": "shop"})
    answer = client.post("/workloads/", json=json.loads(EXAMPLE.read_text()))
    assert answer.status_code == 200, answer.text
    assert set(running(gateway, "shop")) == names(sample, "Deployment")

    made = {
        one["metadata"]["name"]: one
        for one in gateway.kubectl_json("-n", "shop", "get", "deployments")["items"]
    }
    for name in names(sample, "Deployment"):
        wanted = sample["Deployment", name]["spec"]["template"]["spec"]
        got = made[name]["spec"]["template"]["spec"]
        for kind in ("containers", "initContainers"):
            assert [essence(one) for one in got.get(kind, [])] == [
                essence(one) for one in wanted.get(kind, [])
            ], name
        assert made[name]["status"]["readyReplicas"] == sample["Deployment", name]["spec"].get("replicas", 1)

    services = {
        one["metadata"]["name"]: one for one in gateway.kubectl_json("-n", "shop", "get", "services")["items"]
    }
    for name in names(sample, "Service"):
        assert ports(services[name]) == ports(sample["Service", name]), name
        assert services[name]["spec"]["type"] == sample["Service", name]["spec"].get("type", "ClusterIP")
        endpoints = gateway.kubectl_json("-n", "shop", "get", "endpoints", name)
        assert endpoints["subsets"][0]["addresses"], name


@pytest.mark.timeout(120)
def test_the_shop_of_kubectl_is_listed_and_shown_as_well(
    gateway: Gateway, sample: dict[tuple[str, str], Any], samples: Path
) -> None:
    make_namespace(gateway, "kubectl-shop")
    gateway.kubectl("-n", "kubectl-shop", "apply", "-f", str(samples / "online-boutique.yaml"))
    found = running(gateway, "kubectl-shop")
    assert set(found) == names(sample, "Deployment")
    client = gateway.client("admin", **{"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": "kubectl-shop"})
    for name in found:
        answer = client.get(f"/workloads/workload/{name}/", params={"workload_type": "Deployment"})
        assert answer.status_code == 200, answer.text
        shown = answer.json()
        containers = sample["Deployment", name]["spec"]["template"]["spec"]["containers"]
        assert [
            f"{one['image']['image']}:{one['image']['image_version']}"
            for one in shown["workload"]["containers"]
            if one["type"] == "worker"
        ] == [one["image"].split("@")[0] for one in containers]
        assert shown["revisions"][0]["current"] is True
        expected = {
            service
            for kind, service in sample
            if kind == "Service"
            and sample[kind, service]["spec"]["selector"].items()
            <= sample["Deployment", name]["spec"]["template"]["metadata"]["labels"].items()
        }
        assert {mode["name"] for mode in shown["workload"]["access_mode"]} == expected

"""Two replicas of ECNS in front of one cluster: who was second is refused, whichever they asked."""

from __future__ import annotations

import concurrent.futures
import socket
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.api import project as projects
from tests.api.services import asking as services
from tests.api.workloads import asking
from tests.api.workloads.asking import workload
from tests.conftest import stop
from tests.gateway import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.gateway import Gateway

NAMESPACE = "replicas"
ROUNDS = 5


@pytest.fixture(scope="module")
def replicas(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[httpx.Client]]:
    """A client of each."""
    project = projects.make(gateway, NAMESPACE)
    project.namespace(NAMESPACE)
    headers = {"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": NAMESPACE}
    first = project.client("member", **headers)
    process, url = _second(gateway, tmp_path_factory.mktemp("replica"))
    second = httpx.Client(base_url=f"{url}/api/ecns/eks", headers=dict(first.headers), timeout=30)
    try:
        eventually(lambda: _lists(second))
        asking.create(first, workload("web", replicas=0))
        services.create(first, "web", services.service("web", 80))
        eventually(lambda: [row["name"] for row in second.get("/service/").json()["services"]] == ["web"])
        yield [first, second]
    finally:
        second.close()
        stop(process)


def _second(gateway: Gateway, directory: Path) -> tuple[subprocess.Popen[bytes], str]:
    """A replica that knows the same systems."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    harbor = gateway.facts["harbor"]
    config = directory / "ecns.toml"
    config.write_text(
        f'[identity]\nauth_url = "{gateway.facts["identity_url"]}"\n'
        f'[harbor]\nurl = "{harbor["url"]}"\n'
        f'username = "admin"\npassword_file = "{harbor["password_file"]}"\n'
        f'[[clusters]]\nname = "eks"\nkubeconfig = "{gateway.kubeconfig}"\n'
    )
    serve = [sys.executable, "-m", "ecns.cli", "serve", "--port", str(port), "--config", str(config)]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [*serve, "--data-dir", str(directory / "data")],
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
    return process, f"http://127.0.0.1:{port}"


def _lists(client: httpx.Client) -> bool:
    try:
        return client.get("/ingress/").status_code == 200
    except httpx.TransportError:
        return False


def _both(replicas: list[httpx.Client], send: Any) -> list[int]:
    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        return sorted(answer.status_code for answer in threads.map(send, replicas, ("one", "two")))


def ingress(client: httpx.Client, name: str, host: str) -> httpx.Response:
    router = {"domain": host, "path": "/", "target_service": "web"}
    return client.post("/ingress/", json={"ingress": {"name": f"{name}-{host}", "routers": [router]}})


def service(client: httpx.Client, name: str, host: str) -> httpx.Response:
    router = {"domain": f"service.{host}", "path": "/"}
    mode = {"type": "ClusterIP", "access": [{"port": 80, "routers": [router]}]}
    sent = {"service": {"target_workload": "web", "access_mode": mode}}
    return client.post(f"/service/{name}-{host.split('.', maxsplit=1)[0]}/", json=sent)


def test_of_two_who_want_a_host_at_once_one_gets_it(gateway: Gateway, replicas: list[httpx.Client]) -> None:
    for number in range(ROUNDS):
        assert _both(replicas, partial(ingress, host=f"host{number}.example.com")) == [200, 409]
        assert _both(replicas, partial(service, host=f"host{number}.example.com")) == [200, 409]
    there = gateway.kubectl_json("-n", NAMESPACE, "get", "ingress")["items"]
    assert len(there) == 2 * ROUNDS


def test_of_two_who_change_ingresses_at_once_one_is_as_it_was(
    gateway: Gateway, replicas: list[httpx.Client]
) -> None:
    def router(host: str) -> dict[str, str]:
        return {"domain": host, "path": "/", "target_service": "web"}

    for name in ("one", "two"):
        sent = {"ingress": {"name": name, "routers": [router(f"{name}.example.com")]}}
        assert replicas[0].post("/ingress/", json=sent).status_code == 200
    eventually(lambda: {"one", "two"} <= {row["name"] for row in _ingresses(replicas[1])})

    def change(client: httpx.Client, name: str) -> httpx.Response:
        routers = [router(f"{name}.example.com"), router("both.example.com")]
        return client.patch("/ingress/", json={"ingress": {"name": name, "routers": routers}})

    assert _both(replicas, change) == [200, 409]
    hosts = {
        name: [rule["host"] for rule in _whole(gateway, name)["spec"]["rules"]] for name in ("one", "two")
    }
    assert sorted(len(one) for one in hosts.values()) == [1, 2]


def _ingresses(client: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/ingress/").json()["ingresses"]
    return found


def _whole(gateway: Gateway, name: str) -> Any:
    return gateway.kubectl_json("-n", NAMESPACE, "get", "ingress", name)

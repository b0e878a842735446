"""A gateway whose cluster is reached through the proxy, beside one that is reached as usual."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.conftest import spare, start, stop
from tests.faults.proxy import Proxy
from tests.gateway import Gateway

if TYPE_CHECKING:
    from collections.abc import Iterator

CALL_SECONDS = 2.5
"""The cluster's `timeout`: so long a request hangs."""
REQUEST_SECONDS = 20.0

KINDS = {
    "cronjobs": "apis/batch/v1",
    "deployments": "apis/apps/v1",
    "jobs": "apis/batch/v1",
    "services": "api/v1",
    "persistentvolumeclaims": "api/v1",
    "ingresses": "apis/networking.k8s.io/v1",
    "horizontalpodautoscalers": "apis/autoscaling/v2",
}


class Faulty:
    """The gateway, the proxy before its cluster `eks`, and the cluster itself.

    Args:
        folder: for its state.
        kubeconfig: the real cluster's, which the gateway has as `steady` and, by the proxy, as `patient`.
        proxy: runs.
    """

    def __init__(self, folder: Path, kubeconfig: str, proxy: Proxy) -> None:
        self.proxy = proxy
        self.kubernetes = httpx.Client(
            base_url=proxy.server, headers={"Authorization": f"Bearer {proxy.token}"}, verify=proxy.tls
        )
        self._data = folder / "data"
        (folder / "faulty.kubeconfig").write_text(proxy.kubeconfig())
        self._config = folder / "ecns.toml"
        self._config.write_text(
            f"""
            server.request_timeout = {REQUEST_SECONDS}
            clusters = [
                {{ name = "eks", kubeconfig = "faulty.kubeconfig", timeout = {CALL_SECONDS} }},
                {{ name = "patient", kubeconfig = "faulty.kubeconfig" }},
                {{ name = "steady", kubeconfig = "{kubeconfig}" }},
            ]
            """
        )
        self.start()

    def start(self) -> None:
        """Run the gateway."""
        (self._data / "embedded.json").unlink(missing_ok=True)  # one that was killed leaves it
        self.process, self.gateway = start(self._data, "--config", str(self._config))
        self.project: str = self.gateway.users["developer"]["project_id"]

    def kill(self) -> None:
        """End the gateway as the kernel does when there is no memory."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(20)
        self.gateway.close()

    def stop(self) -> None:
        """End all of it."""
        self.kubernetes.close()
        self.gateway.close()
        try:
            assert stop(self.process) == 0
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def namespace(self, name: str) -> None:
        """Make a namespace of the developer's project."""
        metadata = {"name": name, "labels": {"ecns.easystack.com/project-id": self.project}}
        made = self.kubernetes.post("/api/v1/namespaces", json={"metadata": metadata})
        assert made.status_code == 201, made.text

    def client(self, namespace: str, cluster: str = "eks") -> httpx.Client:
        """The developer's, in a namespace."""
        headers = {"X-Ecns-Cluster": cluster, "X-Ecns-Namespace": namespace}
        return self.gateway.client("developer", **headers)

    def objects(self, namespace: str, prefix: str) -> dict[str, dict[str, Any]]:
        """All that the cluster has, by `plural/name`, whose name begins so; not what is going."""
        found = {}
        for plural, api in KINDS.items():
            listed = self.kubernetes.get(f"/{api}/namespaces/{namespace}/{plural}").json()["items"]
            for item in listed:
                metadata = item["metadata"]
                if metadata["name"].startswith(prefix) and "deletionTimestamp" not in metadata:
                    found[f"{plural}/{metadata['name']}"] = item
        return found


@pytest.fixture(scope="session")
def faulty(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    """The one gateway for all faults."""
    spare()  # the proxy runs in a thread
    with Proxy(Path(gateway.kubeconfig)) as proxy:
        started = Faulty(tmp_path_factory.mktemp("faulty"), gateway.kubeconfig, proxy)
        started.namespace("faults")
        yield started
        proxy.heal()
        started.stop()


@pytest.fixture(autouse=True)
def healed(faulty: Faulty) -> Iterator[None]:
    """No test leaves faults behind."""
    yield
    faulty.proxy.heal()

"""The same scenarios on the embedded cluster, always, and on a real one when there is one.

`ECNS_TEST_KUBECONFIG` names a kubeconfig whose user may do everything; the tests make a namespace of
their own there and delete it again. Containers really run there, so they use an image that every mirror has.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import start, stop
from tests.gateway import Gateway, eventually

IMAGE = {
    "image": os.environ.get("ECNS_TEST_IMAGE", "nginx"),
    "image_version": os.environ.get("ECNS_TEST_TAG", "1.27"),
}
SECONDS = 120.0


class Site:
    """A gateway in front of a cluster, and a namespace of the project demo there."""

    def __init__(self, gateway: Gateway, cluster: str, namespace: str, kubeconfig: str) -> None:
        self.gateway = gateway
        self.cluster = cluster
        self.namespace = namespace
        gateway.kubeconfig = kubeconfig

    def client(self, user: str = "developer") -> httpx.Client:
        """A client whose requests act in the namespace."""
        return self.gateway.client(
            user, **{"X-Ecns-Cluster": self.cluster, "X-Ecns-Namespace": self.namespace}
        )

    def kubectl(self, *arguments: str, stdin: str = "", ok: bool = True) -> str:
        """kubectl in the namespace."""
        return self.gateway.kubectl("-n", self.namespace, *arguments, stdin=stdin, ok=ok)

    def kubectl_json(self, *arguments: str) -> Any:
        """What kubectl prints with `-o json`."""
        return self.gateway.kubectl_json("-n", self.namespace, *arguments)

    def until(self, name: str, status: str) -> dict[str, Any]:
        """The workload's detail, once it is in a state."""

        def reached() -> dict[str, Any]:
            answer = self.client().get(f"/workloads/workload/{name}/")
            assert answer.status_code == 200, answer.text
            detail: dict[str, Any] = answer.json()
            found = detail["workload"]["workload_status"]
            assert found["status"] == status, (found["status"], found["reasons"])
            return detail

        detail: dict[str, Any] = eventually(reached, seconds=SECONDS)
        return detail


def _labelled(gateway: Gateway, kubeconfig: str, namespace: str) -> None:
    gateway.kubeconfig = kubeconfig
    project = gateway.users["developer"]["project_id"]
    gateway.kubectl("create", "namespace", namespace)
    gateway.kubectl("label", "namespace", namespace, f"ecns.easystack.com/project-id={project}")


@pytest.fixture(scope="module", params=["embedded", pytest.param("real", marks=pytest.mark.real_cluster)])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Where the scenario runs."""
    namespace = f"ecns-test-{secrets.token_hex(3)}"
    if request.param == "embedded":
        gateway: Gateway = request.getfixturevalue("gateway")
        kubeconfig = gateway.kubeconfig
        _labelled(gateway, kubeconfig, namespace)
        yield Site(gateway, "eks", namespace, kubeconfig)
        gateway.kubectl("delete", "namespace", namespace, "--wait=false")
        return
    named = os.environ.get("ECNS_TEST_KUBECONFIG", "")
    if not named:
        pytest.skip("no real cluster: ECNS_TEST_KUBECONFIG names none")
    folder = tmp_path_factory.mktemp("real")
    configuration = folder / "ecns.toml"
    configuration.write_text(f'[[clusters]]\nname = "real"\nkubeconfig = "{Path(named).resolve()}"\n')
    process, gateway = start(folder / "data", "--config", str(configuration))
    try:
        _labelled(gateway, named, namespace)
        yield Site(gateway, "real", namespace, named)
        gateway.kubectl("delete", "namespace", namespace, "--wait=false")
    finally:
        gateway.close()
        assert stop(process) == 0

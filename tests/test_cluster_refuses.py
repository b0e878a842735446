"""The cluster's own RBAC behind ECNS: with ECNS's policy switched off it refuses what policy should have.

The gateway here has the rights of `deploy/rbac.yaml` and no others, so this tries that manifest, too.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from ecns import config
from ecns.api.common.objects import Objects
from ecns.backends.kubernetes.clusters import Clusters
from ecns.backends.kubernetes.kinds.configuration import CONFIG_MAP, ConfigMap
from ecns.backends.kubernetes.kinds.meta import ObjectMeta
from ecns.backends.memory import Local
from ecns.errors import ForbiddenError
from ecns.identity.caller import Caller
from ecns.identity.place import Places
from ecns.identity.policy import DEFAULTS, PREFIX, Policy
from tests.conftest import stop
from tests.gateway import Gateway
from tests.identity.callers import caller

if TYPE_CHECKING:
    from collections.abc import Iterator

RBAC = Path(__file__).parents[1] / "deploy" / "rbac.yaml"
DEMO = {"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": "demo"}


@pytest.fixture(scope="module")
def limited(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The kubeconfig of ECNS's service account."""
    gateway.kubectl("apply", "-f", str(RBAC))
    token = gateway.kubectl("-n", "ecns", "create", "token", "ecns").strip()
    kubeconfig = yaml.safe_load(Path(gateway.kubeconfig).read_text())
    kubeconfig["users"][0]["user"] = {"token": token}
    path = tmp_path_factory.mktemp("rbac") / "limited.kubeconfig"
    path.write_text(yaml.safe_dump(kubeconfig))
    yield path
    gateway.kubectl("delete", "-f", str(RBAC), "--wait=false", "--ignore-not-found")


@pytest.fixture(scope="module")
def behind(gateway: Gateway, limited: Path) -> Iterator[tuple[Gateway, Path]]:
    """A gateway whose policy lets everybody do everything, in front of the same cluster and Keystone."""
    folder = limited.parent
    allowed = {name: "@" for name in DEFAULTS if name.startswith(PREFIX)}
    (folder / "policy.yaml").write_text(yaml.safe_dump(allowed))
    path = folder / "ecns.toml"
    path.write_text(
        f'[identity]\nauth_url = "{gateway.facts["identity_url"]}"\npolicy_file = "policy.yaml"\n'
        f'[[clusters]]\nname = "eks"\nkubeconfig = "{limited.name}"\n'
    )
    command = [sys.executable, "-m", "ecns.cli", "serve", "--config", str(path), "--port", "0"]
    process = subprocess.Popen(
        [*command, "--data-dir", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        served = Gateway({**gateway.facts, "url": url})
        yield served, path
        served.close()
    finally:
        assert stop(process) == 0
        process.stdout.close()


def workload(name: str) -> dict[str, Any]:
    container = {
        "name": "c",
        "type": "worker",
        "image": {"image": "nginx", "image_version": "1"},
        "resources": {"limits": {"cpu": 0.1, "memory": 64}},
    }
    base = {"name": name, "type": "Deployment", "replicas": 0}
    return {"workloads": [{"workload_base": base, "containers": [container]}]}


def test_the_manifest_is_all_that_ecns_needs(behind: tuple[Gateway, Path]) -> None:
    gateway, path = behind
    command = [sys.executable, "-m", "ecns.cli", "check", "--config", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    admin, member = gateway.client("admin"), gateway.client("developer", **DEMO)
    base = {"name": "limited", "cluster_name": "eks", "project_id": gateway.users["other"]["project_id"]}
    made = admin.post("/namespace/", json={"namespace": {"namespace_base": base, "quota": {"pods": 3}}})
    assert made.status_code == 200, made.text
    there = gateway.client("other", **{"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": "limited"})
    assert there.post("/workloads/", json=workload("mine")).status_code == 200
    assert admin.delete("/namespace/cluster/eks/ns/limited/").json() == {"removed": {"Deployment": 1}}
    made = member.post("/workloads/", json=workload("limited"))
    assert made.status_code == 200, made.text
    made = member.post("/applications/", json={"name": "limited"})
    assert made.status_code == 200, made.text
    for path_, body in (("/workloads/", "workloads_base"), ("/applications/app/", "applications")):
        member.request("DELETE", path_, json={body: [{"name": "limited", "type": "Deployment"}]})


def test_the_cluster_refuses_a_reader(behind: tuple[Gateway, Path]) -> None:
    gateway, _ = behind
    member, reader = gateway.client("developer", **DEMO), gateway.client("visitor", **DEMO)
    assert member.post("/workloads/", json=workload("kept")).status_code == 200
    kind = {"workload_type": "Deployment"}
    base = {"workloads_base": [{"name": "kept", "type": "Deployment"}]}
    one = "/workloads/workload/kept/"
    tries = [
        reader.post("/workloads/", json=workload("reader")),
        reader.patch(one, params={**kind, "action": "scale"}, json={"replicas": 9}),
        reader.patch(one, params={**kind, "action": "labels"}, json={"labels": {"a": "b"}}),
        reader.put(one, params={**kind, "action": "recreate"}),
        reader.request("DELETE", "/workloads/", json=base),
    ]
    for answer in tries:
        assert answer.status_code == 403, answer.text
        assert "cluster eks" in answer.json()["error"]["message"]
    assert reader.get(one, params=kind).status_code == 200
    found = gateway.kubectl_json("-n", "demo", "get", "deployments")["items"]
    assert [item["spec"]["replicas"] for item in found if item["metadata"]["name"] == "kept"] == [0]
    assert member.request("DELETE", "/workloads/", json=base).status_code == 200


def user(gateway: Gateway, name: str) -> Caller:
    found = gateway.users[name]
    return caller(
        user_id=name,
        project_id=found["project_id"],
        project_name=found["project"],
        roles=tuple(found["roles"]),
        token_digest=name,
    )


async def test_the_cluster_refuses_another_project(gateway: Gateway, limited: Path) -> None:
    clusters = Clusters((config.Cluster(name="eks", kubeconfig=limited),))
    places = Places(clusters, Local(), Policy())
    try:
        cluster = clusters["eks"]
        place = await places.resolve(user(gateway, "developer"), cluster="eks", namespace="demo")
        await places.writing(place)
        made = {"metadata": {"name": "refused"}}
        config_map = ConfigMap(metadata=ObjectMeta(name="refused"))
        stranger = places.actor(user(gateway, "other"), cluster)
        for actor in (stranger, places.actor(user(gateway, "visitor"), cluster)):
            with pytest.raises(ForbiddenError, match="is forbidden"):
                await cluster.client.create(CONFIG_MAP, config_map, "demo", actor=actor)
            with pytest.raises(ForbiddenError):
                await cluster.client.delete(CONFIG_MAP, "refused", "demo", actor=actor)
        for system in ("kube-system", "default"):
            with pytest.raises(ForbiddenError):
                await cluster.client.create(CONFIG_MAP, made, system, actor=place.actor)
        await Objects(place, places).create(CONFIG_MAP, config_map)
        await Objects(place, places).delete(CONFIG_MAP, "refused")
    finally:
        await clusters.close()

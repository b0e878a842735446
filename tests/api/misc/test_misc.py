"""Kernel capabilities and the uniqueness check through HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.gateway import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.gateway import Gateway


def test_capabilities(gateway: Gateway) -> None:
    client = gateway.client("visitor")
    default = client.get("/applications/kernel-capabilities/default").json()["capabilities"]
    every = client.get("/applications/kernel-capabilities/all/").json()["capabilities"]
    assert len(every) == len(set(every)) == 41
    assert "CAP_CHOWN" in default
    assert "CAP_SYS_ADMIN" not in default
    assert set(default) < set(every)
    hybrid = gateway.client("visitor", "hybrid")
    assert hybrid.get("/applications/kernel-capabilities/all").status_code == 404


@pytest.fixture(scope="module")
def things(gateway: Gateway) -> Iterator[None]:
    gateway.kubectl("-n", "demo", "create", "configmap", "unique", "--from-literal=a=b")
    gateway.kubectl("-n", "demo", "create", "secret", "generic", "unique")
    gateway.kubectl("-n", "demo", "create", "deployment", "unique", "--image=nginx", "--replicas=0")
    yield
    gateway.kubectl("-n", "demo", "delete", "configmap,secret,deployment", "unique")


NAMESPACED = [
    "Application",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "Cronjob",
    "PVC",
    "Configmap",
    "Secret",
    "Service",
    "Ingress",
]


@pytest.mark.usefixtures("things")
@pytest.mark.parametrize("kind", NAMESPACED)
def test_a_name_is_taken_where_something_has_it(gateway: Gateway, kind: str) -> None:
    client = gateway.client("visitor")
    taken = kind in {"Configmap", "Secret", "Deployment"}
    for written in (kind, kind.lower(), kind.upper()):
        assert client.get(f"/resources/{written}/unique/").json() == {"existence": taken}
    assert client.get(f"/resources/{kind}/Not a name/").json() == {"existence": False}


def test_classes_and_volumes_are_of_a_cluster(gateway: Gateway) -> None:
    visitor, other = gateway.client("visitor"), gateway.client("other")
    for client in (visitor, other):
        assert client.get("/resources/StorageClass/standard/").json() == {"existence": True}
        assert client.get("/resources/storageclass/nothing/").json() == {"existence": False}
        assert client.get("/resources/PV/nothing/").json() == {"existence": False}
    gateway.client("developer").post("/kubernetes/pvc/unique/", json={"pvc": {"capacity": 1}})
    claim = ("-n", "demo", "get", "pvc", "unique")
    eventually(lambda: gateway.kubectl_json(*claim)["status"]["phase"] == "Bound")
    volume = gateway.kubectl_json(*claim)["spec"]["volumeName"]
    assert visitor.get("/resources/PVC/unique/").json() == {"existence": True}
    assert visitor.get(f"/resources/pv/{volume}/").json() == {"existence": True}
    assert other.get(f"/resources/pv/{volume}/").json() == {"existence": False}
    on_eos = {"cluster_type": "EOS", "cluster_name": "eos"}
    there = gateway.client("admin").get("/resources/StorageClass/standard/", params=on_eos)
    assert there.json() == {"existence": True}
    gateway.kubectl("-n", "demo", "delete", "pvc", "unique")


def test_a_type_that_is_none(gateway: Gateway) -> None:
    answer = gateway.client("visitor").get("/resources/Node/n/")
    assert answer.status_code == 400
    assert "Deployment" in answer.json()["error"]["message"]


def test_what_is_not_installed_is_named(gateway: Gateway) -> None:
    client = gateway.client("visitor")
    # Until there is a stand-in of Heat.
    assert client.get("/resources/virtualmachine/a/").status_code in {200, 501}


def test_namespaces_are_one_world_for_those_who_make_them(gateway: Gateway) -> None:
    admin, member = gateway.client("admin"), gateway.client("developer")
    on_eks = {"cluster_type": "EKS", "cluster_name": "eks"}
    for name, taken in (("demo", True), ("other", True), ("kube-system", True), ("nothing", False)):
        assert admin.get(f"/resources/Namespace/{name}/", params=on_eks).json() == {"existence": taken}
        seen = member.get(f"/resources/Namespace/{name}/", params={"cluster_type": "EKS"}).json()
        assert seen == {"existence": name == "demo"}
    assert member.get("/resources/Namespace/demo/").json() == {"existence": True}
    wrong = admin.get("/resources/Namespace/demo/", params={"cluster_type": "EOS", "cluster_name": "eks"})
    assert wrong.status_code == 400
    assert admin.get("/resources/Namespace/a/", params={"cluster_name": "no"}).status_code == 404

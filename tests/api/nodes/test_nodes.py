"""Nodes through HTTP, beside what kubectl says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.api.nodes.manifests import business_types, node_status, roles
from ecns.backends.kubernetes.kinds.core import Node
from ecns.backends.kubernetes.kinds.meta import ObjectMeta

if TYPE_CHECKING:
    from tests.gateway import Gateway


def test_nodes_are_as_the_cluster_says(gateway: Gateway) -> None:
    client = gateway.client("developer")
    body = client.get("/cluster/nodes/").json()
    real = {node["metadata"]["name"]: node for node in gateway.kubectl_json("get", "nodes")["items"]}
    assert {node["name"] for node in body["nodes_status"]} == set(real)
    for node in body["nodes_status"]:
        status = real[node["name"]]["status"]
        assert node["capacity"] == status["capacity"]
        assert node["allocatable"] == status["allocatable"]
        assert node["addresses"] == [
            {"address": address["address"], "type": address["type"]} for address in status["addresses"]
        ]
        assert node["phase"] == "Ready"
    assert client.get("/cluster/nodes/", params={"apiserver_host": "eks"}).json() == body
    addresses = gateway.kubectl("config", "view", "-o", "jsonpath={.clusters[0].cluster.server}")
    assert client.get("/cluster/nodes/", params={"apiserver_host": addresses}).json() == body


def test_only_registered_clusters_are_reached(gateway: Gateway) -> None:
    client = gateway.client("developer")
    for path in ("/cluster/nodes/", "/cluster/nodesrole/"):
        answer = client.get(path, params={"apiserver_host": "https://192.0.2.1:6443"})
        assert answer.status_code == 404


def test_nodes_of_a_role(gateway: Gateway) -> None:
    client = gateway.client("visitor")
    assert client.get("/cluster/nodesrole/", params={"node_role": "boss"}).status_code == 400
    assert client.get("/cluster/nodes/", params={"btype": "Nothing"}).status_code == 400
    every = client.get("/cluster/nodesrole/").json()["nodes_status"]
    assert every
    none = client.get("/cluster/nodesrole/", params={"node_role": "secure-container"}).json()
    assert none["nodes_status"] == [node for node in every if "secure-container" in node["roles"]]


def labelled(**labels: str) -> Node:
    return Node(metadata=ObjectMeta(name="n", labels=labels))


def test_roles_and_business_types_come_from_labels() -> None:
    plain, controller = labelled(), labelled(**{"node-role.kubernetes.io/control-plane": ""})
    secure = labelled(**{"ecns.easystack.com/node-role": "secure-container"})
    assert roles(plain) == []
    assert roles(controller) == ["control-plane"]
    assert roles(secure) == ["secure-container"]
    assert business_types(plain) == {"User", "Normal"}
    assert business_types(controller) == {"Controller"}
    assert business_types(secure) == {"User", "SecurityContainer"}
    assert business_types(labelled(**{"ecns.easystack.com/business-type": "Normal"})) == {"Normal"}


def test_a_node_that_says_nothing_is_not_ready() -> None:
    assert node_status(labelled()).phase == "NotReady"

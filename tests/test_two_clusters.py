"""The embedded default has two clusters: the projects' own and the cloud's."""

from __future__ import annotations

from tests.gateway import Gateway


def test_a_developer_has_one_namespace_and_nothing_to_choose(gateway: Gateway) -> None:
    client = gateway.client("developer")
    tree = client.get("/namespace/").json()
    assert [(one["cluster_name"], one["namespaces"]) for one in tree[0]["clusters"]] == [("eks", ["demo"])]
    assert client.get("/namespace/clustertype/EOS/").json()["namespaces"] == []
    assert client.get("/workloads/").status_code == 200
    for path in ("/cluster/nodes/?apiserver_host=eos", "/resources/Namespace/platform/?cluster_name=eos"):
        assert client.get(path).status_code == 404


def test_the_administrator_works_on_both(gateway: Gateway) -> None:
    client = gateway.client("admin")
    project = gateway.users["admin"]["project_id"]
    listed = client.get("/namespace/clustertype/CLOUD_ALL/").json()["namespaces"]
    places = {(one["namespace_base"]["cluster_name"], one["namespace_base"]["name"]) for one in listed}
    assert {("eks", "demo"), ("eks", "other"), ("eos", "platform")} <= places
    own = client.get("/namespace/clustertype/PROJECT_ALL/").json()["namespaces"]
    assert ("eos", "platform") in {
        (one["namespace_base"]["cluster_name"], one["namespace_base"]["name"]) for one in own
    }
    assert client.get("/resources/Namespace/platform/?cluster_type=EOS").json() == {"existence": True}
    assert client.get("/resources/Namespace/platform/?cluster_type=EKS").json() == {"existence": False}
    there = gateway.client("admin", **{"X-Ecns-Cluster": "eos", "X-Ecns-Namespace": "platform"})
    container = {
        "name": "c",
        "type": "worker",
        "image": {"image": "nginx", "image_version": "1"},
        "resources": {"limits": {"cpu": 0.1, "memory": 64}},
    }
    base = {"name": "controller", "type": "Deployment", "replicas": 0}
    made = there.post("/workloads/", json={"workloads": [{"workload_base": base, "containers": [container]}]})
    assert made.status_code == 200, made.text
    nodes = there.get("/cluster/nodes/").json()["nodes_status"]
    assert nodes
    assert nodes != gateway.client("admin", **{"X-Ecns-Cluster": "eks"}).get("/cluster/nodes/").json()
    assert there.get("/resources/Deployment/controller/").json() == {"existence": True}
    demo = gateway.client("developer").get("/resources/Deployment/controller/")
    assert demo.json() == {"existence": False}
    done = there.request("DELETE", "/workloads/", json={"workloads_base": [base]})
    assert done.status_code == 200, done.text
    again = Gateway(gateway.facts)  # a token of its own: the switch is remembered for it
    switched = again.client("admin").get(f"/namespace/{project}/cluster/eos/ns/platform/").json()
    assert switched["ecns_cluster_type"] == "EOS"
    again.close()


def test_a_namespace_that_both_have_is_the_one_that_was_switched_to(gateway: Gateway) -> None:
    project = gateway.users["admin"]["project_id"]
    admin = Gateway(gateway.facts)  # a token of its own, as above
    client = admin.client("admin")
    twins = [("eks", "twin"), ("eos", "twin")]
    for cluster, name in twins:
        base = {"name": name, "cluster_name": cluster, "project_id": project}
        made = client.post("/namespace/", json={"namespace": {"namespace_base": base}})
        assert made.status_code == 200, made.text
    named = {"X-Ecns-Namespace": "twin"}
    assert client.get("/pods/", headers=named).status_code == 400
    for cluster, name in twins:
        assert client.get(f"/namespace/{project}/cluster/{cluster}/ns/{name}/").status_code == 200
        nodes = client.get("/cluster/nodes/", headers={"X-Ecns-Cluster": cluster}).json()
        assert client.get("/cluster/nodes/").json() == nodes
        assert client.get("/pods/", headers=named).status_code == 200
        answer = client.get("/pod_exec/twin/nothing/c/")
        assert answer.status_code == 426
    for cluster, name in twins:
        client.delete(f"/namespace/cluster/{cluster}/ns/{name}/")
    admin.close()

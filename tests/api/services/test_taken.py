"""Node ports, addresses and hosts that another Service has, and what a list shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecns.api.common.batches import Batch
from ecns.api.services import types
from tests.api.answers import refused, told
from tests.api.services.asking import (
    LIST,
    MODE,
    NAMESPACE,
    SECOND,
    create,
    delete,
    kubectl,
    listed,
    one,
    service,
    there,
)
from tests.api.workloads import asking
from tests.api.workloads.asking import unused, workload
from tests.gateway import eventually

if TYPE_CHECKING:
    import httpx

    from tests.api.project import Project
    from tests.gateway import Gateway

Json = dict[str, Any]


def test_a_node_port_that_is_taken_says_by_whom(
    gateway: Gateway, client: httpx.Client, project: Project, target: str, name: str
) -> None:
    made = create(client, name, service(target, type="NodePort"))
    assert made.access_mode.access is not None
    number = made.access_mode.access[0].node_port
    again = {"service": service(target, {"port": 80, "node_port": number}, type="NodePort")}
    answer = client.post(one(f"{name}x"), json=again)
    assert refused(answer, 409, field=f"{MODE}.access[0].node_port").endswith(f"taken by service '{name}'")
    assert answer.json()["details"]["service"] == name
    second = project.client("member", **there(SECOND))
    asking.create(second, workload(target, replicas=0))
    message = refused(second.post(one(f"{name}x"), json=again), 409)
    assert message == f"node port {number} is taken by service '{name}' of namespace '{NAMESPACE}'"
    gateway.kubectl("-n", SECOND, "create", "service", "nodeport", "kubectls", "--tcp=80")
    theirs = gateway.kubectl_json("-n", SECOND, "get", "service", "kubectls")
    stranger = gateway.client("other")
    asking.create(stranger, workload(target, replicas=0))
    for taken in (number, theirs["spec"]["ports"][0]["nodePort"]):
        sent = service(target, {"port": 80, "node_port": taken}, type="NodePort")
        answer = stranger.post(one(name), json={"service": sent})
        assert refused(answer, 409) == f"node port {taken} is taken by another project"
        assert name not in answer.text
        assert NAMESPACE not in answer.text
    asking.delete(stranger, (target, "Deployment"))


def test_a_node_port_that_the_cluster_does_not_have_is_its_word(
    client: httpx.Client, target: str, name: str
) -> None:
    wrong = {"port": 81, "node_port": 29999}
    sent = service(target, {"port": 80, "node_port": 30444}, wrong, type="NodePort")
    answer = client.post(one(name), json={"service": sent})
    said = refused(answer, 400, field=f"{MODE}.access[1].node_port")
    assert said.endswith("29999 is none of the node ports of cluster eks, 30000 to 32767")
    asked = workload(f"{name}w", replicas=0, access_mode=[{"type": "NodePort", "access": [wrong]}])
    answer = client.post("/workloads/", json={"workloads": [asked]})
    refused(answer, 400, field="workloads[0].access_mode[0].access[0].node_port")


def test_a_cluster_ip_that_is_taken_says_by_whom(client: httpx.Client, target: str, name: str) -> None:
    made = create(client, name, service(target))
    sent = service(target, mode={"cluster_ip": made.access_mode.cluster_ip})
    message = refused(client.post(one(f"{name}x"), json={"service": sent}), 409, field=f"{MODE}.cluster_ip")
    assert message == f"cluster IP {made.access_mode.cluster_ip} is taken by service '{name}'"
    outside = service(target, mode={"cluster_ip": "192.0.2.1"})
    assert "192.0.2.1" in refused(client.post(one(f"{name}x"), json={"service": outside}), 400)


def test_node_ports_in_use_are_told_and_their_users_only_to_those_who_see_them(
    gateway: Gateway, client: httpx.Client, target: str, name: str
) -> None:
    both = [{"port": 53, "protocol": kind, "node_port": 30553} for kind in ("TCP", "UDP")]
    create(client, name, service(target, *both, type="NodePort"))
    answer = client.get("/service/nodeports/")
    found = told(answer, types.NodePorts)
    assert found.nodeports == sorted({*found.nodeports})
    assert answer.headers["X-Total-Count"] == str(found.total)
    mine = [
        (user.protocol, user.namespace, user.service) for user in found.used_by if user.node_port == 30553
    ]
    assert mine == [("TCP", NAMESPACE, name), ("UDP", NAMESPACE, name)]
    theirs = told(gateway.client("other").get("/service/nodeports/"), types.NodePorts)
    assert 30553 in theirs.nodeports
    assert NAMESPACE not in {user.namespace for user in theirs.used_by}
    page = told(client.get("/service/nodeports/", params={"page": 1, "page_size": 1}), types.NodePorts)
    assert page.nodeports == found.nodeports[:1]
    assert (page.total, page.page_size) == (found.total, 1)
    backwards = told(client.get("/service/nodeports/", params={"order": "desc"}), types.NodePorts)
    assert backwards.nodeports == found.nodeports[::-1]
    refused(client.get("/service/nodeports/?sort_by=name"), 400, field="sort_by")
    refused(client.get("/service/nodeports/?page=0"), 400, field="page")
    refused(gateway.client().get("/service/nodeports/"), 401)
    told(delete(client, name), Batch[None])
    assert 30553 not in told(client.get("/service/nodeports/"), types.NodePorts).nodeports


def test_a_host_that_is_taken_says_by_whom(client: httpx.Client, target: str, name: str) -> None:
    router = {"domain": f"{name}.example.com", "path": "/"}
    create(client, name, service(target, {"port": 80, "routers": [router]}))
    sent = service(target, {"port": 80, "routers": [router]})
    message = refused(
        client.post(one(f"{name}x"), json={"service": sent}), 409, field=f"{MODE}.access[0].routers[0]"
    )
    assert message == f"host {name}.example.com with path / is taken by ingress '{name}'"
    create(client, f"{name}x", service(target, {"port": 80, "routers": [{**router, "path": "/other"}]}))


def test_a_list_is_paged_sorted_and_filtered(gateway: Gateway, client: httpx.Client, target: str) -> None:
    stem = f"p{unused()}"
    names = [f"{stem}-{number}" for number in range(3)]
    for index, each in enumerate(names):
        kind = "NodePort" if index == 1 else "ClusterIP"
        create(client, each, service(target, type=kind, labels={"stem": stem}))
    assert [*listed(client, name=stem, sort_by="name")] == names
    assert [*listed(client, name=stem, sort_by="name", order="desc")] == names[::-1]
    assert [*listed(client, name=stem, sort_by="name", page=2, page_size=2)] == names[2:]
    assert {*listed(client, label_selector=f"stem={stem}")} == {*names}
    assert [*listed(client, name=stem, type="NodePort")] == [names[1]]
    assert [*listed(client, name=stem, sort_by="type")][-1] == names[1]
    answer = client.get(LIST, params={"name": stem, "page": 1, "page_size": 2})
    assert answer.headers["X-Total-Count"] == "3"
    assert (answer.json()["total"], answer.json()["page"], answer.json()["page_size"]) == (3, 1, 2)
    assert answer.headers["X-Resource-Version"].isdigit()
    for query, field in (
        ("page=0", "page"),
        ("page_size=501", "page_size"),
        ("sort_by=mood", "sort_by"),
        ("label_selector=(", "label_selector"),
        ("app_selector=a b", "app_selector"),
        ("type=Other", "type"),
    ):
        refused(client.get(f"{LIST}?{query}"), 400, field=field)
    kubectl(gateway, "label", "service", names[0], "fresh=1")
    eventually(lambda: [*listed(client, label_selector="fresh=1")] == [names[0]])


def test_an_application_has_the_services_of_its_workloads(gateway: Gateway, client: httpx.Client) -> None:
    stem = unused()
    application, member, alone = f"app{stem}", f"m{stem}", f"a{stem}"
    made = client.post("/applications/", json={"application": {"name": application}})
    assert made.status_code == 200, made.text
    asking.create(
        client, workload(member, replicas=0, application_name=application), workload(alone, replicas=0)
    )
    create(client, member, service(member))
    create(client, alone, service(alone))
    kubectl(gateway, "expose", "deployment", member, "--port=80", f"--name={member}-k")
    eventually(lambda: {*listed(client, app_selector=application)} == {member, f"{member}-k"})
    selector = f"app.kubernetes.io/part-of in ({application})"
    assert {*listed(client, app_selector=selector)} == {member, f"{member}-k"}
    bases = {"workloads_base": [{"name": alone, "type": "Deployment"}], "application_name": application}
    assert client.put("/workloads/", params={"action": "attach"}, json=bases).status_code == 200
    assert {*listed(client, app_selector=application)} == {member, f"{member}-k", alone}
    bases["workloads_base"] = [{"name": member, "type": "Deployment"}]
    assert client.put("/workloads/", params={"action": "detach"}, json=bases).status_code == 200
    eventually(lambda: {*listed(client, app_selector=application)} == {alone})

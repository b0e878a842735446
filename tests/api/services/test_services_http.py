"""Services over HTTP (chapter 1.19), as users do it, with kubectl beside them."""

from __future__ import annotations

import concurrent.futures
from typing import TYPE_CHECKING, Any

import pytest

from ecns.api.common.batches import Batch
from ecns.api.common.objects import DryRun
from ecns.api.services import types
from tests.api import project as projects
from tests.api.answers import refused, told
from tests.api.services.asking import LIST, create, delete, listed, one, service, update
from tests.api.workloads import asking
from tests.api.workloads.asking import unused, workload
from tests.gateway import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.api.project import Project
    from tests.gateway import Gateway

Json = dict[str, Any]
NAMESPACE = "services"
SECOND = "services-two"
MODE = "service.access_mode"


@pytest.fixture(scope="module")
def project(gateway: Gateway) -> Project:
    made = projects.make(gateway, NAMESPACE)
    for namespace in (NAMESPACE, SECOND):
        made.namespace(namespace)
    for person in (made.manager, made.member, made.reader):
        person.headers.update(there(NAMESPACE))
    return made


def there(namespace: str) -> dict[str, str]:
    """Headers that name a place."""
    return {"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": namespace}


@pytest.fixture
def client(project: Project) -> httpx.Client:
    return project.member


@pytest.fixture(scope="module")
def target(project: Project) -> Iterator[str]:
    """A workload with two pods, that Services lead to."""
    name = f"t{unused()}"
    asking.create(project.member, workload(name, replicas=2))
    eventually(lambda: asking.listed(project.reader, name=name, status="Running"))
    yield name
    asking.delete(project.member, (name, "Deployment"), delete_service=True)


@pytest.fixture
def name() -> str:
    return f"s{unused()}"


def kubectl(gateway: Gateway, *arguments: str, stdin: str = "") -> str:
    return gateway.kubectl("-n", NAMESPACE, *arguments, stdin=stdin)


def whole(gateway: Gateway, name: str, kind: str = "service") -> Json:
    found: Json = gateway.kubectl_json("-n", NAMESPACE, "get", kind, name)
    return found


def modes(client: httpx.Client, workload: str) -> dict[str, Any]:
    """The access modes of a workload, by name."""
    return {mode.name or "": mode for mode in asking.shown(client, workload).workload.access_mode or []}


# Creating and showing


def test_a_service_leads_to_its_workload(
    gateway: Gateway, client: httpx.Client, target: str, name: str
) -> None:
    port = {"port": "80", "target_port": 8080, "protocol": "tcp", "name": "web"}
    sent = service(target, port, type="NodePort", workload_type="Deployment", labels={"tier": "front"})
    made = create(client, name, sent)
    assert (made.name, made.target_workload, made.workload_type) == (name, target, "Deployment")
    assert (made.labels, made.access_mode.type) == ({"tier": "front"}, "NodePort")
    assert made.access_mode.access is not None
    access = made.access_mode.access[0]
    assert (access.name, access.port, access.target_port, access.protocol) == ("web", 80, 8080, "TCP")
    there = whole(gateway, name)
    assert there["spec"]["selector"] == {"ecns.easystack.com/workload": target}
    assert there["spec"]["ports"][0]["nodePort"] == access.node_port
    assert there["metadata"]["creationTimestamp"] == made.creation_time
    assert made.access_mode.cluster_ip == there["spec"]["clusterIP"]
    nodes = gateway.kubectl_json("get", "nodes")["items"]
    addresses = {
        entry["address"]
        for node in nodes
        for entry in node["status"]["addresses"]
        if entry["type"] == "InternalIP"
    }
    assert set(made.access_mode.private_ips or []) == addresses
    assert made.access_mode.external is None
    eventually(lambda: listed(client)[name].ready_endpoints == 2)
    assert modes(client, target)[name] == made.access_mode
    refused(client.post(one(name), json={"service": sent}), 409)


def test_routers_are_an_ingress_that_goes_with_the_service(
    gateway: Gateway, client: httpx.Client, target: str, name: str
) -> None:
    host = f"{name}.example.com"
    router = {"domain": host, "path": "/a"}
    made = create(client, name, service(target, {"port": 80, "routers": [router]}))
    assert made.access_mode.access is not None
    shown = (made.access_mode.access[0].routers or [])[0]
    assert (shown.domain, shown.path, shown.target_service, shown.service_port) == (host, "/a", name, 80)
    ingress = whole(gateway, name, "ingress")
    assert ingress["metadata"]["ownerReferences"][0]["kind"] == "Service"
    assert "ecns.easystack.com/creating" not in whole(gateway, name)["metadata"]["labels"]
    now = update(
        client, name, {"access_mode": {"access": [{"port": 80, "routers": [{**router, "path": "/b"}]}]}}
    )
    assert now.access_mode.access is not None
    assert [router.path for router in now.access_mode.access[0].routers or []] == ["/b"]
    assert whole(gateway, name, "ingress")["metadata"]["uid"] == ingress["metadata"]["uid"]
    told(delete(client, name), Batch[None])
    assert name not in kubectl(gateway, "get", "services,ingresses", "-o", "name")


def test_routers_may_come_later_and_go(
    gateway: Gateway, client: httpx.Client, target: str, name: str
) -> None:
    create(client, name, service(target))
    routers = [{"domain": f"{name}.example.com", "path": "/"}]
    update(client, name, {"access_mode": {"access": [{"port": 80, "routers": routers}]}})
    owner = whole(gateway, name, "ingress")["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["name"]) == ("Service", name)
    assert update(client, name, {"labels": {"a": "b"}}).access_mode.access[0].routers  # type: ignore[index]  # there is one
    update(client, name, {"access_mode": {"access": [{"port": 80, "routers": []}]}})
    assert f"/{name}\n" not in kubectl(gateway, "get", "ingresses", "-o", "name")


def test_another_port_leaves_the_routes_where_they_are(
    gateway: Gateway, client: httpx.Client, target: str, name: str
) -> None:
    routers = [{"domain": f"{name}.example.com", "path": "/"}]
    create(client, name, service(target, {"port": 80, "name": "web", "routers": routers}))
    kubectl(gateway, "create", "ingress", f"{name}-in", f"--rule=b.{name}.example.com/*={name}:web")
    before = [whole(gateway, each, "ingress")["spec"] for each in (name, f"{name}-in")]
    update(client, name, {"access_mode": {"access": [{"port": 81, "name": "web"}]}})
    assert [whole(gateway, each, "ingress")["spec"] for each in (name, f"{name}-in")] == before
    update(client, name, {"access_mode": {"access": [{"port": 81, "routers": []}]}})
    left = kubectl(gateway, "get", "ingresses", "-o", "name")
    assert f"/{name}" not in left


def test_a_service_without_a_workload(gateway: Gateway, client: httpx.Client, name: str) -> None:
    domain = {"access_mode": {"type": "ExternalName", "external_name": "db.example.com"}}
    made = create(client, name, domain)
    assert (made.target_workload, made.access_mode.external_name) == ("", "db.example.com")
    assert (made.ready_endpoints, made.endpoints) == (None, None)
    other = unused()
    made = create(
        client,
        other,
        {"access_mode": {"type": "ClusterIP", "access": [{"port": 80}]}, "selector": {"a": "b"}},
    )
    assert (made.selector, made.target_workload, made.ready_endpoints) == ({"a": "b"}, "", 0)
    headless = unused()
    made = create(client, headless, service("", 80, mode={"cluster_ip": "None"}, selector={"a": "b"}))
    assert made.access_mode.cluster_ip == "None"
    told(delete(client, name, other, headless), Batch[None])
    assert other not in kubectl(gateway, "get", "services", "-o", "name")


def test_affinity_and_policy(gateway: Gateway, client: httpx.Client, target: str, name: str) -> None:
    sent = service(target, type="NodePort", session_affinity="ClientIP", external_traffic_policy="Local")
    made = create(client, name, sent)
    assert (made.session_affinity, made.external_traffic_policy) == ("ClientIP", "Local")
    assert update(client, name, {"access_mode": {"type": "LoadBalancer"}}).session_affinity == "ClientIP"
    spec = whole(gateway, name)["spec"]
    assert spec["externalTrafficPolicy"] == "Local"
    assert spec["healthCheckNodePort"] in told(client.get("/service/nodeports/"), types.NodePorts).nodeports
    now = update(client, name, {"session_affinity": "None", "external_traffic_policy": "Cluster"})
    assert (now.session_affinity, now.external_traffic_policy) == ("None", "Cluster")


WRONG: list[tuple[str, Json]] = [
    ("service", {}),
    ("service.access_mode", {"service": {"target_workload": "T"}}),
    (f"{MODE}.type", {"service": {"access_mode": {}, "target_workload": "T"}}),
    (f"{MODE}.type", {"service": service("T", type="Ingress")}),
    (f"{MODE}.access", {"service": {"access_mode": {"type": "ClusterIP"}, "target_workload": "T"}}),
    (f"{MODE}.access[0].port", {"service": service("T", {})}),
    *(
        (f"{MODE}.access[0].port", {"service": service("T", {"port": port})})
        for port in (0, -1, 65536, "http", 1.5, True, None, [])
    ),
    (f"{MODE}.access[0].target_port", {"service": service("T", {"port": 80, "target_port": "http"})}),
    (f"{MODE}.access[0].protocol", {"service": service("T", {"port": 80, "protocol": "ICMP"})}),
    (f"{MODE}.access[1].port", {"service": service("T", 80, 80)}),
    (f"{MODE}.access[1].name", {"service": service("T", {"port": 1, "name": "a"}, {"port": 2, "name": "a"})}),
    (f"{MODE}.access[0].name", {"service": service("T", {"port": 1, "name": "Web"})}),
    *(
        (
            f"{MODE}.access[0].node_port",
            {"service": service("T", {"port": 80, "node_port": port}, type="NodePort")},
        )
        for port in (0, 65536, "x")
    ),
    (
        f"{MODE}.access[1].node_port",
        {
            "service": service(
                "T", {"port": 80, "node_port": 30111}, {"port": 81, "node_port": 30111}, type="NodePort"
            )
        },
    ),
    (f"{MODE}.cluster_ip", {"service": service("T", mode={"cluster_ip": "here"})}),
    (f"{MODE}.external_name", {"service": service("T", type="ExternalName")}),
    (f"{MODE}.external_name", {"service": service("T", type="ExternalName", mode={"external_name": "a b"})}),
    (f"{MODE}.name", {"service": service("T", mode={"name": "another"})}),
    (f"{MODE}.annotations", {"service": service("T", mode={"annotations": "no"})}),
    ("service.labels.a", {"service": service("T", labels={"a": "b c"})}),
    ("service.labels", {"service": service("T", labels={"a b": "c"})}),
    (
        "service.labels.app.kubernetes.io/part-of",
        {"service": service("T", labels={"app.kubernetes.io/part-of": "x"})},
    ),
    ("service.selector", {"service": service("T", selector={"a": "b"})}),
    ("service.target_workload", {"service": service("")}),
    ("service.target_workload", {"service": service("nowhere")}),
    ("service.target_workload", {"service": service("T", workload_type="StatefulSet")}),
    ("service.workload_type", {"service": service("T", workload_type="Job")}),
    ("service.session_affinity", {"service": service("T", session_affinity="Cookie")}),
    ("service.external_traffic_policy", {"service": service("T", external_traffic_policy="Local")}),
    *(
        (
            f"{MODE}.access[0].routers[0].domain",
            {"service": service("T", {"port": 80, "routers": [{"domain": host}]})},
        )
        for host in ("*.", "-a.b", "EXAMPLE.com", "a..b", "*.*.a", "*", "10.0.0.1", "a b", "a" * 254)
    ),
    *(
        (
            f"{MODE}.access[0].routers[0].path",
            {"service": service("T", {"port": 80, "routers": [{"path": path}]})},
        )
        for path in ("a", "//", "/a/../b", "/a/..", "/%2f")
    ),
]


@pytest.mark.parametrize(("field", "body"), WRONG)
def test_what_cannot_be_is_refused_before_anything_is_made(
    client: httpx.Client, target: str, name: str, field: str, body: Json
) -> None:
    sent = body.get("service", {})
    if sent.get("target_workload") == "T":
        body = {"service": {**sent, "target_workload": target}}
    refused(client.post(one(name), json=body), 400, field=field)
    assert name not in listed(client)


@pytest.mark.parametrize("bad", ["Web", "1st", "a.b", "a" * 64, "-a", "a_b", "é"])
def test_names_that_cannot_be(client: httpx.Client, target: str, bad: str) -> None:
    refused(client.post(one(bad), json={"service": service(target)}), 400, field="service_name")
    assert client.put(one(bad), json={"service": {"labels": {}}}).status_code == 404


def test_a_service_may_be_called_as_what_is_below_the_list(client: httpx.Client, target: str) -> None:
    create(client, "nodeports", service(target))
    assert update(client, "nodeports", {"labels": {"a": "b"}}).labels == {"a": "b"}
    told(delete(client, "nodeports"), Batch[None])


def test_a_hundred_ports(client: httpx.Client, target: str, name: str) -> None:
    made = create(client, name, service(target, *range(1000, 1100), type="NodePort"))
    assert made.access_mode.access is not None
    ports = [access.node_port for access in made.access_mode.access]
    assert len({*ports}) == 100
    assert {*ports} <= {*told(client.get("/service/nodeports/"), types.NodePorts).nodeports}
    told(delete(client, name), Batch[None])


# What others have


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


# Lists


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


# Changing

FOREIGN = """
apiVersion: v1
kind: Service
metadata:
  name: {name}
  labels: {{app: {name}}}
  annotations: {{example.com/owner: us}}
spec:
  type: NodePort
  selector: {{app: {target}}}
  sessionAffinity: ClientIP
  sessionAffinityConfig: {{clientIP: {{timeoutSeconds: 60}}}}
  externalTrafficPolicy: Local
  publishNotReadyAddresses: true
  ports:
  - {{name: web, port: 80, targetPort: http, appProtocol: http}}
  - {{name: dns, port: 53, protocol: UDP}}
  - {{name: sip, port: 53, protocol: SCTP}}
"""


def test_what_kubectl_made_is_shown_and_survives(gateway: Gateway, client: httpx.Client, name: str) -> None:
    kubectl(gateway, "create", "deployment", name, "--image=nginx", "--replicas=1", "--port=8080")
    named = '[{"op":"add","path":"/spec/template/spec/containers/0/ports/0/name","value":"http"}]'
    kubectl(gateway, "patch", "deployment", name, "--type=json", "-p", named)
    kubectl(gateway, "apply", "-f", "-", stdin=FOREIGN.format(name=name, target=name))
    shown = eventually(lambda: listed(client, name=name).get(name))
    assert (shown.target_workload, shown.workload_type) == (name, "Deployment")
    assert [(one.name, one.target_port, one.protocol) for one in shown.access_mode.access or []] == [
        ("web", 8080, "TCP"),
        ("dns", 53, "UDP"),
        ("sip", 53, "SCTP"),
    ]
    before = whole(gateway, name)
    answer = client.put(
        one(name), json={"service": client.get(LIST, params={"name": name}).json()["services"][0]}
    )
    told(answer, types.OneService)
    assert whole(gateway, name) == before
    update(client, name, {"labels": {"app": name, "tier": "front"}})
    after = whole(gateway, name)
    assert after["spec"] == before["spec"]
    assert after["metadata"]["labels"] == {"app": name, "tier": "front"}
    assert after["metadata"]["annotations"] == before["metadata"]["annotations"]
    update(client, name, {"access_mode": {"access": [{"port": 53, "protocol": "UDP"}, {"port": 9000}]}})
    ports = whole(gateway, name)["spec"]["ports"]
    assert ports[0] == before["spec"]["ports"][1]
    assert (ports[1]["port"], ports[1]["name"]) == (9000, "tcp-9000")
    assert not listed(client, name=name)[name].labels.keys() & {"app.kubernetes.io/managed-by"}


def test_manual_endpoints_are_counted_and_stay(gateway: Gateway, client: httpx.Client, name: str) -> None:
    slice_ = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"{name}-1", "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "endpoints": [
            {"addresses": ["192.0.2.10"]},
            {"addresses": ["192.0.2.11"], "conditions": {"ready": False}},
        ],
        "ports": [{"port": 5432}],
    }
    text = f"{{apiVersion: v1, kind: Service, metadata: {{name: {name}}}, spec: {{ports: [{{port: 5432}}]}}}}"
    kubectl(gateway, "apply", "-f", "-", stdin=f"{text}\n---\n{slice_}")
    eventually(lambda: (found := listed(client).get(name)) and found.endpoints == 2)
    shown = listed(client)[name]
    assert (shown.ready_endpoints, shown.selector, shown.target_workload) == (1, None, "")
    now = update(client, name, {"access_mode": {"access": [{"port": 5432}, {"port": 5433}]}})
    assert (now.selector, now.endpoints) == (None, 2)


def test_types_there_and_back(gateway: Gateway, client: httpx.Client, target: str, name: str) -> None:
    made = create(client, name, service(target, type="NodePort"))
    for kind in ("ClusterIP", "LoadBalancer", "NodePort", "LoadBalancer", "ClusterIP"):
        now = update(client, name, {"access_mode": {"type": kind}})
        assert (now.access_mode.type, now.access_mode.cluster_ip) == (kind, made.access_mode.cluster_ip)
        assert now.access_mode.access is not None
        assert bool(now.access_mode.access[0].node_port) == (kind != "ClusterIP")
        assert (now.access_mode.external is not None) == (kind == "LoadBalancer")
    now = update(client, name, {"access_mode": {"type": "ExternalName", "external_name": "db.example.com"}})
    assert (now.target_workload, now.selector) == (target, None)
    assert "clusterIP" not in whole(gateway, name)["spec"]
    now = update(client, name, {"access_mode": {"type": "ClusterIP", "external_name": ""}})
    assert now.selector == made.selector
    eventually(lambda: listed(client)[name].ready_endpoints == 2)
    field = f"{MODE}.cluster_ip"
    for address in ("None", "10.96.3.3"):
        refused(
            client.put(one(name), json={"service": {"access_mode": {"cluster_ip": address}}}),
            400,
            field=field,
        )


def test_a_whole_row_with_another_type(client: httpx.Client, target: str, name: str) -> None:
    create(client, name, service(target, type="NodePort"))
    for kind in ("ClusterIP", "LoadBalancer", "NodePort", "ExternalName", "ClusterIP"):
        row = client.get(LIST, params={"name": name}).json()["services"][0]
        row["access_mode"] |= {"type": kind, "external_name": "db.example.com"}
        now = update(client, name, row)
        assert (now.access_mode.type, now.target_workload) == (kind, target)
        assert bool(now.selector) == (kind != "ExternalName")


def test_a_headless_service_stays_so(client: httpx.Client, target: str, name: str) -> None:
    create(client, name, service(target, mode={"cluster_ip": "None"}))
    for kind in ("NodePort", "LoadBalancer"):
        refused(
            client.put(one(name), json={"service": {"access_mode": {"type": kind}}}),
            400,
            field=f"{MODE}.type",
        )
    assert update(client, name, {"labels": {"a": "b"}}).access_mode.cluster_ip == "None"


def test_a_load_balancer_says_what_was_sent_and_what_it_got(
    gateway: Gateway, client: httpx.Client, target: str, name: str
) -> None:
    external = {
        "loadbalancer": {"name": "front", "vip_subnet_id": "6ba6362e-ea92-4982-838f-17ecb46a84a0"},
        "flavor_profile": {
            "flavor_data": {"compute_flavor": "m1.small", "loadbalancer_topology": "ACTIVE_STANDBY"}
        },
        "availability_zone_profile": {
            "availability_zone_data": {"compute_zone": "zone-a", "cpu_arch": "x86_64"}
        },
    }
    made = create(client, name, service(target, type="LoadBalancer", mode={"external": external}))
    assert made.access_mode.external is not None
    assert made.access_mode.subnet == external["loadbalancer"]["vip_subnet_id"]
    status = '{"status":{"loadBalancer":{"ingress":[{"ip":"203.0.113.9"}]}}}'
    kubectl(gateway, "patch", "service", name, "--subresource=status", "-p", status)

    def reached() -> Any:
        found = listed(client)[name].access_mode
        return found if found.public_ips == ["203.0.113.9"] else None

    mode = eventually(reached)
    assert mode.external.vip_address == "203.0.113.9"
    assert mode.external.loadbalancer.name == "front"
    assert mode.external.flavor_profile.flavor_data.loadbalancer_topology == "ACTIVE_STANDBY"
    annotations = whole(gateway, name)["metadata"]["annotations"]
    # Those of Octavia that fit.
    assert annotations["loadbalancer.openstack.org/flavor-id"] == mode.external.flavor_id != "m1.small"
    assert annotations["loadbalancer.openstack.org/availability-zone"] == "zone-a"
    before = whole(gateway, name)
    sent = client.get(LIST, params={"name": name}).json()["services"][0]
    told(client.put(one(name), json={"service": sent}), types.OneService)
    assert whole(gateway, name) == before
    assert modes(client, target)[name] == mode


def test_another_workload(client: httpx.Client, target: str, name: str) -> None:
    other = unused()
    asking.create(client, workload(other, "StatefulSet", 0))
    create(client, name, service(target))
    now = update(client, name, {"target_workload": other})
    assert (now.target_workload, now.workload_type) == (other, "StatefulSet")
    assert name in modes(client, other)
    assert name not in modes(client, target)
    for wrong, field in (
        ({"target_workload": "nowhere"}, "service.target_workload"),
        ({"target_workload": other, "workload_type": "Deployment"}, "service.target_workload"),
        ({"target_workload": target, "selector": {"a": "b"}}, "service.selector"),
    ):
        refused(client.put(one(name), json={"service": wrong}), 400, field=field)
    asking.delete(client, (other, "StatefulSet"))
    shown = listed(client)[name]
    assert (shown.target_workload, shown.workloads) == (other, [])
    sent = client.get(LIST, params={"name": name}).json()["services"][0]
    assert update(client, name, sent).selector == shown.selector
    assert update(client, name, {"selector": {"a": "b"}}).selector == {"a": "b"}


def test_a_service_that_was_moved_does_not_go_with_its_old_workload(
    gateway: Gateway, client: httpx.Client, target: str, name: str
) -> None:
    routers = [{"domain": f"{name}.example.com"}]
    mode = {"type": "ClusterIP", "access": [{"port": 80, "routers": routers}]}
    asking.create(client, workload(name, replicas=0, access_mode=[mode]))
    assert update(client, name, {"target_workload": target}).target_workload == target
    for kind in ("service", "ingress"):
        assert "ownerReferences" not in whole(gateway, name, kind)["metadata"]
    asking.delete(client, (name, "Deployment"), delete_service=True)
    assert name in listed(client)
    told(delete(client, name, force="true"), Batch[None])
    kubectl(gateway, "delete", "ingress", name)


def test_two_who_change_the_same_at_once(
    client: httpx.Client, project: Project, target: str, name: str
) -> None:
    create(client, name, service(target))
    several = [project.client("member", **there(NAMESPACE)) for _ in range(4)]

    def change(pair: tuple[int, httpx.Client]) -> int:
        ports = [{"port": 80}, {"port": 8000 + pair[0]}]
        return pair[1].put(one(name), json={"service": {"access_mode": {"access": ports}}}).status_code

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        statuses = [status for _ in range(3) for status in pool.map(change, enumerate(several))]
    assert {*statuses} <= {200, 409}
    assert 200 in statuses


def test_an_edit_shows_in_the_workload_and_the_other_way_round(client: httpx.Client, name: str) -> None:
    routers = [{"domain": f"{name}.example.com", "path": "/"}]
    mode = {"type": "ClusterIP", "name": name, "access": [{"port": 80, "routers": routers}]}
    asking.create(client, workload(name, replicas=0, access_mode=[mode]))
    shown = listed(client)[name]
    assert shown.target_workload == name
    assert modes(client, name)[name] == shown.access_mode
    now = update(client, name, {"access_mode": {"type": "NodePort", "access": [{"port": 80}, {"port": 81}]}})
    assert modes(client, name)[name] == now.access_mode
    assert now.access_mode.access is not None
    assert now.access_mode.access[0].routers == (shown.access_mode.access or [])[0].routers
    changed = {"type": "ClusterIP", "name": name, "access": [{"port": 82}]}
    asking.changed(client, name, "access_modes", {"access_modes": [changed]})
    after = listed(client)[name]
    assert after.access_mode.type == "ClusterIP"
    assert [one.port for one in after.access_mode.access or []] == [82]
    asking.changed(client, name, "access_modes", {"access_modes": []})
    assert name not in listed(client)


def test_bad_updates(client: httpx.Client, target: str, name: str) -> None:
    before = create(client, name, service(target, type="NodePort"))
    for field, wrong in (
        ("service", {}),
        (f"{MODE}.type", {"service": {"access_mode": {"type": "Other"}}}),
        (f"{MODE}.name", {"service": {"access_mode": {"name": "other"}}}),
        (f"{MODE}.access", {"service": {"access_mode": {"access": []}}}),
        (f"{MODE}.access[0].port", {"service": {"access_mode": {"access": [{}]}}}),
        (
            f"{MODE}.access[0].node_port",
            {"service": {"access_mode": {"access": [{"port": 80, "node_port": 1}]}}},
        ),
        (f"{MODE}.external_name", {"service": {"access_mode": {"type": "ExternalName"}}}),
        ("service.labels.a", {"service": {"labels": {"a": "b c"}}}),
        ("service.selector.a", {"service": {"selector": {"a": "b c"}}}),
    ):
        refused(client.put(one(name), json=wrong), 400, field=field)
    assert listed(client)[name].access_mode == before.access_mode
    refused(client.put(one("nothing-here"), json={"service": {"labels": {}}}), 404)
    assert client.put(one(name), json={"service": {}}).status_code == 200


# Trying, repeating, deleting


def test_a_dry_run_changes_nothing(gateway: Gateway, client: httpx.Client, target: str, name: str) -> None:
    dry = {"dry_run": "true"}
    routers = [{"domain": f"{name}.example.com"}]
    sent = {"service": service(target, {"port": 80, "routers": routers})}
    would = told(client.post(one(name), params=dry, json=sent), DryRun)
    assert [item["kind"] for item in would.objects] == ["Service", "Ingress"]
    assert name not in listed(client)
    create(client, name, sent["service"])
    change = {"service": {"access_mode": {"access": [{"port": 81}]}}}
    would = told(client.put(one(name), params=dry, json=change), DryRun)
    assert "port: 81" in would.diff
    would = told(delete(client, name, dry_run="true"), DryRun)
    assert sorted(would.deleted) == [f"Ingress/{name}", f"Service/{name}"]
    assert whole(gateway, name)["spec"]["ports"][0]["port"] == 80


def test_a_repeat_makes_nothing_twice(client: httpx.Client, target: str, name: str) -> None:
    sent = {"service": service(target)}
    key = {"Idempotency-Key": name}
    first = client.post(one(name), json=sent, headers=key)
    again = client.post(one(name), json=sent, headers=key)
    assert told(first, types.OneService) == told(again, types.OneService)
    assert again.headers["Idempotency-Replayed"] == "true"
    refused(client.post(one(name), json={"service": service(target, 81)}, headers=key), 409)
    refused(client.post(one(name), json=sent), 409)


def test_a_service_that_ingresses_lead_to_is_not_deleted_unless_forced(
    gateway: Gateway, client: httpx.Client, target: str, name: str
) -> None:
    create(client, name, service(target))
    kubectl(gateway, "create", "ingress", f"{name}-in", f"--rule={name}.example.com/*={name}:80")

    def refusal() -> Any:
        answer = delete(client, name)
        return answer if answer.status_code == 409 else None

    answer = eventually(refusal)
    assert f"{name}-in" in refused(answer, 409)
    assert answer.json()["details"]["used_by"] == [{"kind": "Ingress", "name": f"{name}-in"}]
    told(delete(client, name, force="true"), Batch[None])
    assert name not in listed(client)
    kubectl(gateway, "get", "ingress", f"{name}-in")


def test_deleting_is_a_batch(client: httpx.Client, target: str, name: str) -> None:
    create(client, name, service(target))
    batch = told(delete(client, name, "nothing-here", name), Batch[None], 207)
    assert [done.name for done in batch.succeed] == [name]
    assert [(one.name, one.code) for one in batch.failed] == [("nothing-here", 404)]
    refused(delete(client, "nothing-here"), 404)
    refused(client.request("DELETE", LIST, json={}), 400, field="service")
    refused(client.request("DELETE", LIST, json={"service": name}), 400, field="service")
    assert told(delete(client), Batch[None]).succeed == []


def test_who_may_do_what(gateway: Gateway, project: Project, target: str, name: str) -> None:
    create(project.member, name, service(target))
    reader = project.reader
    assert name in listed(reader)
    for method, path, body in (
        ("POST", one(f"{name}x"), {"service": service(target)}),
        ("PUT", one(name), {"service": {"labels": {"a": "b"}}}),
        ("DELETE", LIST, {"service": [name]}),
    ):
        refused(gateway.client().request(method, path, json=body), 401)
        refused(reader.request(method, path, json=body), 403)
        stranger = gateway.client("other", **there(NAMESPACE))
        refused(stranger.request(method, path, json=body), 404)
    refused(gateway.client().get(LIST), 401)
    assert name not in gateway.client("other").get(LIST).text
    refused(project.client("member", "image", **there(NAMESPACE)).get(LIST), 404)
    for product in ("hybrid", "security"):
        assert name in listed(project.client("member", product, **there(NAMESPACE)))

"""Ingresses over HTTP (chapter 1.18), as users do it, with kubectl beside them."""

from __future__ import annotations

import concurrent.futures
import json
from typing import TYPE_CHECKING, Any

import pytest

from ecns.api.common.batches import Batch
from ecns.api.common.objects import DryRun
from ecns.api.ingresses import types
from tests.api import project as projects
from tests.api.answers import refused, told
from tests.api.services import asking as services
from tests.api.workloads import asking
from tests.api.workloads.asking import unused, workload
from tests.api.workloads.test_live_http import listening
from tests.gateway import eventually

if TYPE_CHECKING:
    import httpx

    from tests.api.project import Project
    from tests.gateway import Gateway

Json = dict[str, Any]
LIST, ACCESS = "/ingress/", "/access/"
NAMESPACE, SECOND = "ingresses", "ingresses-two"


def there(namespace: str) -> dict[str, str]:
    """Headers that name a place."""
    return {"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": namespace}


@pytest.fixture(scope="module")
def project(gateway: Gateway) -> Project:
    return projects.settled(gateway, NAMESPACE, SECOND)


@pytest.fixture
def client(project: Project) -> httpx.Client:
    return project.member


@pytest.fixture(scope="module")
def web(project: Project) -> str:
    """A Service with one port, and one with two, `<name>-two`."""
    name = f"t{unused()}"
    asking.create(project.member, workload(name, replicas=0))
    services.create(project.member, name, services.service(name, 80))
    two = [{"port": 80, "name": "http"}, {"port": 9000, "name": "admin"}]
    services.create(project.member, f"{name}-two", services.service(name, *two))
    return name


@pytest.fixture
def name() -> str:
    return f"i{unused()}"


def kubectl(gateway: Gateway, *arguments: str, stdin: str = "") -> str:
    return gateway.kubectl("-n", NAMESPACE, *arguments, stdin=stdin)


def whole(gateway: Gateway, name: str) -> Json:
    found: Json = gateway.kubectl_json("-n", NAMESPACE, "get", "ingress", name)
    return found


def ingress(name: str, *routers: Json, **more: Any) -> Json:
    """An Ingress as it is sent; what a router does not say is of a host of the Ingress's own."""
    host = f"{name}.example.com"
    return {"name": name, "routers": [{"domain": host, "path": "/", **one} for one in routers], **more}


def create(client: httpx.Client, sent: Json) -> types.OneIngress:
    return told(client.post(LIST, json={"ingress": sent}), types.OneIngress)


def update(client: httpx.Client, **sent: Any) -> types.OneIngress:
    return told(client.patch(LIST, json={"ingress": sent}), types.OneIngress)


def delete(client: httpx.Client, *names: str, **query: Any) -> httpx.Response:
    return client.request("DELETE", LIST, params=query, json={"ingress": list(names)})


def listed(client: httpx.Client, **query: Any) -> dict[str, types.Ingress]:
    return {row.name: row for row in told(client.get(LIST, params=query), types.Ingresses).ingresses}


def uris(client: httpx.Client, **query: Any) -> list[str]:
    return told(client.get(ACCESS, params=query), list[str])


# Creating and showing


def test_an_ingress_leads_to_its_services(
    gateway: Gateway, client: httpx.Client, web: str, name: str
) -> None:
    routers = [
        {"target_service": web},
        {"path": "/two", "target_service": f"{web}-two", "service_port": "9000"},
        {"path": "/named", "target_service": f"{web}-two", "service_port_name": "http", "path_type": "Exact"},
    ]
    sent = ingress(name, *routers, labels={"tier": "front"}, annotations={"example.com/a": "b"})
    made = create(client, sent).ingress
    assert (made.name, made.labels, made.annotations) == (name, {"tier": "front"}, {"example.com/a": "b"})
    assert [(one.path, one.target_service, one.service_port, one.path_type) for one in made.routers] == [
        ("/", web, 80, "Prefix"),
        ("/two", f"{web}-two", 9000, "Prefix"),
        ("/named", f"{web}-two", 80, "Exact"),
    ]
    found = whole(gateway, name)
    assert made.creation_time == found["metadata"]["creationTimestamp"]
    (rule,) = found["spec"]["rules"]
    assert rule["host"] == f"{name}.example.com"
    assert rule["http"]["paths"][2]["backend"]["service"]["port"] == {"name": "http"}
    assert listed(client)[name] == made
    assert uris(client, name=name) == [f"http://{name}.example.com{path}" for path in ("/", "/two", "/named")]
    refused(client.post(LIST, json={"ingress": sent}), 409)
    shown = services.listed(client)[web].access_mode.access
    assert shown is not None
    assert f"{name}.example.com" in {router.domain for router in shown[0].routers or []}
    modes = asking.shown(client, web).workload.access_mode or []
    mine = next(mode for mode in modes if mode.name == web)
    assert mine.access == shown


def to(**router: Any) -> Json:
    """The body of an Ingress with one router, to the Service `W`."""
    return {"ingress": ingress("x", {"target_service": "W", **router})}


def beside(**more: Any) -> Json:
    """The body of an Ingress with something beside its router."""
    return {"ingress": ingress("x", {"target_service": "W"}, **more)}


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("ingress", {}),
        ("ingress", {"ingress": "x"}),
        ("ingress.name", {"ingress": {"routers": []}}),
        ("ingress.routers", {"ingress": {"name": "x"}}),
        ("ingress.routers", {"ingress": {"name": "x", "routers": {}}}),
        ("ingress.routers", {"ingress": {"name": "x", "routers": []}}),
        ("ingress.routers[0]", {"ingress": {"name": "x", "routers": ["x"]}}),
        ("ingress.routers[0].target_service", {"ingress": {"name": "x", "routers": [{}]}}),
        ("ingress.routers[0].target_service", to(target_service="nowhere")),
        ("ingress.routers[0].service_port", to(service_port="x")),
        ("ingress.routers[0].service_port", to(service_port=81)),
        ("ingress.routers[0].service_port", to(target_service="W-two")),
        ("ingress.routers[0].service_port_name", to(service_port_name="https")),
        ("ingress.routers[0].path_type", to(path_type="Regex")),
        ("ingress.routers[0].domain", to(domain="*.")),
        ("ingress.annotations", beside(annotations=[1])),
        ("ingress.annotations[...]", beside(annotations={"a": 1})),
        ("ingress.tls[0].hosts", beside(tls=[{"hosts": "a"}])),
        ("ingress.default_backend.target_service", beside(default_backend={"target_service": "no"})),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(
    client: httpx.Client, web: str, field: str, body: Json
) -> None:
    sent = json.loads(json.dumps(body).replace('"W', f'"{web}'))
    refused(client.post(LIST, json=sent), 400, field=field)
    assert "x" not in listed(client)


def test_names_are_those_of_kubernetes(client: httpx.Client, web: str) -> None:
    for good in ("a" * 64 + ".b", "1.2"):
        create(client, ingress(good, {"target_service": web, "domain": f"h{unused()}.example.com"}))
    for bad in ("A", "a_b", "a" * 254, "", "-a", "a/b"):
        refused(
            client.post(LIST, json={"ingress": ingress(bad, {"target_service": web})}),
            400,
            field="ingress.name",
        )


# Warnings

CLASS = """
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {{name: {name}}}
spec: {{controller: example.com/controller}}
"""


def test_what_is_missing_is_said(gateway: Gateway, client: httpx.Client, web: str, name: str) -> None:
    made = create(
        client,
        ingress(
            name, {"target_service": web}, ingress_class="nowhere", tls=[{"secret_name": f"{name}-cert"}]
        ),
    )
    assert made.warnings == [
        "ingress class 'nowhere' is not there: perhaps nobody serves it",
        f"secret '{name}-cert' is not there: there is no certificate of it",
    ]
    kubectl(gateway, "create", "secret", "generic", f"{name}-cert")
    named = f"{name}-class"
    kubectl(gateway, "apply", "-f", "-", stdin=CLASS.format(name=named))

    def known() -> types.OneIngress | None:
        now = update(client, name=name, ingress_class=named)
        return now if len(now.warnings) == 1 else None

    try:
        now = eventually(known)
        assert now.ingress.ingress_class == named
        assert now.warnings == [f"secret '{name}-cert' is of type Opaque, not kubernetes.io/tls"]
    finally:
        kubectl(gateway, "delete", "ingressclass", named)


def test_a_route_of_all_hosts_that_two_have_is_said(
    gateway: Gateway, client: httpx.Client, project: Project, web: str, name: str
) -> None:
    everywhere = {"target_service": web, "domain": None, "path": f"/{name}"}
    create(client, ingress(name, everywhere))
    again = create(client, ingress(f"{name}x", everywhere))
    assert any(f"ingress '{name}'" in one for one in again.warnings)
    second = project.client("member", **there(SECOND))
    asking.create(second, workload(web, replicas=0))
    services.create(second, web, services.service(web))
    told_there = create(second, ingress(name, everywhere)).warnings
    assert any(f"ingress '{name}' of namespace '{NAMESPACE}'" in one for one in told_there)
    stranger = gateway.client("other")
    asking.create(stranger, workload(web, replicas=0))
    services.create(stranger, web, services.service(web))
    theirs = create(stranger, ingress(name, everywhere))
    assert any("another project" in one for one in theirs.warnings)
    assert NAMESPACE not in str(theirs.warnings)
    told(delete(stranger, name), Batch[None])
    told(services.delete(stranger, web), Batch[None])
    asking.delete(stranger, (web, "Deployment"))


# What others have


def test_a_host_with_its_path_is_one_ingresss(
    gateway: Gateway, client: httpx.Client, web: str, name: str
) -> None:
    mine = ingress(name, {"target_service": web})
    create(client, mine)
    answer = client.post(LIST, json={"ingress": {**mine, "name": f"{name}x"}})
    message = refused(answer, 409, field="ingress.routers[0]")
    assert message == f"host {name}.example.com with path / is taken by ingress '{name}'"
    assert answer.json()["details"]["ingress"] == name
    other = {"path": "/other", "target_service": web}
    create(client, {**ingress(name, other), "name": f"{name}x"})
    refused(
        client.patch(LIST, json={"ingress": {**mine, "name": f"{name}x"}}), 409, field="ingress.routers[0]"
    )
    create(client, {**mine, "name": f"{name}y", "routers": [{**mine["routers"][0], "path_type": "Exact"}]})
    create(client, {**mine, "name": f"{name}z", "ingress_class": "another"})
    canary = {"nginx.ingress.kubernetes.io/canary": "true"}
    create(client, {**mine, "name": f"{name}c", "annotations": canary})
    stranger = gateway.client("other")
    asking.create(stranger, workload(web, replicas=0))
    services.create(stranger, web, services.service(web))
    answer = stranger.post(LIST, json={"ingress": mine})
    assert refused(answer, 409).endswith("is taken by another project")
    assert NAMESPACE not in answer.text
    beside = create(stranger, {**mine, "routers": [{**mine["routers"][0], "path": "/beside"}]})
    assert f"host {name}.example.com is used by another project, too" in beside.warnings
    told(delete(stranger, name), Batch[None])
    told(services.delete(stranger, web), Batch[None])
    asking.delete(stranger, (web, "Deployment"))


# Lists


def test_a_list_is_paged_sorted_and_filtered(gateway: Gateway, client: httpx.Client, web: str) -> None:
    stem = f"p{unused()}"
    names = [f"{stem}-{number}" for number in range(3)]
    for each in names:
        create(client, ingress(each, {"target_service": web}, labels={"stem": stem}))
    assert [*listed(client, name=stem, sort_by="name")] == names
    assert [*listed(client, name=stem, sort_by="name", order="desc")] == names[::-1]
    assert [*listed(client, name=stem, sort_by="name", page=2, page_size=2)] == names[2:]
    assert {*listed(client, label_selector=f"stem={stem}")} == {*names}
    answer = client.get(LIST, params={"name": stem, "page": 1, "page_size": 2})
    assert answer.headers["X-Total-Count"] == "3"
    assert (answer.json()["total"], answer.json()["page"], answer.json()["page_size"]) == (3, 1, 2)
    for query, field in (
        ("page=0", "page"),
        ("sort_by=mood", "sort_by"),
        ("label_selector=(", "label_selector"),
        ("app_selector=a b", "app_selector"),
    ):
        for path in (LIST, ACCESS):
            refused(client.get(f"{path}?{query}"), 400, field=field)
    hosts = [f"http://{each}.example.com/" for each in names]
    assert uris(client, name=stem, sort_by="name") == hosts
    assert uris(client, label_selector=f"stem={stem}", sort_by="name", page=2, page_size=2) == hosts[2:]
    answer = client.get(ACCESS, params={"name": stem, "page": 1, "page_size": 1})
    assert (len(answer.json()), answer.headers["X-Total-Count"]) == (1, "3")
    kubectl(gateway, "delete", "ingress", names[0])
    eventually(lambda: {*listed(client, name=stem)} == {*names[1:]})


def test_an_application_has_the_ingresses_of_its_services(gateway: Gateway, client: httpx.Client) -> None:
    stem = unused()
    application, member, alone = f"app{stem}", f"m{stem}", f"a{stem}"
    made = client.post("/applications/", json={"application": {"name": application}})
    assert made.status_code == 200, made.text
    asking.create(
        client, workload(member, replicas=0, application_name=application), workload(alone, replicas=0)
    )
    for each in (member, alone):
        services.create(client, each, services.service(each))
        create(client, ingress(each, {"target_service": each}))
    assert {*listed(client, app_selector=application)} == {member}
    assert whole(gateway, member)["metadata"]["labels"]["app.kubernetes.io/part-of"] == application
    assert uris(client, app_selector=application) == [f"http://{member}.example.com/"]
    with listening(client, f"{LIST}?watch=true&app_selector={application}") as events:
        assert events.synced() == [f"added {member}"]
        bases = {"workloads_base": [{"name": alone, "type": "Deployment"}], "application_name": application}
        client.put("/workloads/", params={"action": "attach"}, json=bases)
        assert events.about(alone, "added")
        client.put("/workloads/", params={"action": "detach"}, json=bases)
        assert events.about(alone, "removed")


def test_what_happens_is_told(gateway: Gateway, client: httpx.Client, web: str, name: str) -> None:
    with listening(client, f"{LIST}?watch=true&name={name}") as events:
        assert events.synced() == []
        create(client, ingress(name, {"target_service": f"{web}-two", "service_port_name": "admin"}))
        assert events.about(name, "added")["routers"][0]["service_port"] == 9000
        ports = [{"port": 80, "name": "http"}, {"port": 9001, "name": "admin"}]
        services.update(client, f"{web}-two", {"access_mode": {"access": ports}})
        events.until(lambda told, row: told == "changed" and row["routers"][0]["service_port"] == 9001)
        status = '{"status":{"loadBalancer":{"ingress":[{"ip":"203.0.113.5"}]}}}'
        kubectl(gateway, "patch", "ingress", name, "--subresource=status", "--type=merge", "-p", status)
        events.until(lambda _, row: row["addresses"] == ["203.0.113.5"])
        told(delete(client, name), Batch[None])
        assert events.about(name, "removed")
    ports[1]["port"] = 9000
    services.update(client, f"{web}-two", {"access_mode": {"access": ports}})
    refused(gateway.client().get(f"{LIST}?watch=true"), 401)


# Changing

FOREIGN = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {name}
  annotations: {{nginx.ingress.kubernetes.io/rewrite-target: /$2}}
spec:
  tls: [{{hosts: ["{name}.example.com"], secretName: nowhere}}]
  defaultBackend: {{service: {{name: nowhere, port: {{name: http}}}}}}
  rules:
  - host: "{name}.example.com"
    http:
      paths:
      - {{path: /a, pathType: Exact, backend: {{service: {{name: {web}, port: {{name: tcp-80}}}}}}}}
      - path: /b(/|$)(.*)
        pathType: ImplementationSpecific
        backend: {{service: {{name: gone, port: {{number: 1}}}}}}
  - host: "*.{name}.example.com"
    http:
      paths:
      - {{path: /c, pathType: Prefix, backend: {{resource: {{apiGroup: x.y, kind: Z, name: z}}}}}}
  - host: bare.{name}.example.com
"""


def test_what_kubectl_made_is_shown_and_survives(
    gateway: Gateway, client: httpx.Client, web: str, name: str
) -> None:
    kubectl(gateway, "apply", "-f", "-", stdin=FOREIGN.format(name=name, web=web))
    shown = eventually(lambda: listed(client, name=name).get(name))
    host = f"{name}.example.com"
    assert uris(client, name=name) == [
        f"https://{host}/a",
        f"https://{host}/b(/|$)(.*)",
        f"http://*.{host}/c",
        f"http://bare.{host}/",
    ]
    assert (shown.routers[0].service_port, shown.routers[0].service_port_name) == (80, "tcp-80")
    before = whole(gateway, name)
    sent = client.get(LIST, params={"name": name}).json()["ingresses"][0]
    told(client.patch(LIST, json={"ingress": sent}), types.OneIngress)
    assert whole(gateway, name) == before
    update(client, name=name, labels={"tier": "front"})
    after = whole(gateway, name)
    assert after["spec"] == before["spec"]
    assert after["metadata"]["annotations"] == before["metadata"]["annotations"]
    assert after["metadata"]["labels"] == {"tier": "front"}
    more = [*sent["routers"], {"domain": f"d.{host}", "target_service": web}]
    now = update(client, name=name, routers=more).ingress
    assert (now.routers[-1].domain, now.routers[-1].service_port) == (f"d.{host}", 80)
    assert whole(gateway, name)["spec"]["rules"][:3] == before["spec"]["rules"]
    now = update(client, name=name, tls=[], default_backend={}).ingress
    assert (now.tls, now.default_backend) == ([], None)
    assert "defaultBackend" not in whole(gateway, name)["spec"]


def test_bad_updates(client: httpx.Client, web: str, name: str) -> None:
    before = create(client, ingress(name, {"target_service": web})).ingress
    for field, wrong in (
        ("ingress", {}),
        ("ingress.name", {"ingress": {}}),
        ("ingress.routers", {"ingress": {"name": name, "routers": []}}),
        ("ingress.routers[0].target_service", {"ingress": {"name": name, "routers": [{"path": "/"}]}}),
        ("ingress.routers[0].target_service", {"ingress": ingress(name, {"target_service": "nowhere"})}),
        ("ingress.labels.a", {"ingress": {"name": name, "labels": {"a": "b c"}}}),
        ("ingress.tls[0].hosts[0]", {"ingress": {"name": name, "tls": [{"hosts": ["A"]}]}}),
    ):
        refused(client.patch(LIST, json=wrong), 400, field=field)
    assert listed(client)[name] == before
    refused(client.patch(LIST, json={"ingress": {"name": "nothing-here"}}), 404)
    assert update(client, name=name).ingress == before


def test_two_who_change_the_same_at_once(client: httpx.Client, project: Project, web: str, name: str) -> None:
    create(client, ingress(name, {"target_service": web}))
    several = [project.client("member", **there(NAMESPACE)) for _ in range(4)]

    def change(pair: tuple[int, httpx.Client]) -> int:
        routers = ingress(name, {"target_service": web, "path": f"/{pair[0]}"})
        return pair[1].patch(LIST, json={"ingress": routers}).status_code

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        statuses = [status for _ in range(3) for status in pool.map(change, enumerate(several))]
    assert {*statuses} <= {200, 409}
    assert 200 in statuses


# Trying, repeating, deleting


def test_a_dry_run_changes_nothing(gateway: Gateway, client: httpx.Client, web: str, name: str) -> None:
    dry = {"dry_run": "true"}
    sent = {"ingress": ingress(name, {"target_service": web})}
    would = told(client.post(LIST, params=dry, json=sent), DryRun)
    assert [item["kind"] for item in would.objects] == ["Ingress"]
    assert name not in listed(client)
    create(client, sent["ingress"])
    change = {"ingress": {"name": name, "annotations": {"a": "b"}}}
    assert "+    a: b" in told(client.patch(LIST, params=dry, json=change), DryRun).diff
    assert told(delete(client, name, **dry), DryRun).deleted == [f"Ingress/{name}"]
    assert "annotations" not in whole(gateway, name)["metadata"]


def test_a_repeat_makes_nothing_twice(client: httpx.Client, web: str, name: str) -> None:
    sent = {"ingress": ingress(name, {"target_service": web})}
    first, again = (client.post(LIST, json=sent, headers={"Idempotency-Key": name}) for _ in range(2))
    assert told(first, types.OneIngress) == told(again, types.OneIngress)
    assert again.headers["Idempotency-Replayed"] == "true"


def test_deleting_is_a_batch(client: httpx.Client, web: str, name: str) -> None:
    create(client, ingress(name, {"target_service": web}))
    batch = told(delete(client, name, "nothing-here", name), Batch[None], 207)
    assert [done.name for done in batch.succeed] == [name]
    assert [(one.name, one.code) for one in batch.failed] == [("nothing-here", 404)]
    refused(delete(client, "nothing-here"), 404)
    refused(client.request("DELETE", LIST, json={}), 400, field="ingress")
    assert name not in listed(client)


def test_who_may_do_what(gateway: Gateway, project: Project, web: str, name: str) -> None:
    sent = ingress(name, {"target_service": web})
    create(project.member, sent)
    reader = project.reader
    assert name in listed(reader)
    assert uris(reader, name=name)
    for method, body in (
        ("POST", {"ingress": {**sent, "name": f"{name}x"}}),
        ("PATCH", {"ingress": {"name": name}}),
        ("DELETE", {"ingress": [name]}),
    ):
        refused(gateway.client().request(method, LIST, json=body), 401)
        refused(reader.request(method, LIST, json=body), 403)
        stranger = gateway.client("other", **there(NAMESPACE))
        refused(stranger.request(method, LIST, json=body), 404)
    for path in (LIST, ACCESS):
        refused(gateway.client().get(path), 401)
        assert name not in gateway.client("other").get(path).text
        refused(project.client("member", "image", **there(NAMESPACE)).get(path), 404)

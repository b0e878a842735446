"""Services that change, whoever made them: what is not named stays."""

from __future__ import annotations

import concurrent.futures
import json
from typing import TYPE_CHECKING, Any

import msgspec

from ecns.api.common.batches import Batch
from ecns.api.common.objects import DryRun
from ecns.api.services import types
from tests.api.answers import refused, told
from tests.api.services.asking import (
    LIST,
    MODE,
    NAMESPACE,
    create,
    delete,
    kubectl,
    listed,
    modes,
    one,
    service,
    there,
    update,
    whole,
)
from tests.api.workloads import asking
from tests.api.workloads.asking import unused, workload
from tests.gateway import eventually

if TYPE_CHECKING:
    import httpx

    from tests.api.project import Project
    from tests.gateway import Gateway

Json = dict[str, Any]


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


def test_what_is_shown_and_sent_back_changes_nothing(
    gateway: Gateway, client: httpx.Client, name: str
) -> None:
    labels = {"app.kubernetes.io/part-of": "another-tool", "app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "nginx:1"}]}}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template},
    }
    several: list[Json] = [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": called},
            "spec": {"selector": labels, "ports": [{"port": 80}]},
        }
        for called in (f"{name}-b", f"{name}-a")
    ]
    for one_of in (deployment, *several):
        kubectl(gateway, "create", "-f", "-", stdin=json.dumps(one_of))
    row = eventually(lambda: listed(client, name=f"{name}-a")).popitem()[1]
    assert row.selector == labels
    dry = {"dry_run": "true"}
    answer = client.put(one(row.name), params=dry, json={"service": msgspec.to_builtins(row)})
    assert told(answer, DryRun).diff == ""
    shown = [msgspec.to_builtins(mode) for mode in modes(client, name).values()]
    query = {"action": "access_modes", **dry}
    path = f"/workloads/workload/{name}/"
    assert told(client.patch(path, params=query, json={"access_modes": shown}), DryRun).diff == ""
    turned = client.patch(path, params=query, json={"access_modes": shown[::-1]})
    assert "ecns.easystack.com/order" in told(turned, DryRun).diff
    kubectl(gateway, "delete", "deployment", name)


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

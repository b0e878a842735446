"""Services both ways: what is posted is shown, and whoever made one, it is shown and loses nothing."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecns.api.common.patching import operations
from ecns.api.services import manifests, types
from ecns.api.services.manifests import Around, changes, completed
from ecns.api.workloads import manifests as workload_manifests
from ecns.api.workloads.checks.access import check_access_mode
from ecns.api.workloads.types import Workload
from ecns.backends.kubernetes.kinds import DEPLOYMENT, ENDPOINT_SLICE, SERVICE
from tests.api.workloads.recorded import recorded, samples
from tests.api.workloads.test_manifests import QUICK, lost
from tests.api.workloads.test_total import applied
from tests.api.workloads.workloads import LABELS, NAMES, access_modes

Json = dict[str, Any]

FOREIGN: Json = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {
        "name": "web",
        "namespace": "shop",
        "labels": {"app": "web", "app.kubernetes.io/part-of": "shop"},
        "annotations": {"example.com/owner": "us"},
        "resourceVersion": "1",
    },
    "spec": {
        "type": "NodePort",
        "selector": {"app": "web"},
        "clusterIP": "10.96.0.9",
        "clusterIPs": ["10.96.0.9", "fd00::9"],
        "ipFamilies": ["IPv4", "IPv6"],
        "ipFamilyPolicy": "PreferDualStack",
        "sessionAffinity": "ClientIP",
        "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 60}},
        "externalTrafficPolicy": "Local",
        "internalTrafficPolicy": "Local",
        "publishNotReadyAddresses": True,
        "trafficDistribution": "PreferClose",
        "ports": [
            {"name": "web", "port": 80, "protocol": "TCP", "targetPort": "http", "nodePort": 30080},
            {
                "name": "grpc",
                "port": 9000,
                "protocol": "TCP",
                "appProtocol": "grpc",
                "targetPort": 9000,
                "nodePort": 30090,
            },
            {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": "nowhere", "nodePort": 30053},
            {"name": "sip", "port": 53, "protocol": "SCTP", "targetPort": 53, "nodePort": 30053},
        ],
    },
    "status": {"loadBalancer": {}},
}


def decoded(whole: Json) -> Any:
    return msgspec.convert(whole, SERVICE.type)


def deployment(name: str = "web", **labels: str) -> Any:
    """A Deployment that kubectl made."""
    labels = labels or {"app": name}
    ports = [{"name": "http", "containerPort": 8080}]
    whole = {
        "metadata": {"name": name, "namespace": "shop", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "c", "ports": ports}]},
            },
        },
    }
    return msgspec.convert(whole, DEPLOYMENT.type)


def sent(**fields: Any) -> types.ChangedService:
    return msgspec.convert(fields, types.ChangedService, strict=False)


def changed(whole: Json, **fields: Any) -> Json:
    """A Service after an update."""
    shown = manifests.service(decoded(whole), Around(controllers=[deployment()]))
    change = sent(**fields)
    mode = completed(change.access_mode, shown.access_mode)
    made = changes(
        whole, change, mode, selector=whole["spec"].get("selector"), workload=None, behind=deployment()
    )
    return applied(whole, operations(whole, made))


def back(whole: Json, around: Around) -> Json:
    """A Service after what was shown of it was sent back."""
    shown = msgspec.to_builtins(manifests.service(decoded(whole), around))
    change = sent(**{key: shown[key] for key in shown if key in types.ChangedService.__struct_fields__})
    mode = completed(change.access_mode, manifests.service(decoded(whole), around).access_mode)
    behind = manifests.target(decoded(whole), around.controllers)
    made = changes(
        whole, change, mode, selector=whole["spec"].get("selector"), workload=behind, behind=behind
    )
    return applied(whole, operations(whole, made))


def said(sent: Any) -> Any:
    """What was sent without what says nothing."""
    if not isinstance(sent, dict):
        return [said(one) for one in sent] if isinstance(sent, list) else sent
    found = {key: said(value) for key, value in sent.items()}
    return {key: value for key, value in found.items() if value not in (None, "", {})}


# Both ways


@QUICK
@given(access_modes(), LABELS, NAMES, st.sampled_from(["None", "ClientIP", None]))
def test_what_is_posted_is_shown(modes: list[Json], labels: Json, name: str, affinity: str | None) -> None:
    for mode in modes:
        body: Json = {"access_mode": mode, "target_workload": name, "workload_type": "Deployment"}
        body |= {"labels": labels, "session_affinity": affinity}
        new = msgspec.convert(body, types.NewService, strict=False)
        new.access_mode.name = name
        if (external := new.access_mode.external) and (balancer := external.loadbalancer):
            balancer.name = balancer.name or None
        check_access_mode(new.access_mode, at="service.access_mode")
        workload = deployment(name, **{"ecns.easystack.com/workload": name})
        made = manifests.made(new, name, workload, namespace="shop")
        for one in (made.controller, *(found for _, found in made.dependants)):
            kubernetes_validate.validate(msgspec.json.decode(msgspec.json.encode(one)), "1.36", strict=True)
        ingresses = [found for _, found in made.dependants]
        around = Around(controllers=[workload], ingresses=ingresses)  # type: ignore[arg-type]  # all are
        shown = msgspec.to_builtins(manifests.service(made.controller, around))
        wanted = said(msgspec.to_builtins(new))
        for port in wanted["access_mode"]["access"]:
            port.pop("routers", None)  # an Ingress does not say which port a rule was sent with
        if mode["type"] == "ExternalName":
            wanted["access_mode"].pop("cluster_ip", None)
        missing = lost(wanted, shown)
        assert missing == [], missing


def everything() -> list[Json]:
    """Services of real clusters and real projects."""
    found = [*recorded("Service"), *(one for one in samples() if one["kind"] == "Service")]
    assert len(found) > 60
    return found


def test_every_service_is_shown_and_sent_back_changes_nothing() -> None:
    for whole in everything():
        for around in (Around(), Around(controllers=[deployment()])):
            shown = manifests.service(decoded(whole), around)
            msgspec.json.encode(shown)
            assert shown.name == whole["metadata"]["name"]
            assert len(shown.access_mode.access or []) == len(whole["spec"].get("ports") or [])
            if "clusterIP" in whole["spec"] or whole["spec"].get("type") == "ExternalName":
                assert back(whole, around) == whole


def test_a_service_of_another_tool_is_shown_and_survives() -> None:
    around = Around(controllers=[deployment()])
    shown = manifests.service(decoded(FOREIGN), around)
    assert (shown.target_workload, shown.workload_type) == ("web", "Deployment")
    assert (shown.session_affinity, shown.external_traffic_policy) == ("ClientIP", "Local")
    assert shown.cluster_ips == ["10.96.0.9", "fd00::9"]
    assert shown.access_mode.access is not None
    assert [(one.name, one.port, one.protocol, one.target_port) for one in shown.access_mode.access] == [
        ("web", 80, "TCP", 8080),
        ("grpc", 9000, "TCP", 9000),
        ("dns", 53, "UDP", None),
        ("sip", 53, "SCTP", 53),
    ]
    assert back(FOREIGN, around) == FOREIGN


# Changes


def test_what_is_not_named_stays() -> None:
    after = changed(FOREIGN, labels={"tier": "front"})
    assert after["spec"] == FOREIGN["spec"]
    assert after["metadata"]["labels"] == {"tier": "front", "app.kubernetes.io/part-of": "shop"}
    assert after["metadata"]["annotations"] == {"example.com/owner": "us"}
    after = changed(FOREIGN, access_mode={"annotations": {"a": "b"}})
    assert after["metadata"]["annotations"] == {"a": "b"}
    assert after["spec"] == FOREIGN["spec"]


def test_a_port_that_is_named_keeps_what_it_has() -> None:
    after = changed(FOREIGN, access_mode={"access": [{"port": 9000}, {"port": 443, "target_port": 8443}]})
    kept, new = after["spec"]["ports"]
    assert kept == FOREIGN["spec"]["ports"][1]
    assert new == {"name": "tcp-443", "port": 443, "protocol": "TCP", "targetPort": 8443}
    after = changed(FOREIGN, access_mode={"access": [{"port": 80, "target_port": 81, "name": "www"}]})
    assert after["spec"]["ports"] == [{**FOREIGN["spec"]["ports"][0], "name": "www", "targetPort": 81}]


def test_a_port_without_a_name_gets_one_when_another_joins_it() -> None:
    plain = {**FOREIGN, "spec": {**FOREIGN["spec"], "ports": [{"port": 80, "protocol": "TCP"}]}}
    assert changed(plain, access_mode={"access": [{"port": 80}]}) == plain
    after = changed(plain, access_mode={"access": [{"port": 80}, {"port": 81}]})
    assert [port["name"] for port in after["spec"]["ports"]] == ["tcp-80", "tcp-81"]


@pytest.mark.parametrize("kind", ["ClusterIP", "LoadBalancer"])
def test_another_type_keeps_the_address(kind: str) -> None:
    after = changed(FOREIGN, access_mode={"type": kind})["spec"]
    assert after["clusterIPs"] == FOREIGN["spec"]["clusterIPs"]
    ports = [port.get("nodePort") for port in after["ports"]]
    if kind == "ClusterIP":
        assert ports == [None] * 4
        assert "externalTrafficPolicy" not in after
    else:
        assert ports == [30080, 30090, 30053, 30053]
        assert after["externalTrafficPolicy"] == "Local"


def test_a_load_balancer_gives_up_what_is_its_own() -> None:
    spec = {
        **FOREIGN["spec"],
        "type": "LoadBalancer",
        "allocateLoadBalancerNodePorts": True,
        "healthCheckNodePort": 31000,
        "loadBalancerClass": "example.com/lb",
        "loadBalancerSourceRanges": ["10.0.0.0/8"],
    }
    whole = {**FOREIGN, "spec": spec}
    assert changed(whole, labels={"app": "web"})["spec"] == spec
    after = changed(whole, access_mode={"type": "NodePort"})["spec"]
    assert after == {**FOREIGN["spec"], "type": "NodePort"}
    after = changed(whole, external_traffic_policy="Cluster")["spec"]
    assert (after["externalTrafficPolicy"], "healthCheckNodePort" in after) == ("Cluster", False)


def test_addresses_from_outside_keep_their_policy() -> None:
    spec = {**FOREIGN["spec"], "externalIPs": ["192.0.2.1"]}
    after = changed({**FOREIGN, "spec": spec}, access_mode={"type": "ClusterIP"})["spec"]
    assert after["externalTrafficPolicy"] == "Local"


def test_a_domain_has_no_addresses() -> None:
    after = changed(FOREIGN, access_mode={"type": "ExternalName", "external_name": "db.example.com"})["spec"]
    assert after["externalName"] == "db.example.com"
    assert not {"clusterIP", "clusterIPs", "ipFamilies", "selector", "internalTrafficPolicy"} & after.keys()
    assert not any("nodePort" in port for port in after["ports"])


def test_affinity() -> None:
    after = changed(FOREIGN, session_affinity="None")["spec"]
    assert (after["sessionAffinity"], "sessionAffinityConfig" in after) == ("None", False)
    assert changed(FOREIGN, session_affinity="ClientIP") == FOREIGN


def test_the_load_balancer_stays_and_its_subnet_is_changed_wherever_it_is_said() -> None:
    external = {
        "loadbalancer": {"name": "front", "vip_subnet_id": "a"},
        "flavor_profile": {"flavor_data": {"compute_flavor": "f", "loadbalancer_topology": "SINGLE"}},
    }
    new = msgspec.convert(
        {
            "access_mode": {"type": "LoadBalancer", "access": [{"port": 80}], "external": external},
            "target_workload": "web",
        },
        types.NewService,
    )
    made = manifests.made(new, "web", deployment(), namespace="shop").controller
    made.metadata.resource_version = "1"
    whole = msgspec.to_builtins(made)
    shown = manifests.service(made, Around()).access_mode
    assert shown.external is not None
    assert lost(external, msgspec.to_builtins(shown.external)) == []
    assert shown.annotations == {}
    assert changed(whole, access_mode={"access": [{"port": 80}]}) == whole
    whole_mode = msgspec.to_builtins(shown)
    for change in ({"subnet": "b"}, {**whole_mode, "subnet": "b"}):
        annotations = changed(whole, access_mode=change)["metadata"]["annotations"]
        assert annotations == {
            **whole["metadata"]["annotations"],
            "loadbalancer.openstack.org/subnet-id": "b",
        }


# What it leads to


def test_of_several_workloads_the_one_it_was_made_for_is_named() -> None:
    older, newer = deployment("old"), deployment("new")
    newer.metadata.creation_timestamp = "2026-02-01T00:00:00Z"
    around = Around(controllers=[older, newer])
    shown = manifests.service(decoded(FOREIGN), around)
    assert shown.target_workload == "old"
    assert [one.name for one in shown.workloads] == ["old", "new"]
    made_for = {
        **FOREIGN,
        "metadata": {**FOREIGN["metadata"], "labels": {"ecns.easystack.com/workload": "new"}},
    }
    assert manifests.service(decoded(made_for), around).target_workload == "new"


def test_a_workload_that_is_gone_is_still_named() -> None:
    label = {"ecns.easystack.com/workload": "gone"}
    selecting = {**FOREIGN, "spec": {**FOREIGN["spec"], "selector": label}}
    shown = manifests.service(decoded(selecting), Around())
    assert (shown.target_workload, shown.workload_type, shown.workloads) == ("gone", "", [])
    assert manifests.service(decoded(FOREIGN), Around()).target_workload == ""


def test_applications() -> None:
    def member(application: str | None) -> Any:
        found = deployment()
        found.metadata.labels = {"app.kubernetes.io/part-of": application} if application else {}
        return found

    foreign = decoded(FOREIGN)
    assert manifests.applications(foreign, []) == {"shop"}
    assert manifests.applications(foreign, [member(None)]) == {"shop"}
    assert manifests.applications(foreign, [member("a"), member("b")]) == {"a", "b"}
    foreign.metadata.labels["app.kubernetes.io/managed-by"] = "ecns"
    assert manifests.applications(foreign, [member(None)]) == set()
    assert manifests.applications(foreign, []) == {"shop"}


def test_endpoints_are_counted_once() -> None:
    def slices(*several: tuple[str, list[tuple[str, bool | None]]]) -> list[Any]:
        return [
            msgspec.convert(
                {
                    "addressType": family,
                    "endpoints": [
                        {"addresses": [address], "conditions": {} if ready is None else {"ready": ready}}
                        for address, ready in found
                    ],
                },
                ENDPOINT_SLICE.type,
            )
            for family, found in several
        ]

    four = ("IPv4", [("10.0.0.1", True), ("10.0.0.2", False), ("10.0.0.3", None)])
    six = ("IPv6", [("fd00::1", True), ("fd00::2", False), ("fd00::3", None)])
    assert manifests.endpoints(slices()) == (0, 0)
    assert manifests.endpoints(slices(four)) == (2, 3)
    assert manifests.endpoints(slices(four, six)) == (2, 3)
    assert manifests.endpoints(slices(four, ("IPv4", [("10.0.0.1", True), ("10.0.0.9", True)]))) == (3, 4)
    null = msgspec.convert({"addressType": "IPv4", "endpoints": None}, ENDPOINT_SLICE.type)
    assert manifests.endpoints([null]) == (0, 0)


def test_workloads_show_what_services_are_made_of() -> None:
    """The access modes of a workload and the Service itself say the same."""
    body = {
        "workload_base": {"name": "web", "type": "Deployment", "replicas": 1},
        "containers": [{"name": "c", "image": {"image": "nginx"}}],
        "access_mode": [{"type": "NodePort", "access": [{"port": 80, "node_port": 30080}]}],
    }
    made = workload_manifests.objects(msgspec.convert(body, Workload), namespace="shop", registry_domain="")
    around = workload_manifests.Companions(services=made.services)
    mode = (workload_manifests.workload(made.controller, around).access_mode or [])[0]
    shown = manifests.service(made.services[0], Around(controllers=[made.controller]))
    assert shown.access_mode == mode
    assert shown.target_workload == "web"

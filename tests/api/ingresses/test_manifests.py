"""Ingresses both ways: what is posted is shown, and whoever made one, it is shown and loses nothing."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecns.api.common.patching import operations
from ecns.api.ingresses import checks, manifests, types
from ecns.api.workloads.manifests import routes
from ecns.backends.kubernetes.kinds import INGRESS, SERVICE
from ecns.errors import BadRequestError
from tests.api.workloads.recorded import recorded
from tests.api.workloads.test_manifests import QUICK, lost
from tests.api.workloads.test_total import applied
from tests.api.workloads.workloads import LABELS, NAMES, PATHS, PORTS, some

Json = dict[str, Any]

HOSTS = st.sampled_from(["a.example.com", "b.example.com", "*.example.com"])
RESOURCE = some({"kind": st.just("Bucket"), "name": NAMES}, {"api_group": st.just("k8s.example.com")})
ROUTER = some(
    {},
    {
        "domain": HOSTS,
        "path": PATHS,
        "path_type": st.sampled_from(["Prefix", "Exact", "ImplementationSpecific"]),
    },
)
TO = some({"target_service": NAMES, "service_port": PORTS}) | some(
    {"target_service": NAMES, "service_port_name": NAMES}
)
TARGETS = TO | some({"resource": RESOURCE})
INGRESSES = some(
    {
        "name": NAMES,
        "routers": st.lists(
            st.builds(lambda one, two: {**one, **two}, ROUTER, TARGETS),
            min_size=1,
            max_size=4,
            unique_by=lambda one: (one.get("domain") or "", one.get("path") or "/"),
        ),
    },
    {
        "annotations": LABELS,
        "labels": LABELS,
        "ingress_class": NAMES,
        "tls": st.lists(some({"hosts": st.lists(HOSTS, max_size=2)}, {"secret_name": NAMES}), max_size=2),
        "default_backend": TARGETS,
    },
)


def path(where: str, service: Any = "web", port: Any = 80, **more: Any) -> Json:
    """A path of a rule; a port may have a name."""
    number = {"number": port} if isinstance(port, int) else {"name": port}
    backend = {"service": {"name": service, "port": number}} if isinstance(service, str) else service
    return {"path": where, "pathType": "Prefix", "backend": backend, **more}


BUCKET = {"resource": {"apiGroup": "k8s.example.com", "kind": "Bucket", "name": "b"}}
FOREIGN: Json = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {
        "name": "front",
        "namespace": "shop",
        "labels": {"app": "front"},
        "annotations": {
            "nginx.ingress.kubernetes.io/rewrite-target": "/$2",
            "kubectl.kubernetes.io/last-applied-configuration": "{}",
        },
    },
    "spec": {
        "ingressClassName": "nginx",
        "defaultBackend": {"service": {"name": "web", "port": {"name": "http"}}},
        "tls": [{"hosts": ["a.example.com"], "secretName": "cert"}],
        "rules": [
            {"host": "a.example.com", "http": {"paths": [path("/x", port="http"), path("/y", unknown=1)]}},
            {
                "host": "b.example.com",
                "http": {"paths": [path("/(.*)", BUCKET, pathType="ImplementationSpecific")]},
            },
            {"host": "a.example.com", "http": {"paths": [path("/x", pathType="Exact", port=81)]}},
            {"host": "bare.example.com"},
            {"http": {"paths": [{"pathType": "ImplementationSpecific", **path("", "gone", "http")}]}},
        ],
    },
    "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}, {"hostname": "lb.example.com"}]}},
}
WEB = msgspec.convert(
    {
        "metadata": {"name": "web"},
        "spec": {"ports": [{"name": "http", "port": 80}, {"name": "admin", "port": 81}]},
    },
    SERVICE.type,
)
NUMBER = routes.numbers({"web": WEB})


def shown(whole: Json) -> types.Ingress:
    return manifests.ingress(msgspec.convert(whole, INGRESS.type), NUMBER)


def changed(whole: Json, **fields: Any) -> Json:
    """An Ingress after an update."""
    known = shown(whole)
    sent = msgspec.convert({"name": known.name, **fields}, types.ChangedIngress, strict=False)
    if sent.routers is not None:
        sent.routers = [manifests.completed(one, known.routers) for one in sent.routers]
    checks.check(sent, known)
    return applied(whole, operations(whole, manifests.changes(whole, sent, known, NUMBER)))


@QUICK
@given(INGRESSES)
def test_what_is_posted_is_shown(body: Json) -> None:
    sent = msgspec.convert(body, types.NewIngress)
    checks.check(sent)
    made = manifests.made(sent, namespace="shop")
    kubernetes_validate.validate(made, "1.36", strict=True)
    seen = msgspec.to_builtins(shown(made))

    def order(one: Json) -> str:
        return f"{one.get('domain') or ''} {one.get('path') or '/'}"

    wanted = msgspec.to_builtins(sent)
    for several in (wanted["routers"], seen["routers"]):
        several.sort(key=order)  # those of one domain become one rule
    missing = lost({**wanted, "tls": wanted["tls"] or None}, seen)
    assert missing == [], missing
    assert changed(made, **msgspec.to_builtins(shown(made))) == made


def everything() -> list[Json]:
    found = [*recorded("Ingress"), FOREIGN]
    assert len(found) > 5
    return found


def test_every_ingress_is_shown_and_sent_back_changes_nothing() -> None:
    for whole in everything():
        seen = shown(whole)
        msgspec.json.encode(seen)
        assert seen.name == whole["metadata"]["name"]
        assert changed(whole, **msgspec.to_builtins(seen)) == whole
        reference = [
            {"domain": one.domain, "path": one.path, "target_service": one.target_service}
            | {"service_port": one.service_port}
            for one in seen.routers
        ]
        if whole is not FOREIGN:  # it has one path twice, which only the type of the path tells apart
            assert changed(whole, routers=reference) == whole


def test_what_another_tool_made_is_shown() -> None:
    seen = shown(FOREIGN)
    assert [
        (one.domain, one.path, one.target_service, one.service_port, one.path_type) for one in seen.routers
    ] == [
        ("a.example.com", "/x", "web", 80, "Prefix"),
        ("a.example.com", "/y", "web", 80, "Prefix"),
        ("b.example.com", "/(.*)", None, None, "ImplementationSpecific"),
        ("a.example.com", "/x", "web", 81, "Exact"),
        ("bare.example.com", None, None, None, None),
        (None, "/", "gone", None, "Prefix"),
    ]
    assert seen.annotations == {"nginx.ingress.kubernetes.io/rewrite-target": "/$2"}
    assert seen.addresses == ["203.0.113.1", "lb.example.com"]
    assert seen.routers[2].resource is not None
    assert (seen.routers[0].service_port_name, seen.routers[5].service_port_name) == ("http", "http")


def test_what_is_not_named_stays() -> None:
    after = changed(FOREIGN, labels={"tier": "front"})
    assert after["spec"] == FOREIGN["spec"]
    assert after["metadata"]["labels"] == {"tier": "front"}
    assert after["metadata"]["annotations"] == FOREIGN["metadata"]["annotations"]
    after = changed(FOREIGN, annotations={"a": "b"})
    assert after["metadata"]["annotations"] == {
        "a": "b",
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
    }
    after = changed(FOREIGN, tls=[], ingress_class="", default_backend={})
    assert after["spec"] == {"rules": FOREIGN["spec"]["rules"]}


def test_a_router_more_leaves_the_others_as_they_are() -> None:
    routers = [
        *msgspec.to_builtins(shown(FOREIGN).routers),
        {"domain": "c.example.com", "target_service": "web"},
    ]
    routers[-1]["service_port"] = 80
    rules = changed(FOREIGN, routers=routers)["spec"]["rules"]
    present = FOREIGN["spec"]["rules"]
    assert rules[0]["http"]["paths"] == [*present[0]["http"]["paths"], *present[2]["http"]["paths"]]
    assert rules[1:4] == [present[1], present[3], present[4]]
    assert rules[4] == {"host": "c.example.com", "http": {"paths": [path("/")]}}


def test_a_router_that_leads_elsewhere_keeps_its_type() -> None:
    routers = [
        {"domain": "b.example.com", "path": "/(.*)", "target_service": "web", "service_port": 81},
        {"domain": "a.example.com", "path": "/y", "target_service": "web", "service_port_name": "admin"},
    ]
    rules = changed(FOREIGN, routers=routers)["spec"]["rules"]
    assert rules == [
        {
            "host": "b.example.com",
            "http": {"paths": [path("/(.*)", port=81, pathType="ImplementationSpecific")]},
        },
        {"host": "a.example.com", "http": {"paths": [path("/y", port="admin", unknown=1)]}},
    ]


def test_an_older_way_to_name_the_class_gives_way() -> None:
    whole = {
        **FOREIGN,
        "metadata": {**FOREIGN["metadata"], "annotations": {"kubernetes.io/ingress.class": "old"}},
        "spec": {key: value for key, value in FOREIGN["spec"].items() if key != "ingressClassName"},
    }
    assert shown(whole).ingress_class == "old"
    assert changed(whole, ingress_class="old") == whole
    after = changed(whole, ingress_class="new")
    assert after["spec"]["ingressClassName"] == "new"
    assert after["metadata"]["annotations"] == {}


WRONG: list[tuple[str, Json]] = [
    ("ingress.name", {"name": "A"}),
    ("ingress.name", {"name": "a" * 254}),
    ("ingress.routers", {"routers": []}),
    ("ingress.routers", {"routers": [], "default_backend": {}}),
    *(
        ("ingress.routers[0].domain", {"routers": [{"domain": host}]})
        for host in ("*.", "-a.b", "EXAMPLE.com", "a..b", "*.*.a", "*", "10.0.0.1", "::1", "a b", "a" * 254)
    ),
    *(
        ("ingress.routers[0].path", {"routers": [{"path": where}]})
        for where in ("a", " /a", "//", "/a/../b", "/a/./b", "/a/..", "/%2f", "/%2F")
    ),
    ("ingress.routers[0].path", {"routers": [{"path": "(.*)", "path_type": "ImplementationSpecific"}]}),
    ("ingress.routers[0].target_service", {"routers": [{"target_service": None}]}),
    ("ingress.routers[0].target_service", {"routers": [{"target_service": "a.b"}]}),
    ("ingress.routers[0].target_service", {"routers": [{"target_service": "a" * 64}]}),
    *(("ingress.routers[0].service_port", {"routers": [{"service_port": port}]}) for port in (0, -1, 65536)),
    (
        "ingress.routers[0].service_port_name",
        {"routers": [{"service_port": None, "service_port_name": "No name"}]},
    ),
    ("ingress.routers[0].resource", {"routers": [{"resource": {"kind": "a", "name": "b"}}]}),
    (
        "ingress.routers[0].resource.kind",
        {"routers": [{"target_service": None, "resource": {"kind": "", "name": "b"}}]},
    ),
    ("ingress.routers[1]", {"routers": [{}, {"path": "/"}]}),
    ("ingress.labels.a", {"labels": {"a": "b c"}}),
    ("ingress.annotations", {"annotations": {"a b": "c"}}),
    ("ingress.ingress_class", {"ingress_class": "A"}),
    ("ingress.tls[0].hosts[0]", {"tls": [{"hosts": ["A"]}]}),
    ("ingress.tls[0].secret_name", {"tls": [{"secret_name": "A"}]}),
    ("ingress.default_backend.target_service", {"default_backend": {"service_port": 80}}),
]


@pytest.mark.parametrize(("field", "wrong"), WRONG)
def test_what_cannot_be_is_refused(field: str, wrong: Json) -> None:
    default = {"target_service": "web", "service_port": 80}
    routers = [{**default, **one} for one in wrong.get("routers", [{}])]
    body = {"name": "front", **wrong, "routers": routers}
    sent = msgspec.convert(body, types.NewIngress)
    with pytest.raises(BadRequestError) as caught:
        checks.check(sent)
    assert caught.value.field == field


def test_patterns_and_two_types_of_one_path_are_let_through() -> None:
    target = {"target_service": "web", "service_port": 80}
    routers = [
        {**target, "path": "/api(/|$)(.*)", "path_type": "ImplementationSpecific"},
        {**target, "path": "/a"},
        {**target, "path": "/a", "path_type": "Exact"},
        {**target, "domain": "*.example.com"},
    ]
    checks.check(msgspec.convert({"name": "a.b", "routers": routers}, types.NewIngress))

"""What an Ingress has alone in its cluster."""

from __future__ import annotations

from typing import Any

import msgspec

from ecns.api.common.claims import Route, class_of, default_class, is_canary, routes_of
from ecns.backends.kubernetes.kinds import INGRESS, INGRESS_CLASS


def ingress(annotations: dict[str, str] | None = None, **spec: Any) -> Any:
    return msgspec.convert(
        {"metadata": {"name": "x", "annotations": annotations}, "spec": spec}, INGRESS.type
    )


def ingress_class(name: str, made: str = "", default: str = "true") -> Any:
    annotations = {"ingressclass.kubernetes.io/is-default-class": default} if default else None
    metadata = {"name": name, "creationTimestamp": made or None, "annotations": annotations}
    return msgspec.convert({"metadata": metadata}, INGRESS_CLASS.type)


def test_the_class_is_named_in_either_way() -> None:
    assert class_of(ingress()) == ""
    assert class_of(ingress(ingressClassName="a")) == "a"
    assert class_of(ingress({"kubernetes.io/ingress.class": "b"})) == "b"
    assert class_of(ingress({"kubernetes.io/ingress.class": "b"}, ingressClassName="a")) == "a"


def test_of_several_default_classes_the_newest_is_it_then_the_first_by_name() -> None:
    assert default_class([]) == ""
    assert default_class([ingress_class("a", default=""), ingress_class("b", default="false")]) == ""
    old, new = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"
    several = [ingress_class("a", old), ingress_class("c", new), ingress_class("b", new)]
    assert default_class(several) == "b"


def test_routes_are_told_apart_by_host_path_and_type() -> None:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    paths = [
        {"pathType": "ImplementationSpecific", "backend": backend},
        {"path": "/a", "pathType": "Exact", "backend": backend},
    ]
    found = ingress(
        rules=[{"host": "a.x", "http": {"paths": paths}}, {"host": "b.x"}, {"http": {"paths": paths[1:]}}]
    )
    assert routes_of(found) == {
        Route("a.x", "/", "ImplementationSpecific"),
        Route("a.x", "/a", "Exact"),
        Route("", "/a", "Exact"),
    }
    assert routes_of(ingress()) == set()


def test_a_canary_shares() -> None:
    assert is_canary(ingress({"nginx.ingress.kubernetes.io/canary": "true"}))
    assert not is_canary(ingress({"nginx.ingress.kubernetes.io/canary": "false"}))
    assert not is_canary(ingress())

"""Between the reference's ingresses and Kubernetes' objects; pure, and total in the direction of showing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from ecns.api.common import marks, names
from ecns.api.common.claims import CLASS_ANNOTATION, Claim, class_of
from ecns.api.common.claims import Route as ClaimedRoute
from ecns.api.common.patching import MISSING, Path, find
from ecns.api.ingresses import types
from ecns.api.workloads.manifests import routes
from ecns.backends.kubernetes.kinds import networking as net
from ecns.backends.kubernetes.kinds.meta import JsonObject

HIDDEN = frozenset({names.LAST_APPLIED, names.REQUEST})
"""Annotations that are not the user's."""


# Showing


def ingress(found: net.Ingress, number: routes.Number) -> types.Ingress:
    """An Ingress as its users see it, whoever made it; `number` knows the ports of Services."""
    metadata, spec = found.metadata, found.spec
    return types.Ingress(
        name=metadata.name,
        routers=shown_routes(msgspec.to_builtins(spec.rules or []), number),
        annotations=shown_annotations(metadata.annotations),
        labels=names.shown_labels(metadata.labels),
        creation_time=metadata.creation_timestamp,
        ingress_class=class_of(found) or None,
        tls=[types.Tls(hosts=one.hosts or [], secret_name=one.secret_name or None) for one in spec.tls or ()],
        default_backend=shown_backend(spec.default_backend, number),
        addresses=[entry.ip or entry.hostname for entry in found.status.load_balancer.ingress or ()],
    )


def shown_annotations(annotations: dict[str, str] | None) -> dict[str, str]:
    """The annotations that are the user's."""
    return {key: value for key, value in (annotations or {}).items() if key not in HIDDEN}


def shown_routes(rules: Sequence[JsonObject], number: routes.Number) -> list[types.Route]:
    """The routers that whole rules are; a rule without paths is one without a path."""
    return [
        types.Route(
            domain=one.host or None,
            path=one.path or None,
            path_type=one.path_type or None,  # type: ignore[arg-type]  # what Kubernetes has
            **_target(msgspec.convert(one.backend, net.IngressBackend), number),
        )
        for one in routes.read(rules)
    ]


def shown_backend(found: net.IngressBackend | None, number: routes.Number) -> types.Backend | None:
    """What answers for the rest."""
    return None if found is None else types.Backend(**_target(found, number))


def _target(found: net.IngressBackend, number: routes.Number) -> dict[str, Any]:
    service, resource = found.service, found.resource
    if service is not None:
        return {
            "target_service": service.name,
            "service_port": service.port.number or number(service.name, service.port.name) or None,
            "service_port_name": service.port.name or None,
        }
    if resource is None:
        return {}
    shown = types.ResourceBackend(
        kind=resource.kind, name=resource.name, api_group=resource.api_group or None
    )
    return {"resource": shown}


def services(found: net.Ingress) -> set[str]:
    """The Services that an Ingress leads to."""
    named = {backend.name for _, _, backend in routes.of_services(found)}
    default = found.spec.default_backend
    return named | ({default.service.name} if default and default.service else set())


def applications(found: net.Ingress, theirs: Collection[str]) -> set[str]:
    """The applications that an Ingress is part of: those of its Services, else the one that it names."""
    own = marks.part_of(found)
    ours = (found.metadata.labels or {}).get(names.MANAGED_BY) == names.MANAGER
    return {own} if own and not theirs and not ours else set(theirs)


# Making and changing


def backend(sent: types.Route | types.Backend) -> JsonObject:
    """Where a router leads; a port by its number, else by its name."""
    if sent.target_service:
        port: JsonObject = (
            {"number": sent.service_port} if sent.service_port else {"name": sent.service_port_name or ""}
        )
        return {"service": {"name": sent.target_service, "port": port}}
    if sent.resource is None:
        return {}
    group = {"apiGroup": sent.resource.api_group} if sent.resource.api_group else {}
    return {"resource": {**group, "kind": sent.resource.kind, "name": sent.resource.name}}


def route(sent: types.Route) -> routes.Route:
    """A router as Kubernetes has it; one that leads nowhere is a rule without paths."""
    found = backend(sent)
    path = (sent.path or routes.ANY_PATH) if found else ""
    return routes.Route(sent.domain or "", path, (sent.path_type or "") if found else "", found)


def completed(sent: types.Route, known: Sequence[types.Route]) -> types.Route:
    """A router with what is not said of it as it is, if one of its domain and path leads to its Service."""

    def is_it(one: types.Route) -> bool:
        return (
            (one.domain or "", one.path or routes.ANY_PATH)
            == (sent.domain or "", sent.path or routes.ANY_PATH)
            and sent.path_type in {None, one.path_type}
            and (sent.target_service or None) == one.target_service
            and sent.resource in (None, one.resource)
            and sent.service_port in {None, one.service_port}
            and (sent.service_port_name or None) in {None, one.service_port_name}
        )

    return next((one for one in known if is_it(one)), sent)


def claims(sent: Sequence[types.Route], known: Sequence[types.Route], at: str) -> list[Claim]:
    """What routers want to have alone in the cluster and do not have already."""
    there = [route(one) for one in known]
    found = []
    for index, one in enumerate(map(route, sent)):
        had = any(one[:2] == old[:2] and one.path_type in {"", old.path_type} for old in there)
        if one.path and not had:
            claimed = ClaimedRoute(one.host, one.path, one.path_type or routes.PATH_TYPE)
            found.append(Claim(f"{at}[{index}]", claimed))
    return found


def made(sent: types.NewIngress, *, namespace: str) -> JsonObject:
    """The Ingress that `checks` let through, whose routers have their ports."""
    spec: JsonObject = {}
    if sent.ingress_class:
        spec["ingressClassName"] = sent.ingress_class
    if sent.default_backend is not None and (found := backend(sent.default_backend)):
        spec["defaultBackend"] = found
    if sent.tls:
        spec["tls"] = tls(sent.tls)
    if sent.routers:
        spec["rules"] = routes.written([route(one) for one in sent.routers], [], _unknown)
    return {
        "apiVersion": net.INGRESS.api_version,
        "kind": net.INGRESS.kind,
        "metadata": {
            "name": sent.name,
            "namespace": namespace,
            "labels": {**names.shown_labels(sent.labels), names.MANAGED_BY: names.MANAGER},
            **({"annotations": sent.annotations} if sent.annotations else {}),
        },
        "spec": spec,
    }


def tls(sent: Sequence[types.Tls]) -> list[JsonObject]:
    """Hosts with their Secrets."""
    return [
        {
            **({"hosts": one.hosts} if one.hosts else {}),
            **({"secretName": one.secret_name} if one.secret_name else {}),
        }
        for one in sent
    ]


def changes(
    whole: JsonObject, sent: types.ChangedIngress, shown: types.Ingress, number: routes.Number
) -> dict[Path, Any]:
    """The parts of an Ingress that an update changes, for `patching.operations`; what is as shown stays.

    Args:
        whole: the Ingress, with all of its fields.
        sent: what was sent; its routers have their ports.
        shown: the Ingress as it was shown.
        number: knows the ports of Services.
    """
    made: dict[Path, Any] = {}
    metadata = whole["metadata"]
    if sent.labels is not None:
        before, after = shown.labels, names.shown_labels(sent.labels)
        made |= {("metadata", "labels", key): after.get(key, MISSING) for key in {**before, **after}}
    if sent.annotations is not None:
        keys = {**shown.annotations, **shown_annotations(sent.annotations)}
        made |= {("metadata", "annotations", key): sent.annotations.get(key, MISSING) for key in keys}
    if sent.ingress_class is not None and sent.ingress_class != (shown.ingress_class or ""):
        made["spec", "ingressClassName"] = sent.ingress_class or MISSING
        if CLASS_ANNOTATION in (metadata.get("annotations") or {}):
            made["metadata", "annotations", CLASS_ANNOTATION] = MISSING
    if sent.tls is not None and sent.tls != shown.tls:
        made["spec", "tls"] = tls(sent.tls) or MISSING
    if sent.default_backend is not None and sent.default_backend != shown.default_backend:
        made["spec", "defaultBackend"] = backend(sent.default_backend) or MISSING
    if sent.routers is not None and sent.routers != shown.routers:
        present = find(whole, ("spec", "rules"))
        wanted = [route(one) for one in sent.routers]
        rules = routes.written(wanted, [] if present is MISSING else present, number)
        made["spec", "rules"] = rules or MISSING
    return made


def _unknown(service: str, port: str) -> int:  # noqa: ARG001  it knows none
    return 0

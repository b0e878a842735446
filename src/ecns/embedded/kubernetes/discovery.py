"""What a client asks before it asks for objects: versions, groups, resources, health.

Source: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api and
https://kubernetes.io/docs/reference/using-api/health-checks/
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import msgspec

from ecns.embedded.kubernetes.errors import ApiError, Object
from ecns.embedded.kubernetes.negotiation import DISCOVERY, encode, negotiate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ecns.embedded.kubernetes.resources import Resource, Resources, Subresource

VERSION: Object = {
    "major": "1",
    "minor": "36",
    "emulationMajor": "1",
    "emulationMinor": "36",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "35",
    "gitVersion": "v1.36.2",
    "gitCommit": "98b35193b2ac7a23a673325f5e9b830ecd5ba406",
    "gitTreeState": "clean",
    "buildDate": "2026-08-21T00:00:00Z",
    "goVersion": "go1.26.6",
    "compiler": "gc",
    "platform": "linux/amd64",
}
"""The release whose behaviour is simulated, as `/version` tells it."""

_TEXT = "text/plain; charset=utf-8"
_HOOKS = """
start-apiserver-admission-initializer generic-apiserver-start-informers priority-and-fairness-config-consumer
priority-and-fairness-filter storage-object-count-tracker-hook start-apiextensions-informers
start-apiextensions-controllers crd-informer-synced start-system-namespaces-controller
peer-endpoint-reconciler-controller start-cluster-authentication-info-controller
start-kube-apiserver-identity-lease-controller start-kube-apiserver-identity-lease-garbage-collector
storage-readiness start-legacy-token-tracking-controller start-service-ip-repair-controllers
rbac/bootstrap-roles scheduling/bootstrap-system-priority-classes priority-and-fairness-config-producer
bootstrap-controller
start-kubernetes-service-cidr-controller aggregator-reload-proxy-client-cert start-kube-aggregator-informers
apiservice-status-local-available-controller apiservice-status-remote-available-controller
apiservice-registration-controller apiservice-wait-for-first-sync apiservice-discovery-controller
kube-apiserver-autoregistration
"""
_POST_START = (
    *(f"poststarthook/{hook}" for hook in _HOOKS.split()),
    "autoregister-completion",
    "poststarthook/apiservice-openapi-controller",
    "poststarthook/apiservice-openapiv3-controller",
)
_ALIVE = ("ping", "log", "loopback-serving-certificate", "etcd", *_POST_START)
CHECKS = {
    "healthz": _ALIVE,
    "livez": _ALIVE,
    "readyz": ("ping", "log", "informer-sync", *_POST_START, "shutdown"),
}
"""The checks behind each health path, in their order."""


class Response(msgspec.Struct, frozen=True):
    """An answer that is not about objects: status, content type, body and further headers."""

    body: bytes
    content_type: str = "application/json"
    status: int = 200
    headers: dict[str, str] = {}


def not_found_page() -> Response:
    """What a path that means nothing gets."""
    return Response(b"404 page not found\n", _TEXT, 404)


def unknown_resource() -> ApiError:
    """What a path below a served group gets when no resource stands there."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", details={})


def respond(
    path: str, query: Mapping[str, str], accept: str, resources: Resources, *, address: str = ""
) -> Response | None:
    """Answers a GET of version, health, the index and discovery.

    Args:
        path: the request's path.
        query: its parameters.
        accept: its Accept header.
        resources: what is served.
        address: `host:port` that the server is reached at.

    Returns:
        The answer; None when the path is of resources, or of something else (`/openapi/…`, unknown paths).

    Raises:
        ApiError: 404 for an unknown version of a known group, 406 for a representation that is not offered.
    """
    parts = [part for part in path.split("/") if part]
    if not parts:
        return Response(encode({"paths": _paths(resources)}))
    head, rest = parts[0], parts[1:]
    if head in CHECKS:
        return _health(head, "/".join(rest), query)
    if path.rstrip("/") == "/version":
        return Response(msgspec.json.format(encode(VERSION), indent=2))
    if head not in {"api", "apis"} or len(rest) > (1 if head == "api" else 2):
        return None
    if not rest:
        return _root(head, accept, resources, address)
    media = negotiate(accept, frozenset()).media
    group, version = ("", rest[0]) if head == "api" else (rest[0], rest[1] if len(rest) > 1 else "")
    versions = resources.groups().get(group)
    if versions is None:
        return not_found_page()
    if not version:
        document = {"kind": "APIGroup", "apiVersion": "v1", **_group(group, versions)}
    elif version in versions:
        document = resource_list(group, version, resources)
    elif all(resource.definition for resource in resources if resource.group == group):
        return not_found_page()
    else:
        raise unknown_resource()
    return Response(encode(document, media), media)


def _root(head: str, accept: str, resources: Resources, address: str) -> Response:
    agreed = negotiate(accept, DISCOVERY)
    document: Object
    if agreed.kind:
        document = aggregated(head, resources)
    elif head == "api":
        reached = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
        document = {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": reached}
    else:
        groups = [_group(group, versions) for group, versions in _ordered(resources)]
        document = {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
    body = encode(document, agreed.media)
    headers = {"Vary": "Accept"}
    if agreed.kind:
        headers["ETag"] = f'"{hashlib.sha512(body).hexdigest().upper()}"'
    return Response(body, agreed.content_type, headers=headers)


def _ordered(resources: Resources) -> list[tuple[str, tuple[str, ...]]]:
    """The named groups: the built-in ones in their order, then those of custom resources by name."""
    built_in = {resource.group for resource in resources if not resource.definition}
    groups = [item for item in resources.groups().items() if item[0]]
    custom = sorted(item for item in groups if item[0] not in built_in)
    return [item for item in groups if item[0] in built_in] + custom


def _group(group: str, versions: tuple[str, ...]) -> Object:
    listed = [{"groupVersion": f"{group}/{version}", "version": version} for version in versions]
    return {"name": group, "versions": listed, "preferredVersion": listed[0]}


def storage_hash(resource: Resource) -> str:
    """The opaque mark of what a resource is stored as; the same for resources that show the same objects."""
    group = resource.stored_as.partition(".")[2]
    # Definitions were first stored as v1beta1, and their mark is still of that.
    version = "v1beta1" if resource.kind == "CustomResourceDefinition" else resource.storage_version
    stored = f"{group}/{version}/{resource.kind}".encode()
    return base64.b64encode(hashlib.sha256(stored).digest()[:8]).decode()


def _verbs(resource: Resource) -> list[str]:
    """Custom resources list theirs in an order of their own."""
    if not resource.definition:
        return list(resource.verbs)
    order = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
    return [verb for verb in order if verb in resource.verbs]


def resource_list(group: str, version: str, resources: Resources) -> Object:
    """The plain `APIResourceList` of a group's version."""
    listed: list[Object] = []
    for resource in resources.in_version(group, version):
        own: Object = {
            "name": resource.plural,
            "singularName": resource.singular,
            "namespaced": resource.namespaced,
            "kind": resource.kind,
            "verbs": _verbs(resource),
            **_names(resource),
        }
        if "watch" in resource.verbs:
            own["storageVersionHash"] = storage_hash(resource)
        listed.append(own)
        listed += [_plain(resource, sub) for sub in resource.subresources]
    head: Object = {"kind": "APIResourceList"}
    if group:
        head["apiVersion"] = "v1"
    return {**head, "groupVersion": f"{group}/{version}" if group else version, "resources": listed}


def _names(resource: Resource) -> Object:
    names: Object = {}
    if resource.short_names:
        names["shortNames"] = list(resource.short_names)
    if resource.categories:
        names["categories"] = list(resource.categories)
    return names


def _plain(resource: Resource, sub: Subresource) -> Object:
    foreign = {"group": sub.group, "version": sub.version} if sub.version else {}
    return {
        "name": f"{resource.plural}/{sub.name}",
        "singularName": "",
        "namespaced": resource.namespaced,
        **foreign,
        "kind": sub.kind,
        "verbs": list(sub.verbs),
    }


def aggregated(head: str, resources: Resources) -> Object:
    """The `APIGroupDiscoveryList` of `api` (the core group) or `apis` (all others)."""
    groups = [("", resources.groups()[""])] if head == "api" else _ordered(resources)
    items = [
        {
            "metadata": {"name": group} if group else {},
            "versions": [
                {
                    "version": version,
                    "resources": [
                        _aggregate(resource, version) for resource in resources.in_version(group, version)
                    ],
                    "freshness": "Current",
                }
                for version in versions
            ],
        }
        for group, versions in groups
    ]
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    }


def _aggregate(resource: Resource, version: str) -> Object:
    # Built-in resources leave their kind's group and version to be taken from where they stand.
    own = (resource.group, version) if resource.definition else ("", "")
    found: Object = {
        "resource": resource.plural,
        "responseKind": {"group": own[0], "version": own[1], "kind": resource.kind},
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": _verbs(resource),
        **_names(resource),
    }
    subs = [
        {
            "subresource": sub.name,
            "responseKind": {
                "group": sub.group if sub.version else own[0],
                "version": sub.version or own[1],
                "kind": sub.kind,
            },
            "verbs": list(sub.verbs),
        }
        for sub in resource.subresources
    ]
    return {**found, "subresources": subs} if subs else found


def _paths(resources: Resources) -> list[str]:
    paths = {"/api", "/api/v1", "/apis", "/apis/", "/openapi/v2", "/openapi/v3", "/openapi/v3/", "/version"}
    for group, versions in _ordered(resources):
        paths.add(f"/apis/{group}")
        paths |= {f"/apis/{group}/{version}" for version in versions}
    for kind, checks in CHECKS.items():
        paths.add(f"/{kind}")
        paths |= {f"/{kind}/{check}" for check in checks}
    return sorted(paths)


def _health(kind: str, check: str, query: Mapping[str, str]) -> Response:
    """The server answers as soon as it has started, so that every check has passed."""
    checks = CHECKS[kind]
    if check:
        return Response(b"ok", _TEXT) if check in checks else not_found_page()
    if "verbose" not in query:
        return Response(b"ok", _TEXT)
    excluded = query.get("exclude", "")
    lines = [f"[+]{name} excluded: ok" if name == excluded else f"[+]{name} ok" for name in checks]
    if excluded and excluded not in checks:
        lines.append(f'warn: some health checks cannot be excluded: no matches for "{excluded}"')
    return Response("\n".join([*lines, f"{kind} check passed\n"]).encode(), _TEXT)

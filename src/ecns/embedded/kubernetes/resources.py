"""The table of what is served: built-in resources and those that CustomResourceDefinitions add.

Source: the discovery documents of Kubernetes 1.36 (`/api/v1`, `/apis/...`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
STATUS_VERBS = ("get", "patch", "update")


class Subresource(msgspec.Struct, frozen=True):
    """A path below an object, such as `status`.

    `group` and `version` are set when its kind is of another API than its parent (a Scale, an Eviction).
    """

    name: str
    kind: str
    verbs: tuple[str, ...] = STATUS_VERBS
    group: str = ""
    version: str = ""


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """One served resource.

    `versions` are those served, the preferred one first; `storage_version` is what the store holds.
    `stored_as` names the resource whose objects this one shows in another shape (`events.events.k8s.io`
    shows `events`); it is the resource's own name elsewhere. `schemas` and `columns` (version → value) are
    of custom resources only. `definition` is the name of the CustomResourceDefinition, "" for a built-in.
    `webhook` is where its objects would be brought from one version into another.
    """

    group: str
    versions: tuple[str, ...]
    plural: str
    singular: str
    kind: str
    namespaced: bool
    storage_version: str
    stored_as: str
    list_kind: str
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    subresources: tuple[Subresource, ...] = ()
    definition: str = ""
    schemas: dict[str, dict[str, Any]] = {}
    columns: dict[str, list[dict[str, Any]]] = {}
    scales: dict[str, dict[str, str]] = {}
    selectable: dict[str, tuple[str, ...]] = {}
    preserve_unknown: bool = False
    webhook: str = ""

    @property
    def name(self) -> str:
        """`pods` or `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def stored(self) -> bool:
        """Whether objects of it are kept (a SubjectAccessReview is only answered)."""
        return "get" in self.verbs

    def api_version(self, version: str = "") -> str:
        """`apps/v1`, `v1`; of the preferred version unless told."""
        version = version or self.versions[0]
        return f"{self.group}/{version}" if self.group else version

    def subresource(self, name: str) -> Subresource | None:
        """The subresource of that name."""
        return next((sub for sub in self.subresources if sub.name == name), None)


class Resources:
    """The registry: built-in resources in discovery's order, then custom ones."""

    def __init__(self) -> None:
        self._by_name: dict[str, Resource] = {}
        self._by_path: dict[tuple[str, str, str], Resource] = {}
        self._by_kind: dict[tuple[str, str], Resource] = {}
        self.revision = 0
        self._groups: dict[str, tuple[str, ...]] | None = None
        for resource in _builtins():
            self.add(resource)

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._by_name.values())

    def add(self, resource: Resource) -> None:
        """Serves a resource; one of the same name is replaced."""
        self.remove(resource.name)
        self._by_name[resource.name] = resource
        self._by_kind[resource.group, resource.kind] = resource
        for version in resource.versions:
            self._by_path[resource.group, version, resource.plural] = resource
        self.revision += 1
        self._groups = None

    def remove(self, name: str) -> None:
        """Serves it no longer."""
        resource = self._by_name.pop(name, None)
        if resource is None:
            return
        self._by_kind.pop((resource.group, resource.kind), None)
        for version in resource.versions:
            self._by_path.pop((resource.group, version, resource.plural), None)
        self.revision += 1
        self._groups = None

    def by_name(self, name: str) -> Resource | None:
        """By `deployments.apps`."""
        return self._by_name.get(name)

    def __getitem__(self, name: str) -> Resource:
        return self._by_name[name]

    def by_path(self, group: str, version: str, plural: str) -> Resource | None:
        """By the parts of a request's path; `group` is "" for the core."""
        return self._by_path.get((group, version, plural))

    def by_kind(self, api_version: str, kind: str) -> Resource | None:
        """By an object's `apiVersion` (of which only the group counts) and `kind`."""
        group = api_version.rpartition("/")[0]
        return self._by_kind.get((group, kind))

    def is_built_in(self, group: str) -> bool:
        """Whether a group is of Kubernetes itself."""
        return any(resource.group == group and not resource.definition for resource in self)

    def groups(self) -> dict[str, tuple[str, ...]]:
        """Group → its served versions, preferred first; the core group "" comes first."""
        if self._groups is not None:
            return self._groups
        found: dict[str, tuple[str, ...]] = {}
        for resource in self:
            have = found.get(resource.group, ())
            found[resource.group] = have + tuple(
                version for version in resource.versions if version not in have
            )
        self._groups = {
            group: tuple(sorted(versions, key=_priority, reverse=True)) for group, versions in found.items()
        }
        return self._groups

    def in_version(self, group: str, version: str) -> list[Resource]:
        """The resources of a group's version, sorted by plural."""
        found = [item for (g, v, _), item in self._by_path.items() if (g, v) == (group, version)]
        return sorted(found, key=lambda item: item.plural)


def _priority(version: str) -> tuple[int, int, int, str]:
    """Kubernetes' order of versions: v2 before v1 before v1beta1 before v1alpha1 before foo1."""
    head, _, tail = version.removeprefix("v").partition("beta")
    if version.startswith("v") and head.isdigit() and not tail:
        return (3, int(head), 0, "")
    if head.isdigit() and tail.isdigit():
        return (2, int(head), int(tail), "")
    head, _, tail = version.removeprefix("v").partition("alpha")
    if version.startswith("v") and head.isdigit() and tail.isdigit():
        return (1, int(head), int(tail), "")
    return (0, 0, 0, version)


preference = _priority

_SCALE = Subresource("scale", "Scale", STATUS_VERBS, "autoscaling", "v1")
_STREAM = ("create", "get")
_PROXY = ("create", "delete", "get", "patch", "update")

_POD_SUBRESOURCES = (
    Subresource("attach", "PodAttachOptions", _STREAM),
    Subresource("binding", "Binding", ("create",)),
    Subresource("ephemeralcontainers", "Pod"),
    Subresource("eviction", "Eviction", ("create",), "policy", "v1"),
    Subresource("exec", "PodExecOptions", _STREAM),
    Subresource("log", "Pod", ("get",)),
    Subresource("portforward", "PodPortForwardOptions", _STREAM),
    Subresource("proxy", "PodProxyOptions", _PROXY),
    Subresource("resize", "Pod"),
    Subresource("status", "Pod"),
)
_MORE = {
    "namespaces": (Subresource("finalize", "Namespace", ("update",)),),
    "nodes": (Subresource("proxy", "NodeProxyOptions", _PROXY),),
    "services": (Subresource("proxy", "ServiceProxyOptions", _PROXY),),
    "pods": _POD_SUBRESOURCES,
    "serviceaccounts": (Subresource("token", "TokenRequest", ("create",), "authentication.k8s.io", "v1"),),
}
_VERBS = {
    "bindings": ("create",),
    "componentstatuses": ("get", "list"),
    "namespaces": ("create", "delete", "get", "list", "patch", "update", "watch"),
}

# group versions | plural kind [singular=…] C(luster)|N(amespaced) [-status] [-scale] [short,…] [+category]
_TABLE = """
= v1
bindings Binding N
componentstatuses ComponentStatus C cs
configmaps ConfigMap N cm
endpoints Endpoints N ep
events Event N ev
limitranges LimitRange N limits
namespaces Namespace C -status ns
nodes Node C -status no
persistentvolumeclaims PersistentVolumeClaim N -status pvc
persistentvolumes PersistentVolume C -status pv
pods Pod N po +all
podtemplates PodTemplate N
replicationcontrollers ReplicationController N -scale -status rc +all
resourcequotas ResourceQuota N -status quota
secrets Secret N
serviceaccounts ServiceAccount N sa
services Service N -status svc +all
=apps v1
controllerrevisions ControllerRevision N
daemonsets DaemonSet N -status ds +all
deployments Deployment N -scale -status deploy +all
replicasets ReplicaSet N -scale -status rs +all
statefulsets StatefulSet N -scale -status sts +all
=events.k8s.io v1
events Event N ev
=authentication.k8s.io v1
selfsubjectreviews SelfSubjectReview C review
tokenreviews TokenReview C review
=authorization.k8s.io v1
localsubjectaccessreviews LocalSubjectAccessReview N review
selfsubjectaccessreviews SelfSubjectAccessReview C review
selfsubjectrulesreviews SelfSubjectRulesReview C review
subjectaccessreviews SubjectAccessReview C review
=autoscaling v2,v1
horizontalpodautoscalers HorizontalPodAutoscaler N -status hpa +all
=batch v1
cronjobs CronJob N -status cj +all
jobs Job N -status +all
=networking.k8s.io v1
ingressclasses IngressClass C
ingresses Ingress N -status ing
ipaddresses IPAddress C ip
networkpolicies NetworkPolicy N netpol
servicecidrs ServiceCIDR C -status
=policy v1
poddisruptionbudgets PodDisruptionBudget N -status pdb
=rbac.authorization.k8s.io v1
clusterrolebindings ClusterRoleBinding C
clusterroles ClusterRole C
rolebindings RoleBinding N
roles Role N
=storage.k8s.io v1
csidrivers CSIDriver C
csinodes CSINode C
csistoragecapacities CSIStorageCapacity N
storageclasses StorageClass C sc
volumeattachments VolumeAttachment C -status
volumeattributesclasses VolumeAttributesClass C vac
=apiextensions.k8s.io v1
customresourcedefinitions CustomResourceDefinition C -status crd,crds +api-extensions
=scheduling.k8s.io v1
priorityclasses PriorityClass C pc
=coordination.k8s.io v1
leases Lease N
=node.k8s.io v1
runtimeclasses RuntimeClass C
=discovery.k8s.io v1
endpointslices EndpointSlice N
"""


def _builtins() -> Iterator[Resource]:
    group = ""
    versions: tuple[str, ...] = ("v1",)
    for line in _TABLE.strip().splitlines():
        if line.startswith("="):
            group, _, listed = line[1:].partition(" ")
            versions = tuple(listed.split(","))
            continue
        plural, kind, scope, *rest = line.split()
        review = rest == ["review"]
        subs = _MORE.get(plural, ()) if not group else ()
        if "-scale" in rest:
            subs += (_SCALE,)
        if "-status" in rest:
            subs += (Subresource("status", kind),)
        short = next((item for item in rest if item[0] not in "-+" and not review), "")
        yield Resource(
            group=group,
            versions=versions,
            plural=plural,
            singular=kind.lower(),
            kind=kind,
            namespaced=scope == "N",
            storage_version=versions[0],
            stored_as="events" if group == "events.k8s.io" else (f"{plural}.{group}" if group else plural),
            list_kind=f"{kind}List",
            short_names=tuple(short.split(",")) if short else (),
            categories=tuple(item[1:] for item in rest if item[0] == "+"),
            verbs=("create",) if review else (_VERBS.get(plural, ALL_VERBS) if not group else ALL_VERBS),
            subresources=tuple(sorted(subs, key=lambda sub: sub.name)),
        )

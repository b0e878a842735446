"""The reference's types of chapter 1.12."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

BusinessType = Literal["SecurityContainer", "HybridOrchestration", "Normal", "User", "Controller"]
ClusterType = Literal["EOS", "EKS", "EHOS"]
ListedClusterType = Literal["EOS", "EKS", "EHOS", "PROJECT_ALL", "CLOUD_ALL"]
SecurityPolicy = Literal["Limited", "Unlimited"]
Role = Literal["Developer", "Visitor"]

UNLIMITED = -1
"""A quota's value where there is no limit."""


class User(Struct, kw_only=True):
    """user: somebody who may see a namespace."""

    id: str
    name: str | None = None
    email: str | None = None


class NamespaceBase(Struct, kw_only=True):
    """namespace_base: where a namespace is and whose."""

    name: str
    cluster_name: str
    cluster_type: ClusterType | None = None
    """Of the cluster; one that is sent must be right."""
    business_type: BusinessType | None = None
    domain: str | None = None
    project: str | None = None
    project_id: str | None = None
    """The caller's own when not sent."""
    role: list[Role] | None = None
    """Who may use it: Developer writes, Visitor reads; empty means both."""
    user_ids: list[User] | None = None
    """Who of the project may see it; empty means everybody."""


class Quota(Struct, kw_only=True):
    """quota: counts, CPU in cores, memory in MiB, storage in GiB; -1 is unlimited."""

    pods: int | None = None
    cpu: int | None = None
    memory: int | None = None
    statefulsets: int | None = None
    deployments: int | None = None
    jobs: int | None = None
    cronjobs: int | None = None
    storage: int | None = None
    persistentvolumeclaims: int | None = None
    configmaps: int | None = None
    services: int | None = None
    loadbalancers: int | None = None
    secrets: int | None = None
    ingress: int | None = None


class QuotaStatus(Struct, kw_only=True):
    """quota_status: the limits and what is used of them."""

    hard: Quota
    used: Quota
    exceeded: list[str]
    """What is used beyond its limit: nothing more of it can be made."""


class NamespaceStatus(Struct, kw_only=True):
    """namespace_status."""

    status: str
    creation_time: str


class Namespace(Struct, kw_only=True):
    """namespace."""

    namespace_base: NamespaceBase
    psp: SecurityPolicy | None = None
    quota: Quota | None = None
    namespace_status: NamespaceStatus | None = None


class OneNamespace(Struct, kw_only=True):
    """A body with one namespace."""

    namespace: Namespace


class Namespaces(Struct, kw_only=True):
    """The list of namespaces."""

    namespaces: list[Namespace]
    total: int
    page: int
    page_size: int


class DeleteNamespaces(Struct, kw_only=True):
    """The body of "delete namespaces"."""

    namespaces: list[NamespaceBase]


class SetSecurityPolicy(Struct, kw_only=True):
    """The body of "set security policy"."""

    psp: SecurityPolicy


class SetUsers(Struct, kw_only=True):
    """The body of "change visible users"."""

    user_ids: list[User]


class SetQuota(Struct, kw_only=True):
    """The body of "set quota"."""

    quota: Quota


class QuotaAnswer(Struct, kw_only=True):
    """The answer of "get quota"."""

    quota: QuotaStatus


class Removed(Struct, kw_only=True):
    """What goes with a namespace: how many of each kind were in it."""

    removed: dict[str, int]


class ClusterSelector(Struct):
    """cluster_selector: a cluster and its namespaces that the caller may use."""

    cluster_name: str
    cluster_addr: str
    cluster_type: str
    namespaces: list[str]


class ProjectSelector(Struct):
    """project_selector: a project and where it has namespaces."""

    project_name: str
    project_id: str
    clusters: list[ClusterSelector]


class CurrentNamespace(Struct):
    """The answer of "switch namespace"."""

    ecns_cluster_addr: str
    ecns_cluster_type: str
    ecns_project_id: str
    ecns_current_ns: list[str]
    ecns_cluster_name: str

"""The reference's types of chapter 1.12."""

from __future__ import annotations

from typing import Literal

import msgspec

BusinessType = Literal["SecurityContainer", "HybridOrchestration", "Normal", "User", "Controller"]


class ClusterSelector(msgspec.Struct):
    """cluster_selector: a cluster and its namespaces that the caller may use."""

    cluster_name: str
    cluster_addr: str
    cluster_type: str
    namespaces: list[str]


class ProjectSelector(msgspec.Struct):
    """project_selector: a project and where it has namespaces."""

    project_name: str
    project_id: str
    clusters: list[ClusterSelector]


class CurrentNamespace(msgspec.Struct):
    """The answer of "switch namespace"."""

    ecns_cluster_addr: str
    ecns_cluster_type: str
    ecns_project_id: str
    ecns_current_ns: list[str]
    ecns_cluster_name: str

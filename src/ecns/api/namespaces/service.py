"""What the namespace operations do."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from ecns.api.namespaces.types import ClusterSelector, ProjectSelector
from ecns.errors import EcnsError
from ecns.identity.place import BUSINESS_TYPE_LABEL, PROJECT_LABEL, PROJECT_NAME_ANNOTATION

if TYPE_CHECKING:
    from ecns.backends.kubernetes.kinds.core import Namespace
    from ecns.backends.openstack.keystone import Keystone
    from ecns.identity.caller import Caller
    from ecns.identity.place import Places, Visible
    from ecns.identity.policy import Policy


def _matches(namespace: Namespace, business_type: str | None) -> bool:
    labels = namespace.metadata.labels or {}
    return business_type is None or labels.get(BUSINESS_TYPE_LABEL, "Normal") == business_type


async def tree(
    places: Places, policy: Policy, keystone: Keystone, caller: Caller, business_type: str | None
) -> tuple[list[ProjectSelector], list[str]]:
    """What a caller may choose from, and the names of the clusters that did not answer."""
    visible = await places.visible(caller)
    names: dict[str, str] = {caller.project_id: caller.project_name}
    chosen: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for seen in visible:
        chosen[caller.project_id][seen.cluster.name] = []
    for seen in visible:
        for namespace in seen.namespaces:
            project_id = (namespace.metadata.labels or {}).get(PROJECT_LABEL)
            if project_id and _matches(namespace, business_type):
                chosen[project_id][seen.cluster.name].append(namespace.metadata.name)
                names.setdefault(
                    project_id, (namespace.metadata.annotations or {}).get(PROJECT_NAME_ANNOTATION, "")
                )
    if policy.is_cloud_admin(caller) and not all(names.values()):
        names |= await _project_names(keystone, caller)
    projects = [
        ProjectSelector(
            project_name=names.get(project_id, ""),
            project_id=project_id,
            clusters=_clusters(visible, clusters),
        )
        for project_id, clusters in chosen.items()
    ]
    projects.sort(key=lambda project: (project.project_name, project.project_id))
    return projects, [seen.cluster.name for seen in visible if seen.error]


def _clusters(visible: list[Visible], namespaces: dict[str, list[str]]) -> list[ClusterSelector]:
    return [
        ClusterSelector(
            cluster_name=seen.cluster.name,
            cluster_addr=seen.cluster.addr,
            cluster_type=seen.cluster.type,
            namespaces=namespaces[seen.cluster.name],
        )
        for seen in visible
        if seen.cluster.name in namespaces
    ]


async def _project_names(keystone: Keystone, caller: Caller) -> dict[str, str]:
    """Names by id; without them the tree shows ids, which is better than no tree."""
    try:
        return {project.id: project.name for project in await keystone.projects(caller.token)}
    except EcnsError:
        return {}

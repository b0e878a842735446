"""The rights of a project's people in its namespace, as RoleBindings of the cluster itself.

Changes are made as the caller (`Impersonate-Group: ecns:project:<id>:member` …); these bindings are what
lets them through, so the cluster refuses what ECNS's own policy should have. The ClusterRoles are those
every cluster has. Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/#user-facing-roles
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from ecns.backends.kubernetes.client import Patch
from ecns.backends.kubernetes.kinds.core import Namespace
from ecns.backends.kubernetes.kinds.meta import JsonObject, Kind
from ecns.backends.kubernetes.kinds.rbac import ROLE_BINDING

if TYPE_CHECKING:
    from ecns.backends.kubernetes.clusters import Cluster

MANAGED = {"app.kubernetes.io/managed-by": "ecns"}
ROLES = {"admin": "admin", "member": "edit", "reader": "view"}
CLOUD_ADMIN_GROUP = "ecns:cloud:admin"

_bound: WeakKeyDictionary[Cluster, dict[str, tuple[str, tuple[str, ...]]]] = WeakKeyDictionary()
"""By cluster and namespace uid, the project and users of the bindings that stand: one made anew has none."""


def project_group(project_id: str, right: str) -> str:
    """The group of a right (`admin`, `member`, `reader`) in a project."""
    return f"ecns:project:{project_id}:{right}"


def user_group(user_id: str, right: str) -> str:
    """The group of one user's right, for namespaces that only some users of the project may see."""
    return f"ecns:user:{user_id}:{right}"


def role_bindings(namespace: str, project_id: str, users: Sequence[str]) -> list[JsonObject]:
    """The three RoleBindings of a project's namespace.

    Args:
        namespace: where.
        project_id: whose.
        users: ids of those who may see it; empty means everybody of the project. Administrators may always.
    """
    bindings = []
    for right, role in ROLES.items():
        groups = [project_group(project_id, right)]
        if right == "admin":
            groups.append(CLOUD_ADMIN_GROUP)
        elif users:
            groups = [user_group(user, right) for user in users]
        bindings.append(
            {
                "apiVersion": ROLE_BINDING.api_version,
                "kind": ROLE_BINDING.kind,
                "metadata": {"name": f"ecns-{right}", "namespace": namespace, "labels": MANAGED},
                "roleRef": {"apiGroup": ROLE_BINDING.group, "kind": "ClusterRole", "name": role},
                "subjects": [
                    {"apiGroup": ROLE_BINDING.group, "kind": "Group", "name": group} for group in groups
                ],
            }
        )
    return bindings


async def bind_cloud_admins(cluster: Cluster) -> None:
    """Let cloud administrators do everything in a cluster that is ECNS's own; elsewhere its operator decides.

    Raises:
        UpstreamError: the cluster refuses or does not answer.
    """
    binding = {
        "apiVersion": ROLE_BINDING.api_version,
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "ecns-cloud-admins", "labels": MANAGED},
        "roleRef": {"apiGroup": ROLE_BINDING.group, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": ROLE_BINDING.group, "kind": "Group", "name": CLOUD_ADMIN_GROUP}],
    }
    kind = Kind[JsonObject](
        ROLE_BINDING.group, "v1", "clusterrolebindings", "ClusterRoleBinding", dict, namespaced=False
    )
    await cluster.client.patch(kind, "ecns-cloud-admins", "", Patch.apply(binding, force=True))


async def bind(cluster: Cluster, namespace: Namespace, project_id: str, users: Sequence[str]) -> None:
    """Make sure that a project's namespace has its RoleBindings; done once for each in this process.

    Raises:
        UpstreamError: the cluster refuses (ECNS's own rights are in `deploy/`) or does not answer.
    """
    known = _bound.setdefault(cluster, {})
    metadata = namespace.metadata
    wanted = (project_id, tuple(users))
    if known.get(metadata.uid) == wanted:
        return
    await asyncio.gather(
        *(
            cluster.client.patch(
                ROLE_BINDING, binding["metadata"]["name"], metadata.name, Patch.apply(binding, force=True)
            )
            for binding in role_bindings(metadata.name, project_id, users)
        )
    )
    known[metadata.uid] = wanted

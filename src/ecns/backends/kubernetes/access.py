"""The rights of a project's people in its namespace, as RoleBindings of the cluster itself.

Changes are made as the caller (`Impersonate-Group: ecns:project:<id>:member` …); these bindings are what
lets them through, so the cluster refuses what ECNS's own policy should have. The ClusterRoles are those
every cluster has. Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/#user-facing-roles
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from ecns.backends.kubernetes.client import Patch
from ecns.backends.kubernetes.kinds.meta import JsonObject, Kind, ObjectMeta

if TYPE_CHECKING:
    from ecns.backends.kubernetes.clusters import Cluster

ROLE_BINDING = Kind("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", JsonObject)
MANAGED = {"app.kubernetes.io/managed-by": "ecns"}
ROLES = {"admin": "admin", "member": "edit", "reader": "view"}

_bound: WeakKeyDictionary[Cluster, set[str]] = WeakKeyDictionary()
"""By cluster, the uids of the namespaces that have their bindings: one made anew has none."""


def role_bindings(namespace: str, project_id: str) -> list[JsonObject]:
    """The three RoleBindings of a project's namespace; cloud administrators come with the project's own."""
    bindings = []
    for right, role in ROLES.items():
        groups = [f"ecns:project:{project_id}:{right}"] + (["ecns:cloud:admin"] if right == "admin" else [])
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


async def bind_project(cluster: Cluster, namespace: ObjectMeta, project_id: str) -> None:
    """Make sure that a project's namespace has its RoleBindings; asked once for each in this process.

    Raises:
        UpstreamError: the cluster refuses (ECNS's own rights are in `deploy/`) or does not answer.
    """
    known = _bound.setdefault(cluster, set())
    if namespace.uid in known:
        return
    await asyncio.gather(
        *(
            cluster.client.patch(
                ROLE_BINDING, binding["metadata"]["name"], namespace.name, Patch.apply(binding, force=True)
            )
            for binding in role_bindings(namespace.name, project_id)
        )
    )
    known.add(namespace.uid)

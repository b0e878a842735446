"""From Kubernetes' nodes to the reference's.

Source: decisions, "Other chapters" (roles);
https://kubernetes.io/docs/reference/labels-annotations-taints/#node-role-kubernetes-io.
"""

from __future__ import annotations

from ecns.api.namespaces.types import BusinessType
from ecns.api.nodes.types import NodeAddress, NodeStatus
from ecns.backends.kubernetes.kinds.core import Node
from ecns.identity.place import BUSINESS_TYPE_LABEL

ROLE_PREFIX = "node-role.kubernetes.io/"
ROLE_LABEL = "ecns.easystack.com/node-role"
CONTROLLERS = frozenset({"control-plane", "master"})
_BUSINESS_ROLES: dict[str, BusinessType] = {
    "secure-container": "SecurityContainer",
    "hybrid-orchestration": "HybridOrchestration",
}


def roles(node: Node) -> list[str]:
    """A node's roles, from its labels."""
    labels = node.metadata.labels or {}
    found = {key.removeprefix(ROLE_PREFIX) for key in labels if key.startswith(ROLE_PREFIX)}
    return sorted(filter(None, found | {labels.get(ROLE_LABEL, "")}))


def business_types(node: Node) -> set[str]:
    """What a node is for: as its label says, else by its roles; all but controllers are User."""
    if said := (node.metadata.labels or {}).get(BUSINESS_TYPE_LABEL):
        return {said}
    having = set(roles(node))
    if having & CONTROLLERS:
        return {"Controller"}
    special = {_BUSINESS_ROLES[role] for role in having & _BUSINESS_ROLES.keys()}
    return {"User", *(special or {"Normal"})}


def node_status(node: Node) -> NodeStatus:
    """The reference's node."""
    status = node.status
    ready = any(one.type == "Ready" and one.status == "True" for one in status.conditions or ())
    return NodeStatus(
        name=node.metadata.name,
        addresses=[NodeAddress(one.address, one.type) for one in status.addresses or ()],
        allocatable={key: str(value) for key, value in (status.allocatable or {}).items()},
        capacity={key: str(value) for key, value in (status.capacity or {}).items()},
        phase="Ready" if ready else "NotReady",
        roles=roles(node),
    )

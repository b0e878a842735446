"""The reference's types of chapter 1.3."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

NodeRole = Literal["hybrid-orchestration", "secure-container"]


class NodeAddress(Struct):
    """node_address: `type` is Hostname, ExternalIP or InternalIP."""

    address: str
    type: str


class NodeStatus(Struct):
    """node_status; `roles` is ours on top."""

    name: str
    addresses: list[NodeAddress]
    allocatable: dict[str, str]
    """What pods may use, as Kubernetes quantities."""
    capacity: dict[str, str]
    """What there is, as Kubernetes quantities."""
    phase: Literal["Ready", "NotReady"]
    roles: list[str]


class Nodes(Struct):
    """The list of nodes."""

    nodes_status: list[NodeStatus]
    total: int
    page: int
    page_size: int

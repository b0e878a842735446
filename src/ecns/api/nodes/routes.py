"""The HTTP face of chapter 1.3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import msgspec
from litestar import Response, get
from litestar.params import HeaderParameter, Parameter

from ecns.api.common.lists import ListQuery, listed, select
from ecns.api.common.operations import CONTAINERS, operation
from ecns.api.namespaces.types import BusinessType
from ecns.api.nodes import manifests, types
from ecns.backends.kubernetes.kinds.core import NODE, Node
from ecns.identity.caller import Caller
from ecns.identity.place import Places

TAGS = ["1.3 Clusters"]

Host = Annotated[str, Parameter(description="Name or API server address; without it the current cluster.")]
Header = Annotated[str, HeaderParameter(name="X-Ecns-Cluster", required=False)]


@get("/cluster/nodes", opt=operation("node.list", CONTAINERS), tags=TAGS)
async def list_nodes(  # noqa: PLR0917  parameters, which Litestar passes by name
    places: Places,
    caller: Caller,
    listing: ListQuery,
    apiserver_host: Host = "",
    header: Header = "",
    btype: Annotated[BusinessType | None, Parameter(description="What the nodes are for.")] = None,
) -> Response[types.Nodes]:
    """The nodes of a cluster."""

    def wanted(node: Node) -> bool:
        return btype is None or btype in manifests.business_types(node)

    return await _page(places, caller, listing, apiserver_host or header, wanted)


@get("/cluster/nodesrole", opt=operation("node.roles", CONTAINERS), tags=TAGS)
async def list_nodes_of_role(  # noqa: PLR0917  parameters, which Litestar passes by name
    places: Places,
    caller: Caller,
    listing: ListQuery,
    apiserver_host: Host = "",
    header: Header = "",
    node_role: Annotated[types.NodeRole | None, Parameter(description="Only nodes of this role.")] = None,
) -> Response[types.Nodes]:
    """The nodes of a cluster that have a role."""

    def wanted(node: Node) -> bool:
        return node_role is None or node_role in manifests.roles(node)

    return await _page(places, caller, listing, apiserver_host or header, wanted)


async def _page(
    places: Places, caller: Caller, listing: ListQuery, cluster_name: str, wanted: Callable[[Node], bool]
) -> Response[types.Nodes]:
    cluster = await places.current_cluster(caller, cluster_name)
    cache = cluster.cache(NODE)
    await cache.ready()
    nodes = [node for node in cache.namespace("") if wanted(node)]
    selection = select(nodes, listing, metadata=lambda node: node.metadata)
    rows = [msgspec.json.encode(manifests.node_status(node)) for node in selection.items]
    return listed("nodes_status", rows, selection, listing)


ROUTES = [list_nodes, list_nodes_of_role]

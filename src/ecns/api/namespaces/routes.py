"""The HTTP face of chapter 1.12."""

from __future__ import annotations

from litestar import Response, get

from ecns.api.common.operations import CONTAINERS, operation
from ecns.api.namespaces import service
from ecns.api.namespaces.types import BusinessType, CurrentNamespace, ProjectSelector
from ecns.backends.openstack.keystone import Keystone
from ecns.identity.caller import Caller
from ecns.identity.place import Places
from ecns.identity.policy import Policy

TAGS = ["1.12 Namespaces"]


@get("/namespace", opt=operation("namespace.tree", CONTAINERS), tags=TAGS)
async def namespace_tree(
    places: Places,
    policy: Policy,
    keystone: Keystone,
    caller: Caller,
    business_type: BusinessType | None = None,
) -> Response[list[ProjectSelector]]:
    """Projects, their clusters, their namespaces: all that the caller may choose from.

    A cluster that does not answer is shown without namespaces and named in `X-Ecns-Unavailable`.
    """
    projects, unavailable = await service.tree(places, policy, keystone, caller, business_type)
    headers = {"X-Ecns-Unavailable": ", ".join(unavailable)} if unavailable else {}
    return Response(projects, headers=headers)


@get(
    "/namespace/{project_id:str}/cluster/{cluster_name:str}/ns/{namespace_name:str}",
    opt=operation("namespace.switch", CONTAINERS),
    tags=TAGS,
)
async def switch_namespace(
    places: Places, caller: Caller, project_id: str, cluster_name: str, namespace_name: str
) -> CurrentNamespace:
    """Make a namespace the current one of this token."""
    place = await places.switch(caller, project_id, cluster_name, namespace_name)
    return CurrentNamespace(
        ecns_cluster_addr=place.cluster.addr,
        ecns_cluster_type=place.cluster.type,
        ecns_project_id=project_id,
        ecns_current_ns=[place.namespace],
        ecns_cluster_name=place.cluster.name,
    )


ROUTES = [namespace_tree, switch_namespace]

"""The HTTP face of chapter 1.12."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.params import Parameter

from ecns.api.common import batches
from ecns.api.common.lists import ListQuery, listed, unavailable
from ecns.api.common.operations import CONTAINERS, operation
from ecns.api.namespaces import types
from ecns.api.namespaces.service import Namespaces
from ecns.api.namespaces.types import BusinessType, CurrentNamespace, ListedClusterType, ProjectSelector
from ecns.backends.openstack.keystone import Keystone
from ecns.identity.caller import Caller
from ecns.identity.place import Places
from ecns.identity.policy import Policy

TAGS = ["1.12 Namespaces"]
RedundantType = Annotated[
    str | None, Parameter(description="Has no effect: the path names the cluster, and so its type.")
]
ONE = "/namespace/cluster/{cluster_name:str}/ns/{namespace_name:str}"


def provide_namespaces(places: Places, policy: Policy, keystone: Keystone, caller: Caller) -> Namespaces:
    """Litestar's dependency `namespaces`."""
    return Namespaces(places, policy, keystone, caller)


@get("/namespace", opt=operation("namespace.tree", CONTAINERS), tags=TAGS)
async def namespace_tree(
    namespaces: Namespaces, business_type: BusinessType | None = None
) -> Response[list[ProjectSelector]]:
    """Projects, their clusters, their namespaces: all that the caller may choose from.

    A cluster that does not answer is shown without namespaces and named in `X-Ecns-Unavailable`.
    """
    projects, absent = await namespaces.tree(business_type)
    return Response(projects, headers=unavailable(absent))


@get("/namespace/clustertype/{cluster_type:str}", opt=operation("namespace.list", CONTAINERS), tags=TAGS)
async def list_namespaces(
    namespaces: Namespaces,
    listing: ListQuery,
    cluster_type: ListedClusterType,
    business_type: BusinessType | None = None,
) -> Response[types.Namespaces]:
    """Namespaces by the type of their cluster; clusters that do not answer are in `X-Ecns-Unavailable`."""
    selection, shown, absent = await namespaces.page(listing, cluster_type, business_type)
    rows = [msgspec.json.encode(one) for one in shown]
    return listed("namespaces", rows, selection, listing, headers=unavailable(absent))


@post("/namespace", opt=operation("namespace.create", CONTAINERS), tags=TAGS, status_code=200)
async def create_namespace(namespaces: Namespaces, data: types.OneNamespace) -> types.OneNamespace:
    """Make a namespace for a project."""
    return types.OneNamespace(namespace=await namespaces.create(data.namespace))


@delete("/namespace", opt=operation("namespace.delete_many", CONTAINERS), tags=TAGS, status_code=200)
async def delete_namespaces(
    namespaces: Namespaces, data: types.DeleteNamespaces
) -> Response[batches.Batch[types.Removed]]:
    """Delete namespaces with everything in them."""
    return await batches.run(
        data.namespaces,
        lambda base: namespaces.delete(base.cluster_name, base.name),
        name=lambda base: base.name,
    )


@delete(ONE, opt=operation("namespace.delete", CONTAINERS), tags=TAGS, status_code=200)
async def delete_namespace(namespaces: Namespaces, cluster_name: str, namespace_name: str) -> types.Removed:
    """Delete a namespace with everything in it; the answer says what that was."""
    return await namespaces.delete(cluster_name, namespace_name)


@patch(f"{ONE}/psp", opt=operation("namespace.psp", CONTAINERS), tags=TAGS)
async def set_security_policy(
    namespaces: Namespaces,
    cluster_name: str,
    namespace_name: str,
    data: types.SetSecurityPolicy,
    cluster_type: RedundantType = None,  # noqa: ARG001  the reference has it
) -> types.SetSecurityPolicy:
    """Say what pods may do to their nodes: Limited or Unlimited."""
    await namespaces.set_security_policy(cluster_name, namespace_name, data.psp)
    return data


@patch(f"{ONE}/user_ids", opt=operation("namespace.users", CONTAINERS), tags=TAGS)
async def set_users(
    namespaces: Namespaces,
    cluster_name: str,
    namespace_name: str,
    data: types.SetUsers,
    cluster_type: RedundantType = None,  # noqa: ARG001  the reference has it
) -> types.SetUsers:
    """Say who of the project may see a namespace; an empty list means everybody."""
    await namespaces.set_users(cluster_name, namespace_name, data.user_ids)
    return data


@patch(f"{ONE}/quota", opt=operation("namespace.set_quota", CONTAINERS), tags=TAGS)
async def set_quota(
    namespaces: Namespaces,
    cluster_name: str,
    namespace_name: str,
    data: types.SetQuota,
    cluster_type: RedundantType = None,  # noqa: ARG001  the reference has it
) -> types.QuotaAnswer:
    """Set limits; those not named stay, -1 takes one away."""
    await namespaces.set_quota(cluster_name, namespace_name, data.quota)
    return types.QuotaAnswer(quota=await namespaces.quota(cluster_name, namespace_name))


@get(f"{ONE}/quota", opt=operation("namespace.quota", CONTAINERS), tags=TAGS)
async def show_quota(namespaces: Namespaces, cluster_name: str, namespace_name: str) -> types.QuotaAnswer:
    """The limits of a namespace and what is used of them."""
    return types.QuotaAnswer(quota=await namespaces.quota(cluster_name, namespace_name))


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


ROUTES = [
    namespace_tree,
    list_namespaces,
    create_namespace,
    delete_namespaces,
    delete_namespace,
    set_security_policy,
    set_users,
    set_quota,
    show_quota,
    switch_namespace,
]

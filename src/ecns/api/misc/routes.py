"""The HTTP face of chapter 1.13."""

from __future__ import annotations

from typing import Annotated

from litestar import get
from litestar.params import HeaderParameter

from ecns.api.common.operations import CONTAINERS, EKS, operation
from ecns.api.misc.service import Uniqueness
from ecns.api.misc.types import ALL_CAPABILITIES, DEFAULT_CAPABILITIES, Capabilities, Existence
from ecns.backends.openstack.cloud import OpenStack
from ecns.config import ClusterType
from ecns.identity.caller import Caller
from ecns.identity.place import Places
from ecns.identity.policy import Policy
from ecns.identity.workspaces import Workspaces

TAGS = ["1.13 Other"]


@get("/applications/kernel-capabilities/default", opt=operation("misc.caps_default", EKS), tags=TAGS)
async def default_capabilities() -> Capabilities:
    """What containers get when they ask for nothing."""
    return Capabilities(DEFAULT_CAPABILITIES)


@get("/applications/kernel-capabilities/all", opt=operation("misc.caps_all", EKS), tags=TAGS)
async def all_capabilities() -> Capabilities:
    """What containers may ask for, or to be without."""
    return Capabilities(ALL_CAPABILITIES)


@get(
    "/resources/{resource_type:str}/{resource_name:str}", opt=operation("misc.exists", CONTAINERS), tags=TAGS
)
async def exists(  # noqa: PLR0917  parameters, which Litestar passes by name
    places: Places,
    workspaces: Workspaces,
    openstack: OpenStack,
    policy: Policy,
    caller: Caller,
    resource_type: str,
    resource_name: str,
    cluster_type: ClusterType | None = None,
    cluster_name: str = "",
    cluster: Annotated[str, HeaderParameter(name="X-Ecns-Cluster", required=False)] = "",
    namespace: Annotated[str, HeaderParameter(name="X-Ecns-Namespace", required=False)] = "",
) -> Existence:
    """Whether a name is taken; the cluster is named where something is made that is no namespace's."""
    found = await Uniqueness(places, workspaces, openstack, policy, caller).exists(
        resource_type,
        resource_name,
        cluster=cluster_name or cluster,
        cluster_type=cluster_type,
        namespace=namespace,
    )
    return Existence(found)


ROUTES = [default_capabilities, all_capabilities, exists]

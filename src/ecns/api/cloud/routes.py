"""The HTTP face of what OpenStack alone answers."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, get
from litestar.params import HeaderParameter, Parameter

from ecns.api.cloud import types
from ecns.api.cloud.service import CloudOfProject
from ecns.api.common.lists import ListQuery, listed_plainly, unavailable
from ecns.api.common.operations import CONTAINERS, operation
from ecns.backends.openstack.cloud import OpenStack
from ecns.config import KubernetesVersion
from ecns.identity.caller import Caller
from ecns.identity.place import Places

Host = Annotated[
    str,
    Parameter(description="A cluster that must be the caller's; the answer is that of the token's project."),
]


def provide_cloud(
    openstack: OpenStack, caller: Caller, kubernetes_versions: tuple[KubernetesVersion, ...]
) -> CloudOfProject:
    """Litestar's dependency `cloud`."""
    return CloudOfProject(openstack, caller, kubernetes_versions)


@get("/container_infra/k8sversions", opt=operation("misc.k8s_versions", CONTAINERS), tags=["1.13 Other"])
async def list_kubernetes_versions(cloud: CloudOfProject) -> types.KubernetesVersions:
    """The Kubernetes versions that clusters can be made with, and the runtimes that there is an image for.

    An image is for a version by its Glance properties `k8s_version` and `container_runtime`.
    """
    return await cloud.kubernetes_versions()


@get("/overview/openstack_status", opt=operation("overview.openstack", CONTAINERS), tags=["1.14 Overview"])
async def show_overview(
    cloud: CloudOfProject,
    places: Places,
    caller: Caller,
    apiserver_host: Host = "",
    cluster: Annotated[str, HeaderParameter(name="X-Ecns-Cluster", required=False)] = "",
) -> Response[types.OpenStackOverview]:
    """The project's servers and load balancers by state.

    A list is empty where this cloud lacks the service; one that does not answer is named in the header
    `X-Ecns-Unavailable`.
    """
    if named := apiserver_host or cluster:
        places.cluster(caller, named)
    found, missing = await cloud.overview()
    return Response(found, headers=unavailable(missing))


@get("/volumes", opt=operation("storage.volume_types", CONTAINERS), tags=["1.20 Storage"])
async def list_volume_types(cloud: CloudOfProject, listing: ListQuery) -> Response[list[types.VolumeType]]:
    """The Cinder volume types that the project may use, by name."""
    return listed_plainly(await cloud.volume_types(), listing)


ROUTES = [list_kubernetes_versions, show_overview, list_volume_types]

"""The HTTP face of chapter 1.20."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from litestar import Request, Response, delete, get, post, put
from litestar.params import HeaderParameter, Parameter, QueryParameter

from ecns.api.common import batches
from ecns.api.common.answers import answered
from ecns.api.common.lists import ListQuery, listed_several, unavailable
from ecns.api.common.objects import DryRun
from ecns.api.common.operations import CONTAINERS, actions, operation
from ecns.api.common.parameters import DryRunFlag, IdempotencyKey
from ecns.api.common.streams import WatchFlag
from ecns.api.storage import types
from ecns.api.storage.live import watch_storage
from ecns.api.storage.service import KEYS, Manage, Storage, Wanted, types_of
from ecns.backends.openstack.cloud import OpenStack
from ecns.errors import BadRequestError
from ecns.identity.caller import Caller
from ecns.identity.place import Places

TAGS = ["1.20 Storage"]

Cluster = Annotated[str, HeaderParameter(name="X-Ecns-Cluster", required=False)]
Namespace = Annotated[str, HeaderParameter(name="X-Ecns-Namespace", required=False)]
ClusterName = Annotated[str, QueryParameter(name="cluster", description="Name of a registered cluster.")]
Addr = Annotated[
    str, Parameter(description="Name or API server address of a registered cluster; else the current one.")
]


def provide_storage(
    request: Request[Any, Any, Any], places: Places, caller: Caller, openstack: OpenStack
) -> Storage:
    """Litestar's dependency `storage`."""
    return Storage(places, caller, openstack, request.scope["state"]["ecns"])


class Where:
    """Which cluster's storage a request changes: it may be named in several places."""

    def __init__(self, storage: Storage, named: tuple[str, str], header: str, *, dry_run: bool) -> None:
        self._storage = storage
        self._named = named
        self._header = header
        self._dry_run = dry_run

    async def manage(self, *named: str | None) -> Manage:
        """The cluster, to change what belongs to it; `named` is what the body says."""
        sent = [name or "" for name in named]
        return await self._storage.manage(*self._named, *sent, header=self._header, dry_run=self._dry_run)


def provide_where(
    storage: Storage,
    cluster_name: ClusterName = "",
    cluster_addr: Addr = "",
    dry_run: DryRunFlag = False,  # noqa: FBT002  a parameter of the query string
    cluster: Cluster = "",
) -> Where:
    """Litestar's dependency `where`."""
    return Where(storage, (cluster_name, cluster_addr), cluster, dry_run=dry_run)


@get("/kubernetes/storage", opt=operation("storage.list", CONTAINERS), tags=TAGS)
async def list_storage(  # noqa: PLR0917  parameters, which Litestar passes by name
    request: Request[Any, Any, Any],
    storage: Storage,
    listing: ListQuery,
    type: Annotated[  # noqa: A002  the reference's name
        str, Parameter(description="`StorageClass`, `PVC`, `PV`; several by commas.")
    ] = "",
    cluster_selector: Annotated[
        Literal["current", "all"],
        Parameter(
            description="`current`: the current cluster, and of claims those of the current namespace, which"
            " are those that a workload can mount there; `all`: all clusters and namespaces that the caller"
            " may see. A cluster that does not answer is named in `X-Ecns-Unavailable`."
        ),
    ] = "current",
    filter: Annotated[  # noqa: A002  the reference's name
        Literal["all", "available"],
        Parameter(description="`available`: of claims those that no pod mounts, or that are ReadWriteMany."),
    ] = "all",
    status: Annotated[
        str | None, Parameter(description="Only claims and volumes in this state, such as `Bound`.")
    ] = None,
    storage_class_name: Annotated[
        str | None, Parameter(description="Only claims and volumes of this class.")
    ] = None,
    watch: WatchFlag = False,  # noqa: FBT002  a parameter of the query string
    cluster: Cluster = "",
    namespace: Namespace = "",
) -> Response[types.Storage]:
    """Storage classes, claims and volumes, newest first; each list is paged by itself.

    `sort_by` takes `capacity`, `status`, `storage_class_name`, `provisioner`, `cluster`, `domain`, `project`,
    `namespace` and `attached_time` too. `watch=true` follows one type in the current cluster.
    """
    kinds = types_of(type)
    fresh = listing.fresh
    wanted = Wanted(filter == "available", status, storage_class_name)
    absent: list[str] = []
    if watch and (len(kinds) > 1 or cluster_selector != "current"):
        field = "type" if len(kinds) > 1 else "cluster_selector"
        raise BadRequestError(f"{field}: a watch follows one type in the current cluster", field=field)
    if cluster_selector == "current":
        site = await storage.current(kinds, cluster=cluster, namespace=namespace, fresh=fresh)
        if watch:
            return await watch_storage(request, kinds[0], site, listing, wanted)
        sites = [site]
    else:
        sites, absent = await storage.everywhere(kinds, fresh=fresh)
    pages = {KEYS[kind]: storage.page(kind, sites, listing, wanted) for kind in kinds}
    headers = sites[0].objects.freshness() if len(sites) == 1 else _age(sites)
    return listed_several(pages, listing, headers={**headers, **unavailable(absent)})


def _age(sites: list[Any]) -> dict[str, str]:
    """How old an answer of several clusters can be; their resourceVersions have nothing in common."""
    return {"Age": str(max(int(site.objects.freshness()["Age"]) for site in sites))} if sites else {}


@post(
    "/kubernetes/sc/{storage_name:str}",
    opt=operation("storage.create_class", CONTAINERS),
    tags=TAGS,
    status_code=200,
)
async def create_class(
    where: Where,
    storage_name: str,
    data: types.CreateClass | None = None,
    volume_type: Annotated[
        str, Parameter(description="Name of a Cinder volume type; here or in the body.")
    ] = "",
    idempotency_key: IdempotencyKey = "",
) -> Response[types.OneClass | DryRun]:
    """Make the storage class of a Cinder volume type; without one, of Cinder's default type."""
    sent = data or types.CreateClass()
    kind = sent.volume_type or volume_type
    if volume_type not in {"", kind}:
        raise BadRequestError(
            f"volume_type: the query says {volume_type[:80]!r} and the body {kind[:80]!r}",
            field="volume_type",
        )
    manage = await where.manage(sent.cluster_addr)
    made, warnings = await manage.create_class(
        storage_name,
        volume_type=kind,
        domain=sent.domain or "",
        project=sent.project or "",
        keyed=bool(idempotency_key),
    )
    return answered(manage.objects, types.OneClass(made, warnings))


@put(
    "/kubernetes/storageclass/{storageclass_name:str}/default",
    opt=actions({"set": "storage.set_default", "unset": "storage.unset_default"}, CONTAINERS),
    tags=TAGS,
)
async def change_default(
    where: Where,
    storageclass_name: str,
    action: Literal["set", "unset"],
    data: types.WhichCluster | None = None,
) -> Response[types.OneClass | DryRun]:
    """Make a class the one that claims without a class get, or let it not be; no other is it then."""
    sent = data or types.WhichCluster()
    manage = await where.manage(sent.cluster, sent.cluster_addr)
    do = manage.set_default if action == "set" else manage.unset_default
    return answered(manage.objects, types.OneClass(await do(storageclass_name)))


@delete(
    "/kubernetes/storage/{storage_name:str}",
    opt=operation("storage.delete_pv", CONTAINERS),
    tags=TAGS,
    status_code=200,
)
async def delete_volume(
    where: Where,
    storage_name: str,
    data: types.WhichCluster | None = None,
    type: Annotated[str, Parameter(description="`PV`.")] = "PV",  # noqa: A002  the reference's name
    force: Annotated[  # noqa: FBT002  a parameter of the query string
        bool, Parameter(description="Also one that is bound: it is Removing until its claim is gone.")
    ] = False,
) -> Response[batches.Batch[None] | DryRun]:
    """Delete a volume; one that is bound to a claim is a 409."""
    if types_of(type) != ["PV"]:
        raise BadRequestError(
            "type: only PV is deleted here; classes are at /kubernetes/sc/, claims at /kubernetes/pvc/",
            field="type",
        )
    sent = data or types.WhichCluster()
    manage = await where.manage(sent.cluster, sent.cluster_addr)
    results = await batches.run(
        [storage_name], lambda name: manage.delete_volume(name, force=force), name=str
    )
    return answered(manage.objects, results)


@delete(
    "/kubernetes/sc/{storage_name:str}",
    opt=operation("storage.delete_class", CONTAINERS),
    tags=TAGS,
    status_code=200,
)
async def delete_class(
    where: Where,
    storage_name: str,
    data: types.WhichCluster | None = None,
    force: Annotated[  # noqa: FBT002  a parameter of the query string
        bool, Parameter(description="Also the default, and one that claims are of.")
    ] = False,
) -> Response[batches.Batch[None] | DryRun]:
    """Delete a storage class; the default, and one that claims are of, is a 409."""
    sent = data or types.WhichCluster()
    manage = await where.manage(sent.cluster, sent.cluster_addr)
    results = await batches.run([storage_name], lambda name: manage.delete_class(name, force=force), name=str)
    return answered(manage.objects, results)


ROUTES = [list_storage, create_class, change_default, delete_volume, delete_class]

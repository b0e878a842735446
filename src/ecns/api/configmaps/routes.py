"""The HTTP face of chapter 1.4."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, delete, get, patch, post
from litestar.params import Parameter

from ecns.api.common.answers import answered
from ecns.api.common.batches import Batched
from ecns.api.common.contents import Keys
from ecns.api.common.lists import ListQuery, listed_page, listed_plainly
from ecns.api.common.named import names
from ecns.api.common.objects import DryRun, Objects
from ecns.api.common.operations import CONTAINERS, operation
from ecns.api.common.parameters import DryRunFlag, IdempotencyKey
from ecns.api.common.selectors import AppSelector
from ecns.api.common.streams import WatchFlag
from ecns.api.configmaps import types
from ecns.api.configmaps.service import ROWS, ConfigMaps
from ecns.api.configmaps.types import OneConfigMap
from ecns.identity.place import Place

TAGS = ["1.4 Configuration"]
ALL = "/kubernetes/configmaps"
ONE = "/kubernetes/configmap/{configmap_name:str}"


def provide_configmaps(place: Place, *, dry_run: DryRunFlag = False) -> ConfigMaps:
    """Litestar's dependency `configmaps`."""
    return ConfigMaps(Objects(place, place.places, dry_run=dry_run))


@get(ALL, opt=operation("configmap.list", CONTAINERS), tags=TAGS)
async def list_configmaps(
    request: Request[Any, Any, Any],
    configmaps: ConfigMaps,
    listing: ListQuery,
    app_selector: AppSelector = "",
    watch: WatchFlag = False,  # noqa: FBT002  a parameter of the query string
) -> Response[types.ConfigMaps]:
    """The ConfigMaps of the namespace with their keys, newest first."""
    objects = configmaps.objects
    if watch:
        return await ROWS.watch(request, objects, listing, application=app_selector)
    page = await ROWS.page(objects, listing, application=app_selector)
    return listed_page("configmaps", page, listing, headers=objects.freshness())


@get(f"{ONE}/keys", opt=operation("configmap.keys", CONTAINERS), tags=TAGS)
async def list_keys(configmaps: ConfigMaps, configmap_name: str, listing: ListQuery) -> Response[Keys]:
    """The keys of a ConfigMap."""
    return listed_plainly(await configmaps.keys(configmap_name), listing, key="keys")


@post(ONE, opt=operation("configmap.create", CONTAINERS), tags=TAGS, status_code=200)
async def create_configmap(
    configmaps: ConfigMaps,
    configmap_name: str,
    data: types.SendConfigMap,
    idempotency_key: IdempotencyKey = "",
) -> Response[OneConfigMap | DryRun]:
    """Make a ConfigMap: texts in `config`, other bytes as base64 in `binary`, 1 MiB together."""
    shown = await configmaps.create(data.configmap, configmap_name, keyed=bool(idempotency_key))
    return answered(configmaps.objects, OneConfigMap(configmap=shown))


@get(ONE, opt=operation("configmap.show", CONTAINERS), tags=TAGS)
async def show_configmap(configmaps: ConfigMaps, configmap_name: str) -> OneConfigMap:
    """A ConfigMap with its values, and who uses it."""
    return await configmaps.show(configmap_name)


@patch(ONE, opt=operation("configmap.update", CONTAINERS), tags=TAGS)
async def update_configmap(
    configmaps: ConfigMaps, configmap_name: str, data: types.SendConfigMap
) -> Response[OneConfigMap | DryRun]:
    """Change a ConfigMap: `config` and `binary` become what is sent, or stay when they are not.

    With the `resource_version` that was shown, only if nobody changed it since.
    """
    return answered(
        configmaps.objects, OneConfigMap(configmap=await configmaps.update(data.configmap, configmap_name))
    )


@delete(ALL, opt=operation("configmap.delete", CONTAINERS), tags=TAGS, status_code=200)
async def delete_configmaps(
    configmaps: ConfigMaps,
    data: types.DeleteConfigMaps,
    force: Annotated[bool, Parameter(description="Also those that something uses.")] = False,  # noqa: FBT002  a parameter of the query string
) -> Response[Batched]:
    """Delete ConfigMaps; one that a workload, a job or a pod uses only with `force=true`."""
    results = await configmaps.delete(names(data.configmaps), force=force)
    return answered(configmaps.objects, results)


ROUTES = [
    list_configmaps,
    list_keys,
    create_configmap,
    show_configmap,
    update_configmap,
    delete_configmaps,
]

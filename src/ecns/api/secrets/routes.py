"""The HTTP face of chapter 1.6."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, delete, get, patch, post
from litestar.params import Parameter

from ecns.api.common.answers import answered
from ecns.api.common.batches import Batched
from ecns.api.common.contents import Keys
from ecns.api.common.lists import ListQuery, listed_page, listed_plainly
from ecns.api.common.objects import DryRun, Objects
from ecns.api.common.operations import CONTAINERS, operation
from ecns.api.common.parameters import DryRunFlag, IdempotencyKey
from ecns.api.common.selectors import AppSelector
from ecns.api.common.streams import WatchFlag
from ecns.api.secrets import types
from ecns.api.secrets.service import ROWS, Secrets, listed_type
from ecns.api.secrets.types import SecretInfo, SecretName
from ecns.identity.place import Place

TAGS = ["1.6 Secrets"]
ALL = "/kubernetes/secret"
ONE = f"{ALL}/{{secret_name:str}}"


def provide_secrets(place: Place, *, dry_run: DryRunFlag = False) -> Secrets:
    """Litestar's dependency `secrets`."""
    return Secrets(Objects(place, place.places, dry_run=dry_run))


@get(ALL, opt=operation("secret.list", CONTAINERS), tags=TAGS)
async def list_secrets(  # noqa: PLR0917  the query string's parameters, which Litestar passes by name
    request: Request[Any, Any, Any],
    secrets: Secrets,
    listing: ListQuery,
    type: Annotated[  # noqa: A002  so is the query parameter called
        str | None,
        Parameter(description="`Opaque`, `Dockerconfigjson`, `Tls`, or a type of Kubernetes; all without."),
    ] = None,
    app_selector: AppSelector = "",
    watch: WatchFlag = False,  # noqa: FBT002  a parameter of the query string
) -> Response[types.Secrets]:
    """The Secrets of the namespace with their keys, newest first; no values."""
    kind, objects = listed_type(type or None), secrets.objects
    if watch:
        return await ROWS.watch(request, objects, listing, word=kind, application=app_selector)
    page = await ROWS.page(objects, listing, word=kind, application=app_selector)
    return listed_page("secrets", page, listing, headers=objects.freshness())


@get(f"{ONE}/keys", opt=operation("secret.keys", CONTAINERS), tags=TAGS)
async def list_keys(secrets: Secrets, secret_name: str, listing: ListQuery) -> Response[Keys]:
    """The keys of a Secret."""
    return listed_plainly(await secrets.keys(secret_name), listing, key="keys")


@post(ALL, opt=operation("secret.create", CONTAINERS), tags=TAGS, status_code=200)
async def create_secret(
    secrets: Secrets,
    data: types.SendSecret,
    idempotency_key: IdempotencyKey = "",
) -> Response[SecretInfo | DryRun]:
    """Make a Secret: of type Opaque, Tls (certificate and key must match) or Dockerconfigjson."""
    return answered(secrets.objects, await secrets.create(data.secret, keyed=bool(idempotency_key)))


@get(ONE, opt=operation("secret.show", CONTAINERS), tags=TAGS)
async def show_secret(secrets: Secrets, secret_name: str) -> types.SecretDetail:
    """A Secret and who uses it; its values for those who may change it."""
    return await secrets.show(secret_name)


@patch(ALL, opt=operation("secret.update", CONTAINERS), tags=TAGS)
async def update_secret(secrets: Secrets, data: types.SendSecret) -> Response[SecretInfo | DryRun]:
    """Change a Secret: each of its parts becomes what is sent, or stays when it is not; its type stays.

    With the `resource_version` that was shown, only if nobody changed it since.
    """
    return answered(secrets.objects, await secrets.update(data.secret))


@delete(ALL, opt=operation("secret.delete", CONTAINERS), tags=TAGS, status_code=200)
async def delete_secrets(
    secrets: Secrets,
    data: types.DeleteSecrets,
    force: Annotated[bool, Parameter(description="Also those that something uses.")] = False,  # noqa: FBT002  a parameter of the query string
) -> Response[Batched]:
    """Delete Secrets; one that a workload, a job, a pod or an Ingress uses only with `force=true`."""
    wanted = [SecretName(name=one) if isinstance(one, str) else one for one in data.secrets]
    results = await secrets.delete(wanted, force=force)
    return answered(secrets.objects, results)


ROUTES = [list_secrets, list_keys, create_secret, show_secret, update_secret, delete_secrets]

"""The HTTP face of chapter 1.16."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from litestar import MediaType, Request, Response, get, post, put
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import Parameter

from ecns.api.applications.service import Applications
from ecns.api.applications.types import CreateApplication
from ecns.api.common import bodies
from ecns.api.common.objects import Objects
from ecns.api.common.operations import CONTAINERS, YAML, YAML_TYPES, operation
from ecns.api.common.parameters import DryRunFlag, IdempotencyKey, request_key
from ecns.api.common.told import tell
from ecns.api.raw import types, viewing
from ecns.api.raw.changing import Changing
from ecns.api.raw.cluster import Reach
from ecns.api.raw.rights import Rights
from ecns.api.raw.types import Results, Shown
from ecns.backends.openstack.cloud import OpenStack
from ecns.errors import BadRequestError
from ecns.identity.caller import Caller
from ecns.identity.place import Place, Places
from ecns.identity.policy import Policy

TAGS = ["1.16 Raw YAML"]
ONE = "/_raw/{kind:str}/name/{resource_name:str}"

ClusterAddr = Annotated[
    str,
    Parameter(
        description="Name or address of the cluster; for what belongs to no namespace, and else for all."
    ),
]


async def provide_reach(
    request: Request[Any, Any, Any],
    caller: Caller,
    places: Places,
    policy: Policy,
    cluster_addr: ClusterAddr = "",
) -> Reach:
    """Litestar's dependency `reach`."""
    header, namespace = request.headers.get("x-ecns-cluster", ""), request.headers.get("x-ecns-namespace", "")
    cluster = await places.current_cluster(caller, cluster_addr or header)

    async def here() -> Place:
        place = await places.resolve(caller, cluster=cluster_addr or header, namespace=namespace)
        tell(request.scope, namespace=place.namespace)
        return place

    tell(request.scope, cluster=cluster.name)
    return Reach(places, cluster, here, Rights(policy, caller))


@dataclass
class _Viewing(Operation):
    """Says in the OpenAPI document that the answer may be YAML alone."""

    def __post_init__(self) -> None:
        if (responses := self.responses) and (content := getattr(responses.get("200"), "content", None)):
            content[YAML] = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING))


@dataclass
class _Sending(Operation):
    """Says in the OpenAPI document that the body may be YAML alone, and how a part of it fails."""

    def __post_init__(self) -> None:
        content = {
            "application/json": OpenAPIMediaType(
                schema=Schema(
                    type=OpenAPIType.OBJECT,
                    properties={
                        "yaml": Schema(type=OpenAPIType.STRING, description="One document or several.")
                    },
                    required=["yaml"],
                )
            ),
            YAML: OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING)),
        }
        self.request_body = RequestBody(content=content, required=True)


@get(ONE, opt=operation("raw.show", CONTAINERS), tags=TAGS, operation_class=_Viewing)
async def show_raw(
    request: Request[Any, Any, Any], reach: Reach, kind: str, resource_name: str
) -> Response[Shown]:
    """An object as YAML, or (kind `application`) an application with all that belongs to it.

    `kind` is any that the cluster serves, by a name that kubectl takes too: `Deployment`, `deploy`,
    `certificates.cert-manager.io`. With `Accept: application/yaml` the answer is the YAML alone. What the
    server notes for itself (`managedFields`) is left out; who may not change Secrets sees their keys.
    """
    shown = await viewing.show(reach, kind, resource_name)
    if wants_yaml(request.headers.get("accept", "")):
        return Response(shown.yaml, media_type=YAML)  # type: ignore[arg-type]  # text, as it was asked for
    return Response(shown, media_type=MediaType.JSON)


@put(ONE, opt=operation("raw.update", CONTAINERS, body=YAML), tags=TAGS, operation_class=_Sending)
async def update_raw(
    request: Request[Any, Any, Any],
    reach: Reach,
    kind: str,
    resource_name: str,
    *,
    dry_run: DryRunFlag = False,
) -> Response[Results]:
    """Let objects be as they were edited; each document has a result of its own.

    A `metadata.resourceVersion` in the YAML, as it was shown, lets the edit fail (409) when somebody changed
    the object since. Of kind `application` are all objects that belong to it. The path's object must be among
    the documents.
    """
    changing = Changing(reach, kind, resource_name, dry_run=dry_run)
    try:
        return await changing.edit(await _text(request))
    finally:
        tell(request.scope, names=changing.names())


@post(
    ONE,
    opt=operation("raw.create", CONTAINERS, body=YAML),
    tags=TAGS,
    status_code=200,
    operation_class=_Sending,
)
async def create_raw(  # noqa: PLR0917  parameters, which Litestar passes by name
    request: Request[Any, Any, Any],
    reach: Reach,
    kind: str,
    resource_name: str,
    product_type: str,
    registry_domain: str,
    policy: Policy,
    openstack: OpenStack,
    idempotency_key: IdempotencyKey = "",
    dry_run: DryRunFlag = False,  # noqa: FBT002  a parameter of the query string
    force: Annotated[  # noqa: FBT002  so is this
        bool, Parameter(description="Take over what others have set otherwise.")
    ] = False,
) -> Response[Results]:
    """Make objects, or let those that are there be as the YAML says (server-side apply, as manager `ecns`).

    What others have set otherwise is a 409 that names them and the fields, unless `force=true`. Objects
    without a namespace go to the caller's; other namespaces have to be open to the caller, and what belongs
    to no namespace is for cloud administrators. Of kind `application`, all become members of the application,
    which is made if it is not there; otherwise the path's object must be among the documents.
    """
    changing = Changing(reach, kind, resource_name, dry_run=dry_run)

    async def make_application(place: Place) -> None:
        policy.check("app.create", reach.rights.caller, {"project_id": reach.rights.caller.project_id})
        applications = Applications(Objects(place, reach.places), registry_domain, policy, openstack)
        key = request_key(reach.rights.caller, idempotency_key)
        await applications.create(CreateApplication(name=resource_name), product_type, key=key)

    try:
        return await changing.upload(await _text(request), force=force, make_application=make_application)
    finally:
        tell(request.scope, names=changing.names())


def wants_yaml(accept: str) -> bool:
    """Whether an `Accept` header asks for YAML before JSON."""
    for part in accept.split(","):
        name = part.split(";")[0].strip().lower()
        if name in YAML_TYPES:
            return True
        if name in {"application/json", "*/*", "application/*"}:
            return False
    return False


async def _text(request: Request[Any, Any, Any]) -> str | bytes:
    """The documents of a body.

    Raises:
        BadRequestError: there is none.
    """
    body = await request.body()
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind in YAML_TYPES:
        return body
    try:
        return msgspec.json.decode(body, type=types.Send).yaml
    except msgspec.ValidationError as error:
        raise bodies.invalid(*bodies.place(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequestError(
            'the body is neither JSON ({"yaml": "…"}) nor of content type application/yaml' + f": {error}"
        ) from error


ROUTES = [show_raw, update_raw, create_raw]

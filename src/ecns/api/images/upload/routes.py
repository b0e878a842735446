"""The HTTP face of "upload an image"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, post
from litestar.openapi.spec import OpenAPIFormat, OpenAPIMediaType, OpenAPIType, Operation, RequestBody, Schema
from litestar.params import Parameter

from ecns.api.common.operations import IMAGES, MULTIPART, operation
from ecns.api.common.streams import Stream
from ecns.api.common.told import tell
from ecns.api.images.types import Uploaded
from ecns.api.images.upload.service import Uploads
from ecns.identity.caller import Caller
from ecns.identity.workspaces import Workspaces

TAGS = ["1.9 Images"]
EVENTS = "text/event-stream"


def _field(description: str, **more: Any) -> Schema:
    return Schema(type=OpenAPIType.STRING, description=description, **more)


def _form() -> RequestBody:
    """The form, which is read as it comes and not by Litestar."""
    schema = Schema(
        type=OpenAPIType.OBJECT,
        properties={
            "harbor_project_name": _field("The workspace; best before the file."),
            "image_name": _field("The image's name; missing: that in the file."),
            "tag_name": _field("The version; missing: that in the file, else `latest`."),
            "image": _field("The archive.", format=OpenAPIFormat.BINARY),
        },
        required=["harbor_project_name", "image"],
    )
    return RequestBody(content={MULTIPART: OpenAPIMediaType(schema=schema)}, required=True)


@dataclass
class _Described(Operation):
    def __post_init__(self) -> None:
        self.request_body = _form()


@post(
    "/images/upload_image",
    opt=operation("image.upload", IMAGES, body=MULTIPART),
    tags=TAGS,
    status_code=200,
    operation_class=_Described,
)
async def upload_image(
    request: Request[Any, Any, Any],
    uploads: Uploads,
    workspaces: Workspaces,
    caller: Caller,
    dry_run: Annotated[bool, Parameter(description="Check the archive and push nothing.")] = False,  # noqa: FBT002  a parameter of the query string
) -> Response[Uploaded]:
    """Push images from an archive that `docker save`, `podman save` or an OCI tool has written.

    The body is a form: `harbor_project_name`, which best stands first; `image_name` and `tag_name`, without
    which the names in the archive are taken; `image`, the file, compressed or not. With `Accept:
    text/event-stream` the answer tells how far the push is. `docs/images.md` says more.
    """
    seen = request.scope["state"]["ecns"]
    if seen.deadline is not None:
        seen.deadline.reschedule(None)
    told = EVENTS in request.headers.get("accept", "")
    length = request.headers.get("content-length", "")
    upload = uploads.begin(workspaces, caller, dry_run=dry_run)

    seen.at_end.append(lambda: tell(request.scope, **upload.facts))
    try:
        await upload.receive(
            request.headers.get("content-type", ""),
            int(length) if length.isdigit() else None,
            request.receive,
        )
        if told:
            # What was begun with a good token is finished, however long it takes.
            lasting = msgspec.structs.replace(caller, expires_at=float("inf"))
            seen.count_stream()
            stream = Stream(lasting, _still, deadline=seen.deadline, cut=seen.cut)
            source = upload.events()
            first = await anext(source)  # from here on it closes itself
            return stream.answer(_following(first, source))
        answer: Uploaded = await upload.push_while(request.receive)
    except BaseException:
        await upload.close()
        raise
    await upload.close()
    return Response(answer)


async def _still() -> None:
    """Nothing can take back what was allowed when it began."""


async def _following(first: bytes, source: Any) -> Any:
    try:
        yield first
        async for piece in source:
            yield piece
    finally:
        await source.aclose()


ROUTES = [upload_image]

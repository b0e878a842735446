"""The documentation page and the OpenAPI document; both need nothing from the internet."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

from litestar import Request, Response, get
from litestar.response import Redirect
from litestar.serialization import encode_json

if TYPE_CHECKING:
    from litestar import Litestar

_DOCUMENT = "ecns.openapi"


def document(app: Litestar) -> bytes:
    """The OpenAPI document as JSON; made once for each application."""
    if _DOCUMENT not in app.state:
        app.state[_DOCUMENT] = encode_json(app.openapi_schema.to_schema())
    made: bytes = app.state[_DOCUMENT]
    return made


@get("/openapi.json", include_in_schema=False, media_type="application/json")
async def openapi_json(request: Request[Any, Any, Any]) -> bytes:
    """The OpenAPI document."""
    return document(request.app)


@get("/docs", include_in_schema=False)
async def docs() -> Response[bytes]:
    """Every operation, its parameters and types, made readable from the OpenAPI document."""
    page = files("ecns.server").joinpath("static/docs.html").read_bytes()
    policy = "default-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
    return Response(page, media_type="text/html; charset=utf-8", headers={"Content-Security-Policy": policy})


@get("/", include_in_schema=False)
async def root() -> Redirect:
    """To the documentation."""
    return Redirect("/docs")


ROUTES = [openapi_json, docs, root]

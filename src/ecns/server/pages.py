"""The documentation page and the OpenAPI document; both need nothing from the internet."""

from __future__ import annotations

import re
import threading
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Request, Response, get
from litestar.response import Redirect
from litestar.serialization import encode_json

from ecns.api.common.operations import PRODUCT_TYPES
from ecns.server.errors import Envelope

if TYPE_CHECKING:
    from litestar import Litestar

_DOCUMENT = "ecns.openapi"
_making = threading.Lock()
REFERENCE = re.compile(r"#/components/schemas/([^'\"]+)")


def document(app: Litestar) -> bytes:
    """The OpenAPI document as JSON; made once for each application."""
    with _making:
        if _DOCUMENT not in app.state:
            app.state[_DOCUMENT] = encode_json(_completed(app.openapi_schema.to_schema()))
        made: bytes = app.state[_DOCUMENT]
    return made


def _completed(schema: dict[str, Any]) -> dict[str, Any]:
    """The document with what is so for every operation: how errors look, and that reading tries nothing."""
    _, components = msgspec.json.schema_components([Envelope], ref_template="#/components/schemas/{name}")
    schema["components"]["schemas"] |= components
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Envelope"}}}
    for path in schema["paths"].values():
        for method, operation in path.items():
            operation["responses"].pop("400", None)
            operation["responses"]["default"] = {"description": "An error", "content": content}
            _tell_of_batches(operation["responses"], schema["components"]["schemas"])
            operation["summary"] = operation.get("description", "").split("\n")[0].rstrip(".")
            parameters = operation.get("parameters", [])
            for one in parameters:
                if one["name"] == "product_type":
                    one["schema"]["enum"] = list(PRODUCT_TYPES)
            if method == "get":
                operation["parameters"] = [one for one in parameters if one["name"] != "dry_run"]
    return schema


def _tell_of_batches(responses: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Say that a batch of which a part has failed answers 207; and that YAML is no JSON text."""
    content = responses.get("200", {}).get("content", {})
    for media, told in content.items():
        if media.endswith("yaml"):
            told["schema"] = {"description": "One document, or several."}
            continue
        named = REFERENCE.findall(str(told.get("schema")))
        if any({"succeed", "failed"} <= set(schemas.get(name, {}).get("properties", {})) for name in named):
            responses["207"] = {"description": "A part has failed: see `failed`.", "content": content}


@get("/openapi.json", include_in_schema=False, media_type="application/json", sync_to_thread=True)
def openapi_json(request: Request[Any, Any, Any]) -> bytes:
    """The OpenAPI document; making it takes a second, in which others are answered."""
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

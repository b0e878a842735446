"""Which representation an answer takes: JSON or YAML, and whether as Table or metadata alone.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#alternate-representations-of-resources
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from ecns.embedded.kubernetes.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Collection

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
_WRITTEN = (JSON, YAML)
_NAMED = f"{JSON}, {YAML}, {PROTOBUF}"

OBJECTS = frozenset(
    (kind, "meta.k8s.io", version)
    for kind in ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")
    for version in ("v1", "v1beta1")
)
"""The conversions that a get, list or watch of a resource offers."""
DISCOVERY = frozenset([("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2")])
"""The conversions that `/api` and `/apis` offer."""


class Representation(msgspec.Struct, frozen=True):
    """What was agreed on.

    `media` is `application/json` or `application/yaml`; `kind` (with `group` and `version`) is the conversion
    asked for by `as=`, "" for none.
    """

    media: str = JSON
    kind: str = ""
    group: str = ""
    version: str = ""

    @property
    def content_type(self) -> str:
        """The answer's content type; only discovery names its conversion there."""
        if self.kind == "APIGroupDiscoveryList":
            return f"{self.media};g={self.group};v={self.version};as={self.kind}"
        return self.media


@cache
def negotiate(accept: str, conversions: Collection[tuple[str, str, str]] = OBJECTS) -> Representation:
    """The first representation of an Accept header, by weight, that can be written.

    Args:
        accept: the header; "" takes JSON.
        conversions: (kind, group, version) of the conversions that the endpoint offers; hashable.

    Returns:
        The representation.

    Raises:
        ApiError: 406 when none can.
    """
    clauses = [_clause(text) for text in accept.split(",") if text.strip()]
    if not clauses:
        return Representation()
    known = False
    for _, media, parameters in sorted(clauses, key=lambda clause: -clause[0]):
        written = _match(media)
        known = known or bool(written) or media == PROTOBUF
        if not written:
            continue
        asked = (parameters.get("as", ""), parameters.get("g", ""), parameters.get("v", ""))
        if not any(asked):
            return Representation(written)
        if asked in conversions:
            return Representation(written, *asked)
    if known:
        raise ApiError(406, "NotAcceptable", f"only the following media types are accepted: {_NAMED}")
    raise ApiError(
        406,
        "NotAcceptable",
        f"406: Not Acceptable\n\nAvailable representations: {_NAMED}",
        details={},
    )


def _clause(text: str) -> tuple[float, str, dict[str, str]]:
    media, *rest = (part.strip() for part in text.split(";"))
    parameters = dict(part.partition("=")[::2] for part in rest)
    try:
        weight = float(parameters.pop("q", "1"))
    except ValueError:
        weight = 1.0
    return weight, media, parameters


def _match(media: str) -> str:
    if media in {"*/*", "application/*"}:
        return JSON
    return media if media in _WRITTEN else ""


def encode(value: Any, media: str = JSON) -> bytes:
    """A JSON value as bytes of that media type."""
    return _yaml(value) if media == YAML else msgspec.json.encode(value)


def _yaml(value: Any) -> bytes:
    """As Kubernetes writes YAML: sorted keys, block style, double quotes where quotes are needed."""
    import yaml  # noqa: PLC0415  seldom asked for, and slow to import

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, _data: Any) -> bool:
            return True

    def text(dumper: yaml.SafeDumper, data: str) -> yaml.ScalarNode:
        resolved: str = dumper.resolve(yaml.ScalarNode, data, (True, False))  # type: ignore[no-untyped-call]
        plain = resolved == "tag:yaml.org,2002:str"
        style = "|" if "\n" in data else (None if plain else '"')
        return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=style)

    Dumper.add_representer(str, text)
    dumped: bytes = yaml.dump(
        value, Dumper=Dumper, default_flow_style=False, allow_unicode=True, width=1 << 30, encoding="utf-8"
    )
    return dumped

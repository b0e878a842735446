"""What a request asks for: the parts of its path and the verb, as authorisation sees them.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}
_PARTS_OF_NAMESPACES = {"status", "finalize"}


class Target(msgspec.Struct, frozen=True):
    """A request of resources; `name`, `namespace` and `subresource` are "" when the path has none."""

    verb: str
    group: str
    version: str
    resource: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    watch: bool = False
    extra: str = ""

    @property
    def full(self) -> str:
        """`deployments.apps`."""
        return f"{self.resource}.{self.group}" if self.group else self.resource


def parse(method: str, path: str, query: Mapping[str, str]) -> Target | None:
    """Reads a path; None when it is not of resources (discovery, health, …)."""
    parts = path.strip("/").split("/")
    if parts[0] == "api":
        group, rest = "", parts[1:]
    elif parts[0] == "apis" and len(parts) > 1:
        group, rest = parts[1], parts[2:]
    else:
        return None
    if len(rest) < 2:  # noqa: PLR2004  a version alone is discovery
        return None
    version, *rest = rest
    old_watch = rest[0] == "watch" and len(rest) > 1
    if old_watch:
        rest = rest[1:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in _PARTS_OF_NAMESPACES:  # noqa: PLR2004  namespaces/<name>/<resource>
            rest = rest[2:]
    resource, name, subresource, *more = (*rest, "", "")
    extra = "/".join(part for part in more if part)
    watch = old_watch or (
        not name and query.get("watch") not in {None, "0", "false", "False", "FALSE", "f", "F"}
    )
    if method in {"GET", "HEAD"}:
        verb = "watch" if watch else ("get" if name else "list")
    elif method == "DELETE":
        verb = "delete" if name else "deletecollection"
    else:
        verb = _VERBS.get(method, method.lower())
    return Target(verb, group, version, resource, namespace, name, subresource, watch, extra)

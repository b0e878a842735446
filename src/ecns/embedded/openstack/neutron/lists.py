"""Lists of Neutron: filters by any field, fields, sorting, pages with links both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecns.embedded.openstack.errors import ProblemError, bad, missing
from ecns.embedded.openstack.http import Answer
from ecns.embedded.openstack.service import MOST_OF_PAGE, query_of

if TYPE_CHECKING:
    from ecns.embedded.openstack.neutron.kinds import Kind
    from ecns.embedded.openstack.service import Call
    from ecns.embedded.openstack.store import Body

_ABOUT = frozenset({"limit", "marker", "page_reverse", "sort_key", "sort_dir", "fields"})
_TAGS = frozenset({"tags", "tags-any", "not-tags", "not-tags-any"})


def answer(call: Call, kind: Kind, bodies: list[Body]) -> Answer:
    """The part of a list that a query asks for.

    Raises:
        ProblemError: 400, it filters or sorts by what is no field; 404, its marker is not there.
    """
    filters: dict[str, list[str]] = {}
    for name, value in call.query:
        if name not in _ABOUT:
            filters.setdefault("project_id" if name == "tenant_id" else name, []).append(value)
    allowed = set(kind.fields) | kind.shown | _TAGS
    unknown = [name for name in filters if name not in allowed]
    if unknown:
        raise bad(f"{unknown} is invalid attribute for filtering", "HTTPBadRequest")
    found = [body for body in bodies if all(_matches(body, *item) for item in filters.items())]
    keys = [value for name, value in call.query if name == "sort_key"]
    directions = [value for name, value in call.query if name == "sort_dir"]
    for key in keys:
        if key not in allowed:
            raise bad(f"{key} is invalid attribute for sort_keys", "HTTPBadRequest")
    pairs = [*zip(keys, directions + ["asc"] * len(keys), strict=False)]
    if not pairs or pairs[-1][0] != "id":
        pairs.append(("id", "asc"))
    for key, direction in reversed(pairs):
        found.sort(key=lambda body, key=key: _sortable(body.get(key)), reverse=direction == "desc")  # type: ignore[misc]  # a default binds the key
    found, links = _paged(call, kind, found)
    collection = kind.plural.replace("-", "_")
    said: Body = {collection: [fields_of(call, body) for body in found]}
    if links:
        said[f"{collection}_links"] = links
    return Answer(body=said)


def fields_of(call: Call, body: Body) -> Body:
    """The fields that a query asks for."""
    wanted = [value for name, value in call.query if name == "fields"]
    return {name: body[name] for name in body if name in wanted} if wanted else body


def _sortable(value: Any) -> tuple[bool, str, float]:
    if isinstance(value, int | float):
        return True, "", float(value)
    return value is not None, str(value), 0.0


def _matches(body: Body, name: str, values: list[str]) -> bool:
    if name in _TAGS:
        wanted = {tag for value in values for tag in value.split(",")}
        has = set(body.get("tags", ()))
        inside = wanted <= has if name in {"tags", "not-tags"} else bool(wanted & has)
        return inside != name.startswith("not-")
    value = body.get(name)
    if name == "fixed_ips":
        return _has_address(value or [], values)
    if isinstance(value, list):
        return any(text in value for text in values)
    return any(_equals(value, text) for text in values)


def _has_address(addresses: list[dict[str, str]], texts: list[str]) -> bool:
    """Whether one of a port's addresses is as is asked for; of what is asked of one thing one is enough."""
    asked: dict[str, list[str]] = {}
    for text in texts:
        key, _, wanted = text.partition("=")
        asked.setdefault(key, []).append(wanted)

    def fits(address: dict[str, str], key: str, wanted: list[str]) -> bool:
        if key == "ip_address_substr":
            return any(one in address["ip_address"] for one in wanted)
        return address.get(key) in wanted

    return any(all(fits(one, key, wanted) for key, wanted in asked.items()) for one in addresses)


def _equals(value: Any, text: str) -> bool:
    if isinstance(value, bool):
        return text.lower() in ({"true", "1"} if value else {"false", "0"})
    return ("" if value is None else str(value)) == text


def _paged(call: Call, kind: Kind, bodies: list[Body]) -> tuple[list[Body], list[dict[str, str]]]:
    text, marker = call.text("limit"), call.text("marker")
    if text and not text.isdigit():
        raise bad(f"Invalid value for limit: {text}: it must be an integer >= 0", "HTTPBadRequest")
    limit = min(int(text or 0) or MOST_OF_PAGE, MOST_OF_PAGE)
    backwards = call.flag("page_reverse")
    ids = [body["id"] for body in bodies]
    if marker:
        if marker not in ids:
            raise _no_marker(kind, marker)
        at = ids.index(marker)
        bodies = bodies[:at] if backwards else bodies[at + 1 :]
    found = bodies[-limit:] if backwards else bodies[:limit]
    if not text or not found:
        return found, []
    links = []
    base = f"{call.base}{call.path}?"
    forward = _without_reverse(call)
    if len(found) == limit or backwards:
        links.append({"rel": "next", "href": base + query_of(forward, marker=found[-1]["id"])})
    if not (backwards and len(found) < limit):
        query = query_of(forward, marker=found[0]["id"], page_reverse="True")
        links.append({"rel": "previous", "href": base + query})
    return found, links


def _without_reverse(call: Call) -> Call:
    from dataclasses import replace  # noqa: PLC0415  one line uses it

    return replace(call, query=[pair for pair in call.query if pair[0] != "page_reverse"])


def _no_marker(kind: Kind, marker: str) -> ProblemError:
    return missing(f"{kind.title} {marker} could not be found.", f"{kind.error}NotFound")

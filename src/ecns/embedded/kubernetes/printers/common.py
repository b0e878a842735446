"""What the printers of all kinds share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ecns.embedded.kubernetes.errors import Object

NONE = "<none>"
MOST = 3
"""How many of a list are shown before the rest is only counted."""

PRINTERS: dict[str, Callable[[Object, datetime], list[Any]]] = {}
"""Resource → the cells of one object."""


def prints(*resources: str) -> Callable[[Any], Any]:
    """Registers a printer for resources."""

    def register(function: Any) -> Any:
        PRINTERS.update(dict.fromkeys(resources, function))
        return function

    return register


def duration(span: timedelta) -> str:
    """A span as Kubernetes writes ages: `59s`, `2m5s`, `3h`, `45d`, `2y30d`."""
    seconds = int(span.total_seconds())
    if seconds < 0:
        return "<invalid>" if seconds < -1 else "0s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    steps = (
        (seconds < 120, seconds, "s", 0, ""),  # noqa: PLR2004  two minutes
        (minutes < 10, minutes, "m", seconds % 60, "s"),  # noqa: PLR2004  minutes with seconds up to here
        (minutes < 180, minutes, "m", 0, ""),  # noqa: PLR2004  three hours
        (hours < 8, hours, "h", minutes % 60, "m"),  # noqa: PLR2004  hours with minutes up to here
        (hours < 48, hours, "h", 0, ""),  # noqa: PLR2004  two days
        (hours < 192, days, "d", hours % 24, "h"),  # noqa: PLR2004  eight days
        (hours < 17520, days, "d", 0, ""),  # noqa: PLR2004  two years
        (hours < 70080, days // 365, "y", days % 365, "d"),  # noqa: PLR2004  eight years
        (True, days // 365, "y", 0, ""),
    )
    _, large, unit, small, subunit = next(step for step in steps if step[0])
    return f"{large}{unit}{small}{subunit}" if small else f"{large}{unit}"


def parse_time(text: str) -> datetime:
    """An RFC 3339 time; raises ValueError when it is none."""
    return datetime.fromisoformat(text).astimezone(UTC)


def age(text: str | None, now: datetime) -> str:
    """How long ago a time was."""
    return duration(now - parse_time(text)) if text else "<unknown>"


def name_of(obj: Object) -> str:
    """An object's name."""
    name: str = obj["metadata"].get("name", "")
    return name


def age_of(obj: Object, now: datetime) -> str:
    """How long ago an object was made."""
    return age(obj["metadata"].get("creationTimestamp"), now)


def labels(found: Mapping[str, str] | None) -> str:
    """`a=b,c=d`, or `<none>`."""
    return ",".join(f"{key}={value}" for key, value in sorted((found or {}).items())) or NONE


def selector(found: Object | None) -> str:
    """A LabelSelector in the notation of the query parameter."""
    if found is None:
        return NONE
    terms = [(key, f"{key}={value}") for key, value in (found.get("matchLabels") or {}).items()]
    for term in found.get("matchExpressions") or ():
        key, values = term["key"], ",".join(sorted(term.get("values") or ()))
        notation = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key}
        terms.append((key, notation.get(term["operator"], f"!{key}")))
    return ",".join(text for _, text in sorted(terms, key=lambda term: term[0])) or NONE


def containers(template: Object) -> list[str]:
    """The names and the images of the containers of a template."""
    found = (template.get("spec") or {}).get("containers") or ()
    return [",".join(item["name"] for item in found), ",".join(item.get("image", "") for item in found)]


def shortened(found: list[str], empty: str, most: int = MOST) -> str:
    """A list joined by commas, its rest counted when it has more than `most`."""
    if len(found) > most:
        return f"{','.join(found[:most])} + {len(found) - most} more..."
    return ",".join(found) or empty


def spec_of(obj: Object) -> Object:
    """An object's spec, or nothing."""
    return obj.get("spec") or {}


def status_of(obj: Object) -> Object:
    """An object's status, or nothing."""
    return obj.get("status") or {}


def has_condition(obj: Object, kind: str) -> bool:
    """Whether a condition is True."""
    found = status_of(obj).get("conditions") or ()
    return any(item["type"] == kind and item["status"] == "True" for item in found)

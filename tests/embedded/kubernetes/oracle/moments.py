"""When two answers of which each shows a moment, or a way through moments, tell the same.

A controller's work passes through many states, and which of them a reader meets depends on the machine. A
state is accepted where our server passed through it, and a history where every field of every object took
the same values in the same order.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any, NamedTuple

from ecns.embedded.kubernetes import quantities

_COUNTED = re.compile(r"from \d+ to \d+")
_COMBINED = "(combined from similar events): "
_ENDING = ".status.terminatingReplicas"
_UNCOUNTED, _USED = ".status.uncountedTerminatedPods.", ".status.used."
_QUOTED_TASK = re.compile(r"\b[0-9a-f]{64}\b")


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def without_status(obj: Any) -> Any:
    """An object but for what controllers write: the status, and the revision annotation."""
    if not isinstance(obj, dict):
        return obj
    rest = {key: value for key, value in obj.items() if key != "status"}
    metadata = dict(rest.get("metadata") or {})
    annotations = {
        key: value
        for key, value in (metadata.get("annotations") or {}).items()
        if "deployment.kubernetes.io" not in key
    }
    metadata.pop("annotations", None)
    return {**rest, "metadata": {**metadata, **({"annotations": annotations} if annotations else {})}}


def passed(expected: Any, states: list[Any]) -> bool:
    """Whether an object, or each object of a list, is as one of ours was at some moment."""
    if not isinstance(expected, dict):
        return False
    known = {_key(_bare(state)) for state in states}
    items = expected.get("items", [expected])
    return bool(items) and all(_key(_bare(item)) in known for item in items)


def passed_status(expected: Any, got: Any, states: list[Any]) -> bool:
    """Whether two answers to a change are equal but for a status that ours had, before or after it."""
    if not isinstance(expected, dict) or not isinstance(got, dict) or "metadata" not in got:
        return False
    if _key(without_status(expected)) != _key(without_status(got)):
        return False
    return _key(expected.get("status")) in {_key(state.get("status")) for state in states}


def _bare(obj: Any) -> Any:
    return {key: value for key, value in obj.items() if key not in {"kind", "apiVersion"}}


class Way(NamedTuple):
    """What an object went through."""

    kinds: tuple[str, ...]
    fields: dict[str, list[Any]]


def same_history(expected: Any, got: Any) -> bool:
    """Whether the objects of two watches went through the same, however many steps each took.

    For each field: the same values in the same order, where a counter that goes up (or down) may do so in
    other steps. Objects are told apart by their uid, and compared whatever their order.
    """
    return Counter(map(_shown, _ways(expected))) == Counter(map(_shown, _ways(got)))


def history_lines(expected: Any, got: Any) -> list[str]:
    """In which fields two histories differ."""
    theirs, ours = ({_shown(way): way for way in _ways(events)} for events in (expected, got))
    left = [theirs[key] for key in sorted(theirs.keys() - ours.keys())]
    right = [ours[key] for key in sorted(ours.keys() - theirs.keys())]
    lines = [f"! {len(left)} ways of objects differ, {len(right)} of ours"]
    for one, other in zip(left, right, strict=False):
        if one.kinds != other.kinds:
            lines.append(f"! events: {one.kinds} | ours: {other.kinds}")
        lines += [
            f"! {name}: {one.fields.get(name)} | ours: {other.fields.get(name)}"[:700]
            for name in sorted({*one.fields, *other.fields})
            if one.fields.get(name) != other.fields.get(name)
        ]
    return lines


def _shown(way: Way) -> str:
    return _key([way.kinds, way.fields])


def _ways(events: list[Any]) -> list[Way]:
    objects: dict[str, list[Any]] = {}
    for event in events:
        objects.setdefault(event.get("uid") or event["object"]["metadata"].get("name", ""), []).append(event)
    return [_way(found) for found in objects.values()]


def _way(events: list[Any]) -> Way:
    kinds = tuple(dict.fromkeys(event["type"] for event in events))
    states = [dict(_leaves("", event["object"])) for event in events]
    fields = {}
    for name in {name for state in states for name in state}:
        values = [state.get(name) for state in states]
        if name == _ENDING:  # how many pods end at once depends on how long each takes
            values = [any(values)]
        elif name.startswith(_UNCOUNTED):  # so does how many have ended since the last look
            values = [bool(value) for value in values]
        elif name.startswith(_USED):
            values = [_amount(value) for value in values]
        fields[name] = _turns(values)
    return Way(kinds, fields)


def _amount(value: Any) -> Any:
    try:
        return None if value is None else quantities.parse(value).milli
    except ValueError:  # already made alike
        return value


def _turns(values: list[Any]) -> list[Any]:
    """Different values one after the other; of numbers only those where they turn (none is 0)."""
    numbers = all(
        value is None or (isinstance(value, int) and not isinstance(value, bool)) for value in values
    )
    found: list[Any] = []
    for value in ((value or 0) for value in values) if numbers else values:
        if found and found[-1] == value:
            continue
        if numbers and len(found) > 1 and (found[-1] - found[-2]) * (value - found[-1]) > 0:
            found[-1] = value
        else:
            found.append(value)
    return found


def _leaves(path: str, value: Any) -> Any:
    """(path, value) of everything in an object; items with a type or a name are told apart by it."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(f"{path}.{key}", item)
    elif (
        isinstance(value, list) and value and all(isinstance(item, dict) and "type" in item for item in value)
    ):
        for item in value:
            yield f"{path}[{item['type']}]", _key(item)
    elif (
        isinstance(value, list) and value and all(isinstance(item, dict) and "name" in item for item in value)
    ):
        for item in value:
            yield from _leaves(f"{path}[{item['name']}]", item)
    elif value == "<version>":
        return
    else:
        yield path, value


def told_events(items: list[Any]) -> set[str]:
    """What events tell, however often: about what, by whom, which type, reason and message, and their form.

    Between which sizes a ReplicaSet was scaled in one step depends on the moment, as in its history, and so
    does after how many events of one reason they are combined.
    """
    found = set()
    for item in items:
        shown = {
            key: value
            for key, value in item.items()
            if key not in {"count", "series", "metadata", "deprecatedCount"}
        }
        about = {
            key: value
            for key, value in (item.get("involvedObject") or {}).items()
            if key != "resourceVersion"
        }
        message = _QUOTED_TASK.sub(
            "<task>", _COUNTED.sub("in steps", (item.get("message") or "").removeprefix(_COMBINED))
        )
        teller = item.get("reportingComponent") or (item.get("source") or {}).get("component")
        found.add(_key({**shown, "involvedObject": about, "message": message, "reportingComponent": teller}))
    return found


def event_lines(expected: list[Any], got: list[Any]) -> list[str]:
    """Which events only one of the two has."""
    theirs, ours = told_events(expected), told_events(got)

    def short(event: str) -> str:
        item = json.loads(event)
        about = item["involvedObject"]
        return f"{about.get('kind')} {about.get('name')} {item.get('reason')}: {item.get('message')}"[:300]

    return [f"- {short(item)}" for item in sorted(theirs - ours)] + [
        f"+ {short(item)}" for item in sorted(ours - theirs)
    ]

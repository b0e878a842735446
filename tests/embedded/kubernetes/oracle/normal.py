"""What varies between two runs of the same server, taken out of an answer."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

_UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")
_SAFE = "bcdfghjklmnpqrstvwxz2456789"
_HASHED = re.compile(rf"-[{_SAFE}]{{6,10}}(?=$|-[{_SAFE}]{{5}}|-\\?\"|[^a-z0-9-])")
_SUFFIX = re.compile(rf"-[{_SAFE}]{{5}}(?=$|[^a-z0-9-])")
_GENERATED = re.compile(rf"(?<=[a-zB])[{_SAFE}]{{5}}$")
_HEX = re.compile(r"\.[0-9a-f]{16}(?=$|[^0-9a-f])")
_CONTAINER = re.compile(r"(containerd|fakeRuntime)://[0-9a-zA-Z_-]+")
_HASH_TERM = re.compile(rf"(pod-template-hash=)[{_SAFE}0-9]+")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_ADDRESS = re.compile(r"\b(10|192\.0\.2|127\.0\.0|172\.\d+|192\.168)(\.\d+){1,3}(:\d+)?\b")
_HASH = re.compile(r"\b[0-9a-f]{64}\b")
_RESTARTS = re.compile(r"^\d+ \((?:\d+[smhd])+ ago\)$")
_TICKS = re.compile(r"(?:(?:<time> )?tick \d+\n)+")
_HEARD = re.compile(r"(?:<ticks>)+")
_NETWORK = re.compile(r"<address>/\d+")
_VERSION = re.compile(r"(?i)(resource ?versions?[^0-9\"]{0,30}\"?|current: |\()(\d+)")
_AGE = re.compile(r"^(\d+[smhd])+$|\((\d+[smhd])+ ago\)")
_MINUTE = re.compile(r"-29\d{6}\b")
_TOKENS = ("continue",)
_HIDDEN = {"ca.crt": "(certificate)", "token": "(token)", "caBundle": "(certificate)"}
_MACHINES = ("capacity", "allocatable", "images", "daemonEndpoints", "nodeInfo", "declaredFeatures")
_NODES = re.compile(r"\b(real-0|hollow-0|hollow-1|node-[0-9])\b")


def _token(text: str) -> str:
    try:
        decoded = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError:
        return text
    return f"after {decoded.get('start', '').removeprefix('/')!r}" if isinstance(decoded, dict) else text


def _ticks(value: str) -> str:
    """What a counting container says: which numbers one hears depends on the moment, their order does not."""
    numbers = [int(number) for number in re.findall(r"tick (\d+)", value)]
    if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        return value
    return "<time> <ticks>" if value.startswith("<time>") else "<ticks>"


def text(value: str) -> str:
    """A string with what varies replaced."""
    value = _UID.sub("<uid>", value)
    value = value.replace("docker.io/library/nginx:1.27", "docker.io/library/busybox:1.35")  # one image there
    value = _TIME.sub("<time>", value)
    value = _CONTAINER.sub("<container>", value)
    value = _DIGEST.sub("<digest>", value)
    value = _HASH_TERM.sub(r"\1<hash>", value)
    value = _ADDRESS.sub("<address>", value)
    value = _HASH.sub("<id>", value)
    value = _HEARD.sub("<ticks>", value)
    if _TICKS.fullmatch(value):
        value = _ticks(value)
    if _RESTARTS.fullmatch(value):
        return "<restarts>"
    value = _NETWORK.sub("<address>/<size>", value)
    value = _HEX.sub(".<hex>", value)
    value = _MINUTE.sub("-<minute>", value)
    value = _HASHED.sub("-<hash>", value)
    value = _SUFFIX.sub("-<random>", value)
    value = _NODES.sub("<node>", value)
    value = _VERSION.sub(lambda found: f"{found[1]}<version>", value)
    if "resourceVersion" in value:
        value = re.sub(r'resourceVersion\\*":\\*"\d+', 'resourceVersion":"<version>', value)
    return _AGE.sub("<age>", value)


def body(value: Any, *, managed: bool = False, key: str = "") -> Any:
    """A decoded body with what varies replaced.

    Args:
        value: the body or a part of it.
        managed: whether managedFields are compared.
        key: the field that the part stands in.

    """
    if isinstance(value, dict):
        return _object(value, managed=managed, key=key)
    if isinstance(value, list):
        items = [body(item, managed=managed, key=key) for item in value]
        if key == "items":
            items.sort(key=_rank)
        if key == "managedFields":
            items.sort(key=lambda item: (item["manager"], item["operation"], item.get("subresource", "")))
        if key in {"causes", "resourceRules", "nonResourceRules"}:
            items.sort(key=lambda item: json.dumps(item, sort_keys=True))
        return items
    if not isinstance(value, str):
        return "<port>" if key in {"nodePort", "healthCheckNodePort"} and value else value
    if key in _HIDDEN:
        return _HIDDEN[key]
    if key == "resourceVersion":
        return "<version>" if value.isdigit() else value
    if key == "continue":
        return _token(value)
    if key == "generateName":
        return text(value.rstrip("-")) + "-"
    if key in {
        "pod-template-hash",
        "controller.kubernetes.io/hash",
        "controller-revision-hash",
        "currentRevision",
        "updateRevision",
    }:
        return re.sub(rf"[{_SAFE}0-9]{{6,10}}$", "<hash>", value)
    if key == "storageVersionHash":
        return "<hash>"
    if key == "name":
        value = re.sub(r"^(.*)\b(kube-api-access)-\w{5}$", r"\1\2-<random>", value)
    return text(value)


def _rank(item: Any) -> str:
    return json.dumps(item, sort_keys=True)


def uids(events: Any) -> list[str]:
    """Of a watch's events: the uids of their objects."""
    if not isinstance(events, list):
        return []
    return [
        str(event.get("object", {}).get("metadata", {}).get("uid", ""))
        for event in events
        if isinstance(event, dict)
    ]


def grouped(events: list[Any]) -> list[Any]:
    """A history: each object's states in their order, whatever the order of different objects was."""
    return sorted(events, key=lambda event: str(event["object"].get("metadata", {}).get("name", "")))


def _object(value: dict[str, Any], *, managed: bool, key: str) -> Any:
    result: dict[str, Any] = {}
    if value.get("reason") == "Invalid" and "is invalid: [" in value.get("message", ""):
        value = {**value, "message": _sorted_causes(value)}
    if "nodeInfo" in value:  # a node's status
        value = {**value, **dict.fromkeys(_MACHINES, "<of the machine>")}
    for name, item in value.items():
        if name == "managedFields" and not managed:
            continue
        if name == "resources" and key == "status":
            continue
        shown = name
        if key == "disruptedPods":
            shown = text(name)
        elif name.startswith("k:{") or _UID.search(name):
            shown = _UID.sub("<uid>", name)
        result[shown] = body(item, managed=managed, key=name)
    return result


def _sorted_causes(status: dict[str, Any]) -> str:
    """A Status' message with its causes in order: they come out of a map."""
    head, _, _ = status["message"].partition("[")
    causes = (status.get("details") or {}).get("causes") or ()
    return head + json.dumps(sorted(f"{cause.get('field')}: {cause['message']}" for cause in causes))


def generated(value: Any, prefixes: dict[str, str]) -> Any:
    """Names that `generateName` made: replaces the exact names of this run."""
    if isinstance(value, dict):
        return {key: generated(item, prefixes) for key, item in value.items()}
    if isinstance(value, list):
        return [generated(item, prefixes) for item in value]
    if isinstance(value, str):
        for name, shown in prefixes.items():
            value = value.replace(name, shown)
    return value


def names(value: Any, found: dict[str, str]) -> dict[str, str]:
    """Every generated name in a body and what to show for it."""
    if isinstance(value, dict):
        base = value.get("generateName")
        name = value.get("name")
        if isinstance(base, str) and isinstance(name, str) and name != base:
            found[name] = f"{text(base.rstrip('-'))}-<generated>"
        for item in value.values():
            names(item, found)
    elif isinstance(value, list):
        for item in value:
            names(item, found)
    return found

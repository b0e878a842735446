"""LimitRanges: defaults for containers, and bounds.

Source: https://kubernetes.io/docs/concepts/policy/limit-range/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes import quantities
from ecns.embedded.kubernetes.errors import forbidden

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecns.embedded.kubernetes.admission import Reader, Request
    from ecns.embedded.kubernetes.errors import Object

ANNOTATION = "kubernetes.io/limit-ranger"
_KINDS = (("requests", "request"), ("limits", "limit"))


def set_defaults(cluster: Reader, request: Request) -> None:
    """Containers of a new pod that do not say their requests and limits get the LimitRanges' defaults."""
    if request.operation != "CREATE" or request.resource != "pods" or request.subresource:
        return
    said: list[str] = []
    for found in cluster.list("limitranges", request.namespace):
        defaults: dict[str, Object] = {"requests": {}, "limits": {}}
        for item in found["spec"].get("limits") or ():
            if item.get("type") == "Container":
                defaults["requests"].update(item.get("defaultRequest", {}))
                defaults["limits"].update(item.get("default", {}))
        for kind, word in (("containers", "container"), ("initContainers", "init container")):
            for container in request.obj["spec"].get(kind) or ():
                said += _fill_in(container, defaults, word)
    if said:
        annotations = request.obj["metadata"].setdefault("annotations", {})
        annotations[ANNOTATION] = "LimitRanger plugin set: " + "; ".join(said)


def _fill_in(container: Object, defaults: dict[str, Object], word: str) -> Iterator[str]:
    for kind, name in _KINDS:
        present = container.get("resources", {}).get(kind, {})
        added = {key: amount for key, amount in defaults[kind].items() if key not in present}
        if added:
            container.setdefault("resources", {})[kind] = {**present, **added}
            yield f"{', '.join(sorted(added))} {name} for {word} {container.get('name', '')}"


def check(cluster: Reader, request: Request) -> None:
    """Refuses pods and claims outside the bounds."""
    if request.resource not in {"pods", "persistentvolumeclaims"} or request.subresource:
        return
    if request.operation != "CREATE" and request.resource == "pods":
        return
    faults: list[str] = []
    for found in cluster.list("limitranges", request.namespace):
        for item in found["spec"].get("limits") or ():
            faults += _faults(request, item)
    if faults:
        why = faults[0] if len(faults) == 1 else f"[{', '.join(faults)}]"
        raise forbidden(request.resource, request.name, why)


def _faults(request: Request, item: Object) -> Iterator[str]:
    kind, spec = item.get("type", ""), request.obj["spec"]
    if request.resource == "persistentvolumeclaims":
        if kind == "PersistentVolumeClaim":
            requests = spec.get("resources", {}).get("requests", {})
            yield from _outside(kind, item, requests, requests, most_of="request")
        return
    if kind == "Container":
        for name in ("containers", "initContainers"):
            for container in spec.get(name) or ():
                found = container.get("resources", {})
                yield from _outside(kind, item, found.get("requests", {}), found.get("limits", {}))
    elif kind == "Pod":
        yield from _outside(kind, item, _total(spec, "requests"), _total(spec, "limits"))


def _total(spec: Object, kind: str) -> Object:
    """What a pod needs: the sum of its containers, or what the largest init container needs."""
    sums: dict[str, quantities.Quantity] = {}
    for container in spec.get("containers") or ():
        for name, amount in container.get("resources", {}).get(kind, {}).items():
            sums[name] = sums.get(name, quantities.ZERO) + quantities.parse(amount)
    for container in spec.get("initContainers") or ():
        for name, amount in container.get("resources", {}).get(kind, {}).items():
            sums[name] = max(sums.get(name, quantities.ZERO), quantities.parse(amount))
    return {name: str(amount) for name, amount in sums.items()}


def _outside(
    kind: str, item: Object, requests: Object, limits: Object, *, most_of: str = "limit"
) -> Iterator[str]:
    for name, least in item.get("min", {}).items():
        bound, text = quantities.parse(least), f"minimum {name} usage per {kind} is {least}"
        asked, limit = requests.get(name), limits.get(name)
        if asked is None:
            yield f"{text}.  No request is specified"
        elif quantities.parse(asked) < bound:
            yield f"{text}, but request is {asked}"
        elif limit is not None and quantities.parse(limit) < bound:
            yield f"{text}, but limit is {limit}"
    for name, most in item.get("max", {}).items():
        bound, text = quantities.parse(most), f"maximum {name} usage per {kind} is {most}"
        asked, limit = requests.get(name), limits.get(name)
        if limit is None:
            yield f"{text}.  No {most_of} is specified"
        elif bound < quantities.parse(limit):
            yield f"{text}, but {most_of} is {limit}"
        elif asked is not None and bound < quantities.parse(asked):
            yield f"{text}, but request is {asked}"
    for name, ratio in item.get("maxLimitRequestRatio", {}).items():
        yield from _ratio(kind, name, ratio, requests.get(name), limits.get(name))


def _ratio(kind: str, name: str, most: str, request: str | None, limit: str | None) -> Iterator[str]:
    text = f"{name} max limit to request ratio per {kind} is {most}"
    if request is None or not quantities.parse(request).nano:
        yield f"{text}, but no request is specified or request is 0"
    elif limit is None or not quantities.parse(limit).nano:
        yield f"{text}, but no limit is specified or limit is 0"
    else:
        observed = quantities.parse(limit).nano / quantities.parse(request).nano
        if observed * quantities.NANO > quantities.parse(most).nano:
            yield f"{text}, but provided ratio is {observed:f}"

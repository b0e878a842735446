"""The rules of an Ingress, one route at a time; shared by access modes and by Ingresses themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from ecns.backends.kubernetes.kinds import networking as net
from ecns.backends.kubernetes.kinds.core import Service
from ecns.backends.kubernetes.kinds.meta import JsonObject

ANY_PATH = "/"
PATH_TYPE = "Prefix"
"""Of a route that does not say."""

Number = Callable[[str, str], int]
"""The number of a port of a Service by both names; 0 when nobody knows."""


class Route(NamedTuple):
    """A path of a host and where it leads, as Kubernetes has it."""

    host: str
    """Empty: any."""
    path: str
    """Empty for a rule without paths, whose host the default backend answers for."""
    path_type: str
    """Empty: `Prefix`, or what it was before."""
    backend: JsonObject
    whole: JsonObject = {}  # noqa: RUF012  never changed
    """The path as it is there, with what else it has."""

    @property
    def service(self) -> str:
        """The Service that it leads to, if any."""
        return str((self.backend.get("service") or {}).get("name") or "")

    def port(self, number: Number) -> int:
        """The port of the Service."""
        port = (self.backend.get("service") or {}).get("port") or {}
        return int(port.get("number") or number(self.service, port.get("name") or ""))


def of_services(entry: net.Ingress) -> Iterable[tuple[str, net.IngressPath, net.ServiceBackend]]:
    """Host, path and Service of every rule that leads to a Service."""
    for rule in entry.spec.rules or ():
        for path in rule.http.paths if rule.http else ():
            if path.backend.service:
                yield rule.host, path, path.backend.service


def read(rules: Sequence[JsonObject]) -> list[Route]:
    """The routes of whole rules."""
    found: list[Route] = []
    for rule in rules:
        host = rule.get("host") or ""
        paths = (rule.get("http") or {}).get("paths") or ()
        if not paths:
            found.append(Route(host, "", "", {}))
        found += [
            Route(
                host,
                path.get("path") or ANY_PATH,
                path.get("pathType") or "",
                path.get("backend") or {},
                path,
            )
            for path in paths
        ]
    return found


def written(wanted: Sequence[Route], present: Sequence[JsonObject], number: Number) -> list[JsonObject]:
    """The rules that make routes, each as far as it is there already as it is there.

    Args:
        wanted: the routes, in order; those of one host become one rule.
        present: the rules that there are, whole.
        number: knows the ports of Services.
    """
    there = read(present)
    if len(wanted) == len(there) and all(map(same, wanted, there, [number] * len(there))):
        return list(present)
    hosts: dict[str, list[JsonObject]] = {}
    for one in wanted:
        paths = hosts.setdefault(one.host, [])
        if not one.path:
            continue
        known = next(
            (old for old in there if old[:2] == one[:2] and one.path_type in {"", old.path_type}), None
        )
        made = {"path": one.path, "pathType": one.path_type or PATH_TYPE, "backend": one.backend}
        if known is not None:
            there.remove(known)
            kept = known.backend if same(one, known, number) else one.backend
            made = {"pathType": made["pathType"], **known.whole, "backend": kept}
        paths.append(made)
    return [
        {**({"host": host} if host else {}), **({"http": {"paths": paths}} if paths else {})}
        for host, paths in hosts.items()
    ]


def numbers(services: Mapping[str, Service]) -> Number:
    """Knows the ports of these Services, by name."""

    def number(service: str, port: str) -> int:
        found = services.get(service)
        ports = (found.spec.ports if found else None) or ()
        return next((one.port for one in ports if one.name == port), 0) if port else 0

    return number


def same(one: Route, there: Route, number: Number) -> bool:
    """Whether a route is there already."""
    if one[:2] != there[:2] or one.path_type not in {"", there.path_type}:
        return False
    if not one.service or not there.service:
        return one.backend == there.backend
    port = one.port(number)
    return (
        one.service == there.service
        and port == there.port(number)
        and (port > 0 or one.backend == there.backend)
    )

"""Probes of simulated containers: programs are really run, whoever is asked over the network answers well.

Source: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-probes
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from ecns.embedded.kubernetes.nodes.container import Container, Probe
from ecns.embedded.kubernetes.nodes.process import NotFound, Process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

_STEP = timedelta(milliseconds=10)
_PROBE_TIME = 1.0


class Outcome(NamedTuple):
    """What one probe found: why it failed ("" when it did not), and whether the container is to go."""

    fault: str = ""
    kills: bool = False


def start(container: Container, now: datetime) -> None:
    """Gives a container that has just started its probes, and says what it is without them."""
    container.probes = {}
    spec = container.spec
    if container.behaviour == "liveness-fail":
        container.probes["liveness"] = Probe(
            {"periodSeconds": 10, "failureThreshold": 1}, now + timedelta(seconds=10)
        )
    for kind in ("startup", "liveness", "readiness"):
        probe = spec.get(f"{kind}Probe")
        if not probe:
            continue
        if "exec" not in probe and kind != "readiness":
            container.started = True
            continue
        delay = timedelta(seconds=probe.get("initialDelaySeconds", 0)) if "exec" in probe else timedelta()
        container.probes[kind] = Probe(probe, now + delay + (_STEP if "exec" in probe else timedelta()))
    if container.behaviour == "never-ready":
        container.probes.pop("readiness", None)
    elif container.started and "readiness" not in container.probes:
        container.ready = container.kind == "main" or container.is_sidecar


def due(containers: list[Container], now: datetime) -> Iterator[tuple[Container, str, Probe]]:
    """The probes that are to be made now; the others wait for a startup probe's success."""
    for container in containers:
        for kind, probe in list(container.probes.items()):
            if probe.due > now or not container.running:
                continue
            if kind != "startup" and "startup" in container.probes:
                probe.due = container.probes["startup"].due + _STEP
                continue
            yield container, kind, probe


def make(container: Container, kind: str, probe: Probe, now: datetime) -> Outcome:
    """Probes once, and changes the container by what is found."""
    code, said = _ask(container, kind, probe, now)
    probe.due = now + timedelta(seconds=probe.spec.get("periodSeconds", 10))
    if code == 0:
        probe.successes, probe.failures = probe.successes + 1, 0
        if probe.successes >= probe.spec.get("successThreshold", 1):
            _succeeded(container, kind, probe)
        return Outcome()
    probe.failures, probe.successes = probe.failures + 1, 0
    fault = f"{kind.capitalize()} probe failed: {said}"
    if probe.failures < probe.spec.get("failureThreshold", 3):
        return Outcome(fault)
    if kind == "readiness":
        container.ready = False
        return Outcome(fault)
    return Outcome(fault, kills=True)


def _succeeded(container: Container, kind: str, probe: Probe) -> None:
    if kind == "readiness":
        container.ready = True
        if "exec" not in probe.spec:
            del container.probes[kind]
    elif kind == "startup":
        container.started = True
        del container.probes[kind]
        if "readiness" not in container.probes and container.behaviour != "never-ready":
            container.ready = True


def _ask(container: Container, kind: str, probe: Probe, now: datetime) -> tuple[int, str]:
    if container.behaviour == "liveness-fail" and kind == "liveness":
        return 1, "HTTP probe failed with statuscode: 500"
    command = probe.spec.get("exec", {}).get("command")
    if not command or container.machine is None:
        return 0, ""
    said = bytearray()
    try:
        process = Process(container.machine, command, lambda _stream, data, _at: said.extend(data), now)
    except NotFound:
        return 0, ""
    process.advance(now + timedelta(seconds=_PROBE_TIME))
    return process.exit_code if process.exit_code is not None else 1, said.decode(errors="replace")

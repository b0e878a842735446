"""Probes of simulated containers: programs are really run; over the network servers answer well, others not.

Source: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-probes
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from ecns.embedded.kubernetes.nodes.container import Container, Probe
from ecns.embedded.kubernetes.nodes.process import NotFound, Process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from ecns.embedded.kubernetes.errors import Object
_STEP = timedelta(milliseconds=10)
_UNKNOWN = (
    "{} probe errored and resulted in unknown state: rpc error: code = Unknown desc = "
    'failed to exec in container: failed to start exec "{}": OCI runtime exec failed: exec failed: '
    'unable to start container process: exec: "{}": executable file not found in $PATH: unknown'
)


class Outcome(NamedTuple):
    """What one probe found: why it failed ("" when it did not), and whether the container is to go."""

    fault: str = ""
    kills: bool = False


def start(container: Container, now: datetime, *, closed: bool = False) -> None:
    """Gives a container that has just started its probes, and says what it is without them.

    Args:
        container: the container.
        now: when.
        closed: whether nothing in its pod listens on the network.

    """
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
        told = "exec" in probe or (closed and "grpc" not in probe)
        if not told and kind != "readiness":
            container.started = True
            continue
        delay = timedelta(seconds=probe.get("initialDelaySeconds", 0)) + _STEP if told else timedelta()
        container.probes[kind] = Probe(probe, now + delay)
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


def make(container: Container, kind: str, probe: Probe, now: datetime, closed: str = "") -> Outcome:
    """Probes once, and changes the container by what is found.

    Args:
        container: the container.
        kind: `startup`, `liveness` or `readiness`.
        probe: its probe of that kind.
        now: when.
        closed: the pod's address when nothing in it listens.

    """
    probe.due = now + timedelta(seconds=probe.spec.get("periodSeconds", 10))
    refusal = _refusal(container.spec, probe.spec, closed) if closed else ""
    try:
        code, said = (1, refusal) if refusal else _ask(container, kind, probe, now)
    except NotFound as missing:
        return Outcome(_UNKNOWN.format(kind.capitalize(), secrets.token_hex(32), missing))
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


def _refusal(spec: Object, probe: Object, address: str) -> str:
    handler = probe.get("httpGet") or probe.get("tcpSocket")
    if not handler:
        return ""
    ports = {port.get("name"): port["containerPort"] for port in spec.get("ports") or ()}
    place = f"{handler.get('host') or address}:{ports.get(handler['port'], handler['port'])}"
    refused = f"dial tcp {place}: connect: connection refused"
    if "tcpSocket" in probe:
        return refused
    scheme = str(handler.get("scheme", "HTTP")).lower()
    return f'Get "{scheme}://{place}{handler.get("path", "/")}": {refused}'


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
        if container.machine.lenient:
            return 0, ""
        raise
    limit = probe.spec.get("timeoutSeconds", 1)
    process.advance(now + timedelta(seconds=limit))
    if process.exit_code is None:
        return 1, f'command timed out: "{" ".join(command)}" timed out after {limit}s'
    return process.exit_code, said.decode(errors="replace")

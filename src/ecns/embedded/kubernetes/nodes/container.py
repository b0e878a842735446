"""One container on a node: its state, its process, its log, its probes."""

from __future__ import annotations

import secrets
from collections import deque
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from ecns.embedded.kubernetes import clock
from ecns.embedded.kubernetes.errors import Object
from ecns.embedded.kubernetes.nodes import images
from ecns.embedded.kubernetes.nodes.process import Process

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecns.embedded.kubernetes.nodes.machine import Machine

_LINES = 20_000
_MESSAGE = 4096
_FALLBACK_LINES, _FALLBACK_BYTES = 80, 2048
ANNOTATION = "embedded.ecns.io/behaviour."


class Line(msgspec.Struct, frozen=True):
    """A line of a log: when, 1 or 2 for the stream, and its bytes with their end."""

    at: datetime
    stream: int
    data: bytes


class Log:
    """What one run of a container has said."""

    def __init__(self) -> None:
        self.lines: deque[Line] = deque(maxlen=_LINES)
        self.count = 0
        self.listeners: list[Callable[[], None]] = []
        self.closed = False
        self._partial: dict[int, tuple[datetime, bytes]] = {}

    def write(self, stream: int, data: bytes, at: datetime) -> None:
        """Appends output; lines are kept as they end."""
        first, before = self._partial.pop(stream, (at, b""))
        pieces = (before + data).splitlines(keepends=True)
        if pieces and not pieces[-1].endswith(b"\n"):
            self._partial[stream] = first, pieces.pop()
        for piece in pieces:
            self.lines.append(Line(first if piece is pieces[0] else at, stream, piece))
            self.count += 1
        self._tell()

    def close(self) -> None:
        """No more will come."""
        for stream, (at, data) in self._partial.items():
            self.lines.append(Line(at, stream, data))
            self.count += 1
        self._partial.clear()
        self.closed = True
        self._tell()

    def _tell(self) -> None:
        for listener in tuple(self.listeners):
            listener()

    def since(self, count: int) -> list[Line]:
        """The lines after the first `count`, as far as they are kept."""
        return list(islice(reversed(self.lines), self.count - count))[::-1]

    def tail(self) -> str:
        """The end of it, as a termination message."""
        text = b"".join(line.data for line in list(self.lines)[-_FALLBACK_LINES:])
        return text[-_FALLBACK_BYTES:].decode(errors="replace")


class Probe(msgspec.Struct):
    """A probe's count of results."""

    spec: Object
    due: datetime
    successes: int = 0
    failures: int = 0


class Container:
    """One container.

    Args:
        spec: as in the pod.
        kind: `init`, `main` or `ephemeral`.
        behaviour: the annotation's value, "" for none.

    """

    def __init__(self, spec: Object, kind: str, behaviour: str) -> None:
        self.spec = spec
        self.kind = kind
        self.behaviour = behaviour
        self.name: str = spec["name"]
        self.state: Object = {}
        self.last: Object = {}
        self.restarts = 0
        self.ready = False
        self.started = False
        self.image_id = ""
        self.image: str = spec["image"]
        self.id = ""
        self.created = False
        self.process: Process | None = None
        self.log = Log()
        self.previous: Log | None = None
        self.machine: Machine | None = None
        self.backoff = 0.0
        self.changed = False
        self.due: datetime | None = None
        self.ends: datetime | None = None
        self.term_at: datetime | None = None
        self.kill_at: datetime | None = None
        self.probes: dict[str, Probe] = {}
        self.followers: list[Callable[[int, bytes], None]] = []

    @property
    def is_sidecar(self) -> bool:
        """An init container that keeps running beside the others."""
        return self.kind == "init" and self.spec.get("restartPolicy") == "Always"

    @property
    def serves(self) -> bool:
        """Whether it may be taken for a server, rather than for a plain system with some command."""
        return bool(self.behaviour) or images.read(self.spec["image"]).runs_on

    @property
    def field_path(self) -> str:
        """For events."""
        section = {"init": "initContainers", "ephemeral": "ephemeralContainers"}.get(self.kind, "containers")
        return f"spec.{section}{{{self.name}}}"

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return "running" in self.state

    @property
    def terminated(self) -> Object | None:
        """How its run ended, None when it has not."""
        return self.state.get("terminated")

    def waits(self, reason: str, message: str = "") -> None:
        """Puts it in the state of waiting."""
        self.ready = self.started = False
        self.state = {"waiting": {"reason": reason, **({"message": message} if message else {})}}

    def launch(self, machine: Machine, command: list[str], image_id: str, image: str, now: datetime) -> None:
        """Starts its process.

        Raises:
            NotFound: the machine has no such program.

        """
        if self.terminated is not None:
            self.last = {"terminated": self.terminated}
        if self.last:
            self.restarts += 1
            self.previous = self.log
        self.log = Log()
        self.machine = machine
        self.image, self.image_id, self.created = image, image_id, True
        self.id = f"containerd://{secrets.token_hex(32)}"
        self.term_at = self.kill_at = None
        self.run(machine, command, now)
        self.state = {"running": {"startedAt": clock.stamp(now)}}
        self.started = "startupProbe" not in self.spec
        self.ready = False

    def run(self, machine: Machine, command: list[str], at: datetime) -> None:
        """Makes the process that runs from `at` on."""
        log = self.log

        def output(stream: int, data: bytes, moment: datetime) -> None:
            log.write(stream, data, moment)
            for follower in tuple(self.followers):
                follower(stream, data)

        self.machine = machine
        self.process = Process(
            machine,
            command,
            output,
            at,
            stdin=bool(self.spec.get("stdin")),
            init=True,
            terminal=[24, 80] if self.spec.get("tty") else None,
        )
        self.ends = None
        word, _, rest = self.behaviour.partition(":")
        if word == "exit":
            self.ends = at + timedelta(seconds=float(rest.partition("@")[2] or 0))
        elif word in {"crash", "oom"}:
            self.ends = at

    def advance(self, now: datetime) -> bool:
        """Lets its process run; whether it has ended just now."""
        process = self.process
        if process is None or not self.running:
            return False
        process.advance(now)
        if self.term_at is not None and self.term_at <= now:
            self.term_at = None
            process.signal("TERM", now)
        if process.exit_code is None and self.ends is not None and self.ends <= now:
            process.time = self.ends
            process.exit_code = self._told_code()
            process.out_of_memory = self.behaviour == "oom"
        if process.exit_code is None and self.kill_at is not None and self.kill_at <= now:
            process.kill()
        if process.exit_code is None:
            return False
        self.finish(process.exit_code, process.time, out_of_memory=process.out_of_memory)
        return True

    def advance_quietly(self, now: datetime) -> None:
        """Lets its process say what it has to say by now; that it has ended is left to `advance`."""
        if self.process is not None and self.running:
            self.process.advance(now)

    def _told_code(self) -> int:
        word, _, rest = self.behaviour.partition(":")
        if word == "oom":
            return 137
        code = rest.partition("@")[0]
        return int(code) if code.isdigit() else 1

    def finish(self, code: int, at: datetime, *, out_of_memory: bool = False, message: str = "") -> None:
        """Puts it in the state of having ended."""
        self.log.close()
        reason = "OOMKilled" if out_of_memory else "Error" if code else "Completed"
        message = message or self._message(code)
        self.state = {
            "terminated": {
                "exitCode": code,
                "reason": reason,
                **({"message": message} if message else {}),
                "startedAt": self.state["running"]["startedAt"],
                "finishedAt": clock.stamp(at),
                "containerID": self.id,
            }
        }
        self.started = False
        self.ready = self.kind == "init" and not self.is_sidecar and code == 0
        self.process = self.term_at = self.kill_at = None
        self.probes = {}

    def _message(self, code: int) -> str:
        path = self.spec.get("terminationMessagePath") or "/dev/termination-log"
        written = self.machine.read(path) if self.machine else None
        if written:
            return written[:_MESSAGE].decode(errors="replace")
        if code and self.spec.get("terminationMessagePolicy") == "FallbackToLogsOnError":
            return self.log.tail()
        return ""

    def wake(self) -> datetime | None:
        """When it needs to be looked at next."""
        found = [self.due, *(probe.due for probe in self.probes.values())]
        if self.process is not None and self.running:
            found += [self.process.next_wake(), self.ends, self.term_at, self.kill_at]
        return min((moment for moment in found if moment is not None), default=None)

    # status

    def status(self) -> Object:
        """Its entry in the pod's status."""
        found: Object = {
            "name": self.name,
            "state": self.state,
            "lastState": self.last,
            "ready": self.ready,
            "restartCount": self.restarts,
            "image": self.image,
            "imageID": self.image_id,
        }
        if self.id:
            found["containerID"] = self.id
        if self.kind != "ephemeral":
            found["started"] = self.started
        if self.created:
            resources = self.spec.get("resources") or {}
            if resources.get("requests"):
                found["allocatedResources"] = resources["requests"]
            found["resources"] = {key: resources[key] for key in ("limits", "requests") if resources.get(key)}
        mounts = [_mount(mount) for mount in self.spec.get("volumeMounts") or ()]
        if mounts:
            found["volumeMounts"] = mounts
        return found

    def restore(self, status: Object) -> None:
        """Takes over what was written before a restart of this program."""
        self.state = dict(status.get("state") or {})
        self.last = dict(status.get("lastState") or {})
        self.ready, self.restarts = status.get("ready", False), status.get("restartCount", 0)
        self.image, self.image_id = status.get("image", self.image), status.get("imageID", "")
        self.id, self.started = status.get("containerID", ""), status.get("started", False)
        self.created = bool(self.id)


def _mount(mount: Object) -> Object:
    found: Object = {"name": mount["name"], "mountPath": mount["mountPath"]}
    if mount.get("readOnly"):
        found |= {"readOnly": True, "recursiveReadOnly": "Disabled"}
    return found

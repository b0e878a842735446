"""A simulated process: drives a program through time, gathers what it says, and takes signals."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ecns.embedded.kubernetes.nodes import programs
from ecns.embedded.kubernetes.nodes.effects import (
    Effects,
    Job,
    Join,
    OutOfMemory,
    Output,
    Read,
    Signalled,
    Sleep,
    Source,
    Stop,
)
from ecns.embedded.kubernetes.nodes.shell import NUMBERS, Shell

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from ecns.embedded.kubernetes.nodes.machine import Machine

KILLED, _SIGNAL = 137, 128
_STEPS = 50_000
_SERVERS = frozenset({"nginx"})
"""Programs that end on SIGTERM even as a container's first process."""


class NotFound(Exception):  # noqa: N818  what the runtime says
    """The machine has no such program."""


class _Thread:
    def __init__(self, work: Effects, wake: datetime, job: Job | None) -> None:
        self.work = work
        self.wake: datetime | None = wake
        self.job = job
        self.join: tuple[Job, ...] | None = None
        self.reading = False
        self.answer: Any = None


class Process:
    """One command with its background jobs.

    Args:
        machine: what it runs on.
        command: the program and its arguments.
        output: called with (1 or 2, bytes, the simulated time) for what it writes.
        at: when it starts.
        stdin: whether it has a standard input that is fed; else that is at its end.
        init: whether it is a container's first process, which only gets the signals that it handles.
        terminal: its rows and columns (a list that may change later), when it has one.

    Raises:
        NotFound: there is no such program.

    """

    def __init__(
        self,
        machine: Machine,
        command: list[str],
        output: Callable[[int, bytes, datetime], None],
        at: datetime,
        *,
        stdin: bool = False,
        init: bool = False,
        terminal: list[int] | None = None,
    ) -> None:
        if programs.find(command[0], machine.lacks) is None:
            raise NotFound(command[0])
        self.machine = machine
        self.time = at
        self.exit_code: int | None = None
        self.out_of_memory = False
        self._output = output
        self._init = init
        self._serves = command[0] in _SERVERS
        self._source = Source(live=stdin)
        self._buffer = bytearray()
        self._closed = not stdin
        self.shell = Shell(machine)
        self.shell.pid = 1 if init else 7
        self.shell.terminal = terminal if terminal is not None else []
        out, err = self._writer(1), self._writer(2)
        self._main = _Thread(self._run(command, out, err), at, None)
        self._threads = [self._main]

    def _writer(self, stream: int) -> Output:
        def write(data: bytes) -> None:
            if data:
                self._output(stream, data, self.time)

        return write

    def _run(self, command: list[str], out: Output, err: Output) -> Effects:
        try:
            return (yield from self.shell.execute(command, self._source, out, err))
        except Stop as stop:
            return stop.code

    def next_wake(self) -> datetime | None:
        """When it goes on by itself; None when it waits for input, for ever, or has ended."""
        if self.exit_code is not None:
            return None
        return min((thread.wake for thread in self._threads if thread.wake is not None), default=None)

    def advance(self, now: datetime) -> None:
        """Lets it run until `now`."""
        for _ in range(_STEPS):
            due = [thread for thread in self._threads if thread.wake is not None and thread.wake <= now]
            if self.exit_code is not None or not due:
                break
            thread = min(due, key=lambda item: item.wake or now)
            self.time = max(self.time, thread.wake or now)
            self._resume(thread)
        self.time = max(self.time, now)

    def _resume(self, thread: _Thread, *, signal: str = "") -> None:
        answer, thread.answer, thread.wake, thread.join = thread.answer, None, None, None
        try:
            wish = thread.work.throw(Signalled(signal)) if signal else thread.work.send(answer)
        except StopIteration as end:
            self._ended(thread, int(end.value or 0))
            return
        except Stop as stop:
            self._ended(thread, stop.code)
            return
        except Signalled as unhandled:
            self._ended(thread, _SIGNAL + NUMBERS.get(unhandled.name, 15))
            return
        except OutOfMemory:
            self.out_of_memory = True
            self.exit_code = KILLED
            return
        self._wait(thread, wish)

    def _wait(self, thread: _Thread, wish: Any) -> None:
        match wish:
            case Sleep(seconds):
                thread.wake = None if seconds == float("inf") else self.time + timedelta(seconds=seconds)
            case Read():
                if self._buffer or self._closed:
                    thread.answer, self._buffer = bytes(self._buffer), bytearray()
                    thread.wake = self.time
                else:
                    thread.reading = True
            case Join(jobs):
                waited = tuple(job for job in jobs if job.status is None)
                thread.join = waited
                thread.wake = None if waited else self.time
            case Job():
                self._threads.append(_Thread(wish.work, self.time, wish))
                thread.wake = self.time
            case _:
                thread.answer, thread.wake = self.time, self.time

    def _ended(self, thread: _Thread, status: int) -> None:
        if thread is self._main:
            self.exit_code = status
            return
        self._threads.remove(thread)
        if thread.job is not None:
            thread.job.status = status
        for other in self._threads:
            if other.join is not None and all(job.status is not None for job in other.join):
                other.join, other.wake = None, self.time

    def feed(self, data: bytes, now: datetime) -> None:
        """Gives it standard input."""
        self._buffer += data
        self._read(now)

    def close(self, now: datetime) -> None:
        """Ends its standard input."""
        self._closed = True
        self._read(now)

    def _read(self, now: datetime) -> None:
        self.time = max(self.time, now)
        for thread in self._threads:
            if thread.reading and (self._buffer or self._closed):
                thread.reading = False
                thread.answer, self._buffer = bytes(self._buffer), bytearray()
                thread.wake = self.time
                break
        self.advance(now)

    def signal(self, name: str, now: datetime) -> None:
        """Sends it a signal; the first process of a container ignores what it has no trap for."""
        self.advance(now)
        if self.exit_code is not None:
            return
        if name == "KILL":
            self.exit_code = KILLED
            return
        traps = self.shell.traps
        if traps.get(name) == "" or (name not in traps and self._init and not self._serves):
            return
        if name in traps and self._main.join is None:
            self.shell.pending.append(name)
            return
        self._resume(self._main, signal=name)
        self.advance(now)

    def kill(self) -> None:
        """Ends it at once."""
        self.exit_code = KILLED

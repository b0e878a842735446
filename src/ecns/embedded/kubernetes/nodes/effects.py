"""What a simulated program asks of whoever drives it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.nodes.shell import Shell

Output = Callable[[bytes], None]
"""Takes what is written to standard output or standard error."""
Effects = Generator[Any, Any, int]
"""A running program: it yields Sleep, Read, Join or a Job to start, and returns its exit code."""
if TYPE_CHECKING:
    Program = Callable[[Shell, list[str], "Source", Output, Output], Effects]
    """What a command line starts: its shell, its arguments, and its three streams."""
MOST = 64 * 1024 * 1024
"""Bytes that a program gathers at most, whatever its machine's memory."""
FOREVER = float("inf")
"""Seconds that never pass."""


class Sleep(NamedTuple):
    """Wait for some seconds; infinity is for ever."""

    seconds: float


class Read(NamedTuple):
    """Wait for standard input; the answer is bytes, b"" at its end."""


class Job:
    """Work in the background: yielded to start it, done when `status` is set."""

    def __init__(self, work: Effects) -> None:
        self.work = work
        self.status: int | None = None


class Join(NamedTuple):
    """Wait for background jobs to end."""

    jobs: tuple[Job, ...]


class Stop(Exception):  # noqa: N818  the way `exit` leaves
    """The process ends."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Ended(Exception):  # noqa: N818  the way `break` and `continue` leave
    """A loop's round ends."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Signalled(Exception):  # noqa: N818  a signal is no error
    """A signal came while a program waited."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class OutOfMemory(Exception):  # noqa: N818  the kernel's word
    """The program wanted more memory than it may have."""


class Source:
    """Standard input: bytes that are there, or a stream that is asked for more (by `Read`)."""

    def __init__(self, data: bytes = b"", *, live: bool = False) -> None:
        self._data = bytearray(data)
        self._live = live

    @classmethod
    def empty(cls) -> Source:
        """At its end from the start."""
        return cls()

    def chunk(self) -> Generator[Any, Any, bytes]:
        """What is there, or comes next; b"" at the end."""
        if not self._data and self._live:
            more: bytes = yield Read()
            if not more:
                self._live = False
            return more
        data = bytes(self._data)
        self._data.clear()
        return data

    def line(self) -> Generator[Any, Any, bytes]:
        """One line with its end; what is left, at the end of input."""
        while b"\n" not in self._data and self._live:
            more: bytes = yield Read()
            if not more:
                self._live = False
            self._data += more
        end = self._data.find(b"\n") + 1 or len(self._data)
        line = bytes(self._data[:end])
        del self._data[:end]
        return line

    def rest(self) -> Generator[Any, Any, bytes]:
        """Everything until the end."""
        found = bytearray()
        while chunk := (yield from self.chunk()):
            found += chunk
        return bytes(found)

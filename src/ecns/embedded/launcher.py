"""Starts the stand-ins as child processes and waits until each says that it is ready.

A child gets the write end of a pipe (`--ready-fd`) and writes one JSON line to it; its standard input is a
pipe that ends when the parent does, however that dies, and so does the child. `process` is the child's side.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

START_SECONDS = 30.0
"""How long a stand-in may take: a loaded machine takes seconds, a broken one for ever."""
STOP_SECONDS = 5.0


class LaunchError(Exception):
    """A stand-in did not start; the message is one line for the operator."""


class StandIn:
    """One stand-in, running as a child process.

    Args:
        name: as the operator knows it.
        module: run with `python -m`.
        data_dir: where it keeps its state.
        arguments: more of its command line.
        sock: a bound socket that it is to serve on (`--socket-fd`), when others must know its address first.
    """

    def __init__(
        self, name: str, module: str, data_dir: Path, *arguments: str, sock: socket.socket | None = None
    ) -> None:
        self.name = name
        passed = () if sock is None else (sock.fileno(),)
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._ready_fd, child_fd = os.pipe()
        try:
            self.process = subprocess.Popen(  # noqa: S603  our own modules
                [
                    sys.executable,
                    "-m",
                    module,
                    "--data-dir",
                    str(data_dir),
                    "--ready-fd",
                    str(child_fd),
                    *(["--socket-fd", str(passed[0])] if passed else []),
                    *arguments,
                ],
                stdin=subprocess.PIPE,
                pass_fds=(child_fd, *passed),
                process_group=0,  # Ctrl-C is the parent's to act on
            )
        finally:
            os.close(child_fd)

    def ready(self) -> dict[str, Any]:
        """What the stand-in says of itself once it serves.

        Raises:
            LaunchError: it died, or took longer than `START_SECONDS`.
        """
        deadline = time.monotonic() + START_SECONDS
        line = b""
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._ready_fd], [], [], left)[0]:
                raise LaunchError(f"{self.name} did not start within {START_SECONDS:.0f} s")
            chunk = os.read(self._ready_fd, 65536)
            if not chunk:
                raise LaunchError(f"{self.name} ended before it was ready (status {self.process.wait()})")
            line += chunk
        said: dict[str, Any] = json.loads(line)
        return said

    def stop(self) -> None:
        """End the stand-in, by force if it does not go in `STOP_SECONDS`."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self._ready_fd)


class StandIns:
    """The stand-ins of one gateway; leaving the context ends them."""

    def __init__(self) -> None:
        self.running: list[StandIn] = []
        self._stopping = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for stand_in in reversed(self.running):
            stand_in.stop()

    def start(
        self, name: str, module: str, data_dir: Path, *arguments: str, sock: socket.socket | None = None
    ) -> StandIn:
        """Start one; it is ready when its `ready()` returns."""
        stand_in = StandIn(name, module, data_dir, *arguments, sock=sock)
        self.running.append(stand_in)
        return stand_in

    def watch(self, died: Callable[[str], None]) -> None:
        """Call `died`, from another thread, with a line for the operator when a stand-in ends by itself."""

        def wait_for(stand_in: StandIn) -> None:
            status = stand_in.process.wait()
            if not self._stopping:
                died(f"{stand_in.name} ended by itself (status {status})")

        for stand_in in self.running:
            threading.Thread(target=wait_for, args=(stand_in,), daemon=True).start()

    def unwatch(self) -> None:
        """Stop watching, before they are ended on purpose."""
        self._stopping = True

"""What each stand-in does as a process: listen where it did before, say that it serves, end with its parent.

`launcher` is the other side.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

HOST = "127.0.0.1"


def arguments(module: str, description: str | None) -> argparse.ArgumentParser:
    """The command line that all of them have; more may be added."""
    parser = argparse.ArgumentParser(prog=module, description=description)
    parser.add_argument("--data-dir", type=Path, required=True, help="where its state is kept")
    parser.add_argument("--port", type=int, default=0, help="0: the one it had before, or a free one")
    parser.add_argument("--ready-fd", type=int, help="where to write one JSON line when it serves")
    return parser


def listening(data_dir: Path, port: int = 0) -> socket.socket:
    """A socket that listens, so that who comes early waits.

    Args:
        data_dir: where the port is remembered; made if it is not there.
        port: 0: the one it had before, or a free one.

    Raises:
        OSError: the port that was asked for is taken.
    """
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    kept = data_dir / "port"
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((HOST, port or int(kept.read_text())))
    except (OSError, ValueError, OverflowError):
        if port:
            sock.close()
            raise
        sock.bind((HOST, 0))
    sock.listen()
    write_private(kept, str(sock.getsockname()[1]).encode())
    return sock


def private(path: Path, make: bytes) -> bytes:
    """The content of a file that nobody else may read; `make` when it is absent or empty."""
    with contextlib.suppress(FileNotFoundError):
        if content := path.read_bytes():
            return content
    write_private(path, make)
    return make


def write_private(path: Path, content: bytes) -> None:
    """Write a file that nobody else may read, whole or not at all."""
    temporary = path.with_name(f"{path.name}.new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    temporary.replace(path)


def announce(ready_fd: int | None, facts: Mapping[str, Any]) -> None:
    """Tell the parent that it serves, and what there is to know; who runs it by hand, its `url`."""
    if ready_fd is None:
        print(facts["url"], flush=True)  # noqa: T201  run by hand
        return
    with os.fdopen(ready_fd, "w") as pipe:
        pipe.write(json.dumps(facts) + "\n")


def stopping() -> asyncio.Event:
    """Is set by SIGTERM and SIGINT, and when standard input, a pipe from the parent, ends."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    def ended() -> None:
        if not os.read(0, 4096):
            loop.remove_reader(0)
            stop.set()

    with contextlib.suppress(OSError, ValueError):
        if stat.S_ISFIFO(os.fstat(0).st_mode):
            loop.add_reader(0, ended)
    return stop

"""Runs the stand-in: `python -m ecns.embedded.harbor --data-dir DIR`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import secrets
import signal
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from ecns.embedded.harbor.accounts import new_secret
from ecns.embedded.harbor.harbor import WINDOW_HOURS, Harbor
from ecns.embedded.harbor.server import Server

if TYPE_CHECKING:
    from collections.abc import Sequence

HOST = "127.0.0.1"
PASSWORD_VARIABLE = "ECNS_EMBEDDED_PASSWORD"  # noqa: S105  a variable's name


def _kept(path: Path, make: bytes) -> bytes:
    """The content of a private file, made when it is absent or empty."""
    with contextlib.suppress(FileNotFoundError):
        if content := path.read_bytes():
            return content
        path.unlink()
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(make)
    temporary.replace(path)
    return make


def _password(folder: Path) -> str:
    """The administrator's password: the environment's, or one that is made and kept."""
    path = folder / "password"
    if given := os.environ.get(PASSWORD_VARIABLE):
        path.unlink(missing_ok=True)
        return _kept(path, given.encode()).decode()
    return _kept(path, new_secret().encode()).decode()


def _listen(harbor: Harbor, port: int) -> socket.socket:
    """A socket on the port that was asked for, or had before, or any free one."""
    wanted = port or int(harbor.store.meta("port") or 0)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((HOST, wanted))
    except OSError:
        if port:
            raise
        sock.bind((HOST, 0))
    harbor.store.set_meta("port", str(sock.getsockname()[1]))
    return sock


def _stop_with_parent(stop: asyncio.Event) -> None:
    """Stop when standard input, a pipe from the parent, ends."""

    def ended() -> None:
        if not os.read(0, 4096):
            asyncio.get_running_loop().remove_reader(0)
            stop.set()

    with contextlib.suppress(OSError, ValueError):
        if stat.S_ISFIFO(os.fstat(0).st_mode):
            asyncio.get_running_loop().add_reader(0, ended)


async def _serve(arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    _stop_with_parent(stop)
    folder: Path = arguments.data_dir
    key = _kept(folder / "key", secrets.token_bytes(32))
    password = _password(folder)
    harbor = Harbor(folder, key, password, window_hours=arguments.window_hours, oci=arguments.oci)
    harbor.collector.settle_seconds = arguments.settle_seconds
    try:
        sock = _listen(harbor, arguments.port)
        server = Server(harbor, key)
        harbor.start()
        await server.start(sock)
        domain = f"{HOST}:{sock.getsockname()[1]}"
        facts = {
            "url": f"http://{domain}",
            "domain": domain,
            "username": "admin",
            "password": password,
            "password_file": str(folder / "password"),
        }
        if arguments.ready_fd is not None:
            with os.fdopen(arguments.ready_fd, "w") as pipe:
                pipe.write(json.dumps(facts) + "\n")
        else:
            print(facts["url"], flush=True)  # noqa: T201  run by hand
        await stop.wait()
        await server.stop()
    finally:
        await harbor.close()


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM, SIGINT or the end of the parent."""
    parser = argparse.ArgumentParser(prog="ecns.embedded.harbor", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0, help="0: the one it had before, or a free one")
    parser.add_argument("--ready-fd", type=int, help="where to write one JSON line when it serves")
    parser.add_argument(
        "--window-hours",
        type=float,
        default=WINDOW_HOURS,
        help="how long what is fresh cannot be collected",
    )
    parser.add_argument(
        "--settle-seconds", type=float, default=1.0, help="how long a collection is Running at least"
    )
    parser.add_argument(
        "--oci", action="store_true", help="answer as the OCI specification asks where Harbor 2.9 does not"
    )
    arguments = parser.parse_args(argv)
    arguments.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    uvloop.run(_serve(arguments))


if __name__ == "__main__":
    main()

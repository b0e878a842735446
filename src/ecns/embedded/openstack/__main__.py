"""Runs the stand-in: `python -m ecns.embedded.openstack --data-dir DIR --identity-url URL`."""

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
from typing import TYPE_CHECKING

from ecns.embedded.openstack import seed
from ecns.embedded.openstack.callers import Tokens
from ecns.embedded.openstack.cloud import Cloud
from ecns.embedded.openstack.http import Server
from ecns.embedded.openstack.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

HOST = "127.0.0.1"


def _listen(store: Store, arguments: argparse.Namespace) -> socket.socket:
    """The socket that was given, or one on the port asked for, or had before, or any free one."""
    if arguments.socket_fd is not None:
        return socket.socket(fileno=arguments.socket_fd)
    wanted = arguments.port or int(store.meta("port") or 0)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((HOST, wanted))
    except OSError:
        if arguments.port:
            raise
        sock.bind((HOST, 0))
    store.set_meta("port", str(sock.getsockname()[1]))
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
    store = Store(arguments.data_dir)
    try:
        cloud = Cloud(store, Tokens(arguments.identity_url), arguments.identity_url)
        seed.first(cloud, arguments.operator)
        for project in arguments.project:
            seed.project(cloud, project)
        sock = _listen(store, arguments)
        server = Server(cloud.answer)
        await server.start(sock)
        cloud.resume()
        url = f"http://{HOST}:{sock.getsockname()[1]}"
        if arguments.ready_fd is not None:
            os.write(arguments.ready_fd, json.dumps({"url": url}).encode() + b"\n")
        else:
            print(url, flush=True)  # noqa: T201  run by hand
        await stop.wait()
        cloud.stop()
        await server.stop()
    finally:
        store.close()


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM, SIGINT or the end of the parent."""
    parser = argparse.ArgumentParser(prog="ecns.embedded.openstack", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument(
        "--identity-url", required=True, help="the v3 address of the Keystone whose tokens hold"
    )
    parser.add_argument("--port", type=int, default=0, help="0: the one it had before, or a free one")
    parser.add_argument("--socket-fd", type=int, help="a bound socket to serve on, in place of a port")
    parser.add_argument("--ready-fd", type=int, help="where to write one JSON line when it serves")
    parser.add_argument("--operator", default="", help="id of the project that has what is everybody's")
    parser.add_argument(
        "--project",
        action="append",
        default=[],
        metavar="ID",
        help="a project that is to have networks of its own",
    )
    asyncio.run(_serve(parser.parse_args(argv)))


if __name__ == "__main__":
    main()

"""Runs the stand-in: `python -m ecns.embedded.openstack --data-dir DIR --identity-url URL`."""

from __future__ import annotations

import argparse
import asyncio
import socket
from typing import TYPE_CHECKING

from ecns.embedded import process
from ecns.embedded.openstack import seed
from ecns.embedded.openstack.callers import Tokens
from ecns.embedded.openstack.cloud import Cloud
from ecns.embedded.openstack.http import Server
from ecns.embedded.openstack.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence


def _listening(arguments: argparse.Namespace) -> socket.socket:
    """The socket that was given, or another."""
    if arguments.socket_fd is not None:
        return socket.socket(fileno=arguments.socket_fd)
    return process.listening(arguments.data_dir, arguments.port)


async def _serve(arguments: argparse.Namespace) -> None:
    stop = process.stopping()
    store = Store(arguments.data_dir)
    try:
        cloud = Cloud(store, Tokens(arguments.identity_url), arguments.identity_url)
        seed.first(cloud, arguments.operator)
        for project in arguments.project:
            seed.project(cloud, project)
        sock = _listening(arguments)
        server = Server(cloud.answer)
        await server.start(sock)
        cloud.resume()
        url = f"http://{process.HOST}:{sock.getsockname()[1]}"
        process.announce(arguments.ready_fd, {"url": url})
        await stop.wait()
        cloud.stop()
        await server.stop()
    finally:
        store.close()


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM, SIGINT or the end of the parent."""
    parser = process.arguments("ecns.embedded.openstack", __doc__)
    parser.add_argument(
        "--identity-url", required=True, help="the v3 address of the Keystone whose tokens hold"
    )
    parser.add_argument("--socket-fd", type=int, help="a bound socket to serve on, in place of a port")
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

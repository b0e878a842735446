"""Runs the stand-in: `python -m ecns.embedded.keystone --data-dir DIR`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from ecns.embedded.keystone import seed
from ecns.embedded.keystone.requests import PREFIX
from ecns.embedded.keystone.server import Server, announce
from ecns.embedded.keystone.store import Store
from ecns.embedded.keystone.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HOST = "127.0.0.1"
HOUR = 3600.0


def _listen(store: Store, port: int) -> socket.socket:
    """A socket on the port that was asked for, or had before, or any free one."""
    wanted = port or int(store.meta("port") or 0)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((HOST, wanted))
    except OSError:
        if port:
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


@contextlib.contextmanager
def _opened(data_dir: Path) -> Iterator[Store]:
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    store = Store(data_dir / "keystone.sqlite")
    try:
        yield store
    finally:
        store.close()


async def _serve(arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    _stop_with_parent(stop)
    with _opened(arguments.data_dir) as store:
        users = seed.people(store, arguments.data_dir)
        account = seed.account(store, arguments.data_dir)
        sock = _listen(store, arguments.port)
        url = f"http://{HOST}:{sock.getsockname()[1]}{PREFIX}/v3"
        seed.services(store, {"identity": ("keystone", url), **arguments.service})
        server = Server(store, Tokens(store, arguments.token_seconds))
        server.api.base = url
        runner = web.AppRunner(server.app(), access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.SockSite(runner, sock).start()
        if arguments.ready_fd is not None:
            os.write(arguments.ready_fd, announce(url, users, account))
        else:
            print(url, flush=True)  # noqa: T201  run by hand
        await stop.wait()
        await runner.cleanup()


def _service(text: str) -> tuple[str, tuple[str, str]]:
    kind, name, url = text.split("=", 2)
    return kind, (name, url)


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM, SIGINT or the end of the parent."""
    parser = argparse.ArgumentParser(prog="ecns.embedded.keystone", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0, help="0: the one it had before, or a free one")
    parser.add_argument("--ready-fd", type=int, help="where to write one JSON line when it serves")
    parser.add_argument("--token-seconds", type=float, default=HOUR, help="how long a token is good for")
    parser.add_argument(
        "--service",
        type=_service,
        action="append",
        default=[],
        metavar="TYPE=NAME=URL",
        help="another service for the catalog; %%(project_id)s in the URL is filled in",
    )
    arguments = parser.parse_args(argv)
    arguments.service = dict(arguments.service)
    asyncio.run(_serve(arguments))


if __name__ == "__main__":
    main()

"""Runs the stand-in: `python -m ecns.embedded.keystone --data-dir DIR`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from typing import TYPE_CHECKING

from aiohttp import web

from ecns.embedded import process
from ecns.embedded.keystone import seed
from ecns.embedded.keystone.requests import PREFIX
from ecns.embedded.keystone.server import Server
from ecns.embedded.keystone.store import Store
from ecns.embedded.keystone.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

HOUR = 3600.0


@contextlib.contextmanager
def _opened(data_dir: Path) -> Iterator[Store]:
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    store = Store(data_dir / "keystone.sqlite")
    try:
        yield store
    finally:
        store.close()


async def _serve(arguments: argparse.Namespace) -> None:
    stop = process.stopping()
    with _opened(arguments.data_dir) as store:
        users = seed.people(store, arguments.data_dir)
        account = seed.account(store, arguments.data_dir)
        sock = process.listening(arguments.data_dir, arguments.port)
        url = f"http://{process.HOST}:{sock.getsockname()[1]}{PREFIX}/v3"
        seed.services(store, {"identity": ("keystone", url), **arguments.service})
        server = Server(store, Tokens(store, arguments.token_seconds))
        server.api.base = url
        runner = web.AppRunner(server.app(), access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.SockSite(runner, sock).start()
        process.announce(arguments.ready_fd, {"url": url, "users": users, "account": account})
        await stop.wait()
        await runner.cleanup()


def _service(text: str) -> tuple[str, tuple[str, str]]:
    kind, name, url = text.split("=", 2)
    return kind, (name, url)


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM, SIGINT or the end of the parent."""
    parser = process.arguments("ecns.embedded.keystone", __doc__)
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

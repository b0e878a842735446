"""Runs the stand-in: `python -m ecns.embedded.harbor --data-dir DIR`."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

import uvloop

from ecns.embedded import process
from ecns.embedded.harbor.accounts import new_secret
from ecns.embedded.harbor.harbor import WINDOW_HOURS, Harbor
from ecns.embedded.harbor.server import Server

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

PASSWORD_VARIABLE = "ECNS_EMBEDDED_PASSWORD"  # noqa: S105  a variable's name


def _password(folder: Path) -> str:
    """The administrator's password: the environment's, or one that is made and kept."""
    path = folder / "password"
    if given := os.environ.get(PASSWORD_VARIABLE):
        process.write_private(path, given.encode())
    return process.private(path, new_secret().encode()).decode()


async def _serve(arguments: argparse.Namespace) -> None:
    stop = process.stopping()
    folder: Path = arguments.data_dir
    key = process.private(folder / "key", secrets.token_bytes(32))
    password = _password(folder)
    harbor = Harbor(folder, key, password, window_hours=arguments.window_hours, oci=arguments.oci)
    harbor.collector.settle_seconds = arguments.settle_seconds
    try:
        sock = process.listening(folder, arguments.port)
        server = Server(harbor, key)
        harbor.start()
        await server.start(sock)
        domain = f"{process.HOST}:{sock.getsockname()[1]}"
        facts = {
            "url": f"http://{domain}",
            "domain": domain,
            "username": "admin",
            "password": password,
            "password_file": str(folder / "password"),
        }
        process.announce(arguments.ready_fd, facts)
        await stop.wait()
        await server.stop()
    finally:
        await harbor.close()


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM, SIGINT or the end of the parent."""
    parser = process.arguments("ecns.embedded.harbor", __doc__)
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

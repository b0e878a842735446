"""PostgreSQL of Debian's packages, as one throw-away server on a socket of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import time
from pathlib import Path

from tests.real.openstack.environment import UnavailableError

START_SECONDS = 30
STOP_SECONDS = 30
INSTALL_SECONDS = 300
OWNER = "postgres"
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "400",
    "shared_buffers": "64MB",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "min_wal_size": "8MB",  # what is kept of it is copied at every start
    "max_wal_size": "32MB",
    "jit": "off",
}

END_WITH_PARENT = '"$0" "$@" & cat; kill -INT $!; wait $!'
"""Runs a server until the standard input ends, as it does when its parent dies; SIGINT cuts connections."""


def programs() -> Path:
    """The directory with `initdb` and `postgres`; as root they are installed when they are missing.

    Raises:
        UnavailableError: there are none and they cannot be installed.
    """
    if found := _installed():
        return found
    if os.geteuid() or not shutil.which("apt-get"):
        raise UnavailableError("PostgreSQL is missing: install Debian's package `postgresql`")
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-qq", "--no-install-recommends", "postgresql"],
    ):
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=INSTALL_SECONDS,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        )
        if done.returncode:
            last = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise UnavailableError(f"{' '.join(command)} failed: {''.join(last)}")
    if found := _installed():
        return found
    raise UnavailableError("Debian's package `postgresql` has no `initdb`")


def _installed() -> Path | None:
    versions = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda found: int(found.parent.name), reverse=True
    )
    for folder in (*versions, *map(Path, os.get_exec_path())):
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return (folder / "initdb").resolve().parent
    return None


class Database:
    """One server; its directory is where its socket is too.

    Args:
        directory: every user must be able to reach it: PostgreSQL does not run as root.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.data = directory / "data"
        self._programs = programs()
        self._user = OWNER if os.geteuid() == 0 else None

    @property
    def version(self) -> str:
        """As `postgres --version` says it."""
        return subprocess.check_output([self._programs / "postgres", "--version"], text=True).strip()

    def make(self) -> None:
        """Lay an empty one."""
        self.directory.mkdir()
        self.own()
        subprocess.run(
            [
                *(self._programs / "initdb", "--pgdata", self.data, "--username", OWNER, "--auth", "trust"),
                *("--encoding", "UTF8", "--no-locale", "--no-sync", "--no-instructions"),
                *("--wal-segsize", "4"),
            ],
            check=True,
            capture_output=True,
            user=self._user,
            cwd="/",
        )

    def own(self) -> None:
        """Give the files to whom the server runs as."""
        if self._user is None:
            return
        identity = pwd.getpwnam(self._user)
        for path in (self.directory, *self.directory.rglob("*")):
            os.chown(path, identity.pw_uid, identity.pw_gid)

    def start(self) -> None:
        """Run it until it takes connections."""
        values = {**SETTINGS, "unix_socket_directories": self.directory}
        settings = [word for key, value in values.items() for word in ("-c", f"{key}={value}")]
        with (self.directory / "output.log").open("ab") as output:
            self.process = subprocess.Popen(
                ["/bin/sh", "-c", END_WITH_PARENT, self._programs / "postgres", "-D", self.data, *settings],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                user=self._user,
                cwd="/",
            )
        deadline = time.monotonic() + START_SECONDS
        ready = [self._programs / "pg_isready", "-q", "-h", self.directory, "-U", OWNER]
        while subprocess.run(ready, check=False).returncode:
            told = (self.directory / "output.log").read_text()[-2000:]
            assert self.process.poll() is None, told
            assert time.monotonic() < deadline, f"PostgreSQL did not start: {told}"
            time.sleep(0.02)

    def stop(self) -> None:
        """End it and its connections."""
        assert self.process.stdin is not None, "asked for above"
        self.process.stdin.close()
        self.process.wait(timeout=STOP_SECONDS)

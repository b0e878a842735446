"""The whole cloud: eight services and their database, from a snapshot that is made once."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Self

from tests.real.openstack import seed
from tests.real.openstack.database import Database
from tests.real.openstack.environment import LOCK, cache, digest, environment
from tests.real.openstack.launch.common import PASSWORD, PORTS, REGION
from tests.real.openstack.processes import Service, free_ports, tell
from tests.real.openstack.scratch import scratch
from tests.real.openstack.seed import USERS, Caller

READY = "identity.ready"
KEPT_SECONDS = 7 * 24 * 3600
"""A snapshot that was not used for so long is removed when a new one is made."""


class Cloud:
    """Services that run; a context that ends them.

    Args:
        directory: where everything is kept; users other than root must reach it.
        ports: where the services listen; None: wherever is free.

    Raises:
        UnavailableError: PostgreSQL or the services cannot be installed here.
    """

    def __init__(self, directory: Path, ports: dict[str, int] | None = None) -> None:
        self.directory = directory
        self.ports = ports or free_ports()
        self.database = Database(directory / "postgres")
        self.services: dict[str, Service] = {}
        self._callers: dict[str, Caller] = {}
        environment()

    def __enter__(self) -> Self:
        _restore(_snapshot(self.database.version), self.directory)
        self._run()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def auth_url(self) -> str:
        """Keystone's."""
        return f"http://127.0.0.1:{self.ports['keystone']}/v3"

    def make(self) -> None:
        """Lay an empty cloud and fill it."""
        self.database.make()
        try:
            self._run()
            seed.contents(self.ports)
        finally:
            self.stop()

    def _run(self) -> None:
        try:
            self.database.own()
            self.database.start()
            tell(self.directory, self.ports, database=str(self.database.directory))
            self.services = {name: Service(name, self.directory) for name in PORTS}
            for service in self.services.values():
                service.start()
            if not (self.directory / READY).exists():
                self.services["keystone"].ready()
                seed.identity(self.ports)
                (self.directory / READY).touch()
            for service in self.services.values():
                service.ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End everything."""
        for caller in self._callers.values():
            caller.http.close()
        self._callers = {}
        for service in self.services.values():
            service.terminate()
        for service in self.services.values():
            service.stop()
        self.services = {}
        self.database.stop()

    def caller(self, user: str) -> Caller:
        """One of the users, with a token of its project."""
        if user not in self._callers:
            self._callers[user] = Caller(self.ports, user, USERS[user][0])
        return self._callers[user]

    def clouds_yaml(self) -> str:
        """The users, as every OpenStack client reads them."""
        lines = ["clouds:"]
        for user, (project, _) in USERS.items():
            lines += [
                f"  {user}:",
                f"    region_name: {REGION}",
                "    auth:",
                f"      auth_url: {self.auth_url}",
                f"      username: {user}",
                f"      password: {PASSWORD}",
                f"      project_name: {project}",
                "      user_domain_id: default",
                "      project_domain_id: default",
            ]
        return "\n".join((*lines, ""))

    def openrc(self, user: str = "developer") -> str:
        """One user, as a shell reads it."""
        values = {
            "OS_AUTH_URL": self.auth_url,
            "OS_USERNAME": user,
            "OS_PASSWORD": PASSWORD,
            "OS_PROJECT_NAME": USERS[user][0],
            "OS_USER_DOMAIN_ID": "default",
            "OS_PROJECT_DOMAIN_ID": "default",
            "OS_REGION_NAME": REGION,
            "OS_IDENTITY_API_VERSION": "3",
        }
        return "".join(f"export {key}={value}\n" for key, value in values.items())

    def ecns_toml(self) -> str:
        """A configuration of ECNS in front of it."""
        return f'[identity]\nauth_url = "{self.auth_url}"\n'


def _snapshot(database: str) -> Path:
    """A stopped cloud, made once for each version of the services, of PostgreSQL and of what makes it."""
    here = Path(__file__).parent
    made_by = (LOCK, here / "seed.py", here / "database.py", *sorted((here / "launch").glob("*.py")))
    made_of = digest(sys.version.encode(), database.encode(), *(file.read_bytes() for file in made_by))
    name = f"cloud-{made_of}"
    home = cache() / name
    with (cache() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not home.exists():
            with scratch() as directory:
                Cloud(directory).make()
                _restore(directory, unfinished := home.with_suffix(".unfinished"))
                unfinished.rename(home)
            _forget_old()
        os.utime(home)
    return home


def _forget_old() -> None:
    for kept in cache().glob("cloud-*/"):
        if time.time() - kept.stat().st_mtime > KEPT_SECONDS:
            shutil.rmtree(kept, ignore_errors=True)


def _restore(kept: Path, directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(kept, directory, symlinks=True, ignore=shutil.ignore_patterns("*.log", ".s.PGSQL*"))
    directory.chmod(0o711)

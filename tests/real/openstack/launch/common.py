"""What the services have in common."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass
from pathlib import Path

REGION = "RegionOne"
PASSWORD = "secret"  # of everybody: the services listen on loopback and hold nothing
SERVICE_USER = "service"
SERVICE_PROJECT = "service"
HEAT_DOMAIN = "heat"
HEAT_ADMIN = "heat-admin"
ZONES = {"zone-a": ("compute-a1", "compute-a2"), "zone-b": ("compute-b1",)}
"""Nova's zones and their hosts."""
WAIT_SECONDS = 120.0
PORTS = {
    "keystone": 5000,
    "glance": 9292,
    "placement": 8778,
    "nova": 8774,
    "neutron": 9696,
    "cinder": 8776,
    "octavia": 9876,
    "heat": 8004,
}
"""The services, in the order in which they are worth starting, with their usual ports."""
TYPES = {
    "keystone": "identity",
    "glance": "image",
    "placement": "placement",
    "nova": "compute",
    "neutron": "network",
    "cinder": "block-storage",
    "octavia": "load-balancer",
    "heat": "orchestration",
}
"""Their types in the catalog. Source: https://service-types.openstack.org/"""
PATHS = {"keystone": "/v3", "nova": "/v2.1", "cinder": "/v3", "heat": "/v1/$(project_id)s"}
"""What follows the port in the catalog's addresses."""


def listens(port: int) -> bool:
    """Whether somebody does, on this machine."""
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class Facts:
    """One service's surroundings."""

    name: str
    directory: Path
    """Of the whole cloud."""
    ports: dict[str, int]
    database: str
    """The directory of PostgreSQL's socket; empty: SQLite."""
    token_seconds: int

    @classmethod
    def read(cls, name: str, directory: Path) -> Facts:
        """Of `facts.json`."""
        told = json.loads((directory / "facts.json").read_text())
        facts = cls(name=name, directory=directory, **told)
        facts.folder.mkdir(exist_ok=True)
        return facts

    @property
    def folder(self) -> Path:
        """Where the service keeps what it writes."""
        return self.directory / self.name

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.ports[self.name]

    @property
    def auth_url(self) -> str:
        """Keystone's."""
        return self.url("keystone")

    def url(self, service: str) -> str:
        """A service's address, without what the catalog adds."""
        return f"http://127.0.0.1:{self.ports[service]}"

    def database_url(self, name: str = "") -> str:
        """SQLAlchemy's address of a database, by default the one of the service's name."""
        name = name or self.name
        if not self.database:
            return f"sqlite:///{self.folder}/{name}.sqlite"
        return f"postgresql+psycopg2://postgres@/{name}?host={self.database}"

    def create_database(self, name: str = "") -> None:
        """Make an empty database."""
        if not self.database:
            return
        import psycopg2

        connection = psycopg2.connect(host=self.database, user="postgres", dbname="postgres")
        connection.autocommit = True
        connection.cursor().execute(f'CREATE DATABASE "{name or self.name}"')
        connection.close()

    def execute(self, statement: str, *values: str) -> None:
        """A statement in the service's database; `%s` stands for a value."""
        import psycopg2

        with psycopg2.connect(host=self.database, user="postgres", dbname=self.name) as connection:
            connection.cursor().execute(statement, values)
        connection.close()

    def await_services(self, *names: str) -> None:
        """Wait until Keystone knows the services' user and others listen: workers call them as they start."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not (self.directory / "identity.ready").exists() or not all(map(self._listens, names)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"Keystone or {names} did not become ready")
            time.sleep(0.05)

    def _listens(self, service: str) -> bool:
        return listens(self.ports[service])

    def write(self, file: str, text: str) -> Path:
        """Write a configuration file; the sections that all services have are added."""
        path = self.folder / file
        path.write_text(text + self.common())
        return path

    def common(self) -> str:
        """Sections that all services read."""
        return f"""
[keystone_authtoken]
{self.credentials()}
www_authenticate_uri = {self.auth_url}/v3
service_token_roles = service
service_token_roles_required = true
[oslo_messaging_notifications]
driver = noop
[oslo_concurrency]
lock_path = {self.folder}/locks
"""

    def credentials(self) -> str:
        """The services' user, as keystoneauth's options."""
        return f"""
auth_type = password
auth_url = {self.auth_url}/v3
username = {SERVICE_USER}
password = {PASSWORD}
project_name = {SERVICE_PROJECT}
user_domain_id = default
project_domain_id = default
region_name = {REGION}
"""

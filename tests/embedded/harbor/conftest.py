"""The stand-in as the gateway starts it."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING
from unittest import mock

import pytest
from tests.embedded.harbor.client import Client

from ecns.embedded.launcher import StandIn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Running:
    """One that serves, and what it said of itself."""

    def __init__(self, process: StandIn) -> None:
        self.process = process
        said = process.ready()
        self.facts: dict[str, str] = said
        self.url = said["url"]
        self.domain = said["domain"]
        self._clients: list[Client] = []
        self.admin = self.client(said["username"], said["password"])
        self.nobody = self.client()

    def client(self, name: str = "", password: str = "") -> Client:
        """A client of an account."""
        made = Client(self.url, name, password)
        self._clients.append(made)
        return made

    def user(self, name: str) -> Client:
        """A client of a new user."""
        password = "Secret-12345"
        body = {"username": name, "password": password, "email": f"{name}@example.com", "realname": name}
        self.admin.told("POST", "/users", 201, json=body)
        return self.client(name, password)

    def robot(self, project: str, name: str, *rights: tuple[str, str]) -> Client:
        """A client of a new robot of a project."""
        access = [{"resource": resource, "action": action} for resource, action in rights]
        body = {
            "name": name,
            "level": "project",
            "duration": -1,
            "permissions": [{"kind": "project", "namespace": project, "access": access}],
        }
        made = self.admin.told("POST", "/robots", 201, json=body)
        return self.client(made["name"], made["secret"])

    def close(self) -> None:
        """Close the clients."""
        for client in self._clients:
            client.close()


@contextlib.contextmanager
def running(data_dir: Path, *arguments: str, **environment: str) -> Iterator[Running]:
    """One that serves from a directory."""
    with mock.patch.dict(os.environ, environment):
        process = StandIn("embedded Harbor", "ecns.embedded.harbor", data_dir, *arguments)
    try:
        made = Running(process)
        try:
            yield made
        finally:
            made.close()
    finally:
        process.stop()


@pytest.fixture(scope="module")
def harbor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One for the tests of a file."""
    with running(tmp_path_factory.mktemp("harbor")) as made:
        yield made

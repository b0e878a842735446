"""The stand-in as the gateway starts it."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any
from unittest import mock

import httpx
import pytest

from ecns.embedded.launcher import StandIn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Running:
    """One that serves, and what it said of itself."""

    def __init__(self, process: StandIn) -> None:
        self.process = process
        said = process.ready()
        self.url: str = said["url"]
        self.users: dict[str, dict[str, Any]] = {user["username"]: user for user in said["users"]}
        self.http = httpx.Client(base_url=self.url, timeout=10)

    def auth(self, user: str, scope: Any = "project") -> dict[str, Any]:
        """The body that asks for a token."""
        known = self.users[user]
        who = {"name": user, "domain": {"name": known["domain"]}, "password": known["password"]}
        auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": who}}}
        if scope == "project":
            scope = {"project": {"id": known["project_id"]}}
        return {"auth": auth | ({"scope": scope} if scope else {})}

    def token(self, user: str, scope: Any = "project") -> str:
        """A token."""
        answer = self.http.post("/auth/tokens", json=self.auth(user, scope))
        assert answer.status_code == 201, answer.text
        return answer.headers["X-Subject-Token"]

    def call(self, method: str, path: str, token: str = "", **options: Any) -> httpx.Response:
        """A call with a token."""
        return self.http.request(method, path, headers={"X-Auth-Token": token} if token else {}, **options)


@contextlib.contextmanager
def running(data_dir: Path, *arguments: str, **environment: str) -> Iterator[Running]:
    """One that serves from a directory."""
    with mock.patch.dict(os.environ, environment):
        process = StandIn("embedded Keystone", "ecns.embedded.keystone", data_dir, *arguments)
    try:
        made = Running(process)
        yield made
        made.http.close()
    finally:
        process.stop()


@pytest.fixture(scope="module")
def keystone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One for the tests of a file."""
    with running(
        tmp_path_factory.mktemp("keystone"), "--service", "image=glance=http://glance/%(project_id)s"
    ) as made:
        yield made

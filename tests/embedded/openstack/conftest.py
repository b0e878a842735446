"""The stand-in with an embedded Keystone, as the gateway starts them, and openstacksdk as a client."""

from __future__ import annotations

import contextlib
import os
import socket
import warnings
from typing import TYPE_CHECKING, Any
from unittest import mock

import httpx
import openstack
import pytest

from ecns.embedded.launcher import StandIn
from ecns.embedded.openstack.catalog import offered

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PASSWORD = "secret"


class Cloud:
    """One that serves, and its users."""

    def __init__(self, auth_url: str, url: str, users: dict[str, dict[str, Any]]) -> None:
        self.auth_url = auth_url
        self.url = url
        self.users = users
        self._connections: dict[str, openstack.connection.Connection] = {}
        self._tokens: dict[str, str] = {}

    def connection(self, user: str) -> openstack.connection.Connection:
        """openstacksdk as one of the users."""
        if user not in self._connections:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # openstacksdk warns of its own defaults
                self._connections[user] = openstack.connect(
                    auth_url=self.auth_url,
                    username=user,
                    password=PASSWORD,
                    project_id=self.users[user]["project_id"],
                    user_domain_id="default",
                    region_name="RegionOne",
                    load_yaml_config=False,
                    load_envvars=False,
                )
        return self._connections[user]

    def token(self, user: str) -> str:
        """A token of one of the users."""
        if user not in self._tokens:
            self._tokens[user] = self.connection(user).auth_token
        return self._tokens[user]

    def call(
        self, user: str, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """A call of a path on the stand-in's port; `{project}` in it is the user's."""
        path = path.replace("{project}", self.users[user]["project_id"])
        sent: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body}
        return httpx.request(
            method,
            self.url + path,
            headers={"X-Auth-Token": self.token(user), **(headers or {})},
            **({} if body is None else sent),
        )

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Cloud]:
    """Keystone and the stand-in, from a directory."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        with mock.patch.dict(os.environ, {"ECNS_EMBEDDED_PASSWORD": PASSWORD}):
            keystone = StandIn("Keystone", "ecns.embedded.keystone", folder / "keystone", *offered(url))
        started = [keystone]
        try:
            said = keystone.ready()
            users = {user["username"]: user for user in said["users"]}
            projects = {user["project_id"]: user["roles"] for user in said["users"]}
            arguments = ["--identity-url", said["url"], "--operator", users["admin"]["project_id"]]
            for project, roles in projects.items():
                arguments += [] if "admin" in roles else ["--project", project]
            serving = StandIn(
                "OpenStack", "ecns.embedded.openstack", folder / "openstack", *arguments, sock=sock
            )
            started.append(serving)
            serving.ready()
            cloud = Cloud(said["url"], url, users)
            yield cloud
            cloud.close()
        finally:
            for one in reversed(started):
                one.stop()


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """One for all tests; each removes what it makes."""
    with running(tmp_path_factory.mktemp("openstack")) as made:
        yield made

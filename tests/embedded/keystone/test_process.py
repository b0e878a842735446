"""Starting, stopping, starting again."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.embedded.keystone.conftest import running

if TYPE_CHECKING:
    from pathlib import Path


def test_the_users_of_a_first_start(tmp_path: Path) -> None:
    with running(tmp_path) as keystone:
        assert keystone.url.startswith("http://127.0.0.1:")
        assert keystone.url.endswith("/identity/v3")
        told = {name: (user["project"], user["roles"]) for name, user in keystone.users.items()}
        assert told == {
            "admin": ("admin", ["admin"]),
            "developer": ("demo", ["member"]),
            "visitor": ("demo", ["reader"]),
            "other": ("other", ["member"]),
        }
        assert {user["domain"] for user in keystone.users.values()} == {"Default"}
        assert len({user["password"] for user in keystone.users.values()}) == 1
    for file in tmp_path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0 or file.suffix in {".sqlite-wal", ".sqlite-shm"}


def test_a_second_start_is_the_same_keystone(tmp_path: Path) -> None:
    with running(tmp_path) as first:
        token = first.token("developer")
        revoked = first.token("developer")
        headers = {"X-Auth-Token": revoked, "X-Subject-Token": revoked}
        assert first.http.delete("/auth/tokens", headers=headers).status_code == 204
        admin = first.token("admin")
        made = first.call("POST", "/projects", admin, json={"project": {"name": "kept"}}).json()["project"]
    with running(tmp_path) as second:
        assert second.url == first.url
        assert second.users == first.users
        headers = {"X-Auth-Token": token, "X-Subject-Token": token}
        assert second.http.get("/auth/tokens", headers=headers).status_code == 200
        assert second.call("GET", f"/projects/{made['id']}", admin).json()["project"]["name"] == "kept"
        assert second.call("GET", "/auth/projects", revoked).status_code == 401
        services = second.call("GET", "/services", admin).json()["services"]
        assert [service["type"] for service in services] == ["identity"]


def test_a_port_that_is_taken_is_given_up(tmp_path: Path) -> None:
    with running(tmp_path / "one") as first:
        pass
    port = int(first.url.split(":")[2].split("/")[0])
    with running(tmp_path / "two", "--port", str(port)) as two, running(tmp_path / "one") as again:
        assert two.url == first.url != again.url
        catalog = again.call("GET", "/auth/catalog", again.token("admin")).json()["catalog"]
        assert {endpoint["url"] for endpoint in catalog[0]["endpoints"]} == {again.url}


def test_the_password_of_the_environment(tmp_path: Path) -> None:
    with running(tmp_path) as keystone:
        random = keystone.users["admin"]["password"]
    with running(tmp_path, ECNS_EMBEDDED_PASSWORD="open sesame") as keystone:
        assert keystone.users["admin"]["password"] == "open sesame"
        assert keystone.token("developer")
        keystone.users["developer"]["password"] = random
        with pytest.raises(AssertionError):
            keystone.token("developer")


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    with running(tmp_path) as keystone:
        process = keystone.process.process
        assert process.stdin
        process.stdin.close()
        assert process.wait(5) == 0
        with pytest.raises(httpx.ConnectError):
            keystone.http.get("/")


def test_tokens_may_be_short(tmp_path: Path) -> None:
    with running(tmp_path, "--token-seconds", "0.05") as keystone:
        short = keystone.token("developer")
        while keystone.call("GET", "/auth/projects", short).status_code == 200:
            pass
        assert keystone.call("GET", "/auth/projects", short).status_code == 401

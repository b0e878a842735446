"""Starting, stopping, starting again, being killed."""

from __future__ import annotations

import os
import signal
import socket
import stat
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.embedded.harbor.client import digest_of
from tests.embedded.harbor.conftest import running
from tests.gateway import eventually

if TYPE_CHECKING:
    from pathlib import Path


def test_what_it_says_of_itself(tmp_path: Path) -> None:
    with running(tmp_path) as harbor:
        assert harbor.url == f"http://{harbor.domain}"
        assert harbor.domain.startswith("127.0.0.1:")
        assert harbor.facts["username"] == "admin"
        assert (tmp_path / "password").read_text() == harbor.facts["password"]
        assert harbor.admin.told("GET", "/users/current")["sysadmin_flag"] is True
        assert [project["name"] for project in harbor.nobody.told("GET", "/projects")] == ["library"]
    for file in tmp_path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0 or file.suffix in {".sqlite-wal", ".sqlite-shm"}


def test_a_second_start_is_the_same_harbor(tmp_path: Path) -> None:
    with running(tmp_path) as first:
        first.admin.project("team")
        digest = first.admin.push("team/app", "1.0")
        token = first.admin.request(
            "GET",
            "/service/token",
            params={"service": "harbor-registry", "scope": "repository:team/app:pull"},
        ).json()["token"]
    with running(tmp_path) as second:
        assert second.facts == first.facts
        assert second.admin.pull("team/app", "1.0").headers["Docker-Content-Digest"] == digest
        headers = {"Authorization": f"Bearer {token}"}
        assert second.nobody.request("GET", "/v2/team/app/tags/list", headers=headers).json()["tags"] == [
            "1.0"
        ]
        assert (
            second.admin.api("POST", "/projects", json={"project_name": "other"})
            .headers["Location"]
            .endswith("/3")
        )


def test_a_port_that_is_taken_is_given_up(tmp_path: Path) -> None:
    with running(tmp_path / "one") as first:
        pass
    port = first.domain.split(":")[1]
    with running(tmp_path / "two", "--port", port) as two, running(tmp_path / "one") as again:
        assert two.url == first.url != again.url


def test_the_password_of_the_environment(tmp_path: Path) -> None:
    with running(tmp_path, ECNS_EMBEDDED_PASSWORD="open sesame") as harbor:
        assert harbor.facts["password"] == "open sesame"
        assert harbor.admin.api("GET", "/users/current").status_code == 200
    with running(tmp_path, ECNS_EMBEDDED_PASSWORD="open barley") as harbor:
        assert harbor.admin.api("GET", "/users/current").status_code == 200
        old = harbor.client("admin", "open sesame")
        assert old.api("GET", "/users/current").status_code == 401


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    with running(tmp_path) as harbor:
        process = harbor.process.process
        assert process.stdin
        process.stdin.close()
        assert process.wait(5) == 0
        with pytest.raises(httpx.ConnectError):
            harbor.admin.api("GET", "/ping")


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def test_a_kill_in_the_middle_of_an_upload_leaves_nothing_half(tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    half = len(content) // 2
    with running(tmp_path) as harbor:
        location = harbor.admin.begin("library/app")
        answer = harbor.admin.request("PATCH", location, content=content[:half])
        assert answer.headers["Range"] == f"0-{half - 1}"
        location = answer.headers["Location"]
        host, port = harbor.domain.split(":")
        with socket.create_connection((host, int(port))) as half_sent:
            half_sent.sendall(harbor.admin.head_of("PATCH", location, length=len(content) - half))
            half_sent.sendall(content[half : half + 1_000_000])
            upload = next((tmp_path / "uploads").iterdir())
            eventually(lambda: upload.stat().st_size > half)
            _kill(harbor.process.process.pid)
            harbor.process.process.wait()
    with running(tmp_path) as harbor:
        admin = harbor.admin
        assert admin.request("HEAD", f"/v2/library/app/blobs/{digest_of(content)}").status_code == 404
        status = admin.request("GET", location)
        assert status.status_code == 204
        assert status.headers["Range"] == f"0-{half - 1}"
        answer = admin.request("PATCH", location, content=content[half:])
        assert answer.headers["Range"] == f"0-{len(content) - 1}"
        done = admin.finish(answer.headers["Location"], digest_of(content))
        assert done.status_code == 201
        assert admin.request("GET", f"/v2/library/app/blobs/{digest_of(content)}").content == content
        assert not list((tmp_path / "uploads").iterdir())


def test_clients_that_leave_are_no_fault(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with running(tmp_path) as harbor:
        location = harbor.admin.begin("library/app")
        digest = harbor.admin.blob("library/app", os.urandom(20_000_000))
        host, port = harbor.domain.split(":")
        blob = f"{harbor.url}/v2/library/app/blobs/{digest}"
        for sent in (
            harbor.admin.head_of("PATCH", location, length=1000) + b"x",
            harbor.admin.head_of("POST", f"{harbor.url}/api/v2.0/projects", length=100) + b"{",
            harbor.admin.head_of("GET", blob, length=0),
            b"this is no HTTP\r\n\r\n",
        ):
            with socket.create_connection((host, int(port))) as connection:
                connection.sendall(sent)
                if sent.startswith(b"GET"):
                    assert connection.recv(12) == b"HTTP/1.1 200"
        assert harbor.admin.request("GET", location).status_code == 204
    assert capfd.readouterr().err == ""


def test_a_file_of_no_upload_goes_at_the_next_start(tmp_path: Path) -> None:
    with running(tmp_path):
        pass
    (tmp_path / "uploads" / "left-over").write_bytes(b"x")
    with running(tmp_path):
        assert not list((tmp_path / "uploads").iterdir())

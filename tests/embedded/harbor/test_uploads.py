"""Uploads that go wrong: broken off, repeated, at once, on a full disk."""

from __future__ import annotations

import errno
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self

import aiohttp
from tests.embedded.harbor.client import digest_of
from tests.embedded.harbor.serving import PASSWORD, serving
from tests.gateway import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest
    from tests.embedded.harbor.conftest import Running

HEADERS = {"Authorization": aiohttp.encode_basic_auth("admin", PASSWORD)}


def _range(harbor: Running, location: str) -> str:
    answer = harbor.admin.request("GET", location)
    assert answer.status_code == 204, answer.text
    return answer.headers["Range"]


def test_a_chunk_that_breaks_off_counts_for_nothing(harbor: Running) -> None:
    content = os.urandom(600_000)
    location = harbor.admin.begin("library/broken")
    location = harbor.admin.request("PATCH", location, content=content[:100]).headers["Location"]
    host, port = harbor.domain.split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(harbor.admin.head_of("PATCH", location, length=len(content)))
        connection.sendall(content[100:300_000])
    assert eventually(lambda: _range(harbor, location) == "0-99")
    answer = harbor.admin.request("PATCH", location, content=content[100:])
    assert answer.headers["Range"] == f"0-{len(content) - 1}"
    assert harbor.admin.finish(answer.headers["Location"], digest_of(content)).status_code == 201
    assert harbor.admin.request("GET", f"/v2/library/broken/blobs/{digest_of(content)}").content == content


def test_an_old_state_tells_how_far_an_upload_is_and_does_nothing_else(harbor: Running) -> None:
    first = harbor.admin.begin("library/stale")
    harbor.admin.request("PATCH", first, content=b"hello ")
    assert _range(harbor, first) == "0-5"
    answer = harbor.admin.request("PATCH", first, content=b"world")
    assert answer.status_code == 404
    assert answer.json()["errors"][0]["code"] == "BLOB_UPLOAD_INVALID"


def test_the_state_of_another_upload_or_repository_is_refused(harbor: Running) -> None:
    one, other = harbor.admin.begin("library/one"), harbor.admin.begin("library/other")
    state = one.partition("?")[2]
    for location in (
        f"{other.partition('?')[0]}?{state}",
        one.replace("/library/one/", "/library/other/"),
        f"{one.partition('?')[0]}?_state=nonsense",
        f"{one.partition('?')[0]}?_state={'A' * 80}",
    ):
        answer = harbor.admin.request("PATCH", location, content=b"x")
        assert answer.status_code == 404, location
        assert answer.json()["errors"][0]["code"] == "BLOB_UPLOAD_INVALID"


def test_a_wrong_digest_takes_nothing_of_the_last_chunk(harbor: Running) -> None:
    location = harbor.admin.begin("library/wrong")
    wrong = harbor.admin.finish(location, digest_of(b"other"), b"hello")
    assert wrong.status_code == 400
    assert wrong.json()["errors"][0]["code"] == "DIGEST_INVALID"
    assert harbor.admin.finish(location, digest_of(b"hello"), b"hello").status_code == 201
    assert harbor.admin.finish(harbor.admin.begin("library/wrong"), "sha256:short").status_code == 400


def test_digests_of_other_algorithms(harbor: Running) -> None:
    import hashlib  # noqa: PLC0415  of this one test

    content = b"a content with a long digest"
    digest = f"sha512:{hashlib.sha512(content).hexdigest()}"
    answer = harbor.admin.finish(harbor.admin.begin("library/long"), digest, content)
    assert answer.status_code == 201
    assert answer.headers["Docker-Content-Digest"] == digest
    assert harbor.admin.request("GET", f"/v2/library/long/blobs/{digest}").content == content
    assert harbor.admin.request("HEAD", f"/v2/library/long/blobs/{digest_of(content)}").status_code == 404


def test_the_same_blob_pushed_many_times_at_once(harbor: Running) -> None:
    content = os.urandom(2_000_000)
    barrier = threading.Barrier(8)

    def push(number: int) -> int:
        client = harbor.client("admin", harbor.facts["password"])
        location = client.begin(f"library/at-once-{number % 2}")
        barrier.wait()
        return client.finish(location, digest_of(content), content).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(push, range(8))) == {201}
    for number in range(2):
        answer = harbor.admin.request("GET", f"/v2/library/at-once-{number}/blobs/{digest_of(content)}")
        assert answer.content == content


def test_two_who_push_into_the_last_room_at_once(harbor: Running) -> None:
    harbor.admin.project("narrow", limit=1_000_000)
    barrier = threading.Barrier(2)

    def push(_: int) -> int:
        client = harbor.client("admin", harbor.facts["password"])
        content = os.urandom(600_000)
        location = client.begin("narrow/app")
        barrier.wait()
        return client.finish(location, digest_of(content), content).status_code

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(push, range(2))) == [201, 403]
    assert harbor.admin.told("GET", "/projects/narrow/summary")["quota"]["used"]["storage"] == 600_000


def test_two_who_go_on_with_one_upload_at_once(harbor: Running) -> None:
    location = harbor.admin.begin("library/two")
    barrier = threading.Barrier(2)

    def append(letter: bytes) -> int:
        client = harbor.client("admin", harbor.facts["password"])
        barrier.wait()
        return client.request("PATCH", location, content=letter * 500_000).status_code

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(append, (b"a", b"b"))) == [202, 404]
    assert _range(harbor, location) == "0-499999"


def test_a_stream_of_unknown_length_and_who_waits_for_100_continue(harbor: Running) -> None:
    content = os.urandom(1_500_000)

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(content), 70_001):
            yield content[start : start + 70_001]

    answer = harbor.admin.request("PATCH", harbor.admin.begin("library/stream"), content=pieces())
    assert answer.headers["Range"] == f"0-{len(content) - 1}"
    assert harbor.admin.finish(answer.headers["Location"], digest_of(content)).status_code == 201
    location = f"{harbor.admin.begin('library/stream')}&digest={digest_of(b'patient')}"
    head = harbor.admin.head_of("PUT", location, length=7).replace(
        b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"
    )
    host, port = harbor.domain.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(head)
        assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue")
        connection.sendall(b"patient")
        assert connection.recv(1000).startswith(b"HTTP/1.1 201")


def test_an_empty_blob(harbor: Running) -> None:
    digest = harbor.admin.blob("library/empty", b"")
    answer = harbor.admin.request("GET", f"/v2/library/empty/blobs/{digest}")
    assert answer.status_code == 200
    assert answer.content == b""
    assert (
        harbor.admin.request(
            "GET", f"/v2/library/empty/blobs/{digest}", headers={"Range": "bytes=0-"}
        ).status_code
        == 416
    )


def test_it_keeps_no_upload_in_memory(harbor: Running) -> None:
    status = f"/proc/{harbor.process.process.pid}/status"

    def peak() -> int:
        with open(status) as lines:  # noqa: PTH123  of the kernel
            return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))

    harbor.admin.blob("library/large", os.urandom(1_000_000))
    before = peak()
    size = 60_000_000
    digest = harbor.admin.blob("library/large", b"x" * size)
    answer = harbor.admin.request("GET", f"/v2/library/large/blobs/{digest}")
    assert len(answer.content) == size
    assert peak() - before < 20_000


class _FullDisk:
    """A file on a disk that takes a few bytes more."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._room = 10

    def write(self, data: memoryview) -> int:
        if not self._room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken: int = self._file.write(data[: self._room])
        self._room -= taken
        return taken

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


async def test_a_full_disk_is_told_and_the_upload_goes_on_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jar = aiohttp.DummyCookieJar()
    async with (
        serving(tmp_path) as (harbor, url),
        aiohttp.ClientSession(headers=HEADERS, cookie_jar=jar) as http,
    ):
        async with http.post(f"{url}/v2/library/full/blobs/uploads/") as answer:
            location = answer.headers["Location"]
        opened = harbor.files.opened
        with monkeypatch.context() as patched:
            patched.setattr(harbor.files, "opened", lambda *args: _FullDisk(opened(*args)))
            async with http.patch(location, data=b"more than ten bytes") as answer:
                assert answer.status == 507
                assert (await answer.json())["errors"][0][
                    "message"
                ] == "no space is left on the registry's disk"
        async with http.put(f"{location}&digest={digest_of(b'fits')}", data=b"fits") as answer:
            assert answer.status == 201

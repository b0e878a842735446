"""Uploads through HTTP: forms in every order, what is refused, and that nothing stays behind."""

from __future__ import annotations

import bz2
import gzip
import http.client
import json
import lzma
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from backports import zstd

from ecns.api.images.types import Uploaded
from tests.api.answers import refused, told
from tests.api.images.upload import making
from tests.api.registry import World
from tests.conftest import start, stop
from tests.gateway import eventually

PATH = "/images/upload_image/"


def events(answer: httpx.Response) -> list[tuple[str, Any]]:
    """The server-sent events of an answer."""
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = []
    for block in answer.text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found


def test_an_upload_is_there_afterwards(world: World) -> None:
    name = world.workspace()
    answer = world.upload(name, making.saved(tags=["quay.io/some/app:1.0"]))
    (image,) = told(answer, Uploaded).images
    assert (image.harbor_project_name, image.image_name, image.tag_name) == (name, "some/app", "1.0")
    assert (image.blobs_pushed, image.blobs_present) == (3, 0)
    artifact = world.harbor.get(f"/projects/{name}/repositories/some%252Fapp/artifacts/1.0").json()
    assert artifact["digest"] == image.digest
    again = told(world.upload(name, making.saved(tags=["quay.io/some/app:1.0"])), Uploaded).images[0]
    assert again.digest == image.digest
    assert (again.blobs_pushed, again.blobs_present) == (0, 3), "what is there is not sent again"


@pytest.mark.parametrize("file_first", [True, False])
def test_fields_come_in_any_order(world: World, file_first: bool) -> None:  # noqa: FBT001
    name = world.workspace()
    file = ("image", ("image.tar", making.tar(making.saved())))
    fields: list[Any] = [("harbor_project_name", (None, name)), ("tag_name", (None, "9"))]
    parts = [file, *fields] if file_first else [*fields, file]
    answer = world.ours.member.post(PATH, files=[*parts, ("unknown", (None, "ignored"))])
    assert told(answer, Uploaded).images[0].tag_name == "9"


@pytest.mark.parametrize(
    "compress",
    [gzip.compress, bz2.compress, lzma.compress, zstd.compress],
    ids=["gzip", "bzip2", "xz", "zstd"],
)
def test_compressed_archives(world: World, compress: Callable[[bytes], bytes]) -> None:
    name = world.workspace()
    plain = told(world.upload(name), Uploaded).images[0]
    answer = world.upload(name, compress(making.tar(making.saved())))
    assert told(answer, Uploaded).images[0].digest == plain.digest


def test_what_several_tools_write(world: World) -> None:
    name = world.workspace()
    for files in (making.saved(), making.podman(), making.old(), making.docker25()):
        (image,) = told(world.upload(name, files), Uploaded).images
        assert image.image_name == "app"
        shown = world.ours.reader.get(f"/images/repositories/{name}/app/tags/").json()["tags"]
        assert [one["digest"] for one in shown] == [image.digest]


def test_several_images_share_their_layers(world: World) -> None:
    name = world.workspace()
    one, two = making.saved(), making.saved([making.LAYERS[0]], tags=["other:2"])
    files = {**one, **two}
    files["manifest.json"] = making.dumped(
        [*json.loads(one["manifest.json"]), *json.loads(two["manifest.json"])]
    )
    images = told(world.upload(name, files), Uploaded).images
    assert [f"{image.image_name}:{image.tag_name}" for image in images] == ["app:1", "other:2"]
    refused(world.upload(name, files, image_name="x", tag_name="1"), 400, field="tag_name")


def test_progress_is_told(world: World) -> None:
    name = world.workspace()
    answer = world.ours.member.post(
        PATH,
        data={"harbor_project_name": name},
        files={"image": making.tar(making.saved())},
        headers={"Accept": "text/event-stream"},
    )
    assert answer.status_code == 200
    told_of = events(answer)
    assert {kind for kind, _ in told_of[:-1]} == {"progress"}
    assert told_of[0][1]["stage"] == "checking"
    kind, last = told_of[-1]
    assert kind == "done"
    assert last["images"][0]["image_name"] == "app"
    pushing = [data for kind, data in told_of if data.get("stage") == "pushing"]
    assert all(one["sent"] <= one["size"] for one in pushing)


def test_what_fails_after_the_answer_has_begun_is_told_too(world: World) -> None:
    name = world.workspace()
    answer = world.ours.member.post(
        PATH,
        data={"harbor_project_name": name},
        files={"image": making.tar({"readme": b"no image"})},
        headers={"Accept": "text/event-stream"},
    )
    kind, data = events(answer)[-1]
    assert kind == "failed"
    assert data["error"]["code"] == 400
    assert data["details"] == {"field": "image"}


def test_a_dry_run_checks_and_pushes_nothing(world: World) -> None:
    name = world.workspace()
    answer = world.ours.member.post(
        PATH,
        data={"harbor_project_name": name},
        files={"image": making.tar(making.saved())},
        params={"dry_run": "true"},
    )
    assert told(answer, Uploaded).images[0].image_name == "app"
    assert world.harbor.get(f"/projects/{name}/repositories").json() == []


def form(*parts: tuple[str, bytes], boundary: str = "b", end: bytes = b"--\r\n") -> bytes:
    pieces = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + content + b"\r\n"
        for name, content in parts
    ]
    return b"".join([*pieces, f"--{boundary}".encode(), end])


IMAGE = making.tar(making.saved())


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (form(("image", IMAGE)), "harbor_project_name"),
        (form(("harbor_project_name", b"WS")), "image"),
        (form(("harbor_project_name", b"WS"), ("image", b"")), "image"),
        (form(("harbor_project_name", b"WS"), ("image", b"x")), "image"),
        (form(("image", IMAGE), ("image", IMAGE), ("harbor_project_name", b"WS")), "image"),
        (form(("harbor_project_name", b"WS"), ("harbor_project_name", b"WS")), "harbor_project_name"),
        (form(("harbor_project_name", b"\xff"), ("image", IMAGE)), "harbor_project_name"),
        (form(("harbor_project_name", b"WS"), ("image_name", b"x" * 5000), ("image", IMAGE)), "image_name"),
        (form(("harbor_project_name", b"WS"), ("image", IMAGE[:3000])), "image"),
        (form(("harbor_project_name", b"WS"), ("image", gzip.compress(IMAGE, mtime=0)[:300])), "image"),
        (form(("harbor_project_name", b"WS"), ("image", IMAGE), end=b""), ""),
        (form(("harbor_project_name", b"WS"), ("image", IMAGE))[:4000], ""),
        (form(*[(f"f{at}", b"") for at in range(40)]), ""),
        (b"no form at all", ""),
        (b"", ""),
    ],
)
def test_forms_that_cannot_be(world: World, body: bytes, field: str) -> None:
    name = world.workspace()
    answer = world.ours.member.post(
        PATH,
        content=body.replace(b"WS", name.encode()),
        headers={"Content-Type": "multipart/form-data; boundary=b"},
    )
    assert answer.status_code == 400, answer.text
    assert not field or answer.json()["details"]["field"] == field
    assert world.harbor.get(f"/projects/{name}/repositories").json() == []


def test_content_types(world: World) -> None:
    member = world.ours.member
    refused(member.post(PATH, json={"harbor_project_name": "x"}), 415)
    refused(member.post(PATH, content=b"x", headers={"Content-Type": "application/x-tar"}), 415)
    refused(member.post(PATH), 415)
    refused(member.post(PATH, content=b"x", headers={"Content-Type": "multipart/form-data"}), 400)
    elsewhere = member.post("/images/harbor_project", files={"image": b"x"})
    refused(elsewhere, 415)


def test_an_idempotency_key_is_no_reason_to_keep_the_file(world: World) -> None:
    name = world.workspace()
    for _ in range(2):
        answer = world.ours.member.post(
            PATH,
            data={"harbor_project_name": name},
            files={"image": IMAGE},
            headers={"Idempotency-Key": "same"},
        )
        told(answer, Uploaded)
        assert "Idempotency-Replayed" not in answer.headers


def hostile() -> dict[str, bytes]:
    layout = making.Layout()
    bad = layout.done(layout.image(pack="gzip", **making.named("a:1")))
    blob = next(name for name in bad if name.startswith("blobs/") and bad[name][:2] == b"\x1f\x8b")
    return {
        "path": making.tar({"../../etc/cron.d/x": b"* * * * *"}),
        "absolute": making.tar({"/etc/passwd": b"x"}),
        "link": making.tar({"a": making.link("a", "/etc/passwd"), **making.saved()}),
        "linked config": making.tar(
            {
                "c.json": making.link("c.json", "../../../etc/passwd"),
                "manifest.json": making.dumped([{"Config": "c.json", "Layers": []}]),
            }
        ),
        "digest": making.tar({**bad, blob: bad[blob] + b"\0"}),
        "swapped layer": making.tar(
            {
                name: making.layer(evil=b"x") if name.endswith("layer.tar") else one
                for name, one in making.saved().items()
            }
        ),
        "bomb": gzip.compress(gzip.compress(bytes(200_000_000))),
        "truncated": making.tar(making.saved())[:-9000],
    }


@pytest.mark.parametrize("which", hostile())
def test_hostile_archives_leave_nothing_behind(world: World, which: str) -> None:
    name = world.workspace()
    said = refused(world.upload(name, hostile()[which], image_name="evil"), 400, field="image")
    assert said.startswith("image: ")
    assert world.harbor.get(f"/projects/{name}/repositories").json() == []
    assert world.harbor.get(f"/projects/{name}/summary").json()["quota"]["used"]["storage"] == 0


def test_a_workspaces_storage_limit_is_told(world: World) -> None:
    name = world.workspace()
    id_ = world.harbor.get(f"/projects/{name}", headers={"X-Is-Resource-Name": "true"}).json()["project_id"]
    (quota,) = world.harbor.get(f"/quotas?reference=project&reference_id={id_}").json()
    changed = world.harbor.put(f"/quotas/{quota['id']}", json={"hard": {"storage": 100}})
    assert changed.status_code == 200
    said = refused(world.upload(name), 403)
    assert "upper limit of 100" in said


# With limits of its own


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Path]]:
    """A gateway that takes little at a time, and where its uploads lie."""
    folder = tmp_path_factory.mktemp("small")
    uploads = folder / "uploads"
    (folder / "ecns.toml").write_text(
        f'[uploads]\ndirectory = "{uploads}"\nlimit = 3000000\nunpacked_limit = 20000000\n'
        "at_once = 2\nof_one = 1\nidle_timeout = 1.5\n"
    )
    process, gateway = start(folder / "data", "--config", str(folder / "ecns.toml"))
    world = World(gateway)
    yield world, uploads
    world.close()
    gateway.close()
    assert stop(process) == 0
    assert list(uploads.iterdir()) == [], "even its own directory is gone"


def lying(uploads: Path) -> list[Path]:
    return list(uploads.glob("process-*/upload-*"))


def test_limits(small: tuple[World, Path]) -> None:
    world, uploads = small
    name = world.workspace()
    told(world.upload(name), Uploaded)
    said = refused(world.upload(name, bytes(3_200_000)), 413)
    assert "limit of 3000000 bytes" in said

    def endless() -> Iterator[bytes]:
        yield form(("harbor_project_name", name.encode()), end=b"\r\n")
        yield b'Content-Disposition: form-data; name="image"\r\n\r\n'
        for _ in range(80):
            yield bytes(50_000)

    answer = world.ours.member.post(
        PATH, content=endless(), headers={"Content-Type": "multipart/form-data; boundary=b"}
    )
    refused(answer, 413)
    zeros = {**making.saved(), "junk": bytes(25_000_000)}
    said = refused(world.upload(name, gzip.compress(making.tar(zeros))), 413)
    assert "unpacks to more than 20000000 bytes" in said
    layout = making.Layout()
    big = layout.done(layout.image([making.layer(z=bytes(25_000_000))], pack="gzip", **making.named("a:1")))
    refused(world.upload(name, big), 413)
    assert lying(uploads) == []


class Slow:
    """An upload that has begun and not ended."""

    def __init__(self, world: World, name: str, client: httpx.Client, begun: bytes = IMAGE[:5000]) -> None:
        url = urlsplit(world.gateway.url)
        assert url.hostname
        body = form(("harbor_project_name", name.encode()), end=b"\r\n")
        body += b'Content-Disposition: form-data; name="image"\r\n\r\n' + begun
        head = (
            f"POST /api/ecns/image{PATH} HTTP/1.1\r\nHost: {url.netloc}\r\n"
            f"X-Auth-Token: {client.headers['X-Auth-Token']}\r\n"
            f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 2000000\r\n\r\n"
        )
        self.socket = socket.create_connection((url.hostname, url.port or 80))
        self.socket.sendall(head.encode() + body)

    def answer(self) -> int:
        self.socket.settimeout(10)
        response = http.client.HTTPResponse(self.socket)
        response.begin()
        response.read()
        self.socket.close()
        return response.status


def test_a_client_that_leaves_takes_everything_along(small: tuple[World, Path]) -> None:
    world, uploads = small
    slow = Slow(world, world.workspace(), world.ours.member)
    eventually(lambda: len(lying(uploads)) == 1)
    slow.socket.close()
    eventually(lambda: lying(uploads) == [])


def test_a_client_that_stops_sending_is_given_up(small: tuple[World, Path]) -> None:
    world, uploads = small
    slow = Slow(world, world.workspace(), world.ours.member)
    assert slow.answer() == 408
    eventually(lambda: lying(uploads) == [])


def test_so_many_at_a_time(small: tuple[World, Path]) -> None:
    world, uploads = small
    name, theirs = world.workspace(), world.workspace(world.theirs)
    first = Slow(world, name, world.ours.member)
    eventually(lambda: len(lying(uploads)) == 1)
    answer = world.upload(name)
    refused(answer, 429)
    assert int(answer.headers["Retry-After"]) >= 1
    second = Slow(world, theirs, world.theirs.member)
    eventually(lambda: len(lying(uploads)) == 2)
    refused(world.upload(name, client=world.admin), 429)
    first.socket.close()
    second.socket.close()
    eventually(lambda: world.upload(name).status_code == 200)


def test_who_may_not_is_told_before_the_file_is_read(small: tuple[World, Path]) -> None:
    world, uploads = small
    slow = Slow(world, world.workspace(world.theirs), world.ours.member)
    began = time.monotonic()
    assert slow.answer() == 404
    assert time.monotonic() - began < 1.4, "it did not wait for more of the file"
    slow = Slow(world, world.workspace(), world.ours.member, begun=making.tar({"../x": b"y"}))
    assert slow.answer() == 400
    eventually(lambda: lying(uploads) == [])


def test_other_requests_are_answered_meanwhile(world: World) -> None:
    name = world.workspace()
    content = making.tar(making.saved([making.layer(a=bytes(range(256)) * 200_000)]))
    answers: list[httpx.Response] = []
    client = world.ours.project.client("member", "image")
    thread = threading.Thread(
        target=lambda: answers.append(world.upload(name, content, client=client, image_name="big"))
    )
    thread.start()
    slowest = 0.0
    while thread.is_alive():
        began = time.monotonic()
        assert world.ours.reader.get("/images/harbor_projects/?page=1&page_size=1").status_code == 200
        slowest = max(slowest, time.monotonic() - began)
    thread.join()
    told(answers[0], Uploaded)
    assert slowest < 2


def test_the_systems_own_directory_holds_nothing() -> None:
    """The other gateway of these tests has no directory configured."""
    folders = Path(tempfile.gettempdir()).glob("ecns-uploads-*/process-*")
    assert all(path.stat().st_mode & 0o077 == 0 for path in folders)

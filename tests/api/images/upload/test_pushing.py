"""Pushing, and all that may go wrong with it: a clear error, nothing left here, and a repeat that goes on."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from ecns.api.images.upload import ahead, pieces
from ecns.api.images.upload.service import GoneError
from ecns.backends.harbor import registry as module
from ecns.backends.harbor.registry import Registry
from ecns.errors import BadRequestError, UpstreamError, UpstreamTimeoutError, UpstreamUnavailableError
from tests.api.images.upload import making
from tests.api.images.upload.driving import push, received, uploads
from tests.api.images.upload.making import LAYERS, Layout, digest, named
from tests.backends.harbor.servers import registry, serving


class Fake:
    """A registry in memory, with tokens; it notes what is sent and fails as it is told."""

    def __init__(self) -> None:
        self.blobs: dict[str, set[str]] = {}
        """By repository."""
        self.contents: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}
        self.sent: list[str] = []
        self.put = 0
        self.most = 0
        """Layers that came at the same time."""
        self.lasts = 10_000
        """Requests that a token is good for."""
        self.down = False
        self.break_after: int | None = None
        """Layers after which the connection breaks, again and again."""
        self.forget: set[str] = set()
        """Digests that a HEAD finds though they are not there."""
        self.slow = 0.0
        self.late = 0.0
        """Seconds for which the answer to a beginning, and the end of what is given up, are waited for."""
        self.begun: dict[str, bytes] = {}
        """By id, what has come of uploads that were not finished nor given up."""
        self.patched: list[int] = []
        """Bytes of each PATCH."""
        self.no_patch: str = ""
        """What becomes of a PATCH: `refused`, `broken` or `hung`."""
        self._numbers = itertools.count()
        self._left = 0

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        if self.down:
            request.transport.abort()
            return web.Response()
        if request.path == "/service/token":
            self._left = self.lasts
            return web.json_response({"token": "t", "expires_in": 1800})
        if request.headers.get("Authorization") != "Bearer t":
            realm = f'Bearer realm="http://{request.host}/service/token",service="s"'
            return web.Response(status=401, headers={"WWW-Authenticate": realm})
        self._left -= 1
        if self._left < 0:  # as Harbor says that it does not take a token any more
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="harbor"'})
        return await self._answer(request, request.path.removeprefix("/v2/"))

    async def _answer(self, request: web.Request, path: str) -> web.StreamResponse:
        if "/manifests/" in path:
            body = await request.content.read()
            repository, _, reference = path.partition("/manifests/")
            return self._manifest(repository, reference, body)
        repository, _, rest = path.partition("/blobs/")
        there = self.blobs.setdefault(repository, set())
        if request.method == "HEAD":
            found = rest in there or rest in self.forget
            return web.Response(status=200 if found else 404)
        if request.method == "POST":
            source, mounted = request.query.get("from", ""), request.query.get("mount", "")
            if mounted and mounted in self.blobs.get(source, ()):
                there.add(mounted)
                self.sent.append(f"mount {repository}")
                return web.Response(status=201)
            number = str(next(self._numbers))
            self.begun[number] = b""
            await asyncio.sleep(self.late)
            return self._goes_on(repository, number)
        number = request.path.rpartition("/")[2]
        if request.method == "DELETE":
            await asyncio.sleep(self.late)
            del self.begun[number]
            return web.Response(status=204)
        if request.method == "PATCH":
            return await self._patch(request, repository, number)
        return await self._blob(request, repository, number)

    def _goes_on(self, repository: str, number: str) -> web.Response:
        location = f"/v2/{repository}/blobs/uploads/{number}?_state=s{len(self.begun[number])}"
        return web.Response(status=202, headers={"Location": location})

    async def _patch(self, request: web.Request, repository: str, number: str) -> web.StreamResponse:
        assert request.query["_state"] == "s0"
        if self.no_patch == "refused":
            return web.json_response({"errors": [{"code": "UNSUPPORTED", "message": "no"}]}, status=405)
        if self.no_patch == "broken":
            await request.content.read(10)
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if self.no_patch == "hung":
            await asyncio.sleep(30)
        content = await request.content.read()
        self.patched.append(len(content))
        self.begun[number] += content
        return self._goes_on(repository, number)

    async def _blob(self, request: web.Request, repository: str, number: str) -> web.StreamResponse:
        self.put += 1
        self.most = max(self.most, self.put)
        try:
            if self.break_after is not None:
                if self.break_after <= 0:
                    await request.content.read(10)
                    assert request.transport is not None
                    request.transport.abort()
                    return web.Response()
                self.break_after -= 1
            content = self.begun[number] + await request.content.read()
            await asyncio.sleep(self.slow)
        finally:
            self.put -= 1
        del self.begun[number]
        wanted = request.query["digest"]
        assert f"sha256:{hashlib.sha256(content).hexdigest()}" == wanted
        self.blobs[repository].add(wanted)
        self.contents[wanted] = content
        self.forget.discard(wanted)
        self.sent.append(f"blob {repository}")
        return web.Response(status=201)

    def _manifest(self, repository: str, reference: str, body: bytes) -> web.Response:
        found = json.loads(body)
        there = self.blobs.get(repository, set())
        named = [found["config"], *found["layers"]] if "config" in found else []
        missing = [one["digest"] for one in named if one["digest"] not in there]
        missing += [
            one["digest"]
            for one in found.get("manifests", ())
            if f"{repository}@{one['digest']}" not in self.manifests
        ]
        if missing:
            error = {"code": "MANIFEST_BLOB_UNKNOWN", "message": f"{missing} unknown"}
            return web.json_response({"errors": [error]}, status=400)
        self.manifests[f"{repository}:{reference}"] = body
        self.manifests[f"{repository}@{digest(body)}"] = body
        self.sent.append(f"manifest {repository}:{reference}")
        return web.Response(status=201)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.01)


@pytest.fixture
def fake() -> Fake:
    return Fake()


@pytest_asyncio.fixture
async def target(fake: Fake, tmp_path: Path) -> AsyncIterator[Registry]:
    async with serving(fake) as url, registry(url, tmp_path) as found:
        yield found


SAVED = making.tar(making.saved())
MANY = making.tar(making.saved([making.layer(f=bytes([at]) * 2000) for at in range(12)]))


async def test_manifests_come_last_and_an_indexs_own_before_it(
    fake: Fake, target: Registry, tmp_path: Path
) -> None:
    layout = Layout()
    one, two = layout.image(), layout.image([making.layer(b=b"arm")], platform="arm64")
    archive = making.tar(layout.done(layout.index([one, two], **named("m:1"))))
    with uploads(target, tmp_path / "u") as shared:
        (image,) = (await push(shared, archive)).images
    kinds = [line.split()[0] for line in fake.sent]
    assert kinds == sorted(kinds), "blobs, then manifests"
    assert fake.sent[-1] == "manifest team/m:1"
    assert f"team/m@{image.digest}" in fake.manifests


async def test_a_registry_that_goes_away_in_the_middle(fake: Fake, target: Registry, tmp_path: Path) -> None:
    with uploads(target, tmp_path / "u") as shared:
        fake.break_after = 5
        with pytest.raises(UpstreamUnavailableError, match="the connection broke"):
            await push(shared, MANY)
        assert fake.manifests == {}
        pushed = len(fake.sent)
        fake.down = True
        with pytest.raises(UpstreamUnavailableError):
            await push(shared, MANY)
        fake.break_after, fake.down = None, False
        (image,) = (await push(shared, MANY)).images
    assert image.blobs_present == pushed >= 4, "the repeat goes on with what is missing"
    assert image.blobs_pushed == 13 - pushed


async def test_tokens_that_run_out_all_the_time(fake: Fake, target: Registry, tmp_path: Path) -> None:
    fake.lasts = 3
    with uploads(target, tmp_path / "u", layers=1) as shared:
        (image,) = (await push(shared, MANY)).images
    assert image.blobs_pushed == 13


async def test_so_many_layers_at_a_time(fake: Fake, target: Registry, tmp_path: Path) -> None:
    fake.slow = 0.02
    with uploads(target, tmp_path / "u", layers=3) as shared:
        await push(shared, MANY)
    assert fake.most == 3


async def test_what_was_collected_as_garbage_meanwhile_is_pushed_again(
    fake: Fake, target: Registry, tmp_path: Path
) -> None:
    fake.forget = {digest(making.CONFIG)}
    with uploads(target, tmp_path / "u") as shared:
        (image,) = (await push(shared, SAVED)).images
    assert fake.contents[digest(making.CONFIG)] == making.CONFIG
    assert f"team/app@{image.digest}" in fake.manifests


async def test_layers_go_over_the_wire_once_for_several_images(
    fake: Fake, target: Registry, tmp_path: Path
) -> None:
    with uploads(target, tmp_path / "u") as shared:
        await push(shared, making.tar(making.saved(tags=["a:1", "b:1"])))
    assert fake.sent.count("blob team/a") == 3
    assert fake.sent.count("mount team/b") == 3
    assert fake.sent.count("blob team/b") == 0


async def test_a_client_that_leaves_ends_the_push(fake: Fake, target: Registry, tmp_path: Path) -> None:
    fake.slow = 30

    async def leaving() -> dict[str, Any]:
        while not fake.put:  # noqa: ASYNC110  it is the server that is waited for
            await asyncio.sleep(0.01)
        return {"type": "http.disconnect"}

    with uploads(target, tmp_path / "u") as shared:
        async with received(shared, SAVED) as upload:
            with pytest.raises(GoneError):
                await upload.push_while(leaving)
        assert fake.manifests == {}


async def test_a_listener_that_leaves_ends_the_push(fake: Fake, target: Registry, tmp_path: Path) -> None:
    fake.slow = 30
    with uploads(target, tmp_path / "u") as shared:
        async with received(shared, SAVED) as upload:
            events = upload.events()
            async for piece in events:
                assert piece.startswith(b"event: progress\n")
                if fake.put:
                    break
            await events.aclose()
            assert list(shared.root.path.glob("upload-*")) == []
        assert fake.manifests == {}


async def test_what_a_listener_is_told(
    fake: Fake, target: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecns.api.images.upload.service.TELL_SECONDS", 0.01)
    fake.slow = 0.05
    with uploads(target, tmp_path / "u", layers=1) as shared:
        async with received(shared, SAVED) as upload:
            told = [piece.decode() async for piece in upload.events()]
    kinds = [piece.split("\n")[0].removeprefix("event: ") for piece in told]
    assert kinds[-1] == "done"
    assert set(kinds[:-1]) == {"progress"}
    progress = [json.loads(piece.split("data: ")[1]) for piece in told[:-1]]
    sent = [one["sent"] for one in progress if "sent" in one]
    assert sent == sorted(sent)
    assert len(set(sent)) >= 3
    states = [[layer["state"] for layer in one.get("layers", ())] for one in progress]
    assert ["waiting"] * 3 in states
    fake.down = True
    with uploads(target, tmp_path / "v") as shared:
        async with received(shared, SAVED) as upload:
            told = [piece.decode() async for piece in upload.events()]
    assert told[-1].startswith("event: failed\n")
    assert json.loads(told[-1].split("data: ")[1])["error"]["code"] == 503


async def test_a_large_layer_goes_in_pieces(fake: Fake, target: Registry, tmp_path: Path) -> None:
    content = bytes(range(256)) * 20_000
    layer = making.layer(big=content + hashlib.sha256(content).digest() * 100_000)
    with uploads(target, tmp_path / "u") as shared:
        (image,) = (await push(shared, making.tar(making.saved([layer])))).images
    assert image.size > pieces.READ / 100
    manifest = json.loads(fake.manifests[f"team/app@{image.digest}"])
    packed = fake.contents[manifest["layers"][0]["digest"]]
    import gzip  # noqa: PLC0415  only here

    assert gzip.decompress(packed) == layer


async def test_an_error_of_one_layer_ends_the_others(fake: Fake, target: Registry, tmp_path: Path) -> None:
    fake.slow, fake.break_after = 30, 1
    with uploads(target, tmp_path / "u", layers=4) as shared, pytest.raises(UpstreamError):
        async with asyncio.timeout(10):
            await push(shared, SAVED)
    assert len(LAYERS) == 2


# What is sent while the file still comes


async def seen(check: Callable[[], bool]) -> None:
    """Wait until the registry has seen something."""
    async with asyncio.timeout(30):
        while not check():  # noqa: ASYNC110  it is the server that is waited for
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("moment", ["begun", "pushed", "given up"])
async def test_whoever_leaves_leaves_no_upload_begun(fake: Fake, target: Registry, moment: str) -> None:
    fake.late, fake.slow = 0.1, 30.0

    async def content() -> AsyncIterator[bytes]:
        yield b"1"

    pushing = asyncio.create_task(target.push_blob("team/app", digest(b"1"), 1, content))
    await seen(lambda: bool(fake.begun if moment == "begun" else fake.put))
    pushing.cancel()
    if moment == "given up":
        await asyncio.sleep(0.05)
        pushing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pushing
    assert not fake.begun


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small layers are sent ahead, too."""
    monkeypatch.setattr(ahead, "LEAST", 1)


@pytest.mark.usefixtures("soon")
async def test_layers_go_ahead_and_count_when_all_is_here(
    fake: Fake, target: Registry, tmp_path: Path
) -> None:
    with uploads(target, tmp_path / "u") as shared:
        async with received(shared, MANY, image_name="app") as upload:
            await seen(lambda: len(fake.patched) == 12)
            assert not any(fake.blobs.values()), "nothing counts before all of the file is here and right"
            (image,) = (await upload.push()).images
        assert (image.blobs_pushed, image.blobs_present) == (13, 0)
        assert f"team/app@{image.digest}" in fake.manifests
        assert not fake.begun
        async with received(shared, MANY, image_name="app") as upload:
            (again,) = (await upload.push()).images
    assert (again.blobs_pushed, again.blobs_present) == (0, 13)
    assert len(fake.patched) == 12, "what the registry has is not sent"


@pytest.mark.usefixtures("soon")
async def test_nothing_is_sent_before_it_is_known_where_to(
    fake: Fake, target: Registry, tmp_path: Path
) -> None:
    with uploads(target, tmp_path / "u") as shared:
        for name in ("", "Not a name"):
            async with received(shared, MANY, **({"image_name": name} if name else {})):
                await asyncio.sleep(0.05)
    assert not fake.begun
    assert not fake.patched


@pytest.mark.usefixtures("soon")
async def test_what_is_refused_is_taken_back(fake: Fake, target: Registry, tmp_path: Path) -> None:
    files = making.saved()
    wrong = making.tar({**files, "x/layer.tar": making.layer(stray=b"1"), "manifest.json": b"[{}]"})
    with uploads(target, tmp_path / "u") as shared:
        async with received(shared, wrong, image_name="app") as upload:
            await seen(lambda: len(fake.patched) == 3)
            with pytest.raises(BadRequestError):
                await upload.push()
        assert not fake.begun
        # What belongs to no image is taken back, too.
        async with received(
            shared, making.tar({**files, "x/layer.tar": making.layer(stray=b"1")}), image_name="app"
        ) as upload:
            await seen(lambda: len(fake.patched) == 6)
            (image,) = (await upload.push()).images
    assert image.blobs_pushed == 3
    assert not fake.begun


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("how", ["refused", "broken"])
async def test_what_cannot_go_ahead_is_pushed_later(
    fake: Fake, target: Registry, tmp_path: Path, how: str
) -> None:
    fake.no_patch = how
    with uploads(target, tmp_path / "u") as shared:
        async with received(shared, MANY, image_name="app") as upload:
            (image,) = (await upload.push()).images
    assert image.blobs_pushed == 13
    assert f"team/app@{image.digest}" in fake.manifests
    assert not fake.begun


@pytest.mark.usefixtures("soon")
async def test_a_registry_that_hangs_meanwhile_is_waited_for_once(fake: Fake, tmp_path: Path) -> None:
    fake.no_patch = "hung"
    began = asyncio.get_running_loop().time()
    async with serving(fake) as url, registry(url, tmp_path, stall_timeout=0.5) as target:
        with uploads(target, tmp_path / "u", layers=12) as shared:
            async with received(shared, MANY, image_name="app") as upload:
                with pytest.raises(UpstreamTimeoutError):
                    await upload.push()
    assert not fake.begun
    assert asyncio.get_running_loop().time() - began < 5

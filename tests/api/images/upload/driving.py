"""An upload without HTTP before it: the very same code, for registries of every kind behind it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, cast

import msgspec

from ecns.api.images.types import Uploaded
from ecns.api.images.upload.service import Upload, Uploads
from ecns.backends.harbor.registry import Registry
from ecns.backends.harbor.types import Project, Workspace
from ecns.config import Uploads as Settings
from ecns.identity.caller import Caller
from ecns.identity.workspaces import Workspaces
from tests.identity.callers import caller


class Everybodys:
    """Workspaces that are there for everybody."""

    async def own(self, _: Caller, name: str) -> Workspace:
        return Workspace(Project(1, name), None)


@contextlib.contextmanager
def uploads(registry: Registry, directory: Path, **settings: Any) -> Iterator[Uploads]:
    """What uploads share; nothing of them is left at the end."""
    made = Uploads(msgspec.structs.replace(Settings(directory=directory), **settings), registry)
    made.start()
    try:
        yield made
        assert list(made.root.path.glob("upload-*")) == []
    finally:
        made.close()


def form(archive: bytes, **fields: str) -> bytes:
    """The body of an upload."""
    parts = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = b'--b\r\nContent-Disposition: form-data; name="image"; filename="i"\r\n\r\n'
    return b"".join([*parts, head, archive, b"\r\n--b--\r\n"])


def messages(body: bytes, size: int = 250_000) -> Callable[[], Any]:
    """ASGI's messages of a body; after it the client stays, and says no more."""
    import asyncio  # noqa: PLC0415  only here

    pieces = [body[at : at + size] for at in range(0, len(body), size)]

    async def receive() -> dict[str, Any]:
        if pieces:
            return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}
        await asyncio.Event().wait()
        raise AssertionError

    return receive


@contextlib.asynccontextmanager
async def received(shared: Uploads, archive: bytes, **fields: str) -> AsyncIterator[Upload]:
    """An upload whose file has come."""
    fields.setdefault("harbor_project_name", "team")
    async with shared.begin(cast("Workspaces", Everybodys()), caller(), dry_run=False) as upload:
        await upload.receive("multipart/form-data; boundary=b", None, messages(form(archive, **fields)))
        yield upload


async def push(shared: Uploads, archive: bytes, **fields: str) -> Uploaded:
    """Upload an archive."""
    async with received(shared, archive, **fields) as upload:
        return await upload.push()

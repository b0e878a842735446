"""Uploads of blobs: begun, appended to chunk by chunk, finished or given up.

A chunk counts when all of it has come: what a broken one left is cut off again, so that the state that the
client has stays good, whether the connection broke or this process was killed.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hashlib
import hmac
import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ecns.embedded.harbor import clock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ecns.embedded.harbor.files import Files
    from ecns.embedded.harbor.store import Row, Store

KEPT_SECONDS = 24 * 3600.0
"""How long an upload that nobody goes on with is kept."""
SWEEP_SECONDS = 600.0


class StaleError(Exception):
    """The state that came with a request is not that of the upload."""


class GoneError(Exception):
    """There is no such upload."""


@dataclass
class Upload:
    """One that goes on."""

    id: str
    repository: str
    size: int
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    hasher: Any = None
    """What was hashed so far; None when it began before this process did."""


class Uploads:
    """The uploads of a store.

    Args:
        store: remembers how much of each was acknowledged.
        files: has their content.
        key: signs their state.
    """

    def __init__(self, store: Store, files: Files, key: bytes) -> None:
        self.store = store
        self.files = files
        self._key = key
        self._open: dict[str, Upload] = {}
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Remove old uploads, now and from time to time."""
        self.sweep()
        self._timer = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self.start)

    def close(self) -> None:
        """Stop that."""
        if self._timer is not None:
            self._timer.cancel()

    def sweep(self) -> None:
        """Remove uploads that are old, and files that are of none."""
        oldest = clock.now() - int(KEPT_SECONDS * 1000)
        for row in self.store.all("SELECT id FROM upload WHERE started < ?", oldest):
            self.drop(row["id"])
        known = {row["id"] for row in self.store.all("SELECT id FROM upload")}
        for path in self.files.uploads():
            if path.name not in known:
                path.unlink(missing_ok=True)

    def begin(self, repository: str) -> Upload:
        """Begin one."""
        upload = Upload(str(uuid.uuid4()), repository, 0, hasher=hashlib.sha256())
        self.files.begin(upload.id)
        self.store.run("INSERT INTO upload VALUES (?, ?, 0, ?)", upload.id, repository, clock.now())
        self._open[upload.id] = upload
        return upload

    def state(self, upload: Upload) -> str:
        """What a client must send back to go on: signed, and of this very moment of the upload."""
        text = json.dumps({"id": upload.id, "name": upload.repository, "offset": upload.size}).encode()
        signed = hmac.digest(self._key, text, "sha256") + text
        return base64.urlsafe_b64encode(signed).rstrip(b"=").decode()

    def _offset(self, upload: Upload, state: str) -> int:
        try:
            signed = base64.urlsafe_b64decode(state + "=" * (-len(state) % 4))
            signature, text = signed[:32], signed[32:]
            if not hmac.compare_digest(hmac.digest(self._key, text, "sha256"), signature):
                raise StaleError("it is not signed by us")
            read = json.loads(text)
        except (ValueError, binascii.Error) as error:
            raise StaleError("it is none") from error
        if (read["id"], read["name"]) != (upload.id, upload.repository):
            raise StaleError("it is of another upload")
        return int(read["offset"])

    @contextlib.asynccontextmanager
    async def going_on(
        self, identity: str, repository: str, state: str, *, any_moment: bool = False
    ) -> AsyncIterator[Upload]:
        """An upload, while nobody else goes on with it.

        Args:
            identity: of the upload.
            repository: that it is of.
            state: as the last answer gave it.
            any_moment: whether an older state will do, to ask how far it is.

        Raises:
            StaleError: the state is not that of the upload.
            GoneError: there is no such upload.
        """
        upload = self._find(identity, repository, state)
        async with upload.lock:
            if identity not in self._open:
                raise GoneError
            if self._offset(upload, state) != upload.size and not any_moment:
                raise StaleError
            yield upload

    def _find(self, identity: str, repository: str, state: str) -> Upload:
        found = self._open.get(identity)
        if found is None:
            row: Row | None = self.store.one("SELECT * FROM upload WHERE id = ?", identity)
            if row is None:
                self._offset(Upload(identity, repository, 0), state)
                raise GoneError
            found = Upload(row["id"], row["repository"], row["size"])
            if found.size == 0:
                found.hasher = hashlib.sha256()
            self._open[identity] = found
        if found.repository != repository:
            raise StaleError("it is of another repository")
        return found

    async def append(self, upload: Upload, chunks: AsyncIterator[bytes]) -> None:
        """Add a chunk as it comes; all of it or nothing.

        Raises:
            GoneError: its file is not there.
            OSError: the disk is full.
        """
        file = self.files.opened(upload.id, upload.size)
        if file is None:
            self.drop(upload.id)
            raise GoneError
        hasher = upload.hasher.copy() if upload.hasher is not None else None
        size = upload.size
        with file:
            try:
                async for chunk in chunks:
                    view = memoryview(chunk)
                    while view:
                        view = view[file.write(view) :]
                    if hasher is not None:
                        hasher.update(chunk)
                    size += len(chunk)
            except BaseException:
                file.truncate(upload.size)
                raise
        self.store.run("UPDATE upload SET size = ? WHERE id = ?", size, upload.id)
        upload.size, upload.hasher = size, hasher

    def rewind(self, upload: Upload, size: int, hasher: Any) -> None:
        """Take back the last chunk: what it made of the upload was not right."""
        self.store.run("UPDATE upload SET size = ? WHERE id = ?", size, upload.id)
        upload.size, upload.hasher = size, hasher

    async def digest(self, upload: Upload, algorithm: str) -> str:
        """The digest of what has come."""
        if algorithm == "sha256" and upload.hasher is not None:
            return f"sha256:{upload.hasher.hexdigest()}"
        return await asyncio.to_thread(self.files.hashed, upload.id, algorithm)

    async def finish(self, upload: Upload, digest: str) -> None:
        """Make it a blob on the disk; whoever calls this counts it."""
        if self.files.blob(digest).exists() and self.store.one("SELECT 1 FROM blob WHERE digest = ?", digest):
            return
        await asyncio.to_thread(self.files.keep, upload.id, digest)

    def drop(self, identity: str) -> None:
        """Forget an upload and its file."""
        self.store.run("DELETE FROM upload WHERE id = ?", identity)
        self._open.pop(identity, None)
        self.files.drop_upload(identity)

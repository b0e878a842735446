"""Blobs and unfinished uploads as files: `blobs/<algorithm>/<2>/<hex>` and `uploads/<id>`.

A blob appears under its name whole or not at all: it is written as an upload, synced and renamed.
"""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DIGEST = re.compile(r"(sha256):([0-9a-f]{64})|(sha384):([0-9a-f]{96})|(sha512):([0-9a-f]{128})")


def is_digest(text: str) -> bool:
    """Whether a text is a digest of an algorithm that we know."""
    return DIGEST.fullmatch(text) is not None


def digest_of(body: bytes, algorithm: str = "sha256") -> str:
    """The digest of a text in memory."""
    return f"{algorithm}:{hashlib.new(algorithm, body).hexdigest()}"


class Files:
    """The files below a directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._blobs = root / "blobs"
        self._uploads = root / "uploads"
        for folder in (self._blobs, self._uploads):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def blob(self, digest: str) -> Path:
        """Where a blob is, or would be."""
        algorithm, _, encoded = digest.partition(":")
        return self._blobs / algorithm / encoded[:2] / encoded

    def upload(self, identity: str) -> Path:
        """Where an upload is."""
        return self._uploads / identity

    def begin(self, identity: str) -> None:
        """Make an empty upload."""
        os.close(os.open(self.upload(identity), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))

    def opened(self, identity: str, size: int) -> BinaryIO | None:
        """An upload to append to, cut to what was acknowledged; None when it is not there or shorter."""
        try:
            file = self.upload(identity).open("r+b", buffering=0)
        except FileNotFoundError:
            return None
        if os.fstat(file.fileno()).st_size < size:
            file.close()
            return None
        file.truncate(size)
        file.seek(size)
        return file

    def keep(self, identity: str, digest: str) -> None:
        """Make an upload the blob of its digest, on the disk for good. Blocks."""
        source, target = self.upload(identity), self.blob(digest)
        with source.open("rb") as file:
            os.fsync(file.fileno())
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        source.replace(target)
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def drop_upload(self, identity: str) -> None:
        """Remove an upload."""
        self.upload(identity).unlink(missing_ok=True)

    def drop(self, digest: str) -> None:
        """Remove a blob."""
        self.blob(digest).unlink(missing_ok=True)

    def uploads(self) -> Iterator[Path]:
        """Every upload's file."""
        yield from self._uploads.iterdir()

    def blobs(self) -> Iterator[tuple[str, Path]]:
        """Every blob's digest and file."""
        for path in self._blobs.glob("*/*/*"):
            yield f"{path.parent.parent.name}:{path.name}", path

    def hashed(self, identity: str, algorithm: str) -> str:
        """The digest of an upload, read anew. Blocks."""
        with self.upload(identity).open("rb") as file:
            return f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}"

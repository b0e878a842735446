"""A blob as it is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from ecns.api.images.upload.archives import Blob

READ = 1024 * 1024
"""Bytes of a blob that are read at a time."""
SENT = 256 * 1024
"""Bytes of it that are sent at a time, which is how slowly a registry may take them."""


async def pieces(blob: Blob) -> AsyncIterator[bytes]:
    """The content of a blob."""
    if blob.path is None:
        yield blob.content
        return
    with blob.path.open("rb", buffering=0) as file:
        while read := await asyncio.to_thread(file.read, READ):
            for at in range(0, len(read), SENT):
                yield read[at : at + SENT]

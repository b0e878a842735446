"""What is compressed, by its first bytes, and its content in pieces of bounded size."""

from __future__ import annotations

import bz2
import lzma
import sys
import zlib
from collections.abc import Iterator
from typing import Any, Literal

from isal import isal_zlib
from isal.igzip_lib import IsalError

from ecns.api.images.upload.tar import refused
from ecns.errors import PayloadTooLargeError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Packing = Literal["gzip", "bzip2", "xz", "zstd"]
MAGIC: tuple[tuple[bytes, Packing], ...] = (
    (b"\x1f\x8b\x08", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
)
LONGEST_MAGIC = 6
PIECE = 1024 * 1024
SLICE = 64 * 1024
"""Bytes that are unpacked in one go: what of them is left over is copied each time."""
XZ_MEMORY = 96 * 1024 * 1024
"""Enough for `xz -9`."""
ZSTD_WINDOW = 26
"""64 MiB: what decoders take without being told more."""

_BROKEN: tuple[type[Exception], ...] = (  # type: ignore[assignment]  # a stub has an instance for a class
    OSError,
    EOFError,
    ValueError,
    zlib.error,
    IsalError,
    lzma.LZMAError,
    zstd.ZstdError,
)


class Budget:
    """Bytes that may still come of what is compressed; shared by all of one upload.

    Args:
        limit: how many.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._left = limit

    def take(self, count: int) -> None:
        """Count bytes.

        Raises:
            PayloadTooLargeError: there are more than allowed.
        """
        self._left -= count
        if self._left < 0:
            raise PayloadTooLargeError(f"image: it unpacks to more than {self.limit} bytes")


def packing(begin: bytes) -> Packing | None:
    """How a file is compressed, by its first bytes; None when it is not."""
    return next((kind for magic, kind in MAGIC if begin.startswith(magic)), None)


class Unpacker:
    """Undoes a compression as it comes; several streams after another are one, as the programs have it.

    Args:
        kind: which one.
        budget: what may come of it.
    """

    def __init__(self, kind: Packing, budget: Budget) -> None:
        self.kind = kind
        self.budget = budget
        self._stream = self._new()
        self._fresh = True
        """Nothing of this stream has come."""

    def _new(self) -> Any:
        match self.kind:
            case "gzip":
                return isal_zlib.decompressobj(31)
            case "bzip2":
                return bz2.BZ2Decompressor()
            case "xz":
                return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)
            case "zstd":
                return zstd.ZstdDecompressor(
                    options={zstd.DecompressionParameter.window_log_max: ZSTD_WINDOW}
                )

    def feed(self, data: memoryview) -> Iterator[bytes]:
        """The content, as far as it can be told.

        Raises:
            BadRequestError: it is broken.
            PayloadTooLargeError: there is too much of it.
        """
        for at in range(0, len(data), SLICE):
            try:
                yield from self._slice(bytes(data[at : at + SLICE]))
            except _BROKEN as error:
                raise refused(
                    f"its {self.kind} compression is broken, or asks for too much memory"
                ) from error

    def finish(self) -> None:
        """There is no more.

        Raises:
            BadRequestError: something is missing.
        """
        if not self._fresh and not self._stream.eof:
            raise refused(f"its {self.kind} compression ends too early")

    def _slice(self, data: bytes) -> Iterator[bytes]:
        while True:
            if self._stream.eof:
                data = data.lstrip(b"\0")  # padding, as of tapes
                if not data:
                    return
                self._stream, self._fresh = self._new(), True
            if data:
                self._fresh = False
            piece = self._stream.decompress(data, PIECE)
            if piece:
                self.budget.take(len(piece))
                yield piece
            if self._stream.eof:
                data = self._stream.unused_data
            elif self.kind == "gzip":
                data = self._stream.unconsumed_tail
                if not data and len(piece) < PIECE:
                    return
            else:
                data = b""
                if self._stream.needs_input:
                    return

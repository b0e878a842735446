"""Layers are packed the same way however they come, and unpack to what they were."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import hashlib
import io
import lzma
import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from ecns.api.images.upload import packing
from ecns.api.images.upload.packing import Packer
from ecns.api.images.upload.unpacking import Budget, Packing, Unpacker
from ecns.api.images.upload.unpacking import packing as packing_of
from ecns.errors import BadRequestError, PayloadTooLargeError

POOL = ThreadPoolExecutor(2)


def packed(content: bytes, size: int, ahead: int = 4) -> bytes:
    output = io.BytesIO()
    packer = Packer(output, POOL, ahead)
    for at in range(0, len(content), size):
        packer.write(memoryview(content)[at : at + size])
    raw, done = packer.close()
    assert raw == hashlib.sha256(content).hexdigest()
    assert done == hashlib.sha256(output.getvalue()).hexdigest()
    assert packer.packed_size == len(output.getvalue())
    return output.getvalue()


def some(length: int) -> bytes:
    source = random.Random(length)  # noqa: S311  the same each time
    words = [source.randbytes(20) for _ in range(40)]
    return b"".join(source.choices(words, k=length // 20 + 1))[:length]


@given(length=st.integers(0, 20_000), size=st.integers(1, 5000))
@settings(max_examples=50)
def test_it_unpacks_to_what_it_was(length: int, size: int) -> None:
    content = some(length)
    assert gzip.decompress(packed(content, size)) == content


@pytest.mark.parametrize(
    "length", [0, 1, packing.BLOCK - 1, packing.BLOCK, packing.BLOCK + 1, 3 * packing.BLOCK + 7]
)
def test_it_is_the_same_however_it_comes(length: int) -> None:
    content = some(length)
    first = packed(content, 1 << 30)
    assert gzip.decompress(first) == content
    assert packed(content, 70_001, ahead=0) == first
    assert packed(content, 1_000_000, ahead=1) == first
    assert not content or len(first) < len(content) // 2 + 200


KINDS: dict[Packing, object] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd.compress,
}


def unpacked(kind: Packing, content: bytes, size: int = 1 << 30, limit: int = 1 << 30) -> bytes:
    unpacker = Unpacker(kind, Budget(limit))
    pieces = []
    for at in range(0, len(content), size):
        pieces += list(unpacker.feed(memoryview(content)[at : at + size]))
    unpacker.finish()
    assert all(len(piece) <= 1 << 20 for piece in pieces)
    return b"".join(pieces)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1 << 30, 10_007])
def test_each_kind_unpacks_in_pieces(kind: Packing, size: int) -> None:
    compress = KINDS[kind]
    for content in (b"", b"a", some(400_000), bytes(2_500_000)):
        done = compress(content)  # type: ignore[operator]
        assert packing_of(done) == kind
        assert unpacked(kind, done, size) == content
        # Several after another are one, and padding after them is nothing.
        assert unpacked(kind, done + done + bytes(1000), size) == content + content


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_cut_or_broken_is_refused(kind: Packing) -> None:
    done = KINDS[kind](some(100_000))  # type: ignore[operator]
    with pytest.raises(BadRequestError, match="ends too early"):
        unpacked(kind, done[: len(done) // 2])
    broken = bytearray(done)
    for at in range(20, len(broken), 50):
        broken[at] ^= 0x55
    with pytest.raises(BadRequestError, match=r"broken|too early"):
        unpacked(kind, bytes(broken))
    with pytest.raises(BadRequestError, match="broken"):
        unpacked(kind, done + b"and something else")


@pytest.mark.parametrize("kind", KINDS)
def test_a_bomb_ends_at_the_limit(kind: Packing) -> None:
    bomb = KINDS[kind](bytes(15_000_000))  # type: ignore[operator]
    assert len(bomb) < 100_000
    with pytest.raises(PayloadTooLargeError, match="unpacks to more than 3000000 bytes"):
        unpacked(kind, bomb, limit=3_000_000)


def test_a_stream_that_asks_for_much_memory_is_refused() -> None:
    options = {zstd.CompressionParameter.window_log: 27, zstd.CompressionParameter.compression_level: 1}
    with_window = zstd.ZstdCompressor(options=options)
    done = with_window.compress(some(100_000)) + with_window.flush()
    with pytest.raises(BadRequestError, match="too much memory"):
        unpacked("zstd", done)


@given(st.binary(max_size=200))
def test_any_bytes_are_known_or_not(content: bytes) -> None:
    kind = packing_of(content)
    if kind is not None:
        with contextlib.suppress(BadRequestError):
            unpacked(kind, content)

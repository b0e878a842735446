"""Archives are taken apart as the standard library does it, in whatever pieces they come; or refused."""

from __future__ import annotations

import contextlib
import io
import tarfile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecns.api.images.upload import tar
from ecns.api.images.upload.tar import Entry, Kind, TarReader
from ecns.errors import BadRequestError
from tests.api.images.upload import making


class Kept:
    """Takes everything in."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.contents: dict[str, bytes] = {}
        self.open: str | None = None

    def opened(self, entry: Entry) -> tar.Sink | None:
        assert self.open is None, "one member after another"
        self.entries.append(entry)
        if entry.kind is not Kind.FILE:
            return None
        self.open = entry.name
        self.contents[entry.name] = b""
        return self

    def write(self, data: memoryview) -> None:
        assert self.open is not None
        self.contents[self.open] += bytes(data)

    def close(self) -> None:
        self.open = None


def taken(archive: bytes, size: int = 1 << 20) -> Kept:
    kept = Kept()
    reader = TarReader(kept.opened)
    for at in range(0, len(archive), size):
        reader.feed(archive[at : at + size])
    reader.finish()
    assert kept.open is None
    return kept


NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0\\", exclude_categories=("Cs",)),
    min_size=1,
    max_size=60,
).filter(lambda name: name not in {".", ".."})
PATHS = st.lists(NAMES, min_size=1, max_size=5).map("/".join)


@given(
    files=st.dictionaries(PATHS, st.binary(max_size=2000), max_size=6),
    kind=st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]),
    size=st.sampled_from([1, 7, 511, 512, 513, 4096, 1 << 20]),
)
@settings(max_examples=40)
def test_what_the_standard_library_writes(files: dict[str, bytes], kind: int, size: int) -> None:
    assert taken(making.tar(files, kind), size).contents == files


@given(st.binary(max_size=3000))
def test_any_bytes_are_taken_or_refused(content: bytes) -> None:
    with contextlib.suppress(BadRequestError):
        taken(content)


@given(at=st.integers(0, 5000), byte=st.integers(0, 255), cut=st.integers(0, 12000))
def test_a_changed_or_cut_archive_is_taken_or_refused(at: int, byte: int, cut: int) -> None:
    archive = bytearray(making.tar({"a" * 120: b"x" * 700, "b": b"y" * 513, "manifest.json": b"[]"}))
    archive[at % len(archive)] = byte
    with contextlib.suppress(BadRequestError):
        taken(bytes(archive[: cut or None]))


@pytest.mark.parametrize("cut", [1, 300, 512, 600, 1500, 2000, 2047])
def test_a_cut_archive_is_refused(cut: int) -> None:
    archive = making.tar({"a": b"x" * 1500})
    with pytest.raises(BadRequestError, match=r"ends in the middle|no tar"):
        taken(archive[:cut])


def test_nothing_at_all_is_refused() -> None:
    with pytest.raises(BadRequestError, match="empty"):
        taken(b"")


def test_what_is_no_archive_is_refused() -> None:
    for content in (b"{}", b"\x7fELF" + bytes(600), b"a" * 2000):
        with pytest.raises(BadRequestError, match="no tar archive"):
            taken(content)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("/etc/passwd", "absolute path"),
        ("../x", "leads out"),
        ("a/../../x", "leads out"),
        ("a/../b", "leads out"),
        ("x" * 5000, "too long"),
    ],
)
@pytest.mark.parametrize("kind", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_paths_that_lead_out_are_refused(name: str, says: str, kind: int) -> None:
    with pytest.raises(BadRequestError, match=says):
        taken(making.tar({name: b"x"}, kind))


@pytest.mark.parametrize("target", ["/etc/passwd", "../../x", "../a/../../x"])
def test_links_that_lead_out_are_refused(target: str) -> None:
    for name, hard in (("d/l", False), ("l", True)):
        with pytest.raises(BadRequestError, match=r"leads out|absolute"):
            taken(making.tar({name: making.link(name, target, hard=hard)}))


def test_links_are_paths_of_the_archive() -> None:
    kept = taken(
        making.tar(
            {
                "a/layer.tar": making.link("a/layer.tar", "../b/layer.tar"),
                "c": making.link("c", "a/layer.tar"),
                "h/i": making.link("h/i", "b/layer.tar", hard=True),
                "./d//e/": b"",
            }
        )
    )
    assert [(one.name, one.kind, one.target) for one in kept.entries] == [
        ("a/layer.tar", Kind.SYMLINK, "b/layer.tar"),
        ("c", Kind.SYMLINK, "a/layer.tar"),
        ("h/i", Kind.HARDLINK, "b/layer.tar"),
        ("d/e", Kind.DIRECTORY, ""),
    ]


@pytest.mark.parametrize("kind", [b"3", b"4", b"6", b"S", b"M", b"V", b"Z"])
def test_devices_pipes_sparse_files_and_what_nobody_knows_are_refused(kind: bytes) -> None:
    info = tarfile.TarInfo("thing")
    info.type = kind
    with pytest.raises(BadRequestError, match="'thing' is"):
        taken(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))


def test_sparse_files_of_extended_headers_are_refused() -> None:
    info = tarfile.TarInfo("thing")
    info.pax_headers = {"GNU.sparse.major": "1"}
    with pytest.raises(BadRequestError, match="sparse"):
        taken(info.tobuf(tarfile.PAX_FORMAT) + bytes(1024))


def _header(kind: bytes, size: int, name: str = "x") -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize("kind", [b"x", b"g", b"L", b"K"])
def test_a_header_that_says_it_is_huge_is_refused_at_once(kind: bytes) -> None:
    with pytest.raises(BadRequestError, match="header that is too long"):
        taken(_header(kind, 4 << 30))


@pytest.mark.parametrize(
    "content", [b"5 a=b", b"99 path=x\n", b"x path=a\n", b"11 path=x\n", b"6 path\n", b"0 a=b\n", b"-1 a=b\n"]
)
def test_broken_extended_headers_are_refused(content: bytes) -> None:
    block = content + bytes(-len(content) % 512)
    with pytest.raises(BadRequestError, match="broken header"):
        taken(_header(b"x", len(content)) + block + _header(b"0", 0))


@pytest.mark.parametrize("size", ["-1", "1e9", "99999999999999999999", "\N{FULLWIDTH DIGIT ONE}"])
def test_broken_sizes_are_refused(size: str) -> None:
    record = f" size={size}\n".encode()
    length = len(record) + 2
    record = f"{length}".encode() + record
    block = record + bytes(-len(record) % 512)
    with pytest.raises(BadRequestError, match="size is no number"):
        taken(_header(b"x", len(record)) + block + _header(b"0", 0))


def test_large_files_have_their_size_in_either_way() -> None:
    """Over 8 GiB octal digits do not do; the content need not come for the size to be known."""
    for kind in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        info = tarfile.TarInfo("large")
        info.size = 9 << 30
        kept = Kept()
        reader = TarReader(kept.opened)
        reader.feed(info.tobuf(kind))
        assert kept.entries[0].size == 9 << 30
        with pytest.raises(BadRequestError, match="in the middle of 'large'"):
            reader.finish()


def test_a_negative_size_is_refused() -> None:
    block = bytearray(_header(b"0", 0))
    block[124:136] = b"\xff" * 12
    block[148:156] = b" " * 8
    block[148:156] = f"{sum(block):06o}\0 ".encode()
    with pytest.raises(BadRequestError, match="size is no number"):
        taken(bytes(block))


def test_so_many_members_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar, "MEMBERS", 10)
    files: dict[str, Any] = {str(one): b"" for one in range(11)}
    with pytest.raises(BadRequestError, match="more than 10 members"):
        taken(making.tar(files))


def test_old_archives_and_signed_sums() -> None:
    v7 = io.BytesIO()
    header = bytearray(_header(b"\0", 3, "old"))
    header[257:265] = bytes(8)
    header[5] = 0xE9  # a name in Latin-1
    header[148:156] = b" " * 8
    total = sum(header)
    for value in (total, total - 256):
        header[148:156] = f"{value:06o}\0 ".encode()
        v7 = io.BytesIO(bytes(header) + b"abc" + bytes(509) + bytes(1024))
        assert list(taken(v7.getvalue()).contents.values()) == [b"abc"]


def test_what_is_a_tar_archive() -> None:
    assert tar.is_tar(making.tar({"a": b"b"})[:512])
    assert tar.is_tar(making.tar({})[:512])
    assert not tar.is_tar(b"{" + b" " * 511)
    assert not tar.is_tar(b"\x1f\x8b" + bytes(510))
    assert not tar.is_tar(making.tar({"a": b"b"})[:511])

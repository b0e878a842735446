"""A tar archive taken apart as it comes, in bounded memory; pure.

The standard library's reader needs a file, reads headers of any length whole, and goes back for links.
Archives come from anybody here: whatever is no plain file, directory or link, and every name that leads out
of the archive, is refused.

Source: https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html; GNU's long names and numbers:
https://www.gnu.org/software/tar/manual/html_node/Standard.html
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Protocol

import msgspec

from ecns.errors import BadRequestError

BLOCK = 512
LONGEST_HEADER = 1024 * 1024
"""Bytes of an extended header: names are short."""
LONGEST_NAME = 4096
MEMBERS = 50_000
_ZERO = bytes(BLOCK)


class Kind(enum.Enum):
    """What a member is."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symbolic link"
    HARDLINK = "hard link"


class Entry(msgspec.Struct, frozen=True):
    """A member; `target` is where a link leads: the path of another member."""

    name: str
    kind: Kind
    size: int = 0
    target: str = ""


class Sink(Protocol):
    """Takes a file's content."""

    def write(self, data: memoryview) -> None:
        """Take a piece."""

    def close(self) -> None:
        """All of it has come."""


class _State(enum.Enum):
    HEADER = enum.auto()
    EXTENDED = enum.auto()
    DATA = enum.auto()
    END = enum.auto()


def refused(message: str) -> BadRequestError:
    """The error of an archive with something wrong in it."""
    return BadRequestError(f"image: {message}", field="image")


class TarReader:
    """Takes an archive apart.

    Args:
        opened: called with each member; of a file it returns what takes its content.
    """

    def __init__(self, opened: Callable[[Entry], Sink | None]) -> None:
        self._opened = opened
        self._state = _State.HEADER
        self._buffer = bytearray()
        """Of a header that has not come whole."""
        self._left = 0
        """Bytes of content that are to come."""
        self._padding = 0
        self._sink: Sink | None = None
        self._name = ""
        self._extended = b""
        """The kind of the extended header that is coming."""
        self._pax: dict[str, str] = {}
        self._global: dict[str, str] = {}
        self._long: dict[bytes, str] = {}
        """GNU's long names, by their kind."""
        self._zero = False
        self._members = 0

    def feed(self, data: bytes | memoryview) -> None:
        """Take in what has come.

        Raises:
            BadRequestError: it is no archive, or one that is refused.
        """
        view = memoryview(data)
        while view:
            if self._state is _State.END:
                return
            if self._state is _State.DATA:
                view = self._content(view)
            elif self._state is _State.EXTENDED:
                view = self._gather(view, self._left + self._padding, self._end_extended)
            else:
                view = self._gather(view, BLOCK, self._header)

    def finish(self) -> None:
        """There is no more.

        Raises:
            BadRequestError: something is missing.
        """
        if self._state in {_State.DATA, _State.EXTENDED}:
            raise refused(f"the archive ends in the middle of {self._name!r}")
        if self._buffer:
            raise refused(
                "the archive ends in the middle of a header" if self._members else "it is no tar archive"
            )
        if not self._members and self._state is not _State.END:
            raise refused("it is empty")

    # Pieces

    def _gather(self, view: memoryview, size: int, whole: Callable[[bytes], None]) -> memoryview:
        taken = min(size - len(self._buffer), len(view))
        self._buffer += view[:taken]
        if len(self._buffer) == size:
            block = bytes(self._buffer)
            self._buffer.clear()
            whole(block)
        return view[taken:]

    def _content(self, view: memoryview) -> memoryview:
        if self._left:
            taken = min(self._left, len(view))
            self._left -= taken
            if self._sink is not None:
                self._sink.write(view[:taken])
            if not self._left and self._sink is not None:
                self._sink.close()
                self._sink = None
        else:
            taken = min(self._padding, len(view))
            self._padding -= taken
        if not self._left and not self._padding:
            self._state = _State.HEADER
        return view[taken:]

    # Headers

    def _header(self, block: bytes) -> None:
        if block == _ZERO:
            if self._zero:
                self._state = _State.END
            self._zero = True
            return
        if self._zero or not is_header(block):
            raise refused("the archive is broken" if self._members or self._zero else "it is no tar archive")
        self._members += 1
        if self._members > MEMBERS:
            raise refused(f"the archive has more than {MEMBERS} members")
        kind = block[156:157]
        size = _number(block[124:136])
        if kind in {b"x", b"g", b"L", b"K"}:
            if size > LONGEST_HEADER:
                raise refused("the archive has a header that is too long")
            self._name = "a header"
            self._extended, self._left, self._padding = kind, size, -size % BLOCK
            self._state = _State.EXTENDED
            if not size:
                self._end_extended(b"")
            return
        self._member(block, kind, size)

    def _end_extended(self, block: bytes) -> None:
        content, kind = block[: self._left], self._extended
        self._left = self._padding = 0
        self._state = _State.HEADER
        if kind in {b"L", b"K"}:
            self._long[kind] = _text(content.rstrip(b"\0"))
        else:
            found = _records(content)
            if any(key.startswith("GNU.sparse") for key in found):
                raise refused("the archive has sparse files")
            known = {key: value for key, value in found.items() if key in {"path", "linkpath", "size"}}
            if kind == b"g":
                self._global |= known
            else:
                self._pax = known

    def _member(self, block: bytes, kind: bytes, size: int) -> None:
        pax, long = {**self._global, **self._pax}, self._long
        self._pax, self._long = {}, {}
        ustar = block[257:262] == b"ustar"
        name = _text(block[:100].partition(b"\0")[0])
        if ustar and block[262:263] != b" " and (prefix := block[345:500].partition(b"\0")[0]):
            name = f"{_text(prefix)}/{name}"
        name = pax.get("path", long.get(b"L", name))
        target = _text(block[157:257].partition(b"\0")[0])
        target = pax.get("linkpath", long.get(b"K", target))
        if "size" in pax:
            size = _decimal(pax["size"])
        entry = _entry(name, kind, size, target)
        self._name = entry.name
        self._left = size if entry.kind is Kind.FILE else 0
        self._padding = -self._left % BLOCK
        self._sink = self._opened(entry)
        if self._left:
            self._state = _State.DATA
        elif self._sink is not None:
            self._sink.close()
            self._sink = None


def _entry(name: str, kind: bytes, size: int, target: str) -> Entry:
    path = cleaned(name)
    if kind == b"5" or (kind in {b"0", b"\0", b"7"} and name.endswith("/")):
        return Entry(path, Kind.DIRECTORY)
    if not path:
        raise refused("the archive has a member without a name")
    if kind in {b"0", b"\0", b"7"}:
        return Entry(path, Kind.FILE, size)
    if kind == b"1":
        return Entry(path, Kind.HARDLINK, target=cleaned(target))
    if kind == b"2":
        parent = path.rpartition("/")[0]
        return Entry(path, Kind.SYMLINK, target=cleaned(target, parent))
    what = {b"S": "a sparse file", b"3": "a device", b"4": "a device", b"6": "a pipe"}.get(
        kind, "of no known kind"
    )
    raise refused(f"{path!r} is {what}; images have none")


def cleaned(path: str, below: str = "") -> str:
    """A path without `.` and `//`.

    Args:
        path: as it stands in the archive.
        below: the directory that a symbolic link's path starts from; only then may it have `..`.

    Raises:
        BadRequestError: it leads out of the archive.
    """
    if len(path) > LONGEST_NAME or "\0" in path:
        raise refused("the archive has a name that is too long, or none")
    if path.startswith("/"):
        raise refused(f"{path!r} is an absolute path")
    parts = [part for part in below.split("/") if part]
    for part in path.split("/"):
        if part == "..":
            if not below or not parts:
                raise refused(f"{path!r} leads out of the archive")
            parts.pop()
        elif part not in {"", "."}:
            parts.append(part)
    return "/".join(parts)


def is_header(block: bytes) -> bool:
    """Whether 512 bytes are a member's header: by their checksum, which every kind of tar has."""
    try:
        told: int = _octal(block[148:156])
    except ValueError:
        return False
    plain: int = sum(block) - sum(block[148:156]) + 8 * 32
    if told == plain:
        return True
    # Old tars summed signed bytes.
    high: int = sum(byte > 127 for byte in (*block[:148], *block[156:]))  # noqa: PLR2004  a sign
    return told == plain - 256 * high


def is_tar(begin: bytes) -> bool:
    """Whether a file is a tar archive by its first 512 bytes; an empty one is zeros."""
    return len(begin) == BLOCK and (begin == _ZERO or is_header(begin))


def _octal(field: bytes) -> int:
    text = field.partition(b"\0")[0].strip(b" ")
    if not text:
        return 0
    if text.strip(b"01234567"):
        raise ValueError(field)
    return int(text, 8)


def _number(field: bytes) -> int:
    """A size: octal, or GNU's large numbers."""
    if field[0] == 0x80:  # noqa: PLR2004  GNU's mark of a positive number
        return int.from_bytes(field[1:], "big")
    try:
        return _octal(field)
    except ValueError:
        raise refused("the archive is broken: a size is no number") from None


def _decimal(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 18:  # noqa: PLR2004  under 2**63
        raise refused("the archive is broken: a size is no number")
    return int(text)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _records(content: bytes) -> dict[str, str]:
    """The records of an extended header: each a length, a space, `key=value` and a line feed."""
    found: dict[str, str] = {}
    at = 0
    while at < len(content):
        space = content.find(b" ", at, at + 20)
        length = content[at:space]
        if space < 0 or not length.isdigit():
            raise refused("the archive has a broken header")
        end = at + int(length)
        key, equals, value = content[space + 1 : end - 1].partition(b"=")
        if not equals or end <= space or end > len(content) or content[end - 1 : end] != b"\n":
            raise refused("the archive has a broken header")
        found[_text(key)] = _text(value)
        at = end
    return found

"""Lines of a container's log, and where in it a reader is; pure.

A log is asked for with timestamps, each line as `2026-11-23T10:46:37.611888725Z text`. Long lines come, and
go on, in pieces, so that nobody has to keep a whole one.

Source: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/ ("get read log")
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from ecns.errors import BadRequestError

LONG = 64 * 1024
"""Bytes of a line that are given out in one piece."""
LONGEST_ID = 8 * 1024
_STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")
_WHOLE = re.compile(rb"(?m)^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z) (.*)\n")
_PLAIN = len(b"2026-11-23T10:46:37.611888725Z")
_UTC, _BETWEEN = ord("Z"), ord("T")
_CHARACTER = 3
"""Bytes that may follow the first one of a character."""
_POSITION = re.compile(r"([a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)@([^+~,]{30})\+(\d{1,9})(?:~(\d{1,12}))?")


class Line(NamedTuple):
    """A line, or a piece of one."""

    stamp: bytes
    """When, RFC 3339 in UTC with nine digits; empty when the log did not say."""
    data: bytes
    starts: bool
    """It is the beginning of the line."""
    ends: bool
    """It is the end of the line, whose line break is left out."""


class Position(NamedTuple):
    """Up to where a log was read: so many whole lines of this time, and so many bytes of the next one."""

    stamp: bytes = b""
    lines: int = 0
    offset: int = 0

    def after(self, line: Line) -> Position:
        """The position when a line, or a piece of one, was read, too."""
        stamp, lines, offset = self
        if line.starts:
            offset = 0
            if line.stamp != stamp:
                stamp, lines = line.stamp, 0
        if line.ends:
            return Position(stamp, lines + 1, 0)
        return Position(stamp, lines, offset + len(line.data))

    def since(self) -> str:
        """As Kubernetes' `sinceTime`: the whole second, or "" when nothing was read."""
        return f"{self.stamp[:19].decode()}Z" if self.stamp else ""


START = Position()


def after(position: Position, lines: Sequence[Line]) -> Position:
    """The position when several lines were read: counts those of the last one's time alone."""
    first = len(lines)
    if not first:
        return position
    stamp = lines[-1].stamp
    while first and lines[first - 1].stamp == stamp:
        first -= 1
    if first:
        position = START
    for line in lines[first:]:
        position = position.after(line)
    return position


class Parser:
    """Cuts the bytes of a log with timestamps into lines, leaving out what was read before.

    Args:
        position: up to where it was read before.
    """

    def __init__(self, position: Position = START) -> None:
        self._rest = b""
        self._inside = False
        """Within a line whose beginning was given out, or left out."""
        self._stamp = position.stamp
        """Of this line, or of the last one."""
        self._left_off = position if position.stamp else None
        """Until it is reached, lines are left out."""
        self._passed = 0
        """Lines of the position's time that were left out."""
        self._drop = 0
        """Bytes of this line that are left out still; -1: all."""

    def feed(self, piece: bytes) -> list[Line]:
        """The lines that are complete now, and pieces of a long one."""
        whole = self._rest + piece if self._rest else piece
        if not self._inside and self._left_off is None and (quick := self._quick(whole)) is not None:
            return quick
        *complete, rest = whole.split(b"\n")
        found: list[Line] = []
        for text in complete:
            self._take(text, found, ends=True)
        if len(rest) > LONG:
            end = _edge(rest, len(rest) - _CHARACTER)
            self._take(rest[:end], found, ends=False)
            rest = rest[end:]
        self._rest = rest
        return found

    def _quick(self, whole: bytes) -> list[Line] | None:
        """As `feed`, for what logs nearly always are: whole lines with times of UTC; None otherwise."""
        end = whole.rfind(b"\n") + 1
        found = _WHOLE.findall(whole, 0, end)
        if not found or len(found) != whole.count(b"\n") or len(whole) - end > LONG:
            return None
        if len(whole) > LONG and any(len(data) > LONG for _, data in found):
            return None
        self._rest = whole[end:]
        self._stamp = found[-1][0]
        make = tuple.__new__
        return [make(Line, (stamp, data, True, True)) for stamp, data in found]

    def end(self) -> list[Line]:
        """What is left of a log that has ended without a line break."""
        found: list[Line] = []
        rest, self._rest = self._rest, b""
        if rest:
            self._take(rest, found, ends=False)
        return found

    def _take(self, text: bytes, found: list[Line], *, ends: bool) -> None:
        starts, self._inside = not self._inside, not ends
        data = text
        if starts:
            stamp, space, after_it = text.partition(b" ")
            if not (len(stamp) == _PLAIN and stamp[-1] == _UTC and stamp[10] == _BETWEEN):
                stamp = utc(stamp)
            if stamp and (space or ends):
                self._stamp, data = stamp, after_it
            if self._left_off is not None:
                self._drop = self._before(self._left_off)
        if self._drop:
            if self._drop < 0:
                self._drop = 0 if ends else -1
                return
            gone = min(self._drop, len(data))
            self._drop = 0 if ends else self._drop - gone
            data, starts = data[gone:], False
            if not (data or ends):
                return
        if len(data) <= LONG:
            found.append(Line(self._stamp, data, starts, ends))
            return
        pieces = cut(data, LONG)
        last = len(pieces) - 1
        for number, each in enumerate(pieces):
            found.append(Line(self._stamp, each, starts and not number, ends and number == last))

    def _before(self, position: Position) -> int:
        """How many bytes of the line that begins now were read before; -1: all."""
        if self._stamp < position.stamp:
            return -1
        if self._stamp == position.stamp and self._passed < position.lines:
            self._passed += 1
            return -1
        self._left_off = None
        return position.offset if self._stamp == position.stamp else 0


def utc(stamp: bytes) -> bytes:
    """A timestamp in UTC with nine digits, so that they sort as bytes; empty when it is none."""
    match = _STAMP.fullmatch(stamp)
    if match is None:
        return b""
    seconds, fraction, zone = match.groups()
    try:
        moment = datetime.fromisoformat((seconds + zone).decode()).astimezone(UTC)
    except (ValueError, OverflowError):
        return b""
    return b"%s.%sZ" % (moment.isoformat()[:19].encode(), (fraction or b"").ljust(9, b"0"))


def cut(data: bytes, size: int) -> list[bytes]:
    """Pieces of at most `size` bytes; no character of UTF-8 is cut in two."""
    pieces = []
    start = 0
    while len(data) - start > size:
        end = _edge(data, start + size)
        pieces.append(data[start:end])
        start = end
    pieces.append(data[start:])
    return pieces


def _edge(data: bytes, end: int) -> int:
    """Where the character begins that the byte at `end` is of; `end` if it is of none."""
    for back in range(end, end - _CHARACTER - 1, -1):
        if data[back] & 0xC0 != 0x80:  # noqa: PLR2004  not one of the bytes that go on with a character
            return back
    return end


# Where several logs were read to, as the id of an event


def written(positions: Mapping[str, Position]) -> bytes:
    """Positions by container as one word, such as `web@2026-11-23T10:46:37.611888725Z+1`."""
    return b",".join(
        b"%s@%s+%d%s" % (name.encode(), at.stamp, at.lines, b"~%d" % at.offset if at.offset else b"")
        for name, at in positions.items()
        if at.stamp
    )


class Ids:
    """The ids of one container's events, while the positions of others stay as they are.

    Args:
        positions: of all containers.
        container: whose events.
        before: up to where its log was read before them.
    """

    def __init__(self, positions: Mapping[str, Position], container: str, before: Position) -> None:
        others = written({name: at for name, at in positions.items() if name != container})
        self._start = b"%s%s@" % (others + b"," if others else b"", container.encode())
        self.position = before

    def after(self, line: Line) -> bytes:
        """The id of an event that tells a line, or a piece of one."""
        self.position = at = self.position.after(line)
        if at.offset:
            return b"%s%s+%d~%d" % (self._start, *at)
        return b"%s%s+%d" % (self._start, at.stamp, at.lines)


def read(text: str) -> dict[str, Position]:
    """The positions that `written` made a word of.

    Raises:
        BadRequestError: it is none of those.
    """
    found = {}
    for part in text.split(",") if text else ():
        match = _POSITION.fullmatch(part) if len(text) <= LONGEST_ID else None
        stamp = utc(match[2].encode()) if match else b""
        if match is None or not stamp:
            raise BadRequestError("this is no id of an event of a log", field="Last-Event-ID")
        found[match[1]] = Position(stamp, int(match[3]), int(match[4] or 0))
    return found


# As text


class Text:
    """Writes lines as text.

    Args:
        timestamps: each line begins with its time.
        prefix: each line begins with its container's name.
        limit: bytes after which nothing more is written.
    """

    def __init__(self, *, timestamps: bool = False, prefix: bool = False, limit: int | None = None) -> None:
        self._timestamps = timestamps
        self._prefix = prefix
        self._left = limit
        self._open = ""
        """The container whose line has not ended; its line break is missing."""

    @property
    def full(self) -> bool:
        """No more is written."""
        return self._left is not None and self._left <= 0

    def write(self, container: str, lines: Iterable[Line]) -> bytes:
        """Some lines; of a container in whose line another one's came, the line goes on as a new one."""
        pieces = []
        for line in lines:
            if self._open and (self._open != container or line.starts):
                pieces.append(b"\n")
            if line.starts or self._open != container:
                if self._prefix:
                    pieces.append(b"[%s] " % container.encode())
                if self._timestamps:
                    pieces.append(line.stamp + b" ")
            pieces.append(line.data)
            if line.ends:
                pieces.append(b"\n")
            self._open = "" if line.ends else container
        return self.limited(b"".join(pieces))

    def limited(self, text: bytes) -> bytes:
        """What of a text may still be written."""
        if self._left is None:
            return text
        text = text[: max(self._left, 0)]
        self._left -= len(text)
        return text


# As events


class LogLine(msgspec.Struct, omit_defaults=True):
    """The event `line`."""

    container: str
    time: str
    line: str
    """Bytes that are no UTF-8 are replaced in it."""
    partial: bool = False
    """The line is long and goes on in the next event of the container."""
    base64: str | None = None
    """The line's very bytes, where they are no UTF-8."""


def shown(container: str, line: Line) -> LogLine:
    """A line as an event tells it."""
    try:
        text, raw = line.data.decode(), None
    except UnicodeDecodeError:
        text, raw = line.data.decode(errors="replace"), base64.b64encode(line.data).decode()
    return LogLine(container, line.stamp.decode(), text, not line.ends, raw)

"""Lines of logs: whatever is written and however it is cut, all of it comes out, once."""

from __future__ import annotations

import base64
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecns.api.pods import lines
from ecns.api.pods.lines import LONG, START, Line, Parser, Position, Text, after, cut, read, utc, written
from ecns.errors import BadRequestError

SECOND = b"2026-11-23T10:46:37"


def stamp(nanoseconds: int) -> bytes:
    return b"%s.%09dZ" % (SECOND, nanoseconds)


texts = st.binary(max_size=40).filter(lambda text: b"\n" not in text)
logs = st.lists(st.tuples(st.integers(0, 5), texts), max_size=12).map(
    lambda several: [
        (stamp(at), text) for at, (_, text) in zip(sorted(one for one, _ in several), several, strict=True)
    ]
)
"""Lines in the order of time, several of which have the same."""


def encoded(log: list[tuple[bytes, bytes]]) -> bytes:
    return b"".join(b"%s %s\n" % line for line in log)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    at = [0, *sorted(each % (len(data) + 1) for each in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(at)]


def parsed(parser: Parser, several: list[bytes]) -> list[Line]:
    found = [line for piece in several for line in parser.feed(piece)]
    return found + parser.end()


def joined(several: list[Line]) -> list[tuple[bytes, bytes]]:
    found: list[tuple[bytes, bytes]] = []
    for line in several:
        if line.starts:
            found.append((line.stamp, line.data))
        else:
            found[-1] = (found[-1][0], found[-1][1] + line.data)
    return found


@given(logs, st.lists(st.integers(0, 10**6)))
def test_however_it_is_cut_the_same_lines_come_out(log: list[tuple[bytes, bytes]], cuts: list[int]) -> None:
    found = parsed(Parser(), pieces(encoded(log), cuts))
    assert joined(found) == log
    assert all(line.starts and line.ends for line in found)


@given(logs, st.lists(st.integers(0, 10**6)), st.integers(0, 10**6), st.integers(35, 50))
def test_who_comes_back_gets_the_rest_and_nothing_twice(
    log: list[tuple[bytes, bytes]], cuts: list[int], left: int, long: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "LONG", long)  # so that there are pieces of lines to leave in the midst of
        data = encoded(log)
        parser = Parser()
        before = [
            line for piece in pieces(data[: left % (len(data) + 1)], cuts) for line in parser.feed(piece)
        ]
        position = after(START, before)
        one_by_one = START
        for line in before:
            one_by_one = one_by_one.after(line)
        assert one_by_one == position
        rest = parsed(Parser(position), pieces(data, cuts))
    text = Text()
    whole = text.write("c", before) + text.write("c", rest)
    assert whole == b"".join(line + b"\n" for _, line in log)


names = st.from_regex(r"[a-z]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)
places = st.tuples(st.integers(0, 10**9 - 1), st.integers(0, 10**9 - 1), st.integers(0, 10**12 - 1))


@given(st.dictionaries(names, places, max_size=5))
def test_a_position_survives_being_an_id(several: dict[str, tuple[int, int, int]]) -> None:
    positions = {name: Position(stamp(at), count, offset) for name, (at, count, offset) in several.items()}
    assert read(written(positions).decode()) == positions


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "c@now+1",
        "c@2026-11-23T10:46:37.611888725Z",
        f"c@{stamp(1).decode()}+1,",
        "C@2026-11-23T10:46:37.611888725Z+1",
        "c@2026-99-23T10:46:37.611888725Z+1",
        "c@2026-11-23T10:46:37.611888725Z+1," * 500,
        "c@" + "é" * 30 + "+1",
    ],
)
def test_other_ids_are_refused(text: str) -> None:
    with pytest.raises(BadRequestError):
        read(text)


@given(st.binary(max_size=60), st.integers(4, 20))
def test_pieces_are_small_and_whole(data: bytes, size: int) -> None:
    several = cut(data, size)
    assert b"".join(several) == data
    assert all(len(piece) <= size for piece in several)
    assert all(several[:-1])


@given(st.text(max_size=60), st.integers(4, 20))
def test_no_character_is_cut(text: str, size: int) -> None:
    assert "".join(piece.decode() for piece in cut(text.encode(), size)) == text


def test_a_very_long_line_is_given_out_before_it_has_ended() -> None:
    parser = Parser()
    text = "é" * 5_000_000
    data = stamp(1) + b" " + text.encode() + b"\n" + stamp(2) + b" next\n"
    found: list[Line] = []
    held = 0
    for start in range(0, len(data), 10_001):
        found += parser.feed(data[start : start + 10_001])
        held = max(held, len(parser._rest))
    assert held <= LONG
    assert found[0].starts
    assert not found[0].ends
    assert "".join(line.data.decode() for line in found[:-1]) == text
    assert found[-1] == Line(stamp(2), b"next", starts=True, ends=True)


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (b"2026-11-23T10:46:37.611888725Z", b"2026-11-23T10:46:37.611888725Z"),
        (b"2026-11-23T18:46:37.611888725+08:00", b"2026-11-23T10:46:37.611888725Z"),
        (b"2026-11-23T10:46:37Z", b"2026-11-23T10:46:37.000000000Z"),
        (b"2026-01-01T00:00:00.5-00:30", b"2026-01-01T00:30:00.500000000Z"),
        (b"0001-01-01T00:00:00.1+00:30", b""),
        (b"2026-13-23T10:46:37Z", b""),
        (b"yesterday", b""),
        (b"", b""),
    ],
)
def test_times_are_of_utc(sent: bytes, shown: bytes) -> None:
    assert utc(sent) == shown


def test_nodes_with_a_time_zone_and_lines_without_a_time() -> None:
    data = b"2026-11-23T18:46:37.611888725+08:00 one\nfailed to open log file\n\n"
    assert parsed(Parser(), [data]) == [
        Line(b"2026-11-23T10:46:37.611888725Z", b"one", starts=True, ends=True),
        Line(b"2026-11-23T10:46:37.611888725Z", b"failed to open log file", starts=True, ends=True),
        Line(b"2026-11-23T10:46:37.611888725Z", b"", starts=True, ends=True),
    ]


def test_a_log_without_times_is_kept_as_it_is() -> None:
    assert joined(parsed(Parser(), [b"unable to retrieve container logs"])) == [
        (b"", b"unable to retrieve container logs")
    ]
    assert written({"c": after(START, parsed(Parser(), [b"x\n"]))}) == b""


def whole(data: bytes, at: int = 1) -> Line:
    return Line(stamp(at), data, starts=True, ends=True)


def test_text_has_what_was_asked_for() -> None:
    assert Text().write("c", [whole(b"a"), whole(b"b")]) == b"a\nb\n"
    assert Text(prefix=True).write("c", [whole(b"a")]) == b"[c] a\n"
    both = Text(timestamps=True, prefix=True).write("c", [whole(b"a")])
    assert both == b"[c] %s a\n" % stamp(1)


def test_a_line_that_another_container_breaks_into_goes_on_as_a_new_one() -> None:
    text = Text(prefix=True)
    parts = [
        text.write("a", [Line(stamp(1), b"lo", starts=True, ends=False)]),
        text.write("b", [whole(b"hi")]),
        text.write("a", [Line(stamp(1), b"ng", starts=False, ends=True)]),
    ]
    assert b"".join(parts) == b"[a] lo\n[b] hi\n[a] ng\n"


def test_so_much_and_no_more() -> None:
    text = Text(limit=5)
    assert text.write("c", [whole(b"abc")]) == b"abc\n"
    assert not text.full
    assert text.write("c", [whole(b"def")]) == b"d"
    assert text.full
    assert text.write("c", [whole(b"def")]) == b""


def test_events_keep_bytes_that_are_no_text() -> None:
    shown = lines.shown("c", whole(b"\xff\x00ok"))
    assert shown.line == "�\x00ok"
    assert base64.b64decode(shown.base64 or "") == b"\xff\x00ok"
    assert lines.shown("c", whole("é".encode())).base64 is None

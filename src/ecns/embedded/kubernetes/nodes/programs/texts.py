"""Programs that write, cut and search text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ecns.embedded.kubernetes.nodes.effects import FOREVER, MOST, Effects, OutOfMemory, Output, Sleep, Source
from ecns.embedded.kubernetes.nodes.programs.files import opened

if TYPE_CHECKING:
    from collections.abc import Generator

    from ecns.embedded.kubernetes.nodes.effects import Program
    from ecns.embedded.kubernetes.nodes.shell import Shell


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_OCTAL = re.compile(r"[0-7]{1,3}")
_DIRECTIVE = re.compile(r"%(-?\d*(?:\.\d+)?)([sdixcb%])")


def unescape(text: str) -> bytes:
    """A text with backslash escapes, as echo -e and printf read them."""
    found = bytearray()
    at = 0
    while at < len(text):
        if text[at] != "\\" or at + 1 == len(text):
            found += text[at].encode()
            at += 1
            continue
        octal = _OCTAL.match(text, at + 1)
        if octal:
            found.append(int(octal.group(), 8) & 0xFF)
            at = octal.end()
        elif text[at + 1] in _ESCAPES:
            found += _ESCAPES[text[at + 1]].encode()
            at += 2
        else:
            found += text[at].encode()
            at += 1
    return bytes(found)


def _echo(_shell: Shell, arguments: list[str], _source: Source, out: Output, _err: Output) -> Effects:
    yield from ()
    newline, escapes = b"\n", False
    while arguments and re.fullmatch(r"-[neE]+", arguments[0]):
        newline = b"" if "n" in arguments[0] else newline
        escapes = escapes or "e" in arguments[0]
        arguments = arguments[1:]
    text = " ".join(arguments)
    out((unescape(text) if escapes else text.encode()) + newline)
    return 0


def _printf(_shell: Shell, arguments: list[str], _source: Source, out: Output, err: Output) -> Effects:
    yield from ()
    if not arguments:
        err(b"printf: missing operand\n")
        return 1
    values = arguments[1:]
    taken = 0

    def fill(match: re.Match[str]) -> str:
        nonlocal taken
        if match[2] == "%":
            return "%"
        value = values[taken] if taken < len(values) else ""
        taken += 1
        if match[2] in "di":
            return f"%{match[1]}d" % (int(value) if value.lstrip("+-").isdigit() else 0)
        return f"%{match[1]}s" % value

    while True:
        before = taken
        out(unescape(_DIRECTIVE.sub(fill, arguments[0])))
        if taken == before or taken >= len(values):
            return 0


def _read_all(
    shell: Shell, names: list[str], source: Source, err: Output, program: str
) -> Generator[Any, Any, tuple[int, bytes]]:
    """Reads files, or standard input; returns the exit code so far, and the bytes."""
    gathered = bytearray()
    status = 0
    for name in names:
        data, fault = opened(shell, name)
        if data is None:
            err(f"{program}: {name}: {fault}\n".encode())
            status = 1
        else:
            gathered += data
    if not names:
        gathered += yield from source.rest()
    return status, bytes(gathered)


def _parsed(arguments: list[str], valued: str) -> tuple[dict[str, str], list[str]]:
    found: dict[str, str] = {}
    rest: list[str] = []
    items = iter(arguments)
    for item in items:
        if len(item) > 1 and item[0] == "-":
            if item[1] in valued:
                found[item[1]] = item[2:] or next(items, "")
            elif item[1:].isdigit():
                found["n"] = item[1:]
            else:
                found.update(dict.fromkeys(item[1:], ""))
        else:
            rest.append(item)
    return found, rest


def _head(shell: Shell, arguments: list[str], source: Source, out: Output, err: Output) -> Effects:
    options, names = _parsed(arguments, "nc")
    if "c" in options and [shell.machine.resolve(name, shell.working) for name in names] == ["/dev/zero"]:
        size = int(options["c"])
        if size > (shell.machine.memory or MOST):
            raise OutOfMemory
        out(bytes(size))
        return 0
    status, data = yield from _read_all(shell, names, source, err, "head")
    out(
        data[: int(options["c"])]
        if "c" in options
        else b"".join(data.splitlines(True)[: int(options.get("n", "10"))])
    )
    return status


def _tail(shell: Shell, arguments: list[str], source: Source, out: Output, err: Output) -> Effects:
    options, names = _parsed(arguments, "nc")
    status, data = yield from _read_all(shell, names, source, err, "tail")
    if "c" in options:
        out(data[-int(options["c"]) :])
    else:
        count = int(options.get("n", "10").lstrip("+"))
        out(b"".join(data.splitlines(True)[-count:]) if count else b"")
    if "f" in options or "F" in options:
        yield Sleep(FOREVER)
    return status


def _wc(shell: Shell, arguments: list[str], source: Source, out: Output, err: Output) -> Effects:
    options, names = _parsed(arguments, "")
    status, data = yield from _read_all(shell, names, source, err, "wc")
    counts = {"l": data.count(b"\n"), "w": len(data.split()), "c": len(data)}
    shown = [str(counts[key]) for key in "lwc" if not options or key in options]
    out((" ".join(shown + names) + "\n").encode())
    return status


def _grep(shell: Shell, arguments: list[str], source: Source, out: Output, err: Output) -> Effects:
    options, rest = _parsed(arguments, "e")
    pattern = options.get("e") or (rest.pop(0) if rest else "")
    status, data = yield from _read_all(shell, rest, source, err, "grep")
    try:
        wanted = re.compile(pattern.encode(), re.IGNORECASE if "i" in options else 0)
    except re.error:
        wanted = re.compile(re.escape(pattern).encode())
    lines = [line for line in data.splitlines() if bool(wanted.search(line)) != ("v" in options)]
    if "c" in options:
        out(f"{len(lines)}\n".encode())
    elif "q" not in options:
        out(b"".join(line + b"\n" for line in lines))
    return status or int(not lines)


def _seq(_shell: Shell, arguments: list[str], _source: Source, out: Output, _err: Output) -> Effects:
    yield from ()
    numbers = [int(item) for item in arguments if item.lstrip("-").isdigit()]
    last = numbers[-1] if numbers else 0
    first = numbers[0] if len(numbers) > 1 else 1
    step = numbers[1] if len(numbers) > 2 else 1  # noqa: PLR2004  first, step and last
    out("".join(f"{number}\n" for number in range(first, last + (1 if step > 0 else -1), step)).encode())
    return 0


def _sort(shell: Shell, arguments: list[str], source: Source, out: Output, err: Output) -> Effects:
    options, names = _parsed(arguments, "k")
    status, data = yield from _read_all(shell, names, source, err, "sort")
    lines = sorted(data.splitlines(), reverse="r" in options)
    out(b"".join(line + b"\n" for line in (dict.fromkeys(lines) if "u" in options else lines)))
    return status


_AWK = re.compile(r"(?:/((?:[^/\\]|\\.)*)/)?\s*\{\s*print(?:\s+\$(\d+))?\s*;?\s*\}")


def _awk(_shell: Shell, arguments: list[str], source: Source, out: Output, err: Output) -> Effects:
    """Only `awk '/pattern/{print $N}'` of standard input."""
    script = _AWK.fullmatch(arguments[-1].strip()) if arguments else None
    if script is None:
        err(b"awk: this simulated one knows '/pattern/{print $N}' only\n")
        return 2
    pattern, field = re.compile((script[1] or "").encode()), int(script[2] or 0)
    for line in (yield from source.rest()).splitlines():
        fields = [line, *line.split()]
        if pattern.search(line):
            out((fields[field] if field < len(fields) else b"") + b"\n")
    return 0


PROGRAMS: dict[str, Program] = {
    "awk": _awk,
    "echo": _echo,
    "grep": _grep,
    "head": _head,
    "printf": _printf,
    "seq": _seq,
    "sort": _sort,
    "tail": _tail,
    "wc": _wc,
}

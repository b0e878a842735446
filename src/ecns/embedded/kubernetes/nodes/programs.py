"""The programs that simulated containers have: a handful of those of busybox."""

from __future__ import annotations

import posixpath
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ecns.embedded.kubernetes.nodes import archives, network, syntax
from ecns.embedded.kubernetes.nodes.arithmetic import arithmetic
from ecns.embedded.kubernetes.nodes.effects import (
    Effects,
    OutOfMemory,
    Output,
    Signalled,
    Sleep,
    Source,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from ecns.embedded.kubernetes.nodes.machine import Machine
    from ecns.embedded.kubernetes.nodes.shell import Shell

    Program = Callable[[Shell, list[str], Source, Output, Output], Effects]

_MOST = 64 * 1024 * 1024
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_OCTAL = re.compile(r"[0-7]{1,3}")
_DIRECTIVE = re.compile(r"%(-?\d*(?:\.\d+)?)([sdixcb%])")
_FOREVER = float("inf")


def find(name: str, lacks: frozenset[str] = frozenset()) -> Program | None:
    """The program of a name, or of a path in /bin, /usr/bin and the like; none of those that are lacking."""
    folder, _, plain = name.rpartition("/")
    if plain in lacks:
        return None
    if folder and folder not in {"/bin", "/usr/bin", "/sbin", "/usr/sbin", "/usr/local/bin"}:
        return None
    return _PROGRAMS.get(plain)


def limited(gathered: bytearray, machine: Machine) -> Output:
    """Gathers what is written; more than the machine's memory is fatal."""

    def write(data: bytes) -> None:
        gathered.extend(data)
        if len(gathered) > min(machine.memory or _MOST, _MOST):
            raise OutOfMemory

    return write


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


def _cat(shell: Shell, arguments: list[str], source: Source, out: Output, err: Output) -> Effects:
    names = [name for name in arguments if not name.startswith("-") or name == "-"]
    status = 0
    for name in names or ["-"]:
        if name == "-":
            while chunk := (yield from source.chunk()):
                out(chunk)
            continue
        data, fault = _open(shell, name)
        if data is None:
            err(f"cat: can't open '{name}': {fault}\n".encode())
            status = 1
        else:
            out(data)
    return status


def _open(shell: Shell, name: str) -> tuple[bytes | None, str]:
    path = shell.machine.resolve(name, shell.working)
    data = shell.machine.read(path)
    if data is not None:
        return data, ""
    return None, "Is a directory" if shell.machine.is_directory(path) else "No such file or directory"


def _ls(shell: Shell, arguments: list[str], _source: Source, out: Output, err: Output) -> Effects:
    yield from ()
    options = "".join(item[1:] for item in arguments if item.startswith("-"))
    names = [item for item in arguments if not item.startswith("-")] or ["."]
    status = 0
    for name in names:
        path = shell.machine.resolve(name, shell.working)
        if not shell.machine.exists(path):
            err(f"ls: {name}: No such file or directory\n".encode())
            status = 1
            continue
        if not shell.machine.is_directory(path):
            entries = [name]
            base = ""
        else:
            entries = [
                item for item in shell.machine.listing(path) if "a" in options or not item.startswith(".")
            ]
            base = path
        for entry in entries:
            if "l" in options:
                full = posixpath.join(base, entry) if base else path
                data = shell.machine.read(full)
                mode = "drwxr-xr-x" if data is None else "-rw-r--r--"
                out(f"{mode}    1 root     root     {len(data or b''):9d} Jan  1 00:00 {entry}\n".encode())
            else:
                out(f"{entry}\n".encode())
    return status


def _env(shell: Shell, arguments: list[str], source: Source, out: Output, err: Output) -> Effects:
    rest = list(arguments)
    while rest and "=" in rest[0]:
        name, _, value = rest.pop(0).partition("=")
        shell.variables[name] = value
    if rest:
        return (yield from shell.execute(rest, source, out, err))
    out("".join(f"{name}={value}\n" for name, value in shell.variables.items() if name != "!").encode())
    return 0


def _printenv(shell: Shell, arguments: list[str], source: Source, out: Output, err: Output) -> Effects:
    if not arguments:
        return (yield from _env(shell, [], source, out, err))
    missing = 0
    for name in arguments:
        if name in shell.variables:
            out(f"{shell.variables[name]}\n".encode())
        else:
            missing = 1
    return missing


def _says(text: str) -> Program:
    def program(_shell: Shell, _arguments: list[str], _source: Source, out: Output, _err: Output) -> Effects:
        yield from ()
        out(f"{text}\n".encode())
        return 0

    return program


def _hostname(shell: Shell, _arguments: list[str], _source: Source, out: Output, _err: Output) -> Effects:
    yield from ()
    out(f"{shell.machine.hostname}\n".encode())
    return 0


def _pwd(shell: Shell, _arguments: list[str], _source: Source, out: Output, _err: Output) -> Effects:
    yield from ()
    out(f"{shell.working}\n".encode())
    return 0


def _ends(status: int) -> Program:
    def program(_shell: Shell, _arguments: list[str], _source: Source, _out: Output, _err: Output) -> Effects:
        yield from ()
        return status

    return program


def _sleep(_shell: Shell, arguments: list[str], _source: Source, _out: Output, err: Output) -> Effects:
    total = 0.0
    for argument in arguments:
        number, unit = (argument[:-1], _UNITS[argument[-1]]) if argument[-1:] in _UNITS else (argument, 1)
        try:
            total += float(number) * unit
        except ValueError:
            err(f"sleep: invalid number '{argument}'\n".encode())
            return 1
    if not arguments:
        err(b"BusyBox v1.35.0 multi-call binary.\n\nUsage: sleep [N]...\n")
        return 1
    yield Sleep(total)
    return 0


def _sh(shell: Shell, arguments: list[str], source: Source, out: Output, err: Output) -> Effects:
    inner = shell.child()
    inner.variables = dict(shell.variables)
    options = [item for item in arguments if item.startswith("-")]
    if any("c" in item for item in options):
        rest = arguments[len(options) :]
        if not rest:
            err(b"sh: -c requires an argument\n")
            return 2
        inner.arguments = rest[1:] or ["sh"]
        inner.traps, inner.pending = shell.traps, shell.pending
        inner.pid = shell.pid
        return (yield from inner.run(rest[0], source, out, err))
    if arguments[len(options) :]:
        data, fault = _open(shell, arguments[len(options)])
        if data is None:
            err(f"sh: can't open '{arguments[len(options)]}': {fault}\n".encode())
            return 2
        inner.arguments = arguments[len(options) :]
        return (yield from inner.run(data.decode(errors="replace"), source, out, err))
    out(_BANNER if inner.terminal else b"")
    inner.prompt[:] = ["{} # ", "\x1b[6n"]
    return (yield from _read_commands(inner, source, out, err))


def _bash(shell: Shell, arguments: list[str], source: Source, out: Output, err: Output) -> Effects:
    if any(not item.startswith("-") or item == "-c" for item in arguments):
        return (yield from _sh(shell, arguments, source, out, err))
    inner = shell.child()
    inner.prompt[:] = [f"root@{shell.machine.hostname}:{{}}# "]
    return (yield from _read_commands(inner, source, out, err))


_BANNER = (
    b"\n\nBusyBox v1.35.0 (Debian 1:1.35.0-4+deb12u1+b1) built-in shell (ash)\n"
    b"Enter 'help' for a list of built-in commands.\n\n"
)


def _read_commands(shell: Shell, source: Source, out: Output, err: Output) -> Effects:
    """Runs what standard input says, line by line; with a terminal it prompts."""
    gathered = ""
    while True:
        if shell.terminal:
            out("".join(shell.prompt).format(shell.working).encode())
        line = yield from source.line()
        if not line:
            return shell.status
        gathered += line.decode(errors="replace")
        try:
            block = syntax.parse(gathered)
        except syntax.SyntaxFault as fault:
            if "end of file" in str(fault) or "unterminated" in str(fault):
                continue
            err(f"sh: {fault}\n".encode())
            gathered = ""
            continue
        gathered = ""
        try:
            shell.status = yield from shell.block(block, source, out, err)
        except Signalled as signal:
            if not shell.terminal:
                raise
            shell.status = 130 if signal.name == "INT" else 143
            out(b"\n")


def _test(shell: Shell, arguments: list[str], _source: Source, _out: Output, _err: Output) -> Effects:
    yield from ()
    return int(not _holds(shell, [item for item in arguments if item != "]"]))


def _holds(shell: Shell, words: list[str]) -> bool:  # noqa: PLR0911  one for each form of a test
    machine = shell.machine
    match words:
        case []:
            return False
        case ["!", *rest]:
            return not _holds(shell, rest)
        case [word]:
            return bool(word)
        case ["-z", word]:
            return not word
        case ["-n", word]:
            return bool(word)
        case ["-e", path]:
            return machine.exists(machine.resolve(path, shell.working))
        case ["-d", path]:
            return machine.is_directory(machine.resolve(path, shell.working))
        case ["-f" | "-r" | "-w" | "-x", path]:
            return machine.read(machine.resolve(path, shell.working)) is not None
        case ["-s", path]:
            return bool(machine.read(machine.resolve(path, shell.working)))
        case [left, "=" | "==", right]:
            return left == right
        case [left, "!=", right]:
            return left != right
        case [left, ("-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge") as compare, right]:
            symbols = {"-eq": "==", "-ne": "!=", "-lt": "<", "-le": "<=", "-gt": ">", "-ge": ">="}
            return bool(arithmetic(f"{left} {symbols[compare]} {right}"))
        case [*left, "-a", a] if left:
            return _holds(shell, left) and _holds(shell, [a])
    return False


def _input(
    shell: Shell, names: list[str], source: Source, err: Output, program: str
) -> Generator[Any, Any, tuple[int, bytes]]:
    """Reads files, or standard input; returns the exit code so far, and the bytes."""
    gathered = bytearray()
    status = 0
    for name in names:
        data, fault = _open(shell, name)
        if data is None:
            err(f"{program}: {name}: {fault}\n".encode())
            status = 1
        else:
            gathered += data
    if not names:
        gathered += yield from source.rest()
    return status, bytes(gathered)


def _options(arguments: list[str], valued: str) -> tuple[dict[str, str], list[str]]:
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
    options, names = _options(arguments, "nc")
    if "c" in options and [shell.machine.resolve(name, shell.working) for name in names] == ["/dev/zero"]:
        size = int(options["c"])
        if size > (shell.machine.memory or _MOST):
            raise OutOfMemory
        out(bytes(size))
        return 0
    status, data = yield from _input(shell, names, source, err, "head")
    out(
        data[: int(options["c"])]
        if "c" in options
        else b"".join(data.splitlines(True)[: int(options.get("n", "10"))])
    )
    return status


def _tail(shell: Shell, arguments: list[str], source: Source, out: Output, err: Output) -> Effects:
    options, names = _options(arguments, "nc")
    status, data = yield from _input(shell, names, source, err, "tail")
    if "c" in options:
        out(data[-int(options["c"]) :])
    else:
        count = int(options.get("n", "10").lstrip("+"))
        out(b"".join(data.splitlines(True)[-count:]) if count else b"")
    if "f" in options or "F" in options:
        yield Sleep(_FOREVER)
    return status


def _wc(shell: Shell, arguments: list[str], source: Source, out: Output, err: Output) -> Effects:
    options, names = _options(arguments, "")
    status, data = yield from _input(shell, names, source, err, "wc")
    counts = {"l": data.count(b"\n"), "w": len(data.split()), "c": len(data)}
    shown = [str(counts[key]) for key in "lwc" if not options or key in options]
    out((" ".join(shown + names) + "\n").encode())
    return status


def _grep(shell: Shell, arguments: list[str], source: Source, out: Output, err: Output) -> Effects:
    options, rest = _options(arguments, "e")
    pattern = options.get("e") or (rest.pop(0) if rest else "")
    status, data = yield from _input(shell, rest, source, err, "grep")
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


def _date(_shell: Shell, arguments: list[str], _source: Source, out: Output, _err: Output) -> Effects:
    now = yield None
    moment = now if isinstance(now, datetime) else datetime.now(UTC)
    form = next((item[1:] for item in arguments if item.startswith("+")), "%a %b %e %H:%M:%S UTC %Y")
    form = form.replace("%s", str(int(moment.timestamp()))).replace("%e", f"{moment.day:2d}")
    out(f"{moment.strftime(form)}\n".encode())
    return 0


def _touch(shell: Shell, arguments: list[str], _source: Source, _out: Output, err: Output) -> Effects:
    yield from ()
    return _write_each(shell, "touch", arguments, err)


def _write_each(shell: Shell, program: str, names: list[str], err: Output) -> int:
    status = 0
    for name in names:
        path = shell.machine.resolve(name, shell.working)
        fault = None if shell.machine.is_directory(path) else shell.machine.write(path, b"", append=True)
        if fault:
            err(f"{program}: {name}: {fault}\n".encode())
            status = 1
    return status


def _mkdir(shell: Shell, arguments: list[str], _source: Source, _out: Output, err: Output) -> Effects:
    yield from ()
    status = 0
    for name in (item for item in arguments if not item.startswith("-")):
        path = shell.machine.resolve(name, shell.working)
        if shell.machine.exists(path) and "-p" not in arguments:
            err(f"mkdir: can't create directory '{name}': File exists\n".encode())
            status = 1
        else:
            shell.machine.make_directory(path)
    return status


def _rm(shell: Shell, arguments: list[str], _source: Source, _out: Output, err: Output) -> Effects:
    yield from ()
    force = any("f" in item for item in arguments if item.startswith("-"))
    status = 0
    for name in (item for item in arguments if not item.startswith("-")):
        if not shell.machine.remove(shell.machine.resolve(name, shell.working)) and not force:
            err(f"rm: can't remove '{name}': No such file or directory\n".encode())
            status = 1
    return status


def _cp(shell: Shell, arguments: list[str], _source: Source, _out: Output, err: Output) -> Effects:
    yield from ()
    names = [item for item in arguments if not item.startswith("-")]
    target = shell.machine.resolve(names[-1], shell.working)
    for name in names[:-1]:
        data, fault = _open(shell, name)
        if data is None:
            err(f"cp: can't stat '{name}': {fault}\n".encode())
            return 1
        path = (
            posixpath.join(target, posixpath.basename(name)) if shell.machine.is_directory(target) else target
        )
        shell.machine.write(path, data)
    return 0


def _mv(shell: Shell, arguments: list[str], source: Source, out: Output, err: Output) -> Effects:
    status = yield from _cp(shell, arguments, source, out, err)
    if not status:
        for name in [item for item in arguments if not item.startswith("-")][:-1]:
            shell.machine.remove(shell.machine.resolve(name, shell.working))
    return status


def _tee(shell: Shell, arguments: list[str], source: Source, out: Output, _err: Output) -> Effects:
    while chunk := (yield from source.chunk()):
        out(chunk)
        for name in (item for item in arguments if not item.startswith("-")):
            shell.machine.write(shell.machine.resolve(name, shell.working), chunk, append=True)
    return 0


def _sort(shell: Shell, arguments: list[str], source: Source, out: Output, err: Output) -> Effects:
    options, names = _options(arguments, "k")
    status, data = yield from _input(shell, names, source, err, "sort")
    lines = sorted(data.splitlines(), reverse="r" in options)
    out(b"".join(line + b"\n" for line in (dict.fromkeys(lines) if "u" in options else lines)))
    return status


def _timeout(shell: Shell, arguments: list[str], source: Source, out: Output, err: Output) -> Effects:
    rest = [item for item in arguments if not item.startswith("-")]
    return (yield from shell.execute(rest[1:], source, out, err)) if rest[1:] else 1


def _nginx(_shell: Shell, _arguments: list[str], _source: Source, _out: Output, _err: Output) -> Effects:
    try:
        yield Sleep(_FOREVER)
    except Signalled:
        return 0
    return 0


def _stty(shell: Shell, arguments: list[str], _source: Source, out: Output, err: Output) -> Effects:
    yield from ()
    if not shell.terminal:
        err(b"stty: standard input: Not a tty\n")
        return 1
    if arguments == ["size"]:
        out(f"{shell.terminal[0]} {shell.terminal[1]}\n".encode())
    return 0


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


_PROGRAMS: dict[str, Program] = {
    **network.PROGRAMS,
    "awk": _awk,
    "[": _test,
    "ash": _sh,
    "bash": _bash,
    "cat": _cat,
    "cp": _cp,
    "date": _date,
    "echo": _echo,
    "env": _env,
    "false": _ends(1),
    "grep": _grep,
    "head": _head,
    "hostname": _hostname,
    "id": _says("uid=0(root) gid=0(root) groups=0(root),10(wheel)"),
    "ls": _ls,
    "mkdir": _mkdir,
    "mv": _mv,
    "nginx": _nginx,
    "printenv": _printenv,
    "printf": _printf,
    "pwd": _pwd,
    "rm": _rm,
    "seq": _seq,
    "sh": _sh,
    "sleep": _sleep,
    "sort": _sort,
    "stty": _stty,
    "sync": _ends(0),
    "tail": _tail,
    "tar": archives.tar,
    "tee": _tee,
    "test": _test,
    "timeout": _timeout,
    "touch": _touch,
    "true": _ends(0),
    "uname": _says("Linux"),
    "wc": _wc,
    "whoami": _says("root"),
}

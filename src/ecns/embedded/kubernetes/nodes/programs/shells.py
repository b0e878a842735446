"""The shells as programs, and the tests they make."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.nodes import syntax
from ecns.embedded.kubernetes.nodes.arithmetic import arithmetic
from ecns.embedded.kubernetes.nodes.effects import Effects, Output, Signalled, Source
from ecns.embedded.kubernetes.nodes.programs.files import opened

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.nodes.effects import Program
    from ecns.embedded.kubernetes.nodes.shell import Shell


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
        data, fault = opened(shell, arguments[len(options)])
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


PROGRAMS: dict[str, Program] = {
    "[": _test,
    "ash": _sh,
    "bash": _bash,
    "sh": _sh,
    "test": _test,
}

"""Programs that tell of the machine and its time, and those that only end or run."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.nodes.effects import FOREVER, Effects, Output, Signalled, Sleep, Source

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.nodes.effects import Program
    from ecns.embedded.kubernetes.nodes.shell import Shell


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


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


def _date(_shell: Shell, arguments: list[str], _source: Source, out: Output, _err: Output) -> Effects:
    now = yield None
    moment = now if isinstance(now, datetime) else datetime.now(UTC)
    form = next((item[1:] for item in arguments if item.startswith("+")), "%a %b %e %H:%M:%S UTC %Y")
    form = form.replace("%s", str(int(moment.timestamp()))).replace("%e", f"{moment.day:2d}")
    out(f"{moment.strftime(form)}\n".encode())
    return 0


def _timeout(shell: Shell, arguments: list[str], source: Source, out: Output, err: Output) -> Effects:
    rest = [item for item in arguments if not item.startswith("-")]
    return (yield from shell.execute(rest[1:], source, out, err)) if rest[1:] else 1


def _nginx(_shell: Shell, _arguments: list[str], _source: Source, _out: Output, _err: Output) -> Effects:
    try:
        yield Sleep(FOREVER)
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


PROGRAMS: dict[str, Program] = {
    "date": _date,
    "env": _env,
    "false": _ends(1),
    "hostname": _hostname,
    "id": _says("uid=0(root) gid=0(root) groups=0(root),10(wheel)"),
    "nginx": _nginx,
    "printenv": _printenv,
    "pwd": _pwd,
    "sleep": _sleep,
    "stty": _stty,
    "sync": _ends(0),
    "timeout": _timeout,
    "true": _ends(0),
    "uname": _says("Linux"),
    "whoami": _says("root"),
}

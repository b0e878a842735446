"""Programs of files and directories."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.nodes.effects import Effects, Output, Source
from ecns.embedded.kubernetes.nodes.programs import archives

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.nodes.effects import Program
    from ecns.embedded.kubernetes.nodes.shell import Shell


def _cat(shell: Shell, arguments: list[str], source: Source, out: Output, err: Output) -> Effects:
    names = [name for name in arguments if not name.startswith("-") or name == "-"]
    status = 0
    for name in names or ["-"]:
        if name == "-":
            while chunk := (yield from source.chunk()):
                out(chunk)
            continue
        data, fault = opened(shell, name)
        if data is None:
            err(f"cat: can't open '{name}': {fault}\n".encode())
            status = 1
        else:
            out(data)
    return status


def opened(shell: Shell, name: str) -> tuple[bytes | None, str]:
    """A file's content, or None and why not."""
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
        data, fault = opened(shell, name)
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


PROGRAMS: dict[str, Program] = {
    "cat": _cat,
    "cp": _cp,
    "ls": _ls,
    "mkdir": _mkdir,
    "mv": _mv,
    "rm": _rm,
    "tar": archives.tar,
    "tee": _tee,
    "touch": _touch,
}

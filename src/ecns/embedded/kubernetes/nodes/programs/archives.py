"""`tar`, as `kubectl cp` needs it."""

from __future__ import annotations

import io
import posixpath
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.nodes.effects import Effects, Output, Source
    from ecns.embedded.kubernetes.nodes.shell import Shell

_TAR_FAILED = "tar: error exit delayed from previous errors"


def tar(shell: Shell, arguments: list[str], source: Source, out: Output, err: Output) -> Effects:
    """As `kubectl cp` calls it: `tar cf - <path>` and `tar xmf - -C <directory>`."""
    mode = arguments[0].lstrip("-") if arguments else ""
    working, names, rest = shell.working, [], arguments[1:]
    while rest:
        item = rest.pop(0)
        if item == "-C":
            named = rest.pop(0)
            working = shell.machine.resolve(named, shell.working)
            if not shell.machine.exists(working):
                err(f"tar: can't change directory to '{named}': No such file or directory\n".encode())
                return 1
        elif not item.startswith("-"):
            names.append(item)
    if "x" in mode:
        data = yield from source.rest()
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive:
                path = shell.machine.resolve(member.name, working)
                if member.isdir():
                    shell.machine.make_directory(path)
                elif member.isfile():
                    content = archive.extractfile(member)
                    shell.machine.make_directory(posixpath.dirname(path))
                    shell.machine.write(path, content.read() if content else b"")
        return 0
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name in names:
            path = shell.machine.resolve(name, working)
            if not shell.machine.exists(path):
                err(f"tar: {name}: No such file or directory\n{_TAR_FAILED}\n".encode())
                return 1
            _pack(shell, archive, path, name.lstrip("/"))
    out(packed.getvalue())
    return 0


def _pack(shell: Shell, archive: tarfile.TarFile, path: str, name: str) -> None:
    data = shell.machine.read(path)
    info = tarfile.TarInfo(name)
    if data is not None:
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
        return
    info.type, info.mode = tarfile.DIRTYPE, 0o755
    archive.addfile(info)
    for entry in shell.machine.listing(path):
        _pack(shell, archive, posixpath.join(path, entry), posixpath.join(name, entry))

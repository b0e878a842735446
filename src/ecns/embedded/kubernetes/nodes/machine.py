"""What a simulated process sees: files, environment, host name, and how much memory it may take."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_DIRECTORIES = (
    *("/", "/bin", "/dev", "/etc", "/home", "/proc", "/root", "/sys", "/usr", "/usr/bin"),
    *("/tmp", "/var", "/var/log", "/var/run"),  # noqa: S108  those of the simulated machine
)
_RESOLV = b"search default.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\n"


class Machine:
    """A container's view.

    Args:
        env: its environment.
        hostname: the pod's host name.
        mounts: gives the files of mounted volumes (absolute path → content), asked each time.
        memory: its limit in bytes, None for none.
        working: the directory that it starts in.
        addresses: the pod's.
        lenient: whether a program that is not known is taken for a server, rather than missing.
        lacks: programs that it does not have.

    """

    def __init__(
        self,
        env: dict[str, str],
        hostname: str,
        *,
        mounts: Callable[[], dict[str, bytes]] | None = None,
        memory: int | None = None,
        working: str = "/",
        addresses: tuple[str, ...] = (),
        lenient: bool = False,
        lacks: frozenset[str] = frozenset(),
    ) -> None:
        self.env = env
        self.hostname = hostname
        self.memory = memory
        self.lenient = lenient
        self.lacks = lacks
        self.working = working or "/"
        self._mounts = mounts or dict
        address = addresses[0] if addresses else "127.0.0.1"
        self._files: dict[str, bytes] = {
            "/etc/hostname": f"{hostname}\n".encode(),
            "/etc/hosts": f"127.0.0.1\tlocalhost\n{address}\t{hostname}\n".encode(),
            "/etc/resolv.conf": _RESOLV,
            "/etc/passwd": b"root:x:0:0:root:/root:/bin/sh\n",
            "/dev/termination-log": b"",
        }
        self._directories = set(_DIRECTORIES) | {self.working}

    def resolve(self, path: str, working: str) -> str:
        """An absolute, normal path."""
        return posixpath.normpath(posixpath.join(working, path))

    def read(self, path: str) -> bytes | None:
        """A file's content, None when there is none."""
        if path == "/dev/null":
            return b""
        found = self._files.get(path)
        return self._mounts().get(path) if found is None else found

    def write(self, path: str, data: bytes, *, append: bool = False) -> str | None:
        """Writes a file; returns what is wrong, if anything is."""
        if path in {"/dev/null", "/dev/stdout", "/dev/stderr"}:
            return None
        if self.is_directory(path):
            return "Is a directory"
        if not self.is_directory(posixpath.dirname(path)):
            return "nonexistent directory"
        if path in self._mounts():
            return "Read-only file system"
        self._files[path] = (self._files.get(path, b"") if append else b"") + data
        return None

    def remove(self, path: str) -> bool:
        """Deletes a file, or a directory with what is in it; whether it was there."""
        inside = [name for name in self._files if name == path or name.startswith(path + "/")]
        for name in inside:
            del self._files[name]
        known = [name for name in self._directories if name == path or name.startswith(path + "/")]
        self._directories.difference_update(known)
        return bool(inside or known)

    def make_directory(self, path: str) -> None:
        """Makes a directory, and those above it."""
        while path not in {"/", ""}:
            self._directories.add(path)
            path = posixpath.dirname(path)

    def is_directory(self, path: str) -> bool:
        """Whether a directory is there, made or implied by the files in it."""
        inside = path.rstrip("/") + "/"
        return path in self._directories or any(
            name.startswith(inside) for name in (*self._files, *self._mounts())
        )

    def exists(self, path: str) -> bool:
        """Whether there is a file or directory."""
        return self.read(path) is not None or self.is_directory(path)

    def listing(self, path: str) -> list[str]:
        """The names in a directory, sorted."""
        inside = path.rstrip("/") + "/"
        everything = {*self._files, *self._mounts(), *self._directories}
        names = {name[len(inside) :].split("/")[0] for name in everything if name.startswith(inside)}
        return sorted(names - {""})

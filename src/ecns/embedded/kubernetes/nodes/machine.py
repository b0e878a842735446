"""What a simulated process sees: files, environment, host name, and how much memory it may take."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.nodes.volumes import DIRECTORIES, Mount, Storage

if TYPE_CHECKING:
    from collections.abc import Callable

_RESOLV = (
    "search {}.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n"
)
_HOSTS = """\
# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
"""


class Machine:
    """A container's view.

    Args:
        env: its environment.
        hostname: the pod's host name.
        mounts: gives the files that come from the API (absolute path → content), asked each time.
        volumes: what is mounted beside them, by the path.
        memory: its limit in bytes, None for none.
        working: the directory that it starts in.
        addresses: the pod's.
        lenient: whether a program that is not known is taken for a server, rather than missing.
        lacks: programs that it does not have.
        namespace: whose Services short names are looked for in.

    """

    def __init__(
        self,
        env: dict[str, str],
        hostname: str,
        *,
        mounts: Callable[[], dict[str, bytes]] | None = None,
        volumes: dict[str, Mount] | None = None,
        memory: int | None = None,
        working: str = "/",
        addresses: tuple[str, ...] = (),
        lenient: bool = False,
        lacks: frozenset[str] = frozenset(),
        namespace: str = "default",
    ) -> None:
        self.env = env
        self.hostname = hostname
        self.memory = memory
        self.lenient = lenient
        self.lacks = lacks
        self.working = working or "/"
        self._mounts = mounts or dict
        address = addresses[0] if addresses else "127.0.0.1"
        own = Storage(DIRECTORIES)
        own.files = {
            "/etc/hostname": f"{hostname}\n".encode(),
            "/etc/hosts": f"{_HOSTS}{address}\t{hostname}\n".encode(),
            "/etc/resolv.conf": _RESOLV.format(namespace).encode(),
            "/etc/passwd": b"root:x:0:0:root:/root:/bin/sh\n",
            "/dev/termination-log": b"",
        }
        own.directories.add(self.working)
        volumes = volumes or {}
        self._volumes = {"/": Mount(own)} | {path: volumes[path] for path in sorted(volumes)}

    def resolve(self, path: str, working: str) -> str:
        """An absolute, normal path."""
        return posixpath.normpath(posixpath.join(working, path))

    def _at(self, path: str) -> tuple[Mount, str]:
        """The volume that a path is in, and where in its storage."""
        for base in reversed(self._volumes):  # the deepest first: they are sorted
            if path == base or path.startswith(base.rstrip("/") + "/"):
                mount = self._volumes[base]
                return mount, self.resolve(path[len(base.rstrip("/")) :].lstrip("/"), mount.directory)
        raise AssertionError(path)

    def read(self, path: str) -> bytes | None:
        """A file's content, None when there is none."""
        if path == "/dev/null":
            return b""
        mount, inner = self._at(path)
        found = mount.storage.files.get(inner)
        return self._mounts().get(path) if found is None else found

    def write(self, path: str, data: bytes, *, append: bool = False) -> str | None:
        """Writes a file; returns what is wrong, if anything is."""
        if path in {"/dev/null", "/dev/stdout", "/dev/stderr"}:
            return None
        if self.is_directory(path):
            return "Is a directory"
        if not self.is_directory(posixpath.dirname(path)):
            return "nonexistent directory"
        mount, inner = self._at(path)
        if mount.read_only or path in self._mounts():
            return "Read-only file system"
        files = mount.storage.files
        files[inner] = (files.get(inner, b"") if append else b"") + data
        return None

    def remove(self, path: str) -> bool:
        """Deletes a file, or a directory with what is in it; whether it was there."""
        mount, inner = self._at(path)
        return not mount.read_only and mount.storage.remove(inner)

    def make_directory(self, path: str) -> None:
        """Makes a directory, and those above it."""
        mount, inner = self._at(path)
        if not mount.read_only:
            mount.storage.make_directory(inner)

    def _names(self) -> set[str]:
        """Every path that is there."""
        found = {*self._mounts(), *self._volumes}
        for base, (storage, directory, _) in self._volumes.items():
            inside = directory.rstrip("/") + "/"
            found |= {
                self.resolve(name[len(inside) :], base) for name in storage.names() if name.startswith(inside)
            }
        return found

    def is_directory(self, path: str) -> bool:
        """Whether a directory is there, made or implied by the files in it."""
        mount, inner = self._at(path)
        inside = path.rstrip("/") + "/"
        return inner in mount.storage.directories or any(name.startswith(inside) for name in self._names())

    def exists(self, path: str) -> bool:
        """Whether there is a file or directory."""
        return self.read(path) is not None or self.is_directory(path)

    def listing(self, path: str) -> list[str]:
        """The names in a directory, sorted."""
        inside = path.rstrip("/") + "/"
        names = {name[len(inside) :].split("/")[0] for name in self._names() if name.startswith(inside)}
        return sorted(names - {""})

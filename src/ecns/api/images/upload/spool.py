"""Where the files of an upload lie until they are pushed.

Each process has a directory of its own below the configured one and holds its lock; what another process
left behind when it died is removed by the next one that starts. Files have numbers for names: nothing that a
caller sends becomes a path.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import BinaryIO

import msgspec
import structlog

from ecns.api.images.upload import tar
from ecns.api.images.upload.packing import Packer
from ecns.api.images.upload.tar import Entry, Kind, refused
from ecns.api.images.upload.unpacking import Packing, packing
from ecns.config import ConfigError
from ecns.errors import BadRequestError, UnavailableError

RESERVE = 256 * 1024 * 1024
"""Bytes of the disk that uploads leave to others."""
LOOK = 64 * 1024 * 1024
"""Bytes written between two looks at what is free."""
LINKS = 40
"""Links that follow one another at most, as for Linux."""
AHEAD = 2
"""Blocks of a layer that are packed at a time, or wait for the one before, for each processor."""

log = structlog.get_logger(__name__)


class Stored(msgspec.Struct, frozen=True):
    """A file of the archive; `size` and `digest` (SHA-256, hexadecimal) are of its content."""

    name: str
    size: int
    digest: str
    path: Path
    """Where it lies, or its packed form."""
    compression: Packing | None = None
    """Its own."""
    packed_size: int = 0
    packed_digest: str = ""
    """Of the packed form, which is all that is kept of an uncompressed layer."""

    @property
    def packed(self) -> bool:
        """Whether it is a tar archive that was packed on its way here."""
        return bool(self.packed_digest)


class Root:
    """The directory of this process.

    Args:
        directory: the configured one; None: one of ours below the system's for temporary files.

    Raises:
        ConfigError: it cannot be used.
    """

    def __init__(self, directory: Path | None) -> None:
        try:
            self.above = _ours() if directory is None else directory
            self.above.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._sweep()
            self.path, self._lock = self._claim()
        except OSError as error:
            raise ConfigError(f"uploads.directory: {self.above}: {error.strerror or error}") from error

    def close(self) -> None:
        """Remove the directory and all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def check(self, size: int) -> None:
        """See that there is room for a file.

        Raises:
            UnavailableError: there is not.
        """
        if _free(self.path) < size + RESERVE:
            raise _full()

    @contextlib.contextmanager
    def directory(self) -> Iterator[Path]:
        """A directory for one upload, removed with all that is in it."""
        path = Path(tempfile.mkdtemp(prefix="upload-", dir=self.path))
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def _claim(self) -> tuple[Path, int | None]:
        """A new directory and its lock; another process that starts may take a new one for left behind."""
        while True:
            path = Path(tempfile.mkdtemp(prefix="process-", dir=self.above))
            with contextlib.suppress(FileNotFoundError):
                lock = _locked(path)
                if lock is not None and path.is_dir():
                    return path, lock

    def _sweep(self) -> None:
        """Remove what processes left that no longer live."""
        for left in self.above.glob("process-*"):
            with contextlib.suppress(OSError):
                if (lock := _locked(left)) is not None:
                    shutil.rmtree(left, ignore_errors=True)
                    os.close(lock)
                    log.info("removed what an upload had left behind", directory=str(left))


def _trimmer() -> Callable[[int], int]:
    """The C library's word for giving free memory back, which glibc has and needs."""
    try:
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return lambda _: 0
    return found


_malloc_trim = _trimmer()


def trim() -> None:
    """Give back the memory that is free.

    Pieces that one thread allocates and another one frees leave gaps that glibc does not close by itself: an
    upload of 4 GiB left 75 MiB of them.
    """
    _malloc_trim(0)


def _ours() -> Path:
    path = Path(tempfile.gettempdir()) / f"ecns-uploads-{os.getuid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    seen = path.lstat()
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.getuid() or seen.st_mode & 0o022:
        raise ConfigError(f"uploads.directory: {path} is not a directory that only this user may write")
    return path


def _locked(directory: Path) -> int | None:
    """A lock that its process holds until it ends; None when it is held."""
    lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _free(path: Path) -> int:
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def _full() -> UnavailableError:
    return UnavailableError("ECNS has no disk space left for uploads; try again later")


class Spool:
    """The files of one archive; made by one thread.

    Args:
        directory: of this upload.
        pool: packs layers.
        processors: how many it has.
        came: told of each file that has come whole.
    """

    def __init__(
        self,
        directory: Path,
        pool: Executor,
        processors: int,
        came: Callable[[Stored], None] = lambda _: None,
    ) -> None:
        self.directory = directory
        self.files: dict[str, Stored] = {}
        self._links: dict[str, str] = {}
        self._pool = pool
        self._came = came
        self._ahead = AHEAD * processors
        self._number = 0
        self._written = 0
        self._output: _Counted | None = None
        """The file that is being written."""

    def close(self) -> None:
        """Write no longer."""
        if self._output is not None:
            self._output.close()

    def output(self, path: Path) -> _Counted:
        """A new file."""
        self._output = _Counted(self, path)
        return self._output

    def opened(self, entry: Entry) -> tar.Sink | None:
        """What takes the content of a member.

        Raises:
            BadRequestError: another member has its name.
        """
        if entry.kind is Kind.DIRECTORY:
            return None
        if entry.kind is not Kind.FILE:
            if entry.name in self.files or self._links.get(entry.name, entry.target) != entry.target:
                raise _twice(entry.name)
            self._links[entry.name] = entry.target
            return None
        if entry.name in self._links:
            raise _twice(entry.name)
        self._number += 1
        return _FileSink(self, entry, self.directory / str(self._number))

    def find(self, name: str) -> Stored | None:
        """The file of a name, or that a link of this name leads to.

        Raises:
            BadRequestError: links lead in a circle.
        """
        path = tar.cleaned(name)
        for _ in range(LINKS):
            if (found := self.files.get(path)) is not None:
                return found
            if (target := self._links.get(path)) is None:
                return None
            path = target
        raise refused(f"the links of {name!r} lead in a circle")

    def read(self, stored: Stored, limit: int) -> bytes:
        """A small file.

        Raises:
            BadRequestError: it is larger than the limit, or a tar archive.
        """
        if stored.packed or stored.size > limit:
            raise refused(f"{stored.name!r} is too large for what it is")
        return stored.path.read_bytes()

    def keep(self, stored: Stored) -> None:
        """Note a file that has come whole.

        Raises:
            BadRequestError: there is another one of its name.
        """
        if self.files.get(stored.name, stored).digest != stored.digest:
            raise _twice(stored.name)
        self.files[stored.name] = stored
        self._came(stored)

    def wrote(self, count: int) -> None:
        """Count what was written, and look at the disk now and then.

        Raises:
            UnavailableError: it is nearly full.
        """
        self._written += count
        if self._written >= LOOK:
            self._written = 0
            trim()
            if _free(self.directory) < RESERVE:
                raise _full()

    def packer(self, output: _Counted) -> Packer:
        """What packs a layer."""
        return Packer(output, self._pool, self._ahead)


def _twice(name: str) -> BadRequestError:
    return refused(f"the archive has two different {name!r}")


class _Counted:
    """A file that is written, with the disk kept in sight."""

    def __init__(self, spool: Spool, path: Path) -> None:
        self._spool = spool
        self._file: BinaryIO = path.open("xb", buffering=0)

    def write(self, data: bytes | memoryview) -> None:
        try:
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) or 0 :]
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise _full() from error
            raise
        self._spool.wrote(len(data))

    def close(self) -> None:
        self._file.close()


class _FileSink:
    """Takes a file's content; packs it if it is a tar archive, which only layers are."""

    def __init__(self, spool: Spool, entry: Entry, path: Path) -> None:
        self._spool = spool
        self._entry = entry
        self._path = path
        self._output = spool.output(path)
        self._begin = bytearray()
        self._packer: Packer | None = None
        self._hash = hashlib.sha256()
        self._known = False
        """Whether it is known what it is."""

    def write(self, data: memoryview) -> None:
        if not self._known:
            missing = tar.BLOCK - len(self._begin)
            self._begin += data[:missing]
            data = data[missing:]
            if len(self._begin) < tar.BLOCK:
                return
            self._decide()
        if data:
            self._put(data)

    def close(self) -> None:
        if not self._known:
            self._decide()
        name, size = self._entry.name, self._entry.size
        if self._packer is not None:
            digest, packed_digest = self._packer.close()
            stored = Stored(
                name,
                size,
                digest,
                self._path,
                packed_size=self._packer.packed_size,
                packed_digest=packed_digest,
            )
        else:
            compression = packing(bytes(self._begin))
            stored = Stored(name, size, self._hash.hexdigest(), self._path, compression=compression)
        self._output.close()
        self._spool.keep(stored)

    def _decide(self) -> None:
        self._known = True
        if tar.is_tar(bytes(self._begin)):
            self._packer = self._spool.packer(self._output)
        if self._begin:
            self._put(memoryview(bytes(self._begin)))

    def _put(self, data: memoryview) -> None:
        if self._packer is not None:
            self._packer.write(data)
        else:
            self._hash.update(data)
            self._output.write(data)

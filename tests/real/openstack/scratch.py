"""Directories of clouds: each goes with its owner, at the latest when the next one is made."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

PREFIX = "ecns-cloud-"
LOCK = ".lock"
UNKNOWN_SECONDS = 24 * 3600
"""How old a directory has to be that nobody says whose it is."""


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A directory for a cloud; those whose owners were killed are removed first."""
    _forget()
    # Before the directory: whoever sees that sees that it is somebody's. No child of the owner inherits it.
    with tempfile.NamedTemporaryFile(prefix=PREFIX, suffix=LOCK) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        directory = Path(lock.name.removesuffix(LOCK))
        directory.mkdir(mode=0o711)
        try:
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)


def _forget() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/"):
        lock = folder.with_name(f"{folder.name}{LOCK}")
        if not _owned(folder, lock):
            shutil.rmtree(folder, ignore_errors=True)
            lock.unlink(missing_ok=True)


def _owned(folder: Path, lock: Path) -> bool:
    try:
        with lock.open() as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        with contextlib.suppress(FileNotFoundError):
            return time.time() - folder.stat().st_mtime < UNKNOWN_SECONDS
    return False

"""The virtual environment that has the OpenStack services, made once for each lock file and Python."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
LOCK = ROOT / "requirements" / "openstack.lock"
INSTALL_SECONDS = 900


class UnavailableError(Exception):
    """Real OpenStack services cannot run here; the message says why."""


def cache() -> Path:
    """Where what is dear to make is kept between runs."""
    found = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ecns-tests"
    found.mkdir(parents=True, exist_ok=True)
    return found


def digest(*parts: bytes) -> str:
    """A name for what is made of these."""
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def environment() -> Path:
    """The Python of the environment.

    Raises:
        UnavailableError: the packages cannot be installed.
    """
    name = f"openstack-{digest(LOCK.read_bytes(), sys.version.encode())}"
    home = cache() / name
    python = home / "bin" / "python"
    with (cache() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other test processes wait for the first one
        if (home / "complete").exists():
            return python
        # Compiled now: with PYTHONDONTWRITEBYTECODE each start would compile 10,000 files anew.
        if uv := shutil.which("uv"):
            commands = [
                [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(home)],
                [uv, "pip", "install", "--quiet", "--python", str(python), "--compile-bytecode"],
            ]
        else:
            commands = [
                [sys.executable, "-m", "venv", "--clear", str(home)],
                [str(python), "-m", "pip", "install", "--quiet", "--compile"],
            ]
        commands[1] += ["--require-hashes", "-r", str(LOCK)]
        for command in commands:
            _run(command)
        (home / "complete").touch()
    return python


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(f"installing took more than {INSTALL_SECONDS} s") from error
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise UnavailableError(f"{' '.join(command[:4])} failed: {''.join(last)}")

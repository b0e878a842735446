"""Where no real OpenStack can run: the reason is said, and is one to act on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.real.openstack import database, environment


def test_postgresql_is_missing_and_cannot_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_installed", lambda: None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(environment.UnavailableError, match="install Debian's package `postgresql`"):
        database.programs()


def test_packages_cannot_be_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lock = tmp_path / "openstack.lock"
    lock.write_text("no-such-package-of-ours==1.0 --hash=sha256:" + "0" * 64 + "\n")
    monkeypatch.setattr(environment, "LOCK", lock)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(environment.UnavailableError, match="failed"):
        environment.environment()
    assert not list(tmp_path.glob("ecns-tests/*/complete"))

"""That a cloud whose owner was killed leaves nothing behind for long."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.real.openstack.scratch import UNKNOWN_SECONDS, scratch

if TYPE_CHECKING:
    import pytest

OWNER = """
import pathlib, sys
from tests.real.openstack.scratch import scratch
with scratch() as folder:
    (folder / "large").write_text("x")
    print(folder, flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_owner_leaves_goes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    old, young = tmp_path / "ecns-cloud-old", tmp_path / "ecns-cloud-young"
    for folder in (old, young):
        folder.mkdir()
    os.utime(old, (0, young.stat().st_mtime - UNKNOWN_SECONDS - 1))
    owners = [
        subprocess.Popen(
            [sys.executable, "-c", OWNER],
            env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(Path.cwd())},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    killed, alive = (tmp_path / (one.stdout.readline().strip() if one.stdout else "") for one in owners)
    owners[0].kill()
    owners[0].communicate()
    with scratch() as mine:
        left = {one for one in tmp_path.iterdir() if one.is_dir()}
        assert left == {alive, mine, young}
        assert killed.name.startswith("ecns-cloud-")
    owners[1].communicate("")
    assert list(tmp_path.iterdir()) == [young]

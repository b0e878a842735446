"""The README's walk, line by line, as a newcomer types it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import start, stop

ROOT = Path(__file__).resolve().parents[1]


def walk() -> str:
    """The README's shell block."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(blocks) == 1
    return str(blocks[0])


@pytest.mark.timeout(90)
def test_every_line_of_the_walk_works(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    process, gateway = start(data_dir)
    try:
        address = "http://127.0.0.1:8080"
        script = walk()
        assert address in script
        script = script.replace(address, gateway.url).replace('"$PWD/.venv/bin:$PATH"', '"$PATH"')
        env = {
            **os.environ,
            "ECNS_DATA_DIR": str(data_dir),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            timeout=80,
            check=False,
        )
    finally:
        gateway.close()
        status = stop(process)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert 'deployment "web" successfully rolled out' in done.stdout
    assert '"title":"Not Found"' in done.stdout
    assert status == 0
    assert not (data_dir / "embedded.json").exists()

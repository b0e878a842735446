"""The README's walk, line by line, as a newcomer types it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.api.secrets.pems import EC, certificate, private
from tests.conftest import start, stop

ROOT = Path(__file__).resolve().parents[1]


ADDRESS = "http://127.0.0.1:8080"
PAGES = ("services-and-ingresses.md", "configmaps-and-secrets.md", "storage.md")


def blocks(page: str) -> list[str]:
    """A page's shell blocks."""
    found = re.findall(r"```sh\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    assert ADDRESS in found[0]
    return list(found)


def typed(script: str, folder: Path) -> str:
    """What a newcomer sees who types these lines, of which none fails."""
    data_dir = folder / "data"
    process, gateway = start(data_dir)
    try:
        script = script.replace(ADDRESS, gateway.url).replace('"$PWD/.venv/bin:$PATH"', '"$PATH"')
        env = {
            **os.environ,
            "ECNS_DATA_DIR": str(data_dir),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=folder,
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
    assert status == 0
    assert not (data_dir / "embedded.json").exists()
    return done.stdout


@pytest.mark.timeout(90)
def test_every_line_of_the_walk_works(tmp_path: Path) -> None:
    (walk,) = blocks("README.md")
    said = typed(walk, tmp_path)
    assert 'deployment "web" successfully rolled out' in said
    assert '"title":"Not Found"' in said


@pytest.mark.timeout(90)
def test_the_lines_of_the_other_pages_work_beside_its_workload(tmp_path: Path) -> None:
    (walk,) = blocks("README.md")
    begin = walk.partition("# Kubernetes itself agrees")[0]
    lines = "\n".join(block for page in PAGES for block in blocks(f"docs/{page}"))
    (tmp_path / "shop.key").write_text(private(EC))
    (tmp_path / "shop.crt").write_text(certificate(EC))
    said = typed(begin + lines, tmp_path)
    assert '"domain":"shop.example.com"' in said

"""Three registries for one suite: the stand-in as Harbor and by the book, and Debian's docker-registry."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.embedded.harbor.client import Client
from tests.embedded.harbor.conftest import Running, running

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]
REASON = ROOT / ".venv" / ".real-tools"
"""Why what is missing could not be installed; `install.sh` writes it."""
CONFIGURATION = """
version: 0.1
log: {{level: error}}
storage:
  filesystem: {{rootdirectory: {folder}}}
  delete: {{enabled: true}}
http: {{addr: "127.0.0.1:{port}"}}
"""


def need(*programs: str) -> None:
    """Skip a test when a program is not there, saying why."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        said = REASON.read_text().strip() if REASON.exists() else "`make real-tools` installs it"
        pytest.skip(f"no {', '.join(missing)}: {said}")


class Registry:
    """One of them, and who may do everything there."""

    def __init__(self, kind: str, client: Client, harbor: Running | None = None) -> None:
        self.kind = kind
        self.client = client
        self.harbor = harbor
        self.domain = client.url.removeprefix("http://")

    @property
    def is_real(self) -> bool:
        """Whether it is not ours."""
        return self.harbor is None

    @property
    def by_the_book(self) -> bool:
        """Whether it answers as the specification asks, also where Harbor does not."""
        return self.kind == "oci"


def _docker_registry(folder: Path) -> Iterator[Registry]:
    need("docker-registry")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    configuration = folder / "config.yml"
    configuration.write_text(CONFIGURATION.format(folder=folder / "data", port=port))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["docker-registry", "serve", str(configuration)], stdout=log, stderr=subprocess.STDOUT
        )
    client = Client(f"http://127.0.0.1:{port}")
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                assert client.request("GET", "/v2/").status_code == 200
                break
            except httpx.ConnectError:
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < deadline, "docker-registry does not serve"
                time.sleep(0.05)
        yield Registry("debian", client)
    finally:
        client.close()
        process.terminate()
        process.wait(10)


@pytest.fixture(
    scope="session",
    params=[
        pytest.param(kind, marks=pytest.mark.xdist_group(f"registry-{kind}"))
        for kind in ("harbor", "oci", "debian")
    ],
)
def registry(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that serves."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "debian":
        yield from _docker_registry(folder)
        return
    arguments = ["--oci"] if request.param == "oci" else []
    with running(folder, *arguments) as harbor:
        yield Registry(request.param, harbor.admin, harbor)

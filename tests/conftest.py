"""One gateway with its stand-ins for each test process, started as a newcomer starts it."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from tests.gateway import Gateway
from tests.real.openstack.cloud import Cloud
from tests.real.openstack.environment import UnavailableError
from tests.real.openstack.scratch import scratch

if TYPE_CHECKING:
    from collections.abc import Iterator

# How long an example takes is the machine's business.
hypothesis.settings.register_profile(
    "ecns", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("ecns")

START_SECONDS = 120
"""A machine that others use, too, takes that long; one of its own needs three."""
CLOUD_SECONDS = 900
"""For a test that may be the first to need the cloud, on a machine that has none of it yet."""


def pytest_collection_finish() -> None:
    """Spare the garbage collector what was collected."""
    spare()


def spare() -> None:
    """Keep what is in memory out of the garbage collector's rounds.

    A round over all that a long run gathers, up to a million objects, takes a second and more, in which the
    servers that run in threads of the tests' own process answer nothing.
    """
    gc.collect()
    gc.freeze()


def start(
    data_dir: Path, *arguments: str, env: dict[str, str] | None = None
) -> tuple[subprocess.Popen[bytes], Gateway]:
    """Run `ecns serve` until it serves; the caller stops it."""
    log = data_dir.parent / f"{data_dir.name}.log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "ecns.cli",
                "serve",
                "--port",
                "0",
                "--data-dir",
                str(data_dir),
                *arguments,
            ],
            env={**os.environ, **(env or {})},
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
    told = data_dir / "embedded.json"
    deadline = time.monotonic() + START_SECONDS
    while not told.exists():
        assert process.poll() is None, log.read_text()[-4000:]
        if time.monotonic() > deadline:
            process.kill()
            process.wait()
            pytest.fail("ecns serve did not become ready")
        time.sleep(0.02)
    return process, Gateway(json.loads(told.read_text()))


def stop(process: subprocess.Popen[bytes]) -> int:
    """End a gateway as an operator does; its exit status."""
    process.send_signal(signal.SIGTERM)
    return process.wait(timeout=20)


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway on its embedded default."""
    process, started = start(tmp_path_factory.mktemp("gateway") / "data")
    yield started
    started.close()
    assert stop(process) == 0


SHARED = Path(os.environ.get("ECNS_SHARED") or Path(__file__).resolve().parents[2] / "shared")


@pytest.fixture(scope="session")
def samples() -> Path:
    """Real manifests that projects publish."""
    found = SHARED / "samples"
    if not found.is_dir():
        pytest.skip(f"no samples at {found}: set ECNS_SHARED")
    return found


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep what needs the real cloud in one process, which starts it once."""
    for item in items:
        if "real_cloud" in getattr(item, "fixturenames", ()):
            item.add_marker("real_cloud")
            item.add_marker(pytest.mark.xdist_group("cloud"))
            item.add_marker(pytest.mark.timeout(CLOUD_SECONDS))


@pytest.fixture(scope="session")
def real_cloud() -> Iterator[Cloud]:
    """Real OpenStack services; a machine's first start installs and fills them (a minute)."""
    with scratch() as directory:
        try:
            cloud = Cloud(directory)
        except UnavailableError as error:
            pytest.skip(f"no real OpenStack services here: {error}")
        with cloud:
            yield cloud

"""Both kinds of Keystone for one suite."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.real.keystone.servers import Cloud, KeystoneProcess
from tests.real.openstack.environment import UnavailableError, environment

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(
    scope="session",
    params=[
        pytest.param("embedded", marks=pytest.mark.xdist_group("keystone-embedded")),
        pytest.param("real", marks=[pytest.mark.xdist_group("keystone-real"), pytest.mark.timeout(900)]),
    ],
)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KeystoneProcess]:
    """A running Keystone; the first start of the real kind on a machine installs it (a minute)."""
    if request.param == "real":
        try:
            environment()
        except UnavailableError as error:
            pytest.skip(f"no real Keystone here: {error}")
    started = KeystoneProcess(request.param, tmp_path_factory.mktemp(request.param) / "keystone")
    yield started
    started.stop()


@pytest.fixture(scope="session")
def cloud(server: KeystoneProcess) -> Iterator[Cloud]:
    """Its administrator."""
    made = Cloud(server)
    yield made
    made.close()

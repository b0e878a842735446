"""The project in which the chapters are tried."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.api.project import Project, make
from tests.api.registry import World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.gateway import Gateway


@pytest.fixture(scope="session")
def project(gateway: Gateway) -> Project:
    """A project with one namespace, of its own name."""
    made = make(gateway, "chapters")
    made.namespace("chapters")
    return made


@pytest.fixture(scope="session")
def world(gateway: Gateway) -> Iterator[World]:
    """Two projects and Harbor."""
    made = World(gateway)
    yield made
    made.close()

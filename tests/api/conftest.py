"""The project in which the chapters are tried."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.api.project import Project, make

if TYPE_CHECKING:
    from tests.gateway import Gateway


@pytest.fixture(scope="session")
def project(gateway: Gateway) -> Project:
    """A project with one namespace, of its own name."""
    made = make(gateway, "chapters")
    made.namespace("chapters")
    return made

"""A project of its own: other namespaces are made here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.api.project import Project, settled

if TYPE_CHECKING:
    from tests.gateway import Gateway

NAMESPACE = "raw"


@pytest.fixture(scope="session")
def project(gateway: Gateway) -> Project:
    return settled(gateway, NAMESPACE)

"""Two projects on one cluster, and an administrator who works beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.api import project as projects

if TYPE_CHECKING:
    import httpx

    from tests.api.project import Project
    from tests.gateway import Gateway

NAMESPACE = "storage"
SECOND = "storage-two"


@pytest.fixture(scope="session")
def project(gateway: Gateway) -> Project:
    """A project with two namespaces; its people have chosen the first."""
    return projects.settled(gateway, NAMESPACE, SECOND)


@pytest.fixture
def admin(gateway: Gateway) -> httpx.Client:
    """The cloud's administrator, on the projects' cluster."""
    return gateway.client("admin", **{"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": NAMESPACE})

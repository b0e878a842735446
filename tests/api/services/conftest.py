"""A project with two namespaces and a workload, for the tests of Services."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.api import project as projects
from tests.api.services.asking import NAMESPACE, SECOND
from tests.api.workloads import asking
from tests.api.workloads.asking import unused, workload
from tests.gateway import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.api.project import Project
    from tests.gateway import Gateway


@pytest.fixture(scope="session")
def project(gateway: Gateway) -> Project:
    return projects.settled(gateway, NAMESPACE, SECOND)


@pytest.fixture
def client(project: Project) -> httpx.Client:
    return project.member


@pytest.fixture(scope="session")
def target(project: Project) -> Iterator[str]:
    """A workload with two pods, that Services lead to."""
    name = f"t{unused()}"
    asking.create(project.member, workload(name, replicas=2))
    eventually(lambda: asking.listed(project.reader, name=name, status="Running"))
    yield name
    asking.delete(project.member, (name, "Deployment"), delete_service=True)


@pytest.fixture
def name() -> str:
    return f"s{unused()}"

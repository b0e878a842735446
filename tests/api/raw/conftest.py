"""A project of its own: other namespaces are made here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.api.project import Project, make

if TYPE_CHECKING:
    from tests.gateway import Gateway

NAMESPACE = "raw"


@pytest.fixture(scope="session")
def project(gateway: Gateway) -> Project:
    made = make(gateway, NAMESPACE)
    made.namespace(NAMESPACE)
    here = {"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": NAMESPACE}
    made.member, made.reader, made.manager = (
        made.client(role, **here) for role in ("member", "reader", "manager")
    )
    return made

"""The project in which the chapters are tried."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from tests.api.project import Project, make
from tests.api.registry import World
from tests.conftest import start, stop
from tests.real.openstack.launch.common import PASSWORD
from tests.real.openstack.seed import USERS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.gateway import Gateway
    from tests.real.openstack.cloud import Cloud

CLOUD_SECONDS = 30.0
"""How long ECNS waits for a service of the cloud, on a machine that does other things, too."""


@pytest.fixture(scope="session")
def project(gateway: Gateway) -> Project:
    """A project with one namespace, of its own name."""
    made = make(gateway, "chapters")
    made.namespace("chapters")
    return made


@pytest.fixture(scope="session")
def cloud_gateway(real_cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway in front of the real OpenStack, with an account of its own there."""
    with in_front_of(real_cloud, tmp_path_factory.mktemp("cloud-gateway")) as made:
        yield made


@contextlib.contextmanager
def in_front_of(real_cloud: Cloud, directory: Path, *, seconds: float = CLOUD_SECONDS) -> Iterator[Gateway]:
    """A gateway in front of the real OpenStack whose services have some time to answer."""
    admin = real_cloud.caller("admin")
    user = admin.call("keystone", "GET", "/users?name=admin")["users"][0]["id"]
    path = f"/users/{user}/application_credentials"
    account = admin.make("keystone", path, "application_credential", name=f"ecns {directory.name}")
    (directory / "secret").write_text(f"{account['secret']}\n")
    (directory / "ecns.toml").write_text(
        f"""{real_cloud.ecns_toml()}
[openstack]
region = "RegionOne"
timeout = {seconds}
application_credential_id = "{account["id"]}"
application_credential_secret_file = "secret"
[openstack.volume_types]
hdd = "standard"
high-performance = "ssd"
[[kubernetes_versions]]
version = "v1.36.1"
container_runtimes = ["containerd", "docker"]
[[kubernetes_versions]]
version = "v1.99.0-es"
"""
    )
    process, made = start(directory / "data", "--config", str(directory / "ecns.toml"))
    made.facts["config"] = str(directory / "ecns.toml")
    for name, (project, role) in USERS.items():
        made.users[name] = {
            "username": name,
            "password": PASSWORD,
            "project": project,
            "project_id": real_cloud.caller(name).project_id,
            "domain": "Default",
            "roles": [role],
        }
    yield made
    made.close()
    assert stop(process) == 0
    admin.call("keystone", "DELETE", f"{path}/{account['id']}")


@pytest.fixture(scope="session")
def world(gateway: Gateway) -> Iterator[World]:
    """Two projects and Harbor."""
    made = World(gateway)
    yield made
    made.close()

"""The clients that the OpenStack world uses: keystoneauth1, openstacksdk, the openstack command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from keystoneauth1 import exceptions, session
from keystoneauth1.identity import v3

if TYPE_CHECKING:
    from tests.embedded.keystone.conftest import Running

OPENSTACK = Path(sys.executable).parent / "openstack"


def password(keystone: Running, user: str, **options: Any) -> v3.Password:
    known = keystone.users[user]
    scope = options or {"project_name": known["project"], "project_domain_name": known["domain"]}
    return v3.Password(
        auth_url=keystone.url,
        username=user,
        password=known["password"],
        user_domain_name=known["domain"],
        **scope,
    )


def test_keystoneauth(keystone: Running) -> None:
    auth = password(keystone, "developer")
    client = session.Session(auth=auth)
    access = auth.get_access(client)
    known = keystone.users["developer"]
    assert (access.project_id, access.username) == (known["project_id"], "developer")
    assert set(access.role_names) == {"member", "reader"}
    assert not access.will_expire_soon(3000)
    assert client.get_endpoint(service_type="image") == f"http://glance/{known['project_id']}"
    assert client.get_endpoint(service_type="identity", interface="admin") == keystone.url
    assert auth.get_discovery(client, keystone.url.removesuffix("/v3")).url_for("3.14")
    rescoped = v3.Token(keystone.url, token=access.auth_token, project_id=known["project_id"])
    assert rescoped.get_access(client).expires == access.expires
    auth.invalidate()
    assert client.get_token() != access.auth_token


def test_keystoneauth_is_refused(keystone: Running) -> None:
    auth = password(keystone, "developer")
    auth.auth_methods[0].password = "wrong"
    with pytest.raises(exceptions.Unauthorized):
        session.Session(auth=auth).get_token()
    foreign = password(keystone, "developer", project_name="other", project_domain_name="Default")
    with pytest.raises(exceptions.Unauthorized):
        session.Session(auth=foreign).get_token()


@pytest.mark.filterwarnings("ignore:::openstack")  # what the SDK warns itself of
def test_openstacksdk(keystone: Running) -> None:
    from openstack import connection  # noqa: PLC0415  half a second

    known = keystone.users["admin"]
    cloud = connection.Connection(
        auth={
            "auth_url": keystone.url,
            "username": "admin",
            "password": known["password"],
            "project_name": "admin",
            "user_domain_id": "default",
            "project_domain_id": "default",
        },
        identity_api_version="3",
        region_name="RegionOne",
    )
    identity = cloud.identity
    domain = identity.create_domain(name="science")
    project = identity.create_project(name="physics", domain_id=domain.id, description="atoms")
    user = identity.create_user(name="marie", domain_id=domain.id, password="radium", email="m@example.org")
    role = identity.find_role("member")
    identity.assign_project_role_to_user(project, user, role)
    assert identity.validate_user_has_project_role(project, user, role)
    assert [found.name for found in identity.projects(domain_id=domain.id)] == ["physics"]
    assert identity.find_user("marie", domain_id=domain.id).email == "m@example.org"
    marie = cloud.connect_as(
        username="marie", password="radium", user_domain_id=domain.id, project_id=project.id
    )
    assert marie.current_project_id == project.id
    credential = marie.identity.create_application_credential(marie.current_user_id, name="robot")
    robot = session.Session(
        auth=v3.ApplicationCredential(
            keystone.url,
            application_credential_id=credential.id,
            application_credential_secret=credential.secret,
        )
    )
    assert robot.get_project_id() == project.id
    identity.update_user(user, is_enabled=False)
    with pytest.raises(exceptions.Unauthorized):
        robot.auth.get_auth_ref(robot)
    identity.unassign_project_role_from_user(project, user, role)
    group = identity.create_group(name="chemists", domain_id=domain.id)
    identity.add_user_to_group(user, group)
    assert identity.check_user_in_group(user, group)
    for thing, delete in ((user, identity.delete_user), (project, identity.delete_project)):
        delete(thing, ignore_missing=False)
    identity.update_domain(domain, is_enabled=False)
    identity.delete_domain(domain, ignore_missing=False)
    assert identity.find_group("chemists") is None
    cloud.close()
    marie.close()


def test_the_openstack_command(keystone: Running) -> None:
    known = keystone.users["admin"]
    commands = [
        "token issue -f json",
        "project list -f json",
        "user list --long -f json",
        "role assignment list --names -f json",
        "catalog list -f json",
        "project create --domain default lab -f json",
        "user create --domain default --password x --project lab ada -f json",
        "role add --user ada --project lab member",
        "user show ada -f json",
        "role assignment list --user ada --names -f json",
        "application credential create --role admin robot -f json",
        "application credential list -f json",
        "group create crew -f json",
        "group add user crew ada",
        "service list -f json",
        "endpoint list -f json",
        "domain list -f json",
        "project delete lab",
        "user delete ada",
    ]
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("OS_")},
        "OS_AUTH_URL": keystone.url,
        "OS_USERNAME": "admin",
        "OS_PASSWORD": known["password"],
        "OS_PROJECT_NAME": "admin",
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
        "OS_IDENTITY_API_VERSION": "3",
    }
    done = subprocess.run(
        [OPENSTACK],
        input="\n".join(commands),
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    answers = _documents(done.stdout)
    assert not done.stderr.strip(), done.stderr
    assert answers[0]["project_id"] == known["project_id"]
    assert {"admin", "demo", "other"} <= {project["Name"] for project in answers[1]}
    assert {"admin", "developer", "visitor", "other"} <= {user["Name"] for user in answers[2]}
    assert {"Role": "reader", "User": "visitor@Default", "Project": "demo@Default"}.items() <= next(
        given for given in answers[3] if given["User"] == "visitor@Default"
    ).items()
    assert {service["Type"] for service in answers[4]} == {"identity", "image"}
    assert answers[5]["name"] == "lab"
    assert answers[7]["default_project_id"] == answers[5]["id"]
    assert [given["Role"] for given in answers[8]] == ["member"]


def _documents(text: str) -> list[Any]:
    """The JSON documents in what a shell printed between its prompts."""
    decoder, found, position = json.JSONDecoder(), [], 0
    while (
        start := min(
            (at for at in (text.find("{", position), text.find("[", position)) if at >= 0), default=-1
        )
    ) >= 0:
        document, position = decoder.raw_decode(text, start)
        found.append(document)
    return found

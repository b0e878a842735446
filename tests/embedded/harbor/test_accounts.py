"""Accounts: what each role and robot may, at the API and at the registry."""

from __future__ import annotations

import base64
import itertools
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from tests.embedded.harbor.client import Client, digest_of
from tests.embedded.harbor.serving import serving

from ecns.embedded.harbor import rights
from ecns.embedded.harbor.accounts import PASSWORD, basic, new_secret

if TYPE_CHECKING:
    from pathlib import Path

    from tests.embedded.harbor.conftest import Running

ROLES = {"projectAdmin": 1, "maintainer": 4, "developer": 2, "guest": 3, "limitedGuest": 5, "stranger": 0}
MAY = {
    "pull": {"projectAdmin", "maintainer", "developer", "guest", "limitedGuest"},
    "push": {"projectAdmin", "maintainer", "developer"},
    "delete manifest": {"projectAdmin", "maintainer"},
    "list members": {"projectAdmin", "maintainer", "developer", "guest"},
    "add member": {"projectAdmin"},
    "describe": {"projectAdmin", "maintainer", "developer"},
    "tag": {"projectAdmin", "maintainer", "developer"},
    "untag": {"projectAdmin", "maintainer"},
    "change project": {"projectAdmin"},
    "make robot": {"projectAdmin"},
    "read log": {"projectAdmin"},
    "make label": {"projectAdmin", "maintainer"},
    "read quota": {"projectAdmin", "maintainer", "developer", "guest", "limitedGuest"},
}


def _tries(client: Client, digest: str) -> dict[str, bool]:
    """What a client may do in the project `roles`."""
    path = "/projects/roles"
    artifact = f"{path}/repositories/app/artifacts/{digest}"
    tag, name = uuid.uuid4().hex[:8], uuid.uuid4().hex[:8]
    access = [{"resource": "repository", "action": "pull"}]
    robot = {
        "name": name,
        "level": "project",
        "duration": 1,
        "permissions": [{"kind": "project", "namespace": "roles", "access": access}],
    }
    answers = {
        "pull": client.pull("roles/app", digest),
        "push": client.request("POST", "/v2/roles/app/blobs/uploads/"),
        "delete manifest": client.request("DELETE", f"/v2/roles/app/manifests/{digest_of(b'none')}"),
        "list members": client.api("GET", f"{path}/members"),
        "add member": client.api(
            "POST", f"{path}/members", json={"role_id": 2, "member_user": {"username": "none"}}
        ),
        "describe": client.api("PUT", f"{path}/repositories/app", json={"description": name}),
        "tag": client.api("POST", f"{artifact}/tags", json={"name": tag}),
        "untag": client.api("DELETE", f"{artifact}/tags/none"),
        "change project": client.api("PUT", path, json={"metadata": {"auto_scan": "true"}}),
        "make robot": client.api("POST", "/robots", json=robot),
        "read log": client.api("GET", f"{path}/logs"),
        "make label": client.api("POST", "/labels", json={"name": name, "scope": "p", "project_id": 2}),
        "read quota": client.api("GET", f"{path}/summary"),
    }
    return {what: answer.status_code not in {401, 403} for what, answer in answers.items()}


def test_what_each_role_may(harbor: Running) -> None:
    harbor.admin.project("roles")
    digest = harbor.admin.push("roles/app", "1.0")
    found: dict[str, set[str]] = {what: set() for what in MAY}
    for name, role in ROLES.items():
        client = harbor.user(f"a-{name.lower()}")
        if role:
            body = {"role_id": role, "member_user": {"username": f"a-{name.lower()}"}}
            harbor.admin.told("POST", "/projects/roles/members", 201, json=body)
        for what, may in _tries(client, digest).items():
            if may:
                found[what].add(name)
    assert found == MAY


def test_roles_hold_those_below_them() -> None:
    order = (rights.LIMITED_GUEST, rights.GUEST, rights.DEVELOPER, rights.MAINTAINER, rights.ADMIN)
    for lower, higher in itertools.pairwise(order):
        assert set(rights.OF_ROLE[lower]) < set(rights.OF_ROLE[higher])


def test_a_robot_does_what_it_was_given_and_nothing_else(harbor: Running) -> None:
    harbor.admin.project("robots")
    harbor.admin.project("others")
    harbor.admin.push("robots/app", "1.0")
    reader = harbor.robot("robots", "reader", ("repository", "pull"))
    pusher = harbor.robot("robots", "pusher", ("repository", "push"))
    lister = harbor.robot("robots", "lister", ("repository", "list"), ("tag", "list"))
    assert reader.pull("robots/app", "1.0").status_code == 200
    assert reader.request("POST", "/v2/robots/app/blobs/uploads/").status_code == 401
    assert reader.request("GET", "/v2/robots/app/tags/list").json()["tags"] == ["1.0"]
    digest = pusher.push("robots/app", "2.0")
    assert pusher.pull("robots/app", "2.0").status_code == 200, "who may push may pull"
    assert pusher.request("DELETE", f"/v2/robots/app/manifests/{digest}").status_code == 401
    assert pusher.request("POST", "/v2/others/app/blobs/uploads/").status_code == 401
    assert [item["name"] for item in lister.told("GET", "/projects/robots/repositories")] == ["robots/app"]
    assert lister.pull("robots/app", "1.0").status_code == 401
    assert lister.api("GET", "/projects/others/repositories").status_code == 403
    assert {item["name"] for item in reader.told("GET", "/projects")} == {"library", "robots"}
    assert reader.request("GET", "/v2/_catalog").status_code == 401


def test_tokens_of_a_robot_hold_its_rights(harbor: Running) -> None:
    harbor.admin.project("tokens")
    robot = harbor.robot("tokens", "ci", ("repository", "pull"), ("repository", "push"))
    scope = "repository:tokens/app:pull,push,delete"
    answer = robot.request("GET", "/service/token", params={"service": "harbor-registry", "scope": scope})
    bearer = {"Authorization": f"Bearer {answer.json()['token']}"}
    begun = harbor.nobody.request("POST", "/v2/tokens/app/blobs/uploads/", headers=bearer)
    assert begun.status_code == 202
    gone = harbor.nobody.request("DELETE", begun.headers["Location"], headers=bearer)
    assert gone.status_code == 401
    assert harbor.nobody.request("GET", "/v2/", headers={"Authorization": "Bearer a.b.c"}).status_code == 401


def test_a_robot_of_the_system(harbor: Running) -> None:
    harbor.admin.project("wide")
    harbor.admin.push("wide/app", "1.0")
    permissions: list[dict[str, Any]] = [
        {"kind": "project", "namespace": "*", "access": [{"resource": "repository", "action": "pull"}]},
        {"kind": "system", "namespace": "/", "access": [{"resource": "garbage-collection", "action": "*"}]},
    ]
    body = {"name": "everywhere", "level": "system", "duration": 30, "permissions": permissions}
    made = harbor.admin.told("POST", "/robots", 201, json=body)
    assert made["name"] == "robot$everywhere"
    robot = harbor.client(made["name"], made["secret"])
    assert robot.pull("wide/app", "1.0").status_code == 200
    assert robot.api("GET", "/system/gc").status_code == 200
    assert robot.api("GET", "/quotas").status_code == 403
    assert robot.request("POST", "/v2/wide/app/blobs/uploads/").status_code == 401


def test_what_a_robot_may_ends_with_the_project_and_not_with_its_name(harbor: Running) -> None:
    access = [{"resource": "repository", "action": "pull"}]
    harbor.admin.project("stays")
    harbor.admin.project("passing")
    names = ("passing", "stays")
    permissions = [{"kind": "project", "namespace": name, "access": access} for name in names]
    body = {"name": "of-both", "level": "system", "duration": 30, "permissions": permissions}
    made = harbor.admin.told("POST", "/robots", 201, json=body)
    assert harbor.admin.api("DELETE", "/projects/passing").status_code == 200
    harbor.admin.project("passing")  # of somebody else, say
    for name in names:
        harbor.admin.push(f"{name}/app", "1.0")
    robot = harbor.client(made["name"], made["secret"])
    assert robot.pull("stays/app", "1.0").status_code == 200
    assert robot.pull("passing/app", "1.0").status_code == 401
    shown = harbor.admin.told("GET", f"/robots/{made['id']}")
    assert [one["namespace"] for one in shown["permissions"]] == ["stays"]


def test_a_right_that_is_denied(harbor: Running) -> None:
    harbor.admin.project("denied", public=True)
    harbor.admin.push("denied/app", "1.0")
    access = [{"resource": "repository", "action": "pull", "effect": "deny"}]
    body = {
        "name": "none",
        "level": "project",
        "duration": -1,
        "permissions": [{"kind": "project", "namespace": "denied", "access": access}],
    }
    made = harbor.admin.told("POST", "/robots", 201, json=body)
    assert harbor.client(made["name"], made["secret"]).pull("denied/app", "1.0").status_code == 401


async def test_a_robot_expires(tmp_path: Path) -> None:
    async with serving(tmp_path) as (harbor, _):
        harbor.store.run(
            "INSERT INTO robot SELECT 1, 'robot$old', 'system', NULL, '', 1, ?, 0, '[]', salt, hash, 0, 0"
            " FROM account",
            int(time.time()) - 1,
        )
        header = f"Basic {base64.b64encode(b'robot$old:Harbor12345').decode()}"
        assert not (await harbor.accounts.login(header)).authenticated
        harbor.store.run("UPDATE robot SET expires = -1")
        assert (await harbor.accounts.login(header)).name == "robot$old"


def test_anonymous_pulls_what_is_public(harbor: Running) -> None:
    harbor.admin.project("open", public=True)
    digest = harbor.admin.push("open/app", "1.0")
    challenge = harbor.nobody.pull("open/app", "1.0")
    assert challenge.status_code == 401
    assert 'scope="repository:open/app:pull"' in challenge.headers["WWW-Authenticate"]
    params = {"service": "harbor-registry", "scope": "repository:open/app:pull"}
    token = harbor.nobody.request("GET", "/service/token", params=params).json()["token"]
    bearer = {"Authorization": f"Bearer {token}", "Accept": "*/*"}
    answer = harbor.nobody.request("GET", f"/v2/open/app/manifests/{digest}", headers=bearer)
    assert answer.status_code == 200
    harbor.admin.told("PUT", "/projects/open", json={"metadata": {"public": "false"}})
    assert harbor.nobody.request("GET", "/service/token", params=params).status_code == 200
    assert harbor.nobody.api("GET", "/projects/open").status_code == 401


def test_passwords(harbor: Running) -> None:
    client = harbor.user("changes")
    me = client.told("GET", "/users/current")["user_id"]
    for old, new, status in (
        ("wrong", "Other-12345", 403),
        ("Secret-12345", "weak", 400),
        ("Secret-12345", "Other-12345", 200),
    ):
        body = {"old_password": old, "new_password": new}
        assert client.api("PUT", f"/users/{me}/password", json=body).status_code == status
    assert harbor.client("changes", "Other-12345").api("GET", "/users/current").status_code == 200
    assert PASSWORD.fullmatch(new_secret())


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Basic YTpi", ("a", b"b")),
        ("basic YTpiOmM=", ("a", b"b:c")),
        ("Basic YTo=", ("a", b"")),
        ("Basic /zr/", ("\ufffd", b"\xff")),
        ("Basic YQ==", None),
        ("Basic !", None),
        ("Basic \udcff", None),
        ("Bearer YTpi", None),
        ("", None),
    ],
)
def test_what_a_header_names(header: str, expected: tuple[str, bytes] | None) -> None:
    assert basic(header) == expected

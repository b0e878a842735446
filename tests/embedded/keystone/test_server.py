"""What only the stand-in has, or what a client may do wrong to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.embedded.keystone.conftest import Running


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/projects", {"project": {"name": 3}}),
        ("/projects", {"project": {"name": "  "}}),
        ("/projects", {"project": []}),
        ("/projects", {}),
        ("/projects", {"project": {"name": "x", "enabled": "yes"}}),
        ("/users", {"user": {"name": "x", "default_project_id": {}}}),
        ("/roles", {"role": {"name": "x", "domain_id": []}}),
        ("/services", {"service": {"type": None}}),
        ("/endpoints", {"endpoint": {"service_id": "x", "interface": "public"}}),
        ("/OS-TRUST/trusts", {"trust": 3}),
    ],
)
def test_documents_that_are_none(keystone: Running, path: str, body: Any) -> None:
    answer = keystone.call("POST", path, keystone.token("admin"), json=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["title"] == "Bad Request"


@pytest.mark.parametrize("body", [b"{", b'{"user": {"name": "\\ud800"}}', b"[" * 100_000])
def test_bodies_that_are_no_json_or_no_text(keystone: Running, body: bytes) -> None:
    answer = keystone.call("POST", "/users", keystone.token("admin"), content=body)
    assert answer.status_code == 400, answer.text


def test_an_endpoint_needs_its_service_and_a_text(keystone: Running) -> None:
    admin = keystone.token("admin")
    body = {"endpoint": {"service_id": "x", "interface": "public", "url": "http://x"}}
    assert keystone.call("POST", "/endpoints", admin, json=body).status_code == 404
    endpoint = keystone.call("GET", "/endpoints", admin).json()["endpoints"][0]["id"]
    patched = keystone.call("PATCH", f"/endpoints/{endpoint}", admin, json={"endpoint": {"url": 3}})
    assert patched.status_code == 400
    assert keystone.call("GET", "/auth/catalog", keystone.token("visitor")).status_code == 200


def test_lists_in_pages(keystone: Running) -> None:
    admin = keystone.token("admin")
    found, path = [], "/users?limit=2"
    while path:
        page = keystone.call("GET", path, admin).json()
        assert len(page["users"]) <= 2
        found += [user["name"] for user in page["users"]]
        path = (page["links"]["next"] or "").removeprefix(keystone.url)
    assert found[:4] == ["admin", "developer", "visitor", "other"]
    assert keystone.call("GET", "/users?marker=nobody", admin).status_code == 400


def test_a_body_over_the_limit(keystone: Running) -> None:
    answer = keystone.call("POST", "/auth/tokens", content=b" " * 200_000)
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == 413


def test_methods_and_paths_that_are_none(keystone: Running) -> None:
    for method, path, status in (("PUT", "/auth/tokens", 405), ("GET", "/nonsense", 404)):
        answer = keystone.call(method, path, keystone.token("admin"))
        assert answer.status_code == status
        assert answer.json()["error"]["code"] == status


def test_an_expired_token_is_shown_to_who_asks_for_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    from tests.embedded.keystone.conftest import running  # noqa: PLC0415  a fixture's tool

    with running(tmp_path_factory.mktemp("short"), "--token-seconds", "0.3") as short:
        old = short.token("developer")
        while short.call("GET", "/auth/projects", old).status_code == 200:
            pass
        headers = {"X-Auth-Token": short.token("admin"), "X-Subject-Token": old}
        assert short.http.get("/auth/tokens", headers=headers).status_code == 404
        assert short.http.get("/auth/tokens?allow_expired=1", headers=headers).status_code == 200


def test_own_password(keystone: Running) -> None:
    admin = keystone.token("admin")
    body = {"user": {"name": "own", "password": "first", "domain_id": "default"}}
    user = keystone.call("POST", "/users", admin, json=body).json()["user"]
    assert "password" not in user
    change = {"user": {"original_password": "wrong", "password": "second"}}
    path = f"/users/{user['id']}/password"
    assert keystone.call("POST", path, json=change).status_code == 401
    change["user"]["original_password"] = "first"
    assert keystone.call("POST", path, json=change).status_code == 204
    for password, status in (("first", 401), ("second", 201)):
        who = {"id": user["id"], "password": password}
        auth = {"auth": {"identity": {"methods": ["password"], "password": {"user": who}}}}
        assert keystone.call("POST", "/auth/tokens", json=auth).status_code == status


def test_what_goes_takes_along_what_stands_on_it(keystone: Running) -> None:
    admin = keystone.token("admin")

    def make(kind: str, **fields: Any) -> str:
        made = keystone.call("POST", f"/{kind}s", admin, json={kind: fields})
        assert made.status_code == 201, made.text
        return str(made.json()[kind]["id"])

    domain = make("domain", name="brief")
    project = make("project", name="brief", domain_id=domain)
    user = make("user", name="brief", domain_id=domain)
    service = make("service", type="brief")
    endpoint = make("endpoint", service_id=service, interface="public", url="http://brief")
    role = keystone.call("GET", "/roles?name=member", admin).json()["roles"][0]["id"]
    grant = f"/projects/{project}/users/{user}/roles/{role}"
    assert keystone.call("PUT", grant, admin).status_code == 204
    assert keystone.call("HEAD", grant, admin).status_code == 204
    keystone.call("PATCH", f"/domains/{domain}", admin, json={"domain": {"enabled": False}})
    assert keystone.call("DELETE", f"/domains/{domain}", admin).status_code == 204
    assert keystone.call("DELETE", f"/services/{service}", admin).status_code == 204
    for path in (f"/projects/{project}", f"/users/{user}", f"/endpoints/{endpoint}", f"/domains/{domain}"):
        assert keystone.call("GET", path, admin).status_code == 404
    assignments = keystone.call("GET", "/role_assignments", admin).json()["role_assignments"]
    assert user not in {given["user"]["id"] for given in assignments if "user" in given}

"""What a Keystone says on the wire: the embedded one answers as the real one does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx

    from tests.real.keystone.servers import Cloud, KeystoneProcess, Person

REQUEST_ID = re.compile(r"req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TOKEN_KEYS = {
    "methods",
    "user",
    "audit_ids",
    "expires_at",
    "issued_at",
    "project",
    "is_domain",
    "roles",
    "catalog",
}


@pytest.fixture(scope="module")
def person(cloud: Cloud) -> Person:
    return cloud.person("member")


@pytest.fixture(scope="module")
def other(cloud: Cloud) -> dict[str, Any]:
    """Another project."""
    return cloud.make("project")


def ask(
    cloud: Cloud, method: str, path: str, *, token: str = "", subject: str = "", **options: Any
) -> httpx.Response:
    headers = {"X-Auth-Token": token} if token else {}
    headers |= {"X-Subject-Token": subject} if subject else {}
    return cloud.http.request(method, path, headers=headers, **options)


def is_problem(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status, answer.text
    problem = answer.json()["error"]
    assert problem["code"] == status
    assert problem["message"]
    assert problem["title"]
    assert REQUEST_ID.fullmatch(answer.headers["x-openstack-request-id"])


def test_discovery(cloud: Cloud, server: KeystoneProcess) -> None:
    version = ask(cloud, "GET", "").json()["version"]
    assert version["id"].startswith("v3.")
    assert version["status"] == "stable"
    assert version["links"][0]["href"] == f"{server.url}/"
    root = cloud.http.get(server.url.removesuffix("/v3") + "/")
    assert root.status_code == 300
    assert root.json()["versions"]["values"][0]["id"] == version["id"]


def test_the_body_of_a_token(cloud: Cloud, person: Person) -> None:
    token = person.token()
    answer = ask(cloud, "GET", "/auth/tokens", token=token, subject=token)
    assert answer.status_code == 200
    assert answer.headers["X-Subject-Token"] == token
    assert "X-Auth-Token" in answer.headers["Vary"]
    body = answer.json()["token"]
    assert set(body) == TOKEN_KEYS
    assert set(body["user"]) == {"id", "name", "domain", "password_expires_at"}
    assert set(body["project"]) == {"id", "name", "domain"}
    assert all(set(role) == {"id", "name"} for role in body["roles"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", body["expires_at"])
    assert len(body["audit_ids"]) == 1
    for service in body["catalog"]:
        assert set(service) == {"id", "type", "name", "endpoints"}
        for endpoint in service["endpoints"]:
            assert set(endpoint) == {"id", "interface", "region", "region_id", "url"}
    short = ask(cloud, "GET", "/auth/tokens?nocatalog", token=token, subject=token)
    assert set(short.json()["token"]) == TOKEN_KEYS - {"catalog"}
    head = ask(cloud, "HEAD", "/auth/tokens", token=token, subject=token)
    assert (head.status_code, head.content) == (200, b"")
    assert {"expires_at", "issued_at", "user", "methods", "audit_ids"} == set(
        ask(cloud, "GET", "/auth/tokens", token=cloud.admin_token, subject=person.token("unscoped")).json()[
            "token"
        ]
    )


def test_tokens_of_others(cloud: Cloud, person: Person) -> None:
    token, other = person.token(), cloud.person("member").token()
    is_problem(ask(cloud, "GET", "/auth/tokens", token=token, subject=other), 403)
    is_problem(ask(cloud, "DELETE", "/auth/tokens", token=token, subject=other), 403)
    assert ask(cloud, "GET", "/auth/tokens", token=cloud.admin_token, subject=other).status_code == 200
    is_problem(ask(cloud, "GET", "/auth/tokens", token=cloud.admin_token, subject="junk"), 404)
    is_problem(ask(cloud, "GET", "/auth/tokens", token="junk", subject=other), 401)
    is_problem(ask(cloud, "GET", "/auth/tokens", subject=other), 401)
    assert ask(cloud, "DELETE", "/auth/tokens", token=other, subject=other).status_code == 204
    is_problem(ask(cloud, "GET", "/auth/tokens", token=other, subject=other), 401)
    is_problem(ask(cloud, "GET", "/auth/tokens", token=cloud.admin_token, subject=other), 404)


@pytest.mark.parametrize(
    ("auth", "status"),
    [
        ({"identity": {"methods": ["password"], "password": {"user": {"id": "ID", "password": "no"}}}}, 401),
        ({"identity": {"methods": ["password"], "password": {"user": {"id": "x", "password": "no"}}}}, 401),
        ({"identity": {"methods": ["password"]}}, 400),
        ({"identity": {"methods": []}}, 401),
        ({"identity": {}}, 400),
        ({}, 400),
        ({"identity": {"methods": ["carrier-pigeon"], "carrier-pigeon": {}}}, 401),
        ({"identity": {"methods": ["token"], "token": {"id": "junk"}}}, 404),
        (
            {
                "identity": {
                    "methods": ["password"],
                    "password": {"user": {"id": "ID", "password": "open sesame"}},
                },
                "scope": {"project": {"id": "nowhere"}},
            },
            401,
        ),
        (
            {
                "identity": {
                    "methods": ["application_credential"],
                    "application_credential": {"id": "x", "secret": "y"},
                }
            },
            404,
        ),
    ],
)
def test_what_gives_no_token(cloud: Cloud, person: Person, auth: Any, status: int) -> None:
    said = auth.get("identity", {}).get("password", {}).get("user", {})
    if said.get("id") == "ID":
        auth = {
            **auth,
            "identity": {**auth["identity"], "password": {"user": {**said, "id": person.user["id"]}}},
        }
    answer = ask(cloud, "POST", "/auth/tokens", json={"auth": auth})
    is_problem(answer, status)
    if status == 401:
        assert answer.headers["WWW-Authenticate"].startswith('Keystone uri="')


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"auth": 3}', b'"auth"', b'{"auth": {"identity": []}}'])
def test_bodies_that_are_none(cloud: Cloud, body: bytes) -> None:
    answer = ask(cloud, "POST", "/auth/tokens", content=body)
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize(
    ("who", "method", "path", "status"),
    [
        ("", "GET", "/users", 401),
        ("junk", "GET", "/users", 401),
        ("member", "GET", "/users", 403),
        ("member", "GET", "/projects", 403),
        ("member", "GET", "/domains", 403),
        ("member", "GET", "/roles", 403),
        ("member", "GET", "/role_assignments", 403),
        ("member", "GET", "/users/{user}", 200),
        ("member", "GET", "/users/{user}/projects", 200),
        ("member", "GET", "/users/{user}/application_credentials", 200),
        ("member", "GET", "/projects/{project}", 200),
        ("member", "GET", "/projects/{other}", 403),
        ("member", "GET", "/auth/projects", 200),
        ("member", "GET", "/auth/domains", 200),
        ("member", "GET", "/auth/catalog", 200),
        ("member", "DELETE", "/projects/{project}", 403),
        ("unscoped", "GET", "/auth/projects", 200),
        ("admin", "GET", "/users?name=admin", 200),
        ("admin", "GET", "/projects/{other}", 200),
        ("admin", "GET", "/projects/nowhere", 404),
        ("admin", "GET", "/users/nobody", 404),
        ("admin", "GET", "/roles", 200),
        ("admin", "GET", "/role_assignments?include_names", 200),
        ("admin", "GET", "/role_assignments?user.id={user}", 200),
        ("admin", "GET", "/services", 200),
        ("admin", "GET", "/endpoints", 200),
        ("admin", "GET", "/regions", 200),
        ("admin", "GET", "/domains/default", 200),
        ("admin", "PUT", "/projects/{project}/users/nobody/roles/nothing", 404),
        ("admin", "DELETE", "/users/nobody", 404),
    ],
)
def test_who_may_ask_what(
    cloud: Cloud, person: Person, other: dict[str, Any], *, who: str, method: str, path: str, status: int
) -> None:
    token = {
        "": lambda: "",
        "junk": lambda: "junk",
        "member": person.token,
        "unscoped": lambda: person.token("unscoped"),
        "admin": lambda: cloud.admin_token,
    }[who]()
    path = path.format(user=person.user["id"], project=person.project["id"], other=other["id"])
    answer = ask(cloud, method, path, token=token)
    if status >= 400:
        is_problem(answer, status)
    else:
        assert answer.status_code == status, answer.text


def test_assignments_and_what_they_come_to(cloud: Cloud) -> None:
    person = cloud.person("member")
    group = cloud.make("group", domain_id=person.domain["id"])
    cloud.call("PUT", f"/groups/{group['id']}/users/{person.user['id']}")
    manager = cloud.roles["manager"]
    cloud.call("PUT", f"/projects/{person.project['id']}/groups/{group['id']}/roles/{manager}")

    def roles(query: str) -> set[str]:
        found = cloud.call("GET", f"/role_assignments?include_names&{query}")["role_assignments"]
        assert all(given["scope"]["project"]["id"] == person.project["id"] for given in found)
        return {given["role"]["name"] for given in found}

    assert roles(f"user.id={person.user['id']}") == {"member"}
    assert roles(f"group.id={group['id']}") == {"manager"}
    assert roles(f"user.id={person.user['id']}&effective") == {"manager", "member", "reader"}
    assert roles(f"scope.project.id={person.project['id']}") == {"manager", "member"}
    assert roles(f"scope.project.id={person.project['id']}&role.id={manager}") == {"manager"}
    path = f"/projects/{person.project['id']}/users/{person.user['id']}/roles"
    assert [role["name"] for role in cloud.call("GET", path)["roles"]] == ["member"]
    assert ask(cloud, "HEAD", f"{path}/{cloud.roles['member']}", token=cloud.admin_token).status_code == 204
    assert ask(cloud, "HEAD", f"{path}/{manager}", token=cloud.admin_token).status_code == 404


def test_names_are_taken_once(cloud: Cloud) -> None:
    domain, elsewhere = cloud.make("domain"), cloud.make("domain")
    for kind in ("project", "user", "group"):
        first = cloud.make(kind, domain_id=domain["id"])
        same = {kind: {"name": first["name"], "domain_id": domain["id"]}}
        is_problem(ask(cloud, "POST", f"/{kind}s", token=cloud.admin_token, json=same), 409)
        cloud.make(kind, name=first["name"], domain_id=elsewhere["id"])
    is_problem(ask(cloud, "DELETE", f"/domains/{domain['id']}", token=cloud.admin_token), 403)
    cloud.call("PATCH", f"/domains/{domain['id']}", {"domain": {"enabled": False}})
    cloud.call("DELETE", f"/domains/{domain['id']}")


def test_things_look_the_same(cloud: Cloud, server: KeystoneProcess) -> None:
    domain = cloud.make("domain")
    project = cloud.make("project", domain_id=domain["id"])
    assert set(project) == {
        *("id", "name", "domain_id", "parent_id", "description", "enabled", "is_domain", "options", "tags"),
        "links",
    }
    assert project["links"] == {"self": f"{server.url}/projects/{project['id']}"}
    assert project["parent_id"] == domain["id"]
    user = cloud.make("user", domain_id=domain["id"], email="a@example.org", password="secret words")
    assert set(user) == {
        *("id", "name", "domain_id", "email", "enabled", "options", "password_expires_at", "links")
    }
    listed = cloud.call("GET", f"/users?domain_id={domain['id']}")
    assert [found["id"] for found in listed["users"]] == [user["id"]]
    assert set(listed["links"]) == {"self", "next", "previous"}
    assert [found["id"] for found in cloud.call("GET", f"/projects?name={project['name']}")["projects"]] == [
        project["id"]
    ]

"""A project of their own for some tests: people of every role, and a namespace that only they use."""

from __future__ import annotations

import secrets

import httpx
import msgspec

from tests.gateway import Gateway

ROLES = ("manager", "member", "reader")


class Project(msgspec.Struct):
    """A Keystone project, with a client for a person of each role."""

    gateway: Gateway
    name: str
    id: str
    manager: httpx.Client
    member: httpx.Client
    reader: httpx.Client
    user_ids: dict[str, str]
    """By role."""

    def client(self, role: str, product: str = "eks", **headers: str) -> httpx.Client:
        """Another client of a person."""
        return self.gateway.client(f"{self.name}-{role}", product, **headers)

    def namespace(self, name: str) -> None:
        """Make a namespace of the project."""
        base = {"name": name, "cluster_name": "eks"}
        answer = self.manager.post("/namespace/", json={"namespace": {"namespace_base": base}})
        assert answer.status_code == 200, answer.text


def make(gateway: Gateway, name: str) -> Project:
    """A new project without namespaces, in the embedded Keystone."""
    headers = {"X-Auth-Token": gateway.token("admin")}
    with httpx.Client(base_url=gateway.facts["identity_url"], headers=headers) as keystone:

        def created(kind: str, **fields: str) -> str:
            answer = keystone.post(f"/{kind}s", json={kind: {"domain_id": domain, **fields}})
            assert answer.status_code == 201, answer.text
            return str(answer.json()[kind]["id"])

        domain = keystone.get("/domains").json()["domains"][0]["id"]
        roles = {role["name"]: role["id"] for role in keystone.get("/roles").json()["roles"]}
        project = created("project", name=name)
        users = {}
        for role in ROLES:
            person, password = f"{name}-{role}", secrets.token_urlsafe()
            users[role] = created("user", name=person, password=password)
            granted = keystone.put(f"/projects/{project}/users/{users[role]}/roles/{roles[role]}")
            assert granted.status_code == 204
            gateway.users[person] = {
                "username": person,
                "password": password,
                "domain": "Default",
                "project_id": project,
            }
    manager, member, reader = (gateway.client(f"{name}-{role}") for role in ROLES)
    return Project(gateway, name, project, manager, member, reader, users)


def settled(gateway: Gateway, *namespaces: str) -> Project:
    """A new project, called as the first of its namespaces, which its people have chosen."""
    made = make(gateway, namespaces[0])
    for namespace in namespaces:
        made.namespace(namespace)
    for person in (made.manager, made.member, made.reader):
        person.headers.update({"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": namespaces[0]})
    return made

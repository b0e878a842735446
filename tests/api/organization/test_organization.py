"""Domains and projects, as each kind of person sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.gateway import Gateway


def test_a_member_sees_the_own_domain_and_project_alone(gateway: Gateway) -> None:
    user = gateway.users["developer"]
    body = gateway.client("developer").get("/organization/").json()
    assert [domain["domain_name"] for domain in body["domains_selector"]] == [user["domain"]]
    assert body["domains_selector"][0]["projects"] == [
        {"project_name": user["project"], "project_id": user["project_id"]}
    ]


def test_a_cloud_administrator_sees_all(gateway: Gateway) -> None:
    client = gateway.client("admin")
    domains = client.get("/organization/").json()["domains_selector"]
    ids = {project["project_id"] for domain in domains for project in domain["projects"]}
    assert ids >= {user["project_id"] for user in gateway.users.values()}
    listed = client.get("/projects/").json()
    assert {project["project_id"] for project in listed["projects"]} == ids
    page = client.get("/projects/", params={"page": 1, "page_size": 1, "name": "dem"})
    assert [project["project_name"] for project in page.json()["projects"]] == ["demo"]
    assert page.headers["X-Total-Count"] == "1"


def test_projects_are_for_administrators_and_only_of_eks(gateway: Gateway) -> None:
    assert gateway.client("developer").get("/projects/").status_code == 403
    assert gateway.client("admin", "hybrid").get("/projects/").status_code == 404
    assert gateway.client("developer", "hybrid").get("/organization/").status_code == 200

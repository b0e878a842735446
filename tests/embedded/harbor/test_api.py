"""What of the API was not recorded: labels, rules, users, metadata, logs, copies, lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.embedded.harbor.client import OCI

if TYPE_CHECKING:
    from tests.embedded.harbor.conftest import Running


def _made(harbor: Running, path: str, body: dict[str, object]) -> str:
    """Make something; the path of it."""
    answer = harbor.admin.api("POST", path, json=body)
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"].removeprefix("/api/v2.0")


def test_labels_and_the_artifacts_that_carry_them(harbor: Running) -> None:
    admin = harbor.admin
    admin.project("labelled")
    for tag in ("1.0", "2.0"):
        admin.push("labelled/app", tag)
    project = admin.told("GET", "/projects/labelled")["project_id"]
    everyone = _made(harbor, "/labels", {"name": "stable", "scope": "g", "color": "#00FF00"})
    theirs = _made(harbor, "/labels", {"name": "ours", "scope": "p", "project_id": project})
    again = admin.api("POST", "/labels", json={"name": "stable", "scope": "g"})
    assert again.status_code == 409
    assert admin.api("POST", "/labels", json={"name": "x", "scope": "q"}).status_code == 400
    shown = admin.told("GET", everyone)
    assert (shown["name"], shown["scope"], shown["color"]) == ("stable", "g", "#00FF00")
    artifact = "/projects/labelled/repositories/app/artifacts/1.0"
    for path in (everyone, theirs):
        identity = admin.told("GET", path)["id"]
        admin.told("POST", f"{artifact}/labels", json={"id": identity})
        assert admin.api("POST", f"{artifact}/labels", json={"id": identity}).status_code == 409
    named = admin.told("GET", f"{artifact}?with_label=true")["labels"]
    assert [label["name"] for label in named] == ["stable", "ours"]
    assert admin.told("GET", artifact)["labels"] is None
    found = admin.told("GET", f"/projects/labelled/repositories/app/artifacts?q=labels=({shown['id']})")
    assert [tag["name"] for item in found for tag in item["tags"]] == ["1.0"]
    admin.told("DELETE", f"{artifact}/labels/{shown['id']}")
    assert admin.api("DELETE", f"{artifact}/labels/{shown['id']}").status_code == 404
    admin.told("PUT", theirs, json={"name": "mine", "description": "d"})
    assert admin.told("GET", f"/labels?scope=p&project_id={project}")[0]["name"] == "mine"
    admin.told("DELETE", theirs)
    assert admin.told("GET", f"{artifact}?with_label=true")["labels"] is None
    other = admin.api("POST", f"{artifact}/labels", json={"id": 99})
    assert other.status_code == 404


def test_rules_for_immutable_tags(harbor: Running) -> None:
    admin = harbor.admin
    admin.project("fixed")
    admin.push("fixed/app", "v1")
    admin.push("fixed/app", "latest", "v1")
    rule = {
        "tag_selectors": [{"kind": "doublestar", "decoration": "excludes", "pattern": "latest"}],
        "scope_selectors": {
            "repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "a*"}]
        },
    }
    path = _made(harbor, "/projects/fixed/immutabletagrules", dict(rule))
    assert admin.api("POST", "/projects/fixed/immutabletagrules", json=rule).status_code == 409
    tags = "/projects/fixed/repositories/app/artifacts/v1/tags"
    assert admin.api("DELETE", f"{tags}/v1").status_code == 412
    body, media_type = (
        admin.pull("fixed/app", "v1").content,
        "application/vnd.docker.distribution.manifest.v2+json",
    )
    assert admin.put("fixed/app", "v1", body, media_type).status_code == 412
    assert admin.put("fixed/app", "latest", body, media_type).status_code == 201
    told = admin.told("GET", f"{tags}?with_immutable_status=true")
    assert {tag["name"]: tag["immutable"] for tag in told} == {"v1": True, "latest": False}
    admin.told("PUT", path, json={**rule, "disabled": True})
    admin.told("DELETE", f"{tags}/v1")
    assert len(admin.told("GET", "/projects/fixed/immutabletagrules")) == 1
    admin.told("DELETE", path)
    assert admin.api("DELETE", path).status_code == 404
    assert admin.api("POST", "/projects/fixed/immutabletagrules", json={}).status_code == 400


def test_a_profile_and_an_administrator(harbor: Running) -> None:
    user = harbor.user("profile")
    me = user.told("GET", "/users/current")["user_id"]
    profile = {"email": "new@example.com", "realname": "New", "comment": "c"}
    user.told("PUT", f"/users/{me}", json=profile)
    assert user.told("GET", f"/users/{me}") | profile == user.told("GET", "/users/current")
    assert user.api("PUT", f"/users/{me}", json={"email": "none", "realname": "x"}).status_code == 400
    assert user.api("PUT", "/users/1", json=profile).status_code == 403
    assert user.api("GET", "/system/gc").status_code == 403
    harbor.admin.told("PUT", f"/users/{me}/sysadmin", json={"sysadmin_flag": True})
    assert user.api("GET", "/system/gc").status_code == 200
    assert user.api("PUT", f"/users/{me}/sysadmin", json={"sysadmin_flag": False}).status_code == 403
    everything = user.told("GET", "/users/current/permissions?scope=/project/1")
    assert {"action": "push", "resource": "/project/1/repository"} in everything
    harbor.admin.told("DELETE", f"/users/{me}")
    assert user.api("GET", "/users/current").status_code == 401


def test_metadata_of_a_project(harbor: Running) -> None:
    admin = harbor.admin
    admin.project("meta")
    admin.told("POST", "/projects/meta/metadatas/", 201, json={"auto_scan": "true"})
    assert admin.told("GET", "/projects/meta/metadatas/") == {"auto_scan": "true", "public": "false"}
    assert admin.api("PUT", "/projects/meta/metadatas/auto_scan", json={"severity": "low"}).status_code == 400
    admin.told("DELETE", "/projects/meta/metadatas/auto_scan")
    assert admin.told("GET", "/projects/meta/metadatas/auto_scan") == {}


def test_who_did_what(harbor: Running) -> None:
    admin = harbor.admin
    admin.project("logged", public=True)
    admin.push("logged/app", "1.0")
    admin.pull("logged/app", "1.0")
    told = admin.told("GET", "/projects/logged/logs?q=operation=pull")
    assert [(item["resource"], item["username"]) for item in told] == [("logged/app:1.0", "admin")]
    user = harbor.user("reader")
    assert user.api("GET", "/projects/logged/logs").status_code == 403
    assert user.told("GET", "/audit-logs") == []
    mine = user.api("POST", "/projects", json={"project_name": "readers"})
    assert mine.status_code == 201
    assert [item["resource"] for item in user.told("GET", "/audit-logs")] == ["readers"]
    assert len(admin.told("GET", "/audit-logs?page_size=3")) == 3


def test_a_private_artifact_is_not_copied_by_those_who_may_not_read_it(harbor: Running) -> None:
    harbor.admin.project("hidden")
    harbor.admin.push("hidden/app", "1.0")
    user = harbor.user("copier")
    assert user.api("POST", "/projects", json={"project_name": "copier"}).status_code == 201
    path = "/projects/copier/repositories/app/artifacts"
    assert user.api("POST", f"{path}?from=hidden/app:1.0").status_code == 403
    assert user.api("POST", path).status_code == 422
    harbor.admin.told("PUT", "/projects/hidden", json={"metadata": {"public": "true"}})
    assert user.api("POST", f"{path}?from=hidden/app:1.0").status_code == 201
    assert user.pull("copier/app", "1.0").status_code == 200


def test_a_tag_moves_and_its_artifact_stays(harbor: Running) -> None:
    admin = harbor.admin
    first = admin.push("library/moves", "latest", "first")
    second = admin.push("library/moves", "latest", "second")
    listed = admin.told("GET", "/projects/library/repositories/moves/artifacts")
    assert [(item["digest"], item["tags"] is None) for item in listed] == [(second, False), (first, True)]
    untagged = admin.told("GET", "/projects/library/repositories/moves/artifacts?q=tags=nil")
    assert [item["digest"] for item in untagged] == [first]


@pytest.mark.parametrize("page_size", [1, 7, 100])
def test_pages_hold_everything_once(harbor: Running, page_size: int) -> None:
    admin = harbor.admin
    if admin.api("HEAD", "/projects?project_name=paged").status_code == 404:
        admin.project("paged")
        for number in range(15):
            admin.push("paged/app", f"v{number}", media_type=OCI)
    found: list[str] = []
    path = f"/projects/paged/repositories/app/artifacts?page_size={page_size}&sort=-push_time"
    while path:
        answer = admin.api("GET", path)
        assert answer.headers["X-Total-Count"] == "15"
        found += [tag["name"] for item in answer.json() for tag in item["tags"]]
        links = [link for link in answer.headers.get("Link", "").split(" , ") if 'rel="next"' in link]
        path = links[0].partition(">")[0].removeprefix("</api/v2.0") if links else ""
    assert found == [f"v{number}" for number in reversed(range(15))]

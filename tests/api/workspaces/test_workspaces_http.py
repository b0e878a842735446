"""Workspaces, as the people of two projects see them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import msgspec
import pytest

from ecns.api.common.batches import Batch
from ecns.api.workspaces.types import OneWorkspace, Removed, Workspace, WorkspaceDetail
from tests.api.answers import refused, told
from tests.api.registry import World


class Listed(msgspec.Struct, forbid_unknown_fields=True):
    harbor_projects: list[Workspace]
    total: int
    page: int
    page_size: int


def names(client: httpx.Client, **params: Any) -> list[str]:
    answer = client.get("/images/harbor_projects/", params=params)
    listed = told(answer, Listed)
    assert answer.headers["X-Total-Count"] == str(listed.total)
    return [one.harbor_project_name for one in listed.harbor_projects]


def test_a_workspace_belongs_to_the_project_that_made_it(world: World) -> None:
    body = {"harbor_project_name": "made.here_1", "public": "false"}
    made = told(world.ours.member.post("/images/harbor_project", json=body), OneWorkspace).harbor_project
    assert made.harbor_project_name == "made.here_1"
    assert made.public == "false"
    assert made.image_count == 0
    assert made.creation_time.endswith("Z")
    assert made.domain_project_info.openstack_project_name == "images-ours"
    assert made.domain_project_info.domain_name == "Default"
    for client in (world.ours.reader, world.ours.manager, world.admin):
        shown = told(client.get("/images/harbor_project/made.here_1"), WorkspaceDetail)
        assert shown.harbor_project == made
        assert shown.images == []
    refused(world.theirs.manager.get("/images/harbor_project/made.here_1"), 404)
    assert "made.here_1" not in names(world.theirs.manager)
    assert "made.here_1" in names(world.ours.reader)


@pytest.mark.parametrize("public", ["true", "TRUE", True])
def test_public_workspaces_are_everybodys_to_see_and_nobodys_to_change(world: World, public: Any) -> None:
    name = f"open-{str(public).lower()}-{isinstance(public, str)}-{public == 'TRUE'}".lower()
    body = {"harbor_project_name": name, "public": public}
    told(world.ours.member.post("/images/harbor_project", json=body), OneWorkspace)
    shown = told(world.theirs.reader.get(f"/images/harbor_project/{name}"), WorkspaceDetail)
    assert shown.harbor_project.public == "true"
    assert shown.harbor_project.domain_project_info.openstack_project_name == "images-ours"
    assert name in names(world.theirs.reader)
    refused(world.theirs.manager.put(f"/images/harbor_project/{name}", json={"public": "false"}), 403)
    answer = world.theirs.manager.request(
        "DELETE", "/images/harbor_project/", json={"harbor_projects": [name]}
    )
    refused(answer, 403)


def test_access_changes_what_others_see(world: World) -> None:
    name = world.workspace()
    answer = world.ours.member.put(
        f"/images/harbor_project/{name}", json={"public": "true"}, params={"dry_run": "true"}
    )
    assert told(answer, OneWorkspace).harbor_project.public == "true"
    refused(world.theirs.reader.get(f"/images/harbor_project/{name}"), 404)
    answer = world.ours.member.put(f"/images/harbor_project/{name}", json={"public": "true"})
    assert told(answer, OneWorkspace).harbor_project.public == "true"
    told(world.theirs.reader.get(f"/images/harbor_project/{name}"), WorkspaceDetail)
    told(world.ours.member.put(f"/images/harbor_project/{name}", json={"public": False}), OneWorkspace)
    refused(world.theirs.reader.get(f"/images/harbor_project/{name}"), 404)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Upper",
        "-a",
        "a-",
        "a..b",
        "a__b",
        "a.-b",
        "a/b",
        "a b",
        "a:b",
        "a%b",
        "工作",
        "a" * 256,
        "..",
        "a\n",
    ],
)
def test_names_that_cannot_be(world: World, name: str) -> None:
    body = {"harbor_project_name": name, "public": "false"}
    said = refused(
        world.ours.member.post("/images/harbor_project", json=body), 400, field="harbor_project_name"
    )
    assert "is not a name" in said


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"public": "false"}, "harbor_project_name"),
        ({"harbor_project_name": "a"}, "public"),
        ({"harbor_project_name": "a", "public": "yes"}, "public"),
        ({"harbor_project_name": "a", "public": None}, "public"),
        ({"harbor_project_name": 7, "public": "true"}, "harbor_project_name"),
        ([], ""),
    ],
)
def test_bodies_that_cannot_be(world: World, body: Any, field: str) -> None:
    refused(world.ours.member.post("/images/harbor_project", json=body), 400, field=field)


def test_a_name_can_be_digits_or_as_long_as_harbor_takes(world: World) -> None:
    for name in ("20261128", "x" * 255):
        body = {"harbor_project_name": name, "public": "false"}
        told(world.ours.member.post("/images/harbor_project", json=body), OneWorkspace)
        assert (
            told(
                world.ours.member.get(f"/images/harbor_project/{name}"), WorkspaceDetail
            ).harbor_project.harbor_project_name
            == name
        )
        answer = world.ours.member.request(
            "DELETE", "/images/harbor_project/", json={"harbor_projects": [name]}
        )
        told(answer, Batch[Removed])


def test_a_name_is_taken_once_in_the_whole_cloud(world: World) -> None:
    name = world.workspace(world.theirs)
    body = {"harbor_project_name": name, "public": "false"}
    for params in ({}, {"dry_run": "true"}):
        said = refused(world.ours.member.post("/images/harbor_project", json=body, params=params), 409)
        assert "exists already" in said
        assert "theirs" not in said
    eks = world.ours.project
    assert eks.member.get(f"/resources/HarborProject/{name}/").json() == {"existence": True}
    assert eks.reader.get(f"/resources/harborproject/{name}/").json() == {"existence": False}
    assert eks.member.get("/resources/HarborProject/nothing-here/").json() == {"existence": False}
    assert eks.member.get("/resources/HarborProject/Not a name/").json() == {"existence": False}
    assert eks.reader.get("/resources/HarborProject/library/").json() == {"existence": True}


def test_a_dry_run_makes_nothing(world: World) -> None:
    body = {"harbor_project_name": "never", "public": "true"}
    answer = world.ours.member.post("/images/harbor_project", json=body, params={"dry_run": "true"})
    assert told(answer, OneWorkspace).harbor_project.domain_project_info.openstack_project_name
    refused(world.ours.member.get("/images/harbor_project/never"), 404)


def test_several_who_want_one_name_at_once(world: World) -> None:
    body = {"harbor_project_name": "contested", "public": "false"}
    clients = [world.ours.member, world.theirs.member] * 4
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda one: one.post("/images/harbor_project", json=body), clients))
    statuses = [answer.status_code for answer in answers]
    assert sorted(statuses) == [200] + [409] * 7
    winner = clients[statuses.index(200)]
    loser = next(client for client in clients if client is not winner)
    told(winner.get("/images/harbor_project/contested"), WorkspaceDetail)
    refused(loser.get("/images/harbor_project/contested"), 404)


def test_listing_pages_sorts_and_filters(world: World) -> None:
    made = sorted(world.workspace() for _ in range(4))
    found = [name for name in names(world.ours.member) if name in made]
    assert sorted(found) == made
    assert names(world.ours.member, name=made[0]) == [made[0]]
    pages = [names(world.ours.member, page=page, page_size=2, sort_by="name") for page in range(1, 50)]
    everything = [name for page in pages for name in page]
    assert everything == sorted(names(world.ours.member))
    assert names(world.ours.member, sort_by="name", order="desc") == everything[::-1]
    refused(world.ours.member.get("/images/harbor_projects/?sort_by=nonsense"), 400, field="sort_by")
    refused(world.ours.member.get("/images/harbor_projects/?page=0"), 400, field="page")


def test_all_is_for_cloud_administrators(world: World) -> None:
    private = world.workspace(world.theirs)
    everything = names(world.admin)
    assert private in everything
    assert names(world.admin, all="true") == everything
    assert private not in names(world.admin, all="false")
    assert names(world.ours.member, all="false") == names(world.ours.member)
    refused(world.ours.manager.get("/images/harbor_projects/?all=true"), 403)
    refused(world.admin.get("/images/harbor_projects/?all=perhaps"), 400)


def test_what_was_made_in_harbor_itself(world: World) -> None:
    made = world.harbor.post("/projects", json={"project_name": "by-hand", "metadata": {"public": "false"}})
    assert made.status_code == 201
    id_ = made.headers["Location"].rpartition("/")[2]
    refused(world.ours.manager.get("/images/harbor_project/by-hand"), 404)
    shown = told(world.admin.get("/images/harbor_project/by-hand"), WorkspaceDetail).harbor_project
    assert shown.domain_project_info.openstack_project_name == ""
    assert "library" in names(world.ours.reader)
    refused(world.ours.manager.put("/images/harbor_project/library", json={"public": "true"}), 403)
    body = {"harbor_project_name": "by-hand", "public": "false"}
    refused(world.ours.member.post("/images/harbor_project", json=body), 409)
    # Linked as docs/images.md says; ids alone are enough.
    robot = {
        "name": f"ecns.workspace.{id_}",
        "level": "system",
        "duration": -1,
        "description": world.ours.project.id,
        "disable": False,
        "permissions": [
            {
                "kind": "project",
                "namespace": "by-hand",
                "access": [{"resource": "repository", "action": "pull"}],
            }
        ],
    }
    assert world.harbor.post("/robots", json=robot).status_code == 201

    def linked() -> bool:
        return world.ours.reader.get("/images/harbor_project/by-hand").status_code == 200

    _eventually(linked)
    refused(world.theirs.manager.get("/images/harbor_project/by-hand"), 404)
    told(world.ours.member.put("/images/harbor_project/by-hand", json={"public": "false"}), OneWorkspace)


def _eventually(check: Callable[[], bool]) -> None:
    from tests.gateway import eventually  # noqa: PLC0415  only here

    eventually(check)


def test_deleting_says_what_is_in_it_and_takes_it_along_by_force(world: World) -> None:
    empty, full = world.workspace(), world.workspace()
    world.image(full, "app")
    world.image(full, "deep/er")
    delete = {"harbor_projects": [full]}
    answer = world.ours.member.request("DELETE", "/images/harbor_project/", json=delete)
    said = refused(answer, 409)
    assert "2 images: app, deep/er" in said
    assert answer.json()["details"]["images"] == ["app", "deep/er"]
    answer = world.ours.member.request(
        "DELETE", "/images/harbor_project/", json={"harbor_projects": [empty, full, "nothing-here"]}
    )
    batch = told(answer, Batch[Removed], 207)
    assert [one.name for one in batch.succeed] == [empty]
    assert [(one.name, one.code) for one in batch.failed] == [(full, 409), ("nothing-here", 404)]
    answer = world.ours.member.request(
        "DELETE", "/images/harbor_project/", json=delete, params={"force": "true", "dry_run": "true"}
    )
    assert told(answer, Batch[Removed]).succeed[0].result == Removed(images=["app", "deep/er"])
    told(world.ours.member.get(f"/images/harbor_project/{full}"), WorkspaceDetail)
    answer = world.ours.member.request(
        "DELETE", "/images/harbor_project/", json=delete, params={"force": "true"}
    )
    told(answer, Batch[Removed])
    refused(world.ours.member.get(f"/images/harbor_project/{full}"), 404)
    robots = {one["name"] for one in world.harbor.get("/robots?page_size=100").json()}
    projects = {one["project_id"] for one in world.harbor.get("/projects?page_size=100").json()}
    links = [int(name.rpartition(".")[2]) for name in robots if "ecns.workspace." in name]
    assert set(links) <= projects
    # The name is free, for anybody, and brings nothing along.
    body = {"harbor_project_name": full, "public": "false"}
    told(world.theirs.member.post("/images/harbor_project", json=body), OneWorkspace)
    refused(world.ours.member.get(f"/images/harbor_project/{full}"), 404)


def test_showing_pages_the_images(world: World) -> None:
    name = world.workspace()
    for image in ("b", "a", "c"):
        world.image(name, image)
    shown = told(world.ours.reader.get(f"/images/harbor_project/{name}"), WorkspaceDetail)
    assert [one.name for one in shown.images] == ["c", "a", "b"]
    assert shown.harbor_project.image_count == 3
    page = told(
        world.ours.reader.get(f"/images/harbor_project/{name}?page=2&page_size=2&sort_by=name"),
        WorkspaceDetail,
    )
    assert [one.name for one in page.images] == ["c"]
    assert (page.total, page.page, page.page_size) == (3, 2, 2)


def test_only_of_the_product_type_image_and_with_a_token(world: World) -> None:
    eks = world.ours.project.member
    assert eks.get("/images/harbor_projects/").status_code == 404
    nobody = world.gateway.client(product="image")
    refused(nobody.get("/images/harbor_projects/"), 401)
    refused(nobody.post("/images/harbor_project", json={}), 401)
    body = {"harbor_project_name": "readers", "public": "false"}
    refused(world.ours.reader.post("/images/harbor_project", json=body), 403)


def test_a_repeated_creation_with_a_key_answers_the_same(world: World) -> None:
    body = {"harbor_project_name": "keyed", "public": "false"}
    answers = [
        world.ours.member.post("/images/harbor_project", json=body, headers={"Idempotency-Key": "w"})
        for _ in range(2)
    ]
    assert answers[0].content == answers[1].content
    assert answers[1].headers["Idempotency-Replayed"] == "true"


def _claimed(world: World, name: str, project_id: str) -> None:
    """As ECNS leaves it when it is killed after it has written down what it is about to make."""
    robot = {
        "name": f"ecns.making.{hashlib.sha256(name.encode()).hexdigest()[:32]}",
        "level": "system",
        "duration": -1,
        "description": json.dumps({"project_id": project_id}),
        "disable": False,
        "permissions": [
            {"kind": "system", "namespace": "/", "access": [{"resource": "catalog", "action": "read"}]}
        ],
    }
    assert world.harbor.post("/robots", json=robot).status_code == 201


@pytest.mark.parametrize("made", [False, True])
def test_what_was_cut_off_is_completed_by_the_repeat(world: World, made: bool) -> None:  # noqa: FBT001
    name = f"cut-off-{made}".lower()
    _claimed(world, name, world.ours.project.id)
    if made:
        body = {"project_name": name, "metadata": {"public": "true"}}
        assert world.harbor.post("/projects", json=body).status_code == 201
    body = {"harbor_project_name": name, "public": "false"}
    said = refused(world.theirs.member.post("/images/harbor_project", json=body), 409)
    assert "being made" in said
    shown = told(world.ours.member.post("/images/harbor_project", json=body), OneWorkspace).harbor_project
    assert shown.public == "false"
    refused(world.theirs.member.post("/images/harbor_project", json=body), 409)
    refused(world.theirs.member.get(f"/images/harbor_project/{name}"), 404)
    assert not [one for one in world.harbor.get("/robots?page_size=100").json() if "making" in one["name"]]


def test_a_claim_takes_nothing_that_was_there_before(world: World) -> None:
    body = {"project_name": "there-before", "metadata": {"public": "false"}}
    assert world.harbor.post("/projects", json=body).status_code == 201
    _claimed(world, "there-before", world.ours.project.id)
    mine = {"harbor_project_name": "there-before", "public": "false"}
    refused(world.ours.member.post("/images/harbor_project", json=mine), 409)
    refused(world.ours.member.get("/images/harbor_project/there-before"), 404)

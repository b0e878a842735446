"""Images and their versions, as the people of two projects see them."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec
import pytest

from ecns.api.common.batches import Batch
from ecns.api.images.types import CollectionStatus, ImageBase, ImageInfo, Storage, TagInfo
from tests.api.answers import refused, told
from tests.api.images.upload import making
from tests.api.registry import World
from tests.gateway import eventually


class Images(msgspec.Struct, forbid_unknown_fields=True):
    images: list[ImageBase]
    total: int
    page: int
    page_size: int


class Tags(msgspec.Struct, forbid_unknown_fields=True):
    tags: list[TagInfo]
    total: int
    page: int
    page_size: int


def listed(client: httpx.Client, **params: Any) -> Images:
    answer = client.get("/images/repositories/", params=params)
    found = told(answer, Images)
    assert answer.headers["X-Total-Count"] == str(found.total)
    return found


def of(found: Images, *workspaces: str) -> list[str]:
    return [
        f"{one.harbor_project_name}/{one.name}"
        for one in found.images
        if one.harbor_project_name in workspaces
    ]


def deleted(client: httpx.Client, path: str, body: Any, **params: str) -> httpx.Response:
    return client.request("DELETE", path, json=body, params=params)


def test_public_private_and_all(world: World) -> None:
    ours, ours_open = world.workspace(), world.workspace(public=True)
    theirs, theirs_open = world.workspace(world.theirs), world.workspace(world.theirs, public=True)
    for name in (ours, ours_open):
        world.image(name)
    for name in (theirs, theirs_open):
        answer = world.upload(name, client=world.theirs.member)
        assert answer.status_code == 200, answer.text
    mine = (ours, ours_open, theirs, theirs_open)
    public = [f"{theirs_open}/app", f"{ours_open}/app"]
    assert of(listed(world.ours.reader, public="true"), *mine) == public
    assert of(listed(world.ours.reader, public="false"), *mine) == [f"{ours}/app"]
    assert of(listed(world.ours.reader), *mine) == [public[0], public[1], f"{ours}/app"]
    assert of(listed(world.admin), *mine) == [public[0], f"{theirs}/app", public[1], f"{ours}/app"]
    assert of(listed(world.admin, public="false"), *mine) == [f"{theirs}/app", f"{ours}/app"]
    shown = listed(world.ours.reader, public="true").images[0]
    assert shown.public == "true"
    assert shown.domain_project_info.openstack_project_name == "images-theirs"
    assert shown.tags_count == 1
    for either in ("all", "All", ""):
        assert of(listed(world.ours.reader, public=either), *mine) == of(listed(world.ours.reader), *mine)
    refused(world.ours.reader.get("/images/repositories/?public=maybe"), 400)


def test_pages_have_totals_and_cost_the_page(world: World) -> None:
    name = world.workspace()
    for image in ("b", "a", "c"):
        world.image(name, image)
    everything = listed(world.ours.member)
    assert everything.total == len(everything.images)
    pages = [
        listed(world.ours.member, page=page, page_size=2) for page in range(1, everything.total // 2 + 2)
    ]
    assert [one.id for page in pages for one in page.images] == [one.id for one in everything.images]
    assert {page.total for page in pages} == {everything.total}
    assert of(everything, name) == [f"{name}/c", f"{name}/a", f"{name}/b"]
    assert of(listed(world.ours.member, order="asc", page=1, page_size=500), name)[0] == f"{name}/b"
    by_name = listed(world.ours.member, sort_by="name", page=1, page_size=500)
    assert of(by_name, name) == [f"{name}/a", f"{name}/b", f"{name}/c"]
    # By the image's name: all of them have the workspace's before it, to Harbor.
    assert of(listed(world.ours.member, name=name), name) == []
    world.image(name, "rare/thing")
    assert of(listed(world.ours.member, name="rare/thi"), name) == [f"{name}/rare/thing"]


def test_another_projects_private_workspace_is_not_there_in_any_operation(world: World) -> None:
    name = world.workspace()
    world.image(name, "app")
    stranger = world.theirs.manager
    image, missing = f"/images/repositories/{name}/app", "/images/repositories/nothing-here/app"
    calls: list[tuple[str, str, Any]] = [
        ("GET", "{}", None),
        ("GET", "{}/tags/", None),
        ("PUT", "{}", {"description": "taken"}),
        ("DELETE", "{}/tags/", {"tags": ["1"]}),
    ]
    for method, path, body in calls:
        answers = [stranger.request(method, path.format(one), json=body) for one in (image, missing)]
        said = [refused(answer, 404).replace(name, "X").replace("nothing-here", "X") for answer in answers]
        assert said[0] == said[1], "what is hidden looks like what is not there"
    one = {"harbor_project_name": name, "image_name": "app"}
    refused(deleted(stranger, "/images/repositories/", {"images": [one]}), 404)
    refused(world.upload(name, client=stranger), 404)
    refused(world.upload("nothing-here", client=stranger), 404)
    refused(stranger.get(f"/images/harbor_project/{name}"), 404)
    refused(stranger.put(f"/images/harbor_project/{name}", json={"public": "true"}), 404)
    refused(deleted(stranger, "/images/harbor_project/", {"harbor_projects": [name]}, force="true"), 404)
    assert of(listed(stranger), name) == []
    told(world.ours.reader.get(image), ImageInfo)


def test_a_public_workspace_of_another_project_is_read_and_not_changed(world: World) -> None:
    name = world.workspace(public=True)
    world.image(name, "app")
    stranger, path = world.theirs.manager, f"/images/repositories/{name}/app"
    told(stranger.get(path), ImageInfo)
    assert told(stranger.get(f"{path}/tags/"), Tags).total == 1
    refused(stranger.put(path, json={"description": "x"}), 403)
    refused(deleted(stranger, f"{path}/tags/", {"tags": ["1"]}), 403)
    one = {"harbor_project_name": name, "image_name": "app"}
    refused(deleted(stranger, "/images/repositories/", {"images": [one]}), 403)
    refused(world.upload(name, client=stranger), 403)
    told(deleted(world.admin, f"{path}/tags/", {"tags": ["1"]}), Batch[None])


@pytest.mark.parametrize("slash", ["%2F", "%2f", "%252F"])
def test_names_with_slashes(world: World, slash: str) -> None:
    name = world.workspace()
    world.image(name, "deep/er/app", "1.0")
    path = f"/images/repositories/{name}/deep{slash}er{slash}app"
    assert told(world.ours.reader.get(path), ImageInfo).image_base.name == "deep/er/app"
    (tag,) = told(world.ours.reader.get(f"{path}/tags/"), Tags).tags
    assert tag.pull_command == f"docker pull {world.domain}/{name}/deep/er/app:1.0"
    told(world.ours.member.put(path, json={"description": "x"}), ImageInfo)
    told(deleted(world.ours.member, f"{path}/tags/", {"tags": ["1.0"]}), Batch[None])


@pytest.mark.parametrize("name", ["Upper", "a b", "-a", "a%2F..%2Fb", "%2E%2E%2Fb", "a%00", "a:1", "a" * 300])
def test_names_that_no_image_has_are_not_there(world: World, name: str) -> None:
    workspace = world.workspace()
    for path in (
        f"/images/repositories/{workspace}/{name}",
        f"/images/repositories/{workspace}/{name}/tags/",
    ):
        # As it is: clients tidy paths with dots.
        request = httpx.Request(
            "GET", f"{world.gateway.url}/api/ecns/image{path}", headers=world.ours.reader.headers
        )
        refused(world.ours.reader.send(request), 404)


def test_versions(world: World) -> None:
    name = world.workspace()
    first = world.image(name, "app", "1")
    assert world.image(name, "app", "latest") == first
    second = world.image(name, "app", "2", layers=[making.layer(a=b"two")])
    found = told(world.ours.reader.get(f"/images/repositories/{name}/app/tags/"), Tags)
    assert [(one.tag_name, one.digest) for one in found.tags] == [
        ("2", second),
        ("latest", first),
        ("1", first),
    ]
    tag = found.tags[0]
    assert tag.docker_version == "24.0.7"
    assert tag.architecture == "amd64"
    assert tag.pull_command == f"docker pull {world.domain}/{name}/app:2"
    assert tag.size > 0
    assert tag.creation_time.endswith("Z")
    page = world.ours.reader.get(f"/images/repositories/{name}/app/tags/?page=2&page_size=2")
    assert [one.tag_name for one in told(page, Tags).tags] == ["1"]
    assert page.headers["X-Total-Count"] == "3"
    info = told(world.ours.reader.get(f"/images/repositories/{name}/app"), ImageInfo)
    assert info.image_base.tags_count == 3
    assert info.size >= found.tags[0].size + found.tags[1].size
    assert info.pull_count == 0, "what ECNS reads is no pull"
    refused(world.ours.reader.get(f"/images/repositories/{name}/other/tags/"), 404)
    refused(world.ours.reader.get(f"/images/repositories/{name}/other"), 404)


def test_an_image_for_several_platforms(world: World) -> None:
    name = world.workspace()
    layout = making.Layout()
    index = layout.index(
        [layout.image(), layout.image([making.layer(b=b"arm")], platform="arm64")], **making.named("multi:1")
    )
    answer = world.upload(name, layout.done(index))
    assert answer.status_code == 200, answer.text
    (tag,) = told(world.ours.reader.get(f"/images/repositories/{name}/multi/tags/"), Tags).tags
    assert tag.architecture == "amd64,arm64"


DESCRIPTION = (
    "# Title <b>&amp; \"quoted\" 'single' \\ back\n\n* a\n\t* tab\r\n| a | b |\n"
    "  é 中文 😀 %2F {x} \u2028 <script>alert(1)</script>"
)


def test_descriptions_are_kept_as_they_are_written(world: World) -> None:
    name = world.workspace()
    world.image(name)
    path = f"/images/repositories/{name}/app"
    answer = world.ours.member.put(path, json={"description": DESCRIPTION})
    assert told(answer, ImageInfo).image_base.description == DESCRIPTION
    assert told(world.ours.reader.get(path), ImageInfo).image_base.description == DESCRIPTION
    (shown,) = [one for one in listed(world.ours.reader).images if one.harbor_project_name == name]
    assert shown.description == DESCRIPTION
    answer = world.ours.member.put(path, json={"description": "x"}, params={"dry_run": "true"})
    assert told(answer, ImageInfo).image_base.description == "x"
    assert told(world.ours.reader.get(path), ImageInfo).image_base.description == DESCRIPTION
    told(world.ours.member.put(path, json={"description": ""}), ImageInfo)
    assert told(world.ours.reader.get(path), ImageInfo).image_base.description == ""


@pytest.mark.parametrize(
    "body",
    [{}, {"description": None}, {"description": 7}, {"description": "a\0"}, {"description": "x" * 70_000}],
)
def test_descriptions_that_cannot_be(world: World, body: Any) -> None:
    name = world.workspace()
    world.image(name)
    refused(world.ours.member.put(f"/images/repositories/{name}/app", json=body), 400, field="description")


def test_describing_what_is_not_there(world: World) -> None:
    refused(
        world.ours.member.put(f"/images/repositories/{world.workspace()}/app", json={"description": ""}), 404
    )


def test_deleting_images_answers_for_each(world: World) -> None:
    name = world.workspace()
    for image in ("a", "b", "c/d"):
        world.image(name, image)

    def images(*names: str) -> dict[str, Any]:
        return {"images": [{"harbor_project_name": name, "image_name": one} for one in names]}

    answer = deleted(
        world.ours.member, "/images/repositories/", images("a", "nothing", "c/d"), dry_run="true"
    )
    batch = told(answer, Batch[None], 207)
    assert [one.name for one in batch.succeed] == [f"{name}/a", f"{name}/c/d"]
    answer = deleted(world.ours.member, "/images/repositories/", images("a", "nothing", "c/d", "Not a name"))
    batch = told(answer, Batch[None], 207)
    assert [one.name for one in batch.succeed] == [f"{name}/a", f"{name}/c/d"]
    assert [one.code for one in batch.failed] == [404, 404]
    assert of(listed(world.ours.reader), name) == [f"{name}/b"]
    refused(deleted(world.ours.member, "/images/repositories/", images("a")), 404)
    refused(deleted(world.ours.member, "/images/repositories/", {"images": [{"image_name": "a"}]}), 400)
    refused(deleted(world.ours.reader, "/images/repositories/", images("b")), 403)


def test_deleting_versions_takes_what_has_none_left(world: World) -> None:
    name = world.workspace()
    first = world.image(name, "app", "1")
    world.image(name, "app", "2")
    other = world.image(name, "app", "3", layers=[making.layer(a=b"three")])
    path = f"/images/repositories/{name}/app/tags/"
    answer = deleted(world.ours.member, path, {"tags": ["1", "nothing", "3"]}, dry_run="true")
    assert [one.name for one in told(answer, Batch[None], 207).succeed] == ["1", "3"]
    answer = deleted(world.ours.member, path, {"tags": ["1", "nothing", "3", "-bad"]})
    batch = told(answer, Batch[None], 207)
    assert [one.name for one in batch.succeed] == ["1", "3"]
    assert [(one.name, one.code) for one in batch.failed] == [("nothing", 404), ("-bad", 404)]
    artifacts = world.harbor.get(f"/projects/{name}/repositories/app/artifacts").json()
    assert [one["digest"] for one in artifacts] == [first]
    assert other != first
    assert [one.tag_name for one in told(world.ours.reader.get(path), Tags).tags] == ["2"]
    told(deleted(world.ours.member, path, {"tags": ["2"]}), Batch[None])
    assert told(world.ours.reader.get(path), Tags).tags == []
    assert world.harbor.get(f"/projects/{name}/repositories/app/artifacts").json() == []
    refused(deleted(world.ours.member, path.replace("app", "other"), {"tags": ["2"]}), 404)


def test_immutable_versions_stay(world: World) -> None:
    name = world.workspace()
    world.image(name, "app", "1.0")
    rule = {
        "disabled": False,
        "action": "immutable",
        "template": "immutable_template",
        "priority": 0,
        "scope_selectors": {
            "repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]
        },
        "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": "1.*"}],
    }
    assert world.harbor.post(f"/projects/{name}/immutabletagrules", json=rule).status_code == 201
    path = f"/images/repositories/{name}/app"
    said = refused(deleted(world.ours.member, f"{path}/tags/", {"tags": ["1.0"]}), 409)
    assert "immutable" in said
    one = {"harbor_project_name": name, "image_name": "app"}
    refused(deleted(world.ours.member, "/images/repositories/", {"images": [one]}), 409)
    refused(
        deleted(world.ours.member, "/images/harbor_project/", {"harbor_projects": [name]}, force="true"), 409
    )
    answer = world.upload(name, making.saved([making.layer(x=b"other")]), image_name="app", tag_name="1.0")
    assert "immutable" in refused(answer, 409)


def test_storage(world: World) -> None:
    space = told(world.ours.reader.get("/images/systeminfo/volumes"), Storage).storage
    assert 0 < space.free < space.total


def test_garbage_collection_starts_stops_and_tells_no_parameters(world: World) -> None:
    path = "/images/system/gc/schedule"
    assert told(world.ours.reader.get(path), CollectionStatus).job_status == "finished"
    refused(world.ours.manager.post(path, json={"type": "Manual"}), 403)
    for body in ({}, {"type": "manual"}, {"type": "Daily"}, {"type": None}):
        refused(world.admin.post(path, json=body), 400, field="type")
    assert told(world.admin.post(path, json={"type": "None"}), CollectionStatus).job_status == "finished"
    answer = world.admin.post(path, json={"type": "Manual"}, params={"dry_run": "true"})
    assert told(answer, CollectionStatus).job_status == "finished"
    answer = world.admin.post(path, json={"type": "Manual"})
    assert answer.json() == {"job_status": "pending"}
    refused(world.admin.post(path, json={"type": "Manual"}), 409)
    eventually(lambda: world.ours.reader.get(path).json() == {"job_status": "finished"}, seconds=60)
    told(world.admin.post(path, json={"type": "Manual"}), CollectionStatus)
    assert world.admin.post(path, json={"type": "None"}).json() == {"job_status": "finished"}

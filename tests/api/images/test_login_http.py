"""Login information: an account of the project, for `docker login`."""

from __future__ import annotations

import base64
import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import which

import httpx
import pytest

from ecns.api.images.types import LoginInfo
from tests.api.answers import refused, told
from tests.api.images.upload import making
from tests.api.project import make
from tests.api.registry import People, World


def info(people: People) -> LoginInfo:
    return told(people.member.get("/images/loginfo/"), LoginInfo)


def granted(world: World, login: LoginInfo, repository: str) -> list[str]:
    """What the registry lets the account do."""
    url = str(world.harbor.base_url).replace("/api/v2.0/", "/service/token")
    answer = httpx.get(
        url,
        params={"service": "harbor-registry", "scope": f"repository:{repository}:pull,push,delete"},
        auth=(login.username, login.password),
    )
    assert answer.status_code == 200
    payload = answer.json()["token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return sorted(action for one in claims["access"] for action in one["actions"])


def test_everybody_of_a_project_is_told_the_same_account(world: World) -> None:
    own, other = world.workspace(), world.workspace(world.theirs)
    login = info(world.ours)
    assert login == told(world.ours.manager.get("/images/loginfo/"), LoginInfo)
    assert world.ours.project.id in login.username
    assert login.harbor_domain == world.domain
    assert login.public_vip == world.domain.rpartition(":")[0]
    ends = datetime.fromisoformat(login.expires_at)
    assert timedelta(days=29) < ends - datetime.now(UTC) < timedelta(days=31)
    said = world.gateway.facts["harbor"]
    assert said["password"] not in login.password
    assert login.username != said["username"]
    assert granted(world, login, f"{own}/app") == ["pull", "push"]
    assert granted(world, login, f"{other}/app") == []
    theirs = info(world.theirs)
    assert theirs.username != login.username
    assert granted(world, theirs, f"{other}/app") == ["pull", "push"]
    assert granted(world, theirs, f"{own}/app") == []


def test_a_workspace_that_is_made_later_can_be_pushed_to_at_once(world: World) -> None:
    world.workspace()
    login = info(world.ours)
    later = world.workspace()
    assert granted(world, login, f"{later}/app") == ["pull", "push"]


def test_the_account_is_no_administrator(world: World) -> None:
    world.workspace()
    login = info(world.ours)
    answer = httpx.get(
        f"{world.harbor.base_url}robots", auth=(login.username, login.password), headers={"Accept": "*/*"}
    )
    assert answer.status_code in {401, 403}


def test_a_secret_that_somebody_changed_is_set_again(world: World) -> None:
    world.workspace()
    login = info(world.ours)
    (robot,) = [
        one for one in world.harbor.get("/robots?page_size=100").json() if one["name"] == login.username
    ]
    changed = world.harbor.patch(f"/robots/{robot['id']}", json={"secret": "Other-secret1"})
    assert changed.status_code == 200
    again = info(world.ours)
    assert again == login
    assert granted(world, again, f"{world.workspace()}/a") == ["pull", "push"]
    assert login.password not in robot["description"]


def test_an_account_that_was_disabled_stays_so(world: World) -> None:
    world.workspace(world.theirs)
    login = info(world.theirs)
    (robot,) = [
        one for one in world.harbor.get("/robots?page_size=100").json() if one["name"] == login.username
    ]
    assert world.harbor.put(f"/robots/{robot['id']}", json={**robot, "disable": True}).status_code == 200
    assert "disabled" in refused(world.theirs.member.get("/images/loginfo/"), 403)
    assert world.harbor.delete(f"/robots/{robot['id']}").status_code == 200
    assert info(world.theirs).password != login.password


def test_who_may_not_push_is_told_nothing(world: World) -> None:
    world.workspace()
    refused(world.ours.reader.get("/images/loginfo/"), 403)
    newcomers = make(world.gateway, "images-newcomers").client("member", "image")
    said = refused(newcomers.get("/images/loginfo/"), 409)
    assert "no workspace" in said


@pytest.mark.skipif(which("skopeo") is None, reason="no skopeo here")
def test_skopeo_logs_in_and_pushes(world: World, tmp_path: Path) -> None:
    name = world.workspace()
    login = info(world.ours)
    archive = tmp_path / "image.tar"
    archive.write_bytes(making.tar(making.saved()))
    command = [
        *("skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false"),
        *("--dest-creds", f"{login.username}:{login.password}"),
        *(f"docker-archive:{archive}", f"docker://{world.domain}/{name}/pushed:1"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert world.ours.reader.get(f"/images/repositories/{name}/pushed").status_code == 200
    other = world.workspace(world.theirs)
    done = subprocess.run(
        [*command[:-1], f"docker://{world.domain}/{other}/pushed:1"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode != 0

"""Harbor beside the gateway, and people of two projects who try each other's workspaces."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import httpx
import msgspec

from tests.api.images.upload import making
from tests.api.project import Project, make

if TYPE_CHECKING:
    from tests.gateway import Gateway

_numbers = itertools.count()


class People(msgspec.Struct):
    """Clients of the product type `image`."""

    project: Project
    manager: httpx.Client
    member: httpx.Client
    reader: httpx.Client


class World:
    """Two projects, the cloud's administrator, and Harbor itself."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.ours = self._people(make(gateway, "images-ours"))
        self.theirs = self._people(make(gateway, "images-theirs"))
        self.admin = gateway.client("admin", "image")
        said = gateway.facts["harbor"]
        self.domain: str = said["domain"]
        self.harbor = httpx.Client(
            base_url=f"{said['url']}/api/v2.0",
            auth=(said["username"], said["password"]),
            event_hooks={"request": [_without_cookies]},
        )

    def _people(self, project: Project) -> People:
        manager, member, reader = (project.client(role, "image") for role in ("manager", "member", "reader"))
        return People(project, manager, member, reader)

    def workspace(self, people: People | None = None, *, public: bool = False) -> str:
        """A new workspace of somebody's, ours by default."""
        name = f"ws-{next(_numbers)}"
        body = {"harbor_project_name": name, "public": "true" if public else "false"}
        made = (people or self.ours).member.post("/images/harbor_project", json=body)
        assert made.status_code == 200, made.text
        return name

    def upload(
        self,
        workspace: str,
        files: dict[str, Any] | bytes | None = None,
        client: httpx.Client | None = None,
        **fields: str,
    ) -> httpx.Response:
        """Upload an archive, ours by default."""
        content = files if isinstance(files, bytes) else making.tar(files or making.saved())
        return (client or self.ours.member).post(
            "/images/upload_image/",
            data={"harbor_project_name": workspace, **fields},
            files={"image": ("image.tar", content)},
        )

    def image(self, workspace: str, name: str = "app", tag: str = "1", **more: Any) -> str:
        """An image in a workspace; its digest."""
        answer = self.upload(workspace, making.saved(**more), image_name=name, tag_name=tag)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["images"][0]["digest"])

    def close(self) -> None:
        """Close what was opened."""
        self.harbor.close()


def _without_cookies(request: httpx.Request) -> None:
    """Harbor refuses changes of whoever sends its cookie back."""
    request.headers.pop("Cookie", None)

"""Heat's Orchestration API, as far as ECNS asks it.

Source: https://docs.openstack.org/api-ref/orchestration/v1/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from ecns.backends.openstack.service import Service, named
from ecns.errors import BadRequestError, ConflictError


class Output(msgspec.Struct, frozen=True):
    """A value that a template names as its result."""

    output_key: str
    output_value: Any = None


class Stack(msgspec.Struct, frozen=True, kw_only=True):
    """A stack; `stack_status` is an action and how it went, such as CREATE_COMPLETE or UPDATE_FAILED."""

    id: str
    stack_name: str
    stack_status: str
    stack_status_reason: str = ""
    description: str | None = None
    creation_time: str | None = None
    updated_time: str | None = None
    deletion_time: str | None = None
    """Set once it is gone."""
    parent: str | None = None
    """The id of the stack that it is a part of."""
    tags: list[str] | None = None
    parameters: dict[str, Any] = {}
    """In the detail alone."""
    outputs: list[Output] = []
    """In the detail alone."""


class Link(msgspec.Struct, frozen=True):
    """Where something is; `rel` says what."""

    href: str
    rel: str


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """A thing that a stack is made of."""

    resource_name: str
    resource_type: str
    resource_status: str
    resource_status_reason: str | None = None
    physical_resource_id: str | None = None
    parent_resource: str | None = None
    links: list[Link] = []


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A step of what Heat did with a resource, or with a whole stack under its name."""

    event_time: str
    resource_name: str
    resource_status: str


class _Stack(msgspec.Struct):
    stack: Stack


class _Events(msgspec.Struct):
    events: list[Event]


class _Identity(msgspec.Struct):
    id: str


class _Made(msgspec.Struct):
    stack: _Identity


class _Resources(msgspec.Struct):
    resources: list[Resource]


class Heat(Service):
    """Stacks of the token's project. They are made by Heat after it has answered."""

    where = "Heat"
    types = ("orchestration",)
    version = re.compile(r"/v1/\w+$")
    default_version = ""

    async def stacks(self, token: str, **filters: str) -> list[Stack]:
        """The stacks; `filters` are Heat's, such as `name` or `tags`."""
        return await self._pages(token, "/stacks", "stacks", list[Stack], query=filters.items())

    async def inside(self, token: str, owner_id: str) -> list[Stack]:
        """The stacks that a stack has made as its parts, those that are gone too."""
        query = [("show_nested", "true"), ("show_deleted", "true"), ("owner_id", owner_id)]
        found = await self._pages(token, "/stacks", "stacks", list[Stack], query=query)
        return [one for one in found if one.parent == owner_id]

    async def last_event(self, token: str, name: str, stack_id: str, depth: int = 0) -> Event | None:
        """What happened last to a stack, and to those inside of it, `depth` stacks deep.

        Raises:
            NotFoundError: there is no such stack.
        """
        query = [("limit", "1"), ("sort_dir", "desc")]
        query += [("nested_depth", str(depth))] if depth else []
        found = await self._get(token, f"{_path(name, stack_id)}/events", _Events, query=query)
        return found.events[0] if found.events else None

    async def stack(self, token: str, name: str, stack_id: str) -> Stack:
        """One stack with its parameters and outputs.

        Raises:
            NotFoundError: there is none.
        """
        return (await self._get(token, _path(name, stack_id), _Stack)).stack

    async def template(self, token: str, name: str, stack_id: str) -> dict[str, Any]:
        """What a stack is made by.

        Raises:
            NotFoundError: there is no such stack.
        """
        return await self._get(token, f"{_path(name, stack_id)}/template", dict[str, Any])

    async def create(self, token: str, name: str, template: Mapping[str, Any], **fields: Any) -> str:
        """Let Heat make a stack; its id. `fields` are Heat's, such as `parameters`, `tags`, `timeout_mins`.

        Raises:
            BadRequestError: the template or a parameter is wrong.
            ConflictError: a stack has the name.
        """
        body = {"stack_name": name, "template": template, **fields}
        answer = await self._send("POST", token, "/stacks", body=body)
        return self._wire.decoded(answer, _Made).stack.id

    async def preview(self, token: str, name: str, template: Mapping[str, Any], **fields: Any) -> None:
        """See whether Heat would make a stack; as `create`, of which nothing is made."""
        body = {"stack_name": name, "template": template, **fields}
        await self._send("POST", token, "/stacks/preview", body=body)

    async def update(self, token: str, name: str, stack_id: str, **fields: Any) -> None:
        """Let Heat change a stack; what is not sent stays.

        Raises:
            BadRequestError: the template or a parameter is wrong.
            ConflictError: something is being done with it.
            NotFoundError: there is none.
        """
        try:
            await self._send("PATCH", token, _path(name, stack_id), body=fields)
        except BadRequestError as error:
            if error.details.get("reason") == "NotSupported":  # "when it is deleting"
                raise ConflictError(error.message, details=error.details) from error
            raise

    async def preview_update(self, token: str, name: str, stack_id: str, **fields: Any) -> None:
        """See whether Heat would change a stack; as `update`, and nothing is changed."""
        await self._send("PATCH", token, f"{_path(name, stack_id)}/preview", body=fields)

    async def delete(self, token: str, name: str, stack_id: str) -> None:
        """Let Heat remove a stack and all that it made.

        Raises:
            NotFoundError: there is none.
        """
        await self._send("DELETE", token, _path(name, stack_id))

    async def resources(self, token: str, name: str, stack_id: str, depth: int = 0) -> list[Resource]:
        """What a stack is made of, `depth` stacks deep.

        Raises:
            NotFoundError: there is no such stack.
        """
        query = [("nested_depth", str(depth))] if depth else []
        path = f"{_path(name, stack_id)}/resources"
        return (await self._get(token, path, _Resources, query=query)).resources

    async def mark_unhealthy(self, token: str, resource: Resource, reason: str) -> None:
        """Let Heat know that a resource is not as it is to be: the next update makes another one.

        Raises:
            NotFoundError: there is no such resource.
            ConflictError: something is being done with it.
        """
        stack = next((one.href for one in resource.links if one.rel == "stack"), "")
        path = stack[stack.find("/stacks/") :] if "/stacks/" in stack else "/stacks/-/-"
        body = {"mark_unhealthy": True, "resource_status_reason": reason}
        await self._send("PATCH", token, f"{path}/resources/{named(resource.resource_name)}", body=body)


def _path(name: str, stack_id: str) -> str:
    return f"/stacks/{named(name)}/{named(stack_id)}"

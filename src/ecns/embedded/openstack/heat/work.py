"""What is made, changed and removed for a stack, and in which order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING

from ecns.embedded.openstack.errors import ProblemError
from ecns.embedded.openstack.heat import template as templates
from ecns.embedded.openstack.heat.documents import new_record
from ecns.embedded.openstack.heat.errors import FailedError
from ecns.embedded.openstack.heat.events import Events, Told
from ecns.embedded.openstack.heat.resources import TYPES
from ecns.embedded.openstack.heat.resources.group import Nested, TemplateResource

if TYPE_CHECKING:
    from ecns.embedded.openstack.heat.engine import Engine
    from ecns.embedded.openstack.heat.functions import Scope
    from ecns.embedded.openstack.heat.resources.base import Resource
    from ecns.embedded.openstack.heat.template import Template
    from ecns.embedded.openstack.store import Body

POLL_SECONDS = 0.05
Step = Callable[[str], Awaitable[None]]


class Work:
    """Does what an engine has begun.

    Args:
        engine: reads the stacks, and works on those inside of others.
        events: is told of each step.
    """

    def __init__(self, engine: Engine, events: Events) -> None:
        self.engine = engine
        self.events = events

    async def make_all(self, stack: Body) -> None:
        """Make all that the template says."""
        template = self.engine.template(stack)
        scope = self.engine.scope(stack, template, self.engine.parameters(stack, template))
        names = self.engine.wanted(template, scope)
        await _in_order(names, template.needs, lambda name: self._make(stack, template, scope, name))

    async def _make(self, stack: Body, template: Template, scope: Scope, name: str) -> None:
        record = stack["resources"].setdefault(name, new_record(template.resources[name]["type"]))
        self.events.progress(stack, name, record, "CREATE")
        async with Told(self.events, stack, name, record, "CREATE"):
            resource = self.engine.resource(stack, name, template)
            properties = self.engine.properties(resource, template, scope)
            record["properties"] = properties
            await _until(lambda: self._given(resource, resource.create(properties)))
            self.engine.store.save("stacks", stack)
            await _until(resource.created)

    @staticmethod
    def _given(resource: Resource, physical: str | None) -> bool:
        """Whether a resource has been made; its id is kept."""
        if physical is None:
            return False
        resource.record["physical"] = physical
        return True

    async def change_all(self, stack: Body, before: Body) -> None:
        """Make what is there what the template says; `before` is the one that it was made by."""
        template, old = self.engine.template(stack), templates.read(before)
        scope = self.engine.scope(stack, template, self.engine.parameters(stack, template))
        names = self.engine.wanted(template, scope)
        await _in_order(names, template.needs, lambda name: self._change(stack, template, scope, name, old))
        await self._remove_replaced(stack)
        await self._remove(stack, [name for name in stack["resources"] if name not in names], old)

    async def _remove_replaced(self, stack: Body) -> None:
        """Remove what others have taken the place of; what needs another goes before it."""
        while stack["replaced"]:
            name, record = stack["replaced"][-1]
            await self._remove_one(stack, self._old(stack, name, record), name, record)
            stack["replaced"].pop()
            self.engine.store.save("stacks", stack)

    async def _change(
        self,
        stack: Body,
        template: Template,
        scope: Scope,
        name: str,
        old: Template,
    ) -> None:
        record = stack["resources"].get(name)
        if record is None or not record["physical"]:
            await self._make(stack, template, scope, name)
            return
        resource = self.engine.resource(stack, name, template)
        try:
            properties = self.engine.properties(resource, template, scope)
        except ProblemError as error:
            raise FailedError(error.kind or "StackValidationFailed", error.message).within(name) from error
        schema = self.engine.schema(resource) or {}
        keys = set(properties) | set(record["properties"])
        changed = {
            key: properties.get(key) for key in keys if properties.get(key) != record["properties"].get(key)
        }
        nested = isinstance(resource, Nested)
        other = record["type"] != template.resources[name]["type"]
        broken = record["status"] == "FAILED" and not nested
        differs = nested and isinstance(resource, Nested) and resource.differs(properties)
        if not changed and not other and not broken and not differs:
            return
        again = getattr(resource, "replaces", lambda _: False)(changed)
        if other or broken or again or any(key in schema and schema[key].fixed for key in changed):
            if not _retained(old, name):
                stack["replaced"].append([name, record])  # kept, so that it goes even if this is cut off
            getattr(self._old(stack, name, record), "give_way", lambda: None)()
            stack["resources"][name] = new_record(template.resources[name]["type"])
            await self._make(stack, template, scope, name)
            return
        self.events.progress(stack, name, record, "UPDATE")
        async with Told(self.events, stack, name, record, "UPDATE"):
            await _until(lambda: resource.update(changed, properties))
            record["properties"] = properties
            await _until(resource.created)

    def _old(self, stack: Body, name: str, record: Body) -> Resource:
        kind = TYPES.get(stack["registry"].get(record["type"], record["type"]), TemplateResource)
        return kind(self.engine, stack, name, record)

    async def remove_all(self, stack: Body) -> None:
        """Remove all that is there."""
        steps = {
            "there": lambda: self._remove(stack, list(stack["resources"]), self.engine.template(stack)),
            "replaced": lambda: self._remove_replaced(stack),
        }
        # Side by side: a server that was replaced may have what is still there, and the other way round.
        await _in_order(steps, lambda _: set(), lambda name: steps[name]())
        for inner in self.engine.store.all("stacks"):
            if inner["parent"] == stack["id"] and inner["gone"]:
                self.engine.store.delete("stacks", inner["id"])

    async def _remove(self, stack: Body, names: list[str], template: Template) -> None:
        """Remove resources, those that need others first."""

        def needed_by(name: str) -> set[str]:
            return {other for other in template.resources if name in template.needs(other)} & set(names)

        async def step(name: str) -> None:
            record = stack["resources"].get(name)
            if record is None:
                return
            if record["physical"] and not _retained(template, name):
                await self._remove_one(stack, self._old(stack, name, record), name, record)
            stack["resources"].pop(name, None)
            self.engine.store.save("stacks", stack)

        await _in_order(names, needed_by, step)

    async def _remove_one(self, stack: Body, resource: Resource, name: str, record: Body) -> None:
        self.events.progress(stack, name, record, "DELETE")
        async with Told(self.events, stack, name, record, "DELETE"):
            await _until(resource.delete)
            await _until(resource.deleted)

    async def act_all(self, stack: Body, action: str) -> None:
        """Suspend, resume or check all that is there."""
        template = self.engine.template(stack)
        names = [name for name in stack["resources"] if name in template.resources]

        def after(name: str) -> set[str]:
            if action != "suspend":
                return template.needs(name) & set(names)
            return {other for other in names if name in template.needs(other)}

        async def step(name: str) -> None:
            record = stack["resources"][name]
            if not record["physical"]:
                return
            resource = self.engine.resource(stack, name, template)
            self.events.progress(stack, name, record, action.upper())
            async with Told(self.events, stack, name, record, action.upper()) as told:
                if action == "check":
                    if not resource.checks:
                        told.reason = f"CHECK not supported for {record['type']}"
                    resource.check()
                    return
                resource.act(action)
                await _until(lambda: resource.acted(action))

        await _in_order(names, after, step)


async def _until(step: Callable[[], bool]) -> None:
    """Try a step until it is done: the services of a real Heat are asked in the same way."""
    while not step():  # noqa: ASYNC110  nobody would set an event
        await asyncio.sleep(POLL_SECONDS)


async def _in_order(names: Iterable[str], needs: Callable[[str], set[str]], step: Step) -> None:
    """Do a step for each name, after those for what it needs; the first that fails ends all."""
    names = list(names)
    done = {name: asyncio.Event() for name in names}

    async def one(name: str) -> None:
        for other in needs(name):
            if other in done:
                await done[other].wait()
        await step(name)
        done[name].set()

    tasks = [asyncio.get_running_loop().create_task(one(name)) for name in names]
    try:
        if tasks:
            finished, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in finished:
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _retained(template: Template, name: str) -> bool:
    """Whether a resource is left when it is no longer of the stack."""
    policy = template.resources.get(name, {}).get("deletion_policy", "Delete")
    return bool(policy.lower() == "retain")

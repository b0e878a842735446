"""The engine: what is made, changed and removed for a stack, in which order, and how that goes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Self

from ecns.embedded.openstack.callers import Caller
from ecns.embedded.openstack.errors import ProblemError
from ecns.embedded.openstack.heat import template as templates
from ecns.embedded.openstack.heat.errors import FailedError, invalid
from ecns.embedded.openstack.heat.functions import LATER, Scope, references, resolve, walk
from ecns.embedded.openstack.heat.properties import Names, Property, Schema, checked
from ecns.embedded.openstack.heat.resources import TYPES
from ecns.embedded.openstack.heat.resources.base import Resource
from ecns.embedded.openstack.heat.resources.group import Nested, TemplateResource
from ecns.embedded.openstack.heat.resources.heat import NoneResource
from ecns.embedded.openstack.service import new_id, now

if TYPE_CHECKING:
    from ecns.embedded.openstack.cloud import Cloud
    from ecns.embedded.openstack.heat.template import Template
    from ecns.embedded.openstack.store import Body

_log = logging.getLogger(__name__)
POLL_SECONDS = 0.05
MOST_OF_EVENTS = 2000
MOST_OF_DEPTH = 5
Step = Callable[[str], Awaitable[None]]
_CONSTRAINTS = {
    "nova.flavor": "flavor",
    "glance.image": "image",
    "nova.keypair": "key",
    "neutron.network": "network",
    "neutron.subnet": "subnet",
    "neutron.port": "port",
    "neutron.router": "router",
    "cinder.vtype": "type",
    "cinder.volume": "volume",
    "cinder.snapshot": "snapshot",
}


class Engine:
    """Works on stacks; each has at most one task.

    Args:
        cloud: where everything is made.
    """

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.store = cloud.store
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def resume(self) -> None:
        """What was under way has failed: nobody knows how far it came."""
        for stack in self.store.all("stacks"):
            if stack["status"] == "IN_PROGRESS":
                stack["failure"] = None
                self._state(
                    stack, stack["action"], "FAILED", f"Engine went down during stack {stack['action']}"
                )

    def caller(self, stack: Body) -> Caller:
        """Whoever made a stack."""
        roles = frozenset(stack["roles"])
        return Caller(stack["user_id"], stack["user"], stack["project_id"], roles=roles)

    # Looking

    def template(self, stack: Body) -> Template:
        """A stack's template."""
        return templates.read(stack["template"])

    def parameters(self, stack: Body, template: Template) -> Body:
        """The values of a stack's parameters, with those that every stack has."""
        own = {
            "OS::stack_id": stack["id"],
            "OS::stack_name": stack["name"],
            "OS::project_id": stack["project_id"],
        }
        return own | templates.values(template, stack["given"])

    def type_of(self, stack: Body, name: str, template: Template) -> tuple[type[Resource], Body | None]:
        """A resource's type, and the template that it is if it is one.

        Raises:
            ProblemError: 400, there is no such type.
        """
        asked = template.resources[name]["type"]
        asked = stack["registry"].get(asked, asked)
        if asked in TYPES:
            return TYPES[asked], None
        if asked in stack["files"]:
            if stack["depth"] >= MOST_OF_DEPTH:
                raise invalid(f"Recursion depth exceeds {MOST_OF_DEPTH}.", "RequestLimitExceeded")
            return TemplateResource, templates.read(stack["files"][asked]).body
        raise invalid(f"The Resource Type ({asked}) could not be found.")

    def resource(self, stack: Body, name: str, template: Template | None = None) -> Resource:
        """A resource, as it is kept."""
        template = template or self.template(stack)
        record = stack["resources"].get(name) or new_record(template.resources.get(name, {}).get("type", ""))
        kind, body = self.type_of(stack, name, template)
        found = kind(self, stack, name, record)
        if isinstance(found, TemplateResource):
            found.body = body or {}
        return found

    def schema(self, resource: Resource) -> Schema | None:
        """The properties that a resource may have; None: any."""
        if isinstance(resource, NoneResource):
            return None
        if isinstance(resource, TemplateResource):
            inner = resource.body.get("parameters") or {}
            return {name: Property(object, required="default" not in about) for name, about in inner.items()}
        return resource.schema

    def scope(self, stack: Body, template: Template, parameters: Body, *, draft: bool = False) -> Scope:
        """What the values of a template may refer to; in a draft nothing is there yet."""

        def parameter(name: str) -> Any:
            if name not in parameters:
                raise invalid(f"The Parameter ({name}) was not provided.", "UserParameterMissing")
            return parameters[name]

        def reference(name: str) -> Any:
            return LATER if draft else self.resource(stack, name, template).reference()

        def attribute(name: str, path: list[Any]) -> Any:
            if draft:
                return LATER
            if not (stack["resources"].get(name) or {}).get("physical"):
                return None
            found = self.resource(stack, name, template).attribute(str(path[0]), path[1:])
            resource = template.resources[name]["type"]
            group = resource == "OS::Heat::ResourceGroup"
            whole = group and (str(path[0]) == "attributes" or str(path[0]) not in {"refs", "refs_map"})
            return found if whole else walk(found, path[1:])

        def file(name: str) -> str:
            if name not in stack["files"]:
                raise invalid(
                    f'No content found in the "files" section for get_file path: {name}',
                    "InvalidTemplateAttribute",
                )
            return str(stack["files"][name])

        def condition(value: Any) -> bool:
            if isinstance(value, str):
                if value not in template.conditions:
                    raise invalid(f'Invalid condition "{value}"', "InvalidConditionReference")
                value = template.conditions[value]
            return bool(resolve(value, scope))

        scope = Scope(parameter, reference, attribute, file, condition)
        return scope

    def wanted(self, template: Template, scope: Scope) -> list[str]:
        """The resources whose conditions hold."""
        return [
            name
            for name, about in template.resources.items()
            if "condition" not in about or scope.condition(about["condition"])
        ]

    def properties(
        self, resource: Resource, template: Template, scope: Scope, *, step: str = "", named: bool = True
    ) -> Body:
        """A resource's properties, checked.

        Args:
            resource: whose.
            template: where they are.
            scope: what they may refer to.
            step: what comes before `resources` in refusals.
            named: whether what they name must be there.

        Raises:
            ProblemError: 400, one is wrong.
        """
        path = (
            f"{step}resources[{resource.name}]"
            if resource.name.isdigit()
            else f"{step}resources.{resource.name}"
        )
        values = {}
        for key, value in (template.resources[resource.name].get("properties") or {}).items():
            try:
                values[key] = resolve(value, scope)
            except ProblemError as error:
                raise invalid(
                    f"Property error: {path}.properties.{key}: {error.message}",
                    error.kind if error.kind == "InvalidTemplate" else "StackValidationFailed",
                ) from error
        schema = self.schema(resource)
        if schema is None:
            return values
        names = Names(self.cloud, resource.caller) if named else None
        return checked(schema, values, path, names)

    def validate(self, stack: Body, step: str = "", *, strict: bool = True) -> None:
        """Refuse what cannot be made, as far as that is known before.

        Raises:
            ProblemError: 400.
        """
        template = self.template(stack)
        parameters = self.parameters(stack, template)
        if strict:
            self._constraints(stack, template, parameters)
        scope = self.scope(stack, template, parameters, draft=True)
        for name in self.wanted(template, scope):
            resource = self.resource(stack, name, template)
            properties = self.properties(resource, template, scope, step=step, named=strict)
            resource.validate(properties)
        for name, output in template.outputs.items():
            self._check_attributes(stack, template, f"outputs.{name}.value", output["value"])
            resolve(output["value"], scope)
        for name, about in template.resources.items():
            self._check_attributes(stack, template, f"resources.{name}.properties", about.get("properties"))

    def _constraints(self, stack: Body, template: Template, parameters: Body) -> None:
        names = Names(self.cloud, self.caller(stack))
        for name, about in template.parameters.items():
            for constraint in about.get("constraints") or []:
                kind = _CONSTRAINTS.get(str(constraint.get("custom_constraint")))
                if kind and parameters[name] and (problem := names.problem(kind, parameters[name])):
                    said = f"Error validating value '{parameters[name]}': {problem}"
                    raise invalid(f"Parameter '{name}' is invalid: {said}")

    def _check_attributes(self, stack: Body, template: Template, where: str, value: Any) -> None:
        for function, name, _ in references(value):
            if function != "get_attr":
                continue
            kind, _ = self.type_of(stack, name, template)
            if not kind.attributes or issubclass(kind, Nested | NoneResource):
                continue
            for attribute in _attributes_of(value, name):
                if attribute not in kind.attributes:
                    raise invalid(
                        f"{where}.get_attr: The Referenced Attribute ({name} {attribute}) is incorrect."
                    )

    def outputs(self, stack: Body) -> Body:
        """The values of a stack's outputs; None where one is not known."""
        template = self.template(stack)
        scope = self.scope(stack, template, self.parameters(stack, template))
        found = {}
        for name, output in template.outputs.items():
            try:
                found[name] = resolve(output["value"], scope)
            except ProblemError:
                found[name] = None
        return found

    # Beginning

    def draft(self, parent: Body, name: str, template: Body, given: Body) -> Body:
        """A stack inside of another, not begun."""
        keys = ("project_id", "user_id", "user", "roles", "files", "registry", "timeout")
        about = {key: parent[key] for key in keys}
        return new_stack(
            name, template, given, **about, parent=parent["id"], owner=name, depth=parent["depth"] + 1
        )

    def create(self, stack: Body) -> None:
        """Begin to make a stack."""
        template = self.template(stack)
        scope = self.scope(stack, template, self.parameters(stack, template), draft=True)
        for name in self.wanted(template, scope):
            stack["resources"][name] = new_record(template.resources[name]["type"])
        self.store.save("stacks", stack)
        self._begin(stack, "CREATE", lambda: self._make_all(stack))

    def update(self, stack: Body, template: Body, given: Body) -> None:
        """Begin to change a stack."""
        self.cancel(stack)
        before = {"template": stack["template"], "given": stack["given"]}
        stack |= {"template": template, "given": given, "updated": now(), "before": before}
        self._begin(stack, "UPDATE", lambda: self._change_all(stack, before["template"]))

    def delete(self, stack: Body) -> None:
        """Begin to remove a stack."""
        self.cancel(stack)
        self._begin(stack, "DELETE", lambda: self._remove_all(stack))

    def act(self, stack: Body, action: str) -> None:
        """Begin to suspend, resume or check a stack."""
        self.cancel(stack)
        self._begin(stack, action.upper(), lambda: self._act_all(stack, action))

    def cancel(self, stack: Body) -> None:
        """Let go of what is being done with a stack, and with those inside of it."""
        if (task := self._tasks.pop(stack["id"], None)) is not None:
            task.cancel()
        for record in stack["resources"].values():
            if (inner := self.store.get("stacks", record["physical"])) is not None:
                self.cancel(inner)

    def _begin(self, stack: Body, action: str, work: Callable[[], Awaitable[None]]) -> None:
        stack["failure"] = None
        self._state(stack, action, "IN_PROGRESS", f"Stack {action} started")
        task = asyncio.get_running_loop().create_task(self._do(stack, action, work))
        self._tasks[stack["id"]] = task
        self.cloud.tasks.add(task)
        task.add_done_callback(self.cloud.tasks.discard)

    async def _do(self, stack: Body, action: str, work: Callable[[], Awaitable[None]]) -> None:
        minutes = stack["timeout"]
        try:
            async with asyncio.timeout(minutes * 60 if minutes else None):
                await work()
        except FailedError as error:
            stack["failure"] = [error.kind, error.message, error.path]
            self._state(stack, action, "FAILED", f"Resource {action} failed: {error.reason()}")
        except TimeoutError:
            self._state(stack, action, "FAILED", f"{action.capitalize()} timed out")
        except Exception as error:  # noqa: BLE001  a fault of ours must not leave a stack pending
            _log.exception("%s of %s failed", action, stack["name"])
            self._state(stack, action, "FAILED", f"Resource {action} failed: {type(error).__name__}: {error}")
        else:
            if action == "DELETE":
                stack["gone"] = now()
            self._state(stack, action, "COMPLETE", f"Stack {action} completed successfully")
            if action == "DELETE" and stack["parent"]:
                self.store.delete("stacks", stack["id"])
            return
        if action in {"CREATE", "UPDATE"} and not stack["disable_rollback"] and not stack["parent"]:
            await self._roll_back(stack, action)

    async def _roll_back(self, stack: Body, action: str) -> None:
        for record in stack["resources"].values():
            if (inner := self.store.get("stacks", record["physical"])) is not None:
                self.cancel(inner)
        self._state(stack, "ROLLBACK", "IN_PROGRESS", "Stack ROLLBACK started")
        try:
            if action == "CREATE":
                await self._remove_all(stack)
            else:
                failed = stack["template"]
                stack |= stack["before"]
                await self._change_all(stack, failed)
        except FailedError as error:
            self._state(stack, "ROLLBACK", "FAILED", f"Resource ROLLBACK failed: {error.reason()}")
        else:
            self._state(stack, "ROLLBACK", "COMPLETE", "Stack ROLLBACK completed successfully")

    # Doing

    async def _make_all(self, stack: Body) -> None:
        template = self.template(stack)
        scope = self.scope(stack, template, self.parameters(stack, template))
        names = self.wanted(template, scope)
        await _in_order(names, template.needs, lambda name: self._make(stack, template, scope, name))

    async def _make(self, stack: Body, template: Template, scope: Scope, name: str) -> None:
        record = stack["resources"].setdefault(name, new_record(template.resources[name]["type"]))
        self._progress(stack, name, record, "CREATE")
        async with _Told(self, stack, name, record, "CREATE"):
            resource = self.resource(stack, name, template)
            properties = self.properties(resource, template, scope)
            record["properties"] = properties
            await _until(lambda: self._given(resource, resource.create(properties)))
            self.store.save("stacks", stack)
            await _until(resource.created)

    @staticmethod
    def _given(resource: Resource, physical: str | None) -> bool:
        """Whether a resource has been made; its id is kept."""
        if physical is None:
            return False
        resource.record["physical"] = physical
        return True

    async def _change_all(self, stack: Body, before: Body) -> None:
        template, old = self.template(stack), templates.read(before)
        scope = self.scope(stack, template, self.parameters(stack, template))
        names = self.wanted(template, scope)
        replaced: list[tuple[Resource, str, Body]] = []
        await _in_order(
            names, template.needs, lambda name: self._change(stack, template, scope, name, replaced)
        )
        for resource, name, record in reversed(replaced):  # what needs another goes before it
            await self._remove_one(stack, resource, name, record)
        await self._remove(stack, [name for name in stack["resources"] if name not in names], old)

    async def _change(
        self,
        stack: Body,
        template: Template,
        scope: Scope,
        name: str,
        replaced: list[tuple[Resource, str, Body]],
    ) -> None:
        record = stack["resources"].get(name)
        if record is None or not record["physical"]:
            await self._make(stack, template, scope, name)
            return
        resource = self.resource(stack, name, template)
        try:
            properties = self.properties(resource, template, scope)
        except ProblemError as error:
            raise FailedError(error.kind or "StackValidationFailed", error.message).within(name) from error
        schema = self.schema(resource) or {}
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
            replaced.append((old := self._old(stack, name, record), name, record))
            getattr(old, "give_way", lambda: None)()
            stack["resources"][name] = new_record(template.resources[name]["type"])
            await self._make(stack, template, scope, name)
            return
        self._progress(stack, name, record, "UPDATE")
        async with _Told(self, stack, name, record, "UPDATE"):
            await _until(lambda: resource.update(changed, properties))
            record["properties"] = properties
            await _until(resource.created)

    def _old(self, stack: Body, name: str, record: Body) -> Resource:
        kind = TYPES.get(stack["registry"].get(record["type"], record["type"]), TemplateResource)
        return kind(self, stack, name, record)

    async def _remove_all(self, stack: Body) -> None:
        await self._remove(stack, list(stack["resources"]), self.template(stack))
        for inner in self.store.all("stacks"):
            if inner["parent"] == stack["id"] and inner["gone"]:
                self.store.delete("stacks", inner["id"])

    async def _remove(self, stack: Body, names: list[str], template: Template) -> None:
        """Remove resources, those that need others first."""

        def needed_by(name: str) -> set[str]:
            return {other for other in template.resources if name in template.needs(other)} & set(names)

        async def step(name: str) -> None:
            record = stack["resources"].get(name)
            if record is None:
                return
            about = template.resources.get(name, {})
            if record["physical"] and about.get("deletion_policy", "Delete").lower() != "retain":
                await self._remove_one(stack, self._old(stack, name, record), name, record)
            stack["resources"].pop(name, None)
            self.store.save("stacks", stack)

        await _in_order(names, needed_by, step)

    async def _remove_one(self, stack: Body, resource: Resource, name: str, record: Body) -> None:
        self._progress(stack, name, record, "DELETE")
        async with _Told(self, stack, name, record, "DELETE"):
            await _until(resource.delete)
            await _until(resource.deleted)

    async def _act_all(self, stack: Body, action: str) -> None:
        template = self.template(stack)
        names = [name for name in stack["resources"] if name in template.resources]

        def after(name: str) -> set[str]:
            if action != "suspend":
                return template.needs(name) & set(names)
            return {other for other in names if name in template.needs(other)}

        async def step(name: str) -> None:
            record = stack["resources"][name]
            if not record["physical"]:
                return
            resource = self.resource(stack, name, template)
            self._progress(stack, name, record, action.upper())
            async with _Told(self, stack, name, record, action.upper()) as told:
                if action == "check":
                    if not resource.checks:
                        told.reason = f"CHECK not supported for {record['type']}"
                    resource.check()
                    return
                resource.act(action)
                await _until(lambda: resource.acted(action))

        await _in_order(names, after, step)

    def check_now(self, stack: Body) -> None:
        """See that everything in a stack is as it should be.

        Raises:
            FailedError: something is not.
        """
        for name, record in stack["resources"].items():
            if record["physical"]:
                try:
                    self.resource(stack, name).check()
                except FailedError as error:
                    record |= {"action": "CHECK", "status": "FAILED", "reason": error.within(name).reason()}
                    self.store.save("stacks", stack)
                    raise error.within(name) from error

    # Telling

    def _state(self, stack: Body, action: str, status: str, reason: str) -> None:
        stack |= {"action": action, "status": status, "reason": reason}
        self.store.save("stacks", stack)
        self.event(
            stack,
            stack["name"],
            stack["id"],
            status=f"{action}_{status}",
            reason=reason,
            kind="OS::Heat::Stack",
        )

    def _progress(self, stack: Body, name: str, record: Body, action: str) -> None:
        self.told(stack, name, record, action=action, status="IN_PROGRESS", reason="state changed")

    def told(self, stack: Body, name: str, record: Body, *, action: str, status: str, reason: str) -> None:
        """How a resource is now."""
        record |= {"action": action, "status": status, "reason": reason, "updated": now()}
        self.store.save("stacks", stack)
        self.event(
            stack, name, record["physical"], status=f"{action}_{status}", reason=reason, kind=record["type"]
        )

    def event(self, stack: Body, name: str, physical: str, *, status: str, reason: str, kind: str) -> None:
        """Remember that something happened."""
        body = {
            "id": new_id(),
            "stack": stack["id"],
            "name": name,
            "physical": physical,
            "status": status,
            "reason": reason,
            "type": kind,
            "time": now(),
        }
        self.store.save("stack-events", body)
        self.store.forget("stack-events", MOST_OF_EVENTS)


class _Told:
    """Tells how a step with a resource went; what went wrong is raised as seen from the stack."""

    def __init__(self, engine: Engine, stack: Body, name: str, record: Body, action: str) -> None:
        self._engine = engine
        self._about = (stack, name, record, action)
        self.reason = "state changed"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        stack, name, record, action = self._about
        if isinstance(error, ProblemError):
            error = FailedError(error.kind or "StackValidationFailed", error.message)
        if isinstance(error, FailedError):
            seen = error.within(name)
            self._engine.told(stack, name, record, action=action, status="FAILED", reason=seen.reason())
            raise seen
        if error is None:
            self._engine.told(stack, name, record, action=action, status="COMPLETE", reason=self.reason)


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


def _attributes_of(value: Any, name: str) -> list[str]:
    if isinstance(value, list):
        return [found for item in value for found in _attributes_of(item, name)]
    if not isinstance(value, dict):
        return []
    argument = value.get("get_attr") if len(value) == 1 else None
    if isinstance(argument, list) and len(argument) > 1 and argument[0] == name:
        return [argument[1]] if isinstance(argument[1], str) else []
    return [found for item in value.values() for found in _attributes_of(item, name)]


def new_record(kind: str) -> Body:
    """What is kept of a resource that is not there yet."""
    moment = now()
    return {
        "type": kind,
        "physical": "",
        "action": "INIT",
        "status": "COMPLETE",
        "reason": "",
        "created": moment,
        "updated": moment,
        "properties": {},
        "data": {},
    }


def new_stack(name: str, template: Body, given: Body, **about: Any) -> Body:
    """What is kept of a stack that is not there yet."""
    return {
        "id": new_id(),
        "name": name,
        "template": template,
        "given": given,
        "files": {},
        "registry": {},
        "tags": [],
        "timeout": None,
        "disable_rollback": True,
        "parent": None,
        "owner": "",
        "depth": 0,
        "action": "CREATE",
        "status": "IN_PROGRESS",
        "reason": "",
        "failure": None,
        "created": now(),
        "updated": None,
        "gone": None,
        "resources": {},
        **about,
    }

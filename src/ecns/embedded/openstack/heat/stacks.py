"""What stacks say: their templates, parameters, resources and outputs."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, cast

from ecns.embedded.openstack.callers import Caller
from ecns.embedded.openstack.errors import ProblemError
from ecns.embedded.openstack.heat import template as templates
from ecns.embedded.openstack.heat.documents import new_record, new_stack
from ecns.embedded.openstack.heat.errors import invalid
from ecns.embedded.openstack.heat.functions import LATER, Scope, resolve, walk
from ecns.embedded.openstack.heat.properties import Names, Property, Schema, checked
from ecns.embedded.openstack.heat.resources import TYPES
from ecns.embedded.openstack.heat.resources.group import TemplateResource
from ecns.embedded.openstack.heat.resources.heat import NoneResource

if TYPE_CHECKING:
    from ecns.embedded.openstack.cloud import Cloud
    from ecns.embedded.openstack.heat.engine import Engine
    from ecns.embedded.openstack.heat.resources.base import Resource
    from ecns.embedded.openstack.heat.template import Template
    from ecns.embedded.openstack.store import Body

MOST_OF_DEPTH = 5


class Stacks:
    """Reads stacks.

    Args:
        cloud: where everything is made.
    """

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.store = cloud.store

    def caller(self, stack: Body) -> Caller:
        """Whoever made a stack."""
        roles = frozenset(stack["roles"])
        return Caller(stack["user_id"], stack["user"], stack["project_id"], roles=roles)

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
        return own | templates.values(template, stack["given"], stack["defaults"])

    def hidden(self, stack: Body) -> set[str]:
        """The parameters that nobody is shown, of a stack's template and of those that came with it."""
        found = [self.template(stack)]
        for text in stack["files"].values():
            with contextlib.suppress(ProblemError):
                found.insert(0, templates.read(text))
        said = {name: about for one in found for name, about in one.parameters.items()}
        return {name for name, about in said.items() if about.get("hidden") in {True, "true"}}

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
        found = kind(cast("Engine", self), stack, name, record)  # there is no other
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

    def draft(self, parent: Body, name: str, template: Body, given: Body) -> Body:
        """A stack inside of another, not begun."""
        keys = ("project_id", "user_id", "user", "roles", "files", "registry", "defaults", "timeout")
        about = {key: parent[key] for key in keys}
        return new_stack(
            name, template, given, **about, parent=parent["id"], owner=name, depth=parent["depth"] + 1
        )

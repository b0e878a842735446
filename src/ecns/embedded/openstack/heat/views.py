"""Stacks, resources and events as they are answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecns.embedded.openstack.errors import ProblemError, missing
from ecns.embedded.openstack.heat.documents import new_record
from ecns.embedded.openstack.heat.resources.group import Nested
from ecns.embedded.openstack.heat.template import UNTOLD, text_of
from ecns.embedded.openstack.http import Answer
from ecns.embedded.openstack.service import page, zulu

if TYPE_CHECKING:
    from ecns.embedded.openstack.heat.functions import Scope
    from ecns.embedded.openstack.heat.service import Heat
    from ecns.embedded.openstack.heat.template import Template
    from ecns.embedded.openstack.service import Call
    from ecns.embedded.openstack.store import Body

HIDDEN = "******"
"""What is shown of a hidden parameter."""
_TYPES = {
    "string": "String",
    "number": "Number",
    "comma_delimited_list": "CommaDelimitedList",
    "json": "Json",
    "boolean": "Boolean",
}


class Views:
    """How things look."""

    def __init__(self, heat: Heat) -> None:
        self.heat = heat
        self.engine = heat.engine
        self.store = heat.store

    def link(self, call: Call, stack: Body) -> str:
        """Where a stack is."""
        return f"{call.base}/stacks/{stack['name']}/{stack['id']}"

    def _about(self, call: Call, stack: Body) -> Body:
        return {
            "id": stack["id"],
            "links": [{"href": self.link(call, stack), "rel": "self"}],
            "stack_name": stack["name"],
            "stack_status": f"{stack['action']}_{stack['status']}",
            "stack_status_reason": stack["reason"],
            "creation_time": zulu(stack["created"]),
            "updated_time": zulu(stack["updated"]),
            "deletion_time": zulu(stack["gone"]),
            "stack_owner": stack["user"],
            "parent": stack["parent"],
            "stack_user_project_id": stack["project_id"],
            "tags": stack["tags"],
        }

    def brief(self, call: Call, stack: Body) -> Body:
        """A stack in a list."""
        return self._about(call, stack) | {"description": ""}

    def stack(self, call: Call, stack: Body) -> Body:
        """A stack with parameters and outputs."""
        template = self.engine.template(stack)
        hidden = self.engine.hidden(stack)
        values = self.engine.parameters(stack, template)
        shown = {name: HIDDEN if name in hidden else text_of(value) for name, value in values.items()}
        outputs = []
        if call.text("resolve_outputs").lower() not in {"false", "0"}:
            ready = stack["id"] != "None" and not (
                stack["action"] == "CREATE" and stack["status"] == "IN_PROGRESS"
            )
            known = self.engine.outputs(stack) if ready else {}
            outputs = [
                {
                    "output_key": key,
                    "description": about.get("description", UNTOLD),
                    "output_value": known.get(key),
                }
                for key, about in template.outputs.items()
            ]
        return self._about(call, stack) | {
            "notification_topics": [],
            "parameters": shown,
            "description": template.description,
            "template_description": template.description,
            "capabilities": [],
            "disable_rollback": stack["disable_rollback"],
            "timeout_mins": stack["timeout"],
            "outputs": outputs,
        }

    def validated(self, template: Template, given: Body) -> Body:
        """What a template asks for."""
        parameters = {}
        for name, about in template.parameters.items():
            said: Body = {
                "Type": _TYPES[about["type"]],
                "Description": about.get("description", ""),
                "NoEcho": "true" if about.get("hidden") in {True, "true"} else "false",
                "Label": about.get("label", name),
            }
            if "default" in about:
                said["Default"] = about["default"]
            if name in given:
                said["Value"] = given[name]
            for constraint in about.get("constraints") or []:
                said |= _constraint(constraint)
            parameters[name] = said
        environment = {
            "resource_registry": {"resources": {}},
            "parameters": given,
            "parameter_defaults": {},
            "event_sinks": [],
        }
        return {"Description": template.description, "Parameters": parameters, "Environment": environment}

    # Resources

    def _resource(self, call: Call, stack: Body, name: str, record: Body) -> Body:
        template = self.engine.template(stack)
        here = self.link(call, stack)
        links = [{"href": f"{here}/resources/{name}", "rel": "self"}, {"href": here, "rel": "stack"}]
        if (nested := self.store.get("stacks", record["physical"])) is not None:
            links.append({"href": self.link(call, nested), "rel": "nested"})
        needed = [other for other in template.resources if name in template.needs(other)]
        return {
            "updated_time": zulu(record["updated"]),
            "creation_time": zulu(record["created"]),
            "logical_resource_id": name,
            "resource_name": name,
            "physical_resource_id": record["physical"],
            "resource_status": f"{record['action']}_{record['status']}",
            "resource_status_reason": record["reason"],
            "resource_type": record["type"],
            "links": links,
            "required_by": needed,
            **({"parent_resource": stack["owner"]} if stack["parent"] else {}),
        }

    def resources(self, call: Call, stack: Body) -> Answer:
        """What a stack is made of, `nested_depth` stacks deep."""
        text = call.text("nested_depth")
        depth = int(text) if text.isdigit() else 0
        found = self._below(call, stack, depth)
        for name, value in call.query:
            key = {"type": "resource_type", "name": "resource_name", "status": "resource_status"}.get(
                name, ""
            )
            if key == "resource_status":
                found = [one for one in found if one[key].endswith(value)]
            elif key:
                found = [one for one in found if one[key] == value]
        return Answer(body={"resources": found})

    def _below(self, call: Call, stack: Body, depth: int) -> list[Body]:
        found = [self._resource(call, stack, name, record) for name, record in stack["resources"].items()]
        if depth > 0:
            for record in stack["resources"].values():
                if (nested := self.store.get("stacks", record["physical"])) is not None:
                    found += self._below(call, nested, depth - 1)
        return found

    def resource(self, call: Call, stack: Body) -> Answer:
        """One resource with its attributes."""
        name = call.names["resource"]
        record = stack["resources"].get(name)
        if record is None:
            raise missing(
                f"The Resource ({name}) could not be found in Stack {stack['name']}.", "ResourceNotFound"
            )
        return Answer(
            body={
                "resource": self._resource(call, stack, name, record)
                | {"description": "", "attributes": self._attributes(stack, name, record)}
            }
        )

    def _attributes(self, stack: Body, name: str, record: Body) -> Any:
        if not record["physical"]:
            return {}
        resource = self.engine.resource(stack, name)
        if isinstance(resource, Nested):
            return dict.fromkeys(sorted(resource.attributes - {"show"}))
        try:
            return resource.attribute("show", [])
        except ProblemError:
            return {}

    def changes(self, call: Call, stack: Body, draft: Body) -> Body:
        """What a change would do with each resource."""
        template = self.engine.template(draft)
        scope = self.engine.scope(draft, template, self.engine.parameters(draft, template))
        wanted = self.engine.wanted(template, scope)
        found: Body = {key: [] for key in ("unchanged", "updated", "replaced", "added", "deleted")}
        for name in wanted:
            record = stack["resources"].get(name)
            kind = "added" if record is None else self._change(draft, template, scope, name)
            record = record or new_record(template.resources[name]["type"])
            found[kind].append(self._resource(call, draft, name, record))
        for name, record in stack["resources"].items():
            if name not in wanted:
                found["deleted"].append(self._resource(call, stack, name, record))
        return found

    def _change(self, draft: Body, template: Template, scope: Scope, name: str) -> str:
        record = draft["resources"][name]
        if record["type"] != template.resources[name]["type"]:
            return "replaced"
        resource = self.engine.resource(draft, name, template)
        properties = self.engine.properties(resource, template, scope, named=False)
        keys = set(properties) | set(record["properties"])
        changed = {key for key in keys if properties.get(key) != record["properties"].get(key)}
        if isinstance(resource, Nested):
            return "updated" if changed or resource.differs(properties) else "unchanged"
        schema = self.engine.schema(resource) or {}
        if record["status"] == "FAILED" or any(key in schema and schema[key].fixed for key in changed):
            return "replaced"
        return "updated" if changed else "unchanged"

    # Events

    def events(self, call: Call, stack: Body) -> Answer:
        """What happened, newest first."""
        text = call.text("nested_depth")
        stacks = {stack["id"]: stack}
        if text.isdigit() and int(text) > 0:
            self._inside(stack, int(text), stacks)
        resource = call.names.get("resource")
        found = [
            self._event(call, stacks[event["stack"]], event)
            for event in reversed(self.store.all("stack-events"))
            if event["stack"] in stacks and resource in (None, event["name"])
        ]
        if call.text("sort_dir") == "asc":
            found.reverse()
        refusal = lambda marker: missing(f"Event {marker} could not be found.", "EntityNotFound")  # noqa: E731  one line
        found, following = page(call, found, refusal)
        links = (
            [{"rel": "next", "href": f"{call.base}{call.path}?{following}"}]
            if following and call.text("limit")
            else []
        )
        return Answer(body={"events": found} | ({"links": links} if links else {}))

    def _inside(self, stack: Body, depth: int, stacks: dict[str, Body]) -> None:
        for record in stack["resources"].values():
            if depth > 0 and (nested := self.store.get("stacks", record["physical"])) is not None:
                stacks[nested["id"]] = nested
                self._inside(nested, depth - 1, stacks)

    def _event(self, call: Call, stack: Body, event: Body) -> Body:
        here = self.link(call, stack)
        resource = f"{here}/resources/{event['name']}"
        return {
            "id": event["id"],
            "links": [
                {"href": f"{resource}/events/{event['id']}", "rel": "self"},
                {"href": resource, "rel": "resource"},
                {"href": here, "rel": "stack"},
            ],
            "event_time": zulu(event["time"]),
            "logical_resource_id": event["name"],
            "resource_name": event["name"],
            "physical_resource_id": event["physical"],
            "resource_status": event["status"],
            "resource_status_reason": event["reason"],
        }


def _constraint(constraint: Body) -> Body:
    found: Body = {}
    for key, low, high in (("range", "MinValue", "MaxValue"), ("length", "MinLength", "MaxLength")):
        if (span := constraint.get(key)) is not None:
            found |= {name: span[word] for word, name in (("min", low), ("max", high)) if word in span}
    for key, name in (
        ("allowed_values", "AllowedValues"),
        ("allowed_pattern", "AllowedPattern"),
        ("custom_constraint", "CustomConstraint"),
    ):
        if key in constraint:
            found[name] = constraint[key]
    return found

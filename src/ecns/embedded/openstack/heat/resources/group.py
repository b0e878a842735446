"""Resources that are stacks themselves: groups of the same, and templates used as types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from ecns.embedded.openstack.heat.errors import FailedError
from ecns.embedded.openstack.heat.functions import Later, walk
from ecns.embedded.openstack.heat.properties import Property, Schema
from ecns.embedded.openstack.heat.resources.base import Resource

if TYPE_CHECKING:
    from ecns.embedded.openstack.store import Body

VERSION = "2021-04-16"


class Nested(Resource):
    """A resource that is a stack."""

    checks = True

    def template(self, properties: Body) -> Body:
        """The template of that stack."""
        raise NotImplementedError

    def given(self, properties: Body) -> Body:  # noqa: ARG002  templates have them
        """The parameters of that stack."""
        return {}

    def validate(self, properties: Body) -> None:
        """Its template must be one, as far as that is known before."""
        step = f"resources.{self.name}<nested_stack>."
        stack = self.engine.draft(self.stack, self.name, self.template(properties), self.given(properties))
        self.engine.validate(stack, step, strict=False)

    @property
    def nested(self) -> Body | None:
        """The stack, while it is there."""
        found = self.engine.store.get("stacks", self.physical)
        return None if found is None or found["gone"] else found

    def create(self, properties: Body) -> str | None:
        """Begin to make it."""
        stack = self.engine.draft(self.stack, self.name, self.template(properties), self.given(properties))
        stack["name"] = self.physical_name()
        self.engine.create(stack)
        return str(stack["id"])

    def created(self) -> bool:
        """Whether it is complete."""
        nested = self.nested
        if nested is None:
            raise FailedError("NotFound", f"The Stack ({self.physical}) could not be found.")
        if nested["status"] == "FAILED":
            kind, message, path = nested["failure"] or ("Error", nested["reason"], "")
            raise FailedError(kind, message, path)
        return bool(nested["status"] == "COMPLETE")

    def differs(self, properties: Body) -> bool:
        """Whether the stack would be another one, or has failed."""
        nested = self.nested
        if nested is None:
            return True
        same = nested["template"] == self.template(properties) and nested["given"] == self.given(properties)
        return not same or nested["status"] != "COMPLETE"

    def update(self, changed: Body, properties: Body) -> bool:  # noqa: ARG002  all of them count
        """Change the stack."""
        nested = self.nested
        if nested is None:
            raise FailedError("NotFound", f"The Stack ({self.physical}) could not be found.")
        data = self.record["data"]
        if not data.get("updating"):
            data["updating"] = True
            nested["files"] = self.stack["files"]
            self.engine.update(nested, self.template(properties), self.given(properties))
            return False
        if nested["status"] == "IN_PROGRESS":
            return False
        data.pop("updating")
        return self.created()

    def delete(self) -> bool:
        """Remove the stack."""
        if (nested := self.nested) is not None and nested["action"] != "DELETE":
            self.engine.delete(nested)
        return True

    def deleted(self) -> bool:
        """Whether it is gone."""
        nested = self.nested
        if nested is None:
            return True
        if nested["action"] == "DELETE" and nested["status"] == "FAILED":
            kind, message, path = nested["failure"] or ("Error", nested["reason"], "")
            raise FailedError(kind, message, path)
        return False

    def act(self, action: str) -> None:
        """Suspend or resume what is in it."""
        if (nested := self.nested) is not None:
            self.engine.act(nested, action)

    def acted(self, action: str) -> bool:  # noqa: ARG002  the stack knows
        """Whether all of it is."""
        return self.created()

    def check(self) -> None:
        """All of it must be as it should be."""
        nested = self.nested
        if nested is None:
            raise FailedError("NotFound", f"The Stack ({self.physical}) could not be found.")
        self.engine.check_now(nested)

    def member(self, name: str) -> Resource | None:
        """A resource of the stack."""
        nested = self.nested
        return None if nested is None else self.engine.resource(nested, name)


class ResourceGroup(Nested):
    """The same resource some times over."""

    schema: ClassVar[Schema] = {
        "count": Property(int, default=1, least=0),
        "index_var": Property(default="%index%"),
        "resource_def": Property(
            dict,
            required=True,
            inside={
                "type": Property(required=True),
                "properties": Property(dict, default={}),
                "metadata": Property(dict, default={}),
            },
        ),
        "removal_policies": Property(list, default=[], inside={"resource_list": Property(list, default=[])}),
        "removal_policies_mode": Property(default="append", choices=("append", "update")),
    }
    attributes = frozenset({"show", "refs", "refs_map", "attributes", "removed_rsrc_list"})

    def _removed(self, properties: Body) -> list[str]:
        """The names that are not used again."""
        known = (
            []
            if properties["removal_policies_mode"] == "update"
            else list(self.record["data"].get("removed", []))
        )
        nested = self.nested
        by_id = {r["physical"]: name for name, r in nested["resources"].items()} if nested else {}
        for policy in properties["removal_policies"]:
            for one in policy["resource_list"]:
                name = str(one) if str(one) not in by_id else by_id[str(one)]
                known += [name] if name not in known else []
        return known

    def members(self, properties: Body) -> list[str]:
        """The names that the group has."""
        removed, number = self._removed(properties), 0
        names: list[str] = []
        count = properties["count"]
        while len(names) < (0 if isinstance(count, Later) else count):
            if str(number) not in removed:
                names.append(str(number))
            number += 1
        return names

    def template(self, properties: Body) -> Body:
        """The resource, with the index in it."""
        define = properties["resource_def"]
        if isinstance(define, Later):
            return {"heat_template_version": VERSION, "resources": {}}
        about = {"type": define["type"], "properties": define["properties"]}
        if define.get("metadata"):
            about["metadata"] = define["metadata"]
        resources = {
            name: _indexed(about, properties["index_var"], name) for name in self.members(properties)
        }
        return {"heat_template_version": VERSION, "resources": resources}

    def create(self, properties: Body) -> str | None:
        """Begin to make it."""
        self.record["data"]["removed"] = self._removed(properties)
        return super().create(properties)

    def update(self, changed: Body, properties: Body) -> bool:
        """Grow or shrink."""
        if not self.record["data"].get("updating"):
            self.record["data"]["removed"] = self._removed(properties)
        return super().update(changed, properties)

    def attribute(self, name: str, path: list[Any]) -> Any:
        """Of all members, or of one."""
        nested = self.nested
        names = sorted(nested["resources"], key=int) if nested else []
        members = {one: member for one in names if (member := self.member(one)) is not None}
        if name == "removed_rsrc_list":
            return self.record["data"].get("removed", [])
        if name == "refs":
            return [member.reference() for member in members.values()]
        if name == "refs_map":
            return {one: member.reference() for one, member in members.items()}
        if name == "attributes":
            inner, *rest = path or [""]
            return {one: walk(member.attribute(str(inner), rest), rest) for one, member in members.items()}
        if name.startswith("resource."):
            _, one, *more = name.split(".", 2)
            found = members.get(one)
            if found is None:
                return None
            if not more and not path:
                return found.reference()
            inner = more[0] if more else str(path[0])
            return found.attribute(inner, path if more else path[1:])
        return [walk(member.attribute(name, path), path) for member in members.values()]


def _indexed(value: Any, variable: str, index: str) -> Any:
    if isinstance(value, Later):
        return value
    if isinstance(value, str):
        return value.replace(variable, index) if variable else value
    if isinstance(value, list):
        return [_indexed(item, variable, index) for item in value]
    if isinstance(value, dict):
        return {
            _indexed(key, variable, index): _indexed(item, variable, index) for key, item in value.items()
        }
    return value


class TemplateResource(Nested):
    """A template that came with the stack, used as a type: parameters are properties, outputs attributes."""

    body: Body
    """The template; set by whoever makes it."""

    def template(self, properties: Body) -> Body:  # noqa: ARG002  it is what it is
        """As it came."""
        return self.body

    def given(self, properties: Body) -> Body:
        """Its properties."""
        return {name: value for name, value in properties.items() if value is not None}

    def attribute(self, name: str, path: list[Any]) -> Any:
        """An output, or something of what is in it."""
        nested = self.nested
        if nested is None:
            return None
        if name == "OS::stack_id":
            return nested["id"]
        if name.startswith("resource."):
            _, one, *more = name.split(".", 2)
            found = self.member(one)
            if found is None:
                return None
            if not more and not path:
                return found.reference()
            inner = more[0] if more else str(path[0])
            return found.attribute(inner, path if more else path[1:])
        outputs = self.engine.outputs(nested)
        return outputs if name == "outputs" else outputs.get(name)

    def reference(self) -> Any:
        """The output `OS::stack_id` if there is one, else the stack's id."""
        nested = self.nested
        if nested is not None and "OS::stack_id" in (nested["template"].get("outputs") or {}):
            return self.engine.outputs(nested).get("OS::stack_id")
        return self.physical or None

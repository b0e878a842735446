"""What is refused of a template before anything is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecns.embedded.openstack.heat.errors import invalid
from ecns.embedded.openstack.heat.functions import references, resolve
from ecns.embedded.openstack.heat.properties import Names
from ecns.embedded.openstack.heat.resources.group import Nested
from ecns.embedded.openstack.heat.resources.heat import NoneResource

if TYPE_CHECKING:
    from ecns.embedded.openstack.heat.stacks import Stacks
    from ecns.embedded.openstack.heat.template import Template
    from ecns.embedded.openstack.store import Body

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


def validate(stacks: Stacks, stack: Body, step: str = "", *, strict: bool = True) -> None:
    """Refuse what cannot be made, as far as that is known before.

    Raises:
        ProblemError: 400.
    """
    template = stacks.template(stack)
    parameters = stacks.parameters(stack, template)
    if strict:
        _constraints(stacks, stack, template, parameters)
    scope = stacks.scope(stack, template, parameters, draft=True)
    for name in stacks.wanted(template, scope):
        resource = stacks.resource(stack, name, template)
        properties = stacks.properties(resource, template, scope, step=step, named=strict)
        resource.validate(properties)
    for name, output in template.outputs.items():
        _check_attributes(stacks, stack, template, f"outputs.{name}.value", output["value"])
        resolve(output["value"], scope)
    for name, about in template.resources.items():
        _check_attributes(stacks, stack, template, f"resources.{name}.properties", about.get("properties"))


def _constraints(stacks: Stacks, stack: Body, template: Template, parameters: Body) -> None:
    names = Names(stacks.cloud, stacks.caller(stack))
    for name, about in template.parameters.items():
        for constraint in about.get("constraints") or []:
            kind = _CONSTRAINTS.get(str(constraint.get("custom_constraint")))
            if kind and parameters[name] and (problem := names.problem(kind, parameters[name])):
                said = f"Error validating value '{parameters[name]}': {problem}"
                raise invalid(f"Parameter '{name}' is invalid: {said}")


def _check_attributes(stacks: Stacks, stack: Body, template: Template, where: str, value: Any) -> None:
    for function, name, _ in references(value):
        if function != "get_attr":
            continue
        kind, _ = stacks.type_of(stack, name, template)
        if not kind.attributes or issubclass(kind, Nested | NoneResource):
            continue
        for attribute in _attributes_of(value, name):
            if attribute not in kind.attributes:
                raise invalid(
                    f"{where}.get_attr: The Referenced Attribute ({name} {attribute}) is incorrect."
                )


def _attributes_of(value: Any, name: str) -> list[str]:
    if isinstance(value, list):
        return [found for item in value for found in _attributes_of(item, name)]
    if not isinstance(value, dict):
        return []
    argument = value.get("get_attr") if len(value) == 1 else None
    if isinstance(argument, list) and len(argument) > 1 and argument[0] == name:
        return [argument[1]] if isinstance(argument[1], str) else []
    return [found for item in value.values() for found in _attributes_of(item, name)]

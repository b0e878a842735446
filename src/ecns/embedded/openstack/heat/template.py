"""Templates: what they hold, and the values of their parameters.

Source: https://docs.openstack.org/heat/latest/template_guide/hot_spec.html
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from ecns.embedded.openstack.errors import ProblemError
from ecns.embedded.openstack.heat.errors import invalid
from ecns.embedded.openstack.heat.functions import references

_SECTIONS = frozenset(
    {
        "heat_template_version",
        "description",
        "parameter_groups",
        "parameters",
        "resources",
        "outputs",
        "conditions",
    }
)
_VERSIONS = re.compile(r"20\d\d-\d\d-\d\d|rocky|queens|pike|ocata|newton|wallaby")
_KINDS = ("string", "number", "comma_delimited_list", "json", "boolean")
_RESOURCE = frozenset(
    {
        "type",
        "properties",
        "depends_on",
        "metadata",
        "update_policy",
        "deletion_policy",
        "condition",
        "external_id",
    }
)
UNTOLD = "No description given"


@dataclass
class Template:
    """A template that is well-formed."""

    body: dict[str, Any]
    parameters: dict[str, dict[str, Any]] = field(default_factory=dict)
    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    conditions: dict[str, Any] = field(default_factory=dict)

    @property
    def description(self) -> str:
        """What it says of itself."""
        return str(self.body.get("description") or "No description")

    def needs(self, name: str) -> set[str]:
        """The resources that one needs to be there first."""
        resource = self.resources[name]
        depends = resource.get("depends_on") or []
        found = {depends} if isinstance(depends, str) else set(depends)
        found |= {to for _, to, _ in references([resource.get("properties"), resource.get("metadata")])}
        return found & set(self.resources)


def read(sent: Any) -> Template:
    """A template as it came: text of YAML or JSON, or an object.

    Raises:
        ProblemError: 400, it is none.
    """
    body = _parsed(sent)
    version = body.get("heat_template_version")
    if version is None:
        raise invalid(
            "Template format version not found.", "InvalidTemplateVersion" if body else "HTTPBadRequest"
        )
    body["heat_template_version"] = version = str(version)
    if not _VERSIONS.fullmatch(version):
        raise invalid(
            f'The template version is invalid: "heat_template_version: {version}".', "InvalidTemplateVersion"
        )
    for section in body:
        if section not in _SECTIONS:
            raise invalid(f'The template section is invalid: "{section}"', "InvalidTemplateSection")
    parts = {}
    for section in ("parameters", "resources", "outputs", "conditions"):
        part = body.get(section) or {}
        if not isinstance(part, dict):
            raise invalid(
                f"The template section is invalid: {section} must be a map", "InvalidTemplateSection"
            )
        parts[section] = {str(name): value for name, value in part.items()}
    template = Template(body, **parts)
    _check(template)
    return template


def _parsed(sent: Any) -> dict[str, Any]:
    if isinstance(sent, dict):
        found: dict[str, Any] = json.loads(json.dumps(sent))
        return found
    if sent is None or sent == "":
        raise invalid("No template specified", "HTTPBadRequest")
    import yaml  # noqa: PLC0415  only who sends a template needs it

    class Loader(yaml.SafeLoader):
        """Dates stay text, as in Heat."""

    Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda _, node: node.value)
    try:
        found = yaml.load(str(sent), Loader)  # noqa: S506  a safe one
        json.dumps(found)
    except (yaml.YAMLError, TypeError, ValueError, RecursionError) as error:
        said = " ".join(str(error).split())
        raise invalid(
            f"Template not in valid format: Error parsing template: {said}", "HTTPBadRequest"
        ) from error
    if not isinstance(found, dict):
        raise invalid(
            "Template not in valid format: The template is not a JSON object or YAML mapping.",
            "HTTPBadRequest",
        )
    return found


def _check(template: Template) -> None:
    for name, parameter in template.parameters.items():
        about: Any = parameter
        kind = about.get("type") if isinstance(about, dict) else None
        if kind not in _KINDS:
            said = f"Invalid type ({kind})" if kind else "Missing parameter type for parameter: " + name
            raise invalid(said, "InvalidSchemaError")
    for name, resource in template.resources.items():
        whole: Any = resource
        if not isinstance(whole, dict):
            raise invalid(
                f'"resources" must contain a map of resource maps. Found a [{type(resource)}] instead'
            )
        if not isinstance(resource.get("type"), str):
            raise invalid(f'Each Resource must contain a type key. "{name}" has none')
        if unknown := set(resource) - _RESOURCE:
            raise invalid(f'"{min(unknown)}" is not a valid keyword inside a resource definition')
        for key in ("properties", "metadata"):
            if resource.get(key) is not None and not isinstance(resource[key], dict):
                raise invalid(f"Resource {name} {key} type must be a map")
        depends = resource.get("depends_on") or []
        for other in [depends] if isinstance(depends, str) else depends:
            _refer(template, other, f"{name}")
        for _, to, where in references(resource.get("properties")):
            _refer(template, to, f"{name}.Properties.{where}")
    for name, output in template.outputs.items():
        whole = output
        if not isinstance(whole, dict) or "value" not in output:
            raise invalid(f'Each output must contain a value key. "{name}" has none')
        for _, to, where in references(output["value"]):
            _refer(template, to, f"outputs.{name}.value{where}")
    _no_circle(template)


def _refer(template: Template, name: Any, where: str) -> None:
    if name not in template.resources:
        raise invalid(
            f'The specified reference "{name}" (in {where}) is incorrect.', "InvalidTemplateReference"
        )


def _no_circle(template: Template) -> None:
    done: set[str] = set()
    left = set(template.resources)
    while left:
        free = {name for name in left if template.needs(name) <= done}
        if not free:
            raise invalid(f"Circular Dependency Found: {sorted(left)}", "CircularDependencyException")
        done |= free
        left -= free


# Parameters


def values(
    template: Template, given: dict[str, Any], defaults: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The values of all parameters; `defaults`, of an environment, count more than the template's own.

    Raises:
        ProblemError: 400, one is unknown, missing, or not as its schema says.
    """
    for name in given:
        if name not in template.parameters:
            raise invalid(f"The Parameter ({name}) was not defined in template.", "UnknownUserParameter")
    found = {}
    defaults = defaults or {}
    for name, schema in template.parameters.items():
        if given.get(name) is not None:
            value = given[name]
        elif defaults.get(name) is not None:
            value = defaults[name]
        elif "default" in schema:
            value = schema["default"]
        else:
            raise invalid(f"The Parameter ({name}) was not provided.", "UserParameterMissing")
        try:
            found[name] = _typed(str(schema["type"]), value)
        except (TypeError, ValueError) as error:
            raise _wrong(name, str(error)) from error
        for constraint in schema.get("constraints") or []:
            problem = _problem(constraint, found[name])
            if problem:
                raise _wrong(name, str(constraint.get("description") or problem))
    return found


def _wrong(name: str, why: str) -> ProblemError:
    return invalid(f"Parameter '{name}' is invalid: {why}")


def _typed(kind: str, value: Any) -> Any:
    if kind == "number":
        if isinstance(value, bool):
            raise ValueError(f'Value must be a number, not "{value}"')
        if isinstance(value, int | float):
            return value
        text = str(value).strip()
        if not re.fullmatch(r"[-+]?\d+(\.\d+)?", text):
            raise ValueError(f"could not convert string to float: '{value}'")
        return float(text) if "." in text else int(text)
    if kind == "boolean":
        said = {"t": True, "true": True, "on": True, "y": True, "yes": True, "1": True}
        said |= {"f": False, "false": False, "off": False, "n": False, "no": False, "0": False}
        text = str(value).lower()
        if text not in said:
            raise ValueError(
                f"Unrecognized value '{value}', acceptable values are: '0', '1', 'f', 'false', 'n', "
                "'no', 'off', 'on', 't', 'true', 'y', 'yes'"
            )
        return said[text]
    if kind == "comma_delimited_list":
        if isinstance(value, list):
            return value
        return [piece.strip() for piece in str(value).split(",")] if value != "" else []
    if kind == "json":
        if isinstance(value, dict | list):
            return value
        return json.loads(value) if value else {}
    return value if isinstance(value, str) else json.dumps(value)


def _problem(constraint: dict[str, Any], value: Any) -> str:
    if (span := constraint.get("range")) is not None:
        least, most = span.get("min"), span.get("max")
        if (least is not None and value < least) or (most is not None and value > most):
            return f"{value} is out of range (min: {least}, max: {most})"
    if (span := constraint.get("length")) is not None:
        least, most = span.get("min"), span.get("max")
        size = len(value)
        if (least is not None and size < least) or (most is not None and size > most):
            return f"length ({size}) is out of range (min: {least}, max: {most})"
    if (allowed := constraint.get("allowed_values")) is not None:
        items = value if isinstance(value, list) else [value]
        if any(item not in allowed for item in items):
            shown = ", ".join(
                json.dumps(item) if not isinstance(item, str) else f'"{item}"' for item in allowed
            )
            return f'"{value}" is not an allowed value [{shown}]'
    pattern = constraint.get("allowed_pattern")
    if pattern is not None and not re.fullmatch(str(pattern), str(value)):
        return f'"{value}" does not match pattern "{pattern}"'
    if (modulo := constraint.get("modulo")) is not None and value % modulo["step"] != modulo.get("offset", 0):
        return f"{value} is not a multiple of {modulo['step']} with an offset of {modulo.get('offset', 0)})"
    return ""


def text_of(value: Any) -> str:
    """A parameter's value as a stack shows it."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return str(value) if isinstance(value, bool | int | float) else json.dumps(value)

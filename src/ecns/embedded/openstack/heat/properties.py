"""Properties of resources: which there are, and what they may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ecns.embedded.openstack.errors import ProblemError
from ecns.embedded.openstack.heat.errors import invalid
from ecns.embedded.openstack.heat.functions import Later
from ecns.embedded.openstack.neutron.kinds import KINDS

if TYPE_CHECKING:
    from ecns.embedded.openstack.callers import Caller
    from ecns.embedded.openstack.cloud import Cloud


@dataclass(frozen=True)
class Property:
    """A property.

    Args:
        kind: str, int, bool, list, dict or object (anything).
        required: whether a resource must have it.
        fixed: a change of it makes a new resource in place of the old one.
        default: its value when it is not there.
        names: what it names: flavor, image, network, subnet, port, key, type, volume.
        least, most: of a number.
        choices: what it may be.
        inside: the properties of the map that it is, or of the maps that it lists.
    """

    kind: type = str
    required: bool = False
    fixed: bool = False
    default: Any = None
    names: str = ""
    least: int | None = None
    most: int | None = None
    choices: tuple[str, ...] = ()
    inside: dict[str, Property] | None = None


Schema = dict[str, Property]


def checked(schema: Schema, values: dict[str, Any], path: str, named: Names | None) -> dict[str, Any]:
    """The properties of a resource, each of its kind, with defaults.

    Args:
        schema: which there may be.
        values: with the functions done; None is as if it were not there.
        path: of the resource, for refusals.
        named: looks for what they name; None: that is left for later.

    Raises:
        ProblemError: 400, one is unknown, missing or wrong.
    """
    for name in values:
        if name not in schema:
            raise invalid(f"Property error: {path}.properties: Unknown Property {name}")
    return _inside(schema, values, f"{path}.properties", named)


def _inside(schema: Schema, values: dict[str, Any], path: str, named: Names | None) -> dict[str, Any]:
    found = {}
    for name, about in schema.items():
        value = values.get(name)
        if value is None:
            if about.required and name not in values:
                raise invalid(f"Property error: {path}: Property {name} not assigned")
            value = about.default
            if value is None:
                continue
        found[name] = _one(about, value, f"{path}.{name}", named)
    return found


def _one(about: Property, value: Any, path: str, named: Names | None) -> Any:
    if isinstance(value, Later):
        return value
    try:
        value = _typed(about, value)
    except (TypeError, ValueError) as error:
        raise _error(path, str(error)) from error
    if isinstance(value, int) and not isinstance(value, bool):
        low, high = about.least, about.most
        if (low is not None and value < low) or (high is not None and value > high):
            raise _error(path, f"{value} is out of range (min: {low}, max: {high})")
    if about.choices and value not in about.choices:
        raise _error(path, f'"{value}" is not an allowed value [{", ".join(about.choices)}]')
    if about.inside is not None:
        if isinstance(value, dict):
            return _map(about.inside, value, path, named)
        return [_map(about.inside, item, f"{path}[{number}]", named) for number, item in enumerate(value)]
    if about.names and named is not None and value != "":
        problem = named.problem(about.names, value)
        if problem:
            raise _error(path, f"Error validating value '{value}': {problem}")
    return value


def _map(schema: Schema, value: Any, path: str, named: Names | None) -> Any:
    if isinstance(value, Later):
        return value
    if not isinstance(value, dict):
        raise _error(path, f'"{value}" is not a map')
    for name in value:
        if name not in schema:
            raise invalid(f"Property error: {path}: Unknown Property {name}")
    return _inside(schema, value, path, named)


def _typed(about: Property, value: Any) -> Any:
    if about.kind is object:
        return value
    if about.kind is str:
        if isinstance(value, dict | list):
            raise ValueError("Value must be a string")
        return str(value)
    if about.kind is int:
        if isinstance(value, bool):
            raise ValueError(f"Value '{value}' is not an integer")
        return int(str(value))
    if about.kind is bool:
        said = {
            "true": True,
            "false": False,
            "1": True,
            "0": False,
            "yes": True,
            "no": False,
            "on": True,
            "off": False,
        }
        if str(value).lower() not in said:
            raise ValueError(f'"{value}" is not a valid boolean')
        return said[str(value).lower()]
    if about.kind is list and not isinstance(value, list):
        raise ValueError(f'"{value}" is not a list')
    if about.kind is dict and not isinstance(value, dict):
        raise ValueError(f'"{value}" is not a map')
    return value


def _error(path: str, why: str) -> ProblemError:
    return invalid(f"Property error: {path}: {why}")


class Names:
    """Finds what properties name, by id or name, as far as a caller sees it.

    Args:
        cloud: where to look.
        caller: who sees.
    """

    def __init__(self, cloud: Cloud, caller: Caller) -> None:
        self._cloud = cloud
        self._caller = caller

    def problem(self, kind: str, value: Any) -> str:
        """Why a name does not hold, or nothing."""
        if self.identity(kind, value) is not None:
            return ""
        if kind == "flavor":
            return f"No Flavor matching {{'name': '{value}'}}. (HTTP 404)"
        if kind == "image":
            return f"No images matching {{'name': '{value}'}}."
        if kind in {"network", "subnet", "port"}:
            return f"Unable to find {kind} with name or id '{value}'"
        if kind == "key":
            return f"The Key ({value}) could not be found."
        if kind == "zone":
            return f"The Availability Zone ({value}) could not be found."
        return f"The {kind.capitalize()} ({value}) could not be found."

    def identity(self, kind: str, value: Any) -> str | None:
        """The id of what is named, or None."""
        cloud, caller, store = self._cloud, self._caller, self._cloud.store
        if kind == "key":
            return None if cloud.nova.key(caller.user_id, value) is None else str(value)
        if kind == "type":
            found = cloud.cinder.kinds.named(caller, value)
            return None if found is None else str(found["id"])
        if kind == "flavor":
            bodies = [f for f in store.all("flavors") if cloud.nova.flavors.seen(caller, f)]
        elif kind == "image":
            bodies = [image for image in store.all("images") if cloud.glance.seen(caller, image["id"])]
        elif f"{kind}s" in KINDS:
            about = KINDS[f"{kind}s"]
            bodies = [b for b in store.all(about.plural) if cloud.neutron.seen(caller, about, b)]
        else:
            bodies = [b for b in store.all(f"{kind}s") if caller.sees(b)]
        for key in ("id", "name"):
            for body in bodies:
                if body.get(key) == value:
                    return str(body["id"])
        return None

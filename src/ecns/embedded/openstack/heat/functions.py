"""The functions of templates.

Source: https://docs.openstack.org/heat/latest/template_guide/hot_spec.html#intrinsic-functions
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

from ecns.embedded.openstack.errors import ProblemError
from ecns.embedded.openstack.heat.errors import invalid

Found = Callable[[Any], Any]


class Later(str):
    """Stands for a value that is only known when a stack is made."""

    __slots__ = ()


LATER = Later("")


@dataclass(frozen=True)
class Scope:
    """What a value may refer to.

    Args:
        parameter: the value of a parameter.
        reference: what a resource is called by others.
        attribute: of a resource: its name, then where in it.
        file: the content of a file that came with the template.
        condition: whether a condition holds.
    """

    parameter: Callable[[str], Any]
    reference: Callable[[str], Any]
    attribute: Callable[[str, list[Any]], Any]
    file: Callable[[str], str]
    condition: Callable[[Any], bool]


def resolve(value: Any, scope: Scope) -> Any:
    """A value of a template with its functions done.

    Raises:
        ProblemError: 400, a function is used wrongly.
    """
    if isinstance(value, list):
        return [resolve(item, scope) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        name, argument = next(iter(value.items()))
        if name in _DONE:
            return _DONE[name](argument, scope)
        if name in _LATER:
            raise invalid(f'"{name}" is not supported by this stand-in', "InvalidTemplate")
    return {key: resolve(item, scope) for key, item in value.items()}


def references(value: Any) -> Iterator[tuple[str, str, str]]:
    """The resources that a value refers to: function, name, where in the value."""
    yield from _references(value, "")


def _references(value: Any, where: str) -> Iterator[tuple[str, str, str]]:
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _references(item, f"{where}[{number}]")
    elif isinstance(value, dict):
        if len(value) == 1:
            name, argument = next(iter(value.items()))
            if name == "get_resource" and isinstance(argument, str):
                yield name, argument, where
                return
            if (
                name == "get_attr"
                and isinstance(argument, list)
                and argument
                and isinstance(argument[0], str)
            ):
                yield name, argument[0], where
                yield from _references(argument[1:], where)
                return
        for key, item in value.items():
            yield from _references(item, f"{where}.{key}" if where else str(key))


def walk(value: Any, path: list[Any]) -> Any:
    """What is inside of a value, None when there is nothing."""
    for step in path:
        if isinstance(value, Later):
            return value
        if isinstance(value, dict):
            value = value.get(step, value.get(str(step)))
        elif isinstance(value, list) and str(step).isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _wrong(name: str, shape: str) -> ProblemError:
    return invalid(f'Arguments to "{name}" must be of the form {shape}')


def _get_param(argument: Any, scope: Scope) -> Any:
    if isinstance(argument, list):
        first, *path = [resolve(item, scope) for item in argument]
        return walk(scope.parameter(str(first)), path)
    return scope.parameter(str(resolve(argument, scope)))


def _get_resource(argument: Any, scope: Scope) -> Any:
    return scope.reference(str(argument))


def _get_attr(argument: Any, scope: Scope) -> Any:
    if not isinstance(argument, list) or len(argument) < 2:  # noqa: PLR2004  a resource and an attribute
        raise _wrong("get_attr", "[resource_name, attribute, (path), ...]")
    return scope.attribute(str(argument[0]), [resolve(item, scope) for item in argument[1:]])


def _get_file(argument: Any, scope: Scope) -> Any:
    return scope.file(str(resolve(argument, scope)))


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value)


def _str_replace(argument: Any, scope: Scope) -> Any:
    if not isinstance(argument, dict) or set(argument) != {"template", "params"}:
        raise _wrong("str_replace", "{template: string, params: map}")
    text, params = resolve(argument["template"], scope), resolve(argument["params"], scope)
    if text is None or not isinstance(params, dict):
        return text
    text = _text(text)
    done, at = [], 0
    names = sorted((name for name in params if name), key=len, reverse=True)
    while at < len(text):
        for name in names:
            if text.startswith(name, at):
                done.append(_text(params[name]))
                at += len(name)
                break
        else:
            done.append(text[at])
            at += 1
    return "".join(done)


def _list_join(argument: Any, scope: Scope) -> Any:
    if not isinstance(argument, list) or len(argument) < 2:  # noqa: PLR2004  a delimiter and lists
        raise _wrong("list_join", "[ <delimiter>, [list, ...] ]")
    delimiter, *lists = [resolve(item, scope) for item in argument]
    return str(delimiter).join(_text(item) for some in lists for item in some or [])


def _repeat(argument: Any, scope: Scope) -> Any:
    if not isinstance(argument, dict) or not {"for_each", "template"} <= set(argument):
        raise _wrong("repeat", "{template: …, for_each: map}")
    each = resolve(argument["for_each"], scope)
    if isinstance(each, dict) and any(isinstance(items, Later) for items in each.values()):
        return LATER
    if not isinstance(each, dict):
        raise _wrong("repeat", "{template: …, for_each: map}")
    names, lists = list(each), [items or [] for items in each.values()]
    nested = argument.get("permutations", True)
    rows = product(*lists) if nested else zip(*lists, strict=True)
    return [resolve(_filled(argument["template"], dict(zip(names, row, strict=True))), scope) for row in rows]


def _filled(value: Any, known: dict[str, Any]) -> Any:
    if isinstance(value, list):
        return [_filled(item, known) for item in value]
    if isinstance(value, dict):
        return {_filled(key, known): _filled(item, known) for key, item in value.items()}
    if isinstance(value, str):
        if value in known:
            return known[value]
        for name, item in known.items():
            value = value.replace(name, _text(item))
    return value


def _if(argument: Any, scope: Scope) -> Any:
    if not isinstance(argument, list) or len(argument) not in {2, 3}:
        raise _wrong("if", "[condition_name, value_if_true, value_if_false]")
    chosen = argument[1:2] if scope.condition(argument[0]) else argument[2:3]
    return resolve(chosen[0], scope) if chosen else None


def _equals(argument: Any, scope: Scope) -> Any:
    if not isinstance(argument, list) or len(argument) != 2:  # noqa: PLR2004  two values
        raise _wrong("equals", "[value_1, value_2]")
    return resolve(argument[0], scope) == resolve(argument[1], scope)


def _digest(argument: Any, scope: Scope) -> Any:
    name, text = [resolve(item, scope) for item in argument]
    return hashlib.new(str(name), _text(text).encode()).hexdigest()


def _map_merge(argument: Any, scope: Scope) -> Any:
    merged: dict[Any, Any] = {}
    for item in resolve(argument, scope):
        merged |= item or {}
    return merged


def _str_split(argument: Any, scope: Scope) -> Any:
    delimiter, text, *index = [resolve(item, scope) for item in argument]
    pieces = _text(text).split(str(delimiter))
    return pieces[int(index[0])] if index else pieces


def _list_concat(argument: Any, scope: Scope) -> Any:
    return [item for some in resolve(argument, scope) for item in some or []]


_DONE: dict[str, Callable[[Any, Scope], Any]] = {
    "get_param": _get_param,
    "get_resource": _get_resource,
    "get_attr": _get_attr,
    "get_file": _get_file,
    "str_replace": _str_replace,
    "str_replace_strict": _str_replace,
    "list_join": _list_join,
    "repeat": _repeat,
    "if": _if,
    "equals": _equals,
    "not": lambda argument, scope: not scope.condition(argument),
    "and": lambda argument, scope: all(scope.condition(one) for one in argument),
    "or": lambda argument, scope: any(scope.condition(one) for one in argument),
    "digest": _digest,
    "map_merge": _map_merge,
    "str_split": _str_split,
    "list_concat": _list_concat,
}
_LATER = frozenset(
    {"yaql", "resource_facade", "map_replace", "contains", "filter", "make_url", "list_concat_unique"}
)

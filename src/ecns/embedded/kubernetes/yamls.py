"""YAML as Kubernetes reads it: as what its JSON would be, by the rules of Go's decoder.

Source: https://yaml.org/type/ (YAML 1.1); timestamps and numbers of base 60 stay texts, as in Go.
"""

from __future__ import annotations

import math
import re
from typing import Any

import yaml

from ecns.embedded.kubernetes.errors import MalformedError

_MOST = 400_000
"""Values that a document may be when each alias is a copy."""
_TAG = "tag:yaml.org,2002:"
_INT = re.compile(r"[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|0o[0-7_]+|[0-9][0-9_]*)$")
_FLOAT = re.compile(
    r"([-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$"
)


class _Loader(yaml.SafeLoader):
    """Notes the keys that come more than once."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.duplicates: list[str] = []

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: ARG002, FBT001, FBT002  yaml's
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise MalformedError(f"yaml: invalid map key: {_go(self.construct_object(key, deep=True))}")
            if key.value in seen:
                line = key.start_mark.line + 1
                self.duplicates.append(
                    f'yaml: unmarshal errors:\n  line {line}: key "{key.value}" already set in map'
                )
            seen.add(key.value)
        self.flatten_mapping(node)
        return {
            _key(self.construct_object(key, deep=True)): self.construct_object(value, deep=True)
            for key, value in node.value
        }


def _integer(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node)).replace("_", "")
    sign, digits = (text[0], text[1:]) if text[0] in "+-" else ("", text)
    octal = digits.startswith("0") and set(digits) <= set("01234567")
    base = 8 if octal else 0 if digits[:2].lower() in {"0b", "0x", "0o"} else 10
    return int(sign + digits, base)


_Loader.add_constructor(f"{_TAG}int", _integer)
_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in resolvers if pair[0].removeprefix(_TAG) not in {"timestamp", "int", "float"}]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(f"{_TAG}int", _INT, list("-+0123456789"))
_Loader.add_implicit_resolver(f"{_TAG}float", _FLOAT, list("-+.0123456789"))


def load(data: bytes) -> tuple[Any, list[str]]:
    """The value of the first document, and messages about keys that come more than once.

    Raises:
        MalformedError: with Go's words.

    """
    try:
        loader = _Loader(data)
        node = loader.get_node() if loader.check_node() else None
        if node is None:
            return None, []
        if _expanded(node, {}) > _MOST:
            raise MalformedError("yaml: document contains excessive aliasing")
        return _as_json(loader.construct_document(node)), loader.duplicates
    except yaml.YAMLError as error:
        raise _malformed(error) from None
    except RecursionError:
        raise MalformedError("yaml: exceeded max depth") from None
    except ValueError as error:
        raise MalformedError(str(error)) from None


def _malformed(error: yaml.YAMLError) -> MalformedError:
    problem, mark = getattr(error, "problem", "") or "", getattr(error, "problem_mark", None)
    line = mark.line if mark else 0
    if problem.startswith("expected ',' or ']'"):
        problem = "did not find expected ',' or ']'"
    elif problem.startswith("expected the node content"):
        problem, line = "did not find expected node content", max(line, 1)
    place = f"line {line}: " if mark else ""
    return MalformedError(f"yaml: {place}{problem}")


def _expanded(node: Any, known: dict[int, int]) -> int:
    size = known.get(id(node))
    if size == 0:
        raise MalformedError("yaml: anchor value contains itself")
    if size is None:
        known[id(node)], size = 0, 1
        if not isinstance(node.value, str):
            for item in node.value:
                for part in item if isinstance(item, tuple) else (item,):
                    size += _expanded(part, known)
        known[id(node)] = size
    return size


def _as_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_json(item) for key, item in value.items()}
    if isinstance(value, set):
        return dict.fromkeys(map(_key, value))
    if isinstance(value, list | tuple):
        return [_as_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        shown = "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
        raise MalformedError(f"json: unsupported value: {shown}")
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if isinstance(value, str | bool | int | float | None) else str(value)


def _key(key: Any) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, int | float):
        return str(key)
    raise MalformedError(f"unsupported map key of type: {'nil' if key is None else type(key).__name__}")


def _go(value: Any) -> str:
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_go(item)}" for key, item in value.items()) + "]"
    return "[" + " ".join(map(_go, value)) + "]" if isinstance(value, list) else str(value)

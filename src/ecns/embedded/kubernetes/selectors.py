"""Label and field selectors: parsing them and asking objects.

Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from ecns.embedded.kubernetes.errors import Object, bad_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ecns.embedded.kubernetes.store import Record


class Requirement(msgspec.Struct, frozen=True):
    """One term: `operator` is one of =, !=, in, notin, exists, !, gt, lt."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether a set of labels has it."""
        value = labels.get(self.key)
        match self.operator:
            case "=" | "in":
                return value is not None and value in self.values
            case "!=" | "notin":
                return value is None or value not in self.values
            case "exists":
                return value is not None
            case "!":
                return value is None
            case _:
                try:
                    number, bound = int(value or ""), int(self.values[0])
                except ValueError:
                    return False
                return number > bound if self.operator == "gt" else number < bound


def matches(requirements: tuple[Requirement, ...], labels: Mapping[str, str]) -> bool:
    """Whether labels have all of the terms."""
    return all(requirement.matches(labels) for requirement in requirements)


def of_object(selector: Object | None) -> tuple[Requirement, ...]:
    """The terms of a `metav1.LabelSelector`; of None a term that nothing has."""
    if selector is None:
        return (Requirement("", "in"),)
    found = [Requirement(key, "=", (value,)) for key, value in (selector.get("matchLabels") or {}).items()]
    operators = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}
    for expression in selector.get("matchExpressions") or ():
        operator = operators[expression["operator"]]
        found.append(Requirement(expression["key"], operator, tuple(expression.get("values") or ())))
    return tuple(found)


_SIGNS = frozenset({",", "(", ")", "=", "==", "!=", "<", ">"})
_TOKEN = re.compile(r"\s*(==|!=|=|!|<|>|\(|\)|,|[^\s=!<>(),]+)")
_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAME_RULE = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used "
    "for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_MAX = 63


def parse_labels(text: str) -> tuple[Requirement, ...]:
    """Parses a label selector; "" is no terms.

    Raises:
        ApiError: 400 with Kubernetes' own words.

    """
    try:
        return _Parser(text).parse()
    except ValueError as error:
        raise bad_request(str(error)) from None


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = _TOKEN.findall(text)
        self._at = 0

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def parse(self) -> tuple[Requirement, ...]:
        found: list[Requirement] = []
        if not self._peek():
            return ()
        while True:
            if self._peek() in _SIGNS:
                message = f"found '{self._peek()}', expected: !, identifier, or 'end of string'"
                raise ValueError(message)
            try:
                found.append(self._requirement())
            except ValueError as error:
                message = f"unable to parse requirement: {error}"
                raise ValueError(message) from None
            token = self._next()
            if not token:
                return tuple(found)
            if token != ",":  # noqa: S105  a token of the selector
                message = f"found '{token}', expected: ',' or 'end of string'"
                raise ValueError(message)
            following = self._peek()
            if not following or following in _SIGNS:
                message = f"found '{following}', expected: identifier after ','"
                raise ValueError(message)

    def _requirement(self) -> Requirement:
        token = self._next()
        absent = token == "!"  # noqa: S105  a token of the selector
        if absent:
            token = self._next()
        key = "" if token in {",", "(", ")", "=", "==", "!=", "<", ">"} else token
        if token and not key:
            message = f"found '{token}', expected: !, identifier, or 'end of string'"
            raise ValueError(message)
        if not key:
            message = "found '', expected: identifier"
            raise ValueError(message)
        _check_key(key)
        if absent:
            return Requirement(key, "!")
        following = self._peek()
        if following in {"", ","}:
            return Requirement(key, "exists")
        operator = self._next()
        if operator in {"=", "=="}:
            return self._checked(key, "=", (self._value(),))
        if operator == "!=":
            return self._checked(key, "!=", (self._value(),))
        if operator in {"in", "notin"}:
            return self._checked(key, operator, self._values())
        if operator in {"<", ">"}:
            return self._number(key, "lt" if operator == "<" else "gt")
        message = f"found '{operator}', expected: in, notin, =, ==, !=, gt, lt"
        raise ValueError(message)

    def _number(self, key: str, operator: str) -> Requirement:
        value = self._value()
        if not re.fullmatch(r"[+-]?\d+", value):
            message = (
                f"values[0]: Invalid value: \"{value}\": for 'Gt', 'Lt' operators, the value must "
                "be an integer"
            )
            raise ValueError(message)
        return Requirement(key, operator, (value,))

    def _value(self) -> str:
        token = self._peek()
        if token in {"", ","}:
            return ""
        if token in {"(", ")", "=", "==", "!=", "<", ">", "!"}:
            message = f"found '{token}', expected: identifier"
            raise ValueError(message)
        return self._next()

    def _values(self) -> tuple[str, ...]:
        token = self._next()
        if token != "(":  # noqa: S105  a token of the selector
            message = f"found '{token}' expected: '('"
            raise ValueError(message)
        values: list[str] = []
        last = ","
        while True:
            token = self._next()
            if token == ")":  # noqa: S105  a token of the selector
                if last == ",":
                    values.append("")
                return tuple(sorted(set(values)))
            if token == ",":  # noqa: S105  a token of the selector
                if last == ",":
                    values.append("")
            elif not token or token in {"(", "=", "==", "!=", "<", ">", "!"}:
                expected = "',', ')' or identifier" if last == "," else "',' or ')'"
                message = f"found '{token}', expected: {expected}"
                raise ValueError(message)
            else:
                values.append(token)
            last = token

    def _checked(self, key: str, operator: str, values: tuple[str, ...]) -> Requirement:
        for index, value in enumerate(values):
            where = f'values[{index}][{key}]: Invalid value: "{value}": '
            if len(value) > _MAX:
                message = f"{where}must be no more than 63 bytes"
                raise ValueError(message)
            if not _VALUE.fullmatch(value):
                raise ValueError(where + _VALUE_RULE)
        return Requirement(key, operator, values)


def _check_key(key: str) -> None:
    prefix, slash, name = key.rpartition("/")
    problems: list[str] = []
    if slash and not prefix:
        problems.append("prefix part must be non-empty")
    elif slash and not _SUBDOMAIN.fullmatch(prefix):
        problems.append(
            "prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric "
            "characters, '-' or '.', "
            "and must start and end with an alphanumeric character (e.g. 'example.com', regex "
            "used for validation is "
            "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
        )
    if not name:
        problems.append("name part must be non-empty")
    elif len(name) > _MAX:
        problems.append("name part must be no more than 63 bytes")
    if not _NAME.fullmatch(name):
        problems.append(_NAME_RULE)
    if problems:
        message = f'<nil>: Invalid value: "{key}": {"; ".join(problems)}'
        raise ValueError(message)


class FieldTerm(msgspec.Struct, frozen=True):
    """One `field=value` or `field!=value`."""

    field: str
    value: str
    negated: bool = False


_POD_FIELDS: dict[str, Callable[[Object], str]] = {
    "spec.nodeName": lambda pod: pod.get("spec", {}).get("nodeName", ""),
    "spec.restartPolicy": lambda pod: pod.get("spec", {}).get("restartPolicy", ""),
    "spec.schedulerName": lambda pod: pod.get("spec", {}).get("schedulerName", ""),
    "spec.serviceAccountName": lambda pod: pod.get("spec", {}).get("serviceAccountName", ""),
    "spec.hostNetwork": lambda pod: str(bool(pod.get("spec", {}).get("hostNetwork"))).lower(),
    "status.phase": lambda pod: pod.get("status", {}).get("phase", ""),
    "status.podIP": lambda pod: pod.get("status", {}).get("podIP", ""),
    "status.podIPs": lambda pod: pod.get("status", {}).get("podIP", ""),
    "status.nominatedNodeName": lambda pod: pod.get("status", {}).get("nominatedNodeName", ""),
}


def _path(*keys: str) -> Callable[[Object], str]:
    def read(obj: Object) -> str:
        value: object = obj
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, bool):
            return str(value).lower()
        return "" if value is None else str(value)

    return read


_EVENT_FIELDS: dict[str, Callable[[Object], str]] = {
    **{
        f"involvedObject.{key}": _path("involvedObject", key)
        for key in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
    },
    "reason": _path("reason"),
    "reportingComponent": _path("reportingComponent"),
    "source": lambda event: event.get("source", {}).get("component") or event.get("reportingComponent", ""),
    "type": _path("type"),
}
_FIELDS: dict[str, dict[str, Callable[[Object], str]]] = {
    "pods": _POD_FIELDS,
    "events": _EVENT_FIELDS,
    "events.events.k8s.io": {
        key.replace("involvedObject.", "regarding."): read
        for key, read in _EVENT_FIELDS.items()
        if key != "source"
    }
    | {"reportingController": _path("reportingComponent")},
    "nodes": {
        "spec.unschedulable": lambda node: str(bool(node.get("spec", {}).get("unschedulable"))).lower()
    },
    "namespaces": {"status.phase": _path("status", "phase"), "name": _path("metadata", "name")},
    "secrets": {"type": _path("type")},
    "services": {"spec.clusterIP": _path("spec", "clusterIP"), "spec.type": _path("spec", "type")},
    "replicationcontrollers": {
        "status.replicas": lambda item: str(item.get("status", {}).get("replicas", 0))
    },
    "jobs.batch": {"status.successful": lambda job: str(job.get("status", {}).get("succeeded", 0))},
}
_NAMES = frozenset({"metadata.name", "metadata.namespace"})
_OF_ALL = dict.fromkeys(("nodes", "namespaces"), frozenset({"metadata.name"}))
"""Fields that nearly all kinds are selected by; nodes and namespaces know no namespace."""
_TERM = re.compile(r"(?P<field>[^=!]*)(?P<operator>==|!=|=)(?P<value>.*)", re.DOTALL)


def parse_fields(
    text: str, resource: str, selectable: tuple[str, ...] | None = None
) -> tuple[FieldTerm, ...]:
    """Parses a field selector for a resource.

    Args:
        text: the selector; "" is no terms.
        resource: `pods`.
        selectable: further fields (`spec.color`) of a custom resource, None for a built-in one.

    Raises:
        ApiError: 400 when it does not parse or names a field that cannot be selected by.

    """
    known, custom = _FIELDS.get(resource, {}), selectable is not None
    terms: list[FieldTerm] = []
    for part in re.split(r"(?<!\\),", text):
        if not part:
            continue
        found = _TERM.fullmatch(part)
        if found is None:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{part}'")
        field, value = found["field"], re.sub(r"\\([\\,=])", r"\1", found["value"])
        if field not in known and field not in _OF_ALL.get(resource, _NAMES) | set(selectable or ()):
            raise bad_request(_unknown_field(resource, field, custom=custom))
        terms.append(FieldTerm(field, value, found["operator"] == "!="))
    return tuple(terms)


def _unknown_field(resource: str, field: str, *, custom: bool) -> str:
    if resource == "jobs.batch":
        return f'field label "{field}" not supported for Job'
    if resource in _FIELDS or custom:
        return f"field label not supported: {field}"
    return f'"{field}" is not a known field selector: only "metadata.name", "metadata.namespace"'


class _PodSpec(msgspec.Struct, omit_defaults=True):
    nodeName: str = ""  # noqa: N815  Kubernetes' name
    restartPolicy: str = ""  # noqa: N815
    schedulerName: str = ""  # noqa: N815
    serviceAccountName: str = ""  # noqa: N815
    hostNetwork: bool = False  # noqa: N815


class _PodStatus(msgspec.Struct, omit_defaults=True):
    phase: str = ""
    podIP: str = ""  # noqa: N815
    nominatedNodeName: str = ""  # noqa: N815


class _PodHead(msgspec.Struct):
    spec: _PodSpec = msgspec.field(default_factory=_PodSpec)
    status: _PodStatus = msgspec.field(default_factory=_PodStatus)


_decode_pod = msgspec.json.Decoder(_PodHead).decode


def _selectable(record: Record) -> Object:
    """The part of an object that fields are selected by; of a pod that is not decoded, that part alone."""
    if record.resource != "pods" or record.is_decoded:
        return record.obj
    found: Object = msgspec.to_builtins(_decode_pod(record.data))
    return found


class Selection(msgspec.Struct, frozen=True):
    """Label and field terms together, for one resource."""

    resource: str
    labels: tuple[Requirement, ...] = ()
    fields: tuple[FieldTerm, ...] = ()

    @property
    def everything(self) -> bool:
        """Whether there are no terms."""
        return not self.labels and not self.fields

    def takes(self, record: Record) -> bool:
        """Whether a stored object is selected."""
        if self.labels and not matches(self.labels, record.labels):
            return False
        for term in self.fields:
            if term.field == "metadata.name":
                value = record.name
            elif term.field == "metadata.namespace":
                value = record.namespace
            else:
                read = _FIELDS.get(self.resource, {}).get(term.field) or _path(
                    *term.field.lstrip(".").split(".")
                )
                value = read(_selectable(record))
            if (value == term.value) == term.negated:
                return False
        return True

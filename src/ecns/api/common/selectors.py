"""Kubernetes label selectors, matched against what the watch cache holds; those that name an application.

Sources: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors ;
decisions, "Other chapters" (`app_selector`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated

from litestar.params import Parameter

from ecns.api.common.names import PART_OF
from ecns.errors import BadRequestError

Labels = Mapping[str, str]
Test = Callable[[Labels], bool]

AppSelector = Annotated[
    str,
    Parameter(
        description="Only members of the application of this name; a label selector if it has an operator."
    ),
]

_KEY = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9.]*[A-Za-z0-9])?/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?"
_VALUE = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?"
_EQUALS = re.compile(rf"({_KEY})\s*(==|=|!=)\s*({_VALUE})")
_SET = re.compile(rf"({_KEY})\s+(in|notin)\s*\(([^()]*)\)")
_EXISTS = re.compile(rf"(!?)\s*({_KEY})")
_COMMA_OUTSIDE_PARENTHESES = re.compile(r",(?![^()]*\))")


def label_selector(text: str, field: str = "label_selector") -> Test:
    """The test that a selector such as `app=web,tier in (a, b),!canary` stands for.

    Args:
        text: the selector.
        field: where it was sent.

    Raises:
        BadRequestError: it is no selector.
    """
    tests = [_requirement(part.strip(), text, field) for part in _COMMA_OUTSIDE_PARENTHESES.split(text)]
    return lambda labels: all(test(labels) for test in tests)


def app_selector(text: str) -> Test | None:
    """The test that `app_selector` stands for: an application's name, or a label selector.

    What can be a name is one; `app.kubernetes.io/part-of=shop` and `shop` are the same. Empty: no test.

    Raises:
        BadRequestError: it is neither.
    """
    if not text:
        return None
    if re.fullmatch(_VALUE, text):
        return lambda labels: labels.get(PART_OF) == text
    return label_selector(text, "app_selector")


def _requirement(part: str, whole: str, field: str) -> Test:
    if match := _EQUALS.fullmatch(part):
        key, operator, value = match.groups()
        if operator == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if match := _SET.fullmatch(part):
        key, operator, listed = match.groups()
        values = {value.strip() for value in listed.split(",")}
        if all(re.fullmatch(_VALUE, value) for value in values):
            if operator == "notin":
                return lambda labels: labels.get(key) not in values
            return lambda labels: key in labels and labels[key] in values
    if match := _EXISTS.fullmatch(part):
        absent, key = match.groups()
        return lambda labels: (key not in labels) if absent else (key in labels)
    raise BadRequestError(f"{whole!r} is not a label selector", field=field)

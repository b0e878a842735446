"""Kubernetes label selectors, matched against what the watch cache holds.

Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from ecns.errors import BadRequestError

Labels = Mapping[str, str]
Test = Callable[[Labels], bool]

_KEY = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9.]*[A-Za-z0-9])?/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?"
_VALUE = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?"
_EQUALS = re.compile(rf"({_KEY})\s*(==|=|!=)\s*({_VALUE})")
_SET = re.compile(rf"({_KEY})\s+(in|notin)\s*\(([^()]*)\)")
_EXISTS = re.compile(rf"(!?)\s*({_KEY})")
_COMMA_OUTSIDE_PARENTHESES = re.compile(r",(?![^()]*\))")


def label_selector(text: str) -> Test:
    """The test that a selector such as `app=web,tier in (a, b),!canary` stands for.

    Raises:
        BadRequestError: it is no selector.
    """
    tests = [_requirement(part.strip(), text) for part in _COMMA_OUTSIDE_PARENTHESES.split(text)]
    return lambda labels: all(test(labels) for test in tests)


def _requirement(part: str, whole: str) -> Test:
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
    raise BadRequestError(f"{whole!r} is not a label selector", field="label_selector")

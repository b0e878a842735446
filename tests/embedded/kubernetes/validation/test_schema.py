from __future__ import annotations

from typing import Any

import pytest

from ecns.embedded.kubernetes.errors import ApiError
from ecns.embedded.kubernetes.validation import schema

WIDGET: dict[str, Any] = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["size"],
            "properties": {
                "size": {"type": "integer", "minimum": 1, "default": 3},
                "share": {"type": "number", "maximum": 1, "exclusiveMaximum": True, "multipleOf": 0.25},
                "name": {"type": "string", "minLength": 2, "pattern": "^[a-z]+$"},
                "when": {"type": "string", "format": "date-time"},
                "address": {"type": "string", "format": "ipv4"},
                "port": {"x-kubernetes-int-or-string": True},
                "maybe": {"type": "string", "nullable": True},
                "on": {"type": "boolean", "default": True},
                "nested": {
                    "type": "object",
                    "default": {},
                    "properties": {"deep": {"type": "string", "default": "x"}},
                },
                "tags": {
                    "type": "array",
                    "x-kubernetes-list-type": "set",
                    "minItems": 1,
                    "items": {"type": "string"},
                },
                "rows": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["key"],
                    "items": {
                        "type": "object",
                        "properties": {"key": {"type": "string"}, "n": {"type": "integer"}},
                    },
                },
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "by": {
                    "type": "object",
                    "maxProperties": 2,
                    "additionalProperties": {"type": "integer", "minimum": 0},
                },
                "either": {
                    "type": "object",
                    "x-kubernetes-preserve-unknown-fields": True,
                    "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
                },
            },
        },
    },
}


def widget(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "e.com/v1", "kind": "W", "metadata": {"name": "w"}, "spec": {"size": 1, **spec}}


def faults(**spec: Any) -> list[str]:
    return [str(cause) for cause in schema.validate(WIDGET, widget(**spec))]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (
            {"size": "1"},
            'spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"',
        ),
        ({"share": 1}, "spec.share: Invalid value: 1: spec.share in body should be less than 1"),
        ({"share": 0.3}, "spec.share: Invalid value: 0.3: spec.share in body should be a multiple of 0.25"),
        ({"name": "a"}, 'spec.name: Invalid value: "a": spec.name in body should be at least 2 chars long'),
        ({"name": "AB"}, "spec.name: Invalid value: \"AB\": spec.name in body should match '^[a-z]+$'"),
        (
            {"when": "soon"},
            'spec.when: Invalid value: "soon": spec.when in body must be of type date-time: "soon"',
        ),
        (
            {"address": "1.2.3"},
            'spec.address: Invalid value: "1.2.3": spec.address in body must be of type ipv4: "1.2.3"',
        ),
        (
            {"port": 1.5},
            'spec.port: Invalid value: "number": spec.port in body must be of type integer,string: "number"',
        ),
        ({"on": None}, 'spec.on: Invalid value: "null": spec.on in body must be of type boolean: "null"'),
        ({"tags": []}, "spec.tags: Invalid value: 0: spec.tags in body should have at least 1 items"),
        ({"tags": ["a", "a"]}, 'spec.tags[1]: Duplicate value: "a"'),
        ({"rows": [{"key": "a"}, {"key": "a", "n": 1}]}, 'spec.rows[1]: Duplicate value: {"key":"a"}'),
        (
            {"by": {"a": -1}},
            "spec.by.a: Invalid value: -1: spec.by.a in body should be greater than or equal to 0",
        ),
        ({"by": {"a": 1, "b": 1, "c": 1}}, "spec.by: Too many: 3: must have at most 2 items"),
        (
            {"either": {}},
            (
                'spec.either: Invalid value: "": "spec.either" must validate one and only one schema (oneOf).'
                " Found none valid"
            ),
        ),
    ],
)
def test_what_breaks_a_schema(spec: dict[str, Any], said: str) -> None:
    assert faults(**spec) == [said]


def test_what_fits() -> None:
    fine = {
        "share": 0.75,
        "name": "abc",
        "when": "2026-01-01T00:00:00Z",
        "address": "10.0.0.1",
        "port": "http",
    }
    assert (
        faults(**fine, maybe=None, rows=[{"key": "a"}, {"key": "b"}], either={"a": 1}, free={"x": [1]}) == []
    )


def test_defaults_and_pruning() -> None:
    obj = widget(on=None, nosuch=1, free={"kept": 1}, by={"a": 1}, rows=[{"key": "a", "odd": 1}])
    del obj["spec"]["size"]
    assert schema.unknown_fields(WIDGET, obj) == ["spec.nosuch", "spec.rows[0].odd"]
    schema.prune(WIDGET, obj)
    schema.default(WIDGET, obj)
    assert obj["metadata"] == {"name": "w"}
    assert obj["spec"] == {
        "on": True,
        "free": {"kept": 1},
        "by": {"a": 1},
        "rows": [{"key": "a"}],
        "size": 3,
        "nested": {"deep": "x"},
    }


def test_metadata_is_of_kubernetes_own_type() -> None:
    free = {
        "type": "object",
        "properties": {"spec": {"type": "object", "x-kubernetes-embedded-resource": True}},
    }
    obj: dict[str, Any] = {"kind": "W", "metadata": {"name": "w", "labels": {}, "odd": 1}}
    obj["spec"] = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "strange": 1}}
    assert schema.unknown_fields(free, obj) == ["metadata.odd", "spec.metadata.strange"]
    schema.prune(free, obj)
    assert obj["metadata"] == {"name": "w"}
    assert obj["spec"]["metadata"] == {"name": "p"}
    with pytest.raises(ApiError, match=r"field ObjectMeta\.labels of type string"):
        schema.unknown_fields(free, {"kind": "W", "metadata": {"labels": {"a": 1}}})


def test_what_an_update_leaves_as_it_was_is_not_held_against_it() -> None:
    old, new = widget(name="OLD", rows=[{"key": "a", "n": "x"}]), widget(name="OLD", rows=[])
    new["spec"]["rows"] = [{"key": "b", "n": "y"}, {"key": "a", "n": "x"}]
    assert [cause.field for cause in schema.validate(WIDGET, new, old)] == ["spec.rows[0].n"]


RULED: dict[str, Any] = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "x-kubernetes-validations": [
                {"rule": "self.low <= self.high", "messageExpression": "'low is ' + string(self.low)"},
                {"rule": "self.low >= oldSelf.low", "message": "may only grow", "fieldPath": ".low"},
            ],
            "properties": {
                "low": {"type": "integer"},
                "high": {"type": "integer"},
                "names": {
                    "type": "array",
                    "items": {"type": "string", "x-kubernetes-validations": [{"rule": "self.size() < 4"}]},
                },
            },
        },
    },
}


def test_rules() -> None:
    fine, odd = {"spec": {"low": 1, "high": 2}}, {"spec": {"low": 3, "high": 2, "names": ["abc", "abcd"]}}
    assert schema.validate(RULED, fine) == []
    assert [str(cause) for cause in schema.validate(RULED, odd)] == [
        "spec: Invalid value: low is 3",
        'spec.names[1]: Invalid value: "abcd": failed rule: self.size() < 4',
    ]
    assert [str(c) for c in schema.validate(RULED, fine, {"spec": {"low": 2, "high": 2}})] == [
        "spec.low: Invalid value: may only grow"
    ]
    missing = schema.validate(RULED, {"spec": {"high": 2}})
    assert [str(cause) for cause in missing] == [
        'spec: Invalid value: "object": no such key: low evaluating rule: self.low <= self.high'
    ]


def test_what_the_scale_reads() -> None:
    scale = {
        "specReplicasPath": ".spec.n",
        "statusReplicasPath": ".status.n",
        "labelSelectorPath": ".status.s",
    }
    free = {"type": "object"}

    def said(spec: object, status: object, selector: object) -> list[str]:
        obj = {"spec": {"n": spec}, "status": {"n": status, "s": selector}}
        return [str(cause) for cause in schema.validate(free, obj, None, scale)]

    assert said(1, 0, "a=b") == []
    assert said("big", -1, 1) == [
        ".spec.n: Invalid value: 0: .spec.n accessor error: big is of the type string, expected int64",
        ".status.n: Invalid value: -1: should be a non-negative integer",
        '.status.s: Invalid value: "": .status.s accessor error: 1 is of the type int64, expected string',
    ]

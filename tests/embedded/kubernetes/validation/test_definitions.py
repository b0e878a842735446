"""Schemas of CustomResourceDefinitions: what a Kubernetes 1.36.2 that ran beside says of each."""

from __future__ import annotations

from typing import Any

import pytest

from ecns.embedded.kubernetes.validation import definitions
from ecns.embedded.kubernetes.validation.causes import Causes

TEXT = {"type": "string"}
NUMBER_OR_TEXT = [{"type": "integer"}, {"type": "string"}]
AT = "spec.validation.openAPIV3Schema.properties[a]"


def definition(schema: Any, **version: Any) -> dict[str, Any]:
    spec = {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "bads", "singular": "bad", "kind": "Bad", "listKind": "BadList"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": schema},
                **version,
            }
        ],
    }
    return {"metadata": {"name": "bads.example.com"}, "spec": spec, "status": {"storedVersions": ["v1"]}}


def faults(obj: dict[str, Any], old: dict[str, Any] | None = None) -> list[str]:
    causes = Causes()
    if old is None:
        definitions.definition(causes, obj)
    else:
        definitions.definition_update(causes, obj, old)
    return [str(cause) for cause in causes]


@pytest.mark.parametrize(
    ("field", "said"),
    [
        (
            {"type": "string", "default": 1},
            '.default: Invalid value: "integer":  in body must be of type string',
        ),
        ({"type": "string", "minLength": 3, "default": "b"}, "should be at least 3 chars long"),
        ({"type": "string", "enum": ["a"], "default": "b"}, '.default: Unsupported value: "b"'),
        (
            {"type": "object", "properties": {"b": TEXT}, "required": ["b"], "default": {}},
            ".default.b: Required value",
        ),
        ({"type": "object", "properties": {"b": TEXT}, "default": {"c": 1}}, "must not have unknown fields"),
        ({"type": "integer", "default": 1.5}, "Checked value must be of type integer (default format) in "),
        ({"$ref": "#/x"}, ".$ref: Forbidden: $ref is not supported"),
        ({"type": "string", "id": "x"}, ".id: Forbidden: id is not supported"),
        (
            {"type": "array", "items": {}},
            ".items.type: Required value: must not be empty for specified array",
        ),
        ({"anyOf": [{"type": "string"}]}, ".anyOf[0].type: Forbidden: must be empty to be structural"),
        ({"type": "string", "not": {"default": "x"}}, ".not.default: Forbidden: must be undefined to be"),
        ({"type": "string", "x-kubernetes-list-type": "set"}, "must be array if x-kubernetes-list-type is"),
        ({"type": "string", "x-kubernetes-map-type": "atomic"}, "must be object if x-kubernetes-map-type is"),
        (
            {"type": "object", "x-kubernetes-embedded-resource": True},
            ".properties: Required value: must not be",
        ),
        ({"type": "object", "x-kubernetes-preserve-unknown-fields": False}, "must be true or undefined"),
        ({"type": "string", "pattern": "("}, "error parsing regexp: missing closing ): `(`"),
        (
            {"type": "string", "x-kubernetes-validations": [{"rule": "self.matches('(')"}]},
            "ERROR: <input>:1:14: invalid matches argument",
        ),
    ],
)
def test_a_field_that_is_not_as_it_must_be(field: dict[str, Any], said: str) -> None:
    found = faults(definition({"type": "object", "properties": {"a": field}}))
    assert any(said in fault and fault.startswith(AT) for fault in found), found


@pytest.mark.parametrize(
    "field",
    [
        {"x-kubernetes-int-or-string": True, "anyOf": NUMBER_OR_TEXT},
        {"x-kubernetes-int-or-string": True, "allOf": [{"anyOf": NUMBER_OR_TEXT}, {"pattern": "a"}]},
        {"type": "object", "properties": {"x": {**TEXT, "default": "q"}}, "default": {}},
        {"type": "array", "items": TEXT, "allOf": [{"items": {"minLength": 1}}]},
        {"type": "string", "pattern": r"^(\d+)(\.\d+)?([eE]\-?\d+)?\z", "default": "1.5e-3"},
        {"type": "boolean", "default": False},
    ],
)
def test_a_field_that_is_as_it_must_be(field: dict[str, Any]) -> None:
    assert not faults(definition({"type": "object", "properties": {"a": field}}))


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (
            {"type": "object", "nullable": True},
            "openAPIV3Schema.nullable: Forbidden: nullable cannot be true",
        ),
        ({"type": "object", "additionalProperties": True}, "Forbidden: must not be used at the root"),
        (
            {"type": "object", "properties": {"metadata": {"type": "object", "properties": {"x": TEXT}}}},
            "must not specify anything other than name and generateName",
        ),
        (
            {"type": "object", "properties": {"metadata": {"type": "object", "default": {"name": "a"}}}},
            "[metadata].default: Forbidden: must not be set in top-level metadata",
        ),
        (
            {"type": "object", "properties": {"x": TEXT}, "anyOf": [{"properties": {"y": {"pattern": "a"}}}]},
            "because it is defined in spec.validation.openAPIV3Schema.anyOf[0].properties[y]",
        ),
        ({"type": "object", "$schema": "x"}, "OpenAPIV3Schema 'schema' is not supported"),
    ],
)
def test_a_root_that_is_not_as_it_must_be(schema: dict[str, Any], said: str) -> None:
    found = faults(definition(schema))
    assert any(said in fault for fault in found), found


def test_what_several_versions_share_is_told_once() -> None:
    obj = definition({"type": "object", "nullable": True})
    first = obj["spec"]["versions"][0]
    obj["spec"]["versions"].append({**first, "name": "v2", "storage": False})
    assert faults(obj) == [
        "spec.validation.openAPIV3Schema.nullable: Forbidden: nullable cannot be true at the root"
    ]
    obj["spec"]["versions"][1]["schema"] = {"openAPIV3Schema": {"type": "object"}}
    assert [fault.partition(":")[0] for fault in faults(obj)] == [
        "spec.versions[0].schema.openAPIV3Schema.nullable"
    ]


def test_a_version_in_which_objects_are_stored_stays() -> None:
    old, new = definition({"type": "object"}), definition({"type": "object"}, name="v2")
    new["status"] = {"storedVersions": ["v1", "v2"]}
    (found,) = faults(new, old)
    assert found.startswith('status.storedVersions[0]: Invalid value: "v1": missing from spec.versions')

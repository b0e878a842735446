"""Documents as objects, in the order of making; an edit makes what was sent."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecns.api.common.documents import Document, read
from ecns.api.raw import manifests
from ecns.api.raw.manifests import Sent, Wrong
from ecns.errors import BadRequestError, ConflictError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
KINDS = st.sampled_from(["Deployment", "List", "ConfigMapList", "Secret", "secret", "Namespace", "X", ""])
METADATA = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("name", "generateName", "namespace", "labels", "annotations"), JSON)
)
ANY = JSON | st.fixed_dictionaries(
    {},
    optional={
        "apiVersion": JSON,
        "kind": KINDS | JSON,
        "metadata": METADATA | JSON,
        "items": JSON,
        "data": JSON,
    },
)


def objects(text: str) -> list[Sent]:
    found = manifests.sent(read(text))
    assert all(isinstance(one, Sent) for one in found)
    return [one for one in found if isinstance(one, Sent)]


@given(values=st.lists(ANY, max_size=4))
def test_anything_is_an_object_or_wrong(values: list[Any]) -> None:
    try:
        found = manifests.sent([Document(line, value) for line, value in enumerate(values, 1)])
    except BadRequestError:
        return
    for one in found:
        if isinstance(one, Wrong):
            assert one.error.field
            manifests.concealed(one.value)
            continue
        assert one.kind
        assert one.name or one.whole["metadata"]["generateName"]
        manifests.secrets(one.whole)
        manifests.defines(one)
        placed = manifests.placed(one, "here")
        assert placed["metadata"]["namespace"] == "here"
        assert "managedFields" not in placed["metadata"]
    manifests.in_order(one for one in found if isinstance(one, Sent))


def test_lists_are_their_items() -> None:
    text = """
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}
- apiVersion: v1
  kind: ConfigMapList
  metadata: {resourceVersion: "1"}
---
apiVersion: apps/v1
kind: DeploymentList
items: [{metadata: {name: b}}]
---
{apiVersion: example.com/v1, kind: PriceList, metadata: {name: c}, items: [1]}
"""
    found = manifests.sent(read(text))
    assert [(one.kind, one.name) for one in found if isinstance(one, Sent)] == [
        ("ConfigMap", "a"),
        ("Deployment", "b"),
        ("PriceList", "c"),
    ]


def test_the_order_of_making() -> None:
    kinds = ["Widget", "ValidatingWebhookConfiguration", "Deployment", "Service", "Role", "ServiceAccount"]
    kinds += ["CustomResourceDefinition", "Secret", "Ingress", "Namespace", "RoleBinding"]
    text = "\n---\n".join(f"{{apiVersion: v1, kind: {kind}, metadata: {{name: x}}}}" for kind in kinds)
    assert [one.kind for several in manifests.in_order(objects(text)) for one in several] == [
        "Namespace",
        "CustomResourceDefinition",
        "ServiceAccount",
        "Secret",
        "Role",
        "RoleBinding",
        "Service",
        "Deployment",
        "Ingress",
        "Widget",
        "ValidatingWebhookConfiguration",
    ]


def test_too_many_and_none() -> None:
    item = "{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}"
    with pytest.raises(BadRequestError, match="more than"):
        manifests.sent(read(f"kind: List\nitems: [{', '.join([item] * 1001)}]"))
    with pytest.raises(BadRequestError, match="no object"):
        manifests.sent(read("kind: List\nitems: []"))


def test_members() -> None:
    whole = {"metadata": {"name": "x", "labels": {"a": "b"}}}
    assert manifests.member(whole, "shop")["metadata"]["labels"] == {
        "a": "b",
        "app.kubernetes.io/part-of": "shop",
    }
    assert whole == {"metadata": {"name": "x", "labels": {"a": "b"}}}
    with pytest.raises(ConflictError):
        manifests.member(manifests.member(whole, "shop"), "other")


PARTS = st.dictionaries(st.sampled_from(["spec", "data", "type", "status", "a/b", "~"]), JSON, max_size=4)
LABELS = st.dictionaries(st.sampled_from("abc"), st.text(max_size=2), max_size=3)
OWN = st.fixed_dictionaries(
    {}, optional={"labels": LABELS, "annotations": LABELS, "finalizers": st.just(["f"])}
)


@given(before=PARTS, after=PARTS, own=OWN, new=OWN)
def test_an_edit_makes_what_was_sent(
    before: dict[str, Any], after: dict[str, Any], own: dict[str, Any], new: dict[str, Any]
) -> None:
    kept = {"name": "x", "resourceVersion": "7", "uid": "u", "managedFields": [1]}
    now = {"apiVersion": "v1", "kind": "X", "metadata": {**kept, **own}, **before}
    sent = {"apiVersion": "v1", "kind": "X", "metadata": {"name": "x", **new}, **after}
    made = patched(now, manifests.edited(now, sent))
    assert {key: made[key] for key in made if key != "metadata"} == {
        key: sent[key] for key in sent if key != "metadata"
    }
    assert {key: made["metadata"].get(key) for key in kept} == kept
    for key in ("labels", "annotations", "finalizers"):
        assert (made["metadata"].get(key) or None) == (new.get(key) or None)


def patched(whole: dict[str, Any], patch: list[dict[str, Any]]) -> dict[str, Any]:
    """What the operations of a JSON Patch make, of those that ECNS writes."""
    made = {**whole, "metadata": dict(whole["metadata"])}
    for one in patch:
        *path, last = (part.replace("~1", "/").replace("~0", "~") for part in one["path"].split("/")[1:])
        into = made
        for part in path:
            into = into[part]
        match one["op"]:
            case "test":
                assert into[last] == one["value"]
            case "remove":
                del into[last]
            case _:
                into[last] = one["value"]
    return made


def test_secrets_are_concealed() -> None:
    secret = {
        "kind": "Secret",
        "metadata": {
            "name": "x",
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "hunter2"},
        },
        "data": {"a": "aHVudGVyMg=="},
        "stringData": {"b": "hunter2"},
    }
    for whole in (
        secret,
        {**secret, "kind": "secret"},
        {**secret, "data": "hunter2"},
        {**secret, "Data": ["hunter2"]},
    ):
        text = str(manifests.concealed(whole))
        assert "hunter2" not in text
        assert "aHVudGVyMg==" not in text
    assert set(manifests.secrets(secret)) == {"aHVudGVyMg==", "hunter2"}
    assert manifests.concealed({**secret, "kind": "ConfigMap"}) == {**secret, "kind": "ConfigMap"}


def test_nulls_that_were_refused_are_left_out() -> None:
    whole = {"spec": {"a": None, "b": None, "l": [{"x": None}, None], "m": {"k": None}}}

    def cause(field: str) -> dict[str, str]:
        return {
            "field": field,
            "message": f'Invalid value: "null": {field} in body must be of type object: "null"',
        }

    refused = [
        cause("spec.a"),
        cause("spec.l[0].x"),
        cause("spec.m[k]"),
        {"field": "spec.b", "message": "no"},
    ]
    assert manifests.without_nulls(whole, refused) == {"spec": {"b": None, "l": [{}, None], "m": {}}}
    for nothing in (None, [], [{"message": "no"}], "x", [5]):
        assert manifests.without_nulls(whole, nothing) is None

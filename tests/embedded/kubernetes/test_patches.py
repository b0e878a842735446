from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ecns.embedded.kubernetes import patches
from ecns.embedded.kubernetes.errors import ApiError
from ecns.embedded.kubernetes.mergekeys import schema_of
from ecns.embedded.kubernetes.resources import Resources

if TYPE_CHECKING:
    from tests.embedded.kubernetes.conftest import Client

_DEPLOYMENTS = Resources()["deployments.apps"]


def _strategic(containers: list[Any], patch: Any) -> list[Any]:
    target = {"spec": {"template": {"spec": {"containers": containers}}}}
    wrapped = {"spec": {"template": {"spec": patch}}}
    result = patches.strategic_merge_patch(target, wrapped, schema_of(_DEPLOYMENTS, "v1"))
    found: list[Any] = result["spec"]["template"]["spec"]["containers"]
    return found


def test_containers_merge_by_name_and_new_ones_come_first() -> None:
    found = _strategic(
        [{"name": "a", "image": "1"}], {"containers": [{"name": "b"}, {"name": "a", "image": "2"}]}
    )
    assert found == [{"name": "b"}, {"name": "a", "image": "2"}]


def test_directives_delete_replace_and_order() -> None:
    have = [{"name": "a"}, {"name": "b"}, {"name": "c"}]
    assert _strategic(have, {"containers": [{"name": "b", "$patch": "delete"}]}) == [
        {"name": "a"},
        {"name": "c"},
    ]
    assert _strategic(have, {"containers": [{"$patch": "replace"}, {"name": "z"}]}) == [{"name": "z"}]
    order = {"$setElementOrder/containers": [{"name": "c"}, {"name": "a"}, {"name": "b"}]}
    assert [item["name"] for item in _strategic(have, {**order, "containers": [{"name": "c"}]})] == [
        "c",
        "a",
        "b",
    ]


def test_values_of_a_primitive_list_are_deleted() -> None:
    target = {"metadata": {"finalizers": ["a/x", "b/x"]}}
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a/x"]}}
    result = patches.strategic_merge_patch(target, patch, schema_of(_DEPLOYMENTS, "v1"))
    assert result["metadata"]["finalizers"] == ["b/x"]


def test_retained_keys_drop_the_others() -> None:
    target = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    result = patches.strategic_merge_patch(target, patch, schema_of(_DEPLOYMENTS, "v1"))
    assert result["spec"]["strategy"] == {"type": "Recreate"}


def test_an_order_that_does_not_fit_is_refused() -> None:
    patch = {"$setElementOrder/containers": [{"name": "z"}], "containers": [{"name": "c"}]}
    with pytest.raises(ApiError, match="doesn't match"):
        _strategic([{"name": "c"}], patch)


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ([{"op": "add", "path": "/a/-", "value": 3}], {"a": [1, 2, 3]}),
        ([{"op": "remove", "path": "/a/-1"}], {"a": [1]}),
        ([{"op": "replace", "path": "/b", "value": 1}], {"a": [1, 2], "b": 1}),
        ([{"op": "move", "from": "/a/0", "path": "/c"}], {"a": [2], "c": 1}),
        ([{"op": "copy", "from": "/a", "path": "/c"}], {"a": [1, 2], "c": [1, 2]}),
        ([{"op": "test", "path": "/a/0", "value": 1}], {"a": [1, 2]}),
    ],
)
def test_json_patch_operations(operations: list[Any], expected: Any) -> None:
    assert patches.json_patch({"a": [1, 2]}, operations) == expected


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/a", "value": 2},
        {"op": "remove", "path": "/nosuch"},
        {"op": "add", "path": "/x/y", "value": 1},
        {"op": "frob", "path": "/a"},
        {"op": "add"},
    ],
)
def test_a_failing_operation_is_422(operation: Any) -> None:
    with pytest.raises(ApiError) as caught:
        patches.json_patch({"a": 1}, [operation])
    assert caught.value.code == 422


def test_merge_patch_removes_by_null_and_replaces_lists() -> None:
    target = {"a": {"b": 1, "c": [1, 2]}}
    assert patches.merge_patch(target, {"a": {"b": None, "c": [3]}, "d": {"e": None}}) == {
        "a": {"c": [3]},
        "d": {},
    }
    assert target == {"a": {"b": 1, "c": [1, 2]}}


@pytest.mark.parametrize(
    ("patch", "why"),
    [
        ({"data": {"x": 1}}, "cannot convert int64 to string"),
        ({"data": {"x": True}}, "unrecognized type: string"),
        ({"data": [1]}, "cannot restore map from slice"),
        ({"immutable": "yes"}, "unrecognized type: bool"),
    ],
)
async def test_what_a_strategic_patch_makes_must_fit_the_type(api: Client, patch: Any, why: str) -> None:
    path = "/api/v1/namespaces/default/configmaps"
    await api.post(
        path, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"x": "1"}}
    )
    refused = await api.patch(f"{path}/c", patch, "strategic-merge-patch+json")
    assert refused.status == 422
    assert refused.message.endswith(f": {why}")


def test_an_operation_that_is_none_is_400() -> None:
    with pytest.raises(ApiError, match="cannot unmarshal string into Go value of type") as caught:
        patches.json_patch({}, ["text"])
    assert caught.value.code == 400

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ecns.embedded.kubernetes import fieldsets, mergekeys
from ecns.embedded.kubernetes.resources import Resources

if TYPE_CHECKING:
    from tests.embedded.kubernetes.conftest import Client

_SERVICES = Resources()["services"]
_MAPS = "/api/v1/namespaces/default/configmaps"


def _map(**data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data}


async def _apply(api: Client, body: Any, manager: str, **query: str) -> Any:
    return await api.patch(f"{_MAPS}/c", body, "apply-patch+yaml", fieldManager=manager, **query)


async def test_an_applier_loses_what_it_leaves_out(api: Client) -> None:
    assert (await _apply(api, _map(a="1", b="2"), "alice")).status == 201
    reply = await _apply(api, _map(a="1"), "alice")
    assert reply.json["data"] == {"a": "1"}


async def test_a_field_that_is_not_known_names_the_object(api: Client) -> None:
    body = _map(a="1")
    body["metadata"]["namespace"] = "default"
    refused = await _apply(api, {**body, "nosuch": 1}, "alice")
    where = "failed to create typed patch object (default/c; /v1, Kind=ConfigMap)"
    assert refused.message == f"{where}: .nosuch: field not declared in schema"


async def test_two_appliers_conflict_unless_forced(api: Client) -> None:
    await _apply(api, _map(a="1"), "alice")
    refused = await _apply(api, _map(a="2"), "bob")
    assert refused.status == 409
    assert refused.message == 'Apply failed with 1 conflict: conflict with "alice": .data.a'
    forced = await _apply(api, _map(a="2"), "bob", force="true")
    assert forced.json["data"] == {"a": "2"}
    owners = {entry["manager"] for entry in forced.json["metadata"]["managedFields"]}
    assert owners == {"bob"}


async def test_what_two_own_stays_when_one_gives_it_up(api: Client) -> None:
    await _apply(api, _map(a="1", b="1"), "alice")
    await _apply(api, _map(a="1"), "bob")
    reply = await _apply(api, _map(b="1"), "alice")
    assert reply.json["data"] == {"a": "1", "b": "1"}


async def test_applying_the_same_again_changes_nothing(api: Client) -> None:
    first = await _apply(api, _map(a="1"), "alice")
    second = await _apply(api, _map(a="1"), "alice")
    assert second.status == 200
    assert second.json["metadata"]["resourceVersion"] == first.json["metadata"]["resourceVersion"]


async def test_a_second_document_of_a_name_may_have_no_labels(api: Client) -> None:
    first = _map(a="1")
    first["metadata"] |= {"labels": {"x": "y"}, "annotations": {"x": "y"}}
    await _apply(api, first, "alice")
    reply = await _apply(api, _map(a="1"), "alice")
    assert (reply.status, {"labels", "annotations"} & reply.json["metadata"].keys()) == (200, set())


async def test_a_patch_takes_fields_over(api: Client) -> None:
    await _apply(api, _map(a="1"), "alice")
    await api.patch(f"{_MAPS}/c", {"data": {"a": "2"}}, fieldManager="carol")
    refused = await _apply(api, _map(a="1"), "alice")
    assert refused.message == 'Apply failed with 1 conflict: conflict with "carol" using v1: .data.a'


async def test_an_applier_must_name_itself_and_know_the_schema(api: Client) -> None:
    assert (await api.patch(f"{_MAPS}/c", _map(), "apply-patch+yaml")).status == 422
    unknown = await _apply(api, {**_map(), "nosuch": 1}, "alice")
    assert unknown.message.endswith(".nosuch: field not declared in schema")


_values = st.dictionaries(st.sampled_from("abc"), st.sampled_from(["1", "2"]), max_size=3)


@settings(max_examples=50)
@given(_values, _values, st.lists(st.sampled_from([80, 81, 82]), unique=True, max_size=3))
def test_merging_a_configuration_makes_all_of_its_fields_so(
    labels: dict[str, str], applied: dict[str, str], ports: list[int]
) -> None:
    schema = mergekeys.schema_of(_SERVICES, "v1")
    live = {"metadata": {"labels": labels}, "spec": {"ports": [{"port": 80, "name": "x"}]}}
    config = {"metadata": {"labels": applied}, "spec": {"ports": [{"port": port} for port in ports]}}
    merged = fieldsets.merge(live, config, schema)
    assert merged["metadata"]["labels"] == {**labels, **applied}
    assert {item["port"] for item in merged["spec"]["ports"]} == {80, *ports}
    found = fieldsets.paths(config, schema)
    assert fieldsets.decode(fieldsets.encode(found)) == found
    assert not any(fieldsets.compare(merged, fieldsets.merge(merged, config, schema), schema))

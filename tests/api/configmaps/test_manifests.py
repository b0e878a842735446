"""ConfigMaps both ways: whatever a cluster holds is shown, and what is shown can be sent back."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecns.api.configmaps import checks, manifests
from ecns.api.configmaps.types import SentConfigMap
from ecns.backends.kubernetes.kinds.configuration import ConfigMap
from ecns.embedded.kubernetes.patches import json_patch
from ecns.errors import BadRequestError, ConflictError
from tests.api.workloads.recorded import recorded

texts = st.dictionaries(st.from_regex(r"[a-e]{1,2}", fullmatch=True), st.text(max_size=5), max_size=3)
binaries = st.dictionaries(
    st.from_regex(r"[f-j]{1,2}", fullmatch=True), st.sampled_from(["AP8=", "", "/w=="]), max_size=3
)


def whole(**more: Any) -> dict[str, Any]:
    metadata = {"name": "x", "namespace": "n", "resourceVersion": "5", **more.pop("metadata", {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **more}


def change(found: dict[str, Any], **sent: Any) -> dict[str, Any]:
    """What a ConfigMap is after a change."""
    made = manifests.change(found, checks.config_map(SentConfigMap(**sent), "x"))
    changed: dict[str, Any] = json_patch(deepcopy(found), made)
    return changed


@given(config=texts, binary=binaries, immutable=st.booleans())
def test_what_is_made_is_shown_and_sent_back_changes_nothing(
    *, config: dict[str, str], binary: dict[str, str], immutable: bool
) -> None:
    sent = SentConfigMap(name="x", config=config, binary=binary, immutable=immutable, application_name="shop")
    made = manifests.config_map(checks.new(sent, "x"), "n")
    made["metadata"]["resourceVersion"] = "5"
    shown = manifests.shown(made)
    assert (shown.config, shown.binary, shown.immutable) == (config, binary, immutable)
    assert shown.application_name == "shop"
    back = {"config": shown.config, "binary": shown.binary, "immutable": shown.immutable}
    again = checks.config_map(SentConfigMap(**back, application_name="shop"), "x")
    assert manifests.change(made, again) == []


@given(texts, binaries, st.one_of(st.none(), texts), st.one_of(st.none(), binaries))
def test_each_part_becomes_what_is_sent_or_stays(
    config: dict[str, str],
    binary: dict[str, str],
    new_config: dict[str, str] | None,
    new_binary: dict[str, str] | None,
) -> None:
    found = whole(data=config, binaryData=binary, other={"kept": True})
    shown = manifests.shown(change(found, config=new_config, binary=new_binary))
    assert shown.config == (config if new_config is None else new_config)
    assert shown.binary == (binary if new_binary is None else new_binary)
    assert change(found, config=new_config)["other"] == {"kept": True}


def test_a_key_moves_between_text_and_bytes() -> None:
    found = whole(data={"a": "1", "b": "2"}, binaryData={"c": "AP8="})
    moved = manifests.shown(change(found, config={"a": "1", "c": "3"}))
    assert (moved.config, moved.binary) == ({"a": "1", "c": "3"}, {})
    moved = manifests.shown(change(found, binary={"b": "AP8="}))
    assert (moved.config, moved.binary) == ({"a": "1"}, {"b": "AP8="})


def test_what_is_immutable_stays_but_for_its_application() -> None:
    found = whole(data={"a": "1"}, immutable=True)
    for sent in ({"config": {"a": "2"}}, {"binary": {"b": ""}}, {"immutable": False}):
        with pytest.raises(ConflictError, match="immutable"):
            change(found, **sent)
    same = change(found, config={"a": "1"}, immutable=True, application_name="shop")
    assert same["metadata"]["labels"] == {"app.kubernetes.io/part-of": "shop"}
    assert change(whole(data={}), immutable=True)["immutable"] is True


def test_applications_are_joined_and_left() -> None:
    member = whole(metadata={"labels": {"app.kubernetes.io/part-of": "shop", "a": "b"}})
    assert change(member, application_name="")["metadata"]["labels"] == {"a": "b"}
    assert change(member, application_name="shop") == member
    assert change(whole(), application_name="") == whole()
    with pytest.raises(ConflictError, match="shop"):
        change(member, application_name="other")


def test_what_is_there_counts_for_the_size() -> None:
    found = whole(
        data={"a": "x" * 600_000}, binaryData={"b": "A" * 800_000}
    )  # 600,000 bytes: too large already
    assert change(found, application_name="shop")
    with pytest.raises(BadRequestError, match="1 MiB") as caught:
        change(found, config={"a": "y" * 600_000})
    assert caught.value.field == "configmap.config"
    assert change(found, config={"a": "y" * 400_000})


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"name": "y"}, "configmap.name"),
        ({"config": {"a/b": ""}}, "configmap.config"),
        ({"config": {"a": None}}, "configmap.config.a"),
        ({"binary": {"a": "%"}}, "configmap.binary.a"),
        ({"config": {"a": ""}, "binary": {"a": ""}}, "configmap.binary.a"),
    ],
)
def test_what_cannot_be(sent: dict[str, Any], field: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        checks.config_map(SentConfigMap(**sent), "x")
    assert caught.value.field == field


def test_something_to_configure_is_needed() -> None:
    with pytest.raises(BadRequestError) as caught:
        checks.new(SentConfigMap(name="x"), "x")
    assert caught.value.field == "configmap.config"


@pytest.mark.parametrize("name", ["", "A", "a_b", "a/b", "-a", "a..b", "a" * 254, "ä"])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        checks.config_map(SentConfigMap(config={}), name)
    assert caught.value.field == "configmap.name"


values = st.one_of(st.none(), st.dictionaries(st.text(max_size=3), st.one_of(st.none(), st.text(max_size=3))))


@given(values, values, st.one_of(st.none(), st.booleans()))
def test_whatever_is_there_is_shown(data: Any, binary: Any, immutable: Any) -> None:
    shown = manifests.shown(
        {"metadata": {"name": "x"}, "data": data, "binaryData": binary, "immutable": immutable}
    )
    assert set(shown.config) == set(data or {})
    assert set(shown.binary) == set(binary or {})


def test_recorded_ones_are_shown() -> None:
    for one in recorded("ConfigMap"):
        if "metadata" in one and "name" in one["metadata"]:
            shown = manifests.shown(one)
            assert shown.config == (one.get("data") or {})
    row = manifests.info(ConfigMap())
    assert row.keys == []

"""What is stored under keys: what is taken, what is refused, and how a change of it is sent."""

from __future__ import annotations

import base64
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecns.api.common import contents
from ecns.embedded.kubernetes.patches import json_patch
from ecns.errors import BadRequestError, ConflictError

KEYS = ["a", "a.b-c_D", "." + "a", "-", "_", "A" * 253, "..."[:1] + "x"]
NO_KEYS = ["", ".", "..", "..data", "a/b", "a b", "ä", "a\n", "A" * 254, "a\x00", "x" * 5000]


@pytest.mark.parametrize("key", KEYS)
def test_keys_that_can_be(key: str) -> None:
    assert contents.texts({key: "v"}, "at") == {key: "v"}
    assert contents.binaries({key: "AP8="}, "at") == {key: b"\x00\xff"}


@pytest.mark.parametrize("key", NO_KEYS)
def test_keys_that_cannot_be(key: str) -> None:
    for take, value in ((contents.texts, "hidden"), (contents.binaries, "aGlkZGVu")):
        with pytest.raises(BadRequestError, match="is not a key") as caught:
            take({key: value}, "at")
        assert caught.value.field == "at"
        assert value not in caught.value.message
        assert len(caught.value.message) < 400


@pytest.mark.parametrize(
    ("value", "text"), [("", ""), ("x\n", "x\n"), (8080, "8080"), (True, "true"), (-1, "-1")]
)
def test_values_that_are_texts(value: Any, text: str) -> None:
    assert contents.texts({"k": value}, "at") == {"k": text}


@pytest.mark.parametrize("value", [None, 1.5, [], {}, ["hidden"], {"a": "hidden"}])
def test_values_that_are_none(value: Any) -> None:
    with pytest.raises(BadRequestError) as caught:
        contents.texts({"k": value}, "at")
    assert caught.value.field == "at.k"
    assert "hidden" not in caught.value.message


@pytest.mark.parametrize("value", ["aGlkZGVu\n", "aGlk\r\n ZGVu", ""])
def test_base64_with_white_space(value: str) -> None:
    assert contents.binaries({"k": value}, "at")["k"] == base64.b64decode(value)


@pytest.mark.parametrize("value", ["aGlkZGV", "hidden-thing_", "ä", "=", "aGlk=ZGVu", 5, None, ["aGlk"]])
def test_what_is_no_base64(value: Any) -> None:
    with pytest.raises(BadRequestError, match="base64") as caught:
        contents.binaries({"k": value}, "at")
    assert caught.value.field == "at.k"
    assert str(value) not in caught.value.message or len(str(value)) < 3


def test_a_mebibyte_is_possible_and_a_byte_more_is_not() -> None:
    contents.check_size([contents.MOST_BYTES - 1, 1], "at")
    with pytest.raises(BadRequestError, match="1048577"):
        contents.check_size([contents.MOST_BYTES, 1], "at")


@given(st.binary(max_size=20))
def test_the_size_of_base64_is_that_of_its_bytes(value: bytes) -> None:
    assert contents.base64_size(contents.base64_text(value)) == len(value)


values = st.dictionaries(st.sampled_from("abcd/~"), st.text("xy~/", max_size=3), max_size=4)


@given(st.one_of(st.none(), values), values)
def test_a_change_makes_of_the_values_what_is_wanted(old: dict[str, str] | None, new: dict[str, str]) -> None:
    whole: dict[str, Any] = {"metadata": {"resourceVersion": "5"}, **({} if old is None else {"data": old})}
    made = contents.guarded(whole, contents.changes(whole, "data", new))
    if (old or {}) == new:
        assert made == []
    else:
        assert made[0]["op"] == "test"
        assert json_patch(deepcopy(whole), made)["data"] == new


def test_large_old_values_are_not_sent_to_be_tested() -> None:
    large = "x" * (contents.TESTED + 1)
    whole = {"metadata": {"resourceVersion": "5"}, "data": {"a": large}}
    made = contents.guarded(whole, contents.changes(whole, "data", {"a": "y"}))
    assert made == [
        {"op": "test", "path": "/metadata/resourceVersion", "value": "5"},
        {"op": "replace", "path": "/data/a", "value": "y"},
    ]


def test_many_keys_are_changed_at_once() -> None:
    many = {f"k{number}": "v" for number in range(contents.MANY + 1)}
    whole = {"metadata": {"resourceVersion": "5"}, "data": {"a": "b"}}
    made = contents.guarded(whole, contents.changes(whole, "data", many))
    assert [one["op"] for one in made] == ["test", "replace"]
    assert json_patch(deepcopy(whole), made)["data"] == many


def test_a_change_may_depend_on_what_was_seen() -> None:
    whole = {"metadata": {"name": "x", "resourceVersion": "5"}}
    assert contents.check_version(whole, None) == []
    assert contents.check_version(whole, "5") == [contents.unchanged(whole)]
    with pytest.raises(ConflictError, match="resource_version 4"):
        contents.check_version(whole, "4")

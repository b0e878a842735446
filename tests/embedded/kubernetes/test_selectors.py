from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecns.embedded.kubernetes.errors import ApiError
from ecns.embedded.kubernetes.selectors import matches, of_object, parse_fields, parse_labels


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        ("", {}, True),
        ("a=b", {"a": "b"}, True),
        ("a==b", {"a": "c"}, False),
        ("a!=b", {}, True),
        ("a in (b, c)", {"a": "c"}, True),
        ("a notin (b)", {"a": "b"}, False),
        ("a", {"a": ""}, True),
        ("!a", {"a": ""}, False),
        ("n>3", {"n": "4"}, True),
        ("n<3", {"n": "x"}, False),
        ("a=b,c", {"a": "b"}, False),
        ("a=", {"a": ""}, True),
    ],
)
def test_labels_are_selected(text: str, labels: dict[str, str], *, expected: bool) -> None:
    assert matches(parse_labels(text), labels) is expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a in (", "unable to parse requirement: found '', expected: ',', ')' or identifier"),
        ("a=b=c", "found '=', expected: ',' or 'end of string'"),
        ("a==b,", "found '', expected: identifier after ','"),
        ("!", "unable to parse requirement: found '', expected: identifier"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
    ],
)
def test_what_does_not_parse_is_named(text: str, message: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse_labels(text)
    assert caught.value.code == 400
    assert caught.value.message == message


@settings(max_examples=60)
@given(st.text(max_size=30))
def test_no_text_makes_the_parser_fail_otherwise(text: str) -> None:
    with contextlib.suppress(ApiError):
        parse_labels(text)


def test_a_selector_object_means_the_same_as_its_text() -> None:
    terms = of_object(
        {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "c", "operator": "NotIn", "values": ["d"]}]}
    )
    assert matches(terms, {"a": "b"})
    assert not matches(terms, {"a": "b", "c": "d"})
    assert not matches(of_object(None), {"a": "b"})


def test_fields_that_cannot_be_selected_by_are_refused() -> None:
    assert parse_fields("metadata.name=x,status.phase!=Running", "pods")[1].negated
    with pytest.raises(ApiError, match=r"field label not supported: spec\.foo"):
        parse_fields("spec.foo=1", "pods")
    with pytest.raises(ApiError, match="is not a known field selector"):
        parse_fields("data.a=b", "configmaps")

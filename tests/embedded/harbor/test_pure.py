"""Names, queries, rules, bodies and manifests: nothing that is sent is too odd."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecns.embedded.harbor import answers, csrf, manifests, names, quotas, rules
from ecns.embedded.harbor.errors import ProblemError
from ecns.embedded.harbor.files import digest_of
from ecns.embedded.harbor.query import AllOf, AnyOf, Between, Fuzzy, keywords
from ecns.embedded.harbor.registry import paths
from ecns.embedded.harbor.requests import Shape, query_of, segments_of

WORDS = st.text("abz019", min_size=1, max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def _repositories(draw: st.DrawFn) -> str:
    pieces = []
    for _ in range(draw(st.integers(1, 4))):
        piece = draw(WORDS)
        for _ in range(draw(st.integers(0, 3))):
            piece += draw(st.sampled_from([".", "_", "__", "-", "--", "---"])) + draw(WORDS)
        pieces.append(piece)
    return "/".join(pieces)


@given(_repositories(), st.sampled_from("/.-_:@ A%"))
def test_names_of_repositories(name: str, odd: str) -> None:
    assert names.is_repository(name)
    for broken in (f"{odd}{name}", f"{name}{odd}", f"{name}//x", f"{name}/../x"):
        assert not names.is_repository(broken)


def test_a_long_name_is_looked_at_quickly() -> None:
    assert not names.REPOSITORY.fullmatch("a" * 50_000 + "!")
    assert not names.REPOSITORY.fullmatch("a-" * 25_000 + "!")
    assert not names.PROJECT.fullmatch("a." * 25_000)


@given(st.text(max_size=130))
def test_names_of_tags(tag: str) -> None:
    assert names.is_tag(tag) == (re.fullmatch("[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", tag) is not None)


@given(_repositories(), st.sampled_from(["1.0", "sha256:" + "a" * 64]))
def test_paths_of_the_registry(repository: str, reference: str) -> None:
    assert paths.parse(f"/v2/{repository}/manifests/{reference}") == paths.Target(
        paths.MANIFEST, repository, reference
    )
    assert paths.parse(f"/v2/{repository}/tags/list") == paths.Target(paths.TAGS, repository)
    assert paths.parse(f"/v2/{repository}/blobs/uploads/") == paths.Target(paths.BEGIN, repository)
    upload = paths.parse(f"/v2/{repository}/blobs/uploads/0-a_b=")
    assert upload == paths.Target(paths.UPLOAD, repository, "0-a_b=")


def test_repositories_that_are_called_as_the_paths_are() -> None:
    found = paths.parse("/v2/team/manifests/tags/list")
    assert found is not None
    assert (found.kind, found.repository) == (paths.TAGS, "team/manifests")
    found = paths.parse("/v2/team/blobs/uploads/manifests/1.0")
    assert found is not None
    assert (found.kind, found.repository) == (paths.MANIFEST, "team/blobs/uploads")


@given(st.text())
def test_no_path_is_too_odd(text: str) -> None:
    paths.parse(f"/v2/{text}")
    assert all(segments_of(text))


@given(st.text())
def test_no_query_is_too_odd(text: str) -> None:
    for read in (query_of, keywords):
        try:
            read(text)
        except ProblemError as error:
            assert error.status == 400  # noqa: PT017  of one of two


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=b", {"a": "b"}),
        ("a=b=c,d=~e", {"a": "b=c", "d": Fuzzy("e")}),
        ("a={1 2  3}", {"a": AnyOf(("1", "2", "3"))}),
        ("a=('x' \"y\")", {"a": AllOf(("x", "y"))}),
        ("a=[1~5]", {"a": Between("1", "5")}),
        ("a=[~5]", {"a": Between("", "5")}),
        ("a=\\{b", {"a": "{b"}),
        ("a%3D%7B1%202%7D", {"a": AnyOf(("1", "2"))}),
    ],
)
def test_queries(text: str, expected: dict[str, Any]) -> None:
    assert keywords(text) == expected


@pytest.mark.parametrize(
    "text", ["a", "=b", "a=", "a=~", "a={1", "a=(1", "a=[1~2", "a=[~]", "a=[1]", "a={", ","]
)
def test_what_is_no_query(text: str) -> None:
    with pytest.raises(ProblemError):
        keywords(text)


@given(st.text("ab.*?", max_size=8), st.text("ab.", max_size=6))
def test_patterns_without_slashes_are_those_of_files(pattern: str, text: str) -> None:
    assert (rules._expression(pattern).fullmatch(text) is not None) == fnmatchcase(text, pattern)


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("**", "a/b/c", True),
        ("*", "a/b", False),
        ("a/*", "a/b", True),
        ("a/**", "a/b/c", True),
        ("v{1,2}.*", "v2.0", True),
        ("v{1,2}.*", "v3.0", False),
        ("{", "{", True),
        ("a{b", "a{b", True),
        ("release-?", "release-1", True),
    ],
)
def test_patterns(pattern: str, text: str, matches: bool) -> None:  # noqa: FBT001  a column of the table
    assert (rules._expression(pattern).fullmatch(text) is not None) is matches


@given(st.text())
def test_no_pattern_is_too_odd(pattern: str) -> None:
    rules._expression(pattern).fullmatch("v1.0")


@given(JSON, st.sampled_from([*manifests.IMAGES, *manifests.INDEXES, "application/json", ""]))
def test_no_document_is_too_odd_for_a_manifest(document: Any, media_type: str) -> None:
    try:
        made = manifests.parse(media_type, json.dumps(document).encode())
    except ProblemError as error:
        assert error.status == 400  # noqa: PT017  it may be one
        return
    assert made.media_type == media_type


@given(st.binary())
def test_no_bytes_are_too_odd_for_a_manifest(body: bytes) -> None:
    with pytest.raises(ProblemError):
        manifests.parse(manifests.OCI_MANIFEST, body + b"]")


@given(JSON)
def test_no_config_is_too_odd(config: Any) -> None:
    json.dumps(manifests.image_attributes(config))


SHAPE = Shape(
    "Sent", {"text": str, "number": int, "flag": bool, "inner": Shape("Inner", {"texts": [str]}), "any": dict}
)


@given(st.dictionaries(st.sampled_from([*SHAPE.fields, "TEXT", "other"]), JSON))
def test_no_body_is_too_odd(body: dict[str, Any]) -> None:
    try:
        read = SHAPE.read(body)
    except ProblemError as error:
        assert error.status in {422, 500}  # noqa: PT017  as it may be
        return
    assert set(read) <= set(SHAPE.fields)
    assert isinstance(read.get("text", ""), str)
    answers.encoded(read)


@given(JSON)
def test_answers_are_json_in_one_line(value: Any) -> None:
    text = answers.encoded(value).decode()
    assert text.count("\n") == 1
    assert "\u2028" not in text


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (8332, "8.1 KiB"),
        (3 << 20, "3.0 MiB"),
        (1 << 50, "1.0 PiB"),
    ],
)
def test_sizes(size: int, expected: str) -> None:
    assert quotas.shown(size) == expected


@given(st.text())
def test_no_cookie_is_too_odd(header: str) -> None:
    cookies = csrf.cookies_of(header)
    guard = csrf.Guard(b"k")
    headers, refusal = guard.headers("POST", {csrf.COOKIE: header, **cookies}, header)
    assert refusal is not None
    assert headers[0][0] == csrf.HEADER


def test_a_csrf_token_is_good_with_its_cookie_alone() -> None:
    guard = csrf.Guard(b"k")
    (_, token), (_, cookie) = guard.headers("GET", {}, "")[0]
    kept = csrf.cookies_of(cookie.partition(";")[0])
    assert guard.headers("POST", kept, token)[1] is None
    assert guard.headers("POST", {}, token)[1] is not None
    (_, other), _ = guard.headers("GET", {}, "")[0]
    assert guard.headers("POST", kept, other)[1] is not None


def test_digests() -> None:
    assert digest_of(b"") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

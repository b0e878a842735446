"""Docker configurations: written as runtimes read them, read whatever they are."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecns.api.secrets import registries
from ecns.api.secrets.types import DockerConfigJson
from ecns.errors import BadRequestError

ONE = DockerConfigJson(URI="https://index.docker.io/v1/", username="käthe", password="p:ä", mail="k@x")
TWO = DockerConfigJson(URI="registry.example:5000", username="_json_key", password='{"a": "b"}')


def stored(config: Any) -> bytes:
    return json.dumps(config).encode()


def test_what_is_written_is_what_kubectl_writes() -> None:
    auth = base64.b64encode("käthe:p:ä".encode()).decode()
    assert json.loads(registries.written(None, ONE, None)) == {
        "auths": {ONE.URI: {"username": "käthe", "password": "p:ä", "email": "k@x", "auth": auth}}
    }


def test_what_is_written_is_read() -> None:
    assert registries.read(registries.written(None, ONE, None)) == [ONE]
    assert registries.read(registries.written(None, None, [TWO, ONE])) == [TWO, ONE]
    assert registries.read(registries.written(None, None, [])) == []


def test_a_login_in_one_word_is_read() -> None:
    auth = base64.b64encode(b"me:a:b").decode()
    found = registries.read(
        stored({"auths": {"r": {"auth": auth}, "s": {"auth": "%"}, "t": {"identitytoken": "x"}}})
    )
    assert found == [
        DockerConfigJson(URI="r", username="me", password="a:b"),
        DockerConfigJson(URI="s", username="", password=""),
        DockerConfigJson(URI="t", username="", password=""),
    ]


def test_one_registry_becomes_the_one_that_is_sent_and_several_stay() -> None:
    alone = registries.written(None, ONE, None)
    assert registries.read(registries.written(alone, TWO, None)) == [TWO]
    both = registries.written(None, None, [ONE, TWO])
    new = DockerConfigJson(URI=ONE.URI, username="new", password="pw")
    kept = DockerConfigJson(URI=ONE.URI, username="new", password="pw", mail=ONE.mail)
    assert registries.read(registries.written(both, new, None)) == [kept, TWO]
    third = DockerConfigJson(URI="third", username="u", password="p")
    assert registries.read(registries.written(both, third, None)) == [ONE, TWO, third]
    assert registries.read(registries.written(both, None, [TWO])) == [TWO]
    assert registries.read(registries.written(both, TWO, [ONE])) == [ONE, TWO]


def test_what_has_no_word_here_is_kept() -> None:
    config = {"auths": {"r": {"auth": ""}, "t": {"identitytoken": "x"}}, "credHelpers": {"gcr.io": "gcloud"}}
    written = json.loads(registries.written(stored(config), TWO, None))
    assert written["credHelpers"] == {"gcr.io": "gcloud"}
    assert written["auths"]["t"] == {"identitytoken": "x"}


JUNK = [
    b"",
    b"{",
    b"null",
    b"[]",
    b"5",
    b'"x"',
    b"{}",
    b'{"auths": null}',
    b'{"auths": []}',
    b'{"auths": {"r": 5}}',
]


@pytest.mark.parametrize("junk", [*JUNK, b"\xff", b"[" * 100_000])
def test_what_is_no_configuration_is_replaced(junk: bytes) -> None:
    assert registries.read(junk) is None
    assert registries.read(registries.written(junk, ONE, None)) == [ONE]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=5,
)
entries = st.dictionaries(
    st.sampled_from(["username", "password", "auth", "email", "identitytoken"]), json_values, max_size=4
)


@given(st.dictionaries(st.text(max_size=4), st.one_of(entries, json_values), max_size=3))
def test_whatever_is_there_is_read(auths: Any) -> None:
    registries.read(stored({"auths": auths}))


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        (DockerConfigJson(URI="", username="u", password="p"), "at.URI"),
        (DockerConfigJson(URI="a b", username="u", password="p"), "at.URI"),
        (DockerConfigJson(URI="a", username="", password="p"), "at.username"),
        (DockerConfigJson(URI="a", username="u:x", password="p"), "at.username"),
        (DockerConfigJson(URI="a", username="u", password=""), "at.password"),
    ],
)
def test_what_cannot_be(sent: DockerConfigJson, field: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        registries.check(sent, "at")
    assert caught.value.field == field

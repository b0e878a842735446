"""Whatever is sent for a token is answered in Keystone's form, and is a token only for who proves it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecns.embedded.keystone import seed
from ecns.embedded.keystone.errors import ProblemError
from ecns.embedded.keystone.store import DuplicateError, Store
from ecns.embedded.keystone.tokens import Tokens, part

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tokens]:
    directory: Path = tmp_path_factory.mktemp("keystone")
    store = Store(directory / "keystone.sqlite")
    seed.people(store, directory)
    yield Tokens(store, 3600)
    store.close()


LEAF = st.none() | st.booleans() | st.integers() | st.sampled_from(["default", "admin", "x", ""])
KEYS = [
    *("auth", "identity", "methods", "password", "token", "application_credential", "user", "domain", "id"),
    *("name", "secret", "scope", "project", "system", "unscoped", "OS-TRUST:trust", "all"),
]
JSON: st.SearchStrategy[Any] = st.recursive(
    LEAF,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=60)
@given(
    method=st.sampled_from(["password", "token", "application_credential"]) | LEAF,
    proof=JSON,
    scope=JSON,
    whole=st.none() | JSON,
)
def test_only_problems_come_of_junk(tokens: Tokens, method: Any, proof: Any, scope: Any, whole: Any) -> None:
    body = whole or {"auth": {"identity": {"methods": [method], str(method): proof}, "scope": scope}}
    with pytest.raises(ProblemError):
        tokens.issue(body)


def test_a_wrong_password_says_no_more_than_a_wrong_name(tokens: Tokens) -> None:
    said = []
    for name in ("admin", "nobody"):
        user = {"name": name, "domain": {"id": "default"}, "password": "wrong"}
        with pytest.raises(ProblemError) as refused:
            tokens.issue({"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}})
        said.append((refused.value.status, refused.value.message))
    assert said[0] == said[1]


def test_tokens_and_passwords_are_not_kept(tokens: Tokens, tmp_path: Path) -> None:
    (told,) = [user for user in seed.people(tokens.store, tmp_path) if user["username"] == "developer"]
    user = {"name": "developer", "domain": {"name": "Default"}, "password": told["password"]}
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}
    token, seen = tokens.issue(body)
    assert tokens.look(token).user_id == seen.user_id
    kept = "\n".join(tokens.store.db.iterdump())
    assert token not in kept
    assert told["password"] not in kept


def test_a_name_is_one_owners(tokens: Tokens) -> None:
    store = tokens.store
    store.put("projects", {"id": "1", "name": "same", "domain_id": "default"})
    with pytest.raises(DuplicateError):
        store.put("projects", {"id": "2", "name": "same", "domain_id": "default"})
    store.put("projects", {"id": "2", "name": "same", "domain_id": "other"})
    store.put("projects", {"id": "1", "name": "changed", "domain_id": "default"})
    assert store.named("projects", "same", "default") is None


def test_part_names_what_is_missing() -> None:
    assert part({"a": {"b": 1}}, "a", "b") == 1
    for body, names in (({}, ("a",)), ({"a": 1}, ("a", "b")), ([], ("a",)), (None, ("a",))):
        with pytest.raises(ProblemError, match=f"'{names[-1]}'"):
            part(body, *names)

"""Secrets both ways: whatever a cluster holds is shown, and what is shown can be sent back."""

from __future__ import annotations

import base64
import json
from copy import deepcopy
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecns.api.secrets import checks, manifests
from ecns.api.secrets.types import DockerConfigJson, Secret, SentSecret, Tls
from ecns.embedded.kubernetes.patches import json_patch
from ecns.errors import BadRequestError, ConflictError
from tests.api.secrets.pems import EC, OTHER, certificate, private

CERT, KEY = certificate(EC), private(EC)
CA = certificate(OTHER, "ca.example")
REGISTRY = DockerConfigJson(URI="r.example", username="u", password="hunter2")

texts = st.dictionaries(st.from_regex(r"[a-e]{1,2}", fullmatch=True), st.text(max_size=5), max_size=3)
binaries = st.dictionaries(
    st.from_regex(r"[f-j]{1,2}", fullmatch=True), st.sampled_from(["AP8=", "/w=="]), max_size=3
)


def encoded(**data: str | bytes) -> dict[str, str]:
    return {
        key.replace("_", "."): base64.b64encode(value.encode() if isinstance(value, str) else value).decode()
        for key, value in data.items()
    }


def whole(kind: str = "Opaque", **data: str | bytes) -> dict[str, Any]:
    metadata = {"name": "x", "namespace": "n", "resourceVersion": "5"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": kind, "data": encoded(**data)}


def change(found: dict[str, Any], **sent: Any) -> dict[str, Any]:
    """What a Secret is after a change."""
    made = manifests.change(found, checks.secret(SentSecret(name="x", **sent)))
    changed: dict[str, Any] = json_patch(deepcopy(found), made)
    return changed


def back(shown: Secret) -> SentSecret:
    """What a portal sends that was shown a Secret."""
    return msgspec.convert(msgspec.to_builtins(shown), SentSecret)


made = st.one_of(
    st.builds(lambda opaque, binary: {"type": "Opaque", "opaque": opaque, "binary": binary}, texts, binaries),
    st.builds(
        lambda ca, opaque: {"type": "Tls", "tls": Tls(cert=CERT, key=KEY, ca=ca), "opaque": opaque},
        st.sampled_from([None, CA]),
        st.one_of(st.none(), texts),
    ),
    st.builds(
        lambda several: {"type": "Dockerconfigjson", "registries": several},
        st.lists(
            st.builds(
                DockerConfigJson,
                URI=st.sampled_from(["a", "b"]),
                username=st.just("u"),
                password=st.text(min_size=1, max_size=5),
                mail=st.sampled_from([None, "m"]),
            ),
            min_size=1,
            unique_by=lambda one: one.URI,
        ),
    ),
)


@given(made)
def test_what_is_made_is_shown_and_sent_back_changes_nothing(sent: dict[str, Any]) -> None:
    secret = manifests.secret(checks.new(SentSecret(name="x", **sent)), "n")
    secret["metadata"]["resourceVersion"] = "5"
    shown = manifests.shown(secret)
    assert shown.type == sent["type"]
    assert shown.tls == sent.get("tls")
    for field in ("opaque", "binary"):
        assert (getattr(shown, field) or {}) == (sent.get(field) or {})
    if several := sent.get("registries"):
        assert shown.dockerconfigjson == several[0]
        assert (shown.registries or several) == several
    assert manifests.change(secret, checks.secret(back(shown)))[1:] == []  # the version is tested


@given(texts, binaries, st.one_of(st.none(), texts), st.one_of(st.none(), binaries))
def test_each_part_becomes_what_is_sent_or_stays(
    opaque: dict[str, str], binary: dict[str, str], new: dict[str, str] | None, bytes_: dict[str, str] | None
) -> None:
    found = manifests.secret(
        checks.new(SentSecret(name="x", type="Opaque", opaque=opaque, binary=binary)), "n"
    )
    found["metadata"]["resourceVersion"] = "5"
    shown = manifests.shown(change(found, opaque=new, binary=bytes_))
    assert shown.opaque == (opaque if new is None else new)
    assert (shown.binary or {}) == (binary if bytes_ is None else bytes_)


def test_a_certificate_is_changed_and_the_rest_stays() -> None:
    found = whole("kubernetes.io/tls", tls_crt=CERT, tls_key=KEY, ca_crt=CA, extra="1")
    assert manifests.shown(found).opaque == {"extra": "1"}
    new = Tls(cert=certificate(OTHER), key=private(OTHER))
    changed = manifests.shown(change(found, tls=new))
    assert changed.tls == Tls(cert=new.cert, key=new.key, ca=CA)
    assert changed.opaque == {"extra": "1"}
    without = manifests.shown(change(found, tls=Tls(cert=CERT, key=KEY, ca=""), opaque={}))
    assert without.tls == Tls(cert=CERT, key=KEY, ca=None)
    assert without.opaque is None


@pytest.mark.parametrize(
    "kind", ["kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token", "x"]
)
def test_types_without_a_word_are_shown_as_kubernetes_has_them(kind: str) -> None:
    found = whole(kind, token="t", ca_crt=b"\xff")
    shown = manifests.shown(found)
    assert (shown.type, shown.opaque, shown.binary) == (kind, {"token": "t"}, {"ca.crt": "/w=="})
    assert change(found, type=kind, opaque={"token": "u"})["data"] == encoded(token="u", ca_crt=b"\xff")


def test_types_are_kept() -> None:
    with pytest.raises(BadRequestError, match="types are kept") as caught:
        change(whole(), type="Tls")
    assert caught.value.field == "secret.type"
    assert change(whole(a="1"), type="Opaque", opaque={"a": "2"})["data"] == encoded(a="2")


@pytest.mark.parametrize(
    ("found", "sent", "field"),
    [
        (whole(), {"tls": Tls(cert=CERT, key=KEY)}, "secret.tls"),
        (whole(), {"dockerconfigjson": REGISTRY}, "secret.dockerconfigjson"),
        (whole("kubernetes.io/tls"), {"registries": [REGISTRY]}, "secret.registries"),
        (whole("kubernetes.io/tls"), {"opaque": {"tls.key": "x"}}, "secret.opaque.tls.key"),
        (whole(checks.DOCKER), {"binary": {".dockerconfigjson": ""}}, "secret.binary..dockerconfigjson"),
    ],
)
def test_a_type_has_its_own_parts(found: Any, sent: Any, field: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        change(found, **sent)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"type": "Opaque"}, "secret.opaque"),
        ({"type": "Tls"}, "secret.tls"),
        ({"type": "Tls", "opaque": {}}, "secret.tls"),
        ({"type": "Dockerconfigjson"}, "secret.dockerconfigjson"),
        ({"type": "Dockerconfigjson", "registries": []}, "secret.dockerconfigjson"),
        ({"type": "opaque", "opaque": {}}, "secret.type"),
        ({"opaque": {}}, "secret.type"),
        ({"type": "kubernetes.io/basic-auth", "opaque": {}}, "secret.type"),
        ({"type": "Opaque", "opaque": {"a/b": "hunter2"}}, "secret.opaque"),
        ({"type": "Opaque", "opaque": {"a": 1.5}}, "secret.opaque.a"),
        ({"type": "Opaque", "opaque": {}, "binary": {"a": "hunter2"}}, "secret.binary.a"),
        ({"type": "Dockerconfigjson", "registries": [REGISTRY, REGISTRY, {}]}, "secret.registries[2].URI"),
    ],
)
def test_what_cannot_be(sent: dict[str, Any], field: str) -> None:
    several = sent.get("registries")
    if several and {} in several:
        sent = {**sent, "registries": [*several[:2], DockerConfigJson(URI="", username="", password="")]}
    with pytest.raises(BadRequestError) as caught:
        checks.new(SentSecret(name="x", **sent))
    assert caught.value.field == field
    assert "hunter2" not in caught.value.message


def test_the_words_of_kubernetes_are_taken() -> None:
    sent = SentSecret(name="x", type="kubernetes.io/tls", tls=Tls(cert=CERT, key=KEY))
    assert manifests.secret(checks.new(sent), "n")["type"] == "kubernetes.io/tls"


def test_a_mebibyte_and_a_byte_more() -> None:
    half = "ä" * (1024 * 1024 // 4)
    rest = base64.b64encode(b"\xff" * (1024 * 1024 // 2)).decode()
    sent = {"type": "Opaque", "opaque": {"a": half}, "binary": {"b": rest}}
    assert manifests.secret(checks.new(SentSecret(name="x", **sent)), "n")
    sent["opaque"] = {"a": half + "x"}
    with pytest.raises(BadRequestError, match="1 MiB"):
        manifests.secret(checks.new(SentSecret(name="x", **sent)), "n")
    with pytest.raises(BadRequestError, match="1 MiB"):
        change(whole(a=half + "x"), binary={"b": rest})


def test_what_is_immutable_stays() -> None:
    found = {**whole(a="1"), "immutable": True}
    for sent in ({"opaque": {"a": "2"}}, {"binary": {"b": ""}}, {"immutable": False}):
        with pytest.raises(ConflictError, match="immutable"):
            change(found, **sent)
    assert change(found, opaque={"a": "1"}, immutable=True) == found
    assert change(whole(), immutable=True)["immutable"] is True


values = st.one_of(
    st.none(), st.binary(max_size=4).map(lambda value: base64.b64encode(value).decode()), st.just("%")
)
keys = st.sampled_from(["a", "tls.crt", "tls.key", "ca.crt", ".dockerconfigjson"])
types = st.sampled_from(["", "Opaque", "kubernetes.io/tls", checks.DOCKER, "x/y"])


@given(st.one_of(st.none(), st.dictionaries(keys, values)), st.one_of(st.none(), types))
def test_whatever_is_there_is_shown(data: Any, kind: Any) -> None:
    found = {"metadata": {"name": "x"}, "type": kind, "data": data}
    shown = manifests.shown(found)
    there = {*(shown.opaque or {}), *(shown.binary or {})}
    assert there <= set(data or {})
    assert there | {"tls.crt", "tls.key", "ca.crt", ".dockerconfigjson"} >= set(data or {})


def test_a_configuration_that_is_none_is_shown_as_text() -> None:
    assert manifests.shown(whole(checks.DOCKER, _dockerconfigjson="[]")).opaque == {".dockerconfigjson": "[]"}
    config = json.dumps({"auths": {}})
    assert manifests.shown(whole(checks.DOCKER, _dockerconfigjson=config)).dockerconfigjson is None

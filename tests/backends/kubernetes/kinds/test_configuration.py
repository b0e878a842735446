"""What is kept of ConfigMaps and Secrets, and what is not."""

from __future__ import annotations

import base64
import datetime as dt
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from ecns.backends.kubernetes.kinds.configuration import CONFIG_MAP, SECRET, ConfigMap, Secret
from tests.api.workloads.recorded import recorded

HIDDEN = "correct horse battery staple"
APPLIED = {"kubectl.kubernetes.io/last-applied-configuration": f'{{"stringData":{{"a":"{HIDDEN}"}}}}'}


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("decode", ["bytes", "objects"])
def test_keys_are_kept_and_values_are_not(decode: str) -> None:
    metadata = {"name": "x", "annotations": APPLIED, "labels": {"a": "b"}}
    wholes: list[tuple[Any, Any]] = [
        (SECRET, {"type": "Opaque", "data": {"b": encoded(HIDDEN), "a": "", "n": None}}),
        (CONFIG_MAP, {"data": {"a": HIDDEN, "n": ""}, "binaryData": {"b": encoded(HIDDEN)}}),
    ]
    for kind, whole in wholes:
        whole |= {"metadata": metadata, "immutable": True}
        if decode == "bytes":
            found = msgspec.json.decode(msgspec.json.encode(whole), type=kind.type)
        else:
            found = msgspec.convert(whole, kind.type)
        assert found.keys == ("a", "b", "n")
        assert found.immutable
        assert found.metadata.labels == {"a": "b"}
        again = msgspec.json.encode(found).decode()
        assert HIDDEN not in again
        assert encoded(HIDDEN) not in again
        assert msgspec.structs.replace(found, api_version="v1").keys == found.keys


@given(
    st.dictionaries(st.text(max_size=5), st.one_of(st.none(), st.text(max_size=10)), max_size=3),
    st.sampled_from(["kubernetes.io/tls", "", "x/y"]),
)
def test_whatever_is_in_a_secret_it_can_be_listed(data: dict[str, str | None], type_: str) -> None:
    found = msgspec.convert({"metadata": {"name": "x"}, "type": type_, "data": data}, Secret)
    assert found.keys == tuple(sorted(data))
    assert not found.expires
    assert msgspec.convert({"metadata": {"name": "x"}, "data": data}, ConfigMap).keys == found.keys


def test_a_certificate_says_until_when_it_is_good() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop.example")])
    begins = dt.datetime(2024, 1, 31, 12, tzinfo=dt.UTC)
    ends = dt.datetime(2049, 12, 31, 23, 59, 59, tzinfo=dt.UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 7, begins, ends).sign(key, hashes.SHA256())
    pem = made.public_bytes(serialization.Encoding.PEM).decode()
    for text in (pem, f"subject=shop\n{pem}", pem.replace("\n", "\r\n"), pem + "junk"):
        whole = {"type": "kubernetes.io/tls", "data": {"tls.crt": encoded(text), "tls.key": ""}}
        assert msgspec.convert(whole, Secret).expires == "2049-12-31T23:59:59Z"
    assert not msgspec.convert({"type": "Opaque", "data": {"tls.crt": encoded(pem)}}, Secret).expires
    broken = {"type": "kubernetes.io/tls", "data": {"tls.crt": encoded(pem.replace("M", "N"))}}
    assert not msgspec.convert(broken, Secret).expires


def test_recorded_ones_are_understood() -> None:
    found = [msgspec.convert(one, ConfigMap) for one in recorded("ConfigMap") if one.get("metadata")]
    assert len(found) > 10
    assert any(one.keys for one in found)

"""Which certificates and keys go together, in all the forms that people have them in."""

from __future__ import annotations

import time

import pytest
from cryptography.hazmat.primitives.serialization import PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from ecns.api.secrets import certificates
from ecns.api.secrets.types import Tls
from ecns.errors import BadRequestError
from tests.api.secrets.pems import EC, ED, OTHER, PAST, RSA, certificate, private

PARAMETERS = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
LEAF, ISSUER = certificate(EC), certificate(OTHER, "issuer.example")

GOOD = {
    "EC, PKCS8": (LEAF, private(EC)),
    "EC, SEC1": (LEAF, private(EC, PrivateFormat.TraditionalOpenSSL)),
    "EC, as openssl ecparam makes it": (LEAF, PARAMETERS + private(EC, PrivateFormat.TraditionalOpenSSL)),
    "RSA, PKCS8": (certificate(RSA), private(RSA)),
    "RSA, PKCS1": (certificate(RSA), private(RSA, PrivateFormat.TraditionalOpenSSL)),
    "Ed25519": (certificate(ED), private(ED)),
    "a chain": (LEAF + ISSUER, private(EC)),
    "expired": (certificate(EC, ends=PAST), private(EC)),
    "lines of Windows": (LEAF.replace("\n", "\r\n"), private(EC).replace("\n", "\r\n")),
    "text around": (f"Bag Attributes\n    friendlyName: x\n{LEAF}\n# end", f"Key:\n{private(EC)}"),
    "no line at the end": (LEAF.strip(), private(EC).strip()),
    "both in both": (private(EC) + LEAF, LEAF + private(EC)),
    "something unfinished before": (f"-----BEGIN X-----\n-----BEGIN \n{LEAF}", f"-----BEGIN \n{private(EC)}"),
}


@pytest.mark.parametrize("form", GOOD)
def test_what_goes_together(form: str) -> None:
    cert, key = GOOD[form]
    certificates.check(Tls(cert=cert, key=key), "tls")
    certificates.check(Tls(cert=cert, key=key, ca=ISSUER), "tls")
    certificates.check(Tls(cert=cert, key=key, ca=""), "tls")


BAD = {
    "another's key": (LEAF, private(OTHER), "key", "not the key of the certificate"),
    "a key of another kind": (LEAF, private(RSA), "key", "not the key of the certificate"),
    "a chain the wrong way round": (ISSUER + LEAF, private(EC), "key", "the first must be the server's"),
    "an encrypted key": (LEAF, private(EC, password=b"pw"), "key", "encrypted"),
    "an encrypted key of old": (
        certificate(RSA),
        private(RSA, PrivateFormat.TraditionalOpenSSL, b"pw"),
        "key",
        "encrypted",
    ),
    "no certificate": ("", private(EC), "cert", "no certificate"),
    "a key as certificate": (private(EC), private(EC), "cert", "no certificate"),
    "no key": (LEAF, "hunter2", "key", "no private key"),
    "a public key": (LEAF, LEAF, "key", "no private key"),
    "a broken certificate": (LEAF.replace("MI", "NN"), private(EC), "cert", "certificate 1"),
    "a broken chain": (LEAF + ISSUER[:200] + ISSUER[201:], private(EC), "cert", "certificate 2"),
    "a broken key": (LEAF, private(EC).replace("MI", "NN"), "key", "cannot be read"),
    "an empty key": (LEAF, "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----", "key", "cannot be read"),
    "half a certificate": (LEAF[:200], private(EC), "cert", "no certificate"),
    "an SSH key": (LEAF, private(EC, PrivateFormat.OpenSSH), "key", "cannot be read"),
}


@pytest.mark.parametrize("form", BAD)
def test_what_does_not(form: str) -> None:
    cert, key, field, said = BAD[form]
    with pytest.raises(BadRequestError, match=said) as caught:
        certificates.check(Tls(cert=cert, key=key), "tls")
    assert caught.value.field == f"tls.{field}"
    for line in key.splitlines():
        assert len(line) < 8 or line.startswith("-----") or line not in caught.value.message


def test_a_ca_must_be_one() -> None:
    for ca in ("hunter2", private(EC), LEAF[:200]):
        with pytest.raises(BadRequestError) as caught:
            certificates.check(Tls(cert=LEAF, key=private(EC), ca=ca), "tls")
        assert caught.value.field == "tls.ca"


@given(
    st.text(max_size=20), st.sampled_from(["CERTIFICATE", "PRIVATE KEY", "RSA PRIVATE KEY", "X"]), st.text()
)
def test_whatever_is_sent_is_refused_in_words(before: str, label: str, inner: str) -> None:
    text = f"{before}-----BEGIN {label}-----\n{inner}\n-----END {label}-----"
    for tls in (
        Tls(cert=text, key=private(EC)),
        Tls(cert=LEAF, key=text),
        Tls(cert=LEAF, key=private(EC), ca=text),
    ):
        with pytest.raises(BadRequestError):
            certificates.check(tls, "tls")


@pytest.mark.parametrize(
    "piece", ["-----BEGIN CERTIFICATE-----", "-----BEGIN ", "-----BEGIN PRIVATE KEY-----\n"]
)
def test_no_text_takes_long(piece: str) -> None:
    text = piece * (1024 * 1024 // len(piece))
    began = time.process_time()
    for tls in (Tls(cert=text, key=text), Tls(cert=LEAF, key=text)):
        with pytest.raises(BadRequestError):
            certificates.check(tls, "tls")
    assert time.process_time() - began < 0.8

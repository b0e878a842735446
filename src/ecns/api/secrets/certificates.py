"""Certificates and their keys, as servers read them: PEM, and text around it does not matter.

Source: `tls.X509KeyPair` of Go, by which `kubectl create secret tls` and ingress controllers go: the first
certificate is the server's, others in the text lead to its issuer.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from ecns.api.secrets.types import Tls
from ecns.errors import BadRequestError

CERTIFICATE = "CERTIFICATE"
PRIVATE_KEY = "PRIVATE KEY"
MOST = 2000
"""Parts of a text that are looked at; a MiB of the smallest certificates has fewer."""
_BEGIN, _END, _DASHES = "-----BEGIN ", "-----END ", "-----"
_LONGEST_LABEL = 40
_LONGEST = 64 * 1024
_CANNOT = (ValueError, TypeError, UnsupportedAlgorithm)


def check(sent: Tls, at: str) -> None:
    """Check that a certificate and a key go together and that all certificates can be read.

    Raises:
        BadRequestError: they do not; `field` says where. No message has anything of the key.
    """
    chain = _certificates(sent.cert, f"{at}.cert")
    if sent.ca:
        _certificates(sent.ca, f"{at}.ca")
    key = _public(sent.key, f"{at}.key")
    try:
        certified = chain[0].public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except _CANNOT:
        raise _wrong(f"{at}.cert", "its kind of key is not known here") from None
    if certified != key:
        raise _wrong(
            f"{at}.key", "it is not the key of the certificate (of several, the first must be the server's)"
        )


def _certificates(text: str, at: str) -> list[x509.Certificate]:
    found = []
    for number, (_, part) in enumerate((one for one in _parts(text) if one[0] == CERTIFICATE), 1):
        try:
            found.append(x509.load_pem_x509_certificate(part.encode()))
        except _CANNOT:
            raise _wrong(at, f"certificate {number} in it cannot be read") from None
    if not found:
        raise _wrong(at, "there is no certificate in it (PEM, -----BEGIN CERTIFICATE-----)")
    return found


def _public(text: str, at: str) -> bytes:
    """The public key that belongs to the first private key in a text."""
    label, part = next((one for one in _parts(text) if one[0].endswith(PRIVATE_KEY)), ("", ""))
    if not part:
        raise _wrong(at, "there is no private key in it (PEM, -----BEGIN PRIVATE KEY-----)")
    if label.startswith("ENCRYPTED") or "\nProc-Type: 4,ENCRYPTED" in part:
        raise _wrong(at, "the key is encrypted; a server could not read it: send it without its passphrase")
    try:
        # A key that contradicts itself does not match; to look for more takes seconds of a large one.
        key = load_pem_private_key(part.encode(), None, unsafe_skip_rsa_key_validation=True)
        return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except _CANNOT:
        raise _wrong(at, "the private key cannot be read") from None


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """The PEM parts of a text with their labels, in time that grows with its length alone."""
    return islice(_all_parts(text), MOST)


def _all_parts(text: str) -> Iterator[tuple[str, str]]:
    begin = text.find(_BEGIN)
    while begin >= 0:
        start = begin + len(_BEGIN)
        label, dashes, _ = text[start : start + _LONGEST_LABEL].partition(_DASHES)
        end = text.find(f"{_END}{label}{_DASHES}", start, start + _LONGEST) if dashes else -1
        after = start if end < 0 else end + len(_END) + len(label) + len(_DASHES)
        yield (label, text[begin:after]) if end >= 0 else ("", "")
        begin = text.find(_BEGIN, after)


def _wrong(at: str, why: str) -> BadRequestError:
    return BadRequestError(f"{at}: {why}", field=at)

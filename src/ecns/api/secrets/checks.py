"""What types cannot say of a Secret: checked before anything is sent, each refusal naming its field.

Source: reference chapter 1.6; decisions, "Other chapters"; https://kubernetes.io/docs/concepts/configuration/secret/.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from ecns.api.common import contents
from ecns.api.common.checks import dns_subdomain
from ecns.api.secrets import certificates, registries
from ecns.api.secrets.types import DockerConfigJson, SentSecret, Tls
from ecns.backends.kubernetes.kinds.configuration import TLS
from ecns.errors import BadRequestError

AT = "secret"
OPAQUE = "Opaque"
DOCKER = "kubernetes.io/dockerconfigjson"

WORDS: Final = {"Opaque": OPAQUE, "Dockerconfigjson": DOCKER, "Tls": TLS}
"""Kubernetes' types by the reference's words."""
OWN: Final = {TLS: ("tls.crt", "tls.key", "ca.crt"), DOCKER: (".dockerconfigjson",)}
"""Keys that have words of their own, by type."""


class Checked(Struct, frozen=True):
    """A Secret that was sent; what is None stays as it is."""

    name: str
    type: str | None
    """Kubernetes' name."""
    texts: dict[str, str] | None
    binaries: dict[str, bytes] | None
    tls: Tls | None
    registry: DockerConfigJson | None
    registries: list[DockerConfigJson] | None
    immutable: bool | None
    application: str | None
    """Empty: none."""
    version: str | None


def kubernetes_type(word: str | None) -> str | None:
    """Kubernetes' name of a type; it is its own where the reference has no word."""
    return None if word is None else WORDS.get(word, word)


def secret(sent: SentSecret) -> Checked:
    """A Secret that was sent.

    Raises:
        BadRequestError: something in it cannot be; `field` says where. No message has a value in it.
    """
    dns_subdomain(sent.name, f"{AT}.name")
    texts = None if sent.opaque is None else contents.texts(sent.opaque, f"{AT}.opaque")
    binaries = None if sent.binary is None else contents.binaries(sent.binary, f"{AT}.binary")
    contents.check_apart(binaries or (), texts or (), f"{AT}.binary")
    if sent.tls is not None:
        certificates.check(sent.tls, f"{AT}.tls")
    if sent.dockerconfigjson is not None:
        registries.check(sent.dockerconfigjson, f"{AT}.dockerconfigjson")
    for place, one in enumerate(sent.registries or ()):
        registries.check(one, f"{AT}.registries[{place}]")
    return Checked(
        name=sent.name,
        type=kubernetes_type(sent.type),
        texts=texts,
        binaries=binaries,
        tls=sent.tls,
        registry=sent.dockerconfigjson,
        registries=sent.registries,
        immutable=sent.immutable,
        application=sent.application_name,
        version=sent.resource_version,
    )


def new(sent: SentSecret) -> Checked:
    """A Secret that is to be made.

    Raises:
        BadRequestError: something in it cannot be, or what its type needs is missing.
    """
    checked = secret(sent)
    kind = checked.type
    if kind is None or kind not in WORDS.values():
        raise BadRequestError(f"{AT}.type: is one of {', '.join(WORDS)}", field=f"{AT}.type")
    needed = {
        OPAQUE: ("opaque", checked.texts is not None or checked.binaries is not None),
        TLS: ("tls", checked.tls is not None),
        DOCKER: ("dockerconfigjson", checked.registry is not None or bool(checked.registries)),
    }
    field, there = needed[kind]
    if not there:
        raise BadRequestError(f"{AT}.{field}: type {sent.type} needs it", field=f"{AT}.{field}")
    check_fitting(checked, kind)
    return checked


def check_fitting(sent: Checked, kind: str) -> None:
    """Check that what was sent is what a Secret of a type (Kubernetes' name) has.

    Raises:
        BadRequestError: it has something else.
    """
    fields = (
        ("tls", sent.tls is not None, TLS),
        ("dockerconfigjson", sent.registry is not None, DOCKER),
        ("registries", sent.registries is not None, DOCKER),
    )
    for field, there, of in fields:
        if there and of != kind:
            raise BadRequestError(f"{AT}.{field}: a Secret of type {kind} has none", field=f"{AT}.{field}")
    for field, keys in (("opaque", sent.texts), ("binary", sent.binaries)):
        for key in OWN.get(kind, ()):
            if key in (keys or ()):
                word = "tls" if kind == TLS else "dockerconfigjson"
                raise BadRequestError(f"{AT}.{field}: {key!r} is set by {word}", field=f"{AT}.{field}.{key}")

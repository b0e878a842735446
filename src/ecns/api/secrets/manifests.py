"""Between the reference's secrets and Kubernetes' (chapter 1.6); pure, and total in showing."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import msgspec

from ecns.api.common import contents, marks
from ecns.api.common.names import MANAGED_BY, MANAGER, PART_OF
from ecns.api.common.patching import Operations, Path, operations
from ecns.api.secrets import registries
from ecns.api.secrets.checks import AT, DOCKER, OPAQUE, OWN, WORDS, Checked, check_fitting
from ecns.api.secrets.types import Secret, SecretInfo, Tls
from ecns.backends.kubernetes.kinds import configuration as k
from ecns.backends.kubernetes.kinds.meta import JsonObject
from ecns.errors import BadRequestError

IMMUTABLE: Path = ("immutable",)
DOCKER_KEY = OWN[DOCKER][0]

_WORDS = {kind: word for word, kind in WORDS.items()}


def word(kind: str) -> str:
    """The reference's word for a type of Kubernetes, or that type where it has none."""
    return _WORDS.get(kind or OPAQUE, kind)


# Showing


def info(found: k.Secret) -> SecretInfo:
    """A row of the list."""
    return SecretInfo(
        name=found.metadata.name,
        type=word(found.type),
        keys=list(found.keys),
        creation_time=found.metadata.creation_timestamp,
        expires=found.expires or None,
        immutable=bool(found.immutable),
        application_name=marks.part_of(found),
    )


def info_of(whole: JsonObject) -> SecretInfo:
    """As `info`, of a whole object."""
    return info(msgspec.convert(whole, k.Secret))


def without_values(found: k.Secret) -> Secret:
    """A Secret for those who may not see what is in it."""
    return Secret(
        name=found.metadata.name,
        type=word(found.type),
        immutable=bool(found.immutable),
        application_name=marks.part_of(found),
        resource_version=found.metadata.resource_version,
    )


def shown(whole: JsonObject) -> Secret:
    """A Secret with its values."""
    metadata, kind = whole["metadata"], whole.get("type") or OPAQUE
    data = decoded(whole)
    tls = _tls(data) if kind == k.TLS else None
    several = registries.read(data.get(DOCKER_KEY)) if kind == DOCKER else None
    if several is not None:
        del data[DOCKER_KEY]
    texts, binaries = _parted(data)
    return Secret(
        name=metadata["name"],
        type=word(kind),
        opaque=texts if texts or kind not in OWN else None,
        tls=tls,
        dockerconfigjson=several[0] if several else None,
        binary=_base64(binaries) or None,
        registries=several if several and len(several) > 1 else None,
        immutable=bool(whole.get("immutable")),
        application_name=marks.member_of(whole),
        resource_version=metadata.get("resourceVersion") or "",
    )


def _tls(data: dict[str, bytes]) -> Tls | None:
    """What stands under the keys of a certificate, taken out of all data; what is no text stays there."""
    found = {}
    for name in OWN[k.TLS]:
        if name in data and (text := _text(data[name])) is not None:
            found[name] = text
            del data[name]
    if not found:
        return None
    cert, key, ca = (found.get(name) for name in OWN[k.TLS])
    return Tls(cert=cert or "", key=key or "", ca=ca)


def decoded(whole: JsonObject) -> dict[str, bytes]:
    """The values of a Secret; what is no base64 is nothing."""
    found = {}
    for key, value in (whole.get("data") or {}).items():
        try:
            found[key] = base64.b64decode(value or "")
        except ValueError:
            found[key] = b""
    return found


def _parted(data: Mapping[str, bytes]) -> tuple[dict[str, str], dict[str, bytes]]:
    """What is text, and what is not."""
    texts = {key: text for key, value in data.items() if (text := _text(value)) is not None}
    return texts, {key: value for key, value in data.items() if key not in texts}


def _text(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


# Making and changing


def secret(sent: Checked, namespace: str) -> JsonObject:
    """The Secret to make.

    Raises:
        BadRequestError: it would be too large.
    """
    kind = sent.type or OPAQUE
    return {
        "apiVersion": k.SECRET.api_version,
        "kind": k.SECRET.kind,
        "metadata": {
            "name": sent.name,
            "namespace": namespace,
            "labels": {MANAGED_BY: MANAGER, **({PART_OF: sent.application} if sent.application else {})},
        },
        "type": kind,
        "data": _data({}, sent, kind),
        **({"immutable": True} if sent.immutable else {}),
    }


def change(whole: JsonObject, sent: Checked) -> Operations:
    """What makes of a Secret that is there what was sent.

    Raises:
        BadRequestError: it is of another type, or would be too large.
        ConflictError: it is immutable, or not in the state that it is to be changed from, or belongs to
            another application.
    """
    kind = whole.get("type") or OPAQUE
    if sent.type not in {None, kind}:
        raise BadRequestError(
            f"{AT}.type: {sent.name!r} is of type {word(kind)}, and types are kept", field=f"{AT}.type"
        )
    check_fitting(sent, kind)
    expected = contents.check_version(whole, sent.version)
    changed = contents.changes(whole, "data", _data(decoded(whole), sent, kind))
    contents.check_mutable(whole, changed, immutable=sent.immutable)
    made = contents.guarded(whole, changed)
    if sent.immutable is not None and sent.immutable != bool(whole.get("immutable")):
        made += operations(whole, {IMMUTABLE: sent.immutable})
    return [*expected, *made, *marks.belong(whole, sent.application)]


def _data(old: Mapping[str, bytes], sent: Checked, kind: str) -> dict[str, str]:
    """All values, as Kubernetes has them, after something was sent.

    A key that is sent as text and was there as bytes, or the other way round, is moved.
    """
    own = {key: value for key, value in old.items() if key in OWN.get(kind, ())}
    texts, binaries = _parted({key: value for key, value in old.items() if key not in own})
    if sent.texts is not None:
        binaries = {key: value for key, value in binaries.items() if key not in sent.texts}
        texts = sent.texts
    if sent.binaries is not None:
        texts = {key: value for key, value in texts.items() if key not in sent.binaries}
        binaries = sent.binaries
    if (tls := sent.tls) is not None:
        ca = own.get("ca.crt", b"") if tls.ca is None else tls.ca.encode()
        own = {"tls.crt": tls.cert.encode(), "tls.key": tls.key.encode(), **({"ca.crt": ca} if ca else {})}
    if sent.registry is not None or sent.registries is not None:
        own[DOCKER_KEY] = registries.written(own.get(DOCKER_KEY), sent.registry, sent.registries)
    data = {**own, **{key: text.encode() for key, text in texts.items()}, **binaries}
    if data != old:
        contents.check_size(map(len, data.values()), AT)
    return _base64(data)


def _base64(data: Mapping[str, bytes]) -> dict[str, str]:
    return {key: contents.base64_text(value) for key, value in data.items()}

"""How to log in to registries, as container runtimes read it; pure, and total in reading.

Source: https://kubernetes.io/docs/tasks/configure-pod-container/pull-image-private-registry/ and the file
`config.json` of Docker, of which what has no word here is kept.
"""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from ecns.api.secrets.types import DockerConfigJson
from ecns.errors import BadRequestError

_ADDRESS = re.compile(r"[^\s\x00-\x1f\x7f]+")
_AUTHS = "auths"


def check(sent: DockerConfigJson, at: str) -> None:
    """Check how to log in to a registry.

    Raises:
        BadRequestError: something in it cannot be; `field` says where.
    """
    if not _ADDRESS.fullmatch(sent.URI):
        raise BadRequestError(
            f"{at}.URI: the registry's address is needed, without blanks", field=f"{at}.URI"
        )
    if not sent.username or ":" in sent.username:
        raise BadRequestError(
            f"{at}.username: is needed, and has no ':': what follows it is the password",
            field=f"{at}.username",
        )
    if not sent.password:
        raise BadRequestError(f"{at}.password: is needed", field=f"{at}.password")


def read(stored: bytes | None) -> list[DockerConfigJson] | None:
    """The registries of a stored configuration in their order; None if it is none."""
    config = _config(stored)
    if config is None:
        return None
    return [_entry(address, entry) for address, entry in config[_AUTHS].items()]


def written(
    stored: bytes | None, one: DockerConfigJson | None, several: Sequence[DockerConfigJson] | None
) -> bytes:
    """A configuration with other registries.

    Args:
        stored: as it was; what is none is replaced.
        one: becomes the only registry, unless there are others; then it is one of them.
        several: become all registries.
    """
    config = _config(stored) or {_AUTHS: {}}
    old: dict[str, Any] = config[_AUTHS]
    auths = {sent.URI: _sent(sent, old) for sent in several} if several is not None else dict(old)
    if one is not None:
        if several is None and len(auths) <= 1:
            auths = {}
        auths[one.URI] = _sent(one, old)
    return msgspec.json.encode({**config, _AUTHS: auths})


def _config(stored: bytes | None) -> dict[str, Any] | None:
    try:
        config = msgspec.json.decode(stored or b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(config, dict) or not isinstance(auths := config.get(_AUTHS), dict):
        return None
    return config if all(isinstance(entry, dict) for entry in auths.values()) else None


def _entry(address: str, entry: dict[str, Any]) -> DockerConfigJson:
    username, password = _string(entry.get("username")), _string(entry.get("password"))
    if not (username and password) and (auth := _string(entry.get("auth"))):
        with contextlib.suppress(ValueError):
            username, _, password = base64.b64decode(auth).decode().partition(":")
    mail = _string(entry.get("email"))
    return DockerConfigJson(URI=address, username=username, password=password, mail=mail or None)


def _sent(sent: DockerConfigJson, old: dict[str, Any]) -> dict[str, str]:
    mail = _string(old.get(sent.URI, {}).get("email")) if sent.mail is None else sent.mail
    auth = base64.b64encode(f"{sent.username}:{sent.password}".encode()).decode()
    return {
        "username": sent.username,
        "password": sent.password,
        **({"email": mail} if mail else {}),
        "auth": auth,
    }


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""

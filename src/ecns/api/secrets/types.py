"""The reference's types of chapter 1.6, its names and spelling kept; what is ours beside them says so.

`type` is one of the reference's words, or Kubernetes' own name where the reference has none. Keys that are
not named here are ignored: portals send back what they were shown. What types cannot say is in `checks`.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from ecns.api.common.references import User


class SecretInfo(Struct, kw_only=True):
    """secret_info: a row of the list; `expires`, `immutable` and `application_name` are ours."""

    name: str
    type: str
    keys: list[str]
    creation_time: str | None
    expires: str | None = None
    """Until when a Tls certificate is good."""
    immutable: bool = False
    application_name: str | None = None


class Secrets(Struct, kw_only=True):
    """The answer of "list"."""

    secrets: list[SecretInfo]


class Tls(Struct, kw_only=True):
    """tls: PEM texts. When sent, a `ca` that is null or left out stays; the empty one removes it."""

    cert: str
    key: str
    ca: str | None = None


class DockerConfigJson(Struct, kw_only=True):
    """dockerconfigjson: how to log in to a registry. When sent, a `mail` that is null or left out stays."""

    URI: str
    username: str
    password: str
    mail: str | None = None


class Secret(Struct, kw_only=True):
    """secret as it is shown, without values to those who may not change it.

    `binary`, `registries` and what follows them are ours.
    """

    name: str
    type: str
    opaque: dict[str, str] | None = None
    """What is text, by key, and has no word of its own."""
    tls: Tls | None = None
    dockerconfigjson: DockerConfigJson | None = None
    """The only registry, or the first."""
    binary: dict[str, str] | None = None
    """What is not text, by key, as base64."""
    registries: list[DockerConfigJson] | None = None
    """All of several registries."""
    immutable: bool = False
    application_name: str | None = None
    resource_version: str = ""
    """Sent with a change, it is made only if nobody changed anything since."""


class SecretDetail(Struct, kw_only=True):
    """The answer of "show"; `used_by` is ours."""

    secret: Secret
    secret_info: SecretInfo
    used_by: list[User]


class SentSecret(Struct, kw_only=True):
    """secret as it is sent; what is null or left out stays as it is.

    `opaque`, `binary` and `registries` are each sent whole: what is not in them any more is removed.
    `dockerconfigjson` becomes the only registry; of several, it is one more or takes the place of its `URI`.
    """

    name: str
    type: str | None = None
    opaque: dict[str, Any] | None = None
    tls: Tls | None = None
    dockerconfigjson: DockerConfigJson | None = None
    binary: dict[str, Any] | None = None
    registries: list[DockerConfigJson] | None = None
    immutable: bool | None = None
    """True for good."""
    application_name: str | None = None
    """The empty one lets it leave its application."""
    resource_version: str | None = None


class SendSecret(Struct, kw_only=True):
    """The body of "create" and "update"."""

    secret: SentSecret


class SecretName(Struct, kw_only=True):
    """secret_info of "delete"; one that is of another `type` by now is not deleted."""

    name: str
    type: str | None = None


class DeleteSecrets(Struct, kw_only=True):
    """The body of "delete"; names alone are taken, too."""

    secrets: list[str | SecretName]

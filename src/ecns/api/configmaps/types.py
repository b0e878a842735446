"""The reference's types of chapter 1.4, its names kept; what is ours beside them says so.

Keys that are not named here are ignored: portals send back what they were shown. What types cannot say is in
`checks`.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType

from ecns.api.common.named import Named
from ecns.api.common.references import User


class ConfigMapInfo(Struct, kw_only=True):
    """configmap_info: a row of the list; `immutable` and `application_name` are ours."""

    name: str
    keys: list[str]
    creation_time: str | None
    immutable: bool = False
    application_name: str | None = None


class ConfigMaps(Struct, kw_only=True):
    """The answer of "list"."""

    configmaps: list[ConfigMapInfo]


class ConfigMap(Struct, kw_only=True):
    """configmap as it is shown; all but `name` and `config` is ours."""

    name: str
    config: dict[str, str]
    """What is text, by key."""
    binary: dict[str, str]
    """What is not, by key, as base64."""
    immutable: bool = False
    application_name: str | None = None
    creation_time: str | None = None
    resource_version: str = ""
    """Sent with a change, it is made only if nobody changed anything since."""


class OneConfigMap(Struct, kw_only=True):
    """A ConfigMap; `used_by`, which only the details have, is ours."""

    configmap: ConfigMap
    used_by: list[User] | UnsetType = UNSET


class SentConfigMap(Struct, kw_only=True):
    """configmap as it is sent; what is null or left out stays as it is.

    `config` and `binary` are each sent whole: keys that are not in them any more are removed. Numbers and
    booleans in `config` are taken as JSON writes them.
    """

    name: str | None = None
    config: dict[str, Any] | None = None
    binary: dict[str, Any] | None = None
    immutable: bool | None = None
    """True for good."""
    application_name: str | None = None
    """The empty one lets it leave its application."""
    resource_version: str | None = None


class SendConfigMap(Struct, kw_only=True):
    """The body of "create" and "update"."""

    configmap: SentConfigMap


class DeleteConfigMaps(Struct, kw_only=True):
    """The body of "delete": names."""

    configmaps: list[str | Named]

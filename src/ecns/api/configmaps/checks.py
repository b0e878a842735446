"""What types cannot say of a ConfigMap: checked before anything is sent, each refusal naming its field.

Source: reference chapter 1.4; https://kubernetes.io/docs/concepts/configuration/configmap/.
"""

from __future__ import annotations

from msgspec import Struct

from ecns.api.common import contents
from ecns.api.common.checks import dns_subdomain
from ecns.api.configmaps.types import SentConfigMap
from ecns.errors import BadRequestError

AT = "configmap"


class Checked(Struct, frozen=True):
    """A ConfigMap that was sent; what is None stays as it is."""

    name: str
    texts: dict[str, str] | None
    binaries: dict[str, bytes] | None
    immutable: bool | None
    application: str | None
    """Empty: none."""
    version: str | None


def config_map(sent: SentConfigMap, name: str) -> Checked:
    """A ConfigMap that was sent to the path of a name.

    Raises:
        BadRequestError: something in it cannot be; `field` says where.
    """
    if sent.name not in {None, name}:
        raise BadRequestError(f"{AT}.name: the path says {name!r}, and names are kept", field=f"{AT}.name")
    dns_subdomain(name, f"{AT}.name")
    texts = None if sent.config is None else contents.texts(sent.config, f"{AT}.config")
    binaries = None if sent.binary is None else contents.binaries(sent.binary, f"{AT}.binary")
    contents.check_apart(binaries or (), texts or (), f"{AT}.binary")
    return Checked(name, texts, binaries, sent.immutable, sent.application_name, sent.resource_version)


def new(sent: SentConfigMap, name: str) -> Checked:
    """A ConfigMap that is to be made.

    Raises:
        BadRequestError: something in it cannot be, or it has nothing that could be configuration.
    """
    checked = config_map(sent, name)
    if checked.texts is None and checked.binaries is None:
        raise BadRequestError(f"{AT}.config: is needed; it may be empty", field=f"{AT}.config")
    return checked

"""Between the reference's ConfigMaps and Kubernetes' (chapter 1.4); pure, and total in showing."""

from __future__ import annotations

from collections.abc import Mapping

from ecns.api.common import contents, marks
from ecns.api.common.names import MANAGED_BY, MANAGER, PART_OF
from ecns.api.common.patching import Operations, Path, operations
from ecns.api.configmaps.checks import AT, Checked
from ecns.api.configmaps.types import ConfigMap, ConfigMapInfo
from ecns.backends.kubernetes.kinds import configuration as k
from ecns.backends.kubernetes.kinds.meta import JsonObject

IMMUTABLE: Path = ("immutable",)


def info(found: k.ConfigMap) -> ConfigMapInfo:
    """A row of the list."""
    return ConfigMapInfo(
        name=found.metadata.name,
        keys=list(found.keys),
        creation_time=found.metadata.creation_timestamp,
        immutable=bool(found.immutable),
        application_name=marks.part_of(found),
    )


def shown(whole: JsonObject) -> ConfigMap:
    """A ConfigMap with its values."""
    metadata = whole["metadata"]
    return ConfigMap(
        name=metadata["name"],
        config={key: value or "" for key, value in (whole.get("data") or {}).items()},
        binary={key: value or "" for key, value in (whole.get("binaryData") or {}).items()},
        immutable=bool(whole.get("immutable")),
        application_name=marks.member_of(whole),
        creation_time=metadata.get("creationTimestamp"),
        resource_version=metadata.get("resourceVersion") or "",
    )


def config_map(sent: Checked, namespace: str) -> JsonObject:
    """The ConfigMap to make.

    Raises:
        BadRequestError: it would be too large.
    """
    data, binary = sent.texts or {}, _encoded(sent.binaries or {})
    _check_size(data, binary)
    return {
        "apiVersion": k.CONFIG_MAP.api_version,
        "kind": k.CONFIG_MAP.kind,
        "metadata": {
            "name": sent.name,
            "namespace": namespace,
            "labels": {MANAGED_BY: MANAGER, **({PART_OF: sent.application} if sent.application else {})},
        },
        "data": data,
        **({"binaryData": binary} if binary else {}),
        **({"immutable": True} if sent.immutable else {}),
    }


def change(whole: JsonObject, sent: Checked) -> Operations:
    """What makes of a ConfigMap that is there what was sent.

    A key that is sent as text and was there as bytes, or the other way round, is moved.

    Raises:
        BadRequestError: it would be too large.
        ConflictError: it is immutable, or not in the state that it is to be changed from, or belongs to
            another application.
    """
    expected = contents.check_version(whole, sent.version)
    data, binary = dict(whole.get("data") or {}), dict(whole.get("binaryData") or {})
    if sent.texts is not None:
        binary = {key: value for key, value in binary.items() if key not in sent.texts}
        data = sent.texts
    if sent.binaries is not None:
        data = {key: value for key, value in data.items() if key not in sent.binaries}
        binary = _encoded(sent.binaries)
    changed = contents.changes(whole, "data", data) | contents.changes(whole, "binaryData", binary)
    contents.check_mutable(whole, changed, immutable=sent.immutable)
    if changed:
        _check_size(data, binary)
    made = contents.guarded(whole, changed)
    if sent.immutable is not None and sent.immutable != bool(whole.get("immutable")):
        made += operations(whole, {IMMUTABLE: sent.immutable})
    return [*expected, *made, *marks.belong(whole, sent.application)]


def _encoded(binaries: Mapping[str, bytes]) -> dict[str, str]:
    return {key: contents.base64_text(value) for key, value in binaries.items()}


def _check_size(data: Mapping[str, str | None], binary: Mapping[str, str | None]) -> None:
    sizes = [len((value or "").encode()) for value in data.values()]
    contents.check_size([*sizes, *map(contents.base64_size, binary.values())], f"{AT}.config")

"""Volumes of pods, and the sources that PersistentVolumes share with them.

Source: https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/volume/
and recorded refusals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes import quantities
from ecns.embedded.kubernetes.validation import claims, names

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.validation.causes import Causes

_MODES = range(0o1000)
_MODE_TEXT = "must be a number between 0 and 0777 (octal), both inclusive"
_HOST_PATH_TYPES = (
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
)
DOWNWARD_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.labels",
    "metadata.annotations",
    "metadata.uid",
)
_TOKEN_SECONDS = (600, 2**32)


def no_backsteps(causes: Causes, path: str, value: str) -> None:
    """A path may not climb."""
    if ".." in value.split("/"):
        causes.invalid(path, value, "must not contain '..'")


def relative(causes: Causes, path: str, value: str) -> None:
    """A path below another one."""
    if value.startswith("/"):
        causes.invalid(path, value, "must be a relative path")
    no_backsteps(causes, path, value)


def _mode(causes: Causes, path: str, mode: int | None) -> None:
    if mode is not None and mode not in _MODES:
        causes.invalid(path, mode, _MODE_TEXT)


def _items(causes: Causes, path: str, source: Object) -> None:
    for index, item in enumerate(source.get("items", ())):
        at = f"{path}.items[{index}]"
        if not item.get("key"):
            causes.required(f"{at}.key")
        if not item.get("path"):
            causes.required(f"{at}.path")
        else:
            relative(causes, f"{at}.path", item["path"])
        _mode(causes, f"{at}.mode", item.get("mode"))


def _empty_dir(causes: Causes, path: str, source: Object) -> None:
    limit = source.get("sizeLimit")
    if limit and quantities.parse(limit).nano < 0:
        causes.forbidden(f"{path}.sizeLimit", "SizeLimit field must be a valid resource quantity")


def _host_path(causes: Causes, path: str, source: Object) -> None:
    if not source.get("path"):
        causes.required(f"{path}.path")
    else:
        no_backsteps(causes, f"{path}.path", source["path"])
    if source.get("type", "") not in _HOST_PATH_TYPES:
        causes.unsupported(f"{path}.type", source["type"], _HOST_PATH_TYPES)


def _nfs(causes: Causes, path: str, source: Object) -> None:
    for name in ("server", "path"):
        if not source.get(name):
            causes.required(f"{path}.{name}")
    if source.get("path") and not source["path"].startswith("/"):
        causes.invalid(f"{path}.path", source["path"], "must be an absolute path")


def _secret(causes: Causes, path: str, source: Object) -> None:
    if not source.get("secretName"):
        causes.required(f"{path}.secretName")
    _mode(causes, f"{path}.defaultMode", source.get("defaultMode"))
    _items(causes, path, source)


def _config_map(causes: Causes, path: str, source: Object) -> None:
    if not source.get("name"):
        causes.required(f"{path}.name")
    _mode(causes, f"{path}.defaultMode", source.get("defaultMode"))
    _items(causes, path, source)


def _claim(causes: Causes, path: str, source: Object) -> None:
    if not source.get("claimName"):
        causes.required(f"{path}.claimName")


def _downward_items(causes: Causes, path: str, source: Object) -> None:
    from ecns.embedded.kubernetes.validation import containers  # noqa: PLC0415  they know of one another

    for index, item in enumerate(source.get("items", ())):
        at = f"{path}.items[{index}]"
        if not item.get("path"):
            causes.required(f"{at}.path")
        else:
            relative(causes, f"{at}.path", item["path"])
        if "fieldRef" in item:
            containers.field_ref(causes, f"{at}.fieldRef", item["fieldRef"], DOWNWARD_FIELDS)
            if "resourceFieldRef" in item:
                causes.invalid(
                    path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously"
                )
        elif "resourceFieldRef" in item:
            containers.resource_field_ref(
                causes, f"{at}.resourceFieldRef", item["resourceFieldRef"], volume=True
            )
        else:
            causes.required(at, "one of fieldRef and resourceFieldRef is required")
        _mode(causes, f"{at}.mode", item.get("mode"))


def _downward(causes: Causes, path: str, source: Object) -> None:
    _mode(causes, f"{path}.defaultMode", source.get("defaultMode"))
    _downward_items(causes, path, source)


def _projected(causes: Causes, path: str, source: Object) -> None:
    _mode(causes, f"{path}.defaultMode", source.get("defaultMode"))
    for index, item in enumerate(source.get("sources") or ()):
        at, found = f"{path}.sources[{index}]", 0
        for name in ("secret", "configMap", "downwardAPI", "serviceAccountToken", "clusterTrustBundle"):
            if name not in item:
                continue
            found += 1
            if found > 1:
                causes.forbidden(f"{at}.{name}", "may not specify more than 1 volume type per source")
            elif name in {"secret", "configMap"}:
                if not item[name].get("name"):
                    causes.required(f"{at}.{name}.name")
                _items(causes, f"{at}.{name}", item[name])
            elif name == "downwardAPI":
                _downward_items(causes, f"{at}.downwardAPI", item[name])
            elif name == "serviceAccountToken":
                _token(causes, f"{at}.serviceAccountToken", item[name])
        if not found:
            causes.required(at, "must specify a volume type")


def _token(causes: Causes, path: str, source: Object) -> None:
    seconds = source.get("expirationSeconds", 3600)
    if seconds < _TOKEN_SECONDS[0]:
        causes.invalid(
            f"{path}.expirationSeconds", seconds, "may not specify a duration less than 10 minutes"
        )
    if seconds > _TOKEN_SECONDS[1]:
        causes.invalid(
            f"{path}.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds"
        )
    if not source.get("path"):
        causes.required(f"{path}.path")
    else:
        relative(causes, f"{path}.path", source["path"])


def _csi(causes: Causes, path: str, source: Object) -> None:
    if not source.get("driver"):
        causes.required(f"{path}.driver")
    elif len(source["driver"]) > names.LABEL_LENGTH:
        causes.too_long(f"{path}.driver", names.LABEL_LENGTH)
    if source.get("driver"):
        driver = source["driver"]
        causes.each(f"{path}.driver", driver, names.dns_subdomain(driver.lower()))


def _ephemeral(causes: Causes, path: str, source: Object) -> None:
    template = source.get("volumeClaimTemplate")
    if template is None:
        causes.required(f"{path}.volumeClaimTemplate")
        return
    claims.spec(causes, f"{path}.volumeClaimTemplate.spec", template.get("spec", {}))


def _local(causes: Causes, path: str, source: Object) -> None:
    if not source.get("path"):
        causes.required(f"{path}.path")
    else:
        no_backsteps(causes, f"{path}.path", source["path"])


def _anything(causes: Causes, path: str, source: Object) -> None:
    del causes, path, source


_SOURCES: dict[str, Callable[[Causes, str, Object], None]] = {
    "emptyDir": _empty_dir,
    "hostPath": _host_path,
    "gitRepo": _anything,
    "gcePersistentDisk": _anything,
    "awsElasticBlockStore": _anything,
    "secret": _secret,
    "nfs": _nfs,
    "iscsi": _anything,
    "glusterfs": _anything,
    "persistentVolumeClaim": _claim,
    "rbd": _anything,
    "cinder": _anything,
    "cephfs": _anything,
    "flocker": _anything,
    "fc": _anything,
    "downwardAPI": _downward,
    "configMap": _config_map,
    "azureFile": _anything,
    "azureDisk": _anything,
    "flexVolume": _anything,
    "vsphereVolume": _anything,
    "quobyte": _anything,
    "photonPersistentDisk": _anything,
    "portworxVolume": _anything,
    "scaleIO": _anything,
    "storageos": _anything,
    "projected": _projected,
    "local": _local,
    "csi": _csi,
    "ephemeral": _ephemeral,
    "image": _anything,
}
"""Sources in the order in which they are checked."""


def sources(causes: Causes, path: str, holder: Object) -> None:
    """Checks that a volume has exactly one source, and that source."""
    found = 0
    for name, check in _SOURCES.items():
        if name not in holder:
            continue
        found += 1
        if found > 1:
            causes.forbidden(f"{path}.{name}", "may not specify more than 1 volume type")
        else:
            check(causes, f"{path}.{name}", holder[name])
    if not found:
        causes.required(path, "must specify a volume type")


def volumes(causes: Causes, path: str, items: list[Object]) -> set[str]:
    """Checks the volumes of a pod; returns the names of those that can be mounted."""
    found: set[str] = set()
    for index, item in enumerate(items):
        at, name = f"{path}[{index}]", item.get("name", "")
        before = len(causes)
        sources(causes, at, item)
        if not name:
            causes.required(f"{at}.name")
        else:
            causes.each(f"{at}.name", name, names.dns_label(name))
        if name in found:
            causes.duplicate(f"{at}.name", name)
        if len(causes) == before:
            found.add(name)
    return found

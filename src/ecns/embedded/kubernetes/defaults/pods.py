"""Defaults of pods and pod templates.

Source: the answers of Kubernetes 1.36 to minimal objects, and
https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ecns.embedded.kubernetes import quantities

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecns.embedded.kubernetes.errors import Object

FILE_MODE = 0o644
TOKEN_SECONDS = 3600
CONTAINER_LISTS = ("initContainers", "containers", "ephemeralContainers")
_IMAGE = re.compile(
    r"(?:[A-Za-z0-9.-]+(?::\d+)?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*(?::\w[\w.-]{0,127})?(?:@[\w.+-]+:[0-9a-f]+)?"
)
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def image_tag(image: str) -> str:
    """The tag of an image's name; `latest` when it has neither a tag nor a digest, "" for what is no name."""
    if not _IMAGE.fullmatch(image):
        return ""
    name, at, _ = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    return tag or ("" if at else "latest")


def resource_amounts(amounts: Object | None) -> None:
    """Rounds amounts up to whole thousandths."""
    for name, amount in (amounts or {}).items():
        if amount.endswith(("u", "n")):
            amounts[name] = str(quantities.parse(amount).rounded_up())  # type: ignore[index]  # not None here


def resources(requirements: Object) -> None:
    """Rounds the requests and limits of a container or a claim."""
    resource_amounts(requirements.get("requests"))
    resource_amounts(requirements.get("limits"))


def _http(action: Object | None) -> None:
    if action is not None:
        action.setdefault("path", "/")
        action.setdefault("scheme", "HTTP")


def _probe(probe: Object) -> None:
    _http(probe.get("httpGet"))
    if "grpc" in probe:
        probe["grpc"].setdefault("service", "")
    probe.setdefault("timeoutSeconds", 1)
    probe.setdefault("periodSeconds", 10)
    probe.setdefault("successThreshold", 1)
    probe.setdefault("failureThreshold", 3)


def _field_ref(holder: Object) -> None:
    if "fieldRef" in holder:
        holder["fieldRef"].setdefault("apiVersion", "v1")


def container(item: Object) -> None:
    """Defaults of one container of any sort."""
    item.setdefault("terminationMessagePath", "/dev/termination-log")
    item.setdefault("terminationMessagePolicy", "File")
    if "imagePullPolicy" not in item:
        item["imagePullPolicy"] = "Always" if image_tag(item.get("image", "")) == "latest" else "IfNotPresent"
    for port in item.get("ports", ()):
        port.setdefault("protocol", "TCP")
    for variable in item.get("env", ()):
        if "valueFrom" in variable:
            _field_ref(variable["valueFrom"])
    resources(item.get("resources", {}))
    for name in _PROBES:
        if name in item:
            _probe(item[name])
    for handler in item.get("lifecycle", {}).values():
        if isinstance(handler, dict):
            _http(handler.get("httpGet"))


def volume(item: Object) -> None:
    """Defaults of one volume; without a source it is an emptyDir."""
    if len(item) <= ("name" in item):
        item["emptyDir"] = {}
    for name in ("secret", "configMap", "downwardAPI", "projected"):
        if name in item:
            item[name].setdefault("defaultMode", FILE_MODE)
    for entry in item.get("downwardAPI", {}).get("items", ()):
        _field_ref(entry)
    for source in (item.get("projected") or {}).get("sources") or ():
        for entry in source.get("downwardAPI", {}).get("items", ()):
            _field_ref(entry)
        if "serviceAccountToken" in source:
            source["serviceAccountToken"].setdefault("expirationSeconds", TOKEN_SECONDS)
    if "hostPath" in item:
        item["hostPath"].setdefault("type", "")
    if "ephemeral" in item and "volumeClaimTemplate" in item["ephemeral"]:
        item["ephemeral"]["volumeClaimTemplate"]["spec"].setdefault("volumeMode", "Filesystem")
    persistent_source(item)


def persistent_source(item: Object) -> None:
    """Defaults of the sources that a pod's volume and a PersistentVolume have in common."""
    if "iscsi" in item:
        item["iscsi"].setdefault("iscsiInterface", "default")
    if "rbd" in item:
        for name, text in (("pool", "rbd"), ("user", "admin"), ("keyring", "/etc/ceph/keyring")):
            item["rbd"].setdefault(name, text)
    if "azureDisk" in item:
        defaults = (("cachingMode", "ReadWrite"), ("kind", "Shared"), ("fsType", "ext4"), ("readOnly", False))
        for name, value in defaults:
            item["azureDisk"].setdefault(name, value)
    if "scaleIO" in item:
        for name, text in (("storageMode", "ThinProvisioned"), ("fsType", "xfs")):
            item["scaleIO"].setdefault(name, text)


def containers(spec: Object) -> Iterator[Object]:
    """All containers of a pod's spec."""
    for name in CONTAINER_LISTS:
        yield from spec.get(name) or ()


def pod_spec(spec: Object) -> None:
    """Defaults that pods and templates share."""
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    for item in containers(spec):
        container(item)
    for item in spec.get("volumes", ()):
        volume(item)
    for alias in spec.get("dnsConfig", {}).get("options", ()):
        alias.setdefault("name", "")
    resource_amounts(spec.get("overhead"))
    if "resources" in spec:
        resources(spec["resources"])


def _requests_from_limits(item: Object) -> None:
    requirements = item.get("resources", {})
    limits = requirements.get("limits")
    if limits:
        requests = requirements.setdefault("requests", {})
        for name, amount in limits.items():
            requests.setdefault(name, amount)


def pod(obj: Object) -> None:
    """Defaults of a Pod."""
    spec = obj["spec"]
    pod_spec(spec)
    for item in containers(spec):
        _requests_from_limits(item)
        if spec.get("hostNetwork"):
            for port in item.get("ports", ()):
                if port.get("containerPort"):
                    port.setdefault("hostPort", port["containerPort"])
    spec.setdefault("enableServiceLinks", True)


def pod_template(obj: Object) -> None:
    """Defaults of a PodTemplate."""
    pod_spec(obj["template"]["spec"])

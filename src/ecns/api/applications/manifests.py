"""Between the reference's applications and Kubernetes' objects; pure, and total in the direction of showing.

Source: https://github.com/kubernetes-sigs/application; design, "Names used in Kubernetes".
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import msgspec

from ecns.api.applications import types
from ecns.api.applications.types import ApplicationInfo, ApplicationStatus, ApplicationWord, VmNetwork
from ecns.api.common.objects import Operations
from ecns.api.workloads.manifests import PART_OF
from ecns.api.workloads.manifests.names import MANAGED_BY, MANAGER
from ecns.api.workloads.patching import MISSING, operations
from ecns.api.workloads.types import ApplicationType, WorkloadStatus
from ecns.backends.kubernetes.kinds.apps import DAEMON_SET, DEPLOYMENT, STATEFUL_SET
from ecns.backends.kubernetes.kinds.autoscaling import HORIZONTAL_POD_AUTOSCALER
from ecns.backends.kubernetes.kinds.batch import CRON_JOB, JOB
from ecns.backends.kubernetes.kinds.core import CONFIG_MAP, PERSISTENT_VOLUME_CLAIM, SECRET, SERVICE
from ecns.backends.kubernetes.kinds.extensions import APPLICATION, Application
from ecns.backends.kubernetes.kinds.meta import JsonObject, Kind
from ecns.backends.kubernetes.kinds.networking import INGRESS

TYPE = "ecns.easystack.com/application-type"
"""Label: Normal or Hybrid; without it Normal."""
VM_NETWORK = "ecns.easystack.com/vm-network"
"""Annotation: the vm_network as JSON."""
CREATING = "ecns.easystack.com/creating"
"""Annotation of an application whose members are being made: the digest of the request that makes them.

What is left of a request that was cut off is found by it, and the same request sent again completes it.
"""

CONTROLLERS: tuple[Kind[Any], ...] = (DEPLOYMENT, STATEFUL_SET, DAEMON_SET)
COMPANIONS: tuple[Kind[Any], ...] = (
    SERVICE,
    INGRESS,
    CONFIG_MAP,
    SECRET,
    PERSISTENT_VOLUME_CLAIM,
    HORIZONTAL_POD_AUTOSCALER,
    JOB,
    CRON_JOB,
)
"""What else can belong to an application."""


def digest(application: types.Application) -> str:
    """What tells a request to create an application from others."""
    return sha256(msgspec.json.encode(application)).hexdigest()


def application_object(
    application: types.Application, namespace: str, *, creating: str | None = None
) -> JsonObject:
    """The Application to make.

    Args:
        application: checked.
        namespace: where.
        creating: the digest, while its members are being made.
    """
    annotations = {}
    if application.vm_network is not None:
        annotations[VM_NETWORK] = msgspec.json.encode(application.vm_network).decode()
    if creating:
        annotations[CREATING] = creating
    return {
        "apiVersion": APPLICATION.api_version,
        "kind": APPLICATION.kind,
        "metadata": {
            "name": application.name,
            "namespace": namespace,
            "labels": {MANAGED_BY: MANAGER, TYPE: application.type or "Normal"},
            **({"annotations": annotations} if annotations else {}),
        },
        "spec": {
            "componentKinds": [
                {"group": kind.group, "kind": kind.kind} for kind in (*CONTROLLERS, *COMPANIONS)
            ],
            "selector": {"matchLabels": {PART_OF: application.name}},
            **({"descriptor": {"description": application.description}} if application.description else {}),
        },
    }


def config_map_object(config_map: types.ConfigMap, application: str, namespace: str) -> JsonObject:
    """The ConfigMap to make."""
    return {
        "apiVersion": CONFIG_MAP.api_version,
        "kind": CONFIG_MAP.kind,
        "metadata": {
            "name": config_map.name,
            "namespace": namespace,
            "labels": {MANAGED_BY: MANAGER, PART_OF: application},
        },
        "data": config_map.config,
    }


def config_map(found: JsonObject) -> types.ConfigMap:
    """A ConfigMap as its users see it."""
    return types.ConfigMap(name=found["metadata"]["name"], config=found.get("data") or {})


def application_type(found: Application) -> ApplicationType:
    """Normal or Hybrid."""
    return "Hybrid" if (found.metadata.labels or {}).get(TYPE) == "Hybrid" else "Normal"


def application(found: Application) -> types.Application:
    """An application as its users see it, without members."""
    text = (found.metadata.annotations or {}).get(VM_NETWORK, "")
    try:
        network = msgspec.json.decode(text, type=VmNetwork) if text else None
    except msgspec.DecodeError:
        network = None
    return types.Application(
        name=found.metadata.name,
        description=found.spec.descriptor.description or None,
        type=application_type(found),
        vm_network=network,
    )


def application_word(found: Application, members: Sequence[str]) -> ApplicationWord:
    """The state of an application from those of its workloads.

    Processing while something of it is being made, changed or removed; Unready when a workload has failed;
    Running when every workload that is not stopped runs.
    """
    metadata = found.metadata
    if metadata.deletion_timestamp or CREATING in (metadata.annotations or {}):
        return "Processing"
    states = set(members)
    if not states:
        return "No workload"
    if states == {"Stopped"}:
        return "Stopped"
    if states <= {"Running", "Stopped", "Succeed"}:
        return "Running"
    return "Unready" if states & {"Failed", "Unknown"} else "Processing"


def info(
    found: Application, members: Sequence[str], statuses: list[WorkloadStatus], shown: types.Application
) -> ApplicationInfo:
    """What is answered about an application.

    Args:
        found: the object.
        members: the states of its workloads.
        statuses: the same in full.
        shown: the application with what of its members is to be shown.
    """
    return ApplicationInfo(
        application=shown,
        application_status=ApplicationStatus(
            creation_time=found.metadata.creation_timestamp or "", status=application_word(found, members)
        ),
        workloads_status=statuses,
        vms_status=[],
    )


def describe(whole: JsonObject, description: str | None) -> Operations:
    """Change what people read about an application."""
    return operations(whole, {("spec", "descriptor", "description"): description or MISSING})


def created(whole: JsonObject) -> Operations:
    """Say that all members of an application are made."""
    return operations(whole, {("metadata", "annotations", CREATING): MISSING})


def leave(whole: JsonObject, application_name: str) -> Operations:
    """Take any object out of an application."""
    place = ("metadata", "labels", PART_OF)
    labels = whole["metadata"].get("labels") or {}
    return operations(whole, {place: MISSING}) if labels.get(PART_OF) == application_name else []

"""Between the reference's applications and Kubernetes' objects; pure, and total in the direction of showing.

Source: https://github.com/kubernetes-sigs/application; design, "Names used in Kubernetes".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from ecns.api.applications import types
from ecns.api.applications.types import ApplicationInfo, ApplicationStatus, ApplicationWord
from ecns.api.common import marks
from ecns.api.common.names import CREATING, MANAGED_BY, MANAGER, REQUEST
from ecns.api.common.patching import MISSING, Operations, operations
from ecns.api.virtualmachines import manifests as machines
from ecns.api.virtualmachines.templates import Definition, public
from ecns.api.virtualmachines.types import VmNetwork, VmStatus
from ecns.api.workloads.manifests import PART_OF
from ecns.api.workloads.types import ApplicationType, WorkloadStatus
from ecns.backends.kubernetes.kinds.apps import DAEMON_SET, DEPLOYMENT, STATEFUL_SET
from ecns.backends.kubernetes.kinds.autoscaling import HORIZONTAL_POD_AUTOSCALER
from ecns.backends.kubernetes.kinds.batch import CRON_JOB, JOB
from ecns.backends.kubernetes.kinds.configuration import CONFIG_MAP, SECRET
from ecns.backends.kubernetes.kinds.core import PERSISTENT_VOLUME_CLAIM, SERVICE
from ecns.backends.kubernetes.kinds.extensions import APPLICATION, Application
from ecns.backends.kubernetes.kinds.meta import JsonObject, Kind
from ecns.backends.kubernetes.kinds.networking import INGRESS

TYPE = "ecns.easystack.com/application-type"
"""Label: Normal or Hybrid; without it Normal."""
VM_NETWORK = "ecns.easystack.com/vm-network"
"""Annotation: the vm_network as JSON."""

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


def request(application: types.Application) -> types.Application:
    """What tells a request from others: all of it but what may be secret, which a digest would tell of."""
    groups = [public(one) for one in application.virtual_machines or ()]
    return replace(application, virtual_machines=groups or None)


def application_object(
    application: types.Application, namespace: str, groups: Sequence[Definition] = (), *, key: str = ""
) -> JsonObject:
    """The Application to make; it carries the request that makes it as workloads do, see `marks`.

    Args:
        application: checked.
        namespace: where.
        groups: what is to be remembered of its virtual machines.
        key: whose `Idempotency-Key` came with the request, and which.
    """
    annotations = {REQUEST: marks.digest(request(application), key), **machines.remembered(groups)}
    if application.vm_network is not None:
        annotations[VM_NETWORK] = msgspec.json.encode(application.vm_network).decode()
    labels = {MANAGED_BY: MANAGER, TYPE: application.type or "Normal"}
    if application.workloads or application.configmaps or application.virtual_machines:
        labels[CREATING] = marks.digest(request(application))
    return {
        "apiVersion": APPLICATION.api_version,
        "kind": APPLICATION.kind,
        "metadata": {
            "name": application.name,
            "namespace": namespace,
            "labels": labels,
            "annotations": annotations,
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


def application(found: Application, vms: Sequence[VmStatus] = ()) -> types.Application:
    """An application as its users see it, without what of its members is in Kubernetes."""
    states = {one.name: one for one in vms}
    groups = machines.definitions(found)
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
        virtual_machines=[machines.machine(one, states.get(name)) for name, one in groups.items()] or None,
    )


def application_word(found: Application, members: Sequence[str]) -> ApplicationWord:
    """The state of an application from those of its workloads and virtual machines.

    Processing while something of it is being made, changed or removed; Unready when one has failed; Running
    when every one that is not stopped runs.
    """
    metadata = found.metadata
    if metadata.deletion_timestamp or marks.creating(found):
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
    found: Application,
    members: Sequence[str],
    statuses: list[WorkloadStatus],
    shown: types.Application,
    vms: list[VmStatus],
) -> ApplicationInfo:
    """What is answered about an application.

    Args:
        found: the object.
        members: the states of its workloads and virtual machines.
        statuses: the same in full.
        shown: the application with what of its members is to be shown.
        vms: its virtual machines.
    """
    return ApplicationInfo(
        application=shown,
        application_status=ApplicationStatus(
            creation_time=found.metadata.creation_timestamp or "", status=application_word(found, members)
        ),
        workloads_status=statuses,
        vms_status=vms,
    )


def describe(whole: JsonObject, description: str | None) -> Operations:
    """Change what people read about an application."""
    return operations(whole, {("spec", "descriptor", "description"): description or MISSING})

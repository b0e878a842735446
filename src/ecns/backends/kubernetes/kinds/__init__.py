"""The Kubernetes kinds ECNS works with: typed Structs and their places in the API."""

from __future__ import annotations

from typing import Any

from ecns.backends.kubernetes.kinds.apps import (
    CONTROLLER_REVISION,
    DAEMON_SET,
    DEPLOYMENT,
    REPLICA_SET,
    STATEFUL_SET,
)
from ecns.backends.kubernetes.kinds.autoscaling import HORIZONTAL_POD_AUTOSCALER
from ecns.backends.kubernetes.kinds.batch import CRON_JOB, JOB
from ecns.backends.kubernetes.kinds.configuration import CONFIG_MAP, SECRET
from ecns.backends.kubernetes.kinds.core import (
    EVENT,
    NAMESPACE,
    NODE,
    PERSISTENT_VOLUME,
    PERSISTENT_VOLUME_CLAIM,
    RESOURCE_QUOTA,
    SERVICE,
)
from ecns.backends.kubernetes.kinds.discovery import ENDPOINT_SLICE
from ecns.backends.kubernetes.kinds.extensions import APPLICATION, CUSTOM_RESOURCE_DEFINITION
from ecns.backends.kubernetes.kinds.meta import Kind
from ecns.backends.kubernetes.kinds.networking import INGRESS, INGRESS_CLASS
from ecns.backends.kubernetes.kinds.pods import POD, POD_ROW
from ecns.backends.kubernetes.kinds.rbac import ROLE_BINDING, SERVICE_ACCOUNT
from ecns.backends.kubernetes.kinds.storage import STORAGE_CLASS

__all__ = [
    "APPLICATION",
    "BY_NAME",
    "CONFIG_MAP",
    "CONTROLLER_REVISION",
    "CRON_JOB",
    "CUSTOM_RESOURCE_DEFINITION",
    "DAEMON_SET",
    "DEPLOYMENT",
    "ENDPOINT_SLICE",
    "EVENT",
    "HORIZONTAL_POD_AUTOSCALER",
    "INGRESS",
    "INGRESS_CLASS",
    "JOB",
    "NAMESPACE",
    "NODE",
    "PERSISTENT_VOLUME",
    "PERSISTENT_VOLUME_CLAIM",
    "POD",
    "POD_ROW",
    "REPLICA_SET",
    "RESOURCE_QUOTA",
    "ROLE_BINDING",
    "SECRET",
    "SERVICE",
    "SERVICE_ACCOUNT",
    "STATEFUL_SET",
    "STORAGE_CLASS",
]

BY_NAME: dict[str, Kind[Any]] = {
    kind.kind: kind
    for kind in (
        APPLICATION,
        CONFIG_MAP,
        CONTROLLER_REVISION,
        CRON_JOB,
        CUSTOM_RESOURCE_DEFINITION,
        DAEMON_SET,
        DEPLOYMENT,
        ENDPOINT_SLICE,
        EVENT,
        HORIZONTAL_POD_AUTOSCALER,
        INGRESS,
        INGRESS_CLASS,
        JOB,
        NAMESPACE,
        NODE,
        PERSISTENT_VOLUME,
        PERSISTENT_VOLUME_CLAIM,
        POD,
        REPLICA_SET,
        RESOURCE_QUOTA,
        ROLE_BINDING,
        SECRET,
        SERVICE,
        SERVICE_ACCOUNT,
        STATEFUL_SET,
        STORAGE_CLASS,
    )
}
"""Each kind by its Kubernetes name, such as `Deployment`."""

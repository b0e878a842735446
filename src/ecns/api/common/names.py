"""The labels and annotations that ECNS reads and writes (design, "Names used in Kubernetes")."""

from __future__ import annotations

from collections.abc import Mapping

from ecns.backends.kubernetes.indexes import WORKLOAD_LABEL

WORKLOAD = WORKLOAD_LABEL
"""Selector label of workloads that we make, and label of all that goes with one."""
PART_OF = "app.kubernetes.io/part-of"
"""Which application something belongs to."""
MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "ecns"
"""`MANAGED_BY` of what ECNS made."""
STOPPED_REPLICAS = "ecns.easystack.com/stopped-replicas"
STOPPED_NODE = "ecns.easystack.com/stopped"
"""Node selector of a stopped DaemonSet: no node has it."""
SENT = "ecns.easystack.com/sent-"
"""Prefix of the annotations that keep what Kubernetes has no word for; see `sent`."""
SENT_EXTERNAL = SENT + "external"
"""On a Service: what was sent of its load balancer that the OpenStack cloud provider has no word for."""
ORDER = "ecns.easystack.com/order"
"""Place of a Service among its workload's access modes."""
CREATING = "ecns.easystack.com/creating"
"""Label of what is made of several objects while they are being made; see `marks`."""
REQUEST = "ecns.easystack.com/request"
"""Annotation: the request that made a workload; see `marks`."""
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
CHANGE_CAUSE = "kubernetes.io/change-cause"
DEPLOYMENT_REVISION = "deployment.kubernetes.io/revision"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
LOG_SIDECAR = "logging.es.io/logsidecar-config"

LB_SUBNET = "loadbalancer.openstack.org/subnet-id"
LB_ZONE = "loadbalancer.openstack.org/availability-zone"
LB_FLAVOR = "loadbalancer.openstack.org/flavor-id"
LB_ID = "loadbalancer.openstack.org/load-balancer-id"


def own_labels(workload: str, application: str | None) -> dict[str, str]:
    """The labels of a workload's controller and of all that goes with it."""
    labels = {MANAGED_BY: MANAGER, WORKLOAD: workload}
    return {**labels, PART_OF: application} if application else labels


def shown_labels(labels: Mapping[str, str] | None) -> dict[str, str]:
    """The labels that are the user's."""
    return {
        key: value
        for key, value in (labels or {}).items()
        if key not in {WORKLOAD, PART_OF, CREATING} and (key, value) != (MANAGED_BY, MANAGER)
    }

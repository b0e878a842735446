"""Which controllers there are, and starting them in the order that lets each see what the others do."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from ecns.embedded.kubernetes.controllers import (
    autoscalers,
    collector,
    cronjobs,
    daemonsets,
    deployments,
    disruption,
    endpoints,
    jobs,
    namespaces,
    quotas,
    ranges,
    replicasets,
    statefulsets,
    volumes,
)
from ecns.embedded.kubernetes.controllers.shared import Shared
from ecns.embedded.kubernetes.nodes import inventory, kubelet, lifecycle, scheduler

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.cluster import Cluster
    from ecns.embedded.kubernetes.controllers.base import Controller

_KINDS: tuple[type[Controller], ...] = (
    namespaces.RootCertificates,
    namespaces.ServiceAccounts,
    namespaces.NamespaceDeletion,
    deployments.Deployments,
    replicasets.ReplicaSets,
    replicasets.ReplicationControllers,
    statefulsets.StatefulSets,
    daemonsets.DaemonSets,
    jobs.Jobs,
    jobs.JobLifetimes,
    cronjobs.CronJobs,
    autoscalers.Autoscalers,
    volumes.EphemeralClaims,
    volumes.Binder,
    volumes.Protection,
    quotas.Quotas,
    disruption.Budgets,
    ranges.ServiceRanges,
    ranges.ServiceAddresses,
    endpoints.Endpoints,
    endpoints.EndpointSlices,
    endpoints.MirroredSlices,
    lifecycle.NodeLifecycle,
    lifecycle.TaintEviction,
    lifecycle.PodCollector,
    scheduler.Scheduler,
    collector.Collector,
)
_kubelets: WeakKeyDictionary[Cluster, kubelet.Kubelets] = WeakKeyDictionary()


def start_all(cluster: Cluster) -> list[Controller]:
    """Starts every controller, the kubelets last."""
    inventory.ensure(cluster)
    shared = Shared(cluster)
    kubelets = _kubelets[cluster] = kubelet.Kubelets(cluster, shared)
    found: list[Controller] = [*(kind(cluster, shared) for kind in _KINDS), kubelets]
    for controller in found:
        controller.start()
    return found


def kubelets_of(cluster: Cluster) -> kubelet.Kubelets | None:
    """The kubelets of a cluster, None when its controllers have not been started."""
    return _kubelets.get(cluster)

"""The nodes that a new cluster has, and its default StorageClass."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from ecns.embedded.kubernetes import clock

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.cluster import Cluster
    from ecns.embedded.kubernetes.errors import Object

NODES = {"node-1": "192.168.126.11", "node-2": "192.168.126.12", "node-3": "192.168.126.13"}
"""Names of the nodes that have a kubelet here, and their addresses."""
POD_NETWORKS = {"node-1": "10.244.0.0/18", "node-2": "10.244.64.0/18", "node-3": "10.244.128.0/18"}
VERSION = "v1.36.2"
PROVISIONER = "embedded.ecns.io/local"
STORAGE_CLASS = "standard"
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
_CAPACITY = {
    "cpu": "64",
    "ephemeral-storage": "1Ti",
    "hugepages-1Gi": "0",
    "hugepages-2Mi": "0",
    "memory": "256Gi",
    "pods": "19999",
}
_MIGRATED = (
    "kubernetes.io/aws-ebs,kubernetes.io/azure-disk,kubernetes.io/azure-file,kubernetes.io/cinder,"
    "kubernetes.io/gce-pd,kubernetes.io/portworx-volume,kubernetes.io/vsphere-volume"
)
_CONDITIONS = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
)
IMAGES = (
    (("docker.io/library/busybox:1.35", "docker.io/library/nginx:1.27"), 2071307),
    (("registry.k8s.io/pause:3.10",), 328988),
)


def ensure(cluster: Cluster) -> None:
    """Makes the nodes, their leases and the StorageClass of a cluster that has no node yet."""
    if cluster.list("nodes"):
        return
    for name, address in NODES.items():
        node = cluster.create("nodes", _node(name, address, clock.stamp(cluster.now())))
        owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": node["metadata"]["uid"]}
        cluster.create(
            "csinodes.storage.k8s.io",
            {
                "kind": "CSINode",
                "apiVersion": "storage.k8s.io/v1",
                "metadata": {
                    "name": name,
                    "annotations": {"storage.alpha.kubernetes.io/migrated-plugins": _MIGRATED},
                    "ownerReferences": [owner],
                },
                "spec": {"drivers": None},
            },
        )
        lease = {
            "kind": "Lease",
            "apiVersion": "coordination.k8s.io/v1",
            "metadata": {
                "name": name,
                "namespace": "kube-node-lease",
                "ownerReferences": [owner],
            },
            "spec": {
                "holderIdentity": name,
                "leaseDurationSeconds": 40,
                "renewTime": clock.micro_stamp(cluster.now()),
            },
        }
        if cluster.find("namespaces", "kube-node-lease") is not None:
            cluster.create("leases.coordination.k8s.io", lease, namespace="kube-node-lease")
    if cluster.find("storageclasses.storage.k8s.io", STORAGE_CLASS) is None:
        cluster.create("storageclasses.storage.k8s.io", _storage_class())


def _storage_class() -> Object:
    return {
        "kind": "StorageClass",
        "apiVersion": "storage.k8s.io/v1",
        "metadata": {"name": STORAGE_CLASS, "annotations": {_DEFAULT_CLASS: "true"}},
        "provisioner": PROVISIONER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
        "allowVolumeExpansion": True,
    }


def _node(name: str, address: str, at: str) -> Object:
    machine = uuid.uuid5(uuid.NAMESPACE_DNS, name)
    return {
        "kind": "Node",
        "apiVersion": "v1",
        "metadata": {
            "name": name,
            "labels": {
                "beta.kubernetes.io/arch": "amd64",
                "beta.kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
            },
            "annotations": {
                "node.alpha.kubernetes.io/ttl": "0",
                "volumes.kubernetes.io/controller-managed-attach-detach": "true",
            },
        },
        "spec": {"podCIDR": POD_NETWORKS[name], "podCIDRs": [POD_NETWORKS[name]]},
        "status": {
            "capacity": dict(_CAPACITY),
            "allocatable": dict(_CAPACITY),
            "conditions": [
                {
                    "type": kind,
                    "status": status,
                    "lastHeartbeatTime": at,
                    "lastTransitionTime": at,
                    "reason": reason,
                    "message": message,
                }
                for kind, status, reason, message in _CONDITIONS
            ],
            "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "nodeInfo": {
                "machineID": machine.hex,
                "systemUUID": str(machine),
                "bootID": str(uuid.uuid4()),
                "kernelVersion": "6.12.0-amd64",
                "osImage": "Debian GNU/Linux 12 (bookworm)",
                "containerRuntimeVersion": "containerd://1.6.20",
                "kubeletVersion": VERSION,
                "kubeProxyVersion": "",
                "operatingSystem": "linux",
                "architecture": "amd64",
            },
            "images": [{"names": list(names), "sizeBytes": size} for names, size in IMAGES],
        },
    }

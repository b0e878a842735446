"""What these tests send."""

from __future__ import annotations

from typing import Any

VM_NETWORK = {"network_name": "net", "network_id": "n-1", "subnet_name": "sub", "subnet_id": "s-1"}


def workload(name: str, **more: Any) -> dict[str, Any]:
    """A workload with a Service, or of another type and image."""
    kind, image = more.pop("type", "Deployment"), more.pop("image", "nginx")
    base: dict[str, Any] = {"name": name, "type": kind}
    if kind != "DaemonSet":
        base["replicas"] = more.pop("replicas", 1)
    access = [{"type": "ClusterIP", "access": [{"port": 80, "target_port": 80, "protocol": "TCP"}]}]
    return {
        "workload_base": base,
        "containers": [{"name": name, "image": {"image": image, "image_version": "1.27"}}],
        "access_mode": more.pop("access_mode", access),
        **more,
    }


def application(name: str, *workloads: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An application."""
    return {"name": name, **({"workloads": list(workloads)} if workloads else {}), **more}


def virtual_machine(name: str = "db") -> dict[str, Any]:
    """A group of machines with everything that the reference asks for."""
    return {
        "name": name,
        "replicas": 2,
        "availability_zone": "nova",
        "boot_manager": {"type": "image", "image": "centos"},
        "flavor_name": "4-8",
        "system_disk": {"size": 40},
        "security_groups": ["default"],
        "loadbalancer": {"internal_ip": "10.0.0.9", "access": [{"port": 3306, "protocol": "TCP"}]},
        "authentication": {"keypair": "mine"},
    }


def named(*names: str) -> dict[str, Any]:
    """The body of a batch."""
    return {"applications": [{"name": name} for name in names]}

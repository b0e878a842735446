"""What may change of a pod that runs: images, for which containers start anew, and resources, given at once.

Source: https://kubernetes.io/docs/concepts/workloads/pods/#pod-update-and-replacement
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.nodes.container import Container


def follow(pod: Object, containers: list[Container]) -> tuple[list[Container], str]:
    """Takes over what has changed in a pod's specification.

    Returns:
        The containers that have another image now, and, when resources have changed, what all have now,
        as the kubelet tells it in events.
    """
    known = {container.name: container for container in containers}
    replaced: list[Container] = []
    resized = False
    for key in ("initContainers", "containers"):
        for spec in pod["spec"].get(key) or ():
            container = known.get(spec["name"])
            if container is None or container.spec == spec:
                continue
            if container.spec["image"] != spec["image"]:
                replaced.append(container)
            resized = resized or (
                container.running and container.spec.get("resources") != spec.get("resources")
            )
            container.spec = spec
    if not resized:
        return replaced, ""
    given = [
        {"name": spec["name"], "resources": spec.get("resources") or {}} for spec in pod["spec"]["containers"]
    ]
    told = {"containers": given, "generation": pod["metadata"].get("generation", 1)}
    return replaced, msgspec.json.encode(told, order="sorted").decode()

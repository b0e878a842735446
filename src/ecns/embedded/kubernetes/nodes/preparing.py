"""What a container finds when it starts: its environment, its machine and its command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.nodes import images, inventory, programs
from ecns.embedded.kubernetes.nodes.environment import Environment, Missing, expand
from ecns.embedded.kubernetes.nodes.machine import Machine
from ecns.embedded.kubernetes.quantities import parse

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.nodes.container import Container
    from ecns.embedded.kubernetes.nodes.kubelet import Kubelets


def environment(kubelet: Kubelets, pod: Object, address: str) -> Environment:
    """What a pod's containers may refer to, its address and its node's with it."""
    node = pod["spec"]["nodeName"]
    host = inventory.NODES[node]
    known = {"podIP": address, "hostIP": host, "podIPs": address, "hostIPs": host}
    shown = {**pod, "status": {**pod.get("status", {}), **known}}
    return Environment(kubelet.cluster, shown)


def check_user(pod: Object, spec: Object, image: images.Image) -> None:
    """Looks whether a container that must not run as root would.

    Raises:
        Missing: it would; images of the public library and plain systems are root's, others are not known.
    """
    context = {**(pod["spec"].get("securityContext") or {}), **(spec.get("securityContext") or {})}
    user = context.get("runAsUser")
    if not context.get("runAsNonRoot") or user:
        return
    metadata = pod["metadata"]
    where = (
        f'(pod: "{metadata["name"]}_{metadata["namespace"]}({metadata["uid"]})", container: {spec["name"]})'
    )
    if user == 0:
        raise Missing(f"container's runAsUser breaks non-root policy {where}")
    if not image.runs_on or image.full.startswith("docker.io/library/"):
        raise Missing(f"container has runAsNonRoot and image will run as root {where}")


def machine(kubelet: Kubelets, pod: Object, address: str, container: Container) -> tuple[Machine, list[str]]:
    """The machine that a container sees, and the command that it runs on it.

    Raises:
        Missing: what it refers to is not there.
    """
    seen = environment(kubelet, pod, address)
    spec = container.spec
    variables = seen.variables(spec)
    image = images.read(spec["image"])
    lenient = image.runs_on and image.repository != "library/nginx"
    limit = ((spec.get("resources") or {}).get("limits") or {}).get("memory")
    hostname = pod["spec"].get("hostname") or pod["metadata"]["name"]
    made = Machine(
        variables,
        pod["spec"]["nodeName"] if pod["spec"].get("hostNetwork") else hostname,
        mounts=lambda: seen.files(spec),
        volumes=kubelet.volumes.mounts(pod, spec),
        memory=parse(limit).value if limit else None,
        working=spec.get("workingDir") or "/",
        addresses=(address,),
        lenient=lenient,
        lacks=image.lacks,
        namespace=pod["metadata"]["namespace"],
    )
    command = [expand(word, variables) for word in spec.get("command") or ()]
    arguments = [expand(word, variables) for word in spec.get("args") or ()]
    if container.behaviour:
        return made, ["nginx"]
    if command:
        return made, ["nginx"] if lenient and not programs.find(command[0], image.lacks) else [
            *command,
            *arguments,
        ]
    if image.runs_on:
        return made, ["nginx"]
    return made, arguments or ["sh"]

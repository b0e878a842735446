"""Whether a node has an image: pulled, refused, backed off from.

Source: https://kubernetes.io/docs/concepts/containers/images/#image-pull-policy
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.nodes import images

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from ecns.embedded.kubernetes.nodes.container import Container

    Say = Callable[[str, str, str], None]

_MOMENT = timedelta(seconds=1)
_RESYNC = 15.0
_PULL = 0.05


def has(container: Container, image: images.Image, store: images.Store, now: datetime, say: Say) -> bool:
    """Whether a container's image is there, pulled now when its policy says so; else why it waits."""
    policy = container.spec.get("imagePullPolicy", "IfNotPresent")
    if image.fault:
        say("Warning", "InspectFailed", image.fault)
        say("Warning", "Failed", "Error: InvalidImageName")
        container.waits("InvalidImageName", image.fault)
        container.due = now + timedelta(seconds=_RESYNC)
        return False
    told = container.behaviour == "pull-fail"
    if policy != "Always" and store.has(image) and not told:
        message = f'Container image "{image.name}" already present on machine and can be accessed by the pod'
        say("Normal", "Pulled", message)
        return True
    if policy == "Never":
        message = f'Container image "{image.name}" is not present with pull policy of Never'
        say("Warning", "ErrImageNeverPull", message)
        say("Warning", "Failed", "Error: ErrImageNeverPull")
        container.waits("ErrImageNeverPull", message)
        container.due = now + timedelta(seconds=_RESYNC)
        return False
    return _pull(container, image, store, now, say)


def _pull(container: Container, image: images.Image, store: images.Store, now: datetime, say: Say) -> bool:
    waiting = container.state.get("waiting", {})
    if waiting.get("reason") == "ErrImagePull":
        message = f'Back-off pulling image "{image.name}"'
        say("Normal", "BackOff", message)
        say("Warning", "Failed", "Error: ImagePullBackOff")
        container.waits("ImagePullBackOff", f"{message}: ErrImagePull: {waiting['message']}")
        container.backoff = images.next_backoff(container.backoff)
        container.due = now + timedelta(seconds=container.backoff)
        return False
    say("Normal", "Pulling", f'Pulling image "{image.name}"')
    why = images.failure(image)
    if container.behaviour == "pull-fail" and not why:
        why = f'failed to pull and unpack image "{image.full}": not found'
    if why:
        say("Warning", "Failed", f'Failed to pull image "{image.name}": {why}')
        say("Warning", "Failed", "Error: ErrImagePull")
        container.waits("ErrImagePull", why)
        container.due = now + _MOMENT
        return False
    store.add(image)
    container.backoff = 0.0 if waiting.get("reason") == "ImagePullBackOff" else container.backoff
    took = f"{int(_PULL * 1000)}ms"
    message = (
        f'Successfully pulled image "{image.name}" in {took} ({took} including waiting). '
        f"Image size: {images.SIZE} bytes."
    )
    say("Normal", "Pulled", message)
    return True

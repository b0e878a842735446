"""Pods whose containers say and do what a test needs, and what is asked of them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tests.api.workloads.asking import unused
from tests.gateway import eventually

if TYPE_CHECKING:
    import httpx

    from tests.gateway import Gateway

NAMESPACE = "chapters"
STAY = "trap 'exit 0' TERM; sleep 1000 & wait"
IMAGE = "busybox:1.35"


def container(name: str, script: str, **more: Any) -> dict[str, Any]:
    """A container that runs a script."""
    return {"name": name, "image": IMAGE, "command": ["sh", "-c", script], **more}


@contextlib.contextmanager
def pod(
    gateway: Gateway,
    *containers: dict[str, Any],
    wait: str = "Running",
    namespace: str = NAMESPACE,
    **spec: Any,
) -> Iterator[str]:
    """A pod for as long as a test needs it, once it is in a phase."""
    name = f"pod-{unused()}"
    made = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "annotations": spec.pop("annotations", {})},
        "spec": {"containers": list(containers), "terminationGracePeriodSeconds": 1, **spec},
    }
    gateway.kubectl("apply", "-f", "-", stdin=json.dumps(made))
    try:
        if wait:
            eventually(lambda: phase(gateway, name, namespace) == wait)
        yield name
    finally:
        gateway.kubectl("-n", namespace, "delete", "pod", name, "--now", "--wait=false", "--ignore-not-found")


def phase(gateway: Gateway, name: str, namespace: str = NAMESPACE) -> str:
    """A pod's phase."""
    return str(gateway.kubectl_json("-n", namespace, "get", "pod", name)["status"]["phase"])


def logs(name: str) -> str:
    """The path of a pod's logs."""
    return f"/pods/pod/{name}/logs/"


class Events:
    """The server-sent events of an answer."""

    def __init__(self, answer: httpx.Response) -> None:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        self._lines = answer.iter_lines()
        self.id = ""

    def next(self) -> tuple[str, dict[str, Any]]:
        """The next event's name and data."""
        name, data = "", {}
        for line in self._lines:
            field, _, value = line.partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                data = json.loads(value)
            elif field == "id":
                self.id = value
            elif not line and name:
                return name, data
        return "", {}

    def until(self, wanted: str) -> list[tuple[str, dict[str, Any]]]:
        """All events up to one of a name."""
        found = []
        while True:
            one = self.next()
            found.append(one)
            if one[0] in {wanted, ""}:
                return found

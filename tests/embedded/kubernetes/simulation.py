"""A cluster in memory whose time passes only when nothing else is left to do."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ecns.embedded.kubernetes import bootstrap, controllers
from ecns.embedded.kubernetes.cluster import Cluster

START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


class _Patient(selectors.DefaultSelector):
    """Instead of waiting, says how long it would have waited."""

    waited = 0.0

    def select(self, timeout: float | None = None) -> Any:
        found = super().select(0)
        if not found and timeout:
            self.waited += timeout
        return found


class SimulatedLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.patience = _Patient()
        super().__init__(self.patience)

    def time(self) -> float:
        return self.patience.waited

    def now(self) -> datetime:
        return START + timedelta(seconds=self.patience.waited)


class World:
    """Drives the loop by hand: `until` runs it until something holds, or simulated time is up."""

    def __init__(self, path: Path | None = None) -> None:
        self.loop = SimulatedLoop()
        self._path = path
        self.cluster = Cluster(path, now=self.loop.now)
        bootstrap.ensure(self.cluster, "(certificate)")
        self.running: list[Any] = []
        self.history: list[tuple[str, str, dict[str, Any]]] = []
        self.run(self._start())
        self.pass_time(1)

    async def _start(self) -> None:
        self.running = controllers.start(self.cluster)

    def run(self, coroutine: Any) -> Any:
        return self.loop.run_until_complete(coroutine)

    def pass_time(self, seconds: float) -> None:
        self.run(asyncio.sleep(seconds))

    def until(self, holds: Callable[[], Any], seconds: float = 60.0) -> Any:
        async def wait() -> Any:
            end = self.loop.time() + seconds
            while True:
                found = holds()
                if found:
                    return found
                assert self.loop.time() < end, f"not within {seconds} simulated seconds"
                await asyncio.sleep(0.005)

        return self.run(wait())

    def namespace(self, name: str) -> str:
        self.cluster.create(
            "namespaces", {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": name}}
        )
        self.until(lambda: self.cluster.find("serviceaccounts", "default", name))
        return name

    def record(self, resource: str) -> list[tuple[str, dict[str, Any]]]:
        found: list[tuple[str, dict[str, Any]]] = []
        self.cluster.observe(resource, lambda event, new, old: found.append((event, new or old or {})))
        return found

    def events(self, namespace: str) -> list[tuple[str, str, str]]:
        return [
            (item["involvedObject"]["name"], item["reason"], item["message"])
            for item in self.cluster.list("events", namespace)
        ]

    def stop(self) -> None:
        """Ends the controllers, as when the program stops."""
        for controller in self.running:
            controller.stop()
        self.running.clear()

    def restart(self) -> None:
        """Begins again with what is on disk."""
        self.stop()
        self.cluster.close()
        self.cluster = Cluster(self._path, now=self.loop.now)
        self.run(self._start())

    def close(self) -> None:
        for controller in self.running:
            controller.stop()
        self.pass_time(0)
        self.cluster.close()
        self.loop.close()


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


def deployment(
    name: str = "web", replicas: int = 2, image: str = "nginx:1.27", **spec: Any
) -> dict[str, Any]:
    return {
        "kind": "Deployment",
        "apiVersion": "apps/v1",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "c", "image": image}]},
            },
            **spec,
        },
    }


def pod(name: str, *command: str, image: str = "busybox:1.35", **spec: Any) -> dict[str, Any]:
    container: dict[str, Any] = {"name": "c", "image": image}
    if command:
        container["command"] = list(command)
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": name},
        "spec": {"containers": [container], **spec},
    }

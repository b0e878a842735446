from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.embedded.kubernetes.simulation import World, deployment, pod


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "objects.sqlite")
    yield made
    made.close()


def _pods(world: World) -> list[dict[str, Any]]:
    return world.cluster.list("pods", "shop")


def _settled(world: World) -> None:
    world.namespace("shop")
    world.cluster.create("deployments.apps", deployment(replicas=3), namespace="shop")
    status = lambda: world.cluster.get("deployments.apps", "web", "shop").get("status", {})  # noqa: E731
    world.until(lambda: status().get("availableReplicas") == 3)
    world.pass_time(1)


def test_a_settled_cluster_is_left_alone_at_start(kept: World) -> None:
    _settled(kept)
    revision = kept.cluster.store.revision
    kept.restart()
    kept.pass_time(30)
    assert kept.cluster.list("events", "shop")
    writes = [item for item in _pods(kept) if int(item["metadata"]["resourceVersion"]) > revision]
    assert not writes


def test_what_happened_while_nobody_looked_is_made_good(kept: World) -> None:
    _settled(kept)
    kept.stop()
    lost = _pods(kept)[0]["metadata"]["name"]
    kept.cluster.delete("pods", lost, "shop", grace_seconds=0)
    kept.cluster.patch("deployments.apps", "web", "shop", {"spec": {"replicas": 4}})
    kept.restart()
    kept.until(lambda: sum(item["status"]["phase"] == "Running" for item in _pods(kept)) == 4)


def test_a_running_process_goes_on_where_it_was(kept: World) -> None:
    kept.namespace("shop")
    script = "echo begun; sleep 20; echo over; exit 4"
    kept.cluster.create("pods", pod("p", "sh", "-c", script, restartPolicy="Never"), namespace="shop")
    kept.until(lambda: kept.cluster.get("pods", "p", "shop")["status"]["phase"] == "Running")
    kept.pass_time(5)
    before = kept.loop.time()
    kept.restart()
    kept.until(lambda: kept.cluster.get("pods", "p", "shop")["status"]["phase"] == "Failed")
    assert kept.loop.time() - before < 17
    (status,) = kept.cluster.get("pods", "p", "shop")["status"]["containerStatuses"]
    assert status["state"]["terminated"]["exitCode"] == 4


def test_deleting_goes_on(kept: World) -> None:
    _settled(kept)
    kept.stop()
    kept.cluster.delete("namespaces", "shop")
    kept.restart()
    kept.until(lambda: kept.cluster.find("namespaces", "shop") is None)

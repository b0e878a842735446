"""Lists and rollouts as they change, read as server-sent events (issue "Live")."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from ecns.api.common import streams
from ecns.config import Limits
from tests.api import inside
from tests.api import project as projects
from tests.api.events import SECONDS, listening, named
from tests.api.workloads.asking import change, container, create, delete, one, unused, workload
from tests.conftest import start
from tests.gateway import Gateway, eventually

if TYPE_CHECKING:
    from tests.api.project import Project

NAMESPACE = "live"
WATCH = "/workloads/?watch=true"
PODS = "/pods/?watch=true"


@pytest.fixture(scope="module")
def project(gateway: Gateway) -> Project:
    return projects.settled(gateway, NAMESPACE)


@pytest.fixture
def client(project: Project) -> httpx.Client:
    return project.member


def kubectl(project: Project, *arguments: str) -> str:
    return project.gateway.kubectl("-n", NAMESPACE, *arguments)


# Lists


def test_a_watch_begins_with_the_rows_of_the_list(client: httpx.Client) -> None:
    name = unused()
    create(client, workload(name, replicas=0), workload(f"{name}-s", "StatefulSet", 0))

    def told_as_listed() -> bool:
        with listening(client, f"{WATCH}&name={name}&workload_type=Deployment") as events:
            told, row = events.next()
            assert told == "added"
            assert events.synced() == []
            assert events.last_id
        return bool(
            [row]
            == client.get("/workloads/", params={"name": name, "sort_by": "name"}).json()["workloads"][:1]
        )

    eventually(told_as_listed)


def test_what_happens_to_a_workload_is_told(client: httpx.Client, project: Project) -> None:
    name = unused()
    with listening(client, f"{WATCH}&name={name}") as events:
        assert events.synced() == []
        create(client, workload(name))
        assert events.about(name, "added")["workload_base"]["type"] == "Deployment"
        change(client, name, "scale", {"replicas": 3})
        events.until(lambda told, row: told == "changed" and row["workload_status"]["ready_replicas"] == 3)
        kubectl(project, "expose", "deployment", name, "--port", "80")
        events.until(lambda told, row: told == "changed" and row["access_mode"])
        kubectl(project, "delete", "service", name)
        events.until(lambda told, row: told == "changed" and not row["access_mode"])
        kubectl(project, "autoscale", "deployment", name, "--min", "2", "--max", "5", "--cpu-percent", "50")
        events.until(lambda told, row: told == "changed" and row["scale_strategy"])
        delete(client, (name, "Deployment"))
        assert events.about(name, "removed")


def test_what_happens_to_pods_is_told(client: httpx.Client) -> None:
    name = unused()
    with (
        listening(client, f"{PODS}&name={name}") as events,
        listening(client, f"{PODS}&status=Running") as up,
    ):
        assert events.synced() == []
        up.synced()
        create(client, workload(name, "StatefulSet"))
        events.until(lambda _, row: row["name"] == f"{name}-0" and row["ready"])
        assert up.about(f"{name}-0", "added")["status"] == "Running"
        delete(client, (name, "StatefulSet"))
        assert events.about(f"{name}-0", "removed")
        assert up.about(f"{name}-0", "removed")


def test_filters_hold_for_what_comes(client: httpx.Client) -> None:
    name = unused()
    queries = {
        "type": f"{WATCH}&name={name}&workload_type=StatefulSet",
        "labels": f"{WATCH}&name={name}&label_selector=tier%3Dfront",
        "status": f"{WATCH}&name={name}&status=Stopped",
        "application": f"{WATCH}&name={name}&application=shop",
    }
    with contextlib.ExitStack() as stack:
        events = {key: stack.enter_context(listening(client, path)) for key, path in queries.items()}
        for each in events.values():
            assert each.synced() == []
        create(client, workload(name), workload(f"{name}-s", "StatefulSet"))
        assert events["type"].next()[1]["workload_base"]["name"] == f"{name}-s"
        change(client, name, "labels", {"labels": {"tier": "front"}})
        assert events["labels"].about(name, "added")
        change(client, name, "labels", {"labels": {"tier": "back"}})
        assert events["labels"].about(name, "removed")
        assert client.put(one(name), params={"action": "stop"}).status_code == 200
        assert events["status"].about(name, "added")
        assert client.put(one(name), params={"action": "start"}).status_code == 200
        assert events["status"].about(name, "removed")


def test_who_comes_back_is_told_what_was_missed(client: httpx.Client) -> None:
    mark = unused()
    stays, goes, comes = (f"{mark}-{what}" for what in ("stays", "goes", "comes"))
    create(client, workload(stays, replicas=0), workload(goes, replicas=0))
    path = f"{WATCH}&name={mark}-"
    with listening(client, path) as events:
        assert sorted(events.synced()) == sorted([f"added {stays}", f"added {goes}"])
    with listening(client, path) as witness:
        witness.synced()
        create(client, workload(comes, replicas=0))
        witness.about(comes, "added")
        change(client, stays, "labels", {"labels": {"tier": "front"}})
        witness.until(lambda _, row: named(row) == stays and (row["labels"] or {}).get("tier") == "front")
        delete(client, (goes, "Deployment"))
        witness.about(goes, "removed")
    with listening(client, path, events.last_id) as again:
        assert sorted(again.synced()) == sorted([f"added {comes}", f"changed {stays}", f"removed {goes}"])
    with listening(client, path, again.last_id) as again:
        assert again.synced() == []


def test_an_id_that_is_not_known_begins_anew(client: httpx.Client) -> None:
    name = unused()
    create(client, workload(name, replicas=0))
    with listening(client, f"{WATCH}&name={name}", "long-ago") as events:
        assert events.synced() == ["reset", f"added {name}"]


def test_watches_are_for_those_who_may_list(project: Project, gateway: Gateway) -> None:
    for path in (WATCH, PODS):
        with listening(project.reader, path) as events:
            events.synced()
        assert gateway.client().get(path).status_code == 401
        assert project.member.get(path, headers={"X-Ecns-Namespace": "kube-system"}).status_code == 404


def test_a_user_has_so_many_streams_and_gets_them_back(project: Project) -> None:
    with contextlib.ExitStack() as stack:
        limits = httpx.Limits(max_connections=None)
        reader = project.reader
        pool = httpx.Client(base_url=reader.base_url, headers=reader.headers, limits=limits, timeout=SECONDS)
        stack.enter_context(pool)
        for _ in range(Limits().streams):
            answer = stack.enter_context(pool.stream("GET", PODS))
            assert answer.status_code == 200
        refused = pool.get(PODS)
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert project.member.get("/pods/").status_code == 200

    def room() -> bool:
        with project.reader.stream("GET", PODS, timeout=SECONDS) as again:
            return again.status_code == 200

    eventually(room)


def test_streams_end_at_once_when_ecns_stops(tmp_path: Path) -> None:
    process, started = start(tmp_path / "data")
    try:
        client = started.client("developer")
        with listening(client, WATCH) as events:
            assert events.synced() == []
            process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            name, data = events.next()
            assert (name, data["reason"]) == ("closed", "stopping")
            with pytest.raises(AssertionError, match="has ended"):
                events.next()
            assert time.monotonic() - began < 2
    finally:
        started.close()
        process.terminate()
        process.wait(timeout=20)


async def listened(client: httpx.AsyncClient, token: str) -> asyncio.Task[httpx.Response]:
    """A watch that has begun; the answer comes when it is over."""
    before = len(streams._open)
    task = asyncio.create_task(client.get(PODS, headers={"X-Auth-Token": token}))
    async with asyncio.timeout(SECONDS):
        while len(streams._open) == before:  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.01)
    return task


def closed(answer: httpx.Response) -> Any:
    name, data = answer.text.strip().split("\n\n")[-1].split("\n")
    assert name == "event: closed"
    return json.loads(data.removeprefix("data: "))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # what Litestar says of its next version
async def test_streams_end_when_their_caller_may_no_longer_listen(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "CHECK", 0.1)
    gateway = project.gateway
    kept = gateway.token(user := f"{NAMESPACE}-reader")
    del gateway._tokens[user]
    revoked = gateway.token(user)
    gateway._tokens[user] = kept
    async with asyncio.timeout(SECONDS), inside.client(gateway) as client:
        first, second = await listened(client, kept), await listened(client, revoked)
        headers = {"X-Auth-Token": revoked, "X-Subject-Token": revoked}
        async with httpx.AsyncClient() as keystone:
            answer = await keystone.delete(f"{gateway.facts['identity_url']}/auth/tokens", headers=headers)
        assert answer.status_code == 204
        end = closed(await second)
        assert (end["reason"], end["code"]) == ("refused", 401)
        assert not first.done()
        label = "ecns.easystack.com/project-id"
        gateway.kubectl("label", "namespace", NAMESPACE, f"{label}=another", "--overwrite")
        try:
            end = closed(await first)
        finally:
            gateway.kubectl("label", "namespace", NAMESPACE, f"{label}={project.id}", "--overwrite")
        assert (end["reason"], end["code"]) == ("refused", 404)


# Rollouts


def rollout(name: str) -> str:
    return one(name, "rollout/")


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
def test_a_rollout_is_followed_until_it_is_done(client: httpx.Client, kind: str) -> None:
    name = unused()
    create(client, workload(name, kind, 2))
    with listening(client, f"{rollout(name)}?workload_type={kind}") as events:
        assert events.next()[0] == "progress"
        events.until(lambda told, _: told == "done")
    answer = change(client, name, "containers", {"containers": [container(version="1.28")]})
    assert answer.status_code == 200
    with listening(client, rollout(name)) as events:
        told, first = events.next()
        assert told == "progress"
        assert first["message"] != "all pods are of the newest template and available"
        last = events.until(lambda told, _: told == "done")
        assert last["updated"] == last["ready"] == last["available"] == last["wanted"] > 0
        with pytest.raises(AssertionError, match="has ended"):
            events.next()


def test_a_rollout_whose_pods_keep_failing_has_failed(client: httpx.Client, project: Project) -> None:
    name = unused()
    create(client, workload(name, replicas=2))
    with listening(client, rollout(name)) as events:
        events.until(lambda told, _: told == "done")
    kubectl(project, "set", "image", f"deployment/{name}", "main=no-such/Thing:1")
    with listening(client, rollout(name)) as events:
        failed = events.until(lambda told, _: told == "failed")
    assert failed["ready"] == 2
    assert failed["updated"] == 1
    assert "no-such/Thing:1" in failed["reasons"][0]
    assert (
        client.patch(one(name), params={"action": "rollback"}, json={"target_version": 1}).status_code == 200
    )
    with listening(client, rollout(name)) as events:
        events.until(lambda told, _: told == "done")


def test_a_rollout_that_misses_its_deadline_has_failed(client: httpx.Client, project: Project) -> None:
    name = unused()
    create(client, workload(name, replicas=1))
    big = {"resources": {"requests": {"memory": "900Ti"}}}
    patch = {
        "spec": {
            "progressDeadlineSeconds": 1,
            "template": {"spec": {"containers": [{"name": "main", **big}]}},
        }
    }
    kubectl(project, "patch", "deployment", name, "-p", json.dumps(patch))
    with listening(client, rollout(name)) as events:
        failed = events.until(lambda told, _: told == "failed")
    assert any("No node can take the pod" in reason for reason in failed["reasons"])


def test_a_rollout_of_what_is_deleted_has_failed(client: httpx.Client, project: Project) -> None:
    name = unused()
    create(client, workload(name, containers=[container(image={"image": "no-such/thing"})]))
    with listening(client, rollout(name)) as events:
        assert events.next()[0] == "progress"
        delete(client, (name, "Deployment"))
        assert events.until(lambda told, _: told == "failed")["message"] == "the workload was deleted"
    assert project.reader.get(rollout(name)).status_code == 404

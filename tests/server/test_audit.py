"""The audit log: what is in a line, that nothing waits for it, and a gateway that keeps one."""

from __future__ import annotations

import json
import os
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from ecns.server import audit as module
from ecns.server import metrics
from ecns.server.audit import Audit, Event, line, result
from tests.conftest import start, stop
from tests.gateway import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.gateway import Gateway


def event(**more: Any) -> Event:
    known: dict[str, Any] = {
        "request_id": "req-1",
        "operation": "workload.delete",
        "product_type": "eks",
        "method": "DELETE",
        "path": "/api/ecns/eks/workloads/",
        "caller": None,
        "address": "192.0.2.1",
        "cluster": "eks",
        "namespace": "demo",
        "name": "",
        "body": b"",
        "status": 200,
        "finished": 1.5,
        "seconds": 0.25,
    }
    return Event(**{**known, **more})


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({"workloads_base": [{"name": "a", "type": "Deployment"}, {"name": "b"}]}, ["a", "b"]),
        ({"workloads": [{"workload_base": {"name": "a"}, "containers": [{"name": "inner"}]}]}, ["a"]),
        ({"namespace": {"namespace_base": {"name": "n", "cluster_name": "x"}}}, ["n"]),
        ({"name": "p@ssw0rd with spaces"}, []),
        ({"name": {"name": 3}}, []),
        ([[[[[[["deep"]]]]]]], []),
        ("text", []),
    ],
)
def test_names_are_read_and_nothing_else(body: Any, names: list[str]) -> None:
    assert line(event(body=json.dumps(body).encode())).names == names


@pytest.mark.parametrize(
    "body",
    [
        {"secret": {"name": "s", "opaque": {"name": "hunter2", "cluster_name": "hunter2"}}},
        {"secret": {"opaque": {"name": "hunter2"}}},
        {"secret": {"stringData": {"name": "hunter2", "cluster_name": "hunter2"}}},
        {"opaque": {"name": "hunter2", "cluster_name": "hunter2"}},
        {"secret": {"dockerconfigjson": {"name": "hunter2"}, "registries": [{"name": "hunter2"}]}},
        {"secret": [[{"x": {"name": "hunter2"}}]]},
    ],
)
def test_what_is_in_a_secret_is_no_name(body: Any) -> None:
    made = line(event(operation="secret.create", cluster="", body=json.dumps(body).encode()))
    assert "hunter2" not in json.dumps([made.names, made.cluster])


def test_what_is_in_an_applications_configuration_is_no_name() -> None:
    config = {"name": "inner", "cluster_name": "inner"}
    body = {"name": "a", "configmaps": [{"name": "c", "config": config}, {"config": config}]}
    made = line(event(operation="app.create", cluster="", body=json.dumps(body).encode()))
    assert (made.names, made.cluster) == (["a"], "")


def test_a_deletion_by_names_alone_says_which() -> None:
    body = json.dumps({"ingress": ["web", "shop", 1, None, "no name", "web"]}).encode()
    assert line(event(operation="ingress.delete", body=body)).names == ["web", "shop"]
    assert line(event(operation="ingress.create", body=body)).names == []
    assert line(event(operation="ingress.delete", body=b'["web"]')).names == []


def test_a_line_without_a_body_has_the_name_of_the_path() -> None:
    assert line(event(name="web", body=b"not json")).names == ["web"]
    created = line(event(cluster="", body=b'{"namespace": {"namespace_base": {"cluster_name": "x"}}}'))
    assert created.cluster == "x"


def test_a_status_in_a_word() -> None:
    words = {200: "done", 207: "partly", 401: "refused", 403: "refused", 409: "rejected", 502: "failed"}
    assert {status: result(status) for status in words} == words
    assert result(0) == "abandoned"
    assert result(101) == "done"


def test_changes_are_wanted_and_reads_only_if_asked_for(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "log")
    assert audit.wants("workload.create", "POST")
    assert audit.wants("pod.terminal", "GET")
    assert not audit.wants("workload.list", "GET")
    assert audit.wants("secret.show", "GET")
    assert not audit.wants("secret.list", "GET")
    assert not audit.wants("", "POST")
    assert Audit(None, reads=True).wants("workload.list", "GET")


def test_the_file_may_be_moved_away(tmp_path: Path) -> None:
    file = tmp_path / "audit.log"
    audit = Audit(file)
    audit.record(event(request_id="req-1"))
    eventually(lambda: file.exists() and file.read_text().endswith("\n"))
    assert file.stat().st_mode & 0o777 == 0o600
    file.rename(tmp_path / "audit.log.1")
    audit.record(event(request_id="req-2"))
    audit.close()
    assert json.loads(file.read_text())["request_id"] == "req-2"
    assert json.loads((tmp_path / "audit.log.1").read_text())["request_id"] == "req-1"


def dropped() -> float:
    return float(metrics.audit_dropped._value.get())


def test_a_log_that_does_not_move_costs_lines_and_no_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    monkeypatch.setattr(module, "QUEUE", 100)
    audit = Audit(fifo)
    before, begun = dropped(), time.monotonic()
    for _ in range(1000):
        audit.record(event(body=b'{"name": "a"}'))
    assert time.monotonic() - begun < 0.5
    assert 700 <= dropped() - before <= 900
    reader = threading.Thread(target=fifo.read_bytes)
    reader.start()
    audit.close()
    reader.join(5)
    assert not reader.is_alive()


def test_lines_that_cannot_be_written_are_counted(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "gone" / "log")
    before = dropped()
    audit.record(event())
    audit.close()
    assert dropped() == before + 1


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Path]]:
    folder = tmp_path_factory.mktemp("audit")
    log = folder / "audit.log"
    config = folder / "ecns.toml"
    config.write_text('[audit]\nfile = "audit.log"\n[limits]\nrequests_per_second = 1\nburst = 30\n')
    process, gateway = start(folder / "data", "--config", str(config))
    yield gateway, log
    gateway.close()
    assert stop(process) == 0


def lines(log: Path, request_id: str) -> list[Any]:
    text = log.read_text() if log.exists() else ""
    return [said for said in map(json.loads, text.splitlines()) if said["request_id"] == request_id]


def test_a_gateway_records_who_changed_what_and_who_tried(kept: tuple[Gateway, Path]) -> None:
    gateway, log = kept
    member, reader = gateway.client("developer"), gateway.client("visitor")
    body = {"workloads_base": [{"name": "gone", "type": "Deployment"}]}
    done = member.request("DELETE", "/workloads/", json=body)
    refused = reader.request("DELETE", "/workloads/", json=body)
    unknown = gateway.client().request("DELETE", "/workloads/", json=body)
    patched = reader.patch("/namespace/cluster/eks/ns/demo/quota/", json={"quota": {"pods": 1}})
    read = member.get("/workloads/")
    ids = [answer.headers["RequestId"] for answer in (done, refused, unknown, patched)]
    found = [eventually(lambda one=one: lines(log, one))[0] for one in ids]
    assert [one["operation"] for one in found] == ["workload.delete"] * 3 + ["namespace.set_quota"]
    assert [one["user_name"] for one in found] == ["developer", "visitor", "", "visitor"]
    assert [one["status"] for one in found] == [done.status_code, 403, 401, 403]
    assert [one["result"] for one in found][1:] == ["refused"] * 3
    assert found[0]["names"] == found[1]["names"] == ["gone"]
    assert (found[0]["cluster"], found[0]["namespace"]) == ("eks", "demo")
    assert (found[3]["cluster"], found[3]["names"]) == ("eks", ["demo"])
    assert {one["address"] for one in found} == {"127.0.0.1"}
    assert found[0]["project_id"] == gateway.users["developer"]["project_id"]
    assert not lines(log, read.headers["RequestId"])


def test_a_stream_that_began_well_is_recorded_as_what_it_came_to(kept: tuple[Gateway, Path]) -> None:
    gateway, log = kept
    admin = gateway.client("admin", "image")
    answer = admin.post(
        "/images/upload_image/",
        data={"harbor_project_name": "library"},
        files={"image": bytes(10240)},
        headers={"Accept": "text/event-stream"},
    )
    assert answer.status_code == 200
    assert "event: failed" in answer.text
    (found,) = eventually(lambda: lines(log, answer.headers["RequestId"]))
    assert (found["status"], found["result"], found["names"]) == (400, "rejected", ["library"])


def test_who_asks_too_often_is_told_when_to_come_again(kept: tuple[Gateway, Path]) -> None:
    gateway, _ = kept
    client = gateway.client("other")
    answers = [client.get("/namespace/") for _ in range(40)]
    assert [answer.status_code for answer in answers[:30]] == [200] * 30
    late = answers[-1]
    assert late.status_code == 429
    assert late.headers["Retry-After"] == "1"
    assert late.json()["error"]["title"] == "Too Many Requests"
    assert gateway.client("developer").get("/namespace/").status_code == 200

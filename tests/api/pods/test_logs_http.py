"""Logs as users read and follow them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.api.answers import refused
from tests.api.pods.asking import NAMESPACE, STAY, Events, container, logs, phase, pod
from tests.gateway import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api.project import Project
    from tests.gateway import Gateway

SAYS = "echo start; echo oops >&2; for i in 1 2 3; do echo line $i; done; " + STAY
WHOLE = "start\noops\nline 1\nline 2\nline 3\n"
EVENTS = {"Accept": "text/event-stream"}


@pytest.fixture(scope="module")
def talk(gateway: Gateway, project: Project) -> Iterator[str]:
    """A pod with an init container and one that has said all it says."""
    with pod(gateway, container("main", SAYS), initContainers=[container("first", "echo before")]) as name:
        eventually(lambda: project.reader.get(logs(name)).text == WHOLE)
        yield name


@pytest.fixture(scope="module")
def two(gateway: Gateway, project: Project) -> Iterator[str]:
    """A pod with two containers, which say a line each second in turn, and both kinds of others."""
    one = "sleep 0.2; for i in 1 2 3; do echo one $i; sleep 1; done; " + STAY
    other = "sleep 0.7; for i in 1 2 3; do echo two $i; sleep 1; done; " + STAY
    first = container("first", "echo before")
    with pod(gateway, container("one", one), container("two", other), initContainers=[first]) as name:
        eventually(lambda: "two 3" in project.reader.get(logs(name), params={"container": "two"}).text)
        yield name


def text(project: Project, name: str, **query: Any) -> str:
    answer = project.reader.get(logs(name), params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["RequestId"]
    return answer.text


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({}, WHOLE),
        ({"container": "main"}, WHOLE),
        ({"container": "first"}, "before\n"),
        ({"tail_lines": 2}, "line 2\nline 3\n"),
        ({"tail_lines": 0}, ""),
        ({"tail_lines": 2, "limit_bytes": 9}, "line 2\nli"),
        ({"limit_bytes": 10}, "start\noops"),
        ({"since_seconds": 3600}, WHOLE),
        ({"since_time": "2099-01-01T00:00:00Z"}, ""),
        ({"since_time": "2020-01-01T00:00:00+08:00"}, WHOLE),
        ({"all_containers": "true"}, "".join(f"[main] {one}\n" for one in WHOLE.splitlines())),
    ],
)
def test_a_log_in_part_or_whole(project: Project, talk: str, query: dict[str, Any], shown: str) -> None:
    found = text(project, talk, **query)
    if "all_containers" in query:
        assert found.startswith("[first] before\n")
        found = found.removeprefix("[first] before\n")
    assert found == shown


def test_timestamps_are_of_utc(project: Project, talk: str) -> None:
    line = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z line 3\n"
    assert re.fullmatch(line, text(project, talk, timestamps="true", tail_lines=1))
    both = text(project, talk, timestamps="true", tail_lines=1, all_containers="true")
    assert re.fullmatch(r"\[first\] \S+Z before\n\[main\] " + line, both)


def test_a_download_is_a_file(project: Project, talk: str) -> None:
    answer = project.reader.get(logs(talk), params={"download": "true"}, headers=EVENTS)
    assert answer.headers["content-disposition"] == f'attachment; filename="{talk}.log"'
    assert answer.text == WHOLE
    answer = project.reader.get(logs(talk), params={"download": "true", "container": "first"})
    assert answer.headers["content-disposition"] == f'attachment; filename="{talk}-first.log"'


def test_all_containers_are_told_in_the_order_of_time(project: Project, two: str) -> None:
    told = [f"[{each}] {each} {number}" for number in (1, 2, 3) for each in ("one", "two")]
    assert text(project, two, all_containers="true").splitlines() == ["[first] before", *told]
    short = text(project, two, all_containers="true", tail_lines=1, limit_bytes=30)
    assert short == "[first] before\n[one] one 3\n[tw"


@pytest.mark.parametrize(
    ("query", "status", "field", "words"),
    [
        ({"container": "none"}, 404, "", "it has first, main"),
        ({"container": "../x"}, 404, "", "is not in pod"),
        ({"previous": "true"}, 404, "", "previous terminated container"),
        ({"previous": "true", "all_containers": "true"}, 404, "", "previous terminated container"),
        ({"tail_lines": -1}, 400, "tail_lines", ""),
        ({"tail_lines": "all"}, 400, "tail_lines", ""),
        ({"since_seconds": 0}, 400, "since_seconds", ""),
        ({"limit_bytes": 0}, 400, "limit_bytes", ""),
        ({"limit_bytes": 2**63}, 400, "limit_bytes", ""),
        ({"since_time": "yesterday"}, 400, "since_time", ""),
        ({"since_time": "2020-01-01T00:00:00Z", "since_seconds": 1}, 400, "since_time", "exclude"),
        ({"container": "main", "all_containers": "true"}, 400, "container", "exclude"),
        ({"follow": "perhaps"}, 400, "follow", ""),
    ],
)
def test_wrong_questions(  # noqa: PLR0917  pytest passes them by name
    project: Project, talk: str, query: dict[str, Any], status: int, field: str, words: str
) -> None:
    assert words in refused(project.reader.get(logs(talk), params=query), status, field=field)


def test_which_container_is_meant(gateway: Gateway, project: Project, two: str) -> None:
    message = refused(project.reader.get(logs(two)), 400, field="container")
    assert "first, one, two" in message
    annotations = {"kubectl.kubernetes.io/default-container": "b"}
    with pod(gateway, container("a", STAY), container("b", SAYS), annotations=annotations) as name:
        eventually(lambda: text(project, name) == WHOLE)


def test_who_may_read_logs(gateway: Gateway, project: Project, talk: str) -> None:
    refused(gateway.client().get(logs(talk)), 401)
    refused(gateway.client("other").get(logs(talk)), 404)
    refused(gateway.client("other").get(logs(talk), headers={"X-Ecns-Namespace": "chapters"}), 404)
    for missing in ("nothing", "No", "%2e%2e"):
        refused(project.reader.get(logs(missing)), 400 if missing == "%2e%2e" else 404)


@pytest.mark.parametrize("follow", ["false", "true"])
def test_a_container_that_has_not_started_says_why(gateway: Gateway, project: Project, follow: str) -> None:
    lost = {**container("c", STAY), "image": "registry.invalid/no/such:1"}
    with pod(gateway, lost, wait="Pending") as name:

        def told() -> bool:
            message = refused(project.reader.get(logs(name), params={"follow": follow}), 409)
            return "waiting to start" in message and "image" in message

        eventually(told)
        refused(project.reader.get(logs(name), params={"all_containers": "true"}), 409)
    with pod(gateway, container("c", STAY), wait="Pending", nodeSelector={"no": "node"}) as name:
        assert "no node" in refused(project.reader.get(logs(name), params={"follow": follow}), 409)


def test_a_log_is_followed_until_its_container_has_ended_for_good(gateway: Gateway, project: Project) -> None:
    script = "for i in 1 2 3; do echo step $i; sleep 0.3; done; exit 7"
    with pod(gateway, container("c", script), restartPolicy="Never") as name:
        assert text(project, name, follow="true") == "step 1\nstep 2\nstep 3\n"
        eventually(lambda: phase(gateway, name) == "Failed")
        assert text(project, name, follow="true", tail_lines=1) == "step 3\n"
        with project.reader.stream("GET", logs(name), params={"follow": "true"}, headers=EVENTS) as answer:
            events = Events(answer).until("done")
        assert [data.get("line") for _, data in events[:-1]] == ["step 1", "step 2", "step 3"]
        assert events[-1] == ("done", {"message": "the container has ended with exit code 7 (Error)"})


def test_following_goes_on_when_a_container_is_restarted(gateway: Gateway, project: Project) -> None:
    with pod(gateway, container("c", "echo here; sleep 0.5; exit 3"), wait="") as name:
        eventually(lambda: project.reader.get(logs(name)).status_code == 200)
        with project.reader.stream("GET", logs(name), params={"follow": "true"}, headers=EVENTS) as answer:
            told = Events(answer)
            (*_, restarted) = told.until("restarted")
            assert restarted[1]["container"] == "c"
            assert restarted[1]["exit_code"] == 3
            (*_, line) = told.until("line")
            assert line[1]["line"] == "here"
        previous = text(project, name, previous="true", follow="true")
        assert previous == "here\n"


def test_events_go_on_where_somebody_left_off(project: Project, two: str) -> None:
    query = {"all_containers": "true"}
    with project.reader.stream("GET", logs(two), params=query, headers=EVENTS) as answer:
        told = Events(answer)
        whole = []
        while (one := told.next())[0] == "line":
            whole.append((told.id, one[1]["container"], one[1]["line"]))
    assert [line for _, _, line in whole] == ["before", "one 1", "two 1", "one 2", "two 2", "one 3", "two 3"]
    for at, (seen, _, _) in enumerate(whole):
        for follow in ("true", "false"):
            asked: dict[str, Any] = {
                "params": {**query, "follow": follow},
                "headers": {**EVENTS, "Last-Event-ID": seen},
            }
            with project.reader.stream("GET", logs(two), **asked) as answer:
                told = Events(answer)
                rest = [told.next()[1]["line"] for _ in whole[at + 1 :]]
            assert rest == [line for _, _, line in whole[at + 1 :]]
    refused(project.reader.get(logs(two), params=query, headers={**EVENTS, "Last-Event-ID": "junk"}), 400)


def test_all_containers_are_followed_as_they_start(gateway: Gateway, project: Project) -> None:
    first = container("first", "echo before; sleep 1")
    second = container("c", "echo after; sleep 0.2")
    with pod(gateway, second, wait="Pending", initContainers=[first], restartPolicy="Never") as name:
        query = {"follow": "true", "all_containers": "true"}
        assert text(project, name, **query) == "[first] before\n[c] after\n"
        with project.reader.stream("GET", logs(name), params=query, headers=EVENTS) as answer:
            *lines, done = Events(answer).until("done")
        assert [data["line"] for event, data in lines if event == "line"] == ["before", "after"]
        assert done[1] == {"message": "the container has ended with exit code 0 (Completed)"}


@pytest.mark.parametrize("others", [0, 1])
def test_a_container_that_is_added_is_followed_too(gateway: Gateway, project: Project, others: int) -> None:
    workers = [container(f"c{number}", f"echo here; {STAY}") for number in range(1 + others)]
    with pod(gateway, *workers) as name:
        query = {"follow": "true", "all_containers": "true"}
        with project.reader.stream("GET", logs(name), params=query, headers=EVENTS) as answer:
            told = Events(answer)
            for _ in workers:
                assert told.next()[1]["line"] == "here"
            debug = ("debug", name, "--image=busybox", "--container=late", "--profile=general", "--quiet")
            gateway.kubectl("-n", NAMESPACE, *debug, "--", "sh", "-c", f"echo late; {STAY}")
            lines = (data for event, data in iter(told.next, None) if event == "line")
            line = next(lines)
            assert (line["container"], line["line"]) == ("late", "late")


def test_bytes_are_kept_as_they_are(gateway: Gateway, project: Project) -> None:
    script = r"printf '\377\000\001 caf\303\251\n'; printf 'no end'; sleep 0.1"
    with pod(gateway, container("c", script), wait="Succeeded", restartPolicy="Never") as name:
        for query in ({}, {"follow": "true"}):
            raw = project.reader.get(logs(name), params=query).content
            assert raw == b"\xff\x00\x01 caf\xc3\xa9\nno end"
        with project.reader.stream("GET", logs(name), headers=EVENTS) as answer:
            events = Events(answer).until("done")
        assert [data.get("line") for _, data in events[:-1]] == ["�\x00\x01 café", "no end"]
        assert [data.get("base64") for _, data in events[:-1]] == ["/wABIGNhZsOp", None]


def test_a_line_of_ten_megabytes(gateway: Gateway, project: Project) -> None:
    script = "head -c 10000000 /dev/zero; echo; echo after"
    with pod(gateway, container("c", script), wait="Succeeded", restartPolicy="Never") as name:
        for query in ({}, {"follow": "true"}, {"all_containers": "true"}):
            raw = project.reader.get(logs(name), params=query).content
            assert raw.replace(b"[c] ", b"") == bytes(10_000_000) + b"\nafter\n"
        with project.reader.stream("GET", logs(name), headers=EVENTS) as answer:
            *lines, after, _ = Events(answer).until("done")
        assert after[1]["line"] == "after"
        assert [data.get("partial", False) for _, data in lines] == [True] * (len(lines) - 1) + [False]
        assert "".join(data["line"] for _, data in lines) == "\0" * 10_000_000
        assert max(len(data["line"]) for _, data in lines) <= 64 * 1024


def test_a_deleted_pod_ends_what_follows_it(gateway: Gateway, project: Project) -> None:
    with pod(gateway, container("c", "echo here; " + STAY)) as name:
        asked: dict[str, Any] = {"params": {"follow": "true"}, "headers": EVENTS}
        with project.reader.stream("GET", logs(name), **asked) as answer:
            told = Events(answer)
            assert told.next()[1]["line"] == "here"
            deleted = project.member.request("DELETE", "/pods/", json={"pod": {"name": name}})
            assert deleted.status_code == 200, deleted.text
            assert told.next() == ("done", {"message": "the pod was deleted"})


def test_head_tells_what_get_would_and_does_not_follow(project: Project, talk: str) -> None:
    answer = project.reader.head(logs(talk), params={"follow": "true"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.content == b""
    assert project.reader.get("/pods/").status_code == 200
    assert project.reader.head(logs("nothing")).status_code == 404


def test_a_log_can_be_read_in_the_systems_namespaces_by_administrators(gateway: Gateway) -> None:
    admin = gateway.client("admin", **{"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": "kube-system"})
    with pod(gateway, container("c", "echo system; " + STAY), namespace="kube-system") as name:
        eventually(lambda: admin.get(logs(name)).text == "system\n")


def test_many_follow_at_once_and_leave(project: Project, talk: str) -> None:
    limits = httpx.Limits(max_connections=None)
    with httpx.Client(
        base_url=project.reader.base_url, headers=project.reader.headers, limits=limits
    ) as pool:
        answers = []
        for _ in range(50):
            request = pool.build_request("GET", logs(talk), params={"follow": "true", "tail_lines": 1})
            answers.append(pool.send(request, stream=True))
        for answer in answers:
            assert next(answer.iter_text()) == "line 3\n"
            answer.close()
    assert text(project, talk) == WHOLE

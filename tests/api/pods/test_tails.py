"""Following logs of a kubelet that breaks off and containers that are restarted, without a server."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecns.api.pods import tails
from ecns.api.pods.lines import START
from ecns.api.pods.tails import Asked, Batch, Note, Tail, Target, interleaved, merged, targets, why_over
from ecns.backends.kubernetes.containers import LogQuery
from ecns.backends.kubernetes.kinds.pods import PodRow
from ecns.errors import BadRequestError, NotFoundError, UpstreamUnavailableError

Log = list[tuple[int, bytes]]
"""Nanoseconds and text."""


def stamp(at: int) -> bytes:
    return b"2026-11-23T10:46:%02d.%09dZ" % divmod(at, 10**9)


class Served:
    """An answer that is under way."""

    status = 200

    def __init__(self, pieces: list[bytes], *, breaks: bool, ended: asyncio.Event | None) -> None:
        self._pieces = pieces
        self._breaks = breaks
        self._ended = ended
        self.closed = False

    async def read(self) -> bytes:
        await asyncio.sleep(0)
        if self._pieces:
            return self._pieces.pop(0)
        if self._breaks:
            raise UpstreamUnavailableError("cluster east: the connection broke", upstream="cluster east")
        if self._ended is not None:
            await self._ended.wait()
        return b""

    def close(self) -> None:
        self.closed = True


class Kubelet:
    """The runs of one container, one after the other, and of how many an answer says only a part.

    It stands for the client, for the cache of pods and for what is around them.
    """

    namespace = "default"

    def __init__(self, *runs: Log, breaks: list[int] | None = None, policy: str = "Always") -> None:
        self.runs = runs
        self.breaks = iter(breaks or [])
        self.policy = policy
        self.run = 0
        self.queries: list[LogQuery] = []
        self.answers: list[Served] = []
        self.waiting = ""
        self.gone = False
        self.down = 0
        self.client = self.place = self.cluster = self

    # As the client

    async def open(self, _method: str, path: str, *, query: Any, **_: Any) -> Served:
        assert path == "/api/v1/namespaces/default/pods/web/log"
        asked = dict(query)
        self.queries.append(asked)
        if self.down:
            self.down -= 1
            raise UpstreamUnavailableError("cluster east cannot be reached", upstream="cluster east")
        if self.gone:
            raise NotFoundError('pods "web" not found')
        previous = "previous" in asked
        if previous and not self.run:
            raise BadRequestError('previous terminated container "c" in pod "web" not found')
        if self.waiting and not self.run:
            raise BadRequestError('container "c" in pod "web" is waiting to start: ' + self.waiting)
        log = self.runs[self.run - previous]
        since = asked.get("sinceTime", "")[:19].encode()
        lines = [line for line in log if stamp(line[0])[:19] >= since]
        tail = asked.get("tailLines")
        if tail is not None:
            lines = lines[len(lines) - min(int(tail), len(lines)) :]
        data = b"".join(b"%s %s\n" % (stamp(at), text) for at, text in lines)
        limit = next(self.breaks, None)
        if limit is not None and limit < len(data):
            served = Served([data[:limit]], breaks=True, ended=None)
        else:
            served = Served(
                [data[:7], data[7:]] if data[7:] else [data] if data else [], breaks=False, ended=None
            )
            if not previous and asked.get("follow"):
                self.next()
        self.answers.append(served)
        return served

    def next(self) -> None:
        """The container ends, and is started again if there is another run."""
        if self.run + 1 < len(self.runs):
            self.run += 1
        else:
            self.policy = "Never"

    # As the cache

    def cache(self, *_: Any) -> Kubelet:
        return self

    async def ready(self) -> None:
        pass

    async def refresh(self, *_: str) -> PodRow | None:
        return None if self.gone else self.get()

    def get(self, *_: str) -> PodRow:
        return msgspec.convert(self.pod, PodRow)

    @property
    def pod(self) -> dict[str, Any]:
        over = self.policy == "Never"
        state = {"terminated": {"exitCode": 3, "reason": "Error"}} if over else {"running": {}}
        if self.waiting:
            state = {"waiting": {"reason": self.waiting}}
        status = {
            "name": "c",
            "restartCount": self.run,
            "state": state,
            "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}} if self.run else {},
        }
        return {
            "metadata": {"name": "web", "namespace": "default", "uid": "u1"},
            "spec": {"restartPolicy": self.policy, "containers": [{"name": "c"}]},
            "status": {"phase": "Failed" if over else "Running", "containerStatuses": [status]},
        }

    def tail(self, **asked: Any) -> Tail:
        target = Target("c", "worker", cast("Any", self.policy))
        return Tail(cast("Any", self), self.pod, target, Asked(**asked))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tails, "PAUSES", (0.0, 0.0))
    monkeypatch.setattr(tails, "LOOK", 0.0)


async def told(tail: Tail) -> tuple[list[bytes], list[Note]]:
    texts: list[bytes] = []
    notes: list[Note] = []
    async with asyncio.timeout(10):
        while (item := await tail.read()) is not None:
            if isinstance(item, Note):
                notes.append(item)
                continue
            for line in item.lines:
                if line.starts:
                    texts.append(line.data)
                else:
                    texts[-1] += line.data
    return texts, notes


times = st.lists(st.integers(0, 3 * 10**9), min_size=1, max_size=6)


@st.composite
def runs(draw: st.DrawFn) -> list[Log]:
    """Up to three runs, whose times go on from one to the next; several lines may have one time."""
    numbers = itertools.count()
    found: list[Log] = []
    start = 0
    for several in draw(st.lists(times, min_size=1, max_size=3)):
        found.append([(start + at, b"line %d" % next(numbers)) for at in sorted(several)])
        start = found[-1][-1][0] + 1
    return found


@given(runs(), st.lists(st.integers(0, 400), max_size=6))
def test_every_line_of_every_run_is_told_once(logs: list[Log], breaks: list[int]) -> None:
    kubelet = Kubelet(*logs, breaks=breaks)

    async def follow() -> tuple[list[bytes], list[Note]]:
        tail = kubelet.tail(follow=True)
        await tail.open()
        return await told(tail)

    texts, notes = asyncio.run(follow())
    assert texts == [text for log in logs for _, text in log]
    assert [note.facts["restarts"] for note in notes] == list(range(1, len(logs)))
    assert all(answer.closed for answer in kubelet.answers)


async def test_a_run_that_was_missed_is_read_when_it_is_known_still() -> None:
    kubelet = Kubelet([(1, b"a"), (2, b"b")], [(3, b"c")], [(4, b"d")], breaks=[10_000, 36])
    tail = kubelet.tail(follow=True)
    kubelet.breaks = iter([36])  # the first answer breaks off after one line
    await tail.open()
    kubelet.run = 1
    texts, notes = await told(tail)
    assert texts == [b"a", b"b", b"c", b"d"]
    assert [note.event for note in notes] == ["restarted", "restarted"]
    assert notes[0].facts == {"container": "c", "restarts": 1, "exit_code": 1, "reason": "Error"}
    assert tail.over == "the container has ended with exit code 3 (Error)"


async def test_the_last_lines_are_not_told_again_when_others_have_their_time() -> None:
    kubelet = Kubelet([(1, b"a"), (1, b"b"), (1, b"c")], [(2, b"d")])
    tail = kubelet.tail(follow=True, tail_lines=1)
    await tail.open()
    kubelet.run = 0
    texts, _ = await told(tail)
    assert texts == [b"c", b"d"]


async def test_what_cannot_be_reached_is_waited_for_and_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    kubelet = Kubelet([(1, b"a"), (2, b"b")], breaks=[36])
    tail = kubelet.tail(follow=True)
    await tail.open()
    kubelet.down = 5
    assert (await told(tail))[0] == [b"a", b"b"]
    assert kubelet.down == 0

    monkeypatch.setattr(tails, "PATIENCE", 0.01)
    kubelet = Kubelet([(1, b"a"), (2, b"b")], breaks=[36])
    tail = kubelet.tail(follow=True)
    await tail.open()
    kubelet.down = 10**9
    assert isinstance(await tail.read(), Batch)
    monkeypatch.setattr(tails, "PAUSES", (0.001, 0.001))
    with pytest.raises(UpstreamUnavailableError, match="cannot be reached"):
        await tail.read()


async def test_what_is_not_followed_breaks_off() -> None:
    kubelet = Kubelet([(1, b"a"), (2, b"b")], breaks=[36])
    tail = kubelet.tail()
    await tail.open()
    assert isinstance(await tail.read(), Batch)
    with pytest.raises(UpstreamUnavailableError, match="connection broke"):
        await tail.read()


async def test_a_pod_that_is_deleted_ends_it() -> None:
    kubelet = Kubelet([(1, b"a"), (2, b"b")], breaks=[36])
    tail = kubelet.tail(follow=True)
    await tail.open()
    kubelet.gone = True
    assert (await told(tail))[0] == [b"a"]
    assert tail.over == tails.GONE


async def test_a_container_that_waits_is_waited_for() -> None:
    kubelet = Kubelet([(1, b"a")])
    kubelet.waiting = "PodInitializing"
    tail = kubelet.tail(follow=True)
    note = await tail.read()
    assert note == Note("waiting", {"container": "c", "reason": "PodInitializing"})
    kubelet.waiting = ""
    texts, notes = await told(tail)
    assert (texts, notes) == ([b"a"], [])


async def several(*logs: Log) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    opened = []
    for number, log in enumerate(logs):
        tail = Kubelet(log).tail()
        tail.target = Target(f"c{number}", "worker", "Always")
        await tail.open()
        opened.append(tail)
    async for name, lines, before in merged(opened):
        at = before
        for line in lines:
            at = at.after(line)
            found.append((name, line.data))
    for tail in opened:
        assert tail.position is not START or not tail.position.stamp
    return found


@given(st.lists(times.map(sorted), min_size=1, max_size=4))
def test_several_logs_come_in_the_order_of_time(logs: list[list[int]]) -> None:
    sent = [[(at, b"%d" % at) for at in log] for log in logs]
    found = asyncio.run(several(*sent))
    assert [int(text) for _, text in found] == sorted(at for log in logs for at in log)
    for number, log in enumerate(logs):
        assert [int(text) for name, text in found if name == f"c{number}"] == log


async def test_several_logs_are_interleaved_and_one_that_fails_ends_all() -> None:
    opened = []
    for number in range(3):
        tail = Kubelet([(number, b"%d" % number)]).tail(follow=True)
        tail.target = Target("c", "worker", "Always")
        opened.append(tail)
    found = [item async for item in interleaved(opened) if isinstance(item, Batch)]
    assert sorted(line.data for batch in found for line in batch.lines) == [b"0", b"1", b"2"]

    broken = Kubelet([(1, b"a"), (2, b"b")], breaks=[36]).tail()
    await broken.open()
    quiet = Kubelet([(1, b"a")]).tail()
    await quiet.open()
    with pytest.raises(UpstreamUnavailableError):
        [item async for item in interleaved([broken, quiet])]


def test_containers_are_known_by_kind_and_when_they_start_again() -> None:
    pod = {
        "spec": {
            "restartPolicy": "Always",
            "initContainers": [{"name": "i"}, {"name": "side", "restartPolicy": "Always"}],
            "containers": [{"name": "c"}],
            "ephemeralContainers": [{"name": "debug"}],
        }
    }
    assert targets(pod) == [
        Target("i", "init", "OnFailure"),
        Target("side", "init", "Always"),
        Target("c", "worker", "Always"),
        Target("debug", "ephemeral", "Never"),
    ]
    pod["spec"]["restartPolicy"] = "Never"
    assert [one.policy for one in targets(pod)] == ["Never", "Always", "Never", "Never"]


@pytest.mark.parametrize(
    ("policy", "code", "phase", "deleted", "over"),
    [
        ("Always", 0, "Running", False, ""),
        ("OnFailure", 1, "Running", False, ""),
        ("OnFailure", 0, "Running", False, "the container has ended with exit code 0 (Completed)"),
        ("Never", 1, "Running", False, "the container has ended with exit code 1 (Completed)"),
        ("Always", 1, "Failed", False, "the container has ended with exit code 1 (Completed)"),
        ("Always", 1, "Running", True, tails.GONE),
        ("Always", None, "Running", True, ""),
        ("Always", None, "Failed", False, "the pod has failed"),
    ],
)
def test_when_a_container_says_nothing_more(
    policy: Any,
    code: int | None,
    phase: str,
    deleted: bool,  # noqa: FBT001  a parameter of the test
    over: str,
) -> None:
    state = {"running": {}} if code is None else {"terminated": {"exitCode": code, "reason": "Completed"}}
    pod = {
        "metadata": {"name": "web", "deletionTimestamp": "2026-11-23T10:46:37Z" if deleted else None},
        "status": {"phase": phase, "containerStatuses": [{"name": "c", "state": state}]},
    }
    assert why_over(msgspec.convert(pod, PodRow), Target("c", "worker", policy)) == over

"""Containers' logs as they are read and followed: taken up again where they were left, merged, interleaved.

A log that is followed goes on when the container is restarted, and when the connection to the cluster breaks:
by the time of its last line it is found where to go on, so that no line is lost or told twice. Nothing is
read from the cluster before somebody wants it, so a slow reader makes the kubelet wait and costs no memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

import msgspec

from ecns.api.common.objects import Objects
from ecns.api.pods.lines import START, Line, Parser, Position, after
from ecns.backends.kubernetes.client import Stream
from ecns.backends.kubernetes.containers import LogQuery, NotStartedError, open_log
from ecns.backends.kubernetes.kinds.meta import JsonObject
from ecns.backends.kubernetes.kinds.pods import POD_ROW, ContainerStatus, PodRow
from ecns.errors import NotFoundError, UpstreamError

LOOK = 1.0
"""Seconds between two looks at a container that does not run."""
PAUSES = (0.25, 4.0)
"""Seconds before a log that has ended is opened again: the first, doubled up to the last."""
PATIENCE = 60.0
"""Seconds for which a log is tried to be followed while the cluster cannot be reached."""
GONE = "the pod was deleted"
MANY = 10**8
"""More lines than a log has of one time."""

Policy = Literal["Always", "OnFailure", "Never"]


class Target(msgspec.Struct, frozen=True):
    """A container of a pod."""

    name: str
    kind: Literal["init", "worker", "ephemeral"]
    policy: Policy
    """When it is started again."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What part of a log is wanted."""

    follow: bool = False
    previous: bool = False
    tail_lines: int | None = None
    since_seconds: int | None = None
    since_time: str = ""


class Batch(NamedTuple):
    """Some lines of a container, and up to where its log was read before them."""

    container: str
    lines: list[Line]
    before: Position


class Note(NamedTuple):
    """What has become of a container."""

    event: Literal["restarted", "waiting"]
    facts: dict[str, Any]


def targets(pod: JsonObject) -> list[Target]:
    """A pod's containers, in the order in which they are started."""
    spec = pod["spec"]
    whole: Policy = spec.get("restartPolicy") or "Always"
    init: Policy = "Never" if whole == "Never" else "OnFailure"
    kinds: tuple[tuple[Literal["init", "worker", "ephemeral"], str, Policy], ...] = (
        ("init", "initContainers", init),
        ("worker", "containers", whole),
        ("ephemeral", "ephemeralContainers", "Never"),
    )
    return [
        Target(one["name"], kind, one.get("restartPolicy") or policy)
        for kind, key, policy in kinds
        for one in spec.get(key) or ()
    ]


def status_of(pod: PodRow, container: str) -> ContainerStatus:
    """A container's status; an empty one while there is none."""
    status = pod.status
    several: Iterable[list[ContainerStatus] | None] = (
        status.container_statuses,
        status.init_container_statuses,
        status.ephemeral_container_statuses,
    )
    return next((one for each in several for one in each or () if one.name == container), ContainerStatus())


def why_over(pod: PodRow, target: Target) -> str:
    """Why a container will say nothing more; empty when it may."""
    ended = status_of(pod, target.name).state.terminated
    finished = pod.status.phase in {"Succeeded", "Failed"}
    for_good = target.policy == "Never" or (target.policy == "OnFailure" and ended and not ended.exit_code)
    if ended and pod.metadata.deletion_timestamp:
        return GONE
    if not (finished or (ended and for_good)):
        return ""
    if ended is None:
        return f"the pod has {pod.status.phase.lower()}"
    return f"the container has ended with exit code {ended.exit_code}" + (
        f" ({ended.reason})" if ended.reason else ""
    )


class Tail:
    """One container's log.

    Args:
        objects: where.
        pod: the pod, whole.
        target: the container.
        asked: what part of its log.
        position: up to where it was read before; then only what comes after it.
    """

    def __init__(
        self, objects: Objects, pod: JsonObject, target: Target, asked: Asked, position: Position = START
    ) -> None:
        self.target = target
        self.position = position
        self.over = ""
        """Why nothing more comes."""
        self._objects = objects
        self._pod: str = pod["metadata"]["name"]
        self._uid: str = pod["metadata"]["uid"]
        self._asked = asked
        self._stream: Stream | None = None
        self._parser = Parser(position)
        self._filling = False
        """What is read is of the run before."""
        self._run = status_of(msgspec.convert(pod, PodRow), target.name).restart_count
        self._began = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._opened = False
        self._broken = False
        self._told = ""
        self._pause = 0.0
        self._failing_since: float | None = None

    async def open(self) -> None:
        """Open it for the first time, for errors to be told before anything is.

        Raises:
            NotFoundError: the container, or its previous run, is not there.
            NotStartedError: it has not started.
            UpstreamError: the cluster does not answer, or not sensibly.
        """
        await self._open(previous=self._asked.previous)

    def close(self) -> None:
        """Read no more."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    async def read(self) -> Batch | Note | None:
        """What comes next; None when nothing more does.

        Raises:
            UpstreamError: the cluster broke off, and one that is followed cannot be taken up again.
        """
        while not self.over:
            if self._stream is None:
                if (note := await self._again()) is not None:
                    return note
                continue
            lines = await self._lines(self._stream)
            if lines:
                before = self.position
                if not before.stamp and self._asked.tail_lines:
                    # Others of its time may have been left out: how many of them there are is not known.
                    before = Position(lines[0].stamp, MANY)
                self.position = after(before, lines)
                self._pause, self._failing_since = 0.0, None
                return Batch(self.target.name, lines, before)
        return None

    async def _lines(self, stream: Stream) -> list[Line]:
        try:
            piece = await stream.read()
        except UpstreamError as error:
            self.close()
            if not self._asked.follow:
                raise
            self._broken = True
            self._failed(error)
            return []
        if piece:
            return self._parser.feed(piece)
        self.close()
        if not self._asked.follow:
            self.over = "that is all"
        return self._parser.end()

    async def _again(self) -> Note | None:
        """One step towards following it further; something to tell, at times."""
        await asyncio.sleep(self._pause)
        self._pause = min(max(self._pause * 2, PAUSES[0]), PAUSES[1])
        try:
            pod = await look(self._objects, self._pod, self._uid)
            if pod is None:
                self.over = GONE
                return None
            status = status_of(pod, self.target.name)
            if self._filling or status.state.running is not None or status.restart_count > self._run:
                return await self._resume(status)
        except UpstreamError as error:
            self._failed(error)
            return None
        if self._opened and (why := why_over(pod, self.target)):
            self.over = why
            return None
        if not self._opened and (status.state.terminated or status.last_state.terminated):
            return await self._resume(status)
        self._pause = LOOK
        if status.state.waiting is None or status.state.waiting.reason == self._told:
            return None
        self._told = status.state.waiting.reason
        return Note("waiting", {"container": self.target.name, "reason": self._told})

    async def _resume(self, status: ContainerStatus) -> Note | None:
        runs, filled = status.restart_count - self._run, self._filling
        self._filling = False
        if self._opened and not filled and (runs > 1 or (runs and self._broken)):
            # What the run before said last has not been read.
            try:
                await self._open(previous=True)
            except (NotFoundError, NotStartedError):
                pass
            else:
                self._filling = True
                return None
        try:
            await self._open(previous=False)
        except NotStartedError:
            self._pause = LOOK
            return None
        except NotFoundError:
            self.over = GONE
            return None
        self._broken = False
        if runs <= 0:
            return None
        self._run, self._told = status.restart_count, ""
        facts: dict[str, Any] = {"container": self.target.name, "restarts": status.restart_count}
        if last := status.last_state.terminated:
            facts |= {"exit_code": last.exit_code, "reason": last.reason}
        return Note("restarted", facts)

    async def _open(self, *, previous: bool) -> None:
        asked, since = self._asked, self.position.since()
        query = LogQuery(
            container=self.target.name,
            follow=asked.follow and not previous,
            previous=previous,
            timestamps=True,
            since_time=since or asked.since_time,
            since_seconds=None if since else asked.since_seconds,
            tail_lines=None if since else asked.tail_lines,
        )
        if self._opened and not since and asked.tail_lines == 0:
            query = msgspec.structs.replace(
                query, tail_lines=None, since_seconds=None, since_time=self._began
            )
        self._stream = await open_log(self._objects.client, self._objects.namespace, self._pod, query)
        self._parser = Parser(self.position)
        self._opened = True

    def _failed(self, error: UpstreamError) -> None:
        """Take note that the cluster does not answer; for too long, that is the end."""
        now = time.monotonic()
        if self._failing_since is None:
            self._failing_since = now
        elif now - self._failing_since > PATIENCE:
            raise error


async def look(objects: Objects, name: str, uid: str) -> PodRow | None:
    """A pod as it is now; None when it is gone, or another one has its name."""
    cache, namespace = objects.place.cluster.cache(POD_ROW), objects.namespace
    await cache.ready()
    found = cache.get(name, namespace)
    if found is None or found.metadata.uid != uid:
        found = await cache.refresh(name, namespace)
    return found if found is not None and found.metadata.uid == uid else None


async def newcomers(objects: Objects, pod: JsonObject) -> AsyncGenerator[Target]:
    """The containers that are added to a pod while it runs, as `kubectl debug` does it; without end."""
    known = {target.name for target in targets(pod)}
    while True:
        await asyncio.sleep(LOOK)
        with contextlib.suppress(UpstreamError):
            found = await look(objects, pod["metadata"]["name"], pod["metadata"]["uid"])
            for one in (found.spec.ephemeral_containers or ()) if found else ():
                if one.name not in known:
                    known.add(one.name)
                    yield Target(one.name, "ephemeral", "Never")


async def merged(tails: Sequence[Tail]) -> AsyncGenerator[Batch]:
    """What several logs have said, in the order of time; none of them is followed."""
    ahead = {at: batch for at, tail in enumerate(tails) if (batch := await _more(tail))}
    at: int | None = None
    while ahead:
        if at is None:
            at = min(ahead, key=lambda each: (ahead[each].lines[0].stamp, each))
        name, lines, before = ahead.pop(at)
        limit = min((other.lines[0].stamp for other in ahead.values()), default=None)
        taken = len(lines)
        if limit is not None:
            later = (each for each in range(1, taken) if lines[each].starts and lines[each].stamp > limit)
            taken = next(later, taken)
        now = lines[:taken]
        yield Batch(name, now, before)
        rest = (
            Batch(name, lines[taken:], after(before, now)) if taken < len(lines) else await _more(tails[at])
        )
        if rest:
            ahead[at] = rest
        if not rest or now[-1].ends:
            at = None  # otherwise the line that has begun is told to its end


async def _more(tail: Tail) -> Batch | None:
    while (item := await tail.read()) is not None:
        if isinstance(item, Batch):
            return item
    return None


async def interleaved(
    tails: Sequence[Tail], more: AsyncGenerator[Tail] | None = None
) -> AsyncGenerator[Batch | Note]:
    """What several logs say, as it comes.

    Args:
        tails: those that there are.
        more: those that come to them until all have ended.
    """
    if len(tails) == 1 and more is None:
        while (one := await tails[0].read()) is not None:
            yield one
        return
    # One place: whoever has something waits until it is wanted.
    queue: asyncio.Queue[Batch | Note | Exception | None] = asyncio.Queue(1)
    left = len(tails)

    async def pump(tail: Tail) -> None:
        try:
            while (item := await tail.read()) is not None:
                await queue.put(item)
        except Exception as error:  # noqa: BLE001  it is raised where the lines are wanted
            await queue.put(error)
        await queue.put(None)

    async def welcome() -> None:
        nonlocal left
        assert more is not None, "only then it runs"  # noqa: S101  a fault of ours
        async with aclosing(more):
            async for tail in more:
                left += 1
                tasks.append(asyncio.create_task(pump(tail)))

    tasks = [asyncio.create_task(pump(tail)) for tail in tails]
    if more is not None:
        tasks.append(asyncio.create_task(welcome()))
    try:
        while left:
            item = await queue.get()
            if isinstance(item, Exception):
                raise item
            if item is None:
                left -= 1
            else:
                yield item
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

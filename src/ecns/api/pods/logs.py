"""Logs of a pod's containers over HTTP: as text, or as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

import msgspec
from litestar import Request, Response

from ecns.api.common.streams import EVENTS, Ended, Form, Stream, encode, event
from ecns.api.pods import lines
from ecns.api.pods.lines import Position, Text
from ecns.api.pods.service import Pods
from ecns.api.pods.tails import Asked, Batch, Note, Tail, Target, interleaved, merged, newcomers, targets
from ecns.backends.kubernetes.client import Stream as Upstream
from ecns.backends.kubernetes.containers import LogQuery, NotStartedError, open_log
from ecns.backends.kubernetes.kinds.meta import JsonObject
from ecns.backends.kubernetes.kinds.pods import POD
from ecns.errors import BadRequestError, EcnsError, NotFoundError

DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
"""The annotation that names the container that is meant when none is named."""
SAFE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
"""A log is whatever a program wrote: no browser may take it for a page."""


class LogRequest(Asked, frozen=True, kw_only=True):
    """What is asked of a pod's logs."""

    container: str = ""
    all_containers: bool = False
    timestamps: bool = False
    limit_bytes: int | None = None
    download: bool = False


async def answer_logs(
    request: Request[Any, Any, Any], pods: Pods, name: str, asked: LogRequest
) -> Response[Any]:
    """The logs that were asked for; errors come before the first byte, what happens later is the last one.

    Raises:
        BadRequestError: the parameters contradict each other, or do not say which container.
        NotFoundError: the pod, the container, or its previous run is not there.
        ConflictError: the container has not started.
        TooManyRequestsError: the caller listens to too many streams.
        UpstreamError: the cluster does not answer.
    """
    if asked.since_time and asked.since_seconds is not None:
        raise BadRequestError("since_time and since_seconds exclude each other", field="since_time")
    if asked.container and asked.all_containers:
        raise BadRequestError("container and all_containers exclude each other", field="container")
    if asked.previous and asked.follow:
        asked = msgspec.structs.replace(asked, follow=False)  # it has ended
    events = "text/event-stream" in request.headers.get("accept", "") and not asked.download
    positions = lines.read(request.headers.get("last-event-id", "")) if events else {}
    pod = await pods.objects.whole(POD, name)
    wanted = chosen(pod, asked)
    writer = Text(timestamps=asked.timestamps, prefix=asked.all_containers, limit=asked.limit_bytes)
    words = _LastWords()
    form = EVENTS if events else Form("text/plain", b"", words.closed, whole=False)
    stream = Stream.of(request, pods.objects.place, form)
    logs = _Logs(pods, pod, asked, request.scope["state"]["ecns"].at_end)
    if not (events or asked.follow or asked.all_containers or asked.timestamps):
        return stream.answer(words.heard(logs.raw(await logs.open_raw(wanted[0]))), _headers(pod, asked))
    items = await logs.items(wanted, positions)
    if events:
        return stream.answer(_events(items, logs, positions), SAFE)
    return stream.answer(words.heard(_text(items, writer)), _headers(pod, asked))


def chosen(pod: JsonObject, asked: LogRequest) -> list[Target]:
    """The containers that are meant.

    Raises:
        NotFoundError: the one that is named is not in the pod.
        BadRequestError: there are several, and none is named.
    """
    name, known = pod["metadata"]["name"], targets(pod)
    if asked.all_containers:
        return known
    wanted = asked.container or (pod["metadata"].get("annotations") or {}).get(DEFAULT_CONTAINER, "")
    found = [one for one in known if one.name == wanted]
    if found:
        return found
    names = ", ".join(one.name for one in known)
    if asked.container:
        raise NotFoundError(f"container {asked.container!r} is not in pod {name!r}; it has {names}")
    workers = [one for one in known if one.kind == "worker"]
    if len(workers) == 1:
        return workers
    raise BadRequestError(f"container: name one of {names}, or ask for all_containers", field="container")


def _headers(pod: JsonObject, asked: LogRequest) -> dict[str, str]:
    if not asked.download:
        return SAFE
    file = "-".join(part for part in (pod["metadata"]["name"], asked.container) if part)
    return {**SAFE, "Content-Disposition": f'attachment; filename="{file}.log"'}


class _Logs:
    """The logs of one request, and what is to be closed when it is over."""

    def __init__(self, pods: Pods, pod: JsonObject, asked: LogRequest, at_end: list[Any]) -> None:
        self.objects = pods.objects
        self.pod = pod
        self.asked = asked
        self.tails: list[Tail] = []
        self._begun: set[str] = set()
        """The containers whose history was read."""
        self._reading_on = False
        self._at_end = at_end

    @property
    def why_over(self) -> str:
        """Why nothing more comes."""
        told = list(dict.fromkeys(tail.over for tail in self.tails))
        return told[0] if len(told) == 1 else "all containers have ended"

    async def open_raw(self, target: Target) -> Upstream:
        """One container's log, whose bytes are passed on as they are."""
        asked = self.asked
        query = LogQuery(
            container=target.name,
            previous=asked.previous,
            tail_lines=asked.tail_lines,
            since_seconds=asked.since_seconds,
            since_time=asked.since_time,
            limit_bytes=asked.limit_bytes,
        )
        stream = await open_log(self.objects.client, self.objects.namespace, self._name, query)
        self._at_end.append(stream.close)
        return stream

    async def raw(self, stream: Upstream) -> AsyncGenerator[bytes]:
        """The bytes."""
        while piece := await stream.read():
            yield piece

    async def items(
        self, wanted: Sequence[Target], positions: dict[str, Position]
    ) -> AsyncGenerator[Batch | Note]:
        """The lines of the containers, and what has become of these; all that can be opened is open."""
        follow = self.asked.follow
        if len(wanted) == 1:
            (tail,) = self.tails = [self._tail(wanted[0], positions, follow=follow)]
            await tail.open()
            return interleaved(
                self.tails, self._newcomers() if follow and self.asked.all_containers else None
            )
        self.tails = [self._tail(target, positions, follow=False) for target in wanted]
        missing: EcnsError | None = None
        for tail in self.tails:
            try:
                await tail.open()
            except (NotFoundError, NotStartedError) as error:
                tail.over = error.message
                missing = missing or error
            else:
                self._begun.add(tail.target.name)
        if not (follow or self._begun) and missing is not None:
            raise missing
        return self._followed(wanted) if follow else _wide(merged(self.tails))

    async def _followed(self, wanted: Sequence[Target]) -> AsyncGenerator[Batch | Note]:
        """What was said until now in the order of time, then what comes as it does."""
        async with aclosing(merged(self.tails)) as history:
            async for batch in history:
                yield batch
        positions = {tail.target.name: tail.position for tail in self.tails}
        self._reading_on = True
        self.tails = [self._tail(target, positions, follow=True) for target in wanted]
        async with aclosing(interleaved(self.tails, self._newcomers())) as followed:
            async for item in followed:
                yield item

    async def _newcomers(self) -> AsyncGenerator[Tail]:
        """The logs of containers that are added to the pod from now on, whole."""
        asked = msgspec.structs.replace(
            self.asked, follow=True, tail_lines=None, since_seconds=None, since_time=""
        )
        async with aclosing(newcomers(self.objects, self.pod)) as added:
            async for target in added:
                tail = Tail(self.objects, self.pod, target, asked)
                self._at_end.append(tail.close)
                self.tails.append(tail)
                yield tail

    def _tail(self, target: Target, positions: dict[str, Position], *, follow: bool) -> Tail:
        position = positions.get(target.name, lines.START)
        asked = msgspec.structs.replace(self.asked, follow=follow)
        if self._reading_on and not (asked.tail_lines == 0 and target.name in self._begun):
            asked = msgspec.structs.replace(asked, tail_lines=None)  # nothing of it has been left out
        tail = Tail(self.objects, self.pod, target, asked, position)
        self._at_end.append(tail.close)
        return tail

    @property
    def _name(self) -> str:
        name: str = self.pod["metadata"]["name"]
        return name


class _LastWords:
    """How a text ends that ECNS ends: on a line of its own."""

    def __init__(self) -> None:
        self._broken_line = False

    async def heard(self, source: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
        """What `source` yields."""
        async with aclosing(source):
            async for piece in source:
                self._broken_line = not piece.endswith(b"\n")
                yield piece

    def closed(self, end: Ended) -> bytes:
        """The line."""
        return (b"\n" if self._broken_line else b"") + f"ecns: the log ends here: {end.message}\n".encode()


async def _wide(batches: AsyncGenerator[Batch]) -> AsyncGenerator[Batch | Note]:
    async with aclosing(batches):
        async for batch in batches:
            yield batch


async def _text(items: AsyncGenerator[Batch | Note], writer: Text) -> AsyncGenerator[bytes]:
    async with aclosing(items):
        async for item in items:
            if isinstance(item, Batch) and (piece := writer.write(item.container, item.lines)):
                yield piece
            if writer.full:
                return


async def _events(
    items: AsyncGenerator[Batch | Note], logs: _Logs, positions: dict[str, Position]
) -> AsyncGenerator[bytes]:
    left = logs.asked.limit_bytes
    async with aclosing(items):
        async for item in items:
            if isinstance(item, Note):
                yield event(item.event, encode(item.facts))
                continue
            pieces = []
            ids = lines.Ids(positions, item.container, item.before)
            for line in item.lines:
                if left is not None and (left := left - len(line.data)) < 0:
                    break
                shown = encode(lines.shown(item.container, line))
                pieces.append(b"event: line\ndata: %s\nid: %s\n\n" % (shown, ids.after(line)))
            positions[item.container] = ids.position
            if pieces:
                yield b"".join(pieces)
            if left is not None and left < 0:
                yield event("done", encode({"message": "limit_bytes is reached"}))
                return
    yield event("done", encode({"message": logs.why_over}))

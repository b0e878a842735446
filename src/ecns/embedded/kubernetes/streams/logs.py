"""`pods/{name}/log`.

Source: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/ (read log)
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from ecns.embedded.kubernetes.errors import Cause, bad_request, invalid
from ecns.embedded.kubernetes.streams import pods

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ecns.embedded.kubernetes.cluster import Cluster
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.nodes.container import Line, Log
    from ecns.embedded.kubernetes.requests import Target

_PULL = {"ErrImagePull": "image can't be pulled", "ImagePullBackOff": "trying and failing to pull image"}
_PIECE = 64 * 1024
_TRUE = frozenset({"true", "1", "t", "T", "TRUE", "True"})


class Options(msgspec.Struct, frozen=True):
    """The query's parameters; None where one is not given."""

    container: str = ""
    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail: int | None = None
    limit: int | None = None
    since: datetime | None = None


def options(query: Mapping[str, str], pod: str, now: datetime) -> Options:
    """Reads the query of a log request.

    Raises:
        ApiError: 400 for what does not parse, 422 for what is out of range.

    """
    causes: list[Cause] = []
    numbers: dict[str, int | None] = {}
    for name, least in (("tailLines", 0), ("limitBytes", 1), ("sinceSeconds", 1)):
        numbers[name] = _number(query, name)
        value = numbers[name]
        if value is not None and value < least:
            rule = "greater than 0" if least else "greater than or equal to 0"
            causes.append(Cause("FieldValueInvalid", f"Invalid value: {value}: must be {rule}", name))
    since = _time(query["sinceTime"]) if query.get("sinceTime") else None
    if since is not None and numbers["sinceSeconds"] is not None:
        causes.append(
            Cause(
                "FieldValueForbidden",
                "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified",
                "[]",
            )
        )
    if query.get("stream"):
        causes.append(Cause("FieldValueForbidden", "Forbidden: may not be specified", "stream"))
    if causes:
        raise invalid("PodLogOptions", "", pod, causes)
    seconds = numbers["sinceSeconds"]
    return Options(
        container=query.get("container", ""),
        follow=query.get("follow", "") in _TRUE,
        previous=query.get("previous", "") in _TRUE,
        timestamps=query.get("timestamps", "") in _TRUE,
        tail=numbers["tailLines"],
        limit=numbers["limitBytes"],
        since=since if seconds is None else now - timedelta(seconds=seconds),
    )


def _number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise bad_request(
            f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00": cannot parse "{text}" as "2006"'
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def select(log: Log, asked: Options) -> Iterator[bytes]:
    """What of a log a request gets at once, in pieces."""
    lines = [line for line in log.lines if asked.since is None or line.at >= asked.since]
    if asked.tail is not None:
        lines = lines[-asked.tail :] if asked.tail else []
    return _pieces(lines, asked, asked.limit)


def _pieces(lines: Iterable[Line], asked: Options, left: int | None) -> Iterator[bytes]:
    gathered = bytearray()
    for line in lines:
        gathered += _shown(line, asked)
        if left is not None and len(gathered) >= left:
            yield bytes(gathered[:left])
            return
        if len(gathered) >= _PIECE:
            yield bytes(gathered)
            left = None if left is None else left - len(gathered)
            gathered.clear()
    if gathered:
        yield bytes(gathered)


def _shown(line: Line, asked: Options) -> bytes:
    if not asked.timestamps:
        return line.data
    return f"{line.at.strftime('%Y-%m-%dT%H:%M:%S.%f')}001Z ".encode() + line.data


async def log(cluster: Cluster, request: web.BaseRequest, target: Target) -> web.StreamResponse:
    """Answers with a container's log, and goes on with it when `follow` is set.

    Raises:
        ApiError: 404, 400 when the container has not said anything because it has not started.

    """
    pod = cluster.get("pods", target.name, target.namespace)
    asked = options(request.query, target.name, cluster.now())
    name = pods.choose(pod, asked.container)
    if not pod["spec"].get("nodeName"):
        return web.Response(status=204)
    return await _told(request, _log_of(cluster, pod, name, asked), asked)


def _log_of(cluster: Cluster, pod: Object, name: str, asked: Options) -> Log:
    status, where = pods.status_of(pod, name), pod["metadata"]["name"]
    last, state = (status.get("lastState") or {}).get("terminated"), status.get("state") or {}
    if asked.previous and not (last or {}).get("containerID"):
        raise bad_request(f'previous terminated container "{name}" in pod "{where}" not found')
    waiting = state.get("waiting")
    if not asked.previous and (waiting or not state) and not last:
        reason = (waiting or {}).get("reason", "ContainerCreating")
        raise bad_request(
            f'container "{name}" in pod "{where}" is waiting to start: {_PULL.get(reason, reason)}'
        )
    worker = pods.worker(cluster, pod)
    container = next(item for item in worker.containers if item.name == name)
    container.advance_quietly(cluster.now())
    if asked.previous and not waiting:
        return container.previous or container.log
    return container.log


async def _told(request: web.BaseRequest, found: Log, asked: Options) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    response.enable_chunked_encoding()
    changed = asyncio.Event()
    found.listeners.append(changed.set)
    left = asked.limit
    pieces = select(found, asked)
    seen = found.count
    try:
        await response.prepare(request)
        while True:
            for piece in pieces:
                await response.write(piece)
                left = None if left is None else left - len(piece)
            if not asked.follow or left == 0 or (found.closed and seen == found.count):
                break
            changed.clear()
            if seen == found.count:
                await changed.wait()
            fresh, seen = found.since(seen), found.count
            pieces = _pieces(fresh, asked, left)
    except ConnectionError:
        return response
    finally:
        found.listeners.remove(changed.set)
    await response.write_eof()
    return response

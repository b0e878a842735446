"""The audit log: who changed what, or tried to; a JSON line each.

Lines are made and written by a thread, from a bounded queue: a slow disk costs lines (which are counted),
never time of an answer. Of bodies nothing but names is read, so no secret can come into it.
"""

from __future__ import annotations

import os
import queue
import re
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Literal

import msgspec
import structlog

from ecns.identity.caller import Caller
from ecns.identity.policy import OPERATIONS
from ecns.server import metrics

log = structlog.get_logger(__name__)

QUEUE = 10_000
"""Lines that may wait to be written."""
BODY_BYTES = 256 * 1024
"""A body is read for names up to this size; so many of them may wait in the queue."""
BODIES = 64
NAMES = 500
CLOSE_SECONDS = 5.0
SHOWING = frozenset({"secret.show", "raw.show"})
"""Reads that are recorded always: they show what is secret."""
CONTENTS = frozenset({"opaque", "binary", "tls", "dockerconfigjson", "registries", "config"})
"""What stands under these keys of a body is stored for somebody, and names nothing."""
NAMED = ("name", "harbor_project_name", "image_name")
"""Keys of a body under which the name of what it is about stands."""
_DEPTH = 4
_SHALLOW = 2
"""Of bodies with contents: what is there stands in the body's only object or list."""
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._/:-]{0,251}[A-Za-z0-9])?")

Result = Literal["begun", "done", "partly", "refused", "rejected", "failed", "abandoned"]


class Line(msgspec.Struct, kw_only=True):
    """What is recorded of one request."""

    event: str = "audit"
    """Tells the lines from others on standard error."""
    time: str
    """When it was answered, RFC 3339 in UTC."""
    request_id: str
    operation: str
    product_type: str
    method: str
    path: str
    user_id: str
    user_name: str
    user_domain: str
    project_id: str
    project_name: str
    address: str
    """Where the request came from."""
    cluster: str
    namespace: str
    names: list[str]
    """What it was about: from the path and the body."""
    status: int
    result: Result
    milliseconds: float


class Event(msgspec.Struct, kw_only=True):
    """A line that is still to be made."""

    request_id: str
    operation: str
    product_type: str
    method: str
    path: str
    caller: Caller | None
    address: str
    cluster: str
    namespace: str
    name: str
    """What the path names."""
    names: list[str] = []
    """What the route told that it was about."""
    body: bytes
    status: int
    finished: float
    """Unix time."""
    seconds: float
    begun: bool = False
    """A session has begun; there is another line when it has ended."""


class Audit:
    """Records changes, and reads where that is wanted.

    Args:
        file: where to, appended; None: standard error. It may be moved away and is then made anew.
        reads: record everything.
    """

    def __init__(self, file: Path | None, *, reads: bool = False) -> None:
        self.file = file
        self.reads = reads
        self._queue: queue.Queue[Event | None] = queue.Queue(QUEUE)
        self._put = self._taken = 0
        """Bodies that in the queue so far, counted by who records, and out of it, by the thread."""
        self._thread: threading.Thread | None = None
        self._broken = False

    def wants(self, operation: str, method: str) -> bool:
        """Whether a request of this operation is recorded."""
        if not operation:
            return False
        if operation in SHOWING:
            return True
        known = OPERATIONS.get(operation)
        return self.reads or method not in {"GET", "HEAD"} or (known is not None and known.right == "member")

    def record(self, event: Event) -> None:
        """Have a line written; it is dropped, and counted, when too many wait."""
        if event.body and (self._put - self._taken >= BODIES or len(event.body) > BODY_BYTES):
            event.body = b""
        try:
            self._queue.put_nowait(event)
        except queue.Full:
            metrics.audit_dropped.inc()
            return
        if event.body:
            self._put += 1
        if self._thread is None:
            self._thread = threading.Thread(target=self._write, name="audit", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Write what waits, for `CLOSE_SECONDS` at most."""
        if self._thread is not None:
            try:
                self._queue.put(None, timeout=CLOSE_SECONDS)
            except queue.Full:
                return
            self._thread.join(CLOSE_SECONDS)
            self._thread = None

    def _write(self) -> None:
        out: BinaryIO | None = None
        while True:
            events = [self._queue.get()]
            while len(events) < QUEUE and not self._queue.empty():
                events.append(self._queue.get_nowait())
            pieces = []
            for event in events:
                if event is not None:
                    if event.body:
                        self._taken += 1
                    pieces.append(msgspec.json.encode(line(event)) + b"\n")
            try:
                out = self._opened(out)
                out.write(b"".join(pieces))
                out.flush()
                self._broken = False
            except (OSError, ValueError) as error:
                metrics.audit_dropped.inc(len(pieces))
                if not self._broken:
                    log.error("the audit log cannot be written", file=str(self.file), reason=str(error))  # noqa: TRY400  the reason is the message
                self._broken, out = True, None
            if events[-1] is None:
                if out is not None and self.file is not None:
                    out.close()
                return

    def _opened(self, out: BinaryIO | None) -> BinaryIO:
        """The file that has the name now."""
        if self.file is None:
            return sys.stderr.buffer
        if out is not None:
            try:
                now, open_ = self.file.stat(), os.fstat(out.fileno())
            except FileNotFoundError:
                pass
            else:
                if (now.st_dev, now.st_ino) == (open_.st_dev, open_.st_ino):
                    return out
            out.close()
        return os.fdopen(os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")


def line(event: Event) -> Line:
    """What is written of a request."""
    caller = event.caller
    names = event.names[:NAMES] or ([event.name] if event.name else [])
    cluster, namespace = event.cluster, event.namespace
    if event.body and not event.operation.startswith("raw."):
        try:
            body = msgspec.json.decode(event.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            body = None
        depth = _SHALLOW if event.operation.startswith(("configmap.", "secret.")) else _DEPTH
        named = [name for key in NAMED for name in _named(body, key, depth)]
        if ".delete" in event.operation:
            named += _listed(body)
        names += [name for name in dict.fromkeys(named) if name not in names][:NAMES]
        cluster = cluster or ", ".join(_named(body, "cluster_name", depth))
    return Line(
        time=datetime.fromtimestamp(event.finished, UTC).isoformat(timespec="milliseconds"),
        request_id=event.request_id,
        operation=event.operation,
        product_type=event.product_type,
        method=event.method,
        path=event.path,
        user_id=caller.user_id if caller else "",
        user_name=caller.user_name if caller else "",
        user_domain=caller.user_domain_name if caller else "",
        project_id=caller.project_id if caller else "",
        project_name=caller.project_name if caller else "",
        address=event.address,
        cluster=cluster,
        namespace=namespace,
        names=names,
        status=event.status,
        result="begun" if event.begun else result(event.status),
        milliseconds=round(event.seconds * 1000, 1),
    )


def result(status: int) -> Result:
    """An HTTP status in a word; 0 is a client that left before there was an answer."""
    if status == 207:  # noqa: PLR2004  HTTP's "Multi-Status"
        return "partly"
    if status in {401, 403, 429}:
        return "refused"
    if not status:
        return "abandoned"
    return "done" if status < 400 else "rejected" if status < 500 else "failed"  # noqa: PLR2004  HTTP's classes


def _named(body: Any, key: str, depth: int) -> list[str]:
    """The things that a body is about: `{"name"}`, `{"things": [{"name"}, {"thing_base": {"name"}}]}`."""
    return list(dict.fromkeys(_walk(body, key, depth)))


def _listed(body: Any) -> list[str]:
    """The things that a deletion is about where it has their names alone: `{"things": ["name"]}`."""
    several = body.values() if isinstance(body, dict) else ()
    names = (name for one in several if isinstance(one, list) for name in one[:NAMES])
    return [name for name in names if isinstance(name, str) and _NAME.fullmatch(name)]


def _walk(value: Any, key: str, depth: int) -> Iterator[str]:
    if isinstance(value, list):
        for item in value[:NAMES]:
            yield from _walk(item, key, depth)
    elif isinstance(value, dict) and depth:
        found = value.get(key)
        if isinstance(found, str):
            if _NAME.fullmatch(found):
                yield found
            return
        base = {inner: one for inner, one in value.items() if inner.endswith("_base")}
        for inner, one in (base or value).items():
            if inner not in CONTENTS:
                yield from _walk(one, key, depth - 1)

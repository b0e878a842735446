"""What flows between a cluster's containers and us: their logs, and programs run in them.

Source: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/ (read log, get connect
exec); the subprotocols v5.channel.k8s.io and v4.channel.k8s.io, in which the first byte of a message is its
channel: 0 to 2 are the standard streams, 3 is how the program ended, 4 is the terminal's size.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Sequence

import aiohttp
import msgspec

from ecns.backends.kubernetes.client import Actor, Client, Stream, object_path
from ecns.backends.kubernetes.errors import Status, status_error, transport_error
from ecns.backends.kubernetes.kinds.pods import POD
from ecns.errors import (
    BadRequestError,
    ConflictError,
    EcnsError,
    ForbiddenError,
    NotFoundError,
    UpstreamInvalidError,
    UpstreamUnavailableError,
)

BUFFER = 64 * 1024
"""Bytes of a log that wait for a slow reader, about; then the kubelet is made to wait."""
FRAME = 32 * 1024
"""Bytes of input in one message."""
STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
SUCCESS = "Success"
NO_CONTENT = 204

_NOT_STARTED = re.compile(r"is waiting to start|does not have a host assigned|container not found \(")
_NOT_THERE = re.compile(r"is not valid for pod|previous terminated container .* not found")
_NOT_EXECUTABLE = re.compile(
    r'exec: "[^"]*": (?:executable file not found|stat [^:]*: no such file or directory|permission denied)'
)


class LogQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a container's log."""

    container: str
    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    since_seconds: int | None = None
    since_time: str = ""
    """RFC 3339; the API server drops what is less than a second."""
    limit_bytes: int | None = None

    def parameters(self) -> list[tuple[str, str]]:
        """As Kubernetes' parameters."""
        flags = (
            ("follow", self.follow),
            ("previous", self.previous),
            ("timestamps", self.timestamps),
        )
        values = (
            ("tailLines", self.tail_lines),
            ("sinceSeconds", self.since_seconds),
            ("sinceTime", self.since_time or None),
            ("limitBytes", self.limit_bytes),
        )
        return [
            ("container", self.container),
            *((name, "true") for name, wanted in flags if wanted),
            *((name, str(value)) for name, value in values if value is not None),
        ]


class NotStartedError(ConflictError):
    """The container does not run, or has never said anything because it has not started yet."""


async def open_log(client: Client, namespace: str, pod: str, query: LogQuery) -> Stream:
    """A container's log as raw bytes, to be closed by who asked for it.

    Raises:
        NotFoundError: the pod, the container, or its previous run is not there.
        NotStartedError: the container has not started; the message says why.
        UpstreamError: the cluster does not answer, or not sensibly.
    """
    path = object_path(POD, namespace, pod, "log")
    try:
        stream = await client.open("GET", path, query=query.parameters(), accept="*/*", buffer=BUFFER)
    except EcnsError as error:
        raise _translated(error) from None
    if stream.status == NO_CONTENT:
        stream.close()
        raise NotStartedError(f"cluster {client.name}: pod {pod!r} has no node yet")
    return stream


class Exit(msgspec.Struct, frozen=True):
    """A program has ended; no code when the cluster did not tell one."""

    code: int | None = None


class NotExecutableError(NotFoundError):
    """The container has no such program."""


class Execution:
    """A program that runs in a container, with its standard streams.

    Args:
        cluster: its name, for messages.
        socket: in one of the two subprotocols.
    """

    def __init__(self, cluster: str, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._cluster = cluster
        self._socket = socket

    async def read(self) -> tuple[int, bytes] | Exit:
        """The next output, with 1 or 2 for the stream; or that the program has ended.

        Raises:
            NotExecutableError: there is no such program.
            UpstreamError: the connection broke, or the cluster could not run it.
        """
        while True:
            message = await self._socket.receive()
            match message.type:
                case aiohttp.WSMsgType.BINARY if message.data:
                    channel, data = message.data[0], bytes(message.data[1:])
                    if channel == ERROR and data:
                        return self._ended(data)
                    if channel in {STDOUT, STDERR} and data:
                        return channel, data
                case aiohttp.WSMsgType.CLOSE if message.data == aiohttp.WSCloseCode.OK:
                    return Exit()
                case aiohttp.WSMsgType.ERROR:
                    raise transport_error(self._cluster, message.data)
                case aiohttp.WSMsgType.CLOSE | aiohttp.WSMsgType.CLOSING | aiohttp.WSMsgType.CLOSED:
                    raise UpstreamUnavailableError(
                        f"cluster {self._cluster}: the connection broke", upstream=f"cluster {self._cluster}"
                    )

    async def write(self, data: bytes) -> None:
        """Give it input, waiting while it reads slower than that."""
        for start in range(0, len(data), FRAME):
            await self._send(STDIN, data[start : start + FRAME])

    async def resize(self, columns: int, rows: int) -> None:
        """Tell the size of the terminal."""
        await self._send(RESIZE, b'{"Width":%d,"Height":%d}' % (columns, rows))

    async def ping(self) -> None:
        """Let whoever is between know that the connection is in use."""
        with contextlib.suppress(aiohttp.ClientError, OSError):
            await self._socket.ping()

    async def hang_up(self) -> None:
        """End a terminal's input as the key Ctrl-D does, so that its shell does not stay behind."""
        with contextlib.suppress(EcnsError):
            await self.write(b"\x04")
            if self._socket.protocol != "v4.channel.k8s.io":
                await self._send(CLOSE, bytes([STDIN]))

    async def _send(self, channel: int, data: bytes) -> None:
        try:
            await self._socket.send_bytes(bytes([channel]) + data)
        except (aiohttp.ClientError, OSError) as error:
            raise transport_error(self._cluster, error) from error

    def _ended(self, data: bytes) -> Exit:
        try:
            status = msgspec.json.decode(data, type=Status)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise transport_error(self._cluster, error) from error
        if status.status == SUCCESS:
            return Exit(0)
        causes = status.details.causes if status.details else None
        code = next((cause.message for cause in causes or () if cause.reason == "ExitCode"), "")
        if code.isdigit():
            return Exit(int(code))
        if _NOT_EXECUTABLE.search(status.message):
            raise NotExecutableError(f"cluster {self._cluster}: there is no such program in the container")
        raise status_error(self._cluster, status.code or 500, data)


@contextlib.asynccontextmanager
async def execute(
    client: Client,
    namespace: str,
    pod: str,
    container: str,
    command: Sequence[str],
    *,
    actor: Actor | None = None,
) -> AsyncIterator[Execution]:
    """Run a program with a terminal in a container.

    Raises:
        NotFoundError: there is no such pod or container.
        NotStartedError: the container does not run.
        ForbiddenError: the cluster does not let the caller.
        UpstreamError: the cluster does not answer, or not sensibly.
    """
    query = [
        ("container", container),
        *(("command", word) for word in command),
        ("stdin", "true"),
        ("stdout", "true"),
        ("tty", "true"),
    ]
    path = object_path(POD, namespace, pod, "exec")
    async with contextlib.AsyncExitStack() as stack:
        try:
            socket = await stack.enter_async_context(client.websocket(path, query=query, actor=actor))
        except EcnsError as error:
            raise _translated(error) from None
        yield Execution(client.name, socket)


def _translated(error: EcnsError) -> EcnsError:
    """What Kubernetes and its kubelets say in words alone, as the error that it is."""
    if isinstance(error, BadRequestError) or "container not found" in error.message:
        if _NOT_STARTED.search(error.message):
            said = error.message.replace("container not found (", "the container does not run (")
            return NotStartedError(said, details=error.details)
        if _NOT_THERE.search(error.message):
            return NotFoundError(error.message, details=error.details)
    if isinstance(error, ForbiddenError) and error.message.endswith("HTTP status 403"):
        upstream = str(error.details.get("upstream", ""))
        return UpstreamInvalidError(
            f"{upstream} speaks no protocol for terminals that ECNS knows", upstream=upstream
        )
    return error

"""`pods/{name}/exec` and `attach` over WebSocket, in the protocols that kubectl and the clients speak.

Source: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/ and the
remotecommand subprotocols v5.channel.k8s.io, v4.channel.k8s.io, channel.k8s.io and base64.channel.k8s.io.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import secrets
from typing import TYPE_CHECKING

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from ecns.embedded.kubernetes.errors import bad_request
from ecns.embedded.kubernetes.nodes.process import NotFound, Process
from ecns.embedded.kubernetes.streams import pods

if TYPE_CHECKING:
    from datetime import datetime

    from ecns.embedded.kubernetes.cluster import Cluster
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.nodes.container import Container, Log
    from ecns.embedded.kubernetes.requests import Target

V5, V4, PLAIN = "v5.channel.k8s.io", "v4.channel.k8s.io", "channel.k8s.io"
BASE64 = "base64.channel.k8s.io"
_PROTOCOLS = (V5, V4, PLAIN, BASE64)
_STDIN, _STDOUT, _STDERR, _ERROR, _RESIZE, _CLOSE = 0, 1, 2, 3, 4, 255
_FRAME = 32 * 1024
_NO_SPDY = (
    "this embedded cluster speaks WebSocket and no SPDY: use kubectl 1.30 or later, or a client of "
    "v4.channel.k8s.io or v5.channel.k8s.io"
)
_TRUE = frozenset({"true", "1", "t", "T", "TRUE", "True"})
_INTERRUPT, _END = b"\x03", b"\x04"
_encode = msgspec.json.Encoder().encode


class Wishes(msgspec.Struct, frozen=True):
    """Which streams a client wants."""

    stdin: bool
    stdout: bool
    stderr: bool
    terminal: bool


class Channels:
    """A WebSocket whose messages begin with a channel's number."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self.socket = socket
        self._outgoing: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue()

    @property
    def protocol(self) -> str:
        """What was agreed."""
        return self.socket.ws_protocol or V4

    def put(self, channel: int, data: bytes) -> None:
        """Has data sent, in order."""
        for start in range(0, max(len(data), 1), _FRAME):
            self._outgoing.put_nowait((channel, data[start : start + _FRAME]))

    def end(self) -> None:
        """Closes when everything has been sent."""
        self._outgoing.put_nowait(None)

    async def pump(self) -> None:
        """Sends until `end`."""
        while (item := await self._outgoing.get()) is not None:
            channel, data = item
            if self.protocol == BASE64:
                await self.socket.send_str(str(channel) + base64.b64encode(data).decode())
            else:
                await self.socket.send_bytes(bytes([channel]) + data)
        await self.socket.close(code=WSCloseCode.OK)

    async def take(self) -> tuple[int, bytes] | None:
        """The client's next message; None when it has gone."""
        while True:
            message = await self.socket.receive()
            if message.type is WSMsgType.BINARY and message.data:
                return message.data[0], bytes(message.data[1:])
            if message.type is WSMsgType.TEXT and message.data:
                try:
                    return int(message.data[0]), base64.b64decode(message.data[1:])
                except (ValueError, binascii.Error):
                    return None
            if message.type not in {WSMsgType.BINARY, WSMsgType.TEXT, WSMsgType.PING, WSMsgType.PONG}:
                return None


def success() -> Object:
    """The Status of a command that ended well."""
    return {"metadata": {}, "status": "Success"}


def exit_status(code: int, protocol: str, command: list[str]) -> Object:
    """The Status of a command's exit code."""
    if code == 0:
        return success()
    why = f"command terminated with exit code {code}"
    if protocol != V5:
        why = f"error executing command [{' '.join(command)}], exit code {code}"
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: {why}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def _internal(why: str) -> Object:
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"Internal error occurred: Internal error occurred: {why}",
        "reason": "InternalError",
        "details": {"causes": [{"message": f"Internal error occurred: {why}"}]},
        "code": 500,
    }


def _write_status(channels: Channels, status: Object) -> None:
    if channels.protocol in {V5, V4}:
        channels.put(_ERROR, _escaped(_encode(status)))
    elif status["status"] != "Success":
        channels.put(_ERROR, status["message"].encode())


def _escaped(data: bytes) -> bytes:
    """As Go writes JSON."""
    return data.replace(b"<", b"\\u003c").replace(b">", b"\\u003e").replace(b"&", b"\\u0026")


class _Terminal:
    """The line discipline between a client's terminal and a program: echo, line ends, Ctrl-C and Ctrl-D."""

    def __init__(self, channels: Channels, process: Process, size: list[int], now: datetime) -> None:
        self._channels = channels
        self._process = process
        self.size = size
        self._line = bytearray()
        self._now = now

    def output(self, data: bytes) -> None:
        self._channels.put(_STDOUT, data.replace(b"\n", b"\r\n"))

    def typed(self, data: bytes, now: datetime) -> None:
        for byte in data:
            char = bytes([byte])
            if char == _INTERRUPT:
                self._channels.put(_STDOUT, b"^C")
                self._line.clear()
                self._process.signal("INT", now)
            elif char == _END:
                if not self._line:
                    self._process.close(now)
            elif char in b"\r\n":
                line, self._line = bytes(self._line), bytearray()
                self._channels.put(_STDOUT, line + b"\r\n")
                self._process.feed(line + b"\n", now)
            elif char in b"\x7f\x08":
                del self._line[-1:]
            else:
                self._line += char

    def resized(self, data: bytes) -> bool:
        try:
            size = msgspec.json.decode(data)
            rows, columns = int(size["Height"]), int(size["Width"])
        except (msgspec.DecodeError, KeyError, TypeError, ValueError):
            return False
        self.size[:] = [rows, columns]
        return True


def _wishes(request: web.BaseRequest) -> Wishes:
    query = request.query

    def asked(name: str) -> bool:
        return query.get(name, "") in _TRUE

    return Wishes(asked("stdin"), asked("stdout"), asked("stderr"), asked("tty"))


def _plain(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=text)


def _refuse(cluster: Cluster, request: web.BaseRequest, target: Target) -> tuple[Object, str, Wishes]:
    """What the API server checks before it asks the kubelet."""
    pod = cluster.get("pods", target.name, target.namespace)
    name = pods.choose(pod, request.query.get("container", ""))
    if not pod["spec"].get("nodeName"):
        raise bad_request(f"pod {target.name} does not have a host assigned")
    if not request.headers.get("Upgrade"):
        raise bad_request("Upgrade request required")
    return pod, name, _wishes(request)


async def _open(request: web.BaseRequest) -> Channels | web.Response:
    if request.headers["Upgrade"].lower() != "websocket":
        raise bad_request(_NO_SPDY)
    offered = [
        item.strip() for item in request.headers.get("Sec-WebSocket-Protocol", "").split(",") if item.strip()
    ]
    chosen = next((item for item in _PROTOCOLS if item in offered), "")
    if offered and not chosen:
        return web.Response(status=403)
    socket = web.WebSocketResponse(protocols=(chosen or PLAIN,), autoping=True, compress=False)
    await socket.prepare(request)
    return Channels(socket)


def _running(cluster: Cluster, pod: Object, name: str) -> Container | None:
    worker = pods.worker(cluster, pod)
    container = next((item for item in worker.containers if item.name == name), None)
    return (
        container if container is not None and container.running and container.machine is not None else None
    )


async def execute(cluster: Cluster, request: web.BaseRequest, target: Target) -> web.StreamResponse:
    """Runs a command in a container.

    Raises:
        ApiError: 400, 404 before the connection is upgraded.

    """
    pod, name, wishes = _refuse(cluster, request, target)
    if not (wishes.stdin or wishes.stdout or wishes.stderr):
        return _plain(400, "you must specify at least 1 of stdin, stdout, stderr")
    container = _running(cluster, pod, name)
    if container is None or container.machine is None:
        return _plain(500, f'container not found ("{name}")')
    opened = await _open(request)
    if isinstance(opened, web.Response):
        return opened
    command = request.query.getall("command", [])
    session = _Execution(cluster, opened, wishes)
    session.begin(container, command)
    return await session.serve()


class _Execution:
    """A command that runs for a client."""

    def __init__(self, cluster: Cluster, channels: Channels, wishes: Wishes) -> None:
        self._cluster = cluster
        self._channels = channels
        self._wishes = wishes
        self._command: list[str] = []
        self._process: Process | None = None
        self._terminal: _Terminal | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._over = False
        self._log: Log | None = None

    def begin(self, container: Container, command: list[str]) -> None:
        """Starts it; a command that cannot be started ends the session."""
        now = self._cluster.now()
        self._log = container.log
        self._log.listeners.append(self._killed)
        self._command = command
        self._channels.put(_STDOUT, b"")
        machine = container.machine
        size = [24, 80]
        if not command or machine is None:
            self._cannot_start(command)
            return
        try:
            self._process = Process(
                machine,
                command,
                self._output,
                now,
                stdin=self._wishes.stdin,
                terminal=size if self._wishes.terminal else None,
            )
        except NotFound:
            self._cannot_start(command)
            return
        if self._wishes.terminal:
            self._terminal = _Terminal(self._channels, self._process, size, now)
        self._continue()

    def _cannot_start(self, command: list[str]) -> None:
        name = command[0] if command else ""
        why = f'exec: "{name}": executable file not found in $PATH'
        if name.startswith("/"):
            why = f'exec: "{name}": stat {name}: no such file or directory'
        exec_id = secrets.token_hex(32)
        text = (
            "error executing command in container: failed to exec in container: failed to start exec "
            f'"{exec_id}": OCI runtime exec failed: exec failed: '
            f"unable to start container process: {why}: unknown"
        )
        if not command:
            text = (
                "error executing command in container: failed to exec in container: failed to start exec "
                f'"{exec_id}": OCI runtime exec failed: exec failed: args must not be empty: unknown'
            )
        _write_status(self._channels, _internal(text))
        self._finish()

    def _output(self, stream: int, data: bytes, _at: datetime) -> None:
        if self._terminal is not None:
            self._terminal.output(data)
        elif stream == _STDOUT and self._wishes.stdout:
            self._channels.put(_STDOUT, data)
        elif stream == _STDERR and self._wishes.stderr:
            self._channels.put(_STDERR, data)

    def _continue(self) -> None:
        process = self._process
        if process is None or self._over:
            return
        process.advance(self._cluster.now())
        if process.exit_code is not None:
            _write_status(
                self._channels, exit_status(process.exit_code, self._channels.protocol, self._command)
            )
            self._finish()
            return
        wake = process.next_wake()
        if self._timer is not None:
            self._timer.cancel()
        if wake is not None:
            pause = max((wake - self._cluster.now()).total_seconds(), 0.0)
            self._timer = asyncio.get_running_loop().call_later(pause, self._continue)

    def _killed(self) -> None:
        """Ends it with its container."""
        if self._log is not None and self._log.closed and self._process is not None and not self._over:
            self._process.kill()
            self._continue()

    def _finish(self) -> None:
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
        self._channels.end()

    async def serve(self) -> web.StreamResponse:
        """Moves messages until the command has ended or the client has gone."""
        sender = asyncio.ensure_future(self._channels.pump())
        reader = asyncio.ensure_future(self._read())
        try:
            await asyncio.wait({sender, reader}, return_when=asyncio.FIRST_COMPLETED)
            if self._over:
                await sender
        except ConnectionError:
            pass
        finally:
            self._over = True
            if self._log is not None:
                self._log.listeners.remove(self._killed)
            if self._timer is not None:
                self._timer.cancel()
            for task in (sender, reader):
                task.cancel()
            await asyncio.gather(sender, reader, return_exceptions=True)
        return self._channels.socket

    async def _read(self) -> None:
        while (message := await self._channels.take()) is not None:
            self._received(*message)

    def _received(self, channel: int, data: bytes) -> None:
        now, process = self._cluster.now(), self._process
        if process is None or self._over:
            return
        if channel == _STDIN and self._wishes.stdin:
            if self._terminal is not None:
                self._terminal.typed(data, now)
            else:
                process.feed(data, now)
        elif channel == _CLOSE and self._channels.protocol == V5 and data[:1] == b"\x00":
            process.close(now)
        elif channel == _RESIZE and self._terminal is not None:
            prompt = process.shell.prompt
            if self._terminal.resized(data) and len(prompt) > 1:
                self._channels.put(_STDOUT, f"\r{prompt[0]}\x1b[J".format(process.shell.working).encode())
        self._continue()


async def attach(cluster: Cluster, request: web.BaseRequest, target: Target) -> web.StreamResponse:
    """Connects a client with a container's process.

    Raises:
        ApiError: 400, 404 before the connection is upgraded.

    """
    pod, name, wishes = _refuse(cluster, request, target)
    if not (wishes.stdin or wishes.stdout or wishes.stderr):
        return _plain(400, "you must specify at least 1 of stdin, stdout, stderr")
    container = _running(cluster, pod, name)
    if container is not None:
        container.advance_quietly(cluster.now())
    if container is None or container.process is None or container.process.exit_code is not None:
        # kubectl then shows the log, with what a short command has said before anybody could listen
        return _plain(500, f"container {name} not found in pod {target.name}_{target.namespace}")
    opened = await _open(request)
    if isinstance(opened, web.Response):
        return opened
    return await _Attachment(cluster, opened, wishes, container, (target.namespace, target.name)).serve()


class _Attachment:
    """A client at a container's own streams."""

    def __init__(
        self,
        cluster: Cluster,
        channels: Channels,
        wishes: Wishes,
        container: Container,
        key: tuple[str, str],
    ) -> None:
        self._cluster = cluster
        self._channels = channels
        self._wishes = wishes
        self._container = container
        self._key = key
        self._feeds = wishes.stdin and bool(container.spec.get("stdin"))
        self._terminal: _Terminal | None = None
        if container.spec.get("tty") and container.process is not None:
            size = container.process.shell.terminal
            self._terminal = _Terminal(channels, container.process, size, cluster.now())
        self._mute = wishes.terminal and self._terminal is None

    def _output(self, stream: int, data: bytes) -> None:
        if self._terminal is not None:
            self._terminal.output(data)
        elif self._mute:
            return
        elif (stream == _STDOUT and self._wishes.stdout) or (stream == _STDERR and self._wishes.stderr):
            self._channels.put(stream, data)

    def _ended(self) -> None:
        if self._container.log.closed:
            _write_status(self._channels, success())
            self._channels.end()

    async def serve(self) -> web.StreamResponse:
        """Moves messages until the container has ended or the client has gone."""
        self._channels.put(_STDOUT, b"")
        self._container.followers.append(self._output)
        log = self._container.log
        log.listeners.append(self._ended)
        self._ended()
        sender = asyncio.ensure_future(self._channels.pump())
        reader = asyncio.ensure_future(self._read())
        try:
            await asyncio.wait({sender, reader}, return_when=asyncio.FIRST_COMPLETED)
            if log.closed:
                await sender
        except ConnectionError:
            pass
        finally:
            self._container.followers.remove(self._output)
            log.listeners.remove(self._ended)
            for task in (sender, reader):
                task.cancel()
            await asyncio.gather(sender, reader, return_exceptions=True)
        return self._channels.socket

    async def _read(self) -> None:
        while (message := await self._channels.take()) is not None:
            channel, data = message
            process, now = self._container.process, self._cluster.now()
            if process is None:
                continue
            if channel == _STDIN and self._feeds:
                if self._terminal is not None:
                    self._terminal.typed(data, now)
                else:
                    process.feed(data, now)
            elif (
                channel == _CLOSE
                and self._feeds
                and data[:1] == b"\x00"
                and self._container.spec.get("stdinOnce")
            ):
                process.close(now)
            elif channel == _RESIZE and self._terminal is not None:
                self._terminal.resized(data)
            pods.kubelets(self._cluster).enqueue(self._key)

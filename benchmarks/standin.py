"""The embedded Kubernetes alone: durable writes, lists and watches over TLS.

The client writes bytes to a kept connection and reads no JSON, so that it costs little beside the server.
What counts is the server's CPU for each call, with all that its controllers do because of it; a rate depends
on what else the machine does.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvloop
import yaml

from benchmarks.measuring import measure

MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
CALLERS = (1, 16)
LISTED = 1000
WATCHERS = 100
_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"

Request = tuple[str, str, dict[str, Any], str]
"""Method, path, body and its type."""


class Connection:
    """One kept connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: str) -> None:
        self._reader = reader
        self._writer = writer
        self._head = f"HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"

    async def send(self, method: str, path: str, headers: str = "", body: bytes = b"") -> int:
        """Sends a request; returns the answer's status, or how long its body is."""
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        self._writer.write(f"{method} {path} {self._head}{headers}{length}\r\n".encode() + body)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        assert head[9] == "2", head
        return int(head.partition("content-length: ")[2].split("\r\n")[0] or 0)

    async def call(self, method: str, path: str, headers: str = "", body: bytes = b"") -> bytes:
        """The body of the answer."""
        return await self._reader.readexactly(await self.send(method, path, headers, body))

    async def until(self, mark: bytes) -> None:
        """Reads a stream until something is in it."""
        while mark not in await self._reader.readuntil(b"\n"):
            pass


@contextmanager
def served() -> Iterator[tuple[int, dict[str, Any]]]:
    """Process and kubeconfig of a stand-in with an empty directory of its own."""
    with tempfile.TemporaryDirectory(prefix="ecns-bench-") as folder:
        reading, writing = os.pipe()
        module = [sys.executable, "-m", "ecns.embedded.kubernetes", "--data-dir", folder]
        process = subprocess.Popen(
            [*module, "--ready-fd", str(writing)], pass_fds=[writing], stdin=subprocess.PIPE
        )
        os.close(writing)
        try:
            with os.fdopen(reading) as pipe:
                told = json.loads(pipe.readline())
            yield process.pid, yaml.safe_load(Path(told["kubeconfig"]).read_text())
        finally:
            process.terminate()
            process.wait()


def used(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def settled(pid: int) -> float:
    """The CPU that a process has used when it uses none any more: its controllers have caught up."""
    before = -1.0
    while used(pid) - before > 0.01:
        before = used(pid)
        await asyncio.sleep(0.3)
    return before


def deployment(name: str, image: str = "nginx:1.27") -> dict[str, Any]:
    labels = {"app": name}
    container = {
        "name": "web",
        "image": image,
        "ports": [{"containerPort": 80}],
        "env": [{"name": "MODE", "value": "bench"}],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
    }
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template},
    }


def config(name: str, value: str) -> dict[str, Any]:
    data = {"mode": value, "text": "x" * 100}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


WRITES: dict[str, Callable[[str], Request]] = {
    "create a ConfigMap": lambda name: ("POST", MAPS, config(name, "a"), "json"),
    "replace it": lambda name: ("PUT", f"{MAPS}/{name}", config(name, "b"), "json"),
    "merge-patch it": lambda name: ("PATCH", f"{MAPS}/{name}", {"data": {"mode": "c"}}, "merge-patch+json"),
    "delete it": lambda name: ("DELETE", f"{MAPS}/{name}", {}, "json"),
    "create a Deployment and its ReplicaSet": lambda name: ("POST", DEPLOYMENTS, deployment(name), "json"),
    "patch its annotations": lambda name: (
        "PATCH",
        f"{DEPLOYMENTS}/{name}",
        {"metadata": {"annotations": {"bench": "yes"}}},
        "strategic-merge-patch+json",
    ),
    "apply it on the server's side": lambda name: (
        "PATCH",
        f"{DEPLOYMENTS}/{name}?fieldManager=bench&force=true",
        deployment(name, "nginx:1.28"),
        "apply-patch+yaml",
    ),
}


async def _run(pid: int, kubeconfig: dict[str, Any], calls: int) -> dict[str, Any]:
    cluster = kubeconfig["clusters"][0]["cluster"]
    context = ssl.create_default_context(
        cadata=base64.b64decode(cluster["certificate-authority-data"]).decode()
    )
    host, port = cluster["server"].removeprefix("https://").split(":")
    token = kubeconfig["users"][0]["user"]["token"]

    async def connect() -> Connection:
        return Connection(*await asyncio.open_connection(host, int(port), ssl=context, limit=1 << 20), token)

    idle = [await connect() for _ in range(max(CALLERS))]
    results: dict[str, Any] = {}

    async def timed(what: str, call: Callable[[Connection], Any], count: int, callers: int) -> None:
        async def once() -> None:
            connection = idle.pop()
            await call(connection)
            idle.append(connection)

        before = await settled(pid)
        figures = await measure(once, calls=count, callers=callers)
        load = round(os.getloadavg()[0], 1)
        figures["ms of CPU"] = round((await settled(pid) - before) / count * 1000, 2)
        results[what] = figures | {"load": load}

    for callers in CALLERS:
        for what, make in WRITES.items():
            names = iter(f"bench-{callers}-{number}" for number in range(calls))

            async def write(
                connection: Connection, make: Callable[[str], Request] = make, names: Iterator[str] = names
            ) -> None:
                method, path, body, kind = make(next(names))
                await connection.call(
                    method, path, f"Content-Type: application/{kind}\r\n", json.dumps(body).encode()
                )

            await timed(f"{what}, {callers} at once", write, calls if callers > 1 else calls // 4, callers)
    some = f"{DEPLOYMENTS}?limit={LISTED}"
    size = len(await idle[0].call("GET", some))
    await timed(f"list {LISTED} Deployments ({size / 1e6:.1f} MB)", lambda one: one.call("GET", some), 20, 1)
    await timed("the same as a Table", lambda one: one.call("GET", some, f"Accept: {_TABLE}\r\n"), 20, 1)
    results[f"a change until {WATCHERS} watches have it"] = await _fan_out(pid, idle[0], connect)
    return results


async def _fan_out(pid: int, writer: Connection, connect: Callable[[], Any]) -> dict[str, float]:
    watchers = [await connect() for _ in range(WATCHERS)]
    for one in watchers:
        await one.send("GET", f"{MAPS}?watch=true&resourceVersion=0&fieldSelector=metadata.name%3Dwatched")
    kind = "Content-Type: application/json\r\n"
    await writer.call("POST", MAPS, kind, json.dumps(config("watched", "first")).encode())
    before, samples = used(pid), []
    for number in range(20):
        mark = f"mark-{number}."
        began = time.perf_counter()
        waiting = asyncio.gather(*(one.until(mark.encode()) for one in watchers))
        await writer.call("PUT", f"{MAPS}/watched", kind, json.dumps(config("watched", mark)).encode())
        await waiting
        samples.append((time.perf_counter() - began) * 1000)
    samples.sort()
    return {
        "p50_ms": round(samples[len(samples) // 2], 1),
        "most_ms": round(samples[-1], 1),
        "ms of CPU": round((used(pid) - before) / len(samples) * 1000, 2),
        "load": round(os.getloadavg()[0], 1),
    }


def results(calls: int = 4000) -> dict[str, Any]:
    """Figures of a stand-in with nothing in it at first; 16 callers make so many calls of each sort."""
    with served() as (pid, kubeconfig):
        return {
            f"stand-in: {what}": figures for what, figures in uvloop.run(_run(pid, kubeconfig, calls)).items()
        }

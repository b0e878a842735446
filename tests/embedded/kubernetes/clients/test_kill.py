"""The server killed while it writes, over HTTPS: what it acknowledged is there, no revision comes twice."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import yaml

_WRITERS, _BEFORE = 8, 120


class Running(NamedTuple):
    """A server of its own process."""

    process: subprocess.Popen[bytes]
    url: str
    headers: dict[str, str]
    tls: ssl.SSLContext


def _start(data: Path) -> Running:
    command = [sys.executable, "-m", "ecns.embedded.kubernetes", "--data-dir", str(data), "--port", "0"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    url = process.stdout.readline().decode().strip()
    config = yaml.safe_load((data / "kubeconfig").read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    tls = ssl.create_default_context(cadata=authority)
    return Running(process, url, {"Authorization": f"Bearer {user['token']}"}, tls)


async def _write(server: Running, acknowledged: dict[str, dict[str, Any]], enough: asyncio.Event) -> None:
    """Eight clients make, change and delete ConfigMaps until the server is gone."""
    place = f"{server.url}/api/v1/namespaces/default/configmaps"

    async def one(session: aiohttp.ClientSession, writer: int) -> None:
        for number in range(10_000):
            name = f"w{writer}-{number}"
            body = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": name}}
            async with session.post(place, json=body, ssl=server.tls) as reply:
                assert reply.status == 201
                acknowledged[name] = await reply.json()
            if number % 3 == 1:
                patch = {"data": {"n": str(number)}}
                kind = {"Content-Type": "application/merge-patch+json"}
                url = f"{place}/{name}"
                async with session.patch(url, json=patch, headers=kind, ssl=server.tls) as reply:
                    assert reply.status == 200
                    acknowledged[name] = await reply.json()
            if number % 3 == 2:
                acknowledged[name] = {"asked": "deletion"}  # gone or not, until the answer is here
                async with session.delete(f"{place}/{name}", ssl=server.tls) as reply:
                    assert reply.status == 200
                    acknowledged[name] = {}
            if len(acknowledged) > _BEFORE:
                enough.set()

    async with aiohttp.ClientSession(headers=server.headers) as session:
        await asyncio.gather(*(one(session, writer) for writer in range(_WRITERS)), return_exceptions=True)


async def test_nothing_acknowledged_over_http_is_lost(tmp_path: Path) -> None:
    server = await asyncio.to_thread(_start, tmp_path)
    acknowledged: dict[str, dict[str, Any]] = {}
    enough = asyncio.Event()
    writing = asyncio.create_task(_write(server, acknowledged, enough))
    async with asyncio.timeout(60):
        await enough.wait()
        os.kill(server.process.pid, signal.SIGKILL)
        await writing
    server.process.communicate()
    last = max(int(obj["metadata"]["resourceVersion"]) for obj in acknowledged.values() if "metadata" in obj)

    server = await asyncio.to_thread(_start, tmp_path)
    try:
        async with aiohttp.ClientSession(headers=server.headers) as session:
            place = f"{server.url}/api/v1/namespaces/default/configmaps"
            async with session.get(place, ssl=server.tls) as reply:
                there = {item["metadata"]["name"]: item for item in (await reply.json())["items"]}
            body = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "after"}}
            async with session.post(place, json=body, ssl=server.tls) as reply:
                after = await reply.json()
    finally:
        await asyncio.to_thread(server.process.communicate)
    for name, obj in acknowledged.items():
        if not obj:
            assert name not in there
        elif "metadata" in obj:
            kept = there[name]
            assert int(kept["metadata"]["resourceVersion"]) >= int(obj["metadata"]["resourceVersion"])
            assert kept["metadata"]["uid"] == obj["metadata"]["uid"]
            assert kept.get("data", {}).items() >= obj.get("data", {}).items()
    seen = max(int(item["metadata"]["resourceVersion"]) for item in there.values())
    assert int(after["metadata"]["resourceVersion"]) > max(last, seen)

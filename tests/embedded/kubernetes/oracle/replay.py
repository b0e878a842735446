"""Sends recorded requests to the embedded server again and compares its answers with the recorded ones."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import copy
import io
import json
import os
import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from tests.embedded.kubernetes.oracle import normal, scenes

from ecns.embedded.kubernetes import bootstrap, controllers, requests
from ecns.embedded.kubernetes.auth import Authenticator
from ecns.embedded.kubernetes.cluster import Cluster
from ecns.embedded.kubernetes.server import Server

ROOT = Path(__file__).resolve().parents[4]
FOLDER = Path(os.environ.get("ECNS_ORACLE", ROOT.parent / "shared" / "oracle"))
FILES = ("discovery", "defaults", "errors", "patches", "apply", "watch", "controllers", "streams")
TIMED = ("controllers", "streams")
"""Files in which it depends on the moment which of several states is caught."""
TOKEN = "oracle-admin"
_QUIET = 0.03
_SETTLED = 2.0
_PATIENCE = {"controllers": 4.0, "streams": 4.0, "defaults": 4.0, "watch": 1.0}
_AT_ONCE = 12


class Exchange:
    """One recorded exchange."""

    def __init__(self, line: dict[str, Any]) -> None:
        self.id: str = line["id"]
        self.note: str = line["note"]
        self.request: dict[str, Any] = line["request"]
        self.response: dict[str, Any] = line["response"]
        self.scene = self.id.partition("/")[0]


class Difference:
    """An answer that is not the recorded one."""

    def __init__(self, exchange: Exchange, ours: dict[str, Any], expected: Any, got: Any) -> None:
        self.exchange = exchange
        self.ours = ours
        self.expected = expected
        self.got = got

    def lines(self, limit: int = 12) -> list[str]:
        """Where the two differ."""
        found: list[str] = []
        _compare("", self.expected, self.got, found)
        return found[:limit]


def _compare(path: str, expected: Any, got: Any, found: list[str]) -> None:
    if isinstance(expected, dict) and isinstance(got, dict):
        for key in [*expected, *(key for key in got if key not in expected)]:
            where = f"{path}.{key}" if path else key
            if key not in got:
                found.append(f"- {where}: {_short(expected[key])}")
            elif key not in expected:
                found.append(f"+ {where}: {_short(got[key])}")
            else:
                _compare(where, expected[key], got[key], found)
    elif isinstance(expected, list) and isinstance(got, list):
        if len(expected) != len(got):
            found.append(f"! {path}: {len(expected)} items, we have {len(got)}")
        for index, (left, right) in enumerate(zip(expected, got, strict=False)):
            _compare(f"{path}[{index}]", left, right, found)
    elif expected != got:
        found.append(f"! {path}: {_short(expected)}  |  ours: {_short(got)}")


def _short(value: Any) -> str:
    shown = json.dumps(value, ensure_ascii=False)
    return shown if len(shown) <= 700 else shown[:697] + "..."


def load(name: str) -> dict[str, list[Exchange]]:
    """The scenarios of one file."""
    found: dict[str, list[Exchange]] = {}
    with (FOLDER / f"{name}.jsonl").open() as lines:
        for line in lines:
            exchange = Exchange(json.loads(line))
            found.setdefault(exchange.scene, []).append(exchange)
    return found


class Scene:
    """One scenario, replayed on a server of its own."""

    def __init__(self, file: str, name: str, exchanges: list[Exchange]) -> None:
        self.file = file
        self.name = name
        self.exchanges = exchanges
        self.cluster = Cluster()
        self._strings = dict(scenes.NODES)
        self._versions: list[tuple[int, int]] = []
        self._token = ""
        self._url = ""

    async def run(self) -> list[Difference]:
        """Replays it; returns what differs."""
        accounts = Authenticator(
            TOKEN,
            b"k" * 32,
            lambda space, name: self.cluster.find("serviceaccounts", name, space),
            anonymous=self.name != "auth-no-anonymous",
        )
        server = Server(self.cluster, accounts)
        bootstrap.ensure(self.cluster, "(certificate removed)")
        running = controllers.start(self.cluster)
        port = await server.start()
        self._url = f"http://127.0.0.1:{port}"
        differences = []
        try:
            async with aiohttp.ClientSession() as session:
                self._session = session
                await self._prepare()
                for exchange in self.exchanges:
                    difference = await self._replay(exchange)
                    if difference is not None:
                        differences.append(difference)
        finally:
            await server.stop()
            for controller in running:
                controller.stop()
            self.cluster.close()
        return differences

    async def _prepare(self) -> None:
        made = {
            (exchange.request["body"] or {}).get("metadata", {}).get("name")
            for exchange in self.exchanges
            if exchange.request["path"] == "/api/v1/namespaces"
            and exchange.request["method"] == "POST"
            and isinstance(exchange.request["body"], dict)
            and exchange.response["status"] == 201
        }
        wanted = []
        for exchange in self.exchanges:
            found = re.match(r"/api(?:s/[^/]+)?/[^/]+/namespaces/([^/]+)", exchange.request["path"])
            if found and found[1].startswith(self.name) and found[1] not in {*made, *wanted}:
                wanted.append(found[1])
        for name in wanted:
            labels = scenes.NAMESPACE_LABELS.get(name, {})
            body = {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": name, "labels": labels}}
            await self._send("POST", "/api/v1/namespaces", body)
        await self._settle()
        await self._send("DELETE", "/apis/storage.k8s.io/v1/storageclasses/standard", None)
        if self.file == "controllers" and self.name not in scenes.ALL_NODES:
            for node in list(scenes.NODES.values())[1:]:
                await self._send("PATCH", f"/api/v1/nodes/{node}", {"spec": {"unschedulable": True}})
        inferred = []
        if self.file == "controllers" and self.name not in scenes.SETUPS:
            inferred = scenes.infer(copy.deepcopy(self.exchanges))
        for method, path, body in scenes.SETUPS.get(self.name, inferred):
            status, text = await self._send(method, path, body)
            assert status < 300, f"setup of {self.name}: {method} {path}: {text}"
            await self._settle()
        if inferred or self.name in scenes.SETUPS:
            self._versions.append((0, self.cluster.store.revision))

    async def _send(self, method: str, path: str, body: Any) -> tuple[int, str]:
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": kind}
        data = None if body is None else json.dumps(body)
        async with self._session.request(
            method, self._url + path, data=data, headers=headers, skip_auto_headers={"User-Agent"}
        ) as response:
            return response.status, await response.text()

    async def _settle(self) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + _SETTLED
        seen = -1
        while seen != self.cluster.store.revision and loop.time() < end:
            seen = self.cluster.store.revision
            await asyncio.sleep(_QUIET)

    async def _replay(self, exchange: Exchange) -> Difference | None:
        loop = asyncio.get_running_loop()
        reads = exchange.request["method"] == "GET" and not exchange.request["query"].get("watch")
        reads = reads and "sec-websocket-protocol" not in exchange.request["headers"]
        end = loop.time() + (_PATIENCE.get(self.file, 0.0) if reads else 0.0)
        await self._settle()
        if before := scenes.BEFORE.get(exchange.id):
            await self._send(*before)
        if resource := scenes.COMPACTED.get(exchange.id):
            self.cluster.store.compact(resource)
        if meanwhile := scenes.MEANWHILE.get(exchange.id):
            loop.call_later(0.5, lambda: asyncio.ensure_future(self._send(*meanwhile)))
        while True:
            ours = await self._ask(exchange)
            expected, got = self._normal(exchange.response, ours)
            if expected == got or loop.time() >= end:
                break
            await asyncio.sleep(0.2)
        self._learn(exchange.response["body"], ours["body"])
        return None if expected == got else Difference(exchange, ours, expected, got)

    async def _ask(self, exchange: Exchange) -> dict[str, Any]:
        request = exchange.request
        self._adopt(request["path"])
        headers = dict(request["headers"])
        auth = scenes.AUTH.get(exchange.id, request.get("auth"))
        if auth != "none":
            token = {"invalid": "not-a-token", "serviceaccount": self._token}.get(auth or "", TOKEN)
            headers["authorization"] = f"Bearer {token}"
        query = [
            (key, self._ours(item, key))
            for key, value in request["query"].items()
            for item in (value if isinstance(value, list) else [value])
        ]
        url = self._url + self._ours(request["path"])
        if "sec-websocket-protocol" in headers:
            return await self._websocket(exchange, url, query, headers)
        body = self._body(exchange)
        data = (
            body.encode()
            if isinstance(body, str)
            else json.dumps(body).encode()
            if body is not None
            else None
        )
        skip = {"Content-Type", "Accept", "User-Agent"}
        wait = aiohttp.ClientTimeout(total=30)
        from yarl import URL  # noqa: PLC0415  beside its use

        async with self._session.request(
            request["method"],
            URL(url, encoded=False),
            params=query,
            headers=headers,
            data=io.BytesIO(data) if data is not None else None,
            skip_auto_headers=skip,
            timeout=wait,
            allow_redirects=False,
        ) as response:
            shown = {
                key: response.headers[key]
                for key in ("content-type", "retry-after")
                if key in response.headers
            }
            warnings = response.headers.getall("warning", [])
            if warnings:
                shown["warning"] = warnings
            text = await self._text(response, exchange)
        return {"status": response.status, "headers": shown, "body": _decoded(text, shown, exchange)}

    async def _text(self, response: aiohttp.ClientResponse, exchange: Exchange) -> str:
        if exchange.response.get("end") != "client":
            return await response.text()
        recorded = exchange.response["body"]
        lines = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(3):
                async for line in response.content:
                    lines.append(line.decode())
                    if isinstance(recorded, list) and len(lines) >= len(recorded):
                        break
        response.close()
        return "".join(lines)

    def _body(self, exchange: Exchange) -> Any:
        body = scenes.restore(exchange.request["body"], exchange.note)
        sent = self._ours_in(body)
        request, metadata = exchange.request, sent.get("metadata") if isinstance(sent, dict) else None
        if request["method"] == "PUT" and exchange.response["status"] == 200 and isinstance(metadata, dict):
            present = self._present(request["path"])
            if present and metadata.get("resourceVersion", "0") != "0":
                metadata["resourceVersion"] = present
        return sent

    def _adopt(self, path: str) -> None:
        """Lets a generated name that no answer told stand for one of ours."""
        target = requests.parse("GET", path, {})
        if target is None or not target.name or target.name in self._strings:
            return
        shown = normal.text(target.name)
        if shown == target.name or self.cluster.store.get(target.full, target.namespace, target.name):
            return
        for record in self.cluster.store.all(target.full, target.namespace):
            if normal.text(record.name) == shown and record.name not in self._strings.values():
                self._strings[target.name] = record.name
                return

    def _present(self, path: str) -> str:
        """The resourceVersion that the object of a path has now."""
        target = requests.parse("GET", path, {})
        if target is None:
            return ""
        found = self.cluster.store.get(target.full, target.namespace, target.name)
        return str(found.rv) if found else ""

    async def _websocket(
        self, exchange: Exchange, url: str, query: list[tuple[str, str]], headers: dict[str, str]
    ) -> dict[str, Any]:
        protocols = [item.strip() for item in headers.pop("sec-websocket-protocol").split(",")]
        for name in ("upgrade", "connection"):
            headers.pop(name, None)
        frames: list[dict[str, Any]] = []
        recorded = exchange.response["body"]
        try:
            async with self._session.ws_connect(
                url,
                params=query,
                headers=headers,
                protocols=protocols,
                timeout=aiohttp.ClientWSTimeout(ws_close=2),
            ) as socket:
                await self._talk(socket, recorded if isinstance(recorded, list) else [], frames)
                shown = {"sec-websocket-protocol": socket.protocol} if socket.protocol else {}
                return {"status": 101, "headers": shown, "body": frames}
        except aiohttp.WSServerHandshakeError as error:
            return await self._refusal(exchange, url, query, headers, error)

    async def _refusal(
        self,
        exchange: Exchange,
        url: str,
        query: list[tuple[str, str]],
        headers: dict[str, str],
        error: aiohttp.WSServerHandshakeError,
    ) -> dict[str, Any]:
        """Asks once more by hand, since a failed handshake tells no body."""
        key = base64.b64encode(b"0123456789abcdef").decode()
        asked = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        asked |= {
            **headers,
            "Sec-WebSocket-Key": key,
            "Sec-WebSocket-Protocol": exchange.request["headers"]["sec-websocket-protocol"],
        }
        async with self._session.get(url, params=query, headers=asked) as response:
            shown = {key: response.headers[key] for key in ("content-type",) if key in response.headers}
            text = await response.text()
        return {"status": error.status, "headers": shown, "body": _decoded(text, shown, exchange)}

    async def _talk(self, socket: Any, recorded: list[dict[str, Any]], frames: list[dict[str, Any]]) -> None:
        for frame in recorded:
            if frame["from"] == "client" and frame["op"] != "close":
                channel = frame.get("channel")
                data = frame.get("data", "")
                if frame["op"] == "binary":
                    await socket.send_bytes(bytes([channel]) + data.encode())
                else:
                    await socket.send_str(f"{channel}{data}")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(4):
                while True:
                    message = await socket.receive()
                    if message.type == aiohttp.WSMsgType.BINARY:
                        frames.append(
                            {
                                "from": "server",
                                "op": "binary",
                                "channel": message.data[0],
                                "data": message.data[1:].decode(errors="replace"),
                            }
                        )
                    elif message.type == aiohttp.WSMsgType.TEXT:
                        frames.append(
                            {
                                "from": "server",
                                "op": "text",
                                "channel": ord(message.data[:1]),
                                "data": message.data[1:],
                            }
                        )
                    else:
                        frames.append({"from": "server", "op": "close", "code": socket.close_code})
                        return

    # what one run calls a thing, and the other

    def _ours(self, value: str, key: str = "") -> str:
        if key == "resourceVersion" and value.isdigit():
            return self._version(value)
        if key == "continue":
            return self._continue(value)
        for theirs, ours in self._strings.items():
            if theirs in value:
                value = value.replace(theirs, ours)
        return value

    def _version(self, value: str) -> str:
        number = int(value)
        if number in {0, 1, 5} or number > 10**7:
            return value
        best = max((pair for pair in self._versions if pair[0] <= number), default=None)
        return str(best[1]) if best else str(self.cluster.store.oldest("configmaps"))

    def _continue(self, value: str) -> str:
        try:
            decoded = json.loads(base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)))
        except ValueError:
            return value
        if decoded.get("v") != "meta.k8s.io/v1" or decoded["rv"] < 0:
            return value
        decoded["rv"] = int(self._version(str(decoded["rv"])))
        return base64.urlsafe_b64encode(json.dumps(decoded).encode()).decode().rstrip("=")

    def _ours_in(self, value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: self._ours_in(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [self._ours_in(item, key) for item in value]
        if isinstance(value, str) and value:
            if value == "(token removed)":
                return self._token
            return self._ours(value, key)
        return value

    def _learn(self, theirs: Any, ours: Any, key: str = "") -> None:
        if isinstance(theirs, dict) and isinstance(ours, dict):
            for name, item in theirs.items():
                if name in ours:
                    self._learn(item, ours[name], name)
        elif isinstance(theirs, list) and isinstance(ours, list):
            for left, right in zip(theirs, ours, strict=False):
                self._learn(left, right, key)
        elif isinstance(theirs, str) and isinstance(ours, str):
            if key == "resourceVersion" and theirs.isdigit() and ours.isdigit():
                self._versions.append((int(theirs), int(ours)))
            elif key == "token":
                self._token = ours
            elif (
                theirs != ours
                and key in {"uid", "name"}
                and len(theirs) > 5
                and normal.text(theirs) == normal.text(ours)
            ):
                self._strings[theirs] = ours

    def _normal(self, recorded: dict[str, Any], ours: dict[str, Any]) -> tuple[Any, Any]:
        managed = self.file == "apply"
        results = []
        for answer in (recorded, ours):
            body = answer["body"]
            if isinstance(body, str) and "yaml" in answer["headers"].get("content-type", ""):
                body = yaml.safe_load(body)
            body = normal.generated(body, normal.names(body, {}))
            body = normal.body(body, managed=managed)
            if self.file == "controllers" and isinstance(body, list):
                body = normal.grouped(body)
            if isinstance(body, list) and body and isinstance(body[0], dict) and "op" in body[0]:
                body = _joined(body)
            headers = dict(answer["headers"])
            if "warning" in headers:
                headers["warning"] = sorted(normal.text(item) for item in headers["warning"])
            headers.pop("content-length", None)
            results.append({"status": answer["status"], "headers": headers, "body": body})
        return results[0], results[1]


def _joined(frames: list[dict[str, Any]]) -> list[Any]:
    """A channel's output in one piece, however it was cut; empty frames and the client's left out."""
    output: dict[int, str] = {}
    closed = []
    for frame in frames:
        if frame.get("from") != "server":
            continue
        if frame["op"] == "close":
            closed.append(frame.get("code"))
        else:
            output[frame["channel"]] = output.get(frame["channel"], "") + frame.get("data", "")
    return [dict(sorted((channel, data) for channel, data in output.items() if data)), closed]


def _decoded(text: str, headers: dict[str, str], exchange: Exchange) -> Any:
    if not text:
        return [] if exchange.response["body"] == [] else None
    if "yaml" in headers.get("content-type", ""):
        return yaml.safe_load(text)
    if "json" not in headers.get("content-type", ""):
        return text
    recorded = exchange.response["body"]
    if isinstance(recorded, list):
        try:
            return [json.loads(line) for line in text.splitlines()]
        except ValueError:
            return text
    try:
        return json.loads(text)
    except ValueError:
        return text


async def replay(file: str, only: str = "") -> tuple[int, list[Difference]]:
    """Replays a file's scenarios (those that begin with `only`): how many exchanges, and what differs."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(name: str, exchanges: list[Exchange]) -> list[Difference]:
        async with gate:
            return await Scene(file, name, exchanges).run()

    chosen = {name: found for name, found in load(file).items() if name.startswith(only)}
    results = await asyncio.gather(*(one(name, found) for name, found in chosen.items()))
    return sum(map(len, chosen.values())), [difference for found in results for difference in found]


def known() -> dict[str, str]:
    """Exchange → why it differs, out of differences.toml."""
    document = tomllib.loads((Path(__file__).parent / "differences.toml").read_text())
    return {
        identity: entry["reason"] for entry in document.get("difference", ()) for identity in entry["ids"]
    }


def varying() -> set[str]:
    """Exchanges that differ in some runs only: which of several states is caught."""
    document = tomllib.loads((Path(__file__).parent / "differences.toml").read_text())
    found = (entry["ids"] for entry in document.get("difference", ()) if entry.get("varies"))
    return {identity for ids in found for identity in ids}


def limits() -> dict[str, int]:
    """How many exchanges of a timed file may differ."""
    document = tomllib.loads((Path(__file__).parent / "differences.toml").read_text())
    found: dict[str, int] = document["limits"]
    return found


def identities(file: str) -> set[str]:
    """Every exchange of a file."""
    return {exchange.id for found in load(file).values() for exchange in found}


def counted(differences: list[Difference], reasons: dict[str, str]) -> Counter[str]:
    """How many differ for each reason."""
    return Counter(reasons.get(item.exchange.id, "not known") for item in differences)

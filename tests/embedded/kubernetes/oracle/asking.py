"""Sends one recorded request to our server, over HTTP or a WebSocket."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import yaml
from tests.embedded.kubernetes.oracle import scenes
from tests.embedded.kubernetes.oracle.comparing import Exchange, joined
from yarl import URL

if TYPE_CHECKING:
    from tests.embedded.kubernetes.oracle.naming import Naming

TOKEN = "oracle-admin"


class Asker:
    """A client of one server, which speaks in its names."""

    def __init__(self, session: aiohttp.ClientSession, url: str, naming: Naming) -> None:
        self._session = session
        self._url = url
        self._naming = naming

    async def send(self, method: str, path: str, body: Any) -> tuple[int, str]:
        """Sends something that was not recorded; returns the status and the text."""
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": kind}
        data = None if body is None else json.dumps(body)
        async with self._session.request(
            method, self._url + path, data=data, headers=headers, skip_auto_headers={"User-Agent"}
        ) as response:
            return response.status, await response.text()

    async def ask(self, exchange: Exchange) -> dict[str, Any]:
        """Sends a recorded request; returns the answer as one is recorded."""
        request = exchange.request
        self._naming.adopt(request["path"])
        headers = dict(request["headers"])
        auth = scenes.AUTH.get(exchange.id, request.get("auth"))
        if auth != "none":
            token = {"invalid": "not-a-token", "serviceaccount": self._naming.token}.get(auth or "", TOKEN)
            headers["authorization"] = f"Bearer {token}"
        query = [
            (key, self._naming.ours(item, key))
            for key, value in request["query"].items()
            for item in (value if isinstance(value, list) else [value])
        ]
        url = self._url + self._naming.ours(request["path"])
        if "sec-websocket-protocol" in headers:
            return await self._websocket(exchange, url, query, headers)
        body = self._naming.body(exchange)
        data = (
            body.encode()
            if isinstance(body, str)
            else json.dumps(body).encode()
            if body is not None
            else None
        )
        skip = {"Content-Type", "Accept", "User-Agent"}
        wait = aiohttp.ClientTimeout(total=30)
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
        closes = any(frame["op"] == "close" and frame["from"] == "client" for frame in recorded)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                while True:
                    message = await socket.receive()
                    if message.type == aiohttp.WSMsgType.BINARY:
                        frames.append(
                            {
                                "from": "server",
                                "op": "binary",
                                "channel": message.data[0],
                                "data": message.data[1:].decode(errors="backslashreplace"),
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
                    if closes and joined(frames)[0] == joined(recorded)[0]:
                        break
        if closes:
            await socket.close()
            frames.append({"from": "server", "op": "close", "code": socket.close_code})


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

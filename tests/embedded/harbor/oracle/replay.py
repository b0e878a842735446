"""Sends what was recorded of a real Harbor to the stand-in again, and compares the answers."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import yarl
from tests.embedded.harbor.serving import PASSWORD, serving
from tests.embedded.oracle import FOLDER, Known, compare

from ecns.embedded.harbor.collection import SCHEDULED
from ecns.embedded.harbor.harbor import Harbor

KNOWN = Known(Path(__file__).with_name("differences.toml"))
FILES = ("harbor", "harbor-registry")
HOST = "harbor.test"
USER_PASSWORD = "Secret-12345"
NEVER = "0001-01-01T00:00:00.000Z"
SLOW_LOGIN = "users/current-locking"
"""Sent first: the exchange before it is answered while this one waits."""
RUNS = {
    "gc/one": 4,
    "gc/one-dry": 5,
    "gc/one-real": 6,
    "gc/one-last": 9,
    "gc/put-none": 15,
    "gc/history-scheduled": 17,
}
"""Exchanges before which a collection must have come to its end."""
STOPPED = {7, 8}
"""Collections that were stopped before they swept anything."""
BLOBS = 1500
"""That no manifest names, pushed before `gc/post-long`."""

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_JOB = re.compile(r'(details\\*":\\*")[0-9a-f]{24}')
_STATE = re.compile(r"_state=[\w*-]+")


class Exchange:
    """One recorded exchange."""

    def __init__(self, line: dict[str, Any]) -> None:
        self.id: str = line["id"]
        self.seq: int = line["seq"]
        self.saves: str = line.get("saves", "")
        self.claims: dict[str, Any] | None = line["response"].get("claims")
        self.request: dict[str, Any] = line["request"]
        self.response: dict[str, Any] = line["response"]


class Difference:
    """An answer that is not the recorded one."""

    def __init__(self, exchange: Exchange, expected: Any, got: Any) -> None:
        self.id = exchange.id
        self.exchange = exchange
        self.expected = expected
        self.got = got

    def lines(self, limit: int = 12) -> list[str]:
        """Where the two differ."""
        return compare(self.expected, self.got, ordered=True)[:limit]


def recorded() -> list[Exchange]:
    """Every exchange, in the order in which they were recorded."""
    found = []
    for name in FILES:
        with (FOLDER / f"{name}.jsonl").open() as lines:
            found += [Exchange(json.loads(line)) for line in lines]
    return sorted(found, key=lambda exchange: exchange.seq)


def _text(value: str) -> str:
    """A text with what varies from run to run replaced."""
    value = _TIME.sub(lambda found: NEVER if found[0] == NEVER else "<time>", value)
    value = _JOB.sub(r"\1<job>", value)
    return _STATE.sub("_state=<state>", _UUID.sub("<uuid>", value))


def normal(value: Any, key: str = "") -> Any:
    """A body with what varies from run to run replaced."""
    if isinstance(value, dict):
        return {name: normal(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [normal(item) for item in value]
    if key in {"secret", "token"}:
        return "<secret>"
    if key == "harbor_version":
        return "<version>"  # of a build: the recorded one had none, the stand-in's says what it is
    if key in {"free", "total"}:
        return "<bytes>"
    if key == "expires_at":
        return "<time>" if value > 0 else value
    if key == "job_parameters":
        return {**json.loads(value), "redis_url_reg": "<url>"} if "redis_url_reg" in value else value
    if key == "actions":
        return sorted(value)
    return _text(value) if isinstance(value, str) else value


def _claims(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))


def _plain_claims(claims: dict[str, Any]) -> dict[str, Any]:
    """Claims without times; the lifetime stays."""
    found = {key: value for key, value in claims.items() if key not in {"exp", "nbf", "iat", "jti"}}
    found["seconds"] = claims["exp"] - claims["iat"]
    for access in found["access"] or ():
        access["actions"] = sorted(access["actions"])
    return found


class Replay:
    """One run through everything that was recorded."""

    def __init__(self, harbor: Harbor, url: str) -> None:
        self.harbor = harbor
        self.url = url
        self.differences: list[Difference] = []
        self._tokens: dict[str, str] = {}
        self._robot = ("", "")
        self._uploads: dict[str, tuple[str, list[str]]] = {}
        """Recorded id of an upload → ours, and the states that we were given."""
        self._csrf = ("", "")
        self._released = 0
        """The last collection that may come to its end."""
        self._hold()

    async def run(self) -> list[Difference]:
        """Replay it; what differs."""
        jar = aiohttp.DummyCookieJar()
        pending: tuple[Exchange, asyncio.Task[None]] | None = None
        timeout = aiohttp.ClientTimeout(total=30)
        async with aiohttp.ClientSession(cookie_jar=jar, auto_decompress=False, timeout=timeout) as session:
            exchanges = recorded()
            for place, exchange in enumerate(exchanges):
                await self._before(exchange)
                following = exchanges[place + 1] if place + 1 < len(exchanges) else None
                if following is not None and following.id == SLOW_LOGIN:
                    accounts = self.harbor.accounts
                    accounts.frozen_seconds, quick = 2.0, accounts.frozen_seconds
                    pending = (following, asyncio.create_task(self._exchange(session, following)))
                    while "admin" not in accounts._frozen:  # noqa: ASYNC110  as above
                        await asyncio.sleep(0.01)
                    accounts.frozen_seconds = quick
                if pending is not None and pending[0] is exchange:
                    await pending[1]
                    pending = None
                    continue
                await self._exchange(session, exchange)
        return self.differences

    async def _before(self, exchange: Exchange) -> None:
        """What was done between exchanges and not recorded."""
        store = self.harbor.store
        if exchange.id in {"pulls/before", "pulls/unchanged", "pulls/after"}:
            self.harbor.pulls.write()
        if exchange.id == "gc/post-long":
            for number in range(BLOBS):
                digest = f"sha256:{hashlib.sha256(str(number).encode()).hexdigest()}"
                size = 15390 // BLOBS + (number < 15390 % BLOBS)
                store.run("INSERT INTO blob VALUES (?, ?, '', 1)", digest, size)
        if exchange.id == "gc/post-none-end":
            self.harbor.collector.begin(SCHEDULED, {})
        if exchange.id in RUNS:
            self._released = RUNS[exchange.id]
            sql = "SELECT status FROM collection WHERE id = ?"
            while store.value(sql, RUNS[exchange.id]) == "Running":  # noqa: ASYNC110  as any client would
                await asyncio.sleep(0.02)

    def _hold(self) -> None:
        """Let collections go on only as far as the real ones had got when they were asked."""
        collector = self.harbor.collector
        sweep = collector._sweep

        async def settle(identity: int, _until: float) -> None:
            while identity > self._released:
                collector._check(identity)
                await asyncio.sleep(0.01)

        async def held(identity: int, candidates: list[Any], cutoff: int) -> list[Any]:
            if identity in STOPPED:
                await settle(identity, 0)
            return await sweep(identity, candidates, cutoff)

        collector._settle = settle  # type: ignore[method-assign]
        collector._sweep = held  # type: ignore[method-assign]

    def _credentials(self, auth: str) -> dict[str, str]:
        names = {
            "admin": ("admin", PASSWORD),
            "user-a": ("user-a", USER_PASSWORD),
            "wrong": ("admin", "wrong"),
            "unknown": ("nobody-here", "Secret-12345"),
            "robot": self._robot,
        }
        if auth == "none":
            return {}
        if auth == "bearer-bad":
            return {"Authorization": "Bearer bad"}
        if auth.startswith("bearer-"):
            return {"Authorization": f"Bearer {self._tokens[auth]}"}
        encoded = base64.b64encode(":".join(names[auth]).encode()).decode()
        return {"Authorization": f"Basic {encoded}"}

    def _path(self, exchange: Exchange) -> str:
        path: str = exchange.request["path"]
        query = exchange.request["query"]
        upload = _UUID.search(path)
        ours, states = self._uploads[upload[0]] if upload else ("", [])
        if upload:
            path = path.replace(upload[0], ours)
        if isinstance(query, str):
            return f"{path}?{query}"
        pairs = []
        for key, value in query.items():
            for item in value if isinstance(value, list) else [value]:
                shown = str(item)
                if key == "_state":
                    shown = states[0] if exchange.id.endswith("patch-stale") else states[-1]
                pairs.append(f"{_quoted(key)}={_quoted(shown)}")
        return f"{path}?{'&'.join(pairs)}" if pairs else path

    def _body(self, exchange: Exchange) -> bytes | None:
        body = exchange.request["body"]
        if body is None:
            return None
        if isinstance(body, dict) and set(body) == {"base64"}:
            return base64.b64decode(body["base64"])
        if isinstance(body, str):
            return body.encode()
        if isinstance(body, dict) and body.get("password") == "***":
            body = {**body, "password": USER_PASSWORD}
        return json.dumps(body).encode()

    async def _exchange(self, session: aiohttp.ClientSession, exchange: Exchange) -> None:
        headers = {"Host": HOST, **self._credentials(exchange.request["auth"])}
        headers |= exchange.request["headers"]
        if "_gorilla_csrf" in headers.get("cookie", ""):
            headers["cookie"] = f"sid=any; {self._csrf[0]}"
            headers["x-harbor-csrf-token"] = self._csrf[1]
        skipped = ("User-Agent", "Accept", "Content-Type", "Accept-Encoding")
        async with session.request(
            exchange.request["method"],
            yarl.URL(f"{self.url}{self._path(exchange)}", encoded=True),
            data=self._body(exchange),
            headers=headers,
            skip_auto_headers=skipped,
            allow_redirects=False,
        ) as answer:
            raw = await answer.read()
        self._remember(exchange, answer, raw)
        expected, got = self._expected(exchange), self._got(exchange, answer, raw)
        if compare(expected, got, ordered=True):
            self.differences.append(Difference(exchange, expected, got))

    def _remember(self, exchange: Exchange, answer: aiohttp.ClientResponse, raw: bytes) -> None:
        theirs = exchange.response["headers"].get("docker-upload-uuid")
        location = answer.headers.get("Location", "")
        if theirs and "_state=" in location:
            ours = answer.headers["Docker-Upload-Uuid"]
            states = self._uploads.setdefault(theirs, (ours, []))[1]
            states.append(location.partition("_state=")[2])
        elif theirs:
            self._uploads.setdefault(theirs, ("00000000-0000-4000-8000-000000000000", ["none"]))
        if exchange.saves:
            self._tokens[exchange.saves] = json.loads(raw)["token"]
        if exchange.id == "robots/create":
            made = json.loads(raw)
            self._robot = (made["name"], made["secret"])
        for cookie in answer.headers.getall("Set-Cookie", []):
            if cookie.startswith("_gorilla_csrf="):
                self._csrf = (cookie.partition(";")[0], answer.headers["X-Harbor-CSRF-Token"])

    def _expected(self, exchange: Exchange) -> dict[str, Any]:
        headers = dict(exchange.response["headers"])
        if "set-cookie" in headers:
            cookies = headers["set-cookie"]
            cookies = cookies if isinstance(cookies, list) else [cookies]
            headers["set-cookie"] = sorted(_cookie(cookie) for cookie in cookies)
        if "x-harbor-csrf-token" in headers:
            headers["x-harbor-csrf-token"] = "<token>"
        body = exchange.response["body"]
        if isinstance(body, dict) and set(body) == {"base64"}:
            body = base64.b64decode(body["base64"]).decode("latin-1")
        shown: dict[str, Any] = {
            "status": exchange.response["status"],
            "headers": {name: normal(value) for name, value in sorted(headers.items())},
            "body": normal(body),
        }
        if "body_raw" in exchange.response:
            shown["text"] = _text(exchange.response["body_raw"])
        if exchange.claims is not None:
            shown["claims"] = _plain_claims(exchange.claims)
        return shown

    def _got(self, exchange: Exchange, answer: aiohttp.ClientResponse, raw: bytes) -> dict[str, Any]:
        headers: dict[str, Any] = {}
        for name in exchange.response["headers"].keys() | set(_COMPARED):
            values = answer.headers.getall(name, [])
            if not values or (name == "content-length" and exchange.request["method"] != "HEAD"):
                continue
            if name == "content-length" and "content-length" not in exchange.response["headers"]:
                continue
            headers[name] = values[0]
            if name == "set-cookie":
                headers[name] = sorted(_cookie(cookie) for cookie in values)
        if "x-harbor-csrf-token" in headers:
            headers["x-harbor-csrf-token"] = "<token>"
        body: Any = None
        if raw or exchange.response["body"] == "":
            body = raw.decode("latin-1" if "octet-stream" in headers.get("content-type", "") else "utf-8")
            if headers.get("content-type", "").startswith("application/json"):
                body = json.loads(raw) if raw else None
            if isinstance(exchange.response["body"], dict) and "octet-stream" in headers.get(
                "content-type", ""
            ):
                body = raw.decode("latin-1")
        shown: dict[str, Any] = {
            "status": answer.status,
            "headers": {name: normal(value) for name, value in sorted(headers.items())},
            "body": normal(body),
        }
        if "body_raw" in exchange.response:
            shown["text"] = _text(raw.decode())
        if exchange.claims is not None and isinstance(body, dict) and "token" in body:
            shown["claims"] = _plain_claims(_claims(body["token"]))
        return shown


_COMPARED = (
    "content-type",
    "location",
    "link",
    "x-total-count",
    "www-authenticate",
    "docker-content-digest",
    "range",
    "docker-upload-uuid",
    "docker-distribution-api-version",
    "etag",
    "allow",
    "content-range",
    "set-cookie",
    "x-harbor-csrf-token",
)


def _cookie(cookie: str) -> str:
    """A cookie without its value and end."""
    name, _, rest = cookie.partition("=")
    attributes = [part.strip() for part in rest.split(";")[1:]]
    return "; ".join([name, *(part for part in attributes if not part.startswith("Expires="))])


def _quoted(text: str) -> str:
    return quote(text, safe="")


async def replay(folder: Path) -> list[Difference]:
    """Replay everything on a fresh stand-in that keeps its things in a folder."""
    async with serving(folder, pull_seconds=3600) as (harbor, url):
        return await Replay(harbor, url).run()

"""Sends recorded requests to the embedded server again and compares its answers with the recorded ones."""

from __future__ import annotations

import asyncio
import copy
import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from tests.embedded.kubernetes.oracle import moments, normal, scenes
from tests.embedded.kubernetes.oracle.asking import TOKEN, Asker
from tests.embedded.kubernetes.oracle.comparing import (
    Difference,
    Exchange,
    is_events,
    is_history,
    is_table,
    joined,
)
from tests.embedded.kubernetes.oracle.naming import Naming
from tests.embedded.kubernetes.oracle.timing import Loop
from tests.embedded.oracle import FOLDER, Known

from ecns.embedded.kubernetes import bootstrap, controllers, requests
from ecns.embedded.kubernetes.auth import Authenticator
from ecns.embedded.kubernetes.cluster import Cluster
from ecns.embedded.kubernetes.server import Server

KNOWN = Known(Path(__file__).with_name("differences.toml"))
FILES = ("discovery", "defaults", "errors", "patches", "apply", "watch", "controllers", "streams")
_QUIET = 0.03
_OK, _FAILED = 200, 300
_SETTLED = 2.0
_PATIENCE = {"controllers": 20.0, "streams": 40.0}
_LONG = {"tables": 0.0, "cron-runs": 130.0, "job-failed": 40.0, "pod-states": 60.0}
_WATCHED, _MEETINGS = 4.0, 30
_STEP = 0.5
_AT_ONCE = 6


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

    def __init__(self, file: str, name: str, exchanges: list[Exchange], loop: Loop) -> None:
        self.file = file
        self.name = name
        self.exchanges = exchanges
        self._loop = loop
        self.cluster = Cluster(now=loop.now)
        self._naming = Naming(self.cluster)
        self._rows: set[str] = set()

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
        differences = []
        try:
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
                self._asker = Asker(session, f"http://127.0.0.1:{port}", self._naming)
                await self._prepare()
                for exchange, following in zip(self.exchanges, [*self.exchanges[1:], None], strict=True):
                    difference = await self._replay(exchange)
                    if following is not None and following.id in scenes.AT_ONCE:
                        self._loop.hold()
                    else:
                        self._loop.release()
                    if difference is not None:
                        differences.append(difference)
                differences = [item for item in differences if not self._came(item)]
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
            await self._asker.send("POST", "/api/v1/namespaces", body)
        await self._settle()
        await self._asker.send("DELETE", "/apis/storage.k8s.io/v1/storageclasses/standard", None)
        if self.file in {"controllers", "streams"} and self.name not in scenes.ALL_NODES:
            for node in list(scenes.NODES.values())[1:]:
                await self._asker.send("PATCH", f"/api/v1/nodes/{node}", {"spec": {"unschedulable": True}})
        inferred = []
        if self.file == "controllers" and self.name not in scenes.SETUPS:
            inferred = scenes.infer(copy.deepcopy(self.exchanges))
        for method, path, body in scenes.SETUPS.get(self.name, inferred):
            status, text = await self._asker.send(method, path, body)
            assert status < 300, f"setup of {self.name}: {method} {path}: {text}"
            await self._settle()
        if inferred or self.name in scenes.SETUPS:
            self._naming.begins(self.cluster.store.revision)

    async def _settle(self) -> None:
        end = self._loop.time() + _SETTLED
        seen = -1
        while seen != self.cluster.store.revision and self._loop.time() < end:
            seen = self.cluster.store.revision
            await asyncio.sleep(_QUIET)

    async def _replay(self, exchange: Exchange) -> Difference | None:
        reads = exchange.request["method"] == "GET" and exchange.id not in scenes.MEANWHILE
        reads = reads and "sec-websocket-protocol" not in exchange.request["headers"]
        reads = reads and exchange.request["query"].get("follow") != "true"
        patience = _LONG.get(self.name, _PATIENCE.get(self.file, 4.0)) if reads else 0.0
        if exchange.id in scenes.AT_ONCE:
            patience = 0.0
        elif exchange.request["query"].get("watch"):
            patience = min(patience, _WATCHED)
        if exchange.id not in scenes.AT_ONCE:
            await self._settle()
        for before in scenes.BEFORE.get(exchange.id, ()):
            status, text = await self._asker.send(*before)
            assert status < _FAILED, f"before {exchange.id}: {before}: {text}"
            await self._settle()
        if resource := scenes.COMPACTED.get(exchange.id):
            self.cluster.store.compact(resource)
        if meanwhile := scenes.MEANWHILE.get(exchange.id):
            self._loop.call_later(0.5, lambda: asyncio.ensure_future(self._asker.send(*meanwhile)))
        if not reads:
            await self._meet(exchange)
        self._rows.clear()
        while True:
            ours = await self._asker.ask(exchange)
            expected, got = self._normal(exchange.response, ours)
            same = self._same(exchange, expected, got)
            if same or patience <= 0:
                break
            await asyncio.sleep(_QUIET)
            self._loop.forward(_STEP)
            patience -= _STEP
        self._naming.learn(exchange.response["body"], ours["body"], names=expected == got)
        return None if same else Difference(exchange, expected, got)

    def _came(self, difference: Difference) -> bool:
        """Whether what was asked at once showed a state that ours had a moment later."""
        exchange = difference.exchange
        return exchange.id in scenes.AT_ONCE and self._same(exchange, difference.expected, difference.got)

    async def _meet(self, exchange: Exchange) -> None:
        """Waits with a change until its object has the status in which the recorded server met it."""
        target = requests.parse("GET", self._naming.ours(exchange.request["path"]), {})
        body = exchange.response["body"]
        if target is None or not target.name or not isinstance(body, dict) or "metadata" not in body:
            return
        wanted = self._shown(body).get("status") if isinstance(body.get("status"), dict) else None
        meets = wanted and self.file != "errors" and exchange.id not in scenes.AT_ONCE
        for _ in range(_MEETINGS if meets else 0):
            if wanted in [state.get("status") for state in self._states(exchange)]:
                return
            await asyncio.sleep(_QUIET)
            self._loop.forward(_STEP)

    def _same(self, exchange: Exchange, expected: Any, got: Any) -> bool:
        """Whether an answer is the recorded one, or shows another moment of the same."""
        if expected == got:
            return True
        heads = [{**answer, "body": None} for answer in (expected, got)]
        theirs, ours = expected["body"], got["body"]
        method = exchange.request["method"]
        if heads[0] == heads[1] and theirs and ours and is_table(theirs) and is_table(ours):
            self._rows |= {json.dumps(row) for row in ours["rows"]}
            return (
                {**theirs, "rows": 0} == {**ours, "rows": 0}
                and bool(theirs["rows"])
                and all(json.dumps(row) in self._rows for row in theirs["rows"])
            )
        if exchange.request["path"].endswith("/scale") and heads[0] == heads[1] and theirs["kind"] == "Scale":
            had = [(state.get("status") or {}).get("replicas", 0) for state in self._states(exchange)]
            return {**theirs, "status": 0} == {**ours, "status": 0} and theirs["status"]["replicas"] in had
        if (
            method == "GET"
            and heads[0]["status"] == _OK
            and not is_events(theirs)
            and isinstance(theirs, dict)
        ):
            return moments.passed(theirs, self._states(exchange))
        if heads[0] != heads[1]:
            return False
        if is_history(theirs) and is_history(ours):
            return moments.same_history(theirs, ours)
        if is_events(theirs) and is_events(ours):
            return moments.told_events(theirs["items"]) == moments.told_events(ours["items"])
        return method != "GET" and moments.passed_status(theirs, ours, self._states(exchange))

    def _states(self, exchange: Exchange) -> list[Any]:
        """Every state of the objects of a path that our server passed through."""
        target = requests.parse("GET", self._naming.ours(exchange.request["path"]), {})
        if target is None or target.subresource not in {"", "status", "scale"}:
            return []
        store = self.cluster.store
        changes = store.changes(target.full, store.oldest(target.full))
        records = [change.new for change in changes if target.name in {"", change.new.name}]
        return [self._shown(record.obj) for record in records if record.namespace in {"", target.namespace}]

    def _shown(self, obj: Any) -> Any:
        return normal.body(normal.generated(obj, normal.names(obj, {})), managed=self.file == "apply")

    def _normal(self, recorded: dict[str, Any], ours: dict[str, Any]) -> tuple[Any, Any]:
        managed = self.file == "apply"
        results = []
        for answer in (recorded, ours):
            body = answer["body"]
            if isinstance(body, str) and "yaml" in answer["headers"].get("content-type", ""):
                body = yaml.safe_load(body)
            body = normal.generated(body, normal.names(body, {}))
            uids = normal.uids(body)
            body = normal.body(body, managed=managed)
            if is_history(body):
                body = [{**event, "uid": uid} for event, uid in zip(body, uids, strict=True)]
                if self.file == "controllers":
                    body = normal.grouped(body)
            if isinstance(body, list) and body and isinstance(body[0], dict) and "op" in body[0]:
                body = joined(body)
                body = [{channel: normal.text(data) for channel, data in body[0].items()}, body[1]]
            headers = dict(answer["headers"])
            if "warning" in headers:
                headers["warning"] = sorted(normal.text(item) for item in headers["warning"])
            headers.pop("content-length", None)
            results.append({"status": answer["status"], "headers": headers, "body": body})
        return results[0], results[1]


def replay(file: str, only: str = "") -> tuple[int, list[Difference]]:
    """Replays a file's scenarios (those that begin with `only`): how many exchanges, and what differs."""

    def one(name: str, exchanges: list[Exchange]) -> list[Difference]:
        with asyncio.Runner(loop_factory=Loop) as runner:
            loop = runner.get_loop()
            assert isinstance(loop, Loop)
            return runner.run(Scene(file, name, exchanges, loop).run())

    chosen = {name: found for name, found in load(file).items() if name.startswith(only)}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        results = list(pool.map(one, chosen, chosen.values()))
    return sum(map(len, chosen.values())), [difference for found in results for difference in found]


def identities(file: str) -> set[str]:
    """Every exchange of a file."""
    return {exchange.id for found in load(file).values() for exchange in found}

"""Junk for what is no plain request: uploads, server-sent events and terminals.

Whatever comes, the answer is one that is told of, in the usual envelope, and what is accepted ends.
"""

from __future__ import annotations

import json
import random
import time
from typing import TYPE_CHECKING, Any

import httpx
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import connect

from tests.api.images.upload import driving, making
from tests.fuzz.fuzzing import DELIBERATE, NAMESPACE, PATIENT, THING, Finding
from tests.fuzz.mutating import JUNK

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.gateway import Gateway

POD = "talker"
WATCHED = (
    *("/workloads/", "/pods/", "/jobs/", "/cronjobs/", "/service/", "/ingress/"),
    *("/kubernetes/configmaps/", "/kubernetes/secret/", "/kubernetes/storage/"),
)
FILTERS = (
    *("label_selector", "name", "status", "type", "app_selector", "sort_by", "page", "page_size", "watch"),
    *("workload_type", "application", "cluster_selector", "filter"),
)
LOGS = (
    *("container", "all_containers", "follow", "previous", "tail_lines", "since_seconds", "since_time"),
    *("timestamps", "limit_bytes", "download"),
)
WORDS = (
    *("true", "false", "yes", "-1", "0", "1", "99999999999999999999", "1.5", "", " ", "a=b", "a in (b", "!"),
    *("PVC", "PV", "StorageClass", "PVC,PV", "Running", "2026-01-01T00:00:00Z", "now", "é", "\U0001f600"),
    *("../..", "%00", "c", THING, NAMESPACE, "asc", "name", "all", "current"),
)
ENDINGS = {1000, 1001, 1003, 1006, 1007, 1008, 1009, 1012}
"""Codes that a terminal may be closed with; 1011 would be a fault."""


class Streams:
    """Sends junk as one person.

    Args:
        gateway: to which.
        user: as whom.
        seed: of the junk.
    """

    def __init__(self, gateway: Gateway, user: str, seed: int) -> None:
        self.gateway = gateway
        self.chance = random.Random(seed)  # noqa: S311  no secret
        self.headers = {
            "X-Auth-Token": gateway.token(user),
            "X-Ecns-Cluster": "eks",
            "X-Ecns-Namespace": NAMESPACE,
        }
        self.statuses: dict[int, int] = {}
        self.found: dict[str, Finding] = {}

    def furnish(self) -> None:
        """A pod that says something, and a workspace."""
        script = "while true; do echo here; sleep 0.2; done"
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": POD},
            "spec": {"containers": [{"name": "c", "image": "busybox:1.35", "command": ["sh", "-c", script]}]},
        }
        self.gateway.kubectl("-n", NAMESPACE, "apply", "-f", "-", stdin=json.dumps(pod))
        with self._client("image") as client:
            body = {"harbor_project_name": NAMESPACE, "public": "false"}
            client.post("/images/harbor_project/", json=body)

    def run(self, many: int) -> list[Finding]:
        """So many of each kind; the first finding of each."""
        for kind in (self.upload, self.listen, self.terminal):
            for _ in range(many):
                self._timed(kind)
        return list(self.found.values())

    def _timed(self, kind: Callable[[], str]) -> None:
        started = time.monotonic()
        try:
            told = kind()
        except httpx.TimeoutException:
            told = f"no answer within {PATIENT:g} s"
        except httpx.TransportError:
            return  # what is nonsense may be cut
        if not told and time.monotonic() - started > PATIENT:
            told = "took too long"
        if told:
            name = kind.__name__
            self.found.setdefault(f"{name} {told[:60]}", Finding(name, told, "", ""))

    def _client(self, product: str = "eks") -> httpx.Client:
        base = f"{self.gateway.url}/api/ecns/{product}"
        return httpx.Client(base_url=base, headers=self.headers, timeout=PATIENT)

    def _judge(self, status: int, body: bytes, sent: Any) -> str:
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if status >= 500 and status not in DELIBERATE:
            return f"answered {status} to {sent!r}: {body[:500]!r}"
        if status >= 400:
            try:
                if json.loads(body)["error"]["code"] != status:
                    return f"{status} with another code: {body[:300]!r}"
            except (ValueError, KeyError, TypeError):
                return f"{status} without the envelope: {body[:300]!r}"
        return ""

    def _junk(self) -> Any:
        return self.chance.choice((*JUNK, *WORDS))

    # Uploads

    def upload(self) -> str:
        """A form that was right, with something in it changed."""
        fields = {"harbor_project_name": NAMESPACE, "image_name": "app", "tag_name": "1"}
        for name in list(fields):
            if self.chance.random() < 0.1:
                fields[name] = str(self._junk())
            elif self.chance.random() < 0.05:
                del fields[name]
        files = self.chance.choice((making.saved, making.podman, making.old, making.docker25))()
        for name in list(files):
            if self.chance.random() < 0.05:
                files[name] = making.dumped([self._junk()])
        archive = self._bent(making.tar(files))
        content = self._bent(driving.form(archive, **fields))
        kind = "multipart/form-data; boundary=b"
        if self.chance.random() < 0.1:
            kind = self.chance.choice(
                ("multipart/form-data", "multipart/form-data; boundary=", f"{kind}\u00e9", "multipart/mixed")
            )
        headers = {"Content-Type": kind.encode("latin-1")}
        if self.chance.random() < 0.5:
            headers["Accept"] = b"text/event-stream"
        query = {"dry_run": "true"} if self.chance.random() < 0.5 else {}
        with self._client("image") as client:
            answer = client.post("/images/upload_image/", params=query, content=content, headers=headers)
        return self._judge(answer.status_code, answer.content, (fields, headers))

    def _bent(self, content: bytes) -> bytes:
        """Bytes changed, cut or doubled, at times."""
        bent = bytearray(content)
        for _ in range(self.chance.choice((0, 0, 0, 0, 1, 3))):
            at = self.chance.randrange(len(bent) or 1)
            match self.chance.randrange(4):
                case 0:
                    bent[at : at + 1] = self.chance.randbytes(1)
                case 1:
                    del bent[at:]
                case 2:
                    bent[at:at] = self.chance.randbytes(self.chance.choice((1, 512)))
                case _:
                    bent[at:at] = bent[at : at + 600]
        return bytes(bent)

    # Server-sent events

    def listen(self) -> str:
        """A watch or a log with junk as parameters and as the last event's id."""
        logs = self.chance.random() < 0.5
        path = f"/pods/pod/{self.chance.choice((POD, POD, THING))}/logs/" if logs else ""
        path = path or self.chance.choice(WATCHED)
        names = self.chance.sample(LOGS if logs else FILTERS, self.chance.randrange(4))
        query = {name: self.chance.choice(WORDS) for name in names}
        if self.chance.random() < 0.7:
            query["follow" if logs else "watch"] = "true"
        headers = {"Accept": self.chance.choice(("text/event-stream", "*/*", "text/plain"))}
        if self.chance.random() < 0.5:
            headers["Last-Event-ID"] = self.chance.choice(
                ("junk", "-", "c@now+1", "c@2026-01-01T00:00:00Z+1", "a" * 5000, "\u00e9")
            )
        encoded = {name: value.encode("utf-8") for name, value in headers.items()}
        with (
            self._client() as client,
            client.stream("GET", path, params=query, headers=encoded) as answer,
        ):
            if answer.status_code >= 400:
                return self._judge(answer.status_code, answer.read(), (path, query, headers))
            self.statuses[answer.status_code] = self.statuses.get(answer.status_code, 0) + 1
            for number, _ in enumerate(answer.iter_raw()):
                if number > self.chance.randrange(3):
                    break
                if "follow" in query or "watch" in query:
                    break
        return ""

    # Terminals

    def terminal(self) -> str:
        """A handshake that may be right, then messages that are not."""
        chance = self.chance
        pod = chance.choice((*[POD] * 8, THING, "x"))
        container = chance.choice((*["c"] * 8, "x", "%2F"))
        namespace = chance.choice((*[NAMESPACE] * 8, "nowhere", "kube-system"))
        path = f"/api/ecns/eks/pod_exec/{namespace}/{pod}/{container}/"
        protocols = chance.choice(
            (None, None, ["ecns.terminal"], ["ecns.terminal"], ["junk"], ["ecns.terminal", "ecns.token.!"])
        )
        origin = chance.choice(
            (*[None, self.gateway.url] * 5, "null", "https://elsewhere.example", "http://[")
        )
        address = self.gateway.url.replace("http", "ws", 1) + path
        try:
            with connect(
                address,
                additional_headers=self.headers,
                subprotocols=protocols,
                origin=origin,
                open_timeout=PATIENT,
                close_timeout=2,
            ) as socket:
                self.statuses[101] = self.statuses.get(101, 0) + 1
                for _ in range(chance.randrange(8)):
                    socket.send(self._message())
                if chance.random() < 0.5:
                    socket.send(json.dumps({"Operation": "exit"}))
                    while True:
                        socket.recv(timeout=PATIENT)
        except InvalidStatus as refused:
            body = bytes(refused.response.body or b"")
            return self._judge(refused.response.status_code, body, (path, protocols, origin))
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else 1006
            return "" if code in ENDINGS else f"closed with {code}: {closed}"
        except TimeoutError:
            return "a terminal that does not end"
        except WebSocketException:
            return ""
        return ""

    def _message(self) -> str | bytes:
        chance = self.chance
        match chance.randrange(6):
            case 0:
                return chance.randbytes(chance.choice((0, 1, 100)))
            case 1:
                return json.dumps(self._junk())
            case 2:
                return str(self._junk())
            case 3:
                return json.dumps({"Operation": "resize", "Cols": self._junk(), "Rows": self._junk()})
            case 4:
                return json.dumps(
                    {"Operation": "stdin", "Data": chance.choice(("\u0000", "é" * 1000, "ls\r", 5))}
                )
            case _:
                return json.dumps({"Operation": self._junk(), "Data": self._junk()})

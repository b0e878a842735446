"""A Kubernetes API server that tests make misbehave, and what they need around it."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import yaml
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ecns.backends.kubernetes.client import Client
from ecns.backends.kubernetes.credentials import Credentials
from ecns.backends.kubernetes.kinds.meta import Kind, Part, Resource

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

RECORDED = Path(__file__).parent / "recorded"
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Spec(Part):
    replicas: int = 0


class Thing(Resource):
    spec: Spec = msgspec.field(default_factory=Spec)


THING = Kind("apps", "v1", "deployments", "Deployment", Thing)
CONFIG = Kind("", "v1", "configmaps", "ConfigMap", Resource)


def thing(
    name: str, version: int, *, uid: str = "", namespace: str = "default", at: str = "", replicas: int = 1
) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": uid or f"uid-{name}",
            "resourceVersion": str(version),
            "creationTimestamp": at or "2026-11-23T10:00:00Z",
        },
        "spec": {"replicas": replicas},
    }


def recorded(file: str) -> dict[str, Any]:
    """Exchanges of a real Kubernetes 1.36, by id."""
    lines = (json.loads(line) for line in (RECORDED / file).read_text().splitlines())
    return {line["id"]: line for line in lines}


def status(
    code: int, reason: str = "", message: str = "", headers: dict[str, str] | None = None, **details: Any
) -> web.Response:
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": message,
        "reason": reason,
        "details": details,
        "code": code,
    }
    return web.json_response(body, status=code, headers=headers)


def listing(*items: dict[str, Any], version: int, token: str = "") -> web.Response:
    return web.json_response(
        {
            "kind": "List",
            "metadata": {"resourceVersion": str(version), "continue": token},
            "items": list(items),
        }
    )


def event(type_: str, obj: dict[str, Any]) -> bytes:
    return json.dumps({"type": type_, "object": obj}).encode() + b"\n"


def bookmark(version: int) -> bytes:
    return event("BOOKMARK", {"metadata": {"resourceVersion": str(version)}})


EXPIRED = event(
    "ERROR",
    {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version: 1 (2)"},
)


class Api:
    """What answers; `answer` is exchanged by tests, `requests` is what was asked."""

    def __init__(self) -> None:
        self.requests: list[web.Request] = []
        self.bodies: list[bytes] = []
        self.answer: Answer = self.nothing
        self.url = ""

    async def nothing(self, _: web.Request) -> web.StreamResponse:
        return status(404, "NotFound", "the server could not find the requested resource")

    def say(self, *answers: web.Response | Answer) -> None:
        """Give these answers one after the other, the last one for ever."""
        left = list(answers)

        async def answer(request: web.Request) -> web.StreamResponse:
            given = left.pop(0) if len(left) > 1 else left[0]
            return _copy(given) if isinstance(given, web.Response) else await given(request)

        self.answer = answer

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.bodies.append(await request.read())
        return await self.answer(request)

    @asynccontextmanager
    async def serving(
        self, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0
    ) -> AsyncIterator[str]:
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", self.handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, host, port, ssl_context=tls).start()
        port = runner.addresses[0][1]
        self.url = f"{'https' if tls else 'http'}://{host}:{port}"
        try:
            yield self.url
        finally:
            await runner.cleanup()


def _copy(response: web.Response) -> web.Response:
    headers = {
        key: value for key, value in response.headers.items() if key not in {"Content-Length", "Content-Type"}
    }
    return web.Response(
        body=response.body, status=response.status, headers=headers, content_type=response.content_type
    )


async def reset(request: web.Request) -> web.StreamResponse:
    """Cut the connection without an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


class Watches(Api):
    """Lists and watches: tests say what the list is and push what the watches tell."""

    def __init__(self) -> None:
        super().__init__()
        self.items: list[dict[str, Any]] = []
        self.version = 1
        self.page = 0
        self.refusals: list[web.Response | Answer] = []
        """Answers of the next requests."""
        self.lists = 0
        self.watched: list[int] = []
        """The resourceVersions that watches began from."""
        self.open: list[asyncio.Queue[bytes | None]] = []
        self.answer = self.kubernetes

    async def kubernetes(self, request: web.Request) -> web.StreamResponse:
        if self.refusals:
            refusal = self.refusals.pop(0)
            return _copy(refusal) if isinstance(refusal, web.Response) else await refusal(request)
        if request.query.get("watch"):
            return await self.watch(request)
        self.lists += 1
        start = int(request.query.get("continue") or 0)
        limit = int(request.query.get("limit") or 0) if self.page else 0
        limit = min(limit, self.page) or len(self.items) + 1
        token = str(start + limit) if start + limit < len(self.items) else ""
        return listing(*self.items[start : start + limit], version=self.version, token=token)

    async def watch(self, request: web.Request) -> web.StreamResponse:
        self.watched.append(int(request.query["resourceVersion"]))
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        self.open.append(queue)
        try:
            while (chunk := await queue.get()) is not None:
                if chunk == b"cut":
                    assert request.transport is not None
                    request.transport.abort()
                    break
                await response.write(chunk)
        finally:
            self.open.remove(queue)
        return response

    async def tell(self, *chunks: bytes | None) -> None:
        """Push to the watch that is open, once there is one; None ends it."""
        await until(lambda: self.open)
        for chunk in chunks:
            self.open[-1].put_nowait(chunk)


async def until(condition: Callable[[], Any], seconds: float = 5.0) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  any condition
            await asyncio.sleep(0.002)


def kubeconfig(path: Path, url: str, *, user: dict[str, Any] | None = None, **cluster: Any) -> Path:
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "main",
                "clusters": [{"name": "c", "cluster": {"server": url, **cluster}}],
                "users": [{"name": "u", "user": user or {}}],
                "contexts": [{"name": "main", "context": {"cluster": "c", "user": "u"}}],
            }
        )
    )
    return path


@asynccontextmanager
async def connected(
    directory: Path, url: str, *, seconds: float = 5.0, **options: Any
) -> AsyncIterator[Client]:
    client = Client(
        "east", Credentials("east", kubeconfig(directory / "kubeconfig", url, **options)), timeout=seconds
    )
    try:
        yield client
    finally:
        await client.close()


class Issued(NamedTuple):
    certificate: bytes
    key: bytes


class Authority:
    """A certificate authority."""

    def __init__(self, name: str = "test authority") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self.certificate = self._sign(
            self._name, self._key, [x509.BasicConstraints(ca=True, path_length=None)]
        ).public_bytes(serialization.Encoding.PEM)

    def issue(self, common_name: str, *names: str, addresses: tuple[str, ...] = ()) -> Issued:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
        alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
        alternatives += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
        certificate = self._sign(
            subject, key, [x509.SubjectAlternativeName(alternatives)] if alternatives else []
        )
        return Issued(
            certificate.public_bytes(serialization.Encoding.PEM),
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
        )

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, extensions: list[x509.ExtensionType]
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(minutes=5))
            .not_valid_after(now + dt.timedelta(days=1))
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return builder.sign(self._key, hashes.SHA256())


def lines(data: bytes, sizes: Iterator[int]) -> Iterator[bytes]:
    """Cut data into pieces of the given sizes."""
    start = 0
    while start < len(data):
        size = next(sizes)
        yield data[start : start + size]
        start += size

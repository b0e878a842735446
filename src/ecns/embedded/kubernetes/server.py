"""The HTTPS server: who asks, may they, and what they get, for every path."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import uuid
from typing import TYPE_CHECKING

from aiohttp import web

from ecns.embedded.kubernetes import bodies, discovery, negotiation, options, rbac, requests
from ecns.embedded.kubernetes.auth import Authenticator, User, impersonated
from ecns.embedded.kubernetes.disk import DiskError
from ecns.embedded.kubernetes.errors import ApiError, Object, not_written
from ecns.embedded.kubernetes.rest import Answer, Call, Rest, not_allowed

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

    from ecns.embedded.kubernetes.cluster import Cluster

_log = logging.getLogger(__name__)
_STREAMS = frozenset({"log", "exec", "attach", "portforward", "proxy"})
_KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
_GET_ONLY = frozenset({"GET", "HEAD"})


class Server:
    """Serves a cluster over HTTP.

    Args:
        cluster: the objects.
        authenticator: turns headers into users.

    """

    def __init__(self, cluster: Cluster, authenticator: Authenticator) -> None:
        self._cluster = cluster
        self._authenticator = authenticator
        self._rest = Rest(cluster, authenticator)
        self._stopping = asyncio.Event()
        self._runner: web.ServerRunner | None = None
        self.address = ""

    async def start(self, tls: ssl.SSLContext | None = None, sock: socket.socket | None = None) -> int:
        """Listens on loopback, on the socket that is given or any free port; returns the port."""
        server = web.Server(self._handle, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=1.0)
        await self._runner.setup()
        if sock is None:
            sock = socket.create_server(("127.0.0.1", 0))
        await web.SockSite(self._runner, sock, ssl_context=tls).start()
        bound: int = self._runner.addresses[0][1]
        self.address = f"127.0.0.1:{bound}"
        return bound

    async def stop(self) -> None:
        """Ends streams and connections."""
        self._stopping.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        response = await self._answer(request)
        _head(request, response)
        return response

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._respond(request)
        except ApiError as error:
            return _warned(_failure(request, error), self._cluster.warnings)
        except ConnectionError:
            return web.Response(status=400)  # nobody is there to hear it
        except asyncio.CancelledError:
            raise
        except DiskError as error:
            return _failure(request, not_written(error))
        except Exception:  # noqa: BLE001  whatever went wrong, the client is answered
            _log.exception("%s %s failed", request.method, request.path)
            return _failure(request, ApiError(500, "InternalError", "Internal error occurred"))

    async def _respond(self, request: web.BaseRequest) -> web.StreamResponse:
        headers, query = request.headers, request.query
        self._cluster.warnings.clear()
        target = requests.parse(request.method, request.path, query)
        if target is None or not (target.watch or target.subresource in _STREAMS):
            options.check_timeout(query)
        user = self._authenticator.authenticate(headers.get("Authorization", ""))
        user = self._impersonate(request, user, target)
        attributes = _attributes(request, target)
        allowed, _ = self._cluster.rbac.decide(user, attributes)
        if not allowed:
            raise rbac.refused(user, attributes)
        if target is None or not self._is_served(target):
            return self._document(request)
        if request.method not in _KNOWN_METHODS or request.method == "HEAD":
            raise not_allowed()
        if (
            target.subresource in _STREAMS
            and target.resource in {"pods", "nodes", "services"}
            and not target.group
        ):
            return await self._stream(request, target)
        call = Call(target, user, query, query.getall("dryRun", []), headers)
        if request.body_exists and request.method not in _GET_ONLY:
            call.body = await _body(request)
        answer = self._rest.answer(call)
        if answer.wrote:
            await self._cluster.store.durable()
        if answer.watch is not None:
            return await self._watch(request, answer)
        response = web.Response(body=answer.body, status=answer.status, content_type=answer.media)
        return _warned(response, answer.warnings)

    def _is_served(self, target: requests.Target) -> bool:
        """Whether a path is of resources: its group is served, and of a custom group the version too."""
        versions = self._cluster.resources.groups().get(target.group)
        if versions is None:
            return False
        return target.version in versions or self._cluster.resources.is_built_in(target.group)

    def _impersonate(self, request: web.BaseRequest, user: User, target: requests.Target | None) -> User:
        headers = request.headers
        if not any(name.lower().startswith("impersonate-") for name in headers):
            return user
        extra: dict[str, list[str]] = {}
        for name, value in headers.items():
            if name.lower().startswith("impersonate-extra-"):
                extra.setdefault(name[len("impersonate-extra-") :].lower(), []).append(value)
        wanted = impersonated(headers, headers.getall("Impersonate-Group", []), extra)
        if wanted is None:
            return user
        self._cluster.rbac.check_impersonation(user, wanted, _attributes(request, target))
        return wanted

    def _document(self, request: web.BaseRequest) -> web.StreamResponse:
        path, accept = request.path, request.headers.get("Accept", "")
        found = discovery.respond(path, request.query, accept, self._cluster.resources, address=self.address)
        if found is None and path.startswith("/openapi/"):
            from ecns.embedded.kubernetes import openapi  # noqa: PLC0415  large, and asked for by kubectl only

            found = openapi.respond(path, request.query, accept, self._cluster.resources)
        if found is None:
            found = discovery.not_found_page()
        elif request.method not in _GET_ONLY:
            raise not_allowed()
        response = web.Response(body=found.body, status=found.status, headers=found.headers)
        response.headers["Content-Type"] = found.content_type
        return response

    async def _stream(self, request: web.BaseRequest, target: requests.Target) -> web.StreamResponse:
        from ecns.embedded.kubernetes import streams  # noqa: PLC0415  pods' logs and shells only

        handler: Callable[..., Awaitable[web.StreamResponse]] = streams.handle
        return await handler(self._cluster, request, target)

    async def _watch(self, request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": answer.media})
        _head(request, response)
        response.enable_chunked_encoding()
        await response.prepare(request)
        transport = request.transport
        with contextlib.suppress(ConnectionError):  # who watched has left
            if answer.watch is not None and transport is not None:
                async for frame in answer.watch.frames(self._stopping, transport.abort):
                    await response.write(frame)
            await response.write_eof()
        return response


def _head(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Sets the headers that every answer has."""
    if not response.prepared:
        response.headers.setdefault("Audit-Id", request.headers.get("Audit-Id") or str(uuid.uuid4()))
        response.headers.setdefault("Cache-Control", "no-cache, private")


async def _body(request: web.BaseRequest) -> bytes:
    """A request's body.

    Raises:
        ApiError: 413 as soon as it is known to be too large.
    """
    if (request.content_length or 0) > bodies.LIMIT:
        raise bodies.too_large()
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > bodies.LIMIT:
            raise bodies.too_large()
    return bytes(body)


def _attributes(request: web.BaseRequest, target: requests.Target | None) -> rbac.Attributes:
    if target is None:
        return rbac.Attributes(verb=request.method.lower(), path=request.path)
    return rbac.Attributes(
        verb=target.verb,
        group=target.group,
        resource=target.resource,
        subresource=target.subresource,
        namespace=target.namespace,
        name=target.name,
    )


def _warned(response: web.Response, warnings: list[str]) -> web.Response:
    for warning in warnings:
        response.headers.add("Warning", f"299 - {_quoted(warning)}")
    return response


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'.replace("\n", " ").replace("\r", " ")


def _failure(request: web.BaseRequest, error: ApiError) -> web.Response:
    status: Object = error.status()
    try:
        media = negotiation.negotiate(request.headers.get("Accept", ""), frozenset()).media
    except ApiError:
        media = negotiation.JSON
    if media == negotiation.JSON and "application/yaml" in request.headers.get("Accept", ""):
        media = negotiation.YAML
    response = web.Response(body=negotiation.encode(status, media), status=error.code, headers=error.headers)
    response.content_type = media
    return response

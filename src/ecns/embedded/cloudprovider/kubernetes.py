"""Calls of a Kubernetes API by a kubeconfig: reading, watching, patching."""

from __future__ import annotations

import base64
import json
import ssl
import tempfile
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import aiohttp

Object = dict[str, Any]


class KubernetesError(Exception):
    """The API server refuses.

    Args:
        status: of HTTP.
        message: why.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Kubernetes:
    """A cluster.

    Args:
        name: what it is called in names of load balancers.
        kubeconfig: how it is reached; its current context counts.
        session: of HTTP.
    """

    def __init__(self, name: str, kubeconfig: Path, session: aiohttp.ClientSession) -> None:
        import yaml  # noqa: PLC0415  it is read once

        self.name = name
        self._session = session
        said = yaml.safe_load(kubeconfig.read_text())

        def named(kind: str, wanted: str) -> Object:
            return next(one[kind] for one in said[f"{kind}s"] if one["name"] == wanted)

        context = named("context", said["current-context"])
        cluster, user = named("cluster", context["cluster"]), named("user", context["user"])
        self._url: str = cluster["server"].rstrip("/")
        self._headers = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
        self._tls = _trust(cluster, user, kubeconfig.parent)

    async def call(self, method: str, path: str, body: Any = None, media: str = "application/json") -> Object:
        """One call.

        Raises:
            KubernetesError: the API server refuses.
        """
        headers = {**self._headers, **({"Content-Type": media} if body is not None else {})}
        data = None if body is None else json.dumps(body)
        async with self._session.request(
            method, self._url + path, data=data, headers=headers, ssl=self._tls
        ) as answer:
            said: Object = await answer.json(content_type=None)
            if answer.status >= HTTPStatus.BAD_REQUEST:
                raise KubernetesError(answer.status, str(said.get("message")))
            return said

    async def patch(self, path: str, body: Object) -> Object:
        """A merge patch."""
        return await self.call("PATCH", path, body, "application/merge-patch+json")

    async def watch(self, path: str, version: str) -> AsyncIterator[tuple[str, Object]]:
        """What happens to a collection after a resourceVersion, until the server ends it.

        Raises:
            KubernetesError: the version is too old.
        """
        query = {"watch": "true", "resourceVersion": version, "timeoutSeconds": "300"}
        async with self._session.get(
            self._url + path, params=query, headers=self._headers, ssl=self._tls, timeout=_no_timeout()
        ) as answer:
            if answer.status >= HTTPStatus.BAD_REQUEST:
                raise KubernetesError(answer.status, await answer.text())
            rest = b""
            async for chunk in answer.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in filter(None, lines):
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        raise KubernetesError(HTTPStatus.GONE, str(event["object"].get("message")))
                    yield event["type"], event["object"]


def _no_timeout() -> aiohttp.ClientTimeout:
    import aiohttp  # noqa: PLC0415  the process has it already

    return aiohttp.ClientTimeout(total=None, sock_read=330)


def _trust(cluster: Object, user: Object, folder: Path) -> ssl.SSLContext | bool:
    if not cluster["server"].startswith("https"):
        return False
    context = ssl.create_default_context()
    if data := cluster.get("certificate-authority-data"):
        context.load_verify_locations(cadata=base64.b64decode(data).decode())
    elif file := cluster.get("certificate-authority"):
        context.load_verify_locations(cafile=folder / file)
    if data := user.get("client-certificate-data"):
        with tempfile.NamedTemporaryFile() as pem:
            pem.write(base64.b64decode(data) + b"\n" + base64.b64decode(user["client-key-data"]))
            pem.flush()
            context.load_cert_chain(pem.name)
    elif file := user.get("client-certificate"):
        context.load_cert_chain(folder / file, folder / user["client-key"])
    return context

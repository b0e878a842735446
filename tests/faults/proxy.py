"""A way to Kubernetes that fails on demand: a reverse proxy before the API server."""

from __future__ import annotations

import base64
import json
import re
import ssl
from typing import TYPE_CHECKING

import yaml
from aiohttp import web

from tests.faults.relay import Failure, Relay, RelayFault

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Failure", "Fault", "Proxy"]

REASONS = {
    "403": "Forbidden",
    "409": "Conflict",
    "429": "TooManyRequests",
    "500": "InternalError",
    "503": "ServiceUnavailable",
}
_NAMED = re.compile(
    r"/(namespaces/(?P<space>[^/]+)/|storage\.k8s\.io/v1/)(?P<plural>[a-z]+)(/(?P<name>[^/]+))?"
)


class Fault(RelayFault, kw_only=True):
    """What goes wrong, and with which request.

    Args:
        plural: of the objects.
        name: how the object's name begins.
        space: the object's namespace; any if empty.
        dry: a trial, or no trial.
    """

    plural: str
    name: str = ""
    space: str = ""
    dry: bool = False


class Proxy(Relay[Fault]):
    """The proxy; a context that runs it.

    Args:
        kubeconfig: the real API server's.
    """

    def __init__(self, kubeconfig: Path) -> None:
        found = yaml.safe_load(kubeconfig.read_text())
        cluster, user = found["clusters"][0]["cluster"], found["users"][0]["user"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        super().__init__(cluster["server"], ssl.create_default_context(cadata=authority))
        self.token: str = user["token"]

    def kubeconfig(self) -> str:
        """A kubeconfig that leads here."""
        return yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "faulty",
                "clusters": [{"name": "faulty", "cluster": {"server": self.url}}],
                "users": [{"name": "faulty", "user": {"token": self.token}}],
                "contexts": [{"name": "faulty", "context": {"cluster": "faulty", "user": "faulty"}}],
            }
        )

    def matches(self, fault: Fault, request: web.Request, body: bytes) -> bool:
        """Whether it is about such an object."""
        found = _NAMED.search(request.path)
        if found is None:
            return False
        name = found["name"]
        if name is None and body:
            name = json.loads(body)["metadata"]["name"]
        asked = (fault.plural, fault.dry) == (found["plural"], "dryRun" in request.query)
        return asked and (name or "").startswith(fault.name) and fault.space in {"", found["space"]}

    def refusal(self, fault: Fault) -> web.Response:
        """As Kubernetes refuses."""
        status = {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "message": fault.message,
            "reason": REASONS[fault.failure],
            "code": int(fault.failure),
        }
        headers = {"Retry-After": "3"} if fault.failure == "429" else {}
        return web.json_response(status, status=int(fault.failure), headers=headers)

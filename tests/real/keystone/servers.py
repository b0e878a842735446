"""A Keystone of either kind as a process: started, stopped, hung, started again on the same port."""

from __future__ import annotations

import socket
import sys
import time
from typing import TYPE_CHECKING, Any

import httpx

from tests.real.openstack.launch.common import PASSWORD
from tests.real.openstack.processes import Process, Service, tell

if TYPE_CHECKING:
    from pathlib import Path


class KeystoneProcess:
    """A Keystone with an administrator `admin` in project `admin`.

    Args:
        kind: `embedded` or `real`.
        directory: where it keeps its state.
        token_seconds: how long its tokens are good for.
    """

    def __init__(self, kind: str, directory: Path, *, token_seconds: int = 3600) -> None:
        self.kind = kind
        self.directory = directory
        directory.mkdir(exist_ok=True)
        self.password = PASSWORD
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            self.port = sock.getsockname()[1]
        address = f"http://127.0.0.1:{self.port}"
        self.url = f"{address}{'/identity' if kind == 'embedded' else ''}/v3"
        self._process: Process
        if kind == "real":
            tell(directory, {"keystone": self.port})
            self._process = Service("keystone", directory)
        else:
            self._process = Process("keystone", self.url, directory / "output.log")
        self.start(token_seconds)

    def start(self, token_seconds: int = 3600) -> None:
        """Run it until it answers."""
        if isinstance(self._process, Service):
            tell(self.directory, {"keystone": self.port}, token_seconds=token_seconds)
            self._process.start()
        else:
            command = [sys.executable, "-m", "ecns.embedded.keystone", "--data-dir", str(self.directory)]
            command += ["--port", str(self.port), "--token-seconds", str(token_seconds)]
            self._process.run(command, {"ECNS_EMBEDDED_PASSWORD": self.password})
        self._process.ready()

    def stop(self) -> None:
        """End it."""
        self._process.stop()

    def hang(self) -> None:
        """Let it answer no more without closing anything."""
        self._process.hang()

    def resume(self) -> None:
        """Let it go on."""
        self._process.resume()


class Cloud:
    """What an administrator makes in a Keystone, by its API; names are new each time."""

    def __init__(self, server: KeystoneProcess) -> None:
        self.server = server
        self.http = httpx.Client(base_url=server.url, timeout=20)
        self._count = 0
        self.admin_token = self.token("admin", server.password, project={"name": "admin"}, domain="default")
        self.roles = {role["name"]: role["id"] for role in self.call("GET", "/roles")["roles"]}

    def close(self) -> None:
        """Close the connection."""
        self.http.close()

    def name(self, what: str) -> str:
        """A name that nothing has yet."""
        self._count += 1
        return f"{what}-{self._count}-{time.monotonic_ns()}"

    def call(
        self, method: str, path: str, body: Any = None, *, token: str = "", status: int | None = None
    ) -> Any:
        """A call of the Identity API, as the administrator unless a token is given."""
        answer = self.http.request(
            method, path, json=body, headers={"X-Auth-Token": token or self.admin_token}
        )
        assert answer.status_code == status if status else answer.is_success, answer.text
        return answer.json() if answer.content else None

    def make(self, kind: str, **fields: Any) -> dict[str, Any]:
        """A new domain, project, user or group."""
        body = {"name": self.name(kind), **fields}
        made: dict[str, Any] = self.call("POST", f"/{kind}s", {kind: body})[kind]
        return made

    def person(self, *roles: str, password: str = "open sesame") -> Person:
        """A user with roles in a project, both in a domain of their own."""
        domain = self.make("domain")
        project = self.make("project", domain_id=domain["id"])
        user = self.make("user", domain_id=domain["id"], password=password)
        for role in roles:
            self.grant(project["id"], user["id"], role)
        return Person(self, domain, project, user, password)

    def grant(self, project_id: str, user_id: str, role: str, method: str = "PUT") -> None:
        """Give a role in a project, or take it (DELETE)."""
        self.call(method, f"/projects/{project_id}/users/{user_id}/roles/{self.roles[role]}")

    def token(
        self, user: str, password: str, *, domain: str = "", scope: Any = None, project: Any = None
    ) -> str:
        """A token for a name in a domain or, without one, an id."""
        who = {"name": user, "domain": {"id": domain}} if domain else {"id": user}
        if project:
            scope = {"project": {"domain": {"id": domain}, **project}}
        return self.authenticate(
            {"methods": ["password"], "password": {"user": {**who, "password": password}}}, scope
        )

    def authenticate(self, identity: Any, scope: Any = None) -> str:
        """A token for a proof of identity."""
        auth = {"identity": identity, **({"scope": scope} if scope else {})}
        answer = self.http.post("/auth/tokens", json={"auth": auth})
        assert answer.status_code == 201, answer.text
        return answer.headers["X-Subject-Token"]


class Person:
    """A user with a project."""

    def __init__(
        self,
        cloud: Cloud,
        domain: dict[str, Any],
        project: dict[str, Any],
        user: dict[str, Any],
        password: str,
    ) -> None:
        self.cloud = cloud
        self.domain = domain
        self.project = project
        self.user = user
        self.password = password

    def token(self, scope: Any = None) -> str:
        """A token, scoped to the project unless something else is said."""
        scope = scope or {"project": {"id": self.project["id"]}}
        return self.cloud.token(self.user["id"], self.password, scope=scope)

    def credential(self, **fields: Any) -> dict[str, Any]:
        """An application credential of the user's."""
        made: dict[str, Any] = self.cloud.call(
            "POST",
            f"/users/{self.user['id']}/application_credentials",
            {"application_credential": {"name": self.cloud.name("credential"), **fields}},
            token=self.token(),
        )["application_credential"]
        return made

"""A running gateway as its users see it: HTTP with a token, and kubectl beside it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable

KUBECTL = Path(sys.executable).parent / "kubectl"


def eventually(check: Callable[[], Any], *, seconds: float = 20.0) -> Any:
    """The first true answer of `check`, asked again until there is one; its last error otherwise."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if result := check():
                return result
            last: AssertionError | None = None
        except AssertionError as error:
            last = error
        if time.monotonic() > deadline:
            raise last or AssertionError(f"not within {seconds} s: {check}")
        time.sleep(0.05)


class Gateway:
    """The facts that `embedded.json` tells, and clients for its users."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self.facts = facts
        self.url: str = facts["url"]
        self.kubeconfig: str = facts["kubeconfig"]
        self.users = {user["username"]: user for user in facts["users"]}
        self._tokens: dict[str, str] = {}
        self._clients: list[httpx.Client] = []

    def token(self, user: str) -> str:
        """A project-scoped token, issued once for each user."""
        if user not in self._tokens:
            known = self.users[user]
            body = {
                "auth": {
                    "identity": {
                        "methods": ["password"],
                        "password": {
                            "user": {
                                "name": user,
                                "domain": {"name": known["domain"]},
                                "password": known["password"],
                            }
                        },
                    },
                    "scope": {"project": {"id": known["project_id"]}},
                }
            }
            answer = httpx.post(f"{self.facts['identity_url']}/auth/tokens", json=body)
            assert answer.status_code == 201, answer.text
            self._tokens[user] = answer.headers["x-subject-token"]
        return self._tokens[user]

    def client(self, user: str = "", product: str = "eks", **headers: str) -> httpx.Client:
        """A client of one product type; no user means no token."""
        if user:
            headers["X-Auth-Token"] = self.token(user)
        client = httpx.Client(base_url=f"{self.url}/api/ecns/{product}", headers=headers, timeout=30)
        self._clients.append(client)
        return client

    def kubectl(self, *arguments: str, stdin: str = "", ok: bool = True) -> str:
        """What kubectl prints, run on the embedded cluster."""
        done = subprocess.run(
            [KUBECTL, "--kubeconfig", self.kubeconfig, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert not ok or done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout if ok else done.stdout + done.stderr

    def kubectl_json(self, *arguments: str) -> Any:
        """What kubectl prints with `-o json`."""
        return json.loads(self.kubectl(*arguments, "-o", "json"))

    def close(self) -> None:
        """Close every client."""
        for client in self._clients:
            client.close()

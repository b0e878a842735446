"""The real kubectl against a server that runs as a child process, as a user has it."""

from __future__ import annotations

import base64
import itertools
import json
import os
import ssl
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from ecns.embedded.launcher import StandIns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_NUMBERS = itertools.count(1)
PROGRAM = Path(sys.executable).parent / "kubectl"


class Kubectl:
    """Runs kubectl in one namespace.

    A call returns what it wrote to stdout, `fails` what it wrote to stderr; `json` decodes `-o json`.
    """

    def __init__(self, kubeconfig: str, home: Path, namespace: str) -> None:
        self.namespace = namespace
        self.kubeconfig = kubeconfig
        self.home = home
        self._environment = {"KUBECONFIG": kubeconfig, "HOME": str(home), "PATH": os.environ["PATH"]}

    def run(self, *arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PROGRAM, f"--namespace={self.namespace}", *arguments],
            input=stdin,
            env={**self._environment, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def __call__(self, *arguments: str, stdin: str = "", **environment: str) -> str:
        done = self.run(*arguments, stdin=stdin, **environment)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}{done.stdout}"
        return done.stdout

    def fails(self, *arguments: str, stdin: str = "") -> str:
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode != 0, f"kubectl {' '.join(arguments)} did not fail: {done.stdout}"
        return done.stderr

    def json(self, *arguments: str, stdin: str = "") -> Any:
        end = arguments.index("--") if "--" in arguments else len(arguments)
        return json.loads(self(*arguments[:end], "-o", "json", *arguments[end:], stdin=stdin))

    def apply(self, manifest: Any, *arguments: str) -> str:
        return self("apply", *arguments, "-f", "-", stdin=json.dumps(manifest))

    def until(self, condition: Callable[[], Any], seconds: float = 20.0) -> Any:
        """Waits until the condition holds; returns its value."""
        end = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < end, "the condition did not come true"
            time.sleep(0.05)
        return value


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with StandIns() as running:
        folder = tmp_path_factory.mktemp("kubernetes")
        yield running.start("kubernetes", "ecns.embedded.kubernetes", folder, "--name", "test").ready()


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where kubectl keeps what it discovered."""
    return tmp_path_factory.mktemp("home")


class Namespaces:
    """Makes and removes namespaces without the cost of a kubectl."""

    def __init__(self, kubeconfig: str) -> None:
        found = yaml.safe_load(Path(kubeconfig).read_text())
        cluster = found["clusters"][0]["cluster"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._url = f"{cluster['server']}/api/v1/namespaces"
        self._tls = ssl.create_default_context(cadata=authority)
        self._token = found["users"][0]["user"]["token"]

    def call(self, method: str, path: str = "", body: Any = None) -> None:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        asked = urllib.request.Request(self._url + path, data, headers, method=method)  # noqa: S310  our own server
        with urllib.request.urlopen(asked, context=self._tls, timeout=10):  # noqa: S310  as above
            pass


@pytest.fixture(scope="session")
def namespaces(server: dict[str, Any]) -> Namespaces:
    return Namespaces(server["kubeconfig"])


@pytest.fixture
def kubectl(
    server: dict[str, Any], home: Path, namespaces: Namespaces, request: pytest.FixtureRequest
) -> Iterator[Kubectl]:
    """kubectl in a namespace of the test's own."""
    name = f"{next(_NUMBERS)}-{request.node.name.partition('[')[0].replace('_', '-')[:50].strip('-')}"
    namespaces.call("POST", body={"metadata": {"name": name}})
    yield Kubectl(server["kubeconfig"], home, name)
    namespaces.call("DELETE", f"/{name}")

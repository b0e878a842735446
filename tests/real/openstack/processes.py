"""The services as processes, each with a port that stays its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import httpx

from tests.real.openstack.environment import ROOT, environment
from tests.real.openstack.launch.common import PORTS

START_SECONDS = 180
STOP_SECONDS = 20


def free_ports() -> dict[str, int]:
    """A port for each service that nobody listens on."""
    sockets = {name: socket.socket() for name in PORTS}
    for sock in sockets.values():
        sock.bind(("127.0.0.1", 0))
    ports = {name: sock.getsockname()[1] for name, sock in sockets.items()}
    for sock in sockets.values():
        sock.close()
    return ports


def tell(directory: Path, ports: dict[str, int], *, database: str = "", token_seconds: int = 3600) -> None:
    """Write the facts that all services of a directory start from."""
    facts = {"ports": ports, "database": database, "token_seconds": token_seconds}
    (directory / "facts.json").write_text(json.dumps(facts))


class Process:
    """A server as a process: started, stopped, hung, started again.

    Args:
        name: for messages.
        url: what answers once it serves.
        log: where its output goes.
    """

    def __init__(self, name: str, url: str, log: Path) -> None:
        self.name = name
        self.url = url
        self._log = log

    def run(self, command: list[str], env: dict[str, str], cwd: Path | None = None) -> None:
        """Run it; `ready` tells when it answers."""
        with self._log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                cwd=cwd,
                env={**os.environ, **env},
                stdin=subprocess.PIPE,  # it ends when this process does, however that dies
                stdout=output,
                stderr=output,
            )

    def ready(self) -> None:
        """Wait until it answers."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                if httpx.get(self.url, timeout=5).status_code < 500:
                    return
            except httpx.HTTPError:
                pass
            told = self._log.read_text()[-4000:]
            assert self.process.poll() is None, f"{self.name} ended: {told}"
            assert time.monotonic() < deadline, f"{self.name} did not start: {told}"
            time.sleep(0.05)

    def terminate(self) -> None:
        """Let it begin to end."""
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()

    def stop(self) -> None:
        """End it."""
        self.terminate()
        try:
            self.process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()  # a thread of a worker that waits for something keeps it
            self.process.wait()
        assert self.process.stdin is not None, "asked for above"
        self.process.stdin.close()

    def kill(self) -> None:
        """End it at once, whatever it is doing."""
        self.process.kill()
        self.stop()

    def hang(self) -> None:
        """Let it answer no more without closing anything."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)


class Service(Process):
    """A service of the cloud in a directory that has been told its facts.

    Args:
        name: one of `PORTS`.
        directory: the cloud's.
    """

    def __init__(self, name: str, directory: Path) -> None:
        port = json.loads((directory / "facts.json").read_text())["ports"][name]
        super().__init__(name, f"http://127.0.0.1:{port}", directory / f"{name}.log")
        self.directory = directory

    def start(self) -> None:
        """Run it; `ready` tells when it answers."""
        command = [str(environment()), "-m", "tests.real.openstack.launch", self.name, str(self.directory)]
        self.run(command, {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}, cwd=self.directory)

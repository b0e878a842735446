"""`python -m ecns.embedded.kubernetes`: starts the API server, or loads objects into its data directory."""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import gc
import json
import os
import secrets
import signal
import ssl
import sys
from pathlib import Path

import uvloop

from ecns.embedded.kubernetes import bootstrap, certificates, controllers
from ecns.embedded.kubernetes.auth import Authenticator
from ecns.embedded.kubernetes.cluster import Cluster
from ecns.embedded.kubernetes.server import Server

_KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters:
- name: {name}
  cluster:
    server: {url}
    certificate-authority-data: {authority}
contexts:
- name: {name}
  context:
    cluster: {name}
    user: {name}-admin
current-context: {name}
users:
- name: {name}-admin
  user:
    token: {token}
"""


def _kept(path: Path, make: bytes) -> bytes:
    """The content of a private file, made when it is absent."""
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(make)
    return path.read_bytes()


async def _listen(server: Server, folder: Path, port: int, tls: ssl.SSLContext) -> int:
    """Listens where it did before, if that is free."""
    kept = folder / "port"
    if not port and kept.exists():
        with contextlib.suppress(OSError, ValueError):
            return await server.start(int(kept.read_text()), tls)
    bound = await server.start(port, tls)
    kept.write_text(str(bound))
    return bound


async def _serve(folder: Path, name: str, port: int, ready: int | None) -> None:
    authority, certificate, key = certificates.ensure(folder)
    token = _kept(folder / "admin.token", secrets.token_urlsafe(32).encode()).decode()
    signing = _kept(folder / "tokens.key", secrets.token_bytes(32))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    cluster = Cluster(folder / "objects.sqlite")
    accounts = Authenticator(
        token, signing, lambda space, account: cluster.find("serviceaccounts", account, space)
    )
    server = Server(cluster, accounts)
    bootstrap.ensure(cluster, authority.decode())
    running = controllers.start(cluster)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    try:
        bound = await _listen(server, folder, port, tls)
        url = f"https://127.0.0.1:{bound}"
        kubeconfig = folder / "kubeconfig"
        text = _KUBECONFIG.format(
            name=name, url=url, token=token, authority=base64.b64encode(authority).decode()
        )
        fresh = kubeconfig.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        _kept(fresh, text.encode())
        fresh.replace(kubeconfig)
        _announce(ready, {"url": url, "kubeconfig": str(kubeconfig)})
        _watch_parent(loop, stopped)
        await stopped.wait()
    finally:
        await server.stop()
        for controller in running:
            controller.stop()
        cluster.close()


def _announce(ready: int | None, facts: dict[str, str]) -> None:
    line = json.dumps(facts) + "\n"
    if ready is None:
        sys.stdout.write(line)
        sys.stdout.flush()
    else:
        with os.fdopen(ready, "w") as pipe:
            pipe.write(line)


def _watch_parent(loop: asyncio.AbstractEventLoop, stopped: asyncio.Event) -> None:
    """Stops when stdin, if it is a pipe, is closed: the parent died."""
    with contextlib.suppress(OSError, ValueError, PermissionError):
        descriptor = sys.stdin.fileno()
        if sys.stdin.isatty():
            return

        def readable() -> None:
            if not os.read(descriptor, 4096):
                loop.remove_reader(descriptor)
                stopped.set()

        loop.add_reader(descriptor, readable)


async def _load(folder: Path, deployments: int, replicas: int, namespaces: int) -> None:
    from ecns.embedded.kubernetes import loading  # noqa: PLC0415  for benchmarks only

    cluster = Cluster(folder / "objects.sqlite")
    bootstrap.ensure(cluster, certificates.ensure(folder)[0].decode())
    try:
        count = await loading.load(cluster, deployments, replicas, namespaces)
    finally:
        cluster.close()
    sys.stdout.write(json.dumps({"loaded": count}) + "\n")


def main() -> None:
    """Parses the command line; serves, or loads objects when the first word is `load`."""
    parser = argparse.ArgumentParser(prog="ecns.embedded.kubernetes")
    parser.add_argument(
        "--data-dir", type=Path, required=True, help="where objects, keys and the kubeconfig are kept"
    )
    words = sys.argv[1:]
    if words[:1] == ["load"]:
        parser.add_argument("--deployments", type=int, default=10_000)
        parser.add_argument("--replicas", type=int, default=5, help="pods of each Deployment")
        parser.add_argument("--namespaces", type=int, default=20, help="that they are spread over")
        options = parser.parse_args(words[1:])
        options.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        asyncio.run(_load(options.data_dir, options.deployments, options.replicas, options.namespaces))
        return
    parser.add_argument("--name", default="embedded", help="the cluster's name in the kubeconfig")
    parser.add_argument("--port", type=int, default=0, help="0 takes the port it had before, or a free one")
    parser.add_argument(
        "--ready-fd", type=int, help="file descriptor that gets one line of JSON when it serves"
    )
    options = parser.parse_args(words)
    options.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    gc.freeze()
    gc.set_threshold(
        200_000, 20, 100
    )  # objects are trees without cycles: looking for them costs most of the time
    uvloop.run(_serve(options.data_dir, options.name, options.port, options.ready_fd))


if __name__ == "__main__":
    main()

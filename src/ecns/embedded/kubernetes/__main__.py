"""`python -m ecns.embedded.kubernetes`: starts the API server, or loads objects into its data directory."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import secrets
import ssl
import sys
from pathlib import Path

import uvloop

from ecns.embedded import process
from ecns.embedded.kubernetes import bootstrap, certificates, controllers
from ecns.embedded.kubernetes.auth import Authenticator
from ecns.embedded.kubernetes.cluster import Cluster
from ecns.embedded.kubernetes.disk import DiskError
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


async def _serve(folder: Path, name: str, port: int, ready: int | None) -> None:
    authority, certificate, key = certificates.ensure(folder)
    token = process.private(folder / "admin.token", secrets.token_urlsafe(32).encode()).decode()
    signing = process.private(folder / "tokens.key", secrets.token_bytes(32))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    cluster = Cluster(folder / "objects.sqlite")
    accounts = Authenticator(
        token, signing, lambda space, account: cluster.find("serviceaccounts", account, space)
    )
    server = Server(cluster, accounts)
    bootstrap.ensure(cluster, authority.decode())
    running = controllers.start(cluster)
    stop = process.stopping()
    try:
        await server.start(tls=tls, sock=process.listening(folder, port))
        url = f"https://{server.address}"
        kubeconfig = folder / "kubeconfig"
        text = _KUBECONFIG.format(
            name=name, url=url, token=token, authority=base64.b64encode(authority).decode()
        )
        process.write_private(kubeconfig, text.encode())
        process.announce(ready, {"url": url, "kubeconfig": str(kubeconfig)})
        await stop.wait()
    finally:
        await server.stop()
        for controller in running:
            controller.stop()
        cluster.close()


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
    parser = process.arguments("ecns.embedded.kubernetes", __doc__)
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
    options = parser.parse_args(words)
    options.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    gc.freeze()
    gc.set_threshold(
        200_000, 20, 100
    )  # objects are trees without cycles: looking for them costs most of the time
    sys.setswitchinterval(0.0005)  # the thread that writes the disk computes little, and many wait for it
    try:
        uvloop.run(_serve(options.data_dir, options.name, options.port, options.ready_fd))
    except DiskError as error:
        sys.exit(f"{error} (nothing was changed; another directory, or a copy of this file, can be served)")


if __name__ == "__main__":
    main()

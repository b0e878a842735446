"""The command line: `ecns serve`, `token`, `check`, `openapi`, `policy`, `version`."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ipaddress
import json
import os
import resource
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
import msgspec

from ecns import __version__, config
from ecns.embedded.launcher import LaunchError, StandIn, StandIns
from ecns.embedded.openstack import catalog
from ecns.embedded.process import listening

if TYPE_CHECKING:
    import socket

    from ecns.server.run import Server

_CONFIG = click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    help="TOML; what it does not name is embedded.",
)
MOST_FILES = 2**20
EMBEDDED_CLUSTERS = ("eks", "eos")
"""A business cluster and the cloud's own, so that there are several to choose from."""

_DATA = click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="Where the stand-ins keep their state [$ECNS_DATA_DIR or ~/.local/share/ecns].",
)


def _fail(message: object) -> NoReturn:
    click.echo(f"ecns: {message}", err=True)
    sys.exit(1)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """ECNS: one HTTP API in front of Kubernetes clusters, an OpenStack cloud and an image registry."""


@main.command()
@_CONFIG
@_DATA
@click.option("--host", help="Address to listen on [127.0.0.1].")
@click.option("--port", type=click.IntRange(0, 65535), help="TCP port; 0 picks a free one [8080].")
@click.option("--insecure-embedded", is_flag=True, help="Let other machines reach an embedded identity.")
def serve(
    config_file: Path | None,
    data_dir: Path | None,
    host: str | None,
    port: int | None,
    *,
    insecure_embedded: bool,
) -> None:
    """Serve the API until SIGINT or SIGTERM."""
    try:
        settings = config.load(config_file) if config_file else config.Config()
        settings = msgspec.structs.replace(
            settings,
            server=msgspec.structs.replace(
                settings.server,
                host=settings.server.host if host is None else host,
                port=settings.server.port if port is None else port,
            ),
        )
        if settings.identity is None and not insecure_embedded and not _is_loopback(settings.server.host):
            raise config.ConfigError(  # noqa: TRY301  one place prints what is wrong
                f"server.host: {settings.server.host} is not loopback and its identity is a stand-in that is "
                "not safe to show to others; configure [identity], or give --insecure-embedded"
            )
        _allow_many_files()
        with StandIns() as stand_ins:
            _serve(settings, data_dir or config.default_data_dir(), stand_ins)
    except (config.ConfigError, LaunchError) as error:
        _fail(error)


def _allow_many_files() -> None:
    """Have as many files and connections as there may be: each stream takes two, and shells give 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _serve(settings: config.Config, data_dir: Path, stand_ins: StandIns) -> None:
    gc.disable()  # what is imported now stays for good
    keystone = listens = None
    if settings.identity is None:
        listens = listening(data_dir / "openstack")
        keystone = _start_keystone(stand_ins, data_dir, listens)
    kubernetes = {}
    for name in () if settings.clusters else EMBEDDED_CLUSTERS:
        folder = data_dir / "kubernetes" / name
        title = f"embedded Kubernetes {name}"
        kubernetes[name] = stand_ins.start(title, "ecns.embedded.kubernetes", folder, "--name", name)
    registry = None
    if settings.harbor is None:
        registry = stand_ins.start("embedded Harbor", "ecns.embedded.harbor", data_dir / "harbor")
    from ecns.server import logs, run  # noqa: PLC0415  half a second, spent while the stand-ins start

    logs.configure(settings.server.log_level)
    users: list[dict[str, Any]] = []
    if keystone is not None:
        said = keystone.ready()
        users = said["users"]
        settings = msgspec.structs.replace(
            settings,
            identity=config.Identity(auth_url=said["url"]),
            openstack=_embedded_openstack(settings.openstack, said["account"]),
        )
    if listens is not None and settings.identity is not None:
        _start_openstack(stand_ins, data_dir, listens, settings.identity.auth_url, users)
    files = {name: started.ready()["kubeconfig"] for name, started in kubernetes.items()}
    if files:
        settings = msgspec.structs.replace(settings, clusters=_embedded_clusters(files, users))
        asyncio.run(_seed(settings.clusters, users))
    harbor: dict[str, str] = {} if registry is None else registry.ready()
    if harbor:
        settings = msgspec.structs.replace(settings, harbor=_embedded_harbor(harbor))
    sock = run.listen(settings.server.host, settings.server.port)
    url = _url(settings, sock)
    told = data_dir / "embedded.json"

    def started(server: Server) -> None:
        def died(message: str) -> None:
            click.echo(f"ecns: {message}; stopping", err=True)
            server.should_exit = True

        if keystone is not None and files:
            _start_cloud_provider(stand_ins, data_dir, files, users, settings)
        stand_ins.watch(died)
        assert settings.identity is not None, "completed above"  # noqa: S101  a fault of ours
        if stand_ins.running:
            facts = {
                "url": url,
                "identity_url": settings.identity.auth_url,
                "kubeconfig": files.get("eks", ""),
                "harbor": harbor,
                "users": users,
            }
            _write_private(told, json.dumps(facts, indent=1))
        gc.freeze()
        gc.enable()
        _greet(url, settings, data_dir if users else None)

    def stopping() -> None:
        stand_ins.unwatch()
        told.unlink(missing_ok=True)

    run.run(settings, sock, started=started, stopping=stopping)


def _write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600 that is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    temporary.replace(path)


def _greet(url: str, settings: config.Config, data_dir: Path | None) -> None:
    assert settings.identity is not None, "completed by now"  # noqa: S101  a fault of ours
    click.echo(f"ECNS {__version__} serves {url}")
    click.echo(f"  documentation  {url}/docs")
    click.echo(f"  identity       {settings.identity.auth_url}")
    for cluster in settings.clusters:
        by = cluster.kubeconfig or "the service account of this pod"
        click.echo(f"  cluster        {cluster.name or 'those'} ({cluster.type}) by {by}")
    if settings.harbor is not None:
        click.echo(f"  images         {settings.harbor.url}")
    if data_dir is not None:
        option = "" if data_dir == config.default_data_dir() else f" --data-dir {data_dir}"
        click.echo(f"  a token        ecns token --user developer{option}")


def _embedded_clusters(
    kubeconfigs: dict[str, str], users: list[dict[str, Any]]
) -> tuple[config.Cluster, ...]:
    """The business cluster is everybody's; the cloud's own is its administrators' (if they are embedded)."""
    administrators = tuple({user["project_id"] for user in users if "admin" in user["roles"]})
    return (
        config.Cluster(name="eks", kubeconfig=Path(kubeconfigs["eks"])),
        config.Cluster(name="eos", type="EOS", kubeconfig=Path(kubeconfigs["eos"]), projects=administrators),
    )


def _embedded_harbor(said: dict[str, str]) -> config.Harbor:
    """The embedded registry, which image references name by its address."""
    return config.Harbor(
        url=said["url"],
        username=said["username"],
        password_file=Path(said["password_file"]),
        domain=said["domain"],
    )


def _start_keystone(stand_ins: StandIns, data_dir: Path, openstack: socket.socket) -> StandIn:
    """Keystone, whose catalog names the other services before they run: they ask it who calls."""
    host, port = openstack.getsockname()
    services = catalog.offered(f"http://{host}:{port}")
    return stand_ins.start("embedded Keystone", "ecns.embedded.keystone", data_dir / "keystone", *services)


def _embedded_openstack(given: config.OpenStack, account: dict[str, str]) -> config.OpenStack:
    """What is not configured is as the stand-in has it."""
    if account and not given.application_credential_id:
        given = msgspec.structs.replace(
            given,
            application_credential_id=account["id"],
            application_credential_secret_file=Path(account["secret_file"]),
        )
    types = given.volume_types or {"hdd": "hdd", "high-performance": "high-performance"}
    return msgspec.structs.replace(given, volume_types=types)


def _start_openstack(
    stand_ins: StandIns, data_dir: Path, sock: socket.socket, auth_url: str, users: list[dict[str, Any]]
) -> None:
    """The administrators' project has what is everybody's; the others have networks of their own.

    Nobody waits for it: its socket takes connections already.
    """
    arguments = ["--identity-url", auth_url]
    for project, user in {user["project_id"]: user for user in users}.items():
        arguments += ["--operator" if "admin" in user["roles"] else "--project", project]
    with sock:
        stand_ins.start(
            "embedded OpenStack",
            "ecns.embedded.openstack",
            data_dir / "openstack",
            *arguments,
            sock=sock,
        )


def _start_cloud_provider(
    stand_ins: StandIns,
    data_dir: Path,
    kubeconfigs: dict[str, str],
    users: list[dict[str, Any]],
    settings: config.Config,
) -> None:
    """What makes the load balancers of Services; nobody waits for it."""
    from ecns.identity.place import PROJECT_LABEL  # noqa: PLC0415  as in `_serve`

    admin = next(user for user in users if "admin" in user["roles"])
    assert settings.identity is not None, "embedded"  # noqa: S101  a fault of ours
    folder = data_dir / "cloudprovider"
    _write_private(
        folder / "cloud.conf",
        f"""[Global]
auth-url = {settings.identity.auth_url}
username = {admin["username"]}
password = {admin["password"]}
tenant-id = {admin["project_id"]}
[LoadBalancer]
internal-lb = true
""",
    )
    clusters = [word for name, file in kubeconfigs.items() for word in ("--cluster", f"{name}={file}")]
    arguments = ["--cloud-config", str(folder / "cloud.conf"), "--project-label", PROJECT_LABEL, *clusters]
    stand_ins.start("embedded cloud provider", "ecns.embedded.cloudprovider", folder, *arguments)


def _url(settings: config.Config, sock: socket.socket) -> str:
    scheme = "https" if settings.server.tls_certificate else "http"
    host, port = sock.getsockname()[:2]
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


async def _seed(entries: tuple[config.Cluster, ...], users: list[dict[str, Any]]) -> None:
    """Give each project its namespace on the embedded clusters' first start."""
    from ecns.backends.kubernetes.clusters import Clusters  # noqa: PLC0415  as in `_serve`
    from ecns.identity.place import seed  # noqa: PLC0415  as in `_serve`

    wanted: dict[str, dict[str, tuple[str, str]]] = {"eks": {}, "eos": {}}
    for user in users:
        project = (user["project_id"], user["project"])
        if "admin" in user["roles"]:
            wanted["eos"]["platform"] = project
        else:
            wanted["eks"][user["project"]] = project
    clusters = Clusters(entries)
    try:
        await asyncio.gather(*(seed(cluster, wanted[cluster.name]) for cluster in clusters))
    finally:
        await clusters.close()


@main.command()
@click.option("--user", required=True, help="One of the embedded users: admin, developer, visitor, other.")
@_DATA
def token(user: str, data_dir: Path | None) -> None:
    """Print a token of an embedded user, from the identity that `ecns serve` started."""
    told = (data_dir or config.default_data_dir()) / "embedded.json"
    try:
        facts = json.loads(told.read_text())
    except (OSError, ValueError):
        _fail(f"nothing embedded is running ({told} is not there); start it with `ecns serve`")
    for known in facts["users"]:
        if known["username"] == user:
            click.echo(_issue(facts["identity_url"], known))
            return
    names = ", ".join(known["username"] for known in facts["users"])
    _fail(
        f"there is no embedded user {user!r}; there are {names}" if names else "the identity is not embedded"
    )


def _issue(identity_url: str, user: dict[str, Any]) -> str:
    body = {
        "auth": {
            "identity": {
                "methods": ["password"],
                "password": {
                    "user": {
                        "name": user["username"],
                        "domain": {"name": user["domain"]},
                        "password": user["password"],
                    }
                },
            },
            "scope": {"project": {"id": user["project_id"]}},
        }
    }
    request = urllib.request.Request(  # noqa: S310  the address is our own stand-in's
        f"{identity_url}/auth/tokens", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  as above
            return str(answer.headers["X-Subject-Token"])
    except (urllib.error.URLError, OSError) as error:
        _fail(f"the embedded Keystone did not issue a token: {error}")


@main.command()
@click.option("--config", "config_file", type=click.Path(path_type=Path), required=True)
def check(config_file: Path) -> None:
    """Check a configuration and reach each backend; one line for each."""
    try:
        settings = config.load(config_file)
    except config.ConfigError as error:
        _fail(error)
    click.echo(f"{config_file}: ok")
    from ecns.server.check import reach  # noqa: PLC0415  other commands need not wait for it

    failed = False
    for name, problem in asyncio.run(reach(settings)):
        failed = failed or problem.startswith("failed")
        click.echo(f"{name}: {problem}")
    sys.exit(1 if failed else 0)


@main.command()
def openapi() -> None:
    """Print the OpenAPI document."""
    from ecns.server.app import openapi_document  # noqa: PLC0415  other commands need not wait for it

    click.echo(openapi_document().decode())


@main.command()
@click.option("--table", is_flag=True, help="As a page of Markdown: operation by who may.")
def policy(*, table: bool) -> None:
    """Print the default policy, as a policy.yaml to start from."""
    from ecns.identity.policy import Policy  # noqa: PLC0415  other commands need not wait for it

    click.echo(Policy.table() if table else Policy.sample())


@main.command()
def version() -> None:
    """Print the version."""
    click.echo(__version__)


if __name__ == "__main__":
    main()

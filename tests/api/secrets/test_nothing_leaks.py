"""What is secret is in no log line, audit line, error, kept page, cache or store."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import secrets
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from ecns.api.common import feeds, lists
from ecns.api.secrets.service import ROWS
from tests.api import inside
from tests.api.secrets.pems import EC, OTHER, certificate, private
from tests.conftest import start, stop

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateway import Gateway

ALL = "/kubernetes/secret/"
PRODUCT = "/api/ecns/eks"


class Hidden:
    """A value that nobody else has, and the forms in which it could be told."""

    def __init__(self) -> None:
        self.value = f"hidden-{secrets.token_hex(12)}"
        self.key = private(EC)
        self.lines = [line for line in self.key.splitlines() if len(line) > 30]

    def in_(self, text: str) -> list[str]:
        """What of it is in a text."""
        plain = [self.value, *self.lines]
        encoded = [base64.b64encode(one.encode()).decode().rstrip("=")[:-2] for one in (self.value, self.key)]
        return [one for one in (*plain, *encoded) if one in text]


def requests(hidden: Hidden) -> Iterator[tuple[str, str, Any]]:
    """Requests that are done, and requests that are refused in every way: method, query and body."""
    value, key = hidden.value, hidden.key
    opaque = {"a": value, "name": value, "cluster_name": value, "user": value}
    login = {"URI": "r.example", "username": "u", "password": value}
    good: list[dict[str, Any]] = [
        {"name": "opaque", "type": "Opaque", "opaque": opaque},
        {"name": "tls", "type": "Tls", "tls": {"cert": certificate(EC), "key": key}},
        {"name": "docker", "type": "Dockerconfigjson", "dockerconfigjson": login},
    ]
    for secret in good:
        for query in ("?dry_run=true", "", ""):
            yield "POST", query, {"secret": secret}
    for secret in good:
        for query in ("?dry_run=true", ""):
            yield (
                "PATCH",
                query,
                {"secret": {**secret, "binary": {"b": base64.b64encode(value.encode()).decode()}}},
            )
    bad: list[Any] = [
        {"secret": {"opaque": opaque}},
        {"secret": {"name": "x", "opaque": opaque}},
        {"secret": {"name": "x", "type": "Opaque", "opaque": value}},
        {"secret": {"name": "x", "type": "Opaque", "opaque": {"a": [value]}}},
        {"secret": {"name": "x", "type": "Opaque", "opaque": {"a": {"name": value}}}},
        {"secret": {"name": "x", "type": "Opaque", "stringData": {"name": value}}},
        {"secret": {"stringData": {"name": value, "cluster_name": value}}},
        {"secret": {"name": "x", "type": "Opaque", "opaque": {}, "binary": {"a": value + "!"}}},
        {"secret": {"name": "x", "type": "Opaque", "opaque": {"a": value, "b": "x" * 1024 * 1024}}},
        {"secret": {"name": "x", "type": "Tls", "tls": {"cert": key, "key": key}}},
        {"secret": {"name": "x", "type": "Tls", "tls": {"cert": certificate(OTHER), "key": key}}},
        {"secret": {"name": "x", "type": "Tls", "tls": {"cert": certificate(EC), "key": value}}},
        {"secret": {"name": "x", "type": "Tls", "tls": {"cert": value, "key": key, "ca": value}}},
        {"secret": {"name": "x", "type": "Tls", "tls": value}},
        {
            "secret": {
                "name": "x",
                "type": "Dockerconfigjson",
                "dockerconfigjson": {**login, "username": "a:"},
            }
        },
        {"secret": {"name": "x", "type": "Dockerconfigjson", "dockerconfigjson": {"password": value}}},
        {"secret": {"name": "x", "type": "Dockerconfigjson", "dockerconfigjson": [login]}},
        {"secret": {"name": "opaque", "type": "Tls", "opaque": opaque}},
        {"secret": {"name": "x", "type": "Opaque", "opaque": {"a": value}, "immutable": value}},
        {"opaque": opaque, "name": "x"},
        {"opaque": {"name": value}},
        [value],
        value,
    ]
    for body in bad:
        yield "POST", "", body
        yield "PATCH", "", body
    yield "GET", "", None
    yield "GET", "?sort_by=expires&watch=false", None
    yield "DELETE", "", {"secrets": [{"name": "opaque", "type": "Opaque", "opaque": opaque}, {"name": "tls"}]}


def test_neither_logs_nor_audit_nor_errors(tmp_path: Path) -> None:
    audit = tmp_path / "audit.log"
    settings = tmp_path / "ecns.toml"
    settings.write_text(f'[server]\nlog_level = "debug"\n[audit]\nfile = "{audit}"\nreads = true\n')
    hidden = Hidden()
    process, gateway = start(tmp_path / "data", "--config", str(settings))
    try:
        client = gateway.client("developer")
        statuses = set()
        for number, (method, query, body) in enumerate(requests(hidden)):
            headers = {"Idempotency-Key": secrets.token_hex(8)} if number % 2 else {}
            answer = client.request(method, ALL + query, json=body, headers=headers)
            statuses.add(answer.status_code)
            assert answer.status_code < 500
            assert not hidden.in_(answer.text), (method, body, answer.text)
        for name in ("opaque", "tls", "docker"):
            assert client.get(f"{ALL}{name}/").status_code in {200, 404}
        broken = client.post(
            ALL, content=f'{{"secret": {hidden.value}', headers={"Content-Type": "application/json"}
        )
        assert not hidden.in_(broken.text)
        refused = client.post(ALL, content=hidden.value, headers={"Content-Type": "text/plain"})
        assert not hidden.in_(refused.text)
        assert {200, 400, 409} <= statuses
    finally:
        gateway.close()
        assert stop(process) == 0
    log = (tmp_path / "data.log").read_text()
    recorded = audit.read_text()
    assert '"debug"' in log
    assert recorded.count("secret.create") > 20
    assert '"names":["opaque"]' in recorded
    assert not hidden.in_(log)
    assert not hidden.in_(recorded)


def texts(value: Any, seen: set[int]) -> Iterator[str]:
    """All texts that data leads to: containers, Structs and ECNS's own objects."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, bytes | bytearray | msgspec.Raw):
        yield bytes(value).decode(errors="replace")
    elif id(value) not in seen:
        seen.add(id(value))
        for one in parts(value):
            yield from texts(one, seen)


def parts(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return [one for pair in list(value.items()) for one in pair]
    if isinstance(value, msgspec.Struct):
        return [getattr(value, name) for name in value.__struct_fields__]
    if isinstance(value, list | tuple | set | frozenset | deque):
        return value
    return parts_of_ours(value)


def parts_of_ours(value: Any) -> list[Any]:
    """What an object of a class of ECNS or of a store has."""
    if not type(value).__module__.startswith(("ecns", "litestar.stores")):
        return []
    slots = [name for cls in type(value).__mro__ for name in getattr(cls, "__slots__", ())]
    named = [getattr(value, name, None) for name in slots if not name.startswith("__")]
    return [*getattr(value, "__dict__", {}).values(), *named]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # what Litestar says of its next version
async def test_nothing_is_kept(gateway: Gateway) -> None:
    hidden = Hidden()
    token = gateway.token("developer")
    project = gateway.users["developer"]["project_id"]
    gateway.kubectl("create", "namespace", "kept-nothing")
    gateway.kubectl("label", "namespace", "kept-nothing", f"ecns.easystack.com/project-id={project}")
    manifest = {"apiVersion": "v1", "kind": "Secret", "stringData": {"a": hidden.value}}
    manifest["metadata"] = {"name": "applied", "namespace": "kept-nothing"}
    gateway.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))
    headers = {"X-Auth-Token": token, "X-Ecns-Cluster": "eks", "X-Ecns-Namespace": "kept-nothing"}
    async with inside.client(gateway) as client:
        watching = asyncio.create_task(client.get(f"{ALL}?watch=true", headers=headers))
        for number, (method, query, body) in enumerate(requests(hidden)):
            keyed = {**headers, "Idempotency-Key": f"kept-{number}"}
            await client.request(method, ALL + query, json=body, headers=keyed)
            await client.get(ALL, headers=headers)
        shown = await client.get(f"{ALL}docker/", headers=headers)
        assert hidden.value in shown.text
        assert (await client.get(f"{ALL}?page=1", headers=headers)).json()["total"] >= 2
        transport: Any = client._transport
        app = transport.app
        roots: dict[str, Any] = {
            "caches": list(app.app.state.clusters),
            "pages": dict(lists._pages),
            "rows": dict(ROWS._kept),
            "feeds": dict(feeds._feeds),
            "store": app.keep.__self__.store,
        }
        for name, root in roots.items():
            found = "\n".join(texts(root, set()))
            assert "applied" in found or name == "store", name
            assert not hidden.in_(found), name
        stored = "\n".join(texts(roots["store"], set()))
        assert '"name":"docker"' in stored  # the answer that is kept for a repeat
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError, AssertionError):  # the transport misses an end
            await watching
    gateway.kubectl("delete", "namespace", "kept-nothing", "--wait=false")

"""The gateway in front of either Keystone, by HTTP: who gets in, and who sees what."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.conftest import start, stop
from tests.gateway import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.gateway import Gateway
    from tests.real.keystone.servers import Cloud, KeystoneProcess, Person

CACHE_SECONDS = 1.0


@pytest.fixture(scope="module")
def gateway(server: KeystoneProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """`ecns serve` with this Keystone and an embedded cluster."""
    directory = tmp_path_factory.mktemp("gateway")
    config = directory / "ecns.toml"
    config.write_text(
        f'[identity]\nauth_url = "{server.url}"\ncache_seconds = {CACHE_SECONDS}\ntimeout = 1.0\n'
    )
    process, made = start(directory / "data", "--config", str(config))
    yield made
    made.close()
    assert stop(process) == 0


def ask(
    gateway: Gateway, token: str = "", method: str = "GET", path: str = "/namespace/", **headers: str
) -> Any:
    if token:
        headers["X-Auth-Token"] = token
    return httpx.request(method, f"{gateway.url}/api/ecns/eks{path}", headers=headers, timeout=20)


def give_namespace(gateway: Gateway, person: Person, name: str) -> str:
    gateway.kubectl("create", "namespace", name)
    gateway.kubectl("label", "namespace", name, f"ecns.easystack.com/project-id={person.project['id']}")
    return name


def namespaces(gateway: Gateway, token: str) -> list[str]:
    """What the tree shows."""
    answer = ask(gateway, token)
    assert answer.status_code == 200, answer.text
    return sorted(
        name for project in answer.json() for cluster in project["clusters"] for name in cluster["namespaces"]
    )


def is_error(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body["error"]["code"] == status
    assert body["RequestId"] == answer.headers["RequestId"]


def test_each_sees_their_own(gateway: Gateway, cloud: Cloud) -> None:
    one, two, reader = cloud.person("member"), cloud.person("member"), cloud.person("reader")
    mark = str(time.monotonic_ns())
    first = give_namespace(gateway, one, f"one-{mark}")
    second = give_namespace(gateway, two, f"two-{mark}")
    third = give_namespace(gateway, reader, f"three-{mark}")
    eventually(lambda: namespaces(gateway, one.token()) == [first])
    eventually(lambda: namespaces(gateway, two.token()) == [second])
    eventually(lambda: {first, second, third} <= set(namespaces(gateway, cloud.admin_token)))

    token = one.token()
    own = {"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": first}
    other = {**own, "X-Ecns-Namespace": second}
    assert ask(gateway, token, path="/workloads/", **own).json()["workloads"] == []
    is_error(ask(gateway, token, path="/workloads/", **other), 404)
    unknown = ask(gateway, token, path="/workloads/", **{**own, "X-Ecns-Namespace": f"gone-{mark}"})
    there = ask(gateway, token, path="/workloads/", **other)
    assert (
        there.text.replace(second, "").split("RequestId")[0]
        == (unknown.text.replace(f"gone-{mark}", "").split("RequestId")[0])
    )
    for system in ("kube-system", "default"):
        is_error(ask(gateway, token, path="/workloads/", **{**own, "X-Ecns-Namespace": system}), 404)
    is_error(ask(gateway, token, **{"X-Project-Id": two.project["id"]}), 403)
    assert ask(gateway, token, **{"X-Project-Id": one.project["id"]}).status_code == 200
    assert ask(gateway, cloud.admin_token, **{"X-Project-Id": two.project["id"]}).status_code == 200

    for person, status in ((reader, 403), (cloud.person("service"), 403)):
        refused = ask(gateway, person.token(), "PUT", "/workloads/?action=stop")
        is_error(refused, status)


def test_who_does_not_get_in(gateway: Gateway, cloud: Cloud, server: KeystoneProcess) -> None:
    person = cloud.person("member")
    for token in ("", "junk", "gAAAAA" + "A" * 180, "x" * 5000):
        answer = ask(gateway, token)
        is_error(answer, 401)
        assert answer.headers["WWW-Authenticate"] == f'Keystone uri="{server.url}"'
    is_error(ask(gateway, person.token("unscoped")), 403)


def test_an_ended_token_is_out_after_the_cache(gateway: Gateway, cloud: Cloud) -> None:
    person = cloud.person("member")
    token = person.token()
    assert ask(gateway, token).status_code == 200
    cloud.call("PATCH", f"/users/{person.user['id']}", {"user": {"enabled": False}})
    ended = time.monotonic()
    eventually(lambda: ask(gateway, token).status_code == 401, seconds=CACHE_SECONDS + 5)
    assert time.monotonic() - ended < CACHE_SECONDS + 3


def test_keystone_hangs_and_goes(gateway: Gateway, cloud: Cloud, server: KeystoneProcess) -> None:
    token, later = cloud.person("member").token(), cloud.person("member").token()
    assert ask(gateway, token).status_code == 200
    server.hang()
    try:
        answer = ask(gateway, later)
    finally:
        server.resume()
    is_error(answer, 504)
    assert answer.json()["details"]["upstream"] == "keystone"
    server.stop()
    try:
        answer = ask(gateway, later)
        is_error(answer, 503)
        assert answer.json()["details"]["upstream"] == "keystone"
        assert httpx.get(f"{gateway.url}/healthz").status_code == 200
        assert httpx.get(f"{gateway.url}/readyz").status_code == 503
        time.sleep(CACHE_SECONDS)
        assert ask(gateway, token).status_code == 200  # it was let in before
    finally:
        server.start()
    eventually(lambda: ask(gateway, later).status_code == 200)

"""What holds for every operation (reference 1.11; decisions, "Calling")."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from ecns.api.workloads.types import Workloads
from tests.api.answers import refused, told
from tests.api.project import Project, make
from tests.api.workloads.asking import LIST, create, delete, listed, one, unused, workload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.gateway import Gateway

JSON = {"Content-Type": "application/json"}
MEBIBYTE = 1024 * 1024
BODIES = [
    ("POST", LIST),
    ("PUT", f"{LIST}?action=stop"),
    ("DELETE", LIST),
    ("PATCH", f"{one('any')}?action=scale"),
    ("PATCH", f"{one('any')}?action=labels&workload_type=Deployment"),
    ("DELETE", one("any", "revisions/")),
]


@pytest.fixture(scope="module")
def project(gateway: Gateway) -> Project:
    """A project with one namespace."""
    made = make(gateway, "calling")
    made.namespace("calling")
    return made


@pytest.mark.parametrize("product", ["image", "vm", "EKS", "eks ", "%2e%2e"])
def test_an_operation_is_there_under_its_product_types_only(gateway: Gateway, product: str) -> None:
    for path in (LIST, "/pods/", "/namespace/", one("any")):
        refused(gateway.client("developer", product).get(path), 404)


@pytest.mark.parametrize("sent", ["GET / HTTP/1.1\r\nX: \x01\r\n\r\n", "what?\r\n\r\n"])
def test_what_is_no_http_is_an_error_as_all_others(gateway: Gateway, sent: str) -> None:
    url = httpx.URL(gateway.url)
    with socket.create_connection((url.host, url.port), timeout=10) as connection:
        connection.sendall(sent.encode())
        answer = b"".join(iter(lambda: connection.recv(4096), b"")).decode()
    head, _, body = answer.partition("\r\n\r\n")
    status, *lines = head.split("\r\n")
    assert status == "HTTP/1.1 400 Bad Request"
    refused(httpx.Response(400, headers=[line.split(": ") for line in lines], content=body), 400)


def test_a_query_parameter_that_an_operation_does_not_have_is_named(project: Project) -> None:
    manager = project.manager
    for path in (LIST, "/pods/", "/overview/pods_status/", "/namespace/", one("any")):
        assert refused(manager.get(path, params={"sort": "name"}), 400, field="sort")
        for harmless in ("_=1", "_dc=2", "t=3", "timestamp=4", "sort=", "&&"):
            assert manager.get(f"{path}?{harmless}").status_code in {200, 404}
    refused(manager.get("/overview/pods_status/", params={"watch": "true"}), 400, field="watch")
    refused(
        manager.delete("/namespace/cluster/eks/ns/calling/", params={"dryrun": "true"}), 400, field="dryrun"
    )
    assert manager.get(LIST).status_code == 200
    path = "/namespace/cluster/eks/ns/calling/psp/"
    answer = manager.patch(path, params={"cluster_type": "EKS"}, json={"psp": "Unlimited"})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("product", ["eks", "hybrid", "security"])
def test_product_types_that_have_it_answer(project: Project, product: str) -> None:
    client = project.client("reader", product)
    for path in (LIST, "/pods/", "/namespace/"):
        assert client.get(path).status_code == 200


def test_a_product_type_gives_defaults(project: Project) -> None:
    for product, runtime, application in (("hybrid", None, "Hybrid"), ("security", "rune", "Normal")):
        client = project.client("member", product)
        sent = {"workloads": [workload(unused(), replicas=0)]}
        made = told(client.post(LIST, json=sent), Workloads).workloads[0]
        assert (made.runtime_class_name, made.application_type) == (runtime, application)
        delete(client, (made.workload_base.name, "Deployment"))


def test_slashes_and_empty_query_pieces_do_not_matter(project: Project) -> None:
    client = project.reader
    for path in ("/workloads", "/workloads/", "/workloads?&&page=1&&page_size=5&", "/workloads/?&"):
        assert client.get(path).status_code == 200
    empty = "page=&page_size=&order=&sort_by=&name=&label_selector=&watch=&status=&workload_type="
    assert client.get(f"{LIST}?{empty}").content == client.get(LIST).content


def test_an_empty_dry_run_changes_nothing(project: Project) -> None:
    body = {"configmap": {"config": {}}}
    refused(
        project.member.post("/kubernetes/configmap/meant-as-a-trial/?dry_run=", json=body),
        400,
        field="dry_run",
    )


def test_head_is_get_without_the_body(project: Project) -> None:
    client = project.reader
    for path in (LIST, "/pods/", "/namespace/"):
        full, head = client.get(path), client.head(path)
        assert head.status_code == 200
        assert head.content == b""
        assert head.headers["Content-Length"] == str(len(full.content))
        assert head.headers["RequestId"] != full.headers["RequestId"]
        assert client.get(path).status_code == 200
    missing = client.head(one("nothing"))
    assert (missing.status_code, missing.content) == (404, b"")


def test_a_method_that_is_not_there_is_405_and_a_path_404(project: Project, gateway: Gateway) -> None:
    refused(project.member.post("/pods/", json={}), 405)
    refused(project.member.put(one("any", "network"), json={}), 405)
    refused(project.member.get("/nothing/"), 404)
    refused(gateway.client().get("/nothing/"), 404)
    refused(httpx.get(f"{gateway.url}/api/ecns/"), 404)
    refused(httpx.get(f"{gateway.url}/api/"), 404)


@pytest.mark.parametrize("token", ["", "x", "a b", "x" * 5000, "gAAAAA" * 30, "ü", "\x00", '"', "../../etc"])
def test_a_token_that_is_none_is_401(gateway: Gateway, token: str) -> None:
    try:
        answer = gateway.client().get(LIST, headers={b"X-Auth-Token": token.encode()})
    except httpx.LocalProtocolError:
        return
    if token == "\x00":
        assert answer.status_code in {400, 401}
        return
    refused(answer, 401)


def test_the_project_that_is_sent_is_the_tokens(gateway: Gateway, project: Project) -> None:
    other = gateway.users["other"]["project_id"]
    for wrong in (other, "nonsense", project.id.upper()):
        refused(project.member.get(LIST, headers={"X-Project-Id": wrong}), 403)
    assert project.member.get(LIST, headers={"X-Project-Id": project.id}).status_code == 200
    assert gateway.client("admin").get("/namespace/", headers={"X-Project-Id": other}).status_code == 200


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"   ",
        b"{",
        b"nonsense",
        b"{} {}",
        b"\xff\xfe",
        b'{"a":"\xff"}',
        b"\xef\xbb\xbf{}",
        b'{"replicas":NaN}',
        b'{"replicas":Infinity}',
        b'{"replicas":1e999}',
        b'{"a":"\\ud800"}',
        b"[" * 200_000,
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        b'{"workloads":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"null",
        b"[]",
        b"1",
        b'"text"',
        b'{"replicas":' + b"9" * 5000 + b"}",
    ],
    ids=lambda content: repr(content[:24]) if isinstance(content, bytes) else None,
)
def test_a_body_that_is_none_is_400(project: Project, content: bytes) -> None:
    for method, path in BODIES:
        message = refused(project.member.request(method, path, content=content, headers=JSON), 400)
        assert len(message) < 2500


def test_a_content_type_that_is_not_taken_is_415(project: Project) -> None:
    for kind in ("application/xml", "text/html", "application/x-www-form-urlencoded", "application/msgpack"):
        answer = project.member.post(LIST, content=b"{}", headers={"Content-Type": kind})
        assert kind in refused(answer, 415)
    for kind in ("application/json; charset=utf-8", "APPLICATION/JSON"):
        sent = json.dumps({"workloads": []}).encode()
        assert project.member.post(LIST, content=sent, headers={"Content-Type": kind}).status_code == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_413(gateway: Gateway, project: Project, chunked: bool) -> None:  # noqa: FBT001  a case
    def pieces() -> Iterator[bytes]:
        yield b'{"a":"'
        for _ in range(11):
            yield b"a" * MEBIBYTE
        yield b'"}'

    content: Any = pieces() if chunked else b"".join(pieces())
    refused(project.member.post(LIST, content=content, headers=JSON), 413)
    assert gateway.client("developer").get(LIST).status_code == 200


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("page=0", "page"),
        ("page=-1", "page"),
        ("page=abc", "page"),
        ("page=1.5", "page"),
        ("page_size=0", "page_size"),
        ("page_size=501", "page_size"),
        ("page_size=x", "page_size"),
        ("sort_by=colour", "sort_by"),
        ("order=up", "order"),
        ("label_selector=a%20b", "label_selector"),
        ("label_selector=a=%25", "label_selector"),
        ("label_selector=,,", "label_selector"),
        ("label_selector=a in (b", "label_selector"),
        ("label_selector=%00", "label_selector"),
        ("label_selector=%ff", "label_selector"),
        ("workload_type=Job", "workload_type"),
        ("status=Perfect", "status"),
    ],
)
def test_a_query_that_cannot_be_is_400(project: Project, query: str, field: str) -> None:
    refused(project.reader.get(f"{LIST}?{query}"), 400, field=field)


def test_an_action_that_is_none_is_400(project: Project) -> None:
    for query in ("", "?action=", "?action=dance", "?action=STOP", "?action=dance&action=stop"):
        for method, path in (("PUT", LIST), ("PUT", one("any")), ("PATCH", one("any"))):
            answer = project.member.request(method, f"{path}{query}", json={"workloads_base": []})
            assert "action" in refused(answer, 400, field="action")


@pytest.mark.parametrize(
    "name", ["a%2Fb", "%2e%2e", "%00", "A", "a%0Ab", "%FF", "世界", "a%3Fb=c", "x" * 4000]
)
def test_a_name_that_is_none_leads_nowhere(project: Project, name: str) -> None:
    for path in (one(name), f"{one(name)}?workload_type=Deployment", f"/pods/pod/{name}/"):
        answer = project.member.get(path)
        refused(answer, 404 if answer.status_code == 404 else 400)


def test_a_repeated_request_with_a_key_makes_nothing_twice(project: Project) -> None:
    client, name = project.member, unused()
    sent = {"workloads": [workload(name, replicas=0)]}
    key = {"Idempotency-Key": f"key-{name}"}
    first = client.post(LIST, json=sent, headers=key)
    again = client.post(LIST, json=sent, headers=key)
    assert first.status_code == again.status_code == 200, again.text
    assert again.json() == first.json()
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["RequestId"] != first.headers["RequestId"]
    other = {"workloads": [workload(f"{name}-other")]}
    assert "another request" in refused(client.post(LIST, json=other, headers=key), 409)
    assert f"{name}-other" not in listed(client)
    assert client.post(f"{LIST}?dry_run=true", json=sent, headers=key).status_code == 409
    refused(client.post(LIST, json=sent), 409)
    theirs = project.manager.post(LIST, json=sent, headers=key)
    assert "already exists" in refused(theirs, 409)
    refused(
        client.post(LIST, json=sent, headers={"Idempotency-Key": "k" * 256}), 400, field="Idempotency-Key"
    )
    delete(client, (name, "Deployment"))
    assert client.post(LIST, json=sent, headers=key).headers["Idempotency-Replayed"] == "true"
    assert name not in listed(client)


def test_a_failure_is_not_kept(project: Project) -> None:
    client, name = project.member, unused()
    key = {"Idempotency-Key": f"key-{name}"}
    sent = {"workloads": [workload(name, replicas=0)]}
    create(client, workload(name, replicas=0))
    refused(client.post(LIST, json=sent, headers=key), 409)
    delete(client, (name, "Deployment"))
    assert client.post(LIST, json=sent, headers=key).status_code == 200
    delete(client, (name, "Deployment"))


def test_of_many_at_once_with_one_key_one_is_done(project: Project) -> None:
    client, name = project.member, unused()
    sent = {"workloads": [workload(name, replicas=0)]}
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(
                lambda _: client.post(LIST, json=sent, headers={"Idempotency-Key": f"key-{name}"}), range(8)
            )
        )
    done = [answer for answer in answers if answer.status_code == 200]
    assert sum("Idempotency-Replayed" not in answer.headers for answer in done) == 1
    for answer in answers:
        if answer not in done:
            assert "still under way" in refused(answer, 409)
    delete(client, (name, "Deployment"))


def test_each_answer_says_how_new_it_is(project: Project) -> None:
    answer = project.reader.get(LIST)
    assert int(answer.headers["X-Resource-Version"]) > 0
    assert int(answer.headers["Age"]) >= 0
    name = unused()
    create(project.member, workload(name, replicas=0))
    fresh = project.reader.get(LIST, headers={"Cache-Control": "no-cache"})
    assert name in fresh.text
    assert int(fresh.headers["X-Resource-Version"]) >= int(answer.headers["X-Resource-Version"])
    delete(project.member, (name, "Deployment"))

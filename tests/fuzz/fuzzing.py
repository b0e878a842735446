"""Requests that the OpenAPI document allows, and some that it does not, sent by the thousand.

Whatever comes: no fault of ECNS, no answer that takes long, and none that the document does not tell of.
Names are random, or those of things that are there, so that requests also get past the first check.
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any

import hypothesis
import msgspec
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import load_all_checks
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemathesis import Case
    from schemathesis.core.transport import Response
    from schemathesis.schemas import APIOperation

    from tests.api.project import Project
    from tests.gateway import Gateway

load_all_checks()
CHECKS = [
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
]
DELIBERATE = {501, 503, 504}
"""What an installation without some part, or an upstream, is told of by."""
PATIENT = 20.0
"""Seconds that no answer may take."""
ENDLESS = {"watch", "follow"}
"""Parameters that make an answer a stream; streams are tried elsewhere."""
NAMESPACE = "fuzz"
THING = "thing"
"""The name of everything that is there."""
HINTS = {
    "action": (
        "start",
        "stop",
        "recreate",
        "attach",
        "detach",
        "scale",
        "rollback",
        "labels",
        "set",
        "unset",
    ),
    "cluster_name": ("eks",),
    "cluster_type": ("EKS", "EOS", "EHOS", "PROJECT_ALL", "CLOUD_ALL"),
    "kind": (
        "application",
        "ConfigMap",
        "Deployment",
        "pods",
        "secret",
        "svc",
        "StorageClass",
        "PersistentVolume",
    ),
    "namespace_name": (NAMESPACE, "nowhere"),
    "product_type": ("eks", "eks", "eks", "hybrid", "security", "image"),
    "resource_type": ("Deployment", "ConfigMap", "Namespace", "HarborProject"),
    "type": ("Deployment", "Opaque", "Tls", "Normal", "Hybrid", "sc", "pvc", "pv"),
    "version": ("1", "2"),
    "workload_type": ("Deployment", "StatefulSet", "DaemonSet"),
}
"""Values that lead somewhere."""
NAMED = {"name", "application_name", "configmap_name", "secret_name", "target_workload"}
"""Keys of bodies that name things."""
DOCUMENTS = (
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: thing}\ndata: {a: b}\n",
    "kind: List\nitems: [{apiVersion: v1, kind: Secret, metadata: {name: thing}, data: {a: YQ==}}]\n",
    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: thing}\nspec: {replicas: '1'}\n",
    "apiVersion: v1\nkind: Namespace\nmetadata: {name: thing}\n---\nkind: x\n---\n- 1\n",
    "{a: &a [b, *a]}",
)
"""What YAML may be in a body."""
WORD = st.text(max_size=8) | st.integers() | st.none() | st.booleans()


class Finding(msgspec.Struct):
    """Something wrong."""

    operation: str
    what: str
    request: str
    answer: str
    request_id: str = ""
    """Of faults, by which the gateway's log tells of it."""

    def __str__(self) -> str:
        return f"{self.operation}: {self.what}\n  {self.request}\n  {self.answer}"


class Fuzzer:
    """Sends requests to a gateway.

    Args:
        gateway: which.
        user: who sends them.
    """

    def __init__(self, gateway: Gateway, user: str) -> None:
        document = requests.get(f"{gateway.url}/openapi.json", timeout=30).json()
        self.gateway = gateway
        self.schema = schemathesis.openapi.from_dict(document)
        self.schema.config.update(base_url=gateway.url)
        self.session = requests.Session()
        self.session.headers.update(
            {
                "X-Auth-Token": gateway.token(user),
                "X-Ecns-Cluster": "eks",
                "X-Ecns-Namespace": NAMESPACE,
            }
        )
        self.sent = 0
        self.statuses: dict[int, int] = {}

    def operations(self) -> Iterator[APIOperation]:
        """All operations of the document."""
        for result in self.schema.get_all_operations():
            yield result.ok()

    def run(self, operation: APIOperation, *, examples: int, seed: int) -> list[Finding]:
        """Send requests for an operation; the first finding of each kind."""
        found: dict[str, Finding] = {}
        for mode, many in (
            (GenerationMode.POSITIVE, examples),
            (GenerationMode.NEGATIVE, max(1, examples // 2)),
        ):
            strategy = operation.as_strategy(generation_mode=mode)

            @hypothesis.seed(seed)
            @settings(
                max_examples=many,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=strategy, hints=st.data())
            def send(case: Case, hints: st.DataObject) -> None:
                self._guide(case, hints)
                finding = self._send(case)
                if finding is not None:
                    found.setdefault(finding.what.split("\n")[0][:120], finding)

            try:
                send()
            except hypothesis.errors.Unsatisfiable:
                continue  # nothing of this operation can be wrong
        return list(found.values())

    def _guide(self, case: Case, hints: st.DataObject) -> None:
        """Let some names be those of things that are there."""
        for parameters in (case.path_parameters, case.query):
            for name in list(parameters or {}):
                if name in HINTS:
                    parameters[name] = hints.draw(st.sampled_from([*HINTS[name], parameters[name]]))
                elif name.endswith("_name"):
                    parameters[name] = hints.draw(st.sampled_from([THING, THING, parameters[name]]))
                if name in ENDLESS:
                    parameters.pop(name)
        if case.media_type == "application/yaml" or (isinstance(case.body, dict) and "yaml" in case.body):
            text = hints.draw(st.sampled_from(DOCUMENTS))
            if hints.draw(st.booleans()):
                place = hints.draw(st.integers(0, len(text)))
                text = text[:place] + str(hints.draw(WORD)) + text[place + hints.draw(st.integers(0, 3)) :]
            if isinstance(case.body, dict):
                case.body["yaml"] = text
            else:
                case.body = text
        elif hints.draw(st.booleans()):
            case.body = _named(case.body)

    def _send(self, case: Case) -> Finding | None:
        started = time.monotonic()
        told = ""
        try:
            answer = case.call(session=self.session, timeout=PATIENT)
        except requests.exceptions.Timeout:
            return Finding(
                case.operation.label, f"no answer within {PATIENT:g} s", case.as_curl_command(), ""
            )
        except (requests.exceptions.InvalidHeader, UnicodeEncodeError, requests.exceptions.InvalidURL):
            return None  # not to be sent
        self.sent += 1
        status = answer.status_code
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if status >= 500 and status not in DELIBERATE:
            told = f"answered {status}"
        elif time.monotonic() - started > PATIENT:
            told = "took too long"
        else:
            try:
                case.validate_response(answer, checks=CHECKS)
            except FailureGroup as failures:
                told = "; ".join(f"{one.title}: {one.message}" for one in failures.exceptions)
        if not told:
            return None
        whole = status >= 500
        request = f"{answer.request.method} {answer.request.url} {answer.request.body!r}"
        if not whole:
            return Finding(case.operation.label, told[:1500], request[:2000], f"{status} {answer.text[:600]}")
        return Finding(case.operation.label, told, request, f"{status} {answer.text}", _id(answer))


def _id(answer: Response) -> str:
    return str((answer.headers.get("requestid") or [""])[0])


def _named(body: Any) -> Any:
    """A body whose names are those of things that are there."""
    if isinstance(body, list):
        return [_named(one) for one in body]
    if isinstance(body, dict):
        return {
            key: THING if key in NAMED and isinstance(one, str) else _named(one) for key, one in body.items()
        }
    return body


def furnish(project: Project) -> None:
    """Have one thing of each kind, so that there is something to find."""
    client = project.client("manager", **{"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": NAMESPACE})
    container = {
        "name": "c",
        "type": "worker",
        "image": {"image": "nginx", "image_version": "1"},
        "resources": {"limits": {"cpu": 0.1, "memory": 64}},
    }
    job = {"name": THING, "containers": [container]}
    bodies: dict[str, Any] = {
        "/applications/": {"name": THING},
        "/workloads/": {
            "workloads": [
                {
                    "workload_base": {"name": THING, "type": "Deployment", "replicas": 1},
                    "containers": [container],
                    "application_name": THING,
                }
            ]
        },
        f"/kubernetes/configmap/{THING}/": {"configmap": {"config": {"a": "b"}}},
        "/kubernetes/secret/": {"secret": {"name": THING, "type": "Opaque", "opaque": {"a": "b"}}},
        "/jobs/": {"job": job},
        "/cronjobs/": {"cronjob": {"cron_rule": {"minute": "5"}, "job": job}},
        f"/service/{THING}/": {
            "service": {
                "access_mode": {"type": "ClusterIP", "access": [{"port": 80}]},
                "target_workload": THING,
            }
        },
        f"/kubernetes/pvc/{THING}/": {"pvc": {"capacity": 1, "access_mode": "ReadWriteOnce"}},
    }
    for path, body in bodies.items():
        client.post(path, json=body, headers={"Idempotency-Key": secrets.token_hex()})

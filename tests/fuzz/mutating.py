"""Requests that were right, with one thing in them changed: what random ones never reach."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any

from tests.fuzz.fuzzing import DELIBERATE, PATIENT, THING, Finding

if TYPE_CHECKING:
    import httpx

CONTAINER: dict[str, Any] = {
    "name": "c",
    "type": "worker",
    "image": {"image": "nginx", "image_version": "1", "image_pull_policy": "Always"},
    "image_source": "third_party",
    "resources": {"limits": {"cpu": 0.1, "memory": 64}, "requests": {"cpu": 0.1, "memory": 32}},
    "env": [
        {"type": "Normal", "name": "A", "key": "1"},
        {"type": "ConfigMap", "name": "B", "key": THING, "value": "a"},
    ],
    "volume_mounts": [{"volume_name": "files", "mount_path": "/files", "read_only": True, "sub_path": "a"}],
    "health": [
        {"type": "liveness", "protocol": "http", "path": "/", "port": 80, "initial_delay": 1, "period": 2}
    ],
    "logsidecar_injector": ["/files/log"],
    "security": {"privileged": False, "capabilities": [{"action": "add", "caps": ["NET_ADMIN"]}]},
    "command": ["sh"],
    "args": ["-c", "true"],
}
ACCESS: dict[str, Any] = {
    "type": "NodePort",
    "access": [{"name": "web", "port": 80, "target_port": 80, "protocol": "TCP", "node_port": 30080}],
    "annotations": {"a": "b"},
}
EXTERNAL = {"type": "ExternalName", "external_name": "db.example.com"}
EXPRESSION = {"key": "a", "operator": "In", "values": "b,c"}
WORKLOAD: dict[str, Any] = {
    "workload_base": {"name": "made", "type": "Deployment", "replicas": 0},
    "application_name": THING,
    "labels": {"a": "b"},
    "containers": [CONTAINER],
    "volumes": [{"name": "files", "type": "EmptyDir", "emptydir": "Memory"}],
    "access_mode": [ACCESS],
    "update_strategy": {"type": "custom", "max_surge": "25%", "max_unavailable": 1, "period": 1},
    "scale_strategy": {"min_replicas": 1, "max_replicas": 3, "resource": {"cpu": 50}},
    "scheduler_strategy": [
        {
            "type": "podAffinity",
            "pod_affinity": {
                "required": [{"topology_key": "kubernetes.io/hostname", "expression": [EXPRESSION]}],
                "prefered": [{"topology_key": "zone", "expression": [{**EXPRESSION, "weight": 5}]}],
            },
        },
        {"type": "nodeSelectorTerms", "node_terms": {"required": [{"expression": [EXPRESSION]}]}},
    ],
    "network": {"dns_policy": "Default", "host_aliases": [{"ip": "10.0.0.2", "hostnames": "a,b"}]},
}
JOB: dict[str, Any] = {
    "name": "made",
    "containers": [{**CONTAINER, "volume_mounts": [], "logsidecar_injector": []}],
    "completions": 1,
    "parallelism": 1,
    "backoff_limit": 1,
    "active_deadline_seconds": 5,
}
RULE = {"minute": "*/5", "hour": "1-3", "day": "1", "month": "*", "week": "1,2"}
ROUTER = {"domain": "a.example.com", "path": "/", "target_service": THING, "service_port": 80}
PODS = (
    "apiVersion: v1\nkind: Pod\nmetadata:\n  name: made\nspec:\n  containers:\n  - {name: c, image: nginx}\n"
)
REQUESTS: list[tuple[str, str, dict[str, str], Any]] = [
    ("POST", "/workloads/", {}, {"workloads": [WORKLOAD]}),
    (
        "POST",
        "/applications/",
        {},
        {
            "name": "made",
            "workloads": [{**WORKLOAD, "application_name": None}],
            "configmaps": [{"name": "m", "config": {"a": "b"}}],
        },
    ),
    *(
        ("PATCH", f"/workloads/workload/{THING}/", {"action": action, "workload_type": "Deployment"}, body)
        for action, body in (
            ("scale", {"replicas": 1}),
            ("containers", {"containers": JOB["containers"]}),
            ("labels", {"labels": {"a": "b"}}),
            ("network", {"network": WORKLOAD["network"]}),
            ("access_modes", {"access_modes": [ACCESS]}),
            ("update_strategy", {"update_strategy": WORKLOAD["update_strategy"]}),
            ("scale_strategy", {"scale_strategy": WORKLOAD["scale_strategy"]}),
            ("scheduler_strategy", {"scheduler_strategy": WORKLOAD["scheduler_strategy"]}),
            ("rollback", {"target_version": "1"}),
        )
    ),
    *(
        (
            "PUT",
            "/workloads/",
            {"action": action},
            {"workloads_base": [{"name": THING, "type": "Deployment"}], "application_name": THING},
        )
        for action in ("start", "stop", "recreate", "attach", "detach")
    ),
    ("POST", "/jobs/", {}, {"job": JOB}),
    ("POST", "/cronjobs/", {}, {"cronjob": {"cron_rule": RULE, "job": JOB, "concurrency_policy": "Forbid"}}),
    (
        "POST",
        "/kubernetes/configmap/made/",
        {},
        {"configmap": {"config": {"a": "b"}, "binary": {"c": "AP8="}, "labels": {"a": "b"}}},
    ),
    (
        "PATCH",
        f"/kubernetes/configmap/{THING}/",
        {},
        {"configmap": {"config": {"a": "b"}, "resource_version": "1"}},
    ),
    (
        "POST",
        "/kubernetes/secret/",
        {},
        {"secret": {"name": "made", "type": "Opaque", "opaque": {"a": "b"}, "binary": {"c": "AP8="}}},
    ),
    (
        "POST",
        "/kubernetes/secret/",
        {},
        {
            "secret": {
                "name": "made",
                "type": "Dockerconfigjson",
                "dockerconfigjson": {"URI": "r", "username": "u", "password": "p"},
            }
        },
    ),
    ("POST", "/service/made/", {}, {"service": {"access_mode": ACCESS, "target_workload": THING}}),
    ("PUT", f"/service/{THING}/", {}, {"service": {"access_mode": EXTERNAL}}),
    (
        "POST",
        "/ingress/",
        {},
        {
            "ingress": {
                "name": "made",
                "routers": [ROUTER],
                "tls": [{"secret": THING, "hosts": ["a.example.com"]}],
            }
        },
    ),
    (
        "POST",
        "/kubernetes/pvc/made/",
        {},
        {"pvc": {"capacity": 1, "access_mode": "ReadWriteOnce", "storage_class_name": "standard"}},
    ),
    ("PATCH", f"/kubernetes/pvc/{THING}/", {}, {"pvc": {"capacity": "2Gi"}}),
    ("POST", "/_raw/pod/name/made/", {}, {"yaml": PODS}),
    ("DELETE", "/pods/", {}, {"pod": {"name": "made"}, "force": True}),
    ("DELETE", "/service/", {}, {"service": ["made"]}),
    (
        "DELETE",
        "/workloads/",
        {},
        {"workloads_base": [{"name": "made", "type": "Deployment"}], "delete_service": True},
    ),
]
JUNK: tuple[Any, ...] = (
    *(
        None,
        True,
        0,
        -1,
        1.5,
        2**31,
        2**63,
        10**400,
        1e308,
        "",
        " ",
        "\x00",
        "a" * 300,
        "-",
        "A_b",
        "é",
        "😀",
        "a/b",
        "../x",
    ),
    *(
        "1",
        "-1",
        "1e400",
        "0x1",
        "nan",
        "Infinity",
        "100%",
        "-5%",
        "10Gi",
        "1Ei",
        "9" * 50,
        "a,b",
        ",",
        "*",
        "*/0",
        "0 0 30 2 *",
    ),
    *(
        [],
        {},
        [[]],
        [None],
        [{}],
        {"": ""},
        {"a": None},
        {"name": THING},
        ["a", "a"],
        "sha256:",
        "127.0.0.1",
        "::1",
        "{{x}}",
    ),
)


def mutated(value: Any, chance: random.Random) -> Any:
    """A copy with one thing changed: replaced, left out, doubled, or under another key."""
    places = list(_places(value))
    path = chance.choice(places)
    return _changed(value, path, chance)


def _places(value: Any, path: tuple[Any, ...] = ()) -> Any:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _places(inner, (*path, key))


def _changed(value: Any, path: tuple[Any, ...], chance: random.Random) -> Any:
    if not path:
        return chance.choice(JUNK)
    key, rest = path[0], path[1:]
    made = dict(value) if isinstance(value, dict) else list(value)
    if rest or chance.random() < 0.7:
        made[key] = _changed(value[key], rest, chance)
    elif isinstance(made, list):
        made.insert(key, made[key])
    elif chance.random() < 0.5:
        del made[key]
    else:
        made[str(chance.choice(JUNK))] = made.pop(key)
    return made


def mutate(client: httpx.Client, *, many: int, seed: int) -> tuple[list[Finding], dict[int, int]]:
    """Send so many requests; the first finding of each request, and how often each status was answered."""
    chance = random.Random(seed)  # noqa: S311  no secret
    found: dict[str, Finding] = {}
    statuses: dict[int, int] = {}
    for number in range(many):
        method, path, params, right = REQUESTS[number % len(REQUESTS)]
        body = right
        for _ in range(chance.choice((0, 1, 1, 1, 2, 3))):
            body = mutated(body, chance)
        sent = {**params, **({"dry_run": "true"} if chance.random() < 0.5 else {})}
        started = time.monotonic()
        answer = client.request(method, path, params=sent, json=body, timeout=PATIENT)
        statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
        late = time.monotonic() - started > PATIENT / 2
        if late or (answer.status_code >= 500 and answer.status_code not in DELIBERATE):
            what = "took too long" if late else f"answered {answer.status_code}"
            finding = Finding(f"{method} {path} {params}", what, repr(body)[:3000], answer.text[:600])
            found.setdefault(finding.operation, finding)
    return list(found.values()), statuses

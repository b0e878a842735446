"""Making, listing, showing, stopping and deleting workloads (chapter 1.21), as users do it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ecns.api.common.batches import Batch
from ecns.api.common.objects import DryRun
from ecns.api.workloads import types
from ecns.api.workloads.routes import Created
from tests.api.answers import refused, told
from tests.api.workloads.asking import (
    KINDS,
    LIST,
    Json,
    change,
    container,
    create,
    delete,
    listed,
    one,
    shown,
    unused,
    workload,
)
from tests.gateway import eventually

if TYPE_CHECKING:
    from tests.api.project import Project
    from tests.gateway import Gateway

NAMESPACE = "chapters"
PORTS = [{"port": 80, "target_port": 8080, "protocol": "TCP"}]
EVERYTHING: Json = {
    "labels": {"tier": "front", "example.com/team": "core"},
    "access_mode": [
        {"type": "NodePort", "access": [{**PORTS[0], "routers": [{"domain": "a.example.com", "path": "/"}]}]}
    ],
    "containers": [
        container(
            resources={"requests": {"cpu": 0.1, "memory": 64}, "limits": {"cpu": 0.5, "memory": 128}},
            env=[{"type": "Normal", "name": "GREETING", "key": "你好"}],
            volume_mounts=[{"volume_name": "scratch", "mount_path": "/scratch"}],
            health=[{"type": "readiness", "protocol": "tcp", "port": 8080}],
            security={"run_as_user": 1000, "capabilities": {"action": "add", "caps": ["NET_ADMIN"]}},
            commands={"cmd": ["sleep"], "args": ["9"]},
            hooks=[{"type": "PreStop", "cmd": ["sleep", "1"]}],
            logsidecar_injector=["/scratch/app.log"],
        ),
        container("prepare", type="init"),
    ],
    "volumes": [{"name": "scratch", "type": "EmptyDir", "emptydir": "1"}],
    "network": {"host_aliases": [{"ip": "10.0.0.1", "hostnames": "a.local,b.local"}]},
    "scheduler_strategy": [
        {
            "type": "podAntiAffinity",
            "pod_anti_affinity": {
                "prefered": [
                    {
                        "topology_key": "kubernetes.io/hostname",
                        "expression": [{"key": "tier", "values": "front", "weight": 10}],
                    }
                ]
            },
        }
    ],
}


def objects(gateway: Gateway, name: str) -> list[str]:
    """All that kubectl finds of a workload, as `Kind/name`."""
    kinds = "deployments,statefulsets,daemonsets,services,ingresses,hpa,pvc"
    found = gateway.kubectl_json("-n", NAMESPACE, "get", kinds)["items"]
    return [
        f"{item['kind']}/{item['metadata']['name']}"
        for item in found
        if item["metadata"]["name"].startswith(name)
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_workload_is_made_whole_listed_shown_and_deleted(
    gateway: Gateway, project: Project, kind: str
) -> None:
    name = unused()
    sent = workload(name, kind, 2, **EVERYTHING)
    answer = project.member.post(LIST, json={"workloads": [sent]})
    made = told(answer, Created)
    assert [done.name for done in made.succeed] == [name]
    assert made.failed == []
    first = made.workloads[0]
    assert first.workload_base == types.WorkloadBase(
        name=name, type=kind, replicas=None if kind == "DaemonSet" else 2
    )
    assert first.labels == EVERYTHING["labels"]
    assert [(one.name, one.type) for one in first.containers] == [("main", "worker"), ("prepare", "init")]
    row = listed(project.reader)[name]
    for one_container in (*row.containers, *first.containers):
        one_container.container_statuses = None  # they come up meanwhile
    assert row.containers == first.containers
    detail = shown(project.reader, name)
    main = detail.workload.containers[0]
    assert main.resources == types.Resources(
        requests=types.Resource(cpu=0.1, memory=64), limits=types.Resource(cpu=0.5, memory=128)
    )
    assert main.env is not None
    assert main.env[0].key == "你好"
    assert main.logsidecar_injector == ["/scratch/app.log"]
    access = told(project.reader.get(one(name, "access/")), types.AccessAnswer).access_mod
    assert [mode.type for mode in access] == ["NodePort"]
    assert access[0].access is not None
    assert access[0].access[0].node_port is not None
    assert access[0].access[0].routers is not None
    assert access[0].access[0].routers[0].domain == "a.example.com"
    assert sorted(objects(gateway, name)) == sorted([f"{kind}/{name}", f"Ingress/{name}", f"Service/{name}"])
    assert told(delete(project.member, (name, kind), delete_service=True), Batch[None]).failed == []
    assert name not in listed(project.reader)
    refused(project.reader.get(one(name)), 404)
    assert objects(gateway, name) == []


@pytest.mark.parametrize("kind", KINDS)
def test_it_becomes_ready_and_says_so(project: Project, kind: str) -> None:
    name = unused()
    create(project.member, workload(name, kind, 2))

    eventually(lambda: name in listed(project.reader, status="Running"))
    detail = shown(project.reader, name)
    status = detail.workload.workload_status
    assert status["status"] == "Running"
    assert status["ready_replicas"] == (3 if kind == "DaemonSet" else 2)
    assert status["unavailable_replicas"] == 0
    assert status["reasons"] == []
    assert detail.workload.pods_status is not None
    assert {pod["status"] for pod in detail.workload.pods_status} == {"Running"}
    assert detail.revisions[0].current
    assert detail.events
    delete(project.member, (name, kind))


def test_parts_that_are_asked_for_alone(project: Project) -> None:
    name = unused()
    create(project.member, workload(name, **EVERYTHING))
    whole = shown(project.reader, name).workload
    for part, kind, expected in (
        ("containers", types.Containers, types.Containers(containers=whole.containers)),
        ("access", types.AccessAnswer, types.AccessAnswer(access_mod=whole.access_mode or [])),
        ("scale_strategy", types.SetScaleStrategy, types.SetScaleStrategy(scale_strategy=None)),
        (
            "scheduler_strategy",
            types.SetSchedulerStrategy,
            types.SetSchedulerStrategy(scheduler_strategy=whole.scheduler_strategy),
        ),
        ("network", types.SetNetwork, types.SetNetwork(network=whole.network)),
    ):
        for slash in ("", "/"):
            found = told(project.reader.get(one(name, part + slash)), kind)
            for shown_one in getattr(found, "containers", []):
                shown_one.container_statuses = None
            for shown_one in getattr(expected, "containers", []):
                shown_one.container_statuses = None
            assert found == expected
        refused(project.reader.get(one("nothing", part)), 404)
        refused(project.reader.get(one(name, part), params={"workload_type": "StatefulSet"}), 404)
    delete(project.member, (name, "Deployment"), delete_service=True)


def test_services_stay_unless_they_are_to_go(gateway: Gateway, project: Project) -> None:
    name = unused()
    sent = workload(name, access_mode=[{"type": "ClusterIP", "access": PORTS}])
    create(project.member, sent)
    told(delete(project.member, (name, "Deployment")), Batch[None])
    assert objects(gateway, name) == [f"Service/{name}"]
    gateway.kubectl("-n", NAMESPACE, "delete", "service", name)


def test_a_name_is_taken_over_all_types(project: Project) -> None:
    name = unused()
    create(project.member, workload(name))
    for kind in KINDS:
        refused(project.member.post(LIST, json={"workloads": [workload(name, kind)]}), 409)
    delete(project.member, (name, "Deployment"))


def test_all_or_nothing_of_a_workload_is_made(gateway: Gateway, project: Project) -> None:
    taken, name = unused(), unused()
    port = {**PORTS[0], "node_port": 31234}
    create(project.member, workload(taken, access_mode=[{"type": "NodePort", "access": [port]}]))
    sent = workload(
        name,
        volumes=[
            {"name": "data", "type": "StorageClass", "storage_class": {"class_name": "", "capacity": 1}}
        ],
        access_mode=[
            {"type": "ClusterIP", "access": PORTS, "name": f"{name}-a"},
            {"type": "NodePort", "access": [port], "name": f"{name}-b"},
        ],
    )
    message = refused(project.member.post(LIST, json={"workloads": [sent]}), 409)
    assert message == f"node port 31234 is taken by service {taken!r}"
    assert objects(gateway, name) == []
    refused(project.reader.get(one(name)), 404)
    delete(project.member, (taken, "Deployment"), delete_service=True)


def test_a_batch_makes_what_it_can(project: Project) -> None:
    name, other = unused(), unused()
    answer = project.member.post(LIST, json={"workloads": [workload(name), workload("No")]})
    made = told(answer, Created, 207)
    assert [done.name for done in made.succeed] == [name]
    assert [(failed.name, failed.code) for failed in made.failed] == [("No", 400)]
    assert made.failed[0].details == {"field": "workloads[1].workload_base.name"}
    both = {"workloads": [workload(name), workload(name)]}
    refused(project.member.post(LIST, json=both), 409)
    made = told(project.member.post(LIST, json={"workloads": [workload(other)]}), Created)
    result = told(
        delete(project.member, (name, "Deployment"), ("gone", "DaemonSet"), (other, "Deployment")),
        Batch[None],
        207,
    )
    assert [done.name for done in result.succeed] == [name, other]
    assert [(failed.name, failed.code) for failed in result.failed] == [("gone", 404)]
    refused(delete(project.member, (name, "Deployment"), (other, "Deployment")), 404)


@pytest.mark.parametrize(
    ("field", "sent"),
    [
        ("workloads", {}),
        ("workloads", {"workloads": None}),
        ("workloads", {"workloads": "all"}),
        ("workloads[0]", {"workloads": [None]}),
        ("workloads[0].workload_base", {"workloads": [{"containers": []}]}),
        ("workloads[0].containers", {"workloads": [{"workload_base": {"name": "x", "type": "Deployment"}}]}),
        ("workloads[0].workload_base.type", {"workloads": [workload("x", "Job")]}),
        ("workloads[0].workload_base.name", {"workloads": [workload("Ü")]}),
        ("workloads[0].workload_base.name", {"workloads": [workload("a" * 64)]}),
        ("workloads[0].workload_base.replicas", {"workloads": [workload("x", replicas=-1)]}),
        ("workloads[0].workload_base.replicas", {"workloads": [workload("x", replicas=2**31)]}),
        ("workloads[0].labels", {"workloads": [workload("x", labels={"标签": "x"})]}),
        ("workloads[0].labels.a", {"workloads": [workload("x", labels={"a": "值"})]}),
        ("workloads[0].containers", {"workloads": [workload("x", containers=[])]}),
        ("workloads[0].containers[0].name", {"workloads": [workload("x", containers=[container("A")])]}),
        (
            "workloads[0].containers[0].image.image",
            {"workloads": [workload("x", containers=[{"name": "a", "image": {"image": " "}}])]},
        ),
        (
            "workloads[0].containers[0].resources.requests.cpu",
            {
                "workloads": [
                    workload("x", containers=[container(resources={"requests": {"cpu": "much"}})]),
                ]
            },
        ),
        (
            "workloads[0].containers[0].volume_mounts[0].volume_name",
            {
                "workloads": [
                    workload(
                        "x", containers=[container(volume_mounts=[{"volume_name": "v", "mount_path": "/"}])]
                    )
                ]
            },
        ),
        (
            "workloads[0].access_mode[0].access[0].port",
            {"workloads": [workload("x", access_mode=[{"type": "ClusterIP", "access": [{"port": 0}]}])]},
        ),
        (
            "workloads[0].access_mode[0].type",
            {"workloads": [workload("x", access_mode=[{"type": "Tunnel", "access": PORTS}])]},
        ),
        (
            "workloads[0].update_strategy.type",
            {"workloads": [workload("x", update_strategy={"type": "on_delete"})]},
        ),
        (
            "workloads[0].scale_strategy.max_replicas",
            {"workloads": [workload("x", scale_strategy={"min_replicas": 1})]},
        ),
        (
            "workloads[0].network.host_aliases[0].ip",
            {"workloads": [workload("x", network={"host_aliases": [{"ip": "x", "hostnames": "a"}]})]},
        ),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(project: Project, field: str, sent: Any) -> None:
    refused(project.member.post(LIST, json=sent), 400, field=field)


def test_nulls_and_numbers_as_strings_are_taken(project: Project) -> None:
    name = unused()
    sent = workload(name, labels=None, access_mode=None, volumes=None, update_strategy=None, network=None)
    sent["workload_base"]["replicas"] = "2"
    sent["containers"][0] |= {
        "env": None,
        "resources": {"limits": {"cpu": "0.5", "memory": "64"}, "requests": None},
        "health": [{"type": "liveness", "protocol": "tcp", "port": "80", "period": "7", "timeout": None}],
    }
    made = create(project.member, sent)[0]
    assert made.workload_base.replicas == 2
    resources = made.containers[0].resources
    assert resources is not None
    assert resources.limits == types.Resource(cpu=0.5, memory=64)
    told(delete(project.member, (name, "Deployment")), Batch[None])


def test_a_large_workload(project: Project) -> None:
    name = unused()
    variables = [{"name": f"V{number}", "key": "x" * 100} for number in range(200)]
    several = [container(f"c{number}", env=variables) for number in range(20)]
    made = create(project.member, workload(name, replicas=0, containers=several))[0]
    assert len(made.containers) == 20
    assert len(made.containers[19].env or ()) == 200
    again = told(
        change(project.member, name, "containers", {"containers": several[:19]}), types.OneWorkload
    ).workload
    assert len(again.containers) == 19
    delete(project.member, (name, "Deployment"))


def test_lists_are_paged_sorted_and_filtered(project: Project) -> None:
    stem = unused()
    sent = [
        workload(f"{stem}-{letter}", kind, 0, labels={"stem": stem, "letter": letter})
        for letter, kind in zip("abc", KINDS, strict=True)
    ]
    create(project.member, *sent)

    def names(**query: Any) -> list[str]:
        return [name.removeprefix(f"{stem}-") for name in listed(project.reader, name=stem, **query)]

    assert sorted(names()) == ["a", "b", "c"]
    assert names(sort_by="name") == ["a", "b", "c"]
    assert names(sort_by="name", order="desc") == ["c", "b", "a"]
    assert names(sort_by="name", page=2, page_size=2) == ["c"]
    assert names(sort_by="type") == ["c", "a", "b"]
    assert names(workload_type="StatefulSet") == ["b"]
    assert names(label_selector=f"stem={stem},letter in (a, c)") in (["a", "c"], ["c", "a"])
    assert names(label_selector="letter=z") == []
    assert names(application="none") == []
    answer = project.reader.get(LIST, params={"name": stem, "page": 1, "page_size": 2})
    assert answer.headers["X-Total-Count"] == "3"
    assert {key: answer.json()[key] for key in ("total", "page", "page_size")} == {
        "total": 3,
        "page": 1,
        "page_size": 2,
    }
    far = project.reader.get(LIST, params={"page": 10**30}).json()
    assert far["workloads"] == []
    delete(project.member, *((item["workload_base"]["name"], item["workload_base"]["type"]) for item in sent))


@pytest.mark.parametrize("kind", KINDS)
def test_stopping_and_starting_is_idempotent_and_remembered(project: Project, kind: str) -> None:
    name = unused()
    create(project.member, workload(name, kind, 3))

    def act(action: str, times: int = 2) -> types.Workload:
        for _ in range(times):
            answer = project.member.put(one(name), params={"action": action})
            result = told(answer, types.OneWorkload).workload
        return result

    stopped = act("stop")
    assert stopped.workload_base.replicas in {0, None}
    eventually(lambda: name in listed(project.reader, status="Stopped"))
    eventually(lambda: not shown(project.reader, name).workload.pods_status)
    started = act("start")
    assert started.workload_base.replicas == (None if kind == "DaemonSet" else 3)
    eventually(lambda: len(shown(project.reader, name).workload.pods_status or ()) == 3)
    eventually(lambda: name in listed(project.reader, status="Running"))
    revision = shown(project.reader, name).revisions[0].version
    act("recreate", times=1)
    eventually(lambda: shown(project.reader, name).revisions[0].version == revision + 1)
    delete(project.member, (name, kind))


def test_several_are_stopped_started_and_recreated_at_once(project: Project) -> None:
    names = [unused(), unused()]
    create(project.member, *(workload(name) for name in names))
    bases = [{"name": name, "type": "Deployment"} for name in names]
    for action, replicas in (("stop", 0), ("start", 1), ("recreate", 1)):
        answer = project.member.put(LIST, params={"action": action}, json={"workloads_base": bases})
        assert [done.name for done in told(answer, Batch[None]).succeed] == names
        assert {listed(project.reader)[name].workload_base.replicas for name in names} == {replicas}
        some = {"workloads_base": [*bases, {"name": "gone", "type": "DaemonSet"}]}
        answer = project.member.put(LIST, params={"action": action}, json=some)
        assert [failed.code for failed in told(answer, Batch[None], 207).failed] == [404]
        nothing = {"workloads_base": [{"name": "gone", "type": "DaemonSet"}]}
        refused(project.member.put(LIST, params={"action": action}, json=nothing), 404)
    delete(project.member, *((name, "Deployment") for name in names))


def test_trying_changes_nothing(gateway: Gateway, project: Project) -> None:
    name, tried = unused(), unused()
    create(project.member, workload(name))
    sent = {"workloads": [workload(tried, access_mode=[{"type": "ClusterIP", "access": PORTS}])]}
    would = told(project.member.post(LIST, params={"dry_run": "true"}, json=sent), DryRun)
    assert [item["kind"] for item in would.objects] == ["Deployment", "Service"]
    assert would.objects[0]["spec"]["template"]["spec"]["dnsPolicy"] == "ClusterFirst"
    assert objects(gateway, tried) == []
    would = told(change(project.member, name, "scale", {"replicas": 9}, dry_run="true"), DryRun)
    assert "-  replicas: 1\n+  replicas: 9\n" in would.diff
    assert listed(project.reader)[name].workload_base.replicas == 1
    bases = {"workloads_base": [{"name": name, "type": "Deployment"}]}
    would = told(project.member.request("DELETE", LIST, params={"dry_run": "true"}, json=bases), DryRun)
    assert would.deleted == [f"Deployment/{name}"]
    would = told(project.member.put(LIST, params={"dry_run": "true", "action": "stop"}, json=bases), DryRun)
    assert "+  replicas: 0\n" in would.diff
    assert listed(project.reader)[name].workload_base.replicas == 1
    refused(project.member.post(LIST, params={"dry_run": "true"}, json={"workloads": [workload(name)]}), 409)
    delete(project.member, (name, "Deployment"))


def test_who_writes_reads_what_they_wrote(project: Project) -> None:
    client = project.member
    for kind in KINDS:
        name = unused()
        create(client, workload(name, kind, 1))
        assert name in listed(client)
        if kind != "DaemonSet":
            for replicas in (4, 0, 2):
                told(change(client, name, "scale", {"replicas": replicas}), types.OneWorkload)
                assert listed(client)[name].workload_base.replicas == replicas
        told(change(client, name, "labels", {"labels": {"seen": kind}}), types.OneWorkload)
        assert name in listed(client, label_selector=f"seen={kind}")
        told(delete(client, (name, kind)), Batch[None])
        assert name not in listed(client)


@pytest.mark.parametrize("name", ["a/b", "../..", ".", "%2e%2e", "a b", "A", "世界", "\x00", "x" * 300])
def test_a_name_that_is_none_is_nobodys(project: Project, name: str) -> None:
    sent = {"workloads_base": [{"name": name, "type": "Deployment"}]}
    for method, path in (("DELETE", LIST), ("PUT", f"{LIST}?action=stop")):
        answer = project.member.request(method, path, json=sent)
        refused(answer, 400 if answer.status_code == 400 else 404)
    refused(project.member.post(LIST, json={"workloads": [workload(name)]}), 400)


CHANGES: list[tuple[str, str, Any]] = [
    ("POST", LIST, {"workloads": [workload("intruder")]}),
    ("DELETE", LIST, {"workloads_base": [{"name": "guarded", "type": "Deployment"}]}),
    *(
        ("PUT", f"{LIST}?action={action}", {"workloads_base": [{"name": "guarded", "type": "Deployment"}]})
        for action in ("start", "stop", "recreate")
    ),
    *(("PUT", f"{one('guarded')}?action={action}", None) for action in ("start", "stop", "recreate")),
    *(
        ("PATCH", f"{one('guarded')}?action={action}", sent)
        for action, sent in {
            "scale": {"replicas": 1},
            "access_modes": {"access_modes": []},
            "containers": {"containers": [container()]},
            "update_strategy": {"update_strategy": {"type": "recreate"}},
            "rollback": {"target_version": "1"},
            "scale_strategy": {"scale_strategy": None},
            "scheduler_strategy": {"scheduler_strategy": []},
            "network": {"network": None},
            "labels": {"labels": {}},
        }.items()
    ),
    ("DELETE", one("guarded", "revisions/?history_version=1"), None),
    ("DELETE", one("guarded", "revisions/"), {"revisions": [{"version": 1}]}),
]
READS = [
    "",
    "access",
    "containers",
    "scale_strategy",
    "scheduler_strategy",
    "network",
    "revisions",
    "revision/1/yaml",
]


def test_who_may_do_what(gateway: Gateway, project: Project) -> None:
    create(project.member, workload("guarded", replicas=0))
    other, nobody = gateway.client("other"), gateway.client()
    for method, path, sent in CHANGES:
        refused(project.reader.request(method, path, json=sent), 403)
        refused(nobody.request(method, path, json=sent), 401)
        if method != "POST":
            assert "namespace" not in refused(other.request(method, path, json=sent), 404)
    here = {"X-Ecns-Namespace": NAMESPACE}
    for method, path, sent in CHANGES:
        refused(other.request(method, path, json=sent, headers=here), 404)
    for part in READS:
        eventually(lambda part=part: project.reader.get(one("guarded", part)).status_code == 200)
        refused(nobody.get(one("guarded", part)), 401)
        refused(other.get(one("guarded", part)), 404)
        refused(other.get(one("guarded", part), headers=here), 404)
    refused(nobody.get(LIST), 401)
    assert "guarded" not in other.get(LIST).text
    assert shown(project.reader, "guarded").workload.workload_base.replicas == 0
    delete(project.member, ("guarded", "Deployment"))
    for method, path, sent in CHANGES[1:]:
        refused(project.member.request(method, path, json=sent), 404)
    for part in READS:
        refused(project.member.get(one("guarded", part)), 404)

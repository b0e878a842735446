"""Chapter 1.2, and attach and detach of 1.21, as their users see them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from ecns.api.applications.types import ApplicationInfo, Applications, OneApplication
from ecns.api.common.batches import Batch
from ecns.api.common.objects import DryRun
from tests.api.answers import refused, told
from tests.api.applications.bodies import VM_NETWORK, application, named, virtual_machine, workload
from tests.api.project import Project, make
from tests.gateway import Gateway, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

SPACE = "apps"
PART_OF = "app.kubernetes.io/part-of"
ALL_KINDS = (
    "applications.app.k8s.io,deployments,statefulsets,daemonsets,services,ingresses,configmaps,pvc,hpa"
)


@pytest.fixture(scope="module")
def owners(gateway: Gateway) -> Project:
    """A project of which only these tests know."""
    made = make(gateway, "apps-owners")
    made.namespace(SPACE)
    return made


@pytest.fixture
def member(owners: Project) -> Iterator[httpx.Client]:
    """A developer; what they made is removed afterwards."""
    yield owners.member
    listed = [one for kind in ("Normal", "Hybrid") for one in names(owners.member, f"?type={kind}")]
    answer = delete(owners.member, *listed, resource="all")
    assert answer.status_code == 200, answer.text


@pytest.fixture
def tidy(gateway: Gateway) -> Iterator[None]:
    """What has left its application is removed as well."""
    yield
    gateway.kubectl("-n", SPACE, "delete", "deploy,sts,ds,svc,ing,pvc,cm", "--all", "--wait=false")


def create(client: httpx.Client, name: str, *workloads: dict[str, Any], **more: Any) -> ApplicationInfo:
    answer = client.post("/applications/", json=application(name, *workloads, **more))
    return told(answer, OneApplication).application_info


def show(client: httpx.Client, name: str, query: str = "") -> ApplicationInfo:
    return told(client.get(f"/applications/app/{name}/{query}"), OneApplication).application_info


def names(client: httpx.Client, query: str = "") -> list[str]:
    listed = told(client.get(f"/applications/{query}"), Applications)
    return [one.application.name for one in listed.applications_info]


def act(client: httpx.Client, action: str, *applications: str, query: str = "") -> httpx.Response:
    return client.put(f"/applications/app/?action={action}{query}", json=named(*applications))


def delete(client: httpx.Client, *applications: str, resource: str | None = None) -> httpx.Response:
    query = "" if resource is None else f"?resource={resource}"
    return client.request("DELETE", f"/applications/app/{query}", json=named(*applications))


def becomes(client: httpx.Client, name: str, word: str) -> ApplicationInfo:
    """An application, once it is in a state."""

    def seen() -> ApplicationInfo:
        shown = show(client, name)
        assert shown.application_status.status == word
        return shown

    found: ApplicationInfo = eventually(seen)
    return found


def there(gateway: Gateway, selector: str = "", kinds: str = ALL_KINDS) -> set[str]:
    """What is in the namespace, as `Deployment/web`, without what every namespace has."""
    arguments = ["-n", SPACE, "get", kinds, *(["-l", selector] if selector else [])]
    found = gateway.kubectl_json(*arguments)["items"]
    called = {f"{one['kind']}/{one['metadata']['name']}" for one in found}
    return called - {"ConfigMap/kube-root-ca.crt"}


def apply(gateway: Gateway, *objects: dict[str, Any]) -> None:
    for one in objects:
        gateway.kubectl("-n", SPACE, "apply", "-f", "-", stdin=json.dumps(one))


def kubectl_deployment(name: str, application_name: str) -> dict[str, Any]:
    pods = {"labels": {"app": name}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": {PART_OF: application_name}},
        "spec": {
            "selector": {"matchLabels": pods["labels"]},
            "template": {"metadata": pods, "spec": {"containers": [{"name": "c", "image": "nginx:1.27"}]}},
        },
    }


def config_map(name: str, application_name: str) -> dict[str, Any]:
    metadata = {"name": name, "labels": {PART_OF: application_name}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "b"}}


# Creating and showing


def test_an_application_is_made_at_once_and_shown(gateway: Gateway, member: httpx.Client) -> None:
    made = create(
        member,
        "shop",
        workload("web", replicas=2),
        workload("db", type="StatefulSet"),
        workload("log", type="DaemonSet", access_mode=[]),
        description="Ein Laden, 商店",
        configmaps=[{"name": "settings", "config": {"mode": "fast", "empty": ""}}],
    )
    assert (made.application.name, made.application.type) == ("shop", "Normal")
    assert made.application.description == "Ein Laden, 商店"
    shown = becomes(member, "shop", "Running")
    assert shown.application_status.creation_time
    assert {one.name: one.config for one in shown.application.configmaps or ()} == {
        "settings": {"mode": "fast", "empty": ""}
    }
    members = shown.application.workloads or []
    assert {one.workload_base.name: one.application_name for one in members} == {
        "web": "shop",
        "db": "shop",
        "log": "shop",
    }
    web = next(one for one in shown.workloads_status if one.workload_base and one.workload_base.name == "web")
    assert (web.owner, web.status, web.ready_replicas, web.unavailable_replicas) == ("shop", "Running", 2, 0)
    assert [one.image for one in web.images] == ["nginx"]
    assert [one.type for one in web.access_mode] == ["ClusterIP"]
    assert shown.vms_status == []

    listed = told(member.get("/applications/"), Applications)
    row = next(one for one in listed.applications_info if one.application.name == "shop")
    assert row.application_status.status == "Running"
    assert sorted(one.workload_base.name for one in row.workloads_status if one.workload_base) == [
        "db",
        "log",
        "web",
    ]
    kubernetes = gateway.kubectl_json("-n", SPACE, "get", "application", "shop")
    assert kubernetes["spec"]["selector"] == {"matchLabels": {PART_OF: "shop"}}
    assert "ecns.easystack.com/creating" not in kubernetes["metadata"]["labels"]
    web_object = gateway.kubectl_json("-n", SPACE, "get", "deployment", "web")
    assert "ownerReferences" not in web_object["metadata"], "members must outlive the Application"


def test_an_application_without_members_can_be_described(member: httpx.Client) -> None:
    made = create(member, "bare")
    assert made.application_status.status == "No workload"
    assert made.workloads_status == []
    for body, wanted in (
        ({"name": "bare", "description": "描述"}, "描述"),
        ({"name": "bare"}, "描述"),
        ({"application": {"name": "bare", "description": "new"}}, "new"),
        ({"name": "bare", "description": None}, None),
    ):
        answer = member.put("/applications/bare/", json=body)
        assert told(answer, OneApplication).application_info.application.description == wanted
        assert show(member, "bare").application.description == wanted
    refused(member.put("/applications/bare/", json={"name": "other"}), 400, field="name")
    refused(member.put("/applications/nothing/", json={"description": "x"}), 404)
    refused(member.put("/applications/bare/", json={"description": 5}), 400, field="description")


def test_a_workload_of_kubectl_is_a_member(gateway: Gateway, member: httpx.Client) -> None:
    create(member, "foreign")
    apply(gateway, kubectl_deployment("guest", "foreign"))
    shown = becomes(member, "foreign", "Running")
    assert [one.workload_base.name for one in shown.application.workloads or ()] == ["guest"]
    told(act(member, "stop", "foreign"), Batch[None])
    becomes(member, "foreign", "Stopped")


def test_an_application_of_kubectl_is_listed_and_shown(gateway: Gateway, member: httpx.Client) -> None:
    create(member, "first")  # the cluster knows the kind from here on
    wordpress = {
        "apiVersion": "app.k8s.io/v1beta1",
        "kind": "Application",
        "metadata": {"name": "wordpress", "labels": {"tier": "cms"}},
        "spec": {"descriptor": {"type": "wordpress", "description": "Seiten", "keywords": ["cms"]}},
    }
    apply(gateway, wordpress)
    eventually(lambda: "wordpress" in names(member))
    assert show(member, "wordpress").application.description == "Seiten"
    told(member.put("/applications/wordpress/", json={"description": "Neu"}), OneApplication)
    kept = gateway.kubectl_json("-n", SPACE, "get", "application", "wordpress")["spec"]["descriptor"]
    assert kept == {"type": "wordpress", "description": "Neu", "keywords": ["cms"]}


def test_a_failing_workload_makes_its_application_unready(member: httpx.Client) -> None:
    broken = workload("broken", image="nginx")
    broken["containers"][0]["commands"] = {"cmd": ["sh", "-c", "exit 3"]}
    create(member, "sick", broken)
    assert becomes(member, "sick", "Unready").workloads_status[0].status == "Failed"


def test_lists_are_paged_sorted_and_filtered(member: httpx.Client) -> None:
    for name in ("page-a", "page-b", "page-c"):
        create(member, name)
    create(member, "page-h", type="Hybrid", vm_network=VM_NETWORK)
    assert names(member, "?sort_by=name&name=page-") == ["page-a", "page-b", "page-c"]
    answer = member.get("/applications/?page=2&page_size=2&sort_by=name&order=desc&name=page-")
    listed = told(answer, Applications)
    assert [one.application.name for one in listed.applications_info] == ["page-a"]
    assert (listed.total, listed.page, listed.page_size) == (3, 2, 2)
    assert answer.headers["X-Total-Count"] == "3"
    assert names(member, "?type=Hybrid") == ["page-h"]
    assert names(member, "?type=Normal&sort_by=status&name=page-b") == ["page-b"]
    assert names(member, "?status=No%20workload&name=page-c") == ["page-c"]
    assert names(member, "?status=Running&name=page-c") == []
    assert names(member, "?label_selector=ecns.easystack.com/application-type=Hybrid") == []
    refused(member.get("/applications/?type=Other"), 400, field="type")
    refused(member.get("/applications/?status=Happy"), 400, field="status")
    refused(member.get("/applications/?sort_by=colour"), 400, field="sort_by")
    refused(member.get("/applications/?page=0"), 400, field="page")


# Refusals


def test_a_name_is_there_once_over_both_types(member: httpx.Client) -> None:
    create(member, "once")
    message = refused(member.post("/applications/", json=application("once", workload("w"))), 409)
    assert "'once' exists" in message
    hybrid = application("once", type="Hybrid", vm_network=VM_NETWORK)
    assert "both types" in refused(member.post("/applications/", json=hybrid), 409)
    refused(member.get("/workloads/workload/w/"), 404)


def test_what_is_wrong_makes_nothing(gateway: Gateway, member: httpx.Client) -> None:
    create(member, "other", workload("taken"))
    good = workload("good")
    wrong: list[tuple[dict[str, Any], int, str]] = [
        (application("Wrong"), 400, "name"),
        ({"workloads": []}, 400, "name"),
        (application("half", good, workload("Bad")), 400, "workloads[1].workload_base.name"),
        (application("half", good, {"workload_base": {"name": "x"}}), 400, "workloads[1].workload_base.type"),
        (application("half", good, configmaps=[{"name": "c"}]), 400, "configmaps[0].config"),
        (application("half", good, type="Strange"), 400, "type"),
        (application("half", good, workload("taken")), 409, ""),
        (application("half", good, workload("taken", type="StatefulSet")), 409, ""),
    ]
    for body, status, field in wrong:
        refused(member.post("/applications/", json=body), status, field=field)
        assert there(gateway, f"{PART_OF} in (half, Wrong)") == set()
        assert names(member) == ["other"]
    refused(member.post("/applications/", content=b"{"), 400)
    refused(member.post("/applications/", json=["x"]), 400)


@pytest.mark.parametrize(
    ("method", "path", "body", "right"),
    [
        ("GET", "/applications/", None, "reader"),
        ("POST", "/applications/", application("x"), "member"),
        ("PUT", "/applications/x/", {"description": "y"}, "member"),
        ("GET", "/applications/app/x/", None, "reader"),
        ("PUT", "/applications/app/?action=start", named("x"), "member"),
        ("PUT", "/applications/app/?action=stop", named("x"), "member"),
        ("PUT", "/applications/app/?action=recreate", named("x"), "member"),
        ("DELETE", "/applications/app/?resource=all", named("x"), "member"),
    ],
)
def test_who_may(owners: Project, method: str, path: str, body: Any, right: str) -> None:
    gateway = owners.gateway
    refused(gateway.client().request(method, path, json=body), 401)
    reader = owners.reader.request(method, path, json=body)
    if right == "member":
        refused(reader, 403)
    else:
        assert reader.status_code in {200, 404}
    stranger = gateway.client("developer", **{"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": SPACE})
    refused(stranger.request(method, path, json=body), 404)
    refused(owners.client("member", "security").request(method, path, json=body), 404)
    refused(owners.client("member", "image").request(method, path, json=body), 404)


def test_what_is_not_there(member: httpx.Client) -> None:
    refused(member.get("/applications/app/nothing/"), 404)
    refused(act(member, "start", "nothing"), 404)
    refused(delete(member, "nothing"), 404)
    refused(act(member, "pause", "nothing"), 400, field="action")
    refused(member.put("/applications/app/", json=named("x")), 400, field="action")
    refused(member.put("/applications/app/?action=start", json={"applications": "x"}), 400)
    refused(member.request("DELETE", "/applications/app/", json={}), 400, field="applications")
    refused(delete(member, "x", resource="service"), 400, field="resource")
    refused(delete(member, "x", resource="everything"), 400, field="resource")


# Hybrid


def test_a_hybrid_application_is_stored(owners: Project, member: httpx.Client) -> None:
    made = create(member, "hybrid", workload("front"), type="Hybrid", vm_network=VM_NETWORK)
    assert made.application.type == "Hybrid"
    hybrid = owners.client("member", "hybrid")
    assert names(hybrid) == ["hybrid"]
    assert names(member) == []
    shown = show(hybrid, "hybrid", "?type=Hybrid")
    assert shown.application.vm_network is not None
    assert shown.application.vm_network.subnet_id == "s-1"
    assert shown.vms_status == []
    refused(hybrid.get("/applications/app/hybrid/?type=Normal"), 404)
    refused(hybrid.post("/applications/", json=application("none")), 400, field="vm_network")
    told(hybrid.request("DELETE", "/applications/app/?resource=all", json=named("hybrid")), Batch[None])


def test_machines_that_cannot_be_are_refused_and_nothing_is_made(
    gateway: Gateway, member: httpx.Client
) -> None:
    """Before an OpenStack that has nothing of what is named, or before none."""
    body = application("vms", workload("front"), type="Hybrid", vm_network=VM_NETWORK)
    machines = body | {"virtual_machines": [virtual_machine()]}
    answer = member.post("/applications/", json=machines)
    assert answer.status_code in {400, 501}
    refused(answer, answer.status_code)
    half = body | {"virtual_machines": [{**virtual_machine(), "flavor_name": None}]}
    refused(member.post("/applications/", json=half), 400, field="virtual_machines[0].flavor_name")
    assert there(gateway, f"{PART_OF}=vms") == set()
    refused(member.get("/applications/app/vms/"), 404)


# Repeating and trying


def test_an_idempotency_key_makes_nothing_twice(member: httpx.Client) -> None:
    body = application("keyed", workload("k"))
    first = member.post("/applications/", json=body, headers={"Idempotency-Key": "apps-1"})

    def repeated() -> httpx.Response:
        again = member.post("/applications/", json=body, headers={"Idempotency-Key": "apps-1"})
        assert again.status_code == 200, again.text
        return again

    again: httpx.Response = eventually(repeated)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.content == first.content
    assert first.status_code == 200


def test_a_dry_run_changes_nothing(gateway: Gateway, member: httpx.Client) -> None:
    body = application("tried", workload("t"), configmaps=[{"name": "tc", "config": {"a": "b"}}])
    tried = told(member.post("/applications/?dry_run=true", json=body), DryRun)
    made = {(one["kind"], one["metadata"]["name"]) for one in tried.objects}
    assert made == {("Application", "tried"), ("Deployment", "t"), ("Service", "t"), ("ConfigMap", "tc")}
    assert there(gateway, f"{PART_OF}=tried") == set()
    refused(member.get("/applications/app/tried/"), 404)
    refused(
        member.post("/applications/?dry_run=true", json=application("tried", workload("T"))),
        400,
        field="workloads[0].workload_base.name",
    )

    told(member.post("/applications/", json=body), OneApplication)
    refused(member.post("/applications/?dry_run=true", json=body), 409)
    described = member.put("/applications/tried/?dry_run=true", json={"description": "new"})
    assert "+    description: new" in told(described, DryRun).diff
    assert "-  replicas: 1" in told(act(member, "stop", "tried", query="&dry_run=true"), DryRun).diff
    gone = told(delete(member, "tried", resource="all&dry_run=true"), DryRun)
    assert sorted(gone.deleted) == ["Application/tried", "ConfigMap/tc", "Deployment/t", "Service/t"]
    left = told(delete(member, "tried", resource="&dry_run=true"), DryRun)
    assert left.deleted == ["Application/tried"]
    assert left.diff.count(f"-    {PART_OF}: tried") == 3
    shown = show(member, "tried")
    assert shown.application.description is None
    assert there(gateway, f"{PART_OF}=tried") == {"Deployment/t", "Service/t", "ConfigMap/tc"}


# Starting, stopping, redeploying


def test_all_workloads_stop_start_and_are_redeployed(gateway: Gateway, member: httpx.Client) -> None:
    create(member, "run", workload("one", replicas=2), workload("two", type="DaemonSet"))
    becomes(member, "run", "Running")
    for _ in range(2):
        assert told(act(member, "stop", "run"), Batch[None]).succeed[0].name == "run"
    becomes(member, "run", "Stopped")
    for _ in range(2):
        told(act(member, "start", "run"), Batch[None])
    shown = becomes(member, "run", "Running")
    assert {
        one.workload_base.name: one.ready_replicas for one in shown.workloads_status if one.workload_base
    }["one"] == 2
    told(act(member, "recreate", "run"), Batch[None])
    for kind, name in (("deployment", "one"), ("daemonset", "two")):
        template = gateway.kubectl_json("-n", SPACE, "get", kind, name)["spec"]["template"]
        assert "kubectl.kubernetes.io/restartedAt" in template["metadata"]["annotations"]


def test_a_batch_answers_for_each(gateway: Gateway, member: httpx.Client) -> None:
    create(member, "well", workload("w1"))
    create(member, "ill", workload("i1"), workload("i2"))
    gateway.kubectl("-n", SPACE, "rollout", "pause", "deployment/i1")
    answer = told(act(member, "recreate", "well", "ill", "nothing"), Batch[None], 207)
    assert [one.name for one in answer.succeed] == ["well"]
    assert [(one.name, one.code) for one in answer.failed] == [("ill", 409), ("nothing", 404)]
    ill = answer.failed[0]
    assert ill.reason.startswith("1 of 2 workloads could not be done; 'i1'")
    assert ill.details is not None
    assert [one["name"] for one in ill.details["workloads"]] == ["i1"]
    refused(act(member, "recreate", "ill"), 409)


# Deleting


def scene(gateway: Gateway, member: httpx.Client, name: str) -> None:
    """An application with everything that can belong to one."""
    claims = [{"name": "data", "type": "StorageClass", "storage_class": {"class_name": "standard"}}]
    claims[0]["storage_class"]["capacity"] = 1  # type: ignore[index]  # a dictionary, as written above
    database = workload(f"{name}-db", type="StatefulSet", volumes=claims)
    database["containers"][0]["volume_mounts"] = [{"volume_name": "data", "mount_path": "/data"}]
    web = workload(f"{name}-web")
    web["access_mode"][0]["access"][0]["routers"] = [{"domain": f"{name}.example.com", "path": "/"}]
    create(member, name, web, database, configmaps=[{"name": f"{name}-own", "config": {"a": "b"}}])
    apply(gateway, config_map(f"{name}-more", name))
    eventually(lambda: f"PersistentVolumeClaim/data-{name}-db-0" in there(gateway, kinds="pvc"))


MEMBERS = {"Deployment/{}-web", "StatefulSet/{}-db"}
FACES = {"Service/{}-web", "Service/{}-db", "Ingress/{}-web"}
OTHERS = {"ConfigMap/{}-own", "ConfigMap/{}-more", "PersistentVolumeClaim/data-{}-db-0"}


@pytest.mark.usefixtures("tidy")
@pytest.mark.parametrize(
    ("name", "resource", "stays"),
    [
        ("alone", None, MEMBERS | FACES | OTHERS),
        ("loads", "workload", FACES | OTHERS),
        ("faces", "workload,service", OTHERS),
        ("whole", "all", set()),
    ],
)
def test_deleting_takes_what_was_named(
    gateway: Gateway, member: httpx.Client, name: str, resource: str | None, stays: set[str]
) -> None:
    scene(gateway, member, name)
    create(member, "bystander", workload("bystander"))
    before = {each.format(name) for each in MEMBERS | FACES | OTHERS}
    assert before <= there(gateway)
    told(delete(member, name, resource=resource), Batch[None])
    refused(member.get(f"/applications/app/{name}/"), 404)
    bystander = {"Application/bystander", "Deployment/bystander", "Service/bystander"}

    def gone() -> bool:
        assert there(gateway) == {each.format(name) for each in stays} | bystander
        return True

    eventually(gone)
    assert there(gateway, f"{PART_OF}={name}") == set(), "what stays is no longer part of it"
    again = create(member, name)
    assert again.application_status.status == "No workload"


def test_deleting_answers_for_each(member: httpx.Client) -> None:
    create(member, "gone-1")
    create(member, "gone-2", type="Hybrid", vm_network=VM_NETWORK)
    answer = told(delete(member, "gone-1", "nothing", "gone-2"), Batch[None], 207)
    assert [one.name for one in answer.succeed] == ["gone-1", "gone-2"]
    assert [(one.name, one.code) for one in answer.failed] == [("nothing", 404)]


# Attaching and detaching


@pytest.mark.usefixtures("tidy")
def test_workloads_join_and_leave(gateway: Gateway, member: httpx.Client) -> None:
    create(member, "club")
    create(member, "rival")
    told(member.post("/workloads/", json={"workloads": [workload("j1"), workload("j2")]}), Any)

    def change(action: str, application_name: str | None, *workloads: str) -> httpx.Response:
        bases = [{"name": name, "type": "Deployment"} for name in workloads]
        body = {"application_name": application_name, "workloads_base": bases}
        return member.put(f"/workloads/?action={action}", json=body)

    for _ in range(2):
        answer = told(change("attach", "club", "j1", "j2"), Batch[None])
        assert [one.name for one in answer.succeed] == ["j1", "j2"]
    shown = becomes(member, "club", "Running")
    assert [one.workload_base.name for one in shown.application.workloads or ()] == ["j1", "j2"]
    before = gateway.kubectl_json("-n", SPACE, "get", "deployment", "j1")["spec"]
    assert "belongs to application 'club'" in refused(change("attach", "rival", "j1"), 409)
    mixed = told(change("detach", "club", "j1", "nothing"), Batch[None], 207)
    assert [(one.name, one.code) for one in mixed.failed] == [("nothing", 404)]
    told(change("detach", "club", "j1"), Batch[None])
    told(change("detach", "rival", "j2"), Batch[None])
    assert gateway.kubectl_json("-n", SPACE, "get", "deployment", "j1")["spec"] == before
    assert [one.workload_base.name for one in show(member, "club").application.workloads or ()] == ["j2"]
    refused(change("attach", "nothing", "j1"), 404)
    refused(change("attach", None, "j1"), 400, field="application_name")
    refused(change("detach", "", "j1"), 400, field="application_name")


def test_a_workload_is_made_in_an_application_that_is_there(member: httpx.Client) -> None:
    create(member, "home")
    inside = workload("inside", application_name="home")
    told(member.post("/workloads/", json={"workloads": [inside]}), Any)
    assert [one.owner for one in show(member, "home").workloads_status] == ["home"]
    outside = {"workloads": [workload("outside", application_name="nowhere")]}
    refused(member.post("/workloads/", json=outside), 400, field="workloads[0].application_name")
    refused(member.get("/workloads/workload/outside/"), 404)

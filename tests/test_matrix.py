"""Each operation that there is, by each kind of caller, in each kind of namespace: one right answer.

The rule stands here anew, in a few lines and in its own words, so that a mistake in the code is not copied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import pytest
from litestar.handlers import HTTPRouteHandler

from ecns.api.routes import ROUTES
from tests.gateway import Gateway, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

NOTHING = "nothing-here"
OWN, OTHER, SYSTEM = "matrix-own", "matrix-other", "kube-system"
PLACES = (OWN, OTHER, SYSTEM)
SECRETS = ("hidden-thing",)
"""Names in the other project's namespace."""

RANKS = {"reader": 1, "member": 2, "manager": 3, "admin": 4}
PEOPLE = {"reader": "reader", "outsider": "member", "member": "member", "manager": "manager"}
"""People of the own project; the outsider is not among the namespace's visible users."""
CALLERS = ("nobody", "junk", "revoked", "unscoped", "stranger", *PEOPLE, "admin")

MANAGEMENT = {
    "namespace.create",
    "namespace.delete",
    "namespace.delete_many",
    "namespace.psp",
    "namespace.users",
    "namespace.set_quota",
    "org.projects",
}
CLOUD = {"storage.create_class", "storage.set_default", "storage.unset_default", "storage.delete_pv"}
CLOUD |= {"storage.delete_class", "image.gc_start_stop"}
SECRETIVE = {"pod.terminal", "image.loginfo"}
"""Changes in the dress of a GET."""
NOWHERE = {"namespace.tree", "namespace.list", "org.domains", "org.projects", "node.list", "node.roles"}
NOWHERE |= {"misc.caps_default", "misc.caps_all", "overview.pods", "overview.pvcs", "lb.type"}
NOWHERE |= {f"lb.{name}" for name in ("zones", "flavors", "subnets", "replicas_limit", "license")}
NOWHERE |= {"misc.k8s_versions", "overview.openstack", "storage.volume_types"}
"""Operations that act in no namespace."""
NOWHERE |= {"image.list", "image.volumes", "image.gc_status", "image.gc_start_stop"}
NOWHERE |= {"workspace.list", "workspace.create"}
REGISTRY = {
    # Nor do those of the image registry: nobody has a workspace here, and this one is nobody's.
    **{f"workspace.{name}": 404 for name in ("show", "update", "delete")},
    **{f"image.{name}": 404 for name in ("tags", "show", "describe", "delete", "delete_tags")},
    "image.loginfo": 409,
    "image.upload": 415,
}

REACHED: dict[str, dict[str, int]] = {
    # What is answered when nothing stands in the way, by place where that makes a difference.
    **{name: {"": 200} for name in NOWHERE},
    **{name: {"": 200} for name in ("app.list", "misc.exists", "pod.list", "workload.list")},
    **{name: {"": 200} for name in ("cronjob.list", "job.list")},
    **{name: {"": 200, SYSTEM: 403} for name in ("cronjob.create", "job.create")},
    **{f"cronjob.{name}": {"": 404} for name in ("attach", "run", "show", "start_stop")},
    **{f"job.{name}": {"": 404} for name in ("attach", "show")},
    **{f"{name}.delete": {"": 404, SYSTEM: 403} for name in ("cronjob", "job")},
    **{f"{name}.detach": {"": 404} for name in ("cronjob", "job")},
    "storage.list": {"": 200},
    "pvc.create": {"": 200, SYSTEM: 403},
    **{f"pvc.{name}": {"": 404} for name in ("expand", "delete")},
    "storage.create_class": {"": 200},
    **{f"storage.{name}": {"": 404} for name in ("set_default", "unset_default")},
    **{f"storage.{name}": {"": 404} for name in ("delete_class", "delete_pv")},
    "namespace.quota": {"": 200},
    "namespace.switch": {"": 200, SYSTEM: 404},
    **{name: {"": 200, SYSTEM: 403} for name in ("namespace.psp", "namespace.users", "namespace.set_quota")},
    # The name is taken already; deleted is a namespace that is not there, so that this one stays.
    "namespace.create": {"": 409, SYSTEM: 403},
    "namespace.delete": {"": 404, SYSTEM: 403},
    "namespace.delete_many": {"": 404, SYSTEM: 403},
    "app.create": {"": 200, SYSTEM: 403},
    **{name: {"": 200} for name in ("service.list", "service.nodeports", "ingress.list", "ingress.access")},
    "ingress.create": {"": 200, SYSTEM: 403},
    "ingress.update": {"": 404},
    "ingress.delete": {"": 404, SYSTEM: 403},
    "service.create": {"": 200, SYSTEM: 403},
    **{f"service.{name}": {"": 404} for name in ("update", "delete")},
    "workload.create": {"": 200, SYSTEM: 403},
    **{f"workload.{name}": {"": 404} for name in ("attach", "detach", "delete", "delete_revisions")},
    **{f"workload.{name}": {"": 404} for name in ("start", "stop", "recreate", "scale", "rollback")},
    **{f"workload.{name}_many": {"": 404} for name in ("start", "stop", "recreate")},
    **{f"workload.set_{name}": {"": 404} for name in ("access", "containers", "labels", "network")},
    **{f"workload.set_{name}_strategy": {"": 404} for name in ("update", "scale", "scheduler")},
    **{f"workload.{name}": {"": 404} for name in ("show", "access", "containers", "network")},
    **{f"workload.{name}": {"": 404} for name in ("scale_strategy", "scheduler_strategy")},
    **{f"workload.{name}": {"": 404} for name in ("revisions", "revision_yaml")},
    **{f"app.{name}": {"": 404} for name in ("describe", "show", "start", "recreate", "delete")},
    "raw.create": {"": 200, SYSTEM: 403},
    **{f"raw.{name}": {"": 404} for name in ("show", "update")},
    **{f"{kind}.list": {"": 200} for kind in ("configmap", "secret")},
    **{f"{kind}.create": {"": 200, SYSTEM: 403} for kind in ("configmap", "secret")},
    **{
        f"{kind}.{verb}": {"": 404}
        for kind in ("configmap", "secret")
        for verb in ("keys", "show", "update", "delete")
    },
    **{f"pod.{name}": {"": 404} for name in ("show", "logs")},
    "pod.delete": {"": 404, SYSTEM: 403},
    "pod.terminal": {"": 426, SYSTEM: 403},
    "vm.list": {"": 200},
    **{f"vm.{name}": {"": 404} for name in ("show", "scale", "start", "stop", "recreate", "delete")},
}
CONTAINER = {
    "name": "c",
    "type": "worker",
    "image": {"image": "nginx", "image_version": "1"},
    "resources": {"limits": {"cpu": 0.1, "memory": 64}},
}
WORKLOAD = {
    "workload_base": {"name": NOTHING, "type": "Deployment", "replicas": 0},
    "containers": [CONTAINER],
}
BASE = {"name": NOTHING, "type": "Deployment"}
INGRESS = {"name": NOTHING, "routers": [{"resource": {"kind": "Bucket", "name": "b"}}]}
SERVICE = {"access_mode": {"type": "ExternalName", "external_name": "db.example.com"}}
JOB = {"name": NOTHING, "containers": [CONTAINER]}


class Call(NamedTuple):
    operation: str
    method: str
    path: str
    action: str
    product: str

    def __str__(self) -> str:
        return f"{self.operation} {self.action or self.method} {self.path.rpartition('/')[2]}"


def calls() -> list[Call]:
    found = []
    for handler in ROUTES:
        if not isinstance(handler, HTTPRouteHandler) or "operations" not in handler.opt:
            continue
        known = handler.opt["operations"]
        product = "eks" if "eks" in known.products else min(known.products)
        for action, name in known.by_action.items():
            for path in sorted(handler.paths):
                for method in sorted(handler.http_methods - {"HEAD", "OPTIONS"}):
                    found.append(Call(name, method, path, action, product))  # noqa: PERF401  four loops
    return found


class World:
    """The people, their tokens, and two projects with a namespace each."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.keystone = httpx.Client(
            base_url=gateway.facts["identity_url"], headers={"X-Auth-Token": gateway.token("admin")}
        )
        self.document = httpx.get(f"{gateway.url}/openapi.json", timeout=30).json()
        self.made: list[str] = []
        roles = {role["name"]: role["id"] for role in self.keystone.get("/roles").json()["roles"]}
        self.projects = {name: self._make("project", name=f"matrix-{name}") for name in ("own", "other")}
        self.projects["system"] = gateway.users["admin"]["project_id"]
        self.users: dict[str, str] = {}
        # A token of its own: which namespace it was switched to is remembered for it.
        self.tokens = {"nobody": "", "junk": "junk", "admin": Gateway(gateway.facts).token("admin")}
        people = {name: ("own", role) for name, role in PEOPLE.items()} | {"stranger": ("other", "member")}
        for name, (project, role) in people.items():
            self.users[name] = self._make("user", name=f"matrix-{name}", password="matrix", enabled=True)
            grant = f"/projects/{self.projects[project]}/users/{self.users[name]}/roles/{roles[role]}"
            assert self.keystone.put(grant).status_code == 204
            self.tokens[name] = self._token(name, {"project": {"id": self.projects[project]}})
        self.tokens["unscoped"] = self._token("member", "unscoped")
        self.tokens["revoked"] = self._token("manager", {"project": {"id": self.projects["own"]}})
        ended = self.keystone.delete("/auth/tokens", headers={"X-Subject-Token": self.tokens["revoked"]})
        assert ended.status_code == 204
        self.clients = {
            (caller, product): gateway.client(product=product, **({"X-Auth-Token": token} if token else {}))
            for caller, token in self.tokens.items()
            for product in ("eks", "hybrid", "security", "image")
        }

    def _make(self, kind: str, **body: Any) -> str:
        answer = self.keystone.post(f"/{kind}s", json={kind: {"domain_id": "default", **body}})
        assert answer.status_code == 201, answer.text
        made: str = answer.json()[kind]["id"]
        self.made.append(f"/{kind}s/{made}")
        return made

    def _token(self, name: str, scope: Any) -> str:
        user = {"id": self.users[name], "password": "matrix"}
        identity = {"methods": ["password"], "password": {"user": user}}
        answer = self.keystone.post("/auth/tokens", json={"auth": {"identity": identity, "scope": scope}})
        assert answer.status_code == 201, answer.text
        return str(answer.headers["X-Subject-Token"])

    def make_namespaces(self) -> None:
        admin = self.gateway.client("admin")
        for name, project, visible in ((OWN, "own", self.visible()), (OTHER, "other", [])):
            base = {
                "name": name,
                "cluster_name": "eks",
                "project_id": self.projects[project],
                "user_ids": visible,
            }
            made = admin.post("/namespace/", json={"namespace": {"namespace_base": base}})
            assert made.status_code == 200, made.text
        for name in SECRETS:
            self.gateway.kubectl("-n", OTHER, "create", "configmap", name)
            self.gateway.kubectl("-n", OTHER, "create", "deployment", name, "--image=nginx", "--replicas=0")
            self.gateway.kubectl("-n", OTHER, "create", "secret", "generic", name)

    def takes(self, call: Call) -> set[str]:
        """The query parameters of a call's operation."""
        path = call.path.replace(":str}", "}").rstrip("/")
        described = self.document["paths"][f"/api/ecns/{{product_type}}{path}"][call.method.lower()]
        return {one["name"] for one in described.get("parameters", ()) if one["in"] == "query"}

    def visible(self) -> list[dict[str, str]]:
        return [{"id": self.users[name]} for name in ("reader", "member")]

    def close(self) -> None:
        self.gateway.kubectl("delete", "namespace", OWN, OTHER, "--ignore-not-found", "--wait=false")
        for path in self.made:
            self.keystone.delete(path)
        self.keystone.close()

    def answer(self, call: Call, caller: str, place: str, *, harmless: bool) -> httpx.Response:
        """Send a call to a place; a deletion that could come true is aimed beside it."""
        target = NOTHING if harmless and place != SYSTEM else place
        project = self.projects[{OWN: "own", OTHER: "other", SYSTEM: "system"}[place]]
        values = {
            "cluster_name": "eks",
            "cluster_type": "EKS",
            "namespace": place,
            "kind": "ConfigMap",
            "namespace_name": target if call.operation == "namespace.delete" else place,
            "project_id": project,
            "resource_type": "Deployment",
            "version": "1",
        }
        path = "/".join(
            values.get(part[1:].partition(":")[0].rstrip("}"), NOTHING) if part.startswith("{") else part
            for part in call.path.split("/")
        )
        base = {"name": target if "delete" in call.operation else place, "cluster_name": "eks"}
        body = {
            "access_modes": [],
            "application": {"name": NOTHING},
            "application_name": NOTHING,
            "applications": [{"name": NOTHING}],
            "configmap": {"config": {}},
            "configmaps": [NOTHING],
            "containers": [CONTAINER],
            "cronjob": {"cron_rule": {"minute": "5"}, "job": JOB},
            "cronjob_list": [{"name": NOTHING}],
            "cronjobs": [NOTHING],
            "description": "",
            "harbor_project_name": NOTHING,
            "harbor_projects": [NOTHING],
            "images": [{"harbor_project_name": NOTHING, "image_name": NOTHING}],
            "ingress": [NOTHING] if call.operation == "ingress.delete" else INGRESS,
            "job": JOB,
            "jobs": [NOTHING],
            "labels": {},
            "name": NOTHING,
            "namespace": {"namespace_base": base},
            "namespaces": [base],
            "pod": {"name": NOTHING},
            "network": None,
            "psp": "Unlimited",
            "public": "false",
            "pvc": {"capacity": 1},
            "quota": {"pods": -1},
            "replicas": 1,
            "revisions": [{"version": "1"}],
            "scale_strategy": None,
            "service": [NOTHING] if call.operation == "service.delete" else SERVICE,
            "scheduler_strategy": None,
            "secret": {"name": NOTHING, "type": "Opaque", "opaque": {}},
            "secrets": [{"name": NOTHING, "type": "Opaque"}],
            "tags": [NOTHING],
            "target_version": "1",
            "type": "None",
            "update_strategy": {"type": "recreate"},
            "user_ids": self.visible() if place == OWN else [],
            "virtual_machines": [{"name": NOTHING}],
            "workloads": [WORKLOAD],
            "workloads_base": [BASE],
            "yaml": f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {NOTHING}\n",
        }
        if call.operation == "app.create":  # whose fields other operations use for something else
            body = {"application": {"name": NOTHING}}
        known = {"workload_type": "Deployment", "dry_run": "true"}
        params = {name: known[name] for name in known if name in self.takes(call)}
        if call.action:
            params["action"] = call.action
        if call.operation == "storage.list":
            params["type"] = "PVC"
        return self.clients[caller, call.product].request(
            call.method,
            f"{path}/",
            params=params,
            headers={"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": place},
            json=None if call.method == "GET" else body,
        )


@pytest.fixture(scope="module")
def world(gateway: Gateway) -> Iterator[World]:
    made = World(gateway)
    try:
        made.make_namespaces()
        yield made
    finally:
        made.close()


def needed(call: Call) -> int:
    if call.operation in CLOUD:
        return RANKS["admin"]
    if call.operation in MANAGEMENT:
        return RANKS["manager"]
    return RANKS["reader" if call.method == "GET" and call.operation not in SECRETIVE else "member"]


def sees(caller: str, place: str) -> bool:
    if caller == "admin":
        return True
    return place == (OTHER if caller == "stranger" else OWN) and caller != "outsider"


def expected(call: Call, caller: str, place: str) -> set[int]:
    if caller in {"nobody", "junk", "revoked"}:
        return {401}
    rank = 0 if caller == "unscoped" else RANKS.get(PEOPLE.get(caller, caller), RANKS["member"])
    if rank < needed(call):
        return {403}
    if call.operation in NOWHERE:
        return {200}
    if call.operation in REGISTRY:
        return {REGISTRY[call.operation]}
    reached = REACHED[call.operation]
    if call.operation == "namespace.create" or (call.operation in MANAGEMENT and place == SYSTEM):
        return {reached.get(place, reached[""])}
    if caller == "admin" and call.operation.startswith("vm."):
        return {403}  # a Heat of another project than the token's
    if not sees(caller, place):
        return {404}
    return {reached.get(place, reached[""])}


@pytest.mark.parametrize("call", calls(), ids=str)
def test_every_cell(world: World, call: Call) -> None:
    wrong = []
    for place in PLACES:
        for caller in CALLERS:
            right = expected(call, caller, place)
            harmless = sees(caller, place) and not right <= {401, 403}
            answer = world.answer(call, caller, place, harmless=harmless)
            if answer.status_code not in right:
                wrong.append((caller, place, answer.status_code, sorted(right), answer.text[:200]))
            if caller not in {"stranger", "admin"}:
                assert not [name for name in SECRETS if name in answer.text]
                assert place == OTHER or OTHER not in answer.text
            if answer.status_code >= 400:
                assert answer.json()["RequestId"] == answer.headers["RequestId"]
    assert not wrong, "\n".join(map(str, wrong))


def test_nothing_has_come_true(world: World) -> None:
    seen = eventually(lambda: world.gateway.kubectl_json("get", "namespaces", OWN, OTHER))
    assert [item["status"]["phase"] for item in seen["items"]] == ["Active", "Active"]
    for kind in ("configmap", "deployment", "secret"):
        world.gateway.kubectl("-n", OTHER, "get", kind, *SECRETS)

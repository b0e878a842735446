from __future__ import annotations

from typing import Any

import pytest

from ecns.embedded.kubernetes import admission
from ecns.embedded.kubernetes.admission import quota, standards
from ecns.embedded.kubernetes.defaults import apply_defaults
from ecns.embedded.kubernetes.errors import ApiError

Object = dict[str, Any]
SPACE = "team"


class Cluster:
    """A cluster of given objects; the namespace and its default service account are there."""

    def __init__(self, **objects: list[Object]) -> None:
        self.objects = {name.replace("__", "."): items for name, items in objects.items()}
        self.objects.setdefault("namespaces", [{"metadata": {"name": SPACE}, "status": {"phase": "Active"}}])
        self.objects.setdefault("serviceaccounts", [named("default")])

    def find(self, resource: str, name: str, namespace: str = "") -> Object | None:
        for obj in self.list(resource, namespace or None):
            if obj["metadata"]["name"] == name:
                return obj
        return None

    def list(self, resource: str, namespace: str | None = None) -> list[Object]:
        found = self.objects.get(resource, [])
        return [
            obj for obj in found if namespace is None or obj["metadata"].get("namespace", SPACE) == namespace
        ]


def named(name: str, **more: Any) -> Object:
    return {"metadata": {"name": name, "namespace": SPACE}, **more}


def pod(name: str = "p", *, resources: Object | None = None, **spec: Any) -> Object:
    container = {"name": "c", "image": "a:1", "resources": resources or {}}
    obj = named(name, spec={"containers": [container], **spec})
    apply_defaults("pods", obj)
    return obj


def request(resource: str, obj: Object, old: Object | None = None, sub: str = "") -> admission.Request:
    operation = "CREATE" if old is None else "UPDATE"
    space = "" if resource == "namespaces" else SPACE
    return admission.Request(operation, resource, sub, space, obj["metadata"]["name"], obj, old)


def admit(cluster: Cluster, resource: str, obj: Object, old: Object | None = None) -> list[str]:
    asked = request(resource, obj, old)
    admission.mutate(cluster, asked)
    admission.check(cluster, asked)
    return asked.warnings


def refused(cluster: Cluster, resource: str, obj: Object, old: Object | None = None) -> str:
    with pytest.raises(ApiError) as caught:
        admit(cluster, resource, obj, old)
    return caught.value.message


def test_what_is_deleted_is_not_checked() -> None:
    asked = admission.Request("DELETE", "pods", "", SPACE, "p", None)
    admission.mutate(Cluster(), asked)
    admission.check(Cluster(), asked)


def test_missing_and_terminating_namespaces() -> None:
    assert refused(Cluster(namespaces=[]), "pods", pod()) == 'namespaces "team" not found'
    going = Cluster(namespaces=[{"metadata": {"name": SPACE, "deletionTimestamp": "2026-01-01T00:00:00Z"}}])
    assert "because it is being terminated" in refused(going, "configmaps", named("c"))
    old = named("c")
    assert admit(going, "configmaps", named("c"), old) == []


class TestServiceAccounts:
    def test_token_is_mounted_where_nothing_else_is(self) -> None:
        obj = pod()
        mount = {"name": "own", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
        obj["spec"]["containers"].append({"name": "d", "image": "a:1", "volumeMounts": [mount]})
        admit(Cluster(), "pods", obj)
        first, second = obj["spec"]["containers"]
        assert first["volumeMounts"][0]["name"].startswith("kube-api-access-")
        assert second["volumeMounts"] == [mount]
        assert len(obj["spec"]["volumes"]) == 1

    @pytest.mark.parametrize(
        ("of_pod", "of_account", "mounted"), [(None, False, 0), (True, False, 1), (False, True, 0)]
    )
    def test_automount(self, of_pod: bool | None, of_account: bool, mounted: int) -> None:  # noqa: FBT001  a table
        account = named(
            "default", automountServiceAccountToken=of_account, imagePullSecrets=[{"name": "pull"}]
        )
        obj = pod(**({} if of_pod is None else {"automountServiceAccountToken": of_pod}))
        admit(Cluster(serviceaccounts=[account]), "pods", obj)
        assert len(obj["spec"].get("volumes", [])) == mounted
        assert obj["spec"]["imagePullSecrets"] == [{"name": "pull"}]

    def test_an_account_that_is_not_there(self) -> None:
        message = refused(Cluster(), "pods", pod(serviceAccountName="robot"))
        assert message.endswith(
            'error looking up service account team/robot: serviceaccount "robot" not found'
        )


class TestScheduling:
    def test_priority(self) -> None:
        classes = [
            named("high", value=10, preemptionPolicy="Never"),
            named("usual", value=5, globalDefault=True),
        ]
        cluster = Cluster(priorityclasses__scheduling__k8s__io=classes)
        high, usual, system = (
            pod(priorityClassName="high"),
            pod(),
            pod(priorityClassName="system-node-critical"),
        )
        for obj in (high, usual, system):
            admit(cluster, "pods", obj)
        assert (high["spec"]["priority"], high["spec"]["preemptionPolicy"]) == (10, "Never")
        assert (usual["spec"]["priority"], usual["spec"]["priorityClassName"]) == (5, "usual")
        assert system["spec"]["priority"] == 2000001000
        assert "computed 10" in refused(cluster, "pods", pod(priorityClassName="high", priority=1))
        left_out = pod()
        admit(cluster, "pods", left_out, high)
        assert left_out["spec"]["priority"] == 10

    def test_tolerations_are_added_once(self) -> None:
        own = {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute"}
        obj = pod(tolerations=[own])
        admit(Cluster(), "pods", obj)
        assert [item["key"] for item in obj["spec"]["tolerations"]] == [
            own["key"],
            "node.kubernetes.io/not-ready",
        ]

    def test_runtime_class(self) -> None:
        found = named(
            "vm",
            overhead={"podFixed": {"cpu": "100m"}},
            scheduling={"nodeSelector": {"vm": "yes"}, "tolerations": [{"key": "vm"}]},
        )
        cluster = Cluster(runtimeclasses__node__k8s__io=[found])
        obj = pod(runtimeClassName="vm")
        admit(cluster, "pods", obj)
        assert obj["spec"]["overhead"] == {"cpu": "100m"}
        assert obj["spec"]["nodeSelector"] == {"vm": "yes"}
        assert {"key": "vm"} in obj["spec"]["tolerations"]
        assert "conflict" in refused(cluster, "pods", pod(runtimeClassName="vm", nodeSelector={"vm": "no"}))

    def test_a_new_node_is_tainted(self) -> None:
        node: Object = {"metadata": {"name": "n"}, "spec": {}}
        admission.mutate(Cluster(), admission.Request("CREATE", "nodes", "", "", "n", node))
        assert node["spec"]["taints"] == [{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]


class TestClasses:
    def test_the_newest_default_class(self) -> None:
        mark = {"storageclass.kubernetes.io/is-default-class": "true"}
        classes = [
            {"metadata": {"name": "old", "annotations": mark, "creationTimestamp": "2026-01-01T00:00:00Z"}},
            {"metadata": {"name": "new", "annotations": mark, "creationTimestamp": "2026-01-02T00:00:00Z"}},
            {"metadata": {"name": "plain", "creationTimestamp": "2026-01-03T00:00:00Z"}},
        ]
        claim = named("c", spec={})
        admit(Cluster(storageclasses__storage__k8s__io=classes), "persistentvolumeclaims", claim)
        assert claim["spec"]["storageClassName"] == "new"
        assert claim["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]

    def test_ingress_class(self) -> None:
        mark = {"ingressclass.kubernetes.io/is-default-class": "true"}
        classes = [{"metadata": {"name": "nginx", "annotations": mark}}]
        cluster = Cluster(ingressclasses__networking__k8s__io=classes)
        plain, old = named("i", spec={}), named("o", spec={})
        old["metadata"]["annotations"] = {"kubernetes.io/ingress.class": "x"}
        for obj in (plain, old):
            admit(cluster, "ingresses.networking.k8s.io", obj)
        assert (plain["spec"], old["spec"]) == ({"ingressClassName": "nginx"}, {})

    def test_growing(self) -> None:
        def claim(size: str) -> Object:
            return named("c", spec={"storageClassName": "s", "resources": {"requests": {"storage": size}}})

        grows = Cluster(storageclasses__storage__k8s__io=[named("s", allowVolumeExpansion=True)])
        assert admit(grows, "persistentvolumeclaims", claim("2Gi"), claim("1Gi")) == []
        stays = Cluster(storageclasses__storage__k8s__io=[named("s")])
        assert "must support resize" in refused(stays, "persistentvolumeclaims", claim("2Gi"), claim("1Gi"))


class TestLimits:
    def limited(self, **item: Any) -> Cluster:
        return Cluster(limitranges=[named("l", spec={"limits": [item]})])

    def test_defaults_are_told_in_an_annotation(self) -> None:
        cluster = self.limited(
            type="Container", default={"cpu": "1"}, defaultRequest={"cpu": "500m", "memory": "1Mi"}
        )
        obj = pod()
        admit(cluster, "pods", obj)
        assert obj["spec"]["containers"][0]["resources"] == {
            "requests": {"cpu": "500m", "memory": "1Mi"},
            "limits": {"cpu": "1"},
        }
        assert obj["metadata"]["annotations"]["kubernetes.io/limit-ranger"] == (
            "LimitRanger plugin set: cpu, memory request for container c; cpu limit for container c"
        )

    @pytest.mark.parametrize(
        ("item", "resources", "why"),
        [
            (
                {"type": "Container", "min": {"cpu": "1"}},
                {},
                "minimum cpu usage per Container is 1.  No request is specified",
            ),
            (
                {"type": "Container", "max": {"cpu": "1"}},
                {},
                "maximum cpu usage per Container is 1.  No limit is specified",
            ),
            (
                {"type": "Pod", "max": {"cpu": "1"}},
                {"limits": {"cpu": "2"}},
                "maximum cpu usage per Pod is 1, but limit is 2",
            ),
            (
                {"type": "Pod", "maxLimitRequestRatio": {"cpu": "2"}},
                {"limits": {"memory": "1"}},
                "but no request is specified or request is 0",
            ),
        ],
    )
    def test_bounds(self, item: Object, resources: Object, why: str) -> None:
        assert why in refused(self.limited(**item), "pods", pod(resources=resources))

    def test_claims(self) -> None:
        cluster = self.limited(type="PersistentVolumeClaim", min={"storage": "1Gi"}, max={"storage": "2Gi"})
        claim = named("c", spec={"resources": {"requests": {"storage": "3Gi"}}})
        assert "maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi" in refused(
            cluster, "persistentvolumeclaims", claim
        )


class TestQuota:
    def limited(self, hard: Object, **objects: list[Object]) -> Cluster:
        spec = {"hard": hard, **objects.pop("spec", {})}  # type: ignore[dict-item]
        return Cluster(resourcequotas=[named("q", spec=spec)], **objects)

    def test_what_is_not_said_must_be(self) -> None:
        cluster = self.limited({"limits.memory": "1Gi", "cpu": "1"})
        assert "must specify cpu for: c; limits.memory for: c" in refused(cluster, "pods", pod())

    def test_pods_that_have_ended_take_no_room(self) -> None:
        asks = {"requests": {"cpu": "600m"}}
        done = pod("done", resources=asks) | {"status": {"phase": "Succeeded"}}
        hard = {"pods": "1", "requests.cpu": "1"}
        assert admit(self.limited(hard, pods=[done]), "pods", pod(resources=asks)) == []
        why = refused(self.limited(hard, pods=[pod("up", resources=asks)]), "pods", pod(resources=asks))
        assert why.endswith(
            "exceeded quota: q, requested: pods=1,requests.cpu=600m, "
            "used: pods=1,requests.cpu=600m, limited: pods=1,requests.cpu=1"
        )

    def test_a_service_that_becomes_a_node_port(self) -> None:
        def service(kind: str) -> Object:
            return named("s", spec={"type": kind, "ports": [{"port": 80}, {"port": 81}]})

        cluster = self.limited({"services.nodeports": "1", "services": "1"}, services=[service("ClusterIP")])
        why = refused(cluster, "services", service("NodePort"), service("ClusterIP"))
        assert "requested: services.nodeports=2, used: services.nodeports=0" in why
        assert admit(cluster, "services", service("ClusterIP"), service("ClusterIP")) == []

    def test_claims_by_class_and_counts_of_anything(self) -> None:
        claim = named("c", spec={"storageClassName": "fast", "resources": {"requests": {"storage": "3Gi"}}})
        hard = {"fast.storageclass.storage.k8s.io/requests.storage": "2Gi", "count/deployments.apps": "0"}
        cluster = self.limited(hard)
        assert "requested: fast.storageclass" in refused(cluster, "persistentvolumeclaims", claim)
        assert "requested: count/deployments.apps=1" in refused(
            cluster, "deployments.apps", named("d", spec={})
        )

    @pytest.mark.parametrize(
        ("scope", "spec", "counts"),
        [
            ("BestEffort", {}, True),
            ("NotBestEffort", {}, False),
            ("Terminating", {"activeDeadlineSeconds": 5}, True),
            ("NotTerminating", {"activeDeadlineSeconds": 5}, False),
            ("PriorityClass", {"priorityClassName": "high"}, True),
            ("CrossNamespacePodAffinity", {}, False),
        ],
    )
    def test_scopes(self, scope: str, spec: Object, counts: bool) -> None:  # noqa: FBT001  a table
        found = named("q", spec={"hard": {"pods": "1"}, "scopes": [scope]})
        assert quota.in_scope(found, "pods", pod(**spec)) is counts
        assert not quota.in_scope(found, "services", named("s", spec={}))

    def test_status_for_the_controller(self) -> None:
        spec = {"hard": {"pods": "2", "requests.storage": "1Gi"}}
        side = {
            "name": "s",
            "image": "a:1",
            "restartPolicy": "Always",
            "resources": {"requests": {"cpu": "1"}},
        }
        cluster = Cluster(pods=[pod("a", initContainers=[side]), pod("b")])
        found = quota.status(cluster, named("q", spec=spec))
        assert found == {"hard": spec["hard"], "used": {"pods": "2", "requests.storage": "0"}}
        used = quota.usage(cluster, named("q", spec={"hard": {"requests.cpu": "5"}}))
        assert str(used["requests.cpu"]) == "1"


class TestPodSecurity:
    def levels(self, **labels: str) -> Cluster:
        marked = {f"pod-security.kubernetes.io/{mode}": level for mode, level in labels.items()}
        return Cluster(namespaces=[{"metadata": {"name": SPACE, "labels": marked}, "status": {}}])

    @pytest.mark.parametrize(
        ("context", "more", "said"),
        [
            (
                {"capabilities": {"add": ["SYS_ADMIN"]}},
                {},
                (
                    'non-default capabilities (container "c" must not include "SYS_ADMIN" in '
                    "securityContext.capabilities.add)"
                ),
            ),
            (
                {"procMount": "Unmasked"},
                {},
                'procMount (container "c" must not set securityContext.procMount to "Unmasked")',
            ),
            (
                {"seLinuxOptions": {"type": "spc_t"}},
                {},
                'seLinuxOptions (container "c" set forbidden securityContext.seLinuxOptions: type "spc_t")',
            ),
            (
                {"seccompProfile": {"type": "Unconfined"}},
                {},
                (
                    'seccompProfile (container "c" must not set '
                    'securityContext.seccompProfile.type to "Unconfined")'
                ),
            ),
            (
                {"windowsOptions": {"hostProcess": True}},
                {},
                'hostProcess (container "c" must not set securityContext.windowsOptions.hostProcess=true)',
            ),
            (
                {"appArmorProfile": {"type": "Unconfined"}},
                {},
                (
                    'forbidden AppArmor profile (container "c" must not set '
                    'AppArmor profile type to "Unconfined")'
                ),
            ),
            (
                {},
                {"securityContext": {"sysctls": [{"name": "kernel.x", "value": "1"}]}},
                "forbidden sysctls (kernel.x)",
            ),
            ({}, {"hostIPC": True}, "host namespaces (hostIPC=true)"),
        ],
    )
    def test_baseline(self, context: Object, more: Object, said: str) -> None:
        obj = pod(**more)
        obj["spec"]["containers"][0]["securityContext"] = context
        why = refused(self.levels(enforce="baseline"), "pods", obj)
        assert why.endswith(f'violates PodSecurity "baseline:latest": {said}')

    def test_restricted(self) -> None:
        good = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        whole = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}

        def said(context: Object, of_pod: Object) -> list[str]:
            obj = pod(securityContext=of_pod)
            obj["spec"]["containers"][0]["securityContext"] = {**good, **context}
            return [
                f"{fault.reason} ({fault.detail})"
                for fault in standards.faults("restricted", {}, obj["spec"])
            ]

        assert said({}, whole) == []
        assert said(whole, {}) == []
        assert said({"runAsUser": 0}, whole) == ['runAsUser=0 (container "c" must not set runAsUser=0)']
        assert said({"runAsNonRoot": False}, whole) == [
            'runAsNonRoot != true (container "c" must not set securityContext.runAsNonRoot=false)'
        ]
        assert said({}, {**whole, "seccompProfile": {"type": "Unconfined"}}) == [
            'seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")'
        ]

    def test_an_image_change_is_looked_at_but_not_a_toleration(self) -> None:
        cluster = self.levels(enforce="restricted")
        old, new = pod(), pod(tolerations=[{"key": "a", "operator": "Exists"}])
        assert admit(cluster, "pods", new, old) == []

    def test_templates_are_warned_of(self) -> None:
        job = named("j", spec={"jobTemplate": {"spec": {"template": {"spec": pod()["spec"]}}}})
        [warning] = admit(self.levels(enforce="restricted"), "cronjobs.batch", job)
        assert warning.startswith(
            'would violate PodSecurity "restricted:latest": allowPrivilegeEscalation != false'
        )
        assert admit(self.levels(enforce="baseline", warn="privileged"), "cronjobs.batch", job) == []

    def test_a_stricter_namespace_names_its_pods(self) -> None:
        cluster = self.levels()
        cluster.objects["pods"] = [pod("a", hostPID=True), pod("b", hostPID=True), pod("fine")]
        old = cluster.objects["namespaces"][0]
        new = {"metadata": {"name": SPACE, "labels": {"pod-security.kubernetes.io/enforce": "baseline"}}}
        assert admit(cluster, "namespaces", new, old) == [
            'existing pods in namespace "team" violate the new PodSecurity enforce level "baseline:latest"',
            "a (and 1 other pod): host namespaces",
        ]


def test_one_priority_class_is_the_default() -> None:
    first = named("first", value=1, globalDefault=True)
    cluster = Cluster(priorityclasses__scheduling__k8s__io=[first])
    admit(cluster, "priorityclasses.scheduling.k8s.io", first, first)
    with pytest.raises(ApiError, match="PriorityClass first is already marked as default"):
        admit(cluster, "priorityclasses.scheduling.k8s.io", named("other", value=2, globalDefault=True))

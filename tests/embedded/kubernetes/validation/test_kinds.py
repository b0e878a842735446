"""Refusals that the recordings do not hold, kind by kind."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from ecns.embedded.kubernetes import validation
from ecns.embedded.kubernetes.defaults import apply_defaults

Object = dict[str, Any]
CONTAINER = {"name": "c", "image": "a:1"}


def made(resource: str, obj: Object) -> Object:
    obj = deepcopy(obj)
    obj.setdefault("metadata", {"name": "x", "namespace": "n", "uid": "1"})
    apply_defaults(resource, obj)
    validation.prepare_for_create(resource, obj)
    return obj


def faults(resource: str, obj: Object) -> list[str]:
    return [str(cause) for cause in validation.validate_create(resource, made(resource, obj))]


def changes(resource: str, old: Object, new: Object, subresource: str = "") -> list[str]:
    before, after = made(resource, old), made(resource, new)
    if subresource == "status":
        after["status"] = new["status"]
        before["status"] = old.get("status", before.get("status"))
    validation.prepare_for_update(resource, after, before, subresource)
    return [str(cause) for cause in validation.validate_update(resource, after, before, subresource)]


def pod(container: Object | None = None, **spec: Any) -> Object:
    return {"spec": {"containers": [{**CONTAINER, **(container or {})}], **spec}}


@pytest.mark.parametrize(
    ("obj", "said"),
    [
        (
            pod({"volumeMounts": [{"mountPath": "/a"}]}),
            [
                "spec.containers[0].volumeMounts[0].name: Required value",
                'spec.containers[0].volumeMounts[0].name: Not found: ""',
            ],
        ),
        (
            pod(
                {"volumeMounts": [{"name": "v", "mountPath": "/a", "subPath": "../b"}]},
                volumes=[{"name": "v"}],
            ),
            ["spec.containers[0].volumeMounts.subPath: Invalid value: \"../b\": must not contain '..'"],
        ),
        (
            pod({"volumeDevices": [{"name": "v", "devicePath": "/../d"}]}, volumes=[{"name": "v"}]),
            ["devicePath: Invalid value: \"/../d\": can not contain backsteps ('..')"],
        ),
        (
            pod({"readinessProbe": {"exec": {"command": ["a"]}, "terminationGracePeriodSeconds": 1}}),
            ["terminationGracePeriodSeconds: Invalid value: 1: must not be set for readinessProbes"],
        ),
        (
            pod({"lifecycle": {"preStop": {"httpGet": {"port": "a b", "httpHeaders": [{"name": "x y"}]}}}}),
            ["must contain only alpha-numeric", "a valid HTTP header must consist"],
        ),
        (
            pod({"livenessProbe": {"grpc": {"port": 0}}}),
            ["livenessProbe.grpc.port: Invalid value: 0: must be between 1 and 65535, inclusive"],
        ),
        (
            pod(initContainers=[{**CONTAINER, "name": "i", "livenessProbe": {"exec": {"command": ["a"]}}}]),
            ["livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always"],
        ),
        (pod({"env": [{"name": "A", "valueFrom": {}}]}), ["must specify one of: `fieldRef`"]),
        (
            pod({"env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.gpu"}}}]}),
            ['Unsupported value: "limits.gpu": supported values: "limits.cpu"'],
        ),
        (
            pod({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels"}}}]}),
            ['Unsupported value: "metadata.labels": supported values: "metadata.name"'],
        ),
        (
            pod({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName['x']"}}}]}),
            ["does not support subscript"],
        ),
        (
            pod({"resources": {"limits": {"hugepages-2Mi": "1"}, "requests": {"hugepages-2Mi": "2"}}}),
            ["must be equal to hugepages-2Mi limit of 1"],
        ),
        (
            pod(
                {
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"add": ["SYS_ADMIN"]},
                    }
                }
            ),
            ["CAP_SYS_ADMIN"],
        ),
        (
            pod({"securityContext": {"seccompProfile": {"type": "Localhost"}}}),
            ["localhostProfile: Required value: must be set when seccomp type is Localhost"],
        ),
        (
            pod({"ports": [{"containerPort": 80, "hostPort": 80}, {"containerPort": 81, "hostPort": 80}]}),
            ['spec.containers[0].ports[1].hostPort: Duplicate value: "TCP//80"'],
        ),
        (
            pod(dnsPolicy="None"),
            ["spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"],
        ),
        (
            pod(dnsConfig={"nameservers": ["a"], "options": [{}]}),
            [
                'spec.dnsConfig.nameservers[0]: Invalid value: "a": must be a valid IP address',
                "spec.dnsConfig.options[0]: Required value: must not be empty",
            ],
        ),
        (
            pod(hostUsers=False, hostNetwork=True),
            ["spec.hostNetwork: Forbidden: when `pod.Spec.HostUsers` is false"],
        ),
        (
            pod(schedulingGates=[{"name": "a"}, {"name": "a"}]),
            ['spec.schedulingGates[1]: Duplicate value: "a"'],
        ),
        (
            pod(tolerations=[{"key": "a", "effect": "Never"}]),
            ['supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"'],
        ),
        (
            pod(
                topologySpreadConstraints=[
                    {"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "ScheduleAnyway", "minDomains": 2}
                ]
            ),
            ["can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway"],
        ),
        (
            pod(
                affinity={
                    "nodeAffinity": {
                        "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 0, "preference": {}}]
                    }
                }
            ),
            ["must be in the range 1-100"],
        ),
        (
            pod(
                affinity={
                    "nodeAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": {
                            "nodeSelectorTerms": [
                                {"matchFields": [{"key": "a", "operator": "In", "values": ["x"]}]}
                            ]
                        }
                    }
                }
            ),
            ["not a valid field selector key"],
        ),
        (
            pod(volumes=[{"name": "v", "projected": {"sources": [{}]}}]),
            ["spec.volumes[0].projected.sources[0]: Required value: must specify a volume type"],
        ),
        (
            pod(
                volumes=[
                    {
                        "name": "v",
                        "projected": {
                            "sources": [{"serviceAccountToken": {"path": "/t", "expirationSeconds": 1}}]
                        },
                    }
                ]
            ),
            ["may not specify a duration less than 10 minutes", "must be a relative path"],
        ),
        (
            pod(volumes=[{"name": "v", "downwardAPI": {"items": [{"path": "a"}]}}]),
            ["one of fieldRef and resourceFieldRef is required"],
        ),
        (pod(volumes=[{"name": "v", "nfs": {"server": "s", "path": "p"}}]), ["must be an absolute path"]),
        (
            pod(volumes=[{"name": "v", "hostPath": {"path": "/p", "type": "Dir"}}]),
            ['Unsupported value: "Dir": supported values: "", "BlockDevice"'],
        ),
        (
            pod(
                ephemeralContainers=[
                    {**CONTAINER, "name": "e", "targetContainerName": "z", "ports": [{"containerPort": 1}]}
                ]
            ),
            [
                'spec.ephemeralContainers[0].targetContainerName: Not found: "z"',
                "cannot be set for an Ephemeral Container",
                "cannot be set on create",
            ],
        ),
    ],
)
def test_pods(obj: Object, said: list[str]) -> None:
    found = faults("pods", obj)
    assert len(found) == len(said), found
    for text, part in zip(found, said, strict=True):
        assert part in text


TEMPLATE = {"metadata": {"labels": {"a": "b"}}, **pod()}
SELECTED = {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}


@pytest.mark.parametrize(
    ("resource", "obj", "said"),
    [
        (
            "replicationcontrollers",
            {"spec": {"selector": {"a": "x"}, "template": TEMPLATE}},
            ["`selector` does not match template `labels`"],
        ),
        (
            "replicationcontrollers",
            {"spec": {}},
            ["spec.selector: Required value", "spec.template: Required value"],
        ),
        (
            "daemonsets.apps",
            {"spec": {**SELECTED, "updateStrategy": {"rollingUpdate": {"maxUnavailable": 0}}}},
            ["cannot be 0 when maxSurge is 0"],
        ),
        (
            "daemonsets.apps",
            {"spec": {**SELECTED, "updateStrategy": {"rollingUpdate": {"maxSurge": 1}}}},
            ["may not be set when maxUnavailable is non-zero"],
        ),
        (
            "statefulsets.apps",
            {"spec": {**SELECTED, "updateStrategy": {"type": "OnDelete", "rollingUpdate": {}}}},
            ["only allowed for updateStrategy 'RollingUpdate'"],
        ),
        (
            "statefulsets.apps",
            {"spec": {**SELECTED, "persistentVolumeClaimRetentionPolicy": {"whenScaled": "Keep"}}},
            ['supported values: "Retain", "Delete"'],
        ),
        (
            "services",
            {"spec": {"ports": [{"port": 80}], "trafficDistribution": "Far"}},
            ['"PreferClose", "PreferSameNode", "PreferSameZone"'],
        ),
        (
            "services",
            {"spec": {"ports": [{"port": 80}], "loadBalancerClass": "a/b"}},
            ["may only be used when `type` is 'LoadBalancer'"],
        ),
        ("endpoints", {"subsets": [{}]}, ["must specify `addresses` or `notReadyAddresses`"]),
        (
            "endpointslices.discovery.k8s.io",
            {"addressType": "IPv5", "endpoints": [{"addresses": []}]},
            ['"FQDN", "IPv4", "IPv6"', "must contain at least 1 address"],
        ),
        (
            "limitranges",
            {"spec": {"limits": [{"type": "Pod", "default": {"cpu": "1"}}, {"type": "Pod"}]}},
            ["may not be specified when `type` is 'Pod'", 'Duplicate value: "Pod"'],
        ),
        ("resourcequotas", {"spec": {"scopes": ["BestEffort", "NotBestEffort"]}}, ["conflicting scopes"]),
        (
            "priorityclasses.scheduling.k8s.io",
            {"metadata": {"name": "x"}, "value": 2000000000},
            ["maximum allowed value of a user defined priority is 1000000000"],
        ),
        ("leases.coordination.k8s.io", {"spec": {"leaseDurationSeconds": 0}}, ["must be greater than 0"]),
        (
            "runtimeclasses.node.k8s.io",
            {"metadata": {"name": "x"}, "handler": "A"},
            ["a lowercase RFC 1123 label"],
        ),
        (
            "nodes",
            {"metadata": {"name": "x"}, "spec": {"taints": [{"key": "a", "effect": ""}]}},
            ["metadata.taints[0].effect: Required value"],
        ),
        (
            "ingressclasses.networking.k8s.io",
            {"metadata": {"name": "x"}, "spec": {"controller": "a"}},
            ["must be a domain-prefixed path"],
        ),
        (
            "networkpolicies.networking.k8s.io",
            {"spec": {"podSelector": {}, "ingress": [{"ports": [{"port": 5, "endPort": 1}], "from": [{}]}]}},
            ["must be greater than or equal to `port`", "must specify a peer"],
        ),
        (
            "persistentvolumes",
            {
                "metadata": {"name": "x"},
                "spec": {
                    "capacity": {"storage": "0"},
                    "accessModes": ["ReadWriteOncePod", "ReadOnlyMany"],
                    "hostPath": {"path": "/"},
                },
            },
            ["may not use ReadWriteOncePod with other access modes", "must be greater than zero"],
        ),
        (
            "csinodes.storage.k8s.io",
            {
                "metadata": {"name": "x"},
                "spec": {"drivers": [{"name": "a", "nodeID": ""}, {"name": "a", "nodeID": "n"}]},
            },
            ["spec.drivers[0].nodeID: Required value", 'Duplicate value: "a"'],
        ),
        (
            "roles.rbac.authorization.k8s.io",
            {"metadata": {"name": "a%b", "namespace": "n"}, "rules": []},
            ["may not contain '%'"],
        ),
        ("events", {"involvedObject": {"namespace": "other"}}, ["does not match event.namespace"]),
        (
            "cronjobs.batch",
            {
                "spec": {
                    "schedule": "*/0 * * * *",
                    "jobTemplate": {
                        "spec": {"template": {"spec": {**pod()["spec"], "restartPolicy": "Never"}}}
                    },
                }
            },
            ["step of range should be a positive number: */0"],
        ),
        (
            "horizontalpodautoscalers.autoscaling",
            {
                "apiVersion": "autoscaling/v2",
                "kind": "HorizontalPodAutoscaler",
                "spec": {
                    "maxReplicas": 1,
                    "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "D", "name": "d"},
                    "behavior": {
                        "scaleDown": {
                            "stabilizationWindowSeconds": 4000,
                            "policies": [{"type": "X", "value": 0, "periodSeconds": 1}],
                        }
                    },
                },
            },
            ["must be less than or equal to 3600", '"Percent", "Pods"', "must be greater than zero"],
        ),
    ],
)
def test_other_kinds(resource: str, obj: Object, said: list[str]) -> None:
    found = faults(resource, obj)
    assert len(found) == len(said), found
    for text, part in zip(found, said, strict=True):
        assert part in text


@pytest.mark.parametrize(
    ("resource", "old", "new", "said"),
    [
        (
            "pods",
            pod(activeDeadlineSeconds=5),
            pod(activeDeadlineSeconds=6),
            "must be less than or equal to previous value",
        ),
        ("pods", pod(activeDeadlineSeconds=5), pod(), "must not update from a positive integer to nil value"),
        (
            "pods",
            pod(tolerations=[{"key": "a"}]),
            pod(),
            "existing toleration can not be modified except its tolerationSeconds",
        ),
        ("pods", pod(), pod({"image": ""}), "spec.containers[0].image: Required value"),
        (
            "services",
            {"spec": {"type": "LoadBalancer", "loadBalancerClass": "a/b", "ports": [{"port": 80}]}},
            {"spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}},
            "spec.loadBalancerClass: Invalid value: null: may not change once set",
        ),
        (
            "ingressclasses.networking.k8s.io",
            {"metadata": {"name": "x"}, "spec": {"controller": "a.b/c"}},
            {"metadata": {"name": "x"}, "spec": {"controller": "a.b/d"}},
            "field is immutable",
        ),
        (
            "priorityclasses.scheduling.k8s.io",
            {"metadata": {"name": "x"}, "value": 1},
            {"metadata": {"name": "x"}, "value": 2},
            "value: Forbidden: may not be changed in an update.",
        ),
        (
            "controllerrevisions.apps",
            {"data": {"a": 1}, "revision": 1},
            {"data": {"a": 2}, "revision": 1},
            "data: Invalid value",
        ),
        (
            "endpointslices.discovery.k8s.io",
            {"addressType": "IPv4", "endpoints": []},
            {"addressType": "IPv6", "endpoints": []},
            "addressType: Invalid value",
        ),
        (
            "nodes",
            {"metadata": {"name": "x"}, "spec": {"podCIDR": "10.0.0.0/24"}},
            {"metadata": {"name": "x"}, "spec": {}},
            "node updates may not change podCIDR",
        ),
        (
            "resourcequotas",
            {"spec": {"scopes": ["BestEffort"]}},
            {"spec": {}},
            "spec.scopes: Invalid value: null: field is immutable",
        ),
        (
            "runtimeclasses.node.k8s.io",
            {"metadata": {"name": "x"}, "handler": "a"},
            {"metadata": {"name": "x"}, "handler": "b"},
            "handler: Invalid value",
        ),
    ],
)
def test_changes(resource: str, old: Object, new: Object, said: str) -> None:
    [found] = changes(resource, old, new)
    assert said in found


def test_counts_of_a_status() -> None:
    def status(**counts: int) -> Object:
        return {"spec": SELECTED, "status": counts}

    assert (
        changes(
            "deployments.apps", status(), status(replicas=2, readyReplicas=2, availableReplicas=1), "status"
        )
        == []
    )
    assert changes(
        "deployments.apps", status(), status(replicas=1, readyReplicas=2, availableReplicas=3), "status"
    ) == [
        "status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas",
        "status.availableReplicas: Invalid value: 3: cannot be greater than status.replicas",
        "status.availableReplicas: Invalid value: 3: cannot be greater than readyReplicas",
    ]


def test_tolerations_may_be_added_and_prolonged() -> None:
    old = pod(tolerations=[{"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}])
    new = pod(tolerations=[{"key": "a", "operator": "Exists", "effect": "NoExecute"}, {"key": "b"}])
    assert changes("pods", old, new) == []


@pytest.mark.parametrize(
    ("schedule", "fault"),
    [
        ("0 0 1,15 * 1-5", ""),
        ("*/10 8-18/2 * jan-mar,dec SUN", ""),
        ("@every 1h30m", ""),
        ("@every soon", 'failed to parse duration @every soon: time: invalid duration "soon"'),
        ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("+5,,? * * * ,", ""),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("*/2/2 * * * *", "too many slashes: */2/2"),
        ("* * * * 7", "end of range (7) above maximum (6): 7"),
        ("x * * * *", 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'),
    ],
)
def test_schedules(schedule: str, fault: str) -> None:
    assert validation.batch.schedule_fault(schedule) == fault


def test_warnings() -> None:
    obj = made(
        "pods",
        pod({"resources": {"limits": {"memory": "1500m"}}}, nodeSelector={"beta.kubernetes.io/os": "linux"}),
    )
    obj["metadata"]["name"] = "a.b"
    hostname, selector, fraction, request = validation.warnings("pods", obj)
    assert hostname.startswith("metadata.name: this is used in the Pod's hostname")
    assert (
        selector
        == 'spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead'
    )
    assert 'limits[memory]: fractional byte value "1500m" is invalid' in request
    assert "requests[memory]" in fraction
    old = made(
        "ingresses.networking.k8s.io",
        {"metadata": {"name": "i", "annotations": {"kubernetes.io/ingress.class": "a"}}},
    )
    assert "is deprecated" in validation.warnings("ingresses.networking.k8s.io", old)[0]

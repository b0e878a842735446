from __future__ import annotations

from typing import Any

import pytest

from ecns.embedded.kubernetes import schemas
from ecns.embedded.kubernetes.defaults import apply_defaults, pods

Object = dict[str, Any]


def filled(resource: str, **obj: Any) -> Object:
    apply_defaults(resource, obj)
    return obj


@pytest.mark.parametrize(
    ("image", "tag"),
    [
        ("nginx", "latest"),
        ("nginx:1.27", "1.27"),
        ("registry.example.com:5000/a/b", "latest"),
        ("registry.example.com:5000/a/b:v1", "v1"),
        ("nginx@sha256:abc0", ""),
        (" nginx", ""),
        ("Bad Image!", ""),
        ("", ""),
    ],
)
def test_tags(image: str, tag: str) -> None:
    assert pods.image_tag(image) == tag


def test_volumes_of_every_sort() -> None:
    template = {
        "containers": [{"name": "c", "image": "a:1"}],
        "volumes": [
            {"name": "empty"},
            {"name": "token", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
            {"name": "path", "hostPath": {"path": "/x"}},
            {"name": "block", "iscsi": {"targetPortal": "a", "iqn": "b", "lun": 0}},
            {"name": "rbd", "rbd": {"monitors": ["m"], "image": "i"}},
            {"name": "azure", "azureDisk": {"diskName": "d", "diskURI": "u"}},
            {"name": "io", "scaleIO": {"gateway": "g", "system": "s", "secretRef": {"name": "x"}}},
            {
                "name": "own",
                "ephemeral": {"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"]}}},
            },
        ],
    }
    volumes = filled("podtemplates", template={"spec": template})["template"]["spec"]["volumes"]
    by_name = {volume.pop("name"): volume for volume in volumes}
    assert by_name["empty"] == {"emptyDir": {}}
    assert by_name["token"]["projected"] == {
        "sources": [{"serviceAccountToken": {"expirationSeconds": 3600, "path": "t"}}],
        "defaultMode": 0o644,
    }
    assert by_name["path"]["hostPath"]["type"] == ""
    assert by_name["block"]["iscsi"]["iscsiInterface"] == "default"
    assert by_name["rbd"]["rbd"]["pool"] == "rbd"
    assert by_name["azure"]["azureDisk"]["readOnly"] is False
    assert by_name["io"]["scaleIO"]["fsType"] == "xfs"
    assert by_name["own"]["ephemeral"]["volumeClaimTemplate"]["spec"]["volumeMode"] == "Filesystem"


def test_either_spelling_of_the_service_account_gives_both() -> None:
    spec = {"containers": [], "serviceAccount": "robot"}
    assert filled("pods", spec=spec)["spec"]["serviceAccountName"] == "robot"


def test_services() -> None:
    fixed = filled("services", spec={"ports": [{"port": 80}], "externalIPs": ["192.0.2.1"]})
    assert fixed["spec"]["externalTrafficPolicy"] == "Cluster"
    plain = filled("services", spec={"sessionAffinity": "None", "sessionAffinityConfig": {"clientIP": {}}})
    assert "sessionAffinityConfig" not in plain["spec"]
    balanced = filled(
        "services", spec={"type": "LoadBalancer"}, status={"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    )
    assert balanced["status"]["loadBalancer"]["ingress"] == [{"ip": "192.0.2.1", "ipMode": "VIP"}]


def test_kinds_without_an_own_scenario() -> None:
    driver = filled("csidrivers.storage.k8s.io", spec={"attachRequired": False})
    assert (driver["spec"]["attachRequired"], driver["spec"]["volumeLifecycleModes"]) == (
        False,
        ["Persistent"],
    )
    nodes = filled("nodes", status={"capacity": {"cpu": "1000m"}})
    assert nodes["status"]["allocatable"] == {"cpu": "1"}
    group = filled("ingressclasses.networking.k8s.io", spec={"parameters": {"kind": "K", "name": "n"}})
    assert group["spec"]["parameters"]["scope"] == "Cluster"
    slices = filled("endpointslices.discovery.k8s.io", addressType="IPv4", ports=[{"port": 80}])
    assert slices["ports"] == [{"name": "", "protocol": "TCP", "port": 80}]
    assert slices["endpoints"] is None
    names = {"kind": "Widget", "plural": "widgets"}
    definition = filled("customresourcedefinitions.apiextensions.k8s.io", spec={"names": names})
    assert definition["spec"]["names"] == {**names, "singular": "widget", "listKind": "WidgetList"}


def test_a_claim_and_its_source() -> None:
    source = {"kind": "PersistentVolumeClaim", "name": "other"}
    assert filled("persistentvolumeclaims", spec={"dataSource": source})["spec"]["dataSourceRef"] == source
    assert filled("persistentvolumeclaims", spec={"dataSourceRef": source})["spec"]["dataSource"] == source


def test_a_jobs_failure_policy() -> None:
    policy = {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]}
    job = filled("jobs.batch", spec={"podFailurePolicy": policy, "backoffLimitPerIndex": 1, "template": {}})
    assert job["spec"]["podReplacementPolicy"] == "Failed"
    assert job["spec"]["backoffLimit"] == 2**31 - 1
    assert job["spec"]["podFailurePolicy"]["rules"][0]["onPodConditions"][0]["status"] == "True"


def test_a_wrong_type_is_refused() -> None:
    with pytest.raises(schemas.DecodeError, match="cannot unmarshal"):
        filled("pods", spec=[])


def test_custom_resources_are_left_alone() -> None:
    assert filled("widgets.example.com", apiVersion="e.com/v1", kind="W", spec=None)["spec"] is None


@pytest.mark.parametrize(
    ("strategy", "found"),
    [
        ({}, {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}),
        ({"type": "RollingUpdate"}, {"type": "RollingUpdate"}),
        (
            {"type": "RollingUpdate", "rollingUpdate": {}},
            {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
        ),
        ({"type": "OnDelete"}, {"type": "OnDelete"}),
    ],
)
def test_how_a_stateful_set_is_updated(strategy: Object, found: Object) -> None:
    spec = {"template": {"spec": {"containers": []}}, "updateStrategy": strategy}
    assert filled("statefulsets.apps", spec=spec)["spec"]["updateStrategy"] == found

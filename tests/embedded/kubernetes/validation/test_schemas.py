from __future__ import annotations

from typing import Any

import pytest

from ecns.embedded.kubernetes import schemas, validation
from ecns.embedded.kubernetes.errors import ApiError


def refusal(resource: str, obj: dict[str, Any]) -> str:
    with pytest.raises(ApiError) as caught:
        validation.unknown_fields(resource, obj)
    assert caught.value.code == 400
    return caught.value.message.partition(": ")[2]


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        (
            {"replicas": True},
            "cannot unmarshal bool into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            {"replicas": []},
            "cannot unmarshal array into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            {"template": 1},
            "number into Go struct field DeploymentSpec.spec.template of type v1.PodTemplateSpec",
        ),
        (
            {"selector": {"matchLabels": {"a": {}}}},
            "object into Go struct field LabelSelector.spec.selector.matchLabels of type string",
        ),
        (
            {"strategy": {"rollingUpdate": {"maxSurge": []}}},
            "cannot unmarshal array into Go value of type int32",
        ),
    ],
)
def test_values_of_a_wrong_type(spec: dict[str, Any], why: str) -> None:
    assert why in refusal("deployments.apps", {"metadata": {"name": "x"}, "spec": spec})


def test_times_and_bytes() -> None:
    assert "parsing time" in refusal(
        "configmaps", {"metadata": {"creationTimestamp": "2026-13-01T00:00:00Z"}}
    )
    assert "illegal base64 data at input byte 2" in refusal("secrets", {"data": {"a": "YW%="}})
    lease = {
        "spec": {"renewTime": "2026-01-01T02:00:00+02:00"},
        "metadata": {"creationTimestamp": "2026-01-01T00:00:00.5Z"},
    }
    assert schemas.decode("leases.coordination.k8s.io", lease) == []
    assert lease["spec"]["renewTime"] == "2026-01-01T00:00:00.000000Z"
    assert lease["metadata"]["creationTimestamp"] == "2026-01-01T00:00:00Z"


def test_unknown_fields_are_named_and_dropped() -> None:
    pod = {
        "spec": {"containers": [{"name": "c", "envv": 1}], "volumes": [{"name": "v", "emptyDir": {"x": {}}}]},
        "y": 1,
    }
    assert validation.unknown_fields("pods", pod) == [
        'unknown field "spec.containers[0].envv"',
        'unknown field "spec.volumes[0].emptyDir.x"',
        'unknown field "y"',
    ]
    assert "y" in pod
    schemas.decode("pods", pod)
    assert pod["spec"]["volumes"] == [{"name": "v", "emptyDir": {}}]


def test_empty_values_go_unless_they_mean_something() -> None:
    claim: dict[str, Any] = {
        "metadata": {"name": "c", "labels": {}, "annotations": None},
        "spec": {"storageClassName": "", "volumeName": "", "accessModes": []},
    }
    schemas.decode("persistentvolumeclaims", claim)
    assert claim == {
        "metadata": {"name": "c"},
        "spec": {"storageClassName": "", "resources": {}},
        "status": {},
    }
    role: dict[str, Any] = {"metadata": {"name": "r"}, "rules": []}
    schemas.decode("roles.rbac.authorization.k8s.io", role)
    assert role["rules"] is None


def test_nulls_inside_lists_and_maps_are_zero_values() -> None:
    pod: dict[str, Any] = {
        "metadata": {"labels": {"a": None}},
        "spec": {"containers": [None], "hostAliases": [{"hostnames": [None]}]},
    }
    schemas.decode("pods", pod)
    assert pod["metadata"]["labels"] == {"a": ""}
    assert pod["spec"]["containers"] == [{"name": "", "resources": {}}]


def test_types_can_be_walked() -> None:
    deployment = schemas.of_kind("apps/v1", "Deployment")
    assert isinstance(deployment, schemas.ObjectType)
    containers = deployment["spec"]["template"]["spec"]
    assert isinstance(containers, schemas.ObjectType)
    assert containers.fields["containers"].merge_key == "name"
    assert schemas.of_kind("example.com/v1", "Widget") is None
    assert schemas.builtin("nosuch") is None
    with pytest.raises(KeyError):
        schemas.named("io.k8s.nosuch.v1.Thing")
    with pytest.raises(KeyError):
        deployment["nosuch"]


def test_custom_resources_are_left_alone() -> None:
    widget = {"apiVersion": "example.com/v1", "kind": "Widget", "spec": {"a": None}}
    assert schemas.decode("widgets.example.com", widget) == []
    assert widget["spec"] == {"a": None}

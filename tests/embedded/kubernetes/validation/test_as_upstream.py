"""Refusals that a Kubernetes 1.36 was seen to make, and what it was seen to take."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from tests.embedded.kubernetes.validation.test_kinds import CONTAINER, Object, faults, made

from ecns.embedded.kubernetes import validation
from ecns.embedded.kubernetes.errors import ApiError

DEPLOYED: Object = {
    "selector": {"matchLabels": {"a": "b"}},
    "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [CONTAINER]}},
}


def _autoscaler(**spec: Any) -> list[str]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
    return faults(
        "horizontalpodautoscalers.autoscaling", {"spec": {"maxReplicas": 3, "scaleTargetRef": target, **spec}}
    )


def test_an_autoscaler_may_look_at_any_object() -> None:
    def looking_at(version: str) -> list[str]:
        source = {
            "metric": {"name": "m"},
            "describedObject": {"kind": "Service", "name": "s", "apiVersion": version},
            "target": {"type": "Value", "value": "1"},
        }
        return _autoscaler(metrics=[{"type": "Object", "object": source}])

    assert looking_at("v1") == []
    assert looking_at("") == []
    assert "unexpected GroupVersion string: a/b/c" in looking_at("a/b/c")[0]


@pytest.mark.parametrize(
    ("version", "kind", "said"),
    [("v1", "ReplicationController", ""), ("apps", "D", "must specify API group")],
)
def test_an_autoscaler_scales_what_has_a_group_or_a_replication_controller(
    version: str, kind: str, said: str
) -> None:
    found = _autoscaler(scaleTargetRef={"apiVersion": version, "kind": kind, "name": "d"})
    assert len(found) == bool(said)
    assert said in "".join(found)


def _job(**spec: Any) -> list[str]:
    template = {"spec": {"restartPolicy": "Never", "containers": [CONTAINER]}}
    whole = {"completions": 3, "completionMode": "Indexed", "template": template, **spec}
    return faults("jobs.batch", {"spec": whole})


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"succeededIndexes": "0,2"}, ""),
        ({"succeededIndexes": "0-1", "succeededCount": 2}, ""),
        ({"succeededIndexes": "x"}, 'cannot convert string to integer for index: "x"'),
        ({"succeededIndexes": "0-5"}, 'too large index: "5"'),
        ({"succeededIndexes": "2-1"}, "non-increasing order, previous: 2, current: 1"),
        ({"succeededIndexes": "0-1-2"}, "at most two parts separated by '-'"),
        ({"succeededIndexes": "0-1", "succeededCount": 3}, "must be less than or equal to 2"),
        ({"succeededCount": 5}, "must be less than or equal to 3 (the number of specified completions)"),
        ({}, "at least one of succeededCount or succeededIndexes must be specified"),
    ],
)
def test_when_a_job_has_succeeded(rule: Object, said: str) -> None:
    found = _job(successPolicy={"rules": [rule]})
    assert len(found) == bool(said), found
    assert said in "".join(found)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"action": "FailJob", "onExitCodes": {"operator": "In", "values": [1, 2]}}, ""),
        ({"action": "FailIndex", "onExitCodes": {"operator": "In", "values": [1]}}, "backoffLimitPerIndex"),
        ({"action": "Count"}, "specifying one of OnExitCodes and OnPodConditions is required"),
        ({"action": "Count", "onExitCodes": {"operator": "In", "values": [0]}}, "must not be 0"),
        ({"action": "Count", "onExitCodes": {"operator": "NotIn", "values": [2, 1]}}, "must be ordered"),
        ({"action": "X", "onPodConditions": [{"type": "a", "status": "True"}]}, 'Unsupported value: "X"'),
        ({"action": "", "onPodConditions": [{"type": "a"}]}, 'valid values: ["Count" "FailIndex"'),
    ],
)
def test_when_a_job_has_failed(rule: Object, said: str) -> None:
    found = _job(podFailurePolicy={"rules": [rule]})
    assert len(found) == bool(said), found
    assert said in "".join(found)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"managedBy": "a.b/c"}, ""),
        ({"managedBy": "a"}, "must be a domain-prefixed path"),
        ({"maxFailedIndexes": 1}, "when maxFailedIndexes is specified"),
        ({"maxFailedIndexes": 5, "backoffLimitPerIndex": 1}, "must be less than or equal to completions"),
        ({"completionMode": "NonIndexed", "backoffLimitPerIndex": 1}, "requires indexed completion mode"),
        ({"podReplacementPolicy": "x"}, 'supported values: "Failed", "TerminatingOrFailed"'),
    ],
)
def test_a_job_with_indexes(spec: Object, said: str) -> None:
    found = _job(**spec)
    assert len(found) == bool(said), found
    assert said in "".join(found)


def test_a_headless_service_without_a_selector_takes_both_families() -> None:
    spec = made("services", {"spec": {"clusterIP": "None"}})["spec"]
    assert (spec["ipFamilyPolicy"], spec["ipFamilies"]) == ("RequireDualStack", ["IPv4", "IPv6"])
    assert faults("services", {"spec": {"clusterIP": "None"}}) == []


@pytest.mark.parametrize(
    ("resource", "obj", "said"),
    [
        (
            "services",
            {"metadata": {"name": "a.b", "namespace": "n"}, "spec": {"ports": [{"port": 1}]}},
            "dots",
        ),
        ("namespaces", {"metadata": {"name": "x"}, "spec": {"finalizers": ["x"]}}, "fully qualified"),
        ("statefulsets.apps", {"spec": {**DEPLOYED, "serviceName": "a.b"}}, "must not contain dots"),
        (
            "deployments.apps",
            {"spec": {**DEPLOYED, "selector": {"matchLabels": {"a": "b!"}}}},
            "invalid label selector",
        ),
    ],
)
def test_names_and_selectors(resource: str, obj: Object, said: str) -> None:
    assert said in faults(resource, obj)[-1]


def test_an_ingress_leads_to_a_service_whose_name_begins_with_a_digit() -> None:
    backend = {"service": {"name": "1a", "port": {"number": 80}}}
    assert faults("ingresses.networking.k8s.io", {"spec": {"defaultBackend": backend}}) == []


KEYED: Object = {
    "type": "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["k"],
    "items": {"type": "object", "required": ["k"], "properties": {"k": {"type": "string"}}},
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, ""),
        ({"x-kubernetes-list-map-keys": []}, "must not be empty if x-kubernetes-list-type is map"),
        ({"x-kubernetes-list-map-keys": ["z"]}, "entries must all be names of item properties"),
        ({"x-kubernetes-list-map-keys": ["k", "k"]}, "must not contain duplicate entries"),
        ({"x-kubernetes-list-type": "atomic"}, "must be map if x-kubernetes-list-map-keys is non-empty"),
        ({"items": {"type": "object", "properties": {"k": {"type": "string"}}}}, "must have a default"),
    ],
)
def test_a_list_with_keys(change: Object, said: str) -> None:
    found = _definition({"l": {**KEYED, **change}})
    assert len(found) == bool(said), found
    assert said in "".join(found)


def _definition(properties: Object, **version: Any) -> list[str]:
    schema = {"type": "object", "properties": properties}
    found = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}, **version}
    called = {"plural": "ws", "singular": "w", "kind": "W", "listKind": "WList"}
    spec = {"group": "e.com", "scope": "Namespaced", "names": called, "versions": [found]}
    obj = {"metadata": {"name": "ws.e.com"}, "spec": spec, "status": {"storedVersions": ["v1"]}}
    causes = validation.validate_create("customresourcedefinitions.apiextensions.k8s.io", obj)
    return [str(cause) for cause in causes]


def test_printed_columns_and_scale_have_paths() -> None:
    column = {"name": "A", "type": "y", "jsonPath": "x"}
    scale = {"specReplicasPath": ".status.replicas", "statusReplicasPath": ""}
    found = _definition({}, additionalPrinterColumns=[column], subresources={"scale": scale})
    parts = (
        "should be a json path under .spec",
        "Required",
        "must be one of boolean,date",
        "simple json path",
    )
    assert len(found) == len(parts)
    for text, part in zip(found, parts, strict=True):
        assert part in text


@pytest.mark.parametrize(
    "path", ['.status.conditions[?(@.type == "Ready")].status', '.spec.type[?(@ == "Adaptive")]', "."]
)
def test_printed_columns_may_have_filters(path: str) -> None:
    assert _definition({}, additionalPrinterColumns=[{"name": "A", "type": "string", "jsonPath": path}]) == []


@pytest.mark.parametrize("wrong", [[], "x", 5])
def test_a_schema_in_a_list_that_is_none_is_refused(wrong: Any) -> None:
    items = {"type": "object", "properties": {"k": wrong}}
    schema = {"openAPIV3Schema": {"properties": {"l": {"items": items}}}}
    with pytest.raises(ApiError, match="cannot unmarshal"):
        validation.unknown_fields(
            "customresourcedefinitions.apiextensions.k8s.io", {"spec": {"versions": [{"schema": schema}]}}
        )


def test_an_update_keeps_a_services_families() -> None:
    old = made("services", {"spec": {"clusterIP": "None", "ipFamilyPolicy": "SingleStack"}})
    new = deepcopy(old)
    del new["spec"]["ipFamilyPolicy"], new["spec"]["ipFamilies"]
    validation.prepare_for_update("services", new, old)
    assert (new["spec"]["ipFamilyPolicy"], new["spec"]["ipFamilies"]) == ("SingleStack", ["IPv4"])


def test_a_hook_sleeps_no_longer_than_its_pod_is_given() -> None:
    hooked = {**CONTAINER, "lifecycle": {"preStop": {"sleep": {"seconds": 2}}}}
    spec = {"containers": [hooked], "terminationGracePeriodSeconds": 2}
    assert faults("pods", {"spec": spec}) == []
    said = faults("pods", {"spec": {**spec, "terminationGracePeriodSeconds": 1}})
    assert said[0].endswith(
        "Invalid value: 2: must be non-negative and less than terminationGracePeriodSeconds (1)"
    )

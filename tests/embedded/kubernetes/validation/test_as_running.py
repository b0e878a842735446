"""What a Kubernetes 1.36.2 that ran beside the embedded one was seen to refuse, drop or fill in."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from tests.embedded.kubernetes.validation.test_kinds import CONTAINER, Object, faults, made

from ecns.embedded.kubernetes import fieldsets, mergekeys, validation
from ecns.embedded.kubernetes.enums import with_values
from ecns.embedded.kubernetes.metadata import dedupe_owners
from ecns.embedded.kubernetes.schemas import definitions

TEMPLATE: Object = {"spec": {"restartPolicy": "Never", "containers": [CONTAINER]}}
AFFINITY: Object = {
    "required": {
        "nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "In", "values": ["x"]}]}]
    }
}


def changed(resource: str, old: Object, subresource: str = "", **fields: Any) -> list[str]:
    """The faults of an object of which top-level fields are changed."""
    new = {**deepcopy(old), **fields}
    return [str(cause) for cause in validation.validate_update(resource, new, old, subresource)]


def _condition(kind: str) -> Object:
    return {"type": kind, "status": "True"}


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({"succeeded": -1}, "status.succeeded: Invalid value: -1: must be greater than or equal to 0"),
        ({"active": 1, "ready": 2}, "status.ready: Invalid value: 2: cannot set more ready pods than active"),
        ({"conditions": [_condition("Complete")]}, "without the SuccessCriteriaMet=true condition"),
        ({"conditions": [_condition("Failed")]}, "without the FailureTarget=true condition"),
        ({"completedIndexes": "x"}, "error parsing completedIndexes: cannot convert string to integer"),
        ({"failedIndexes": "0"}, "cannot set non-null failedIndexes when backoffLimitPerIndex is null"),
        ({"completionTime": "2026-01-01T00:00:00Z"}, "when there is no Complete=True condition"),
        ({"active": 2, "ready": 1, "completedIndexes": "0,2-3"}, ""),
    ],
)
def test_the_status_of_a_job_holds_together(status: Object, said: str) -> None:
    spec = {"completions": 5, "parallelism": 1, "completionMode": "Indexed", "template": TEMPLATE}
    job = made("jobs.batch", {"spec": spec})
    found = changed("jobs.batch", job, "status", status=status)
    assert any(said in fault for fault in found) if said else not found


def test_a_finished_job_stays_so() -> None:
    ended = {
        "startTime": "2026-01-01T00:00:00Z",
        "completionTime": "2026-01-01T00:01:00Z",
        "succeeded": 1,
        "conditions": [_condition("SuccessCriteriaMet"), _condition("Complete")],
    }
    job = {**made("jobs.batch", {"spec": {"template": TEMPLATE}}), "status": ended}
    assert not changed("jobs.batch", job, "status", status={**ended, "terminating": 0})
    found = changed("jobs.batch", job, "status", status={**ended, "conditions": []})
    assert any("cannot disable the terminal Complete=True condition" in fault for fault in found)


def test_what_a_suspended_job_asks_for_may_change() -> None:
    job = made("jobs.batch", {"spec": {"suspend": True, "template": TEMPLATE}})
    spec = deepcopy(job["spec"])
    spec["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "1"}}
    assert not changed("jobs.batch", job, spec=spec)
    spec["template"]["spec"]["containers"][0]["image"] = "other"
    assert "field is immutable" in changed("jobs.batch", job, spec=spec)[0]


def test_a_stateful_sets_unavailable_pods_are_behind_a_gate() -> None:
    rolling = {"rollingUpdate": {"maxUnavailable": 0, "partition": 1}, "type": "RollingUpdate"}
    labels = {"a": "b"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [CONTAINER]}}
    spec = {"selector": {"matchLabels": labels}, "template": template, "updateStrategy": rolling}
    assert made("statefulsets.apps", {"spec": spec})["spec"]["updateStrategy"]["rollingUpdate"] == {
        "partition": 1
    }


def test_a_limit_range_without_a_name_gets_one() -> None:
    obj = made("limitranges", {"metadata": {"namespace": "n"}, "spec": {"limits": []}})
    assert obj["metadata"]["name"]


@pytest.mark.parametrize(
    ("networks", "said"),
    [
        ({"podCIDR": "10.0.0.0/33"}, "must be a valid CIDR value"),
        ({"podCIDR": "10.0.0.1/24"}, "must not have bits set beyond the prefix length"),
        ({"podCIDRs": ["10.0.0.0/24", "10.1.0.0/24"]}, "no more than one CIDR for each IP family"),
        ({"podCIDRs": ["10.0.0.0/24", "fd00::/64"]}, ""),
    ],
)
def test_the_networks_of_a_node(networks: Object, said: str) -> None:
    found = [fault for fault in faults("nodes", {"spec": networks}) if fault.startswith("spec")]
    assert any(said in fault for fault in found) if said else not found


def test_a_nodes_networks_stand_twice_and_stay() -> None:
    node = made("nodes", {"spec": {"podCIDR": "10.0.0.0/24"}})
    assert node["spec"]["podCIDRs"] == ["10.0.0.0/24"]
    found = changed("nodes", node, spec={"podCIDRs": ["10.0.0.0/24", "fd00::/64"]})
    assert found == ['spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid']


def test_a_volumes_node_affinity_stays() -> None:
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "local": {"path": "/a"},
    }
    assert "Local volume requires node affinity" in "".join(faults("persistentvolumes", {"spec": spec}))
    volume = made("persistentvolumes", {"spec": {**spec, "nodeAffinity": AFFINITY}})
    other = deepcopy(AFFINITY)
    other["required"]["nodeSelectorTerms"][0]["matchExpressions"][0]["values"] = ["y"]
    found = changed("persistentvolumes", volume, spec={**volume["spec"], "nodeAffinity": other})
    assert found[0].startswith(
        'nodeAffinity: Invalid value: {"Required":{"NodeSelectorTerms":[{"MatchExpressions"'
    )


def test_owners_named_twice_are_kept_once() -> None:
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "u"}
    metadata, warnings = {"ownerReferences": [owner, dict(owner)]}, list[str]()
    dedupe_owners(metadata, warnings)
    assert metadata == {"ownerReferences": [owner]}
    assert warnings[0].endswith("duplicate UID(s) observed: u")


def test_fields_tell_the_values_that_they_may_have() -> None:
    name = "io.k8s.api.core.v1.PodSpec"
    field = with_values(name, definitions()[name])["properties"]["restartPolicy"]
    assert field["enum"] == ["Always", "Never", "OnFailure"]
    assert field["description"].endswith(
        'Possible enum values:\n - `"Always"`\n - `"Never"`\n - `"OnFailure"`'
    )
    assert "enum" not in definitions()[name]["properties"]["restartPolicy"]


def test_an_apply_is_told_what_its_schema_has_not_once_for_each_object() -> None:
    schema = mergekeys.built_in("apps", "v1", "Deployment")
    with pytest.raises(fieldsets.SchemaError) as caught:
        fieldsets.check({"spec": {"template": {"spec": {"bar": 2, "baz": 3}}, "foo": 1}}, schema)
    assert str(caught.value).split("\n") == [
        "errors:",
        "  .spec.template.spec.bar: field not declared in schema",
        "  .spec.foo: field not declared in schema",
    ]

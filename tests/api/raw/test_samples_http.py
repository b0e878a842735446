"""Manifests that projects publish, uploaded as they are: what comes of it is what kubectl makes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from ecns.api.common.documents import read
from tests.api.raw.asking import done, post, unused
from tests.api.raw.conftest import NAMESPACE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.api.project import Project
    from tests.gateway import Gateway

LISTS = {
    "Deployment": ("/workloads/", "workloads", "workload_base"),
    "StatefulSet": ("/workloads/", "workloads", "workload_base"),
    "Service": ("/service/", "services", "service_base"),
}


def told(whole: dict[str, Any]) -> dict[str, Any]:
    """What of an object is the user's, and neither the cluster's nor of one time and place."""
    spec = dict(whole.get("spec") or {})
    for own in ("clusterIP", "clusterIPs", "healthCheckNodePort"):
        if spec.get("clusterIP") != "None":
            spec.pop(own, None)
    for port in spec.get("ports", []):
        port.pop("nodePort", None)
    metadata = whole["metadata"]
    labels = {key: value for key, value in metadata.get("labels", {}).items() if not key.endswith("part-of")}
    return {"spec": spec, "labels": labels, "name": metadata["name"], "data": whole.get("data")}


@pytest.mark.parametrize("sample", ["online-boutique", "guestbook", "cassandra-statefulset"])
def test_a_sample(project: Project, gateway: Gateway, samples: Path, sample: str) -> None:
    text = (samples / f"{sample}.yaml").read_text()
    documents = [one.value for one in read(text)]
    wanted = sorted(f"{one['kind']}/{one['metadata']['name']}" for one in documents)
    application, space = unused(sample), unused("kubectl")
    # One of them has a StorageClass.
    admin = gateway.client("admin", **{"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": NAMESPACE})
    made = done(post(admin, "application", application, text))
    assert sorted(f"{one.kind}/{one.name}" for one in made) == wanted
    gateway.kubectl("create", "namespace", space)
    gateway.kubectl("-n", space, "apply", "--server-side", "-f", "-", stdin=text)
    for one in wanted:
        ours = gateway.kubectl_json("-n", NAMESPACE, "get", one)
        assert told(ours) == told(gateway.kubectl_json("-n", space, "get", one))
    names: dict[str, set[str]] = {}
    for kind, (path, key, base) in LISTS.items():
        rows = project.member.get(path).json()[key]
        names[kind] = {_name(row, base) for row in rows}
    for one in documents:
        if one["kind"] in names:
            assert one["metadata"]["name"] in names[one["kind"]]
    again = done(post(admin, "application", application, text))
    assert {one.outcome for one in again} == {"unchanged"}
    gateway.kubectl("delete", "namespace", space, "--wait=false")
    gateway.kubectl("-n", NAMESPACE, "delete", "--wait=false", "-f", "-", stdin=text)


def _name(row: Any, base: str) -> str:
    found = json.dumps(row)
    inner = row.get("workload", row).get(base, row) if isinstance(row, dict) else {}
    assert isinstance(inner, dict), found
    return str(inner.get("name"))

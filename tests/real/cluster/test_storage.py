"""A claim from its making to its end, on whatever storage the cluster has."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway import eventually
from tests.real.cluster.conftest import IMAGE, SECONDS, Site

pytestmark = pytest.mark.timeout(400)


def rows(site: Site, kind: str, key: str, **query: str) -> dict[str, dict[str, Any]]:
    params = {"type": kind, "cluster_selector": "current", **query}
    answer = site.client().get("/kubernetes/storage/", params=params)
    assert answer.status_code == 200, answer.text
    return {row.get("name") or row["class_name"]: row for row in answer.json()[key]}


def claim(site: Site, name: str) -> dict[str, Any]:
    return rows(site, "PVC", "pvc")[name]


def test_a_life_of_a_claim(site: Site) -> None:
    default = [row for row in rows(site, "StorageClass", "storage_class").values() if row["is_default"]]
    if not default:
        pytest.skip("the cluster has no default storage class")
    (kind,) = default
    client, name = site.client(), "life"
    made = client.post(f"/kubernetes/pvc/{name}/", json={"pvc": {"capacity": "1"}})
    assert made.status_code == 200, made.text
    assert made.json()["pvc"]["storage_class_name"] == kind["class_name"]
    container = {
        "name": "web",
        "type": "worker",
        "image": IMAGE,
        "resources": {"requests": {"cpu": 0.01, "memory": 16}},
        "volume_mounts": [{"volume_name": "data", "mount_path": "/data"}],
    }
    workload = {
        "workload_base": {"name": name, "type": "Deployment", "replicas": 1},
        "containers": [container],
        "volumes": [{"name": "data", "type": "PVC", "pvc": {"name": name}}],
    }
    created = client.post("/workloads/", json={"workloads": [workload]})
    assert created.status_code == 200, created.text
    site.until(name, "Running")

    def mounted() -> bool:
        row = claim(site, name)
        return bool(row["status"] == "Bound" and row["mounted"])

    eventually(mounted, seconds=SECONDS)
    row = claim(site, name)
    assert [(one["type"], one["name"]) for one in row["attached_workloads"]] == [("Deployment", name)]
    whole = site.kubectl_json("get", "pvc", name)
    assert row["volume_name"] == whole["spec"]["volumeName"]
    volume = rows(site, "PV", "pv")[row["volume_name"]]
    assert (volume["pvc_name"], volume["pvc_namespace"], volume["status"]) == (name, site.namespace, "Bound")
    assert name not in rows(site, "PVC", "pvc", filter="available")
    overview = client.get("/overview/pvc_status/").json()
    assert name in {one["name"] for one in overview["mounted"]["pvcs"]}

    grown = client.patch(f"/kubernetes/pvc/{name}/", json={"pvc": {"capacity": "2"}})
    assert grown.status_code == (200 if kind["allow_volume_expansion"] else 400), grown.text
    shrunk = client.patch(f"/kubernetes/pvc/{name}/", json={"pvc": {"capacity": "512Mi"}})
    assert shrunk.status_code == 400
    assert client.delete(f"/kubernetes/pvc/{name}/").status_code == 409
    forced = client.delete(f"/kubernetes/pvc/{name}/", params={"force": "true"})
    assert forced.status_code == 200, forced.text
    assert claim(site, name)["status"] == "Removing"
    gone = client.request(
        "DELETE", "/workloads/", json={"workloads_base": [{"name": name, "type": "Deployment"}]}
    )
    assert gone.status_code == 200, gone.text
    eventually(lambda: name not in rows(site, "PVC", "pvc"), seconds=SECONDS)

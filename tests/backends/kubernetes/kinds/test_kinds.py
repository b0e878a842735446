"""The kinds hold what a real server answers."""

from __future__ import annotations

import msgspec

from ecns.backends.kubernetes.kinds import BY_NAME, POD_ROW
from tests.api.workloads.recorded import recorded


def test_every_recorded_object_is_understood() -> None:
    seen = set()
    for whole in recorded(*BY_NAME):
        kind = BY_NAME[whole["kind"]]
        found = msgspec.convert(whole, kind.type)
        assert found.metadata.name == whole["metadata"]["name"]
        seen.add(kind.kind)
        if kind.kind == "Pod":
            assert msgspec.convert(whole, POD_ROW.type).spec.node_name == whole["spec"].get("nodeName", "")
    assert len(seen) > 15


def test_paths() -> None:
    assert (
        BY_NAME["Deployment"].path("x", "web", "scale") == "/apis/apps/v1/namespaces/x/deployments/web/scale"
    )
    assert BY_NAME["Node"].path("x", "n") == "/api/v1/nodes/n"
    assert BY_NAME["Application"].resource == "applications.app.k8s.io"

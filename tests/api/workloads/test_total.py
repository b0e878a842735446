"""Whoever made a workload, it is shown, and a change loses nothing that ECNS has no word for."""

from __future__ import annotations

from typing import Any

import msgspec

from ecns.api.pods import manifests as pods
from ecns.api.workloads import aspects, manifests
from ecns.api.workloads.types import Container, Image
from ecns.backends.kubernetes.kinds import BY_NAME, POD, POD_ROW
from tests.api.workloads.recorded import CONTROLLERS, recorded, samples


def applied(whole: dict[str, Any], operations: list[dict[str, Any]]) -> dict[str, Any]:
    """The object after a JSON Patch of adds, replaces and removes; each test must hold."""
    document = msgspec.json.decode(msgspec.json.encode(whole))
    for operation in operations:
        *parents, last = [
            key.replace("~1", "/").replace("~0", "~") for key in operation["path"].split("/")[1:]
        ]
        place = document
        for key in parents:
            place = place[key]
        match operation["op"]:
            case "test":
                assert place.get(last) == operation["value"]
            case "remove":
                del place[last]
            case _:
                place[last] = operation["value"]
    return document


def everything() -> list[dict[str, Any]]:
    found = [*recorded(*CONTROLLERS), *(one for one in samples() if one["kind"] in CONTROLLERS)]
    assert len(found) > 300
    return found


def test_every_workload_is_shown() -> None:
    for whole in everything():
        controller = msgspec.convert(whole, BY_NAME[whole["kind"]].type)
        shown = manifests.workload(controller)
        msgspec.json.encode(shown)
        assert shown.workload_base.name == whole["metadata"]["name"]
        assert len(shown.containers) == len(
            whole["spec"]["template"]["spec"]["containers"]
            + whole["spec"]["template"]["spec"].get("initContainers", [])
        )


def test_every_pod_is_shown() -> None:
    count = 0
    for whole in recorded("Pod"):
        count += 1
        row = pods.row(msgspec.convert(whole, POD_ROW.type))
        shown = pods.pod(msgspec.convert(whole, POD.type))
        msgspec.json.encode([row, shown])
        assert row.name == shown.name == whole["metadata"]["name"]
        assert row.status in {"Running", "Pending", "Succeed", "Failed", "Unknown", "Removing"}
    assert count > 100


def test_sending_back_what_was_shown_changes_nothing() -> None:
    for whole in everything():
        kind = whole["kind"]
        shown = manifests.workload(msgspec.convert(whole, BY_NAME[kind].type))
        assert aspects.containers(whole, kind, shown.containers) == []
        assert aspects.network(whole, kind, shown.network) == []
        assert aspects.scheduler_strategy(whole, kind, shown.scheduler_strategy or []) == []
        assert aspects.labels(whole, kind, shown.labels or {}) == []
        assert aspects.update_strategy(whole, kind, shown.update_strategy) == []


def test_a_new_image_changes_the_image_alone() -> None:
    for whole in everything():
        kind = whole["kind"]
        shown = manifests.workload(msgspec.convert(whole, BY_NAME[kind].type))
        for container in shown.containers:
            container.image = Image(image="example.com/new", image_version="9")
        operations = aspects.containers(whole, kind, shown.containers)
        after = applied(whole, operations)
        pod, before = after["spec"]["template"]["spec"], whole["spec"]["template"]["spec"]
        for key in before.keys() - {"containers", "initContainers", "imagePullSecrets"}:
            assert pod[key] == before[key]
        several = [*pod["containers"], *pod.get("initContainers", [])]
        for one, old in zip(several, [*before["containers"], *before.get("initContainers", [])], strict=True):
            assert one["image"] == "example.com/new:9"
            assert {**one, "image": "", "imagePullPolicy": ""} == {**old, "image": "", "imagePullPolicy": ""}


FOREIGN = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "labels": {"app": "web"}},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "securityContext": {"fsGroup": 7},
                "nodeSelector": {"disk": "ssd"},
                "containers": [
                    {
                        "name": "web",
                        "image": "nginx:1.27",
                        "env": [
                            {"name": "A", "value": "1"},
                            {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                            {"name": "B", "value": "$(IP)"},
                        ],
                        "envFrom": [{"configMapRef": {"name": "all"}}],
                        "resources": {"limits": {"cpu": "1", "nvidia.com/gpu": "1"}},
                        "securityContext": {"allowPrivilegeEscalation": False, "privileged": True},
                        "livenessProbe": {
                            "httpGet": {
                                "path": "/",
                                "port": 80,
                                "httpHeaders": [{"name": "Cookie", "value": "x"}],
                            },
                            "terminationGracePeriodSeconds": 5,
                        },
                        "volumeMounts": [{"name": "v", "mountPath": "/v", "mountPropagation": "None"}],
                    }
                ],
                "volumes": [{"name": "v", "projected": {"sources": []}}],
            },
        },
    },
}


def changed(change: Any) -> dict[str, Any]:
    """The web container after a change of what was shown of it."""
    shown = manifests.workload(msgspec.convert(FOREIGN, BY_NAME["Deployment"].type))
    change(shown.containers[0])
    after = applied(FOREIGN, aspects.containers(FOREIGN, "Deployment", shown.containers))
    assert after["spec"]["template"]["spec"]["volumes"] == FOREIGN["spec"]["template"]["spec"]["volumes"]  # type: ignore[index]
    found: dict[str, Any] = after["spec"]["template"]["spec"]["containers"][0]
    return found


def test_variables_that_ecns_cannot_say_stay_in_their_place() -> None:
    def change(container: Container) -> None:
        assert container.env
        container.env[0].key = "2"
        del container.env[1]

    after = changed(change)
    assert after["env"] == [
        {"name": "A", "value": "2"},
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
    ]
    assert after["envFrom"] == [{"configMapRef": {"name": "all"}}]


def test_taking_limits_away_leaves_other_resources() -> None:
    def change(container: Container) -> None:
        container.resources = None
        container.security = None

    after = changed(change)
    assert after["resources"] == {"limits": {"nvidia.com/gpu": "1"}}
    assert after["securityContext"] == {"allowPrivilegeEscalation": False}


def test_a_check_keeps_its_headers_and_another_protocol_replaces_it() -> None:
    def later(container: Container) -> None:
        assert container.health
        container.health[0].initial_delay = 9

    def tcp(container: Container) -> None:
        assert container.health
        container.health[0].protocol = "tcp"

    probe = changed(later)["livenessProbe"]
    assert probe["initialDelaySeconds"] == 9
    assert probe["httpGet"]["httpHeaders"] == [{"name": "Cookie", "value": "x"}]
    probe = changed(tcp)["livenessProbe"]
    assert "httpGet" not in probe
    assert probe["tcpSocket"] == {"port": 80}

"""The official Python client: typed calls, watches, informers, the dynamic client, exec over WebSocket."""

from __future__ import annotations

import gc
import itertools
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from kubernetes import client, config, dynamic, utils, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.informer import SharedInformer
from kubernetes.stream import stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def api(server: dict[str, Any]) -> Iterator[client.ApiClient]:
    with config.new_client_from_config(server["kubeconfig"]) as made:
        yield made


@pytest.fixture
def space(api: client.ApiClient) -> Iterator[str]:
    """A namespace of the test's own."""
    name = f"python-{next(_NUMBERS)}"
    core = client.CoreV1Api(api)
    core.create_namespace({"metadata": {"name": name}})
    yield name
    core.delete_namespace(name)


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "data": data}


def pod(name: str, command: str = "sleep 3600") -> dict[str, Any]:
    container = {"name": "c", "image": "busybox:1.35", "command": ["sh", "-c", command]}
    return {"metadata": {"name": name}, "spec": {"containers": [container]}}


def happens(condition: threading.Event | Callable[[], bool], seconds: float = 10) -> bool:
    """Waits until a condition holds."""
    if isinstance(condition, threading.Event):
        return condition.wait(seconds)
    timer = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if condition():
            return True
        timer.wait(0.02)
    return False


def test_typed_objects_go_there_and_back(api: client.ApiClient, space: str) -> None:
    apps = client.AppsV1Api(api)
    deployment = client.V1Deployment(
        metadata=client.V1ObjectMeta(name="web"),
        spec=client.V1DeploymentSpec(
            replicas=2,
            selector=client.V1LabelSelector(match_labels={"app": "web"}),
            template=client.V1PodTemplateSpec(
                metadata=client.V1ObjectMeta(labels={"app": "web"}),
                spec=client.V1PodSpec(containers=[client.V1Container(name="c", image="nginx")]),
            ),
        ),
    )
    made = apps.create_namespaced_deployment(space, deployment)
    assert made.spec.strategy.rolling_update.max_surge == "25%"
    assert made.metadata.creation_timestamp.tzinfo is not None
    assert apps.read_namespaced_deployment_scale("web", space).spec.replicas == 2
    apps.patch_namespaced_deployment_scale("web", space, {"spec": {"replicas": 3}})
    assert apps.read_namespaced_deployment("web", space).spec.replicas == 3
    apps.patch_namespaced_deployment("web", space, {"metadata": {"labels": {"a": "b"}}})
    listed = apps.list_deployment_for_all_namespaces(label_selector="a=b").items
    assert [item.metadata.name for item in listed] == ["web"]
    apps.delete_namespaced_deployment("web", space)
    assert apps.list_namespaced_deployment(space).items == []


def test_errors_are_statuses(api: client.ApiClient, space: str) -> None:
    core = client.CoreV1Api(api)
    with pytest.raises(ApiException) as caught:
        core.read_namespaced_config_map("nosuch", space)
    assert caught.value.status == 404
    core.create_namespaced_config_map(space, config_map("a"))
    with pytest.raises(ApiException) as caught:
        core.create_namespaced_config_map(space, config_map("a"))
    assert caught.value.status == 409


def test_lists_in_pages(api: client.ApiClient, space: str) -> None:
    core = client.CoreV1Api(api)
    for index in range(5):
        core.create_namespaced_secret(space, {"metadata": {"name": f"s{index}"}})
    names: list[str] = []
    token = None
    while token != "":
        page = core.list_namespaced_secret(space, limit=2, _continue=token)
        names += [item.metadata.name for item in page.items]
        token = page.metadata._continue or ""
    assert names == [f"s{index}" for index in range(5)]


def test_a_watch_shows_each_change(api: client.ApiClient, space: str) -> None:
    core = client.CoreV1Api(api)
    start = core.list_namespaced_config_map(space).metadata.resource_version
    core.create_namespaced_config_map(space, config_map("a", k="1"))
    core.patch_namespaced_config_map("a", space, {"data": {"k": "2"}})
    core.delete_namespaced_config_map("a", space)
    events = watch.Watch().stream(
        core.list_namespaced_config_map, space, resource_version=start, timeout_seconds=1
    )
    seen = [(event["type"], event["object"].data) for event in events if event["object"].metadata.name == "a"]
    assert seen == [("ADDED", {"k": "1"}), ("MODIFIED", {"k": "2"}), ("DELETED", {"k": "2"})]


def test_an_informer_keeps_its_cache_in_step(api: client.ApiClient, space: str) -> None:
    core = client.CoreV1Api(api)
    core.create_namespaced_config_map(space, config_map("first"))
    informer = SharedInformer(core.list_namespaced_config_map, namespace=space)
    gone = threading.Event()
    informer.add_event_handler("DELETED", lambda found: found.metadata.name == "first" and gone.set())

    def cached() -> set[str]:
        return {item.metadata.name for item in informer.cache.list()}

    informer.start()
    try:
        assert happens(lambda: "first" in cached())
        core.create_namespaced_config_map(space, config_map("second", k="v"))
        assert happens(lambda: "second" in cached())
        core.delete_namespaced_config_map("first", space)
        assert happens(gone)
        assert "first" not in cached()
    finally:
        informer._stop_event.set()
        core.create_namespaced_config_map(space, config_map("last"))
        informer.stop()


def test_the_dynamic_client_finds_resources_by_discovery(api: client.ApiClient, space: str) -> None:
    found = dynamic.DynamicClient(api)
    deployments = found.resources.get(api_version="apps/v1", kind="Deployment")
    assert deployments.namespaced
    assert {"scale", "status"} <= set(deployments.subresources)
    maps = found.resources.get(api_version="v1", kind="ConfigMap")
    body = {"apiVersion": "v1", "kind": "ConfigMap", **config_map("a", k="v")}
    maps.server_side_apply(namespace=space, name="a", body=body, field_manager="test")
    assert maps.get(name="a", namespace=space).data.k == "v"


def test_manifests_from_yaml(api: client.ApiClient, space: str) -> None:
    ports = {"ports": [{"port": 80}], "selector": {"a": "b"}}
    text = json.dumps({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": ports})
    utils.create_from_yaml(api, yaml_objects=[yaml.safe_load(text)], namespace=space)
    found = client.CoreV1Api(api).read_namespaced_service("web", space)
    assert found.spec.cluster_ip
    assert found.spec.ports[0].target_port == 80


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # the client leaves its socket open
def test_logs_and_exec(api: client.ApiClient, space: str) -> None:
    core = client.CoreV1Api(api)
    core.create_namespaced_pod(space, pod("p", "echo hello; sleep 3600"))
    assert happens(lambda: core.read_namespaced_pod("p", space).status.phase == "Running")
    assert happens(lambda: core.read_namespaced_pod_log("p", space) == "hello\n")
    call = core.connect_get_namespaced_pod_exec
    said = stream(call, "p", space, command=["echo", "hi"], stdout=True, stderr=True, stdin=False, tty=False)
    assert said == "hi\n"
    gc.collect()


def test_a_service_account_is_asked_for_its_rights(api: client.ApiClient, space: str) -> None:
    rbac = client.RbacAuthorizationV1Api(api)
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}
    rbac.create_namespaced_role(space, {"metadata": {"name": "r"}, "rules": [rule]})
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": space}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}
    rbac.create_namespaced_role_binding(
        space, {"metadata": {"name": "r"}, "roleRef": reference, "subjects": [subject]}
    )
    review = client.AuthorizationV1Api(api)
    for verb, allowed in (("list", True), ("delete", False)):
        spec = {
            "user": f"system:serviceaccount:{space}:default",
            "resourceAttributes": {"namespace": space, "verb": verb, "resource": "pods"},
        }
        assert review.create_subject_access_review({"spec": spec}).status.allowed is allowed

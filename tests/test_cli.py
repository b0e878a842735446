"""The commands, run as an operator runs them."""

from __future__ import annotations

import json
import os
import resource
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import start, stop
from tests.gateway import Gateway, eventually


def ecns(*arguments: str, data_dir: Path | None = None) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **({"ECNS_DATA_DIR": str(data_dir)} if data_dir else {})}
    return subprocess.run(
        [sys.executable, "-m", "ecns.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=env,
    )


def test_version() -> None:
    assert ecns("version").stdout.strip() == "0.1.0"


def test_openapi_describes_every_operation() -> None:
    document = json.loads(ecns("openapi").stdout)
    assert document["openapi"].startswith("3.")
    paths = document["paths"]
    assert "post" in paths["/api/ecns/{product_type}/workloads"]
    assert paths["/api/ecns/{product_type}/workloads"]["get"]["security"] == [{"token": []}]
    for path, operations in paths.items():
        for method, operation in operations.items():
            for media_type, media in operation.get("requestBody", {"content": {}})["content"].items():
                if media_type != "application/yaml":
                    assert names(media["schema"], document), f"{method} {path}: what its body has is not said"


def names(schema: dict[str, Any], document: dict[str, Any]) -> set[str]:
    """The fields that a schema says; each type of which it may be says some."""
    if reference := schema.get("$ref", ""):
        return names(document["components"]["schemas"][reference.rpartition("/")[2]], document)
    choices = [one for one in schema.get("oneOf", schema.get("anyOf", [])) if one.get("type") != "null"]
    if choices:
        found = [names(one, document) for one in choices]
        return set().union(*found) if all(found) else set()
    return set(schema.get("properties", ()))


def test_it_serves_with_as_many_files_as_it_may(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = len(list(Path("/proc/self/fd").iterdir())) + 256  # this process has files of its own
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, before[1]))
    try:
        process, started = start(tmp_path / "data")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    started.close()
    try:
        assert resource.prlimit(process.pid, resource.RLIMIT_NOFILE)[0] > few
    finally:
        stop(process)


def test_policy_prints_what_may_be_overridden() -> None:
    assert '"ecns:workload.create"' in ecns("policy").stdout


def test_a_wrong_configuration_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "ecns.toml"
    path.write_text("[server]\nprot = 1\n")
    for command in ("serve", "check"):
        done = ecns(command, "--config", str(path))
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert "prot" in done.stderr


def test_a_stand_in_identity_is_not_shown_to_other_machines(tmp_path: Path) -> None:
    done = ecns("serve", "--host", "0.0.0.0", "--data-dir", str(tmp_path))
    assert done.returncode == 1
    assert "server.host" in done.stderr
    assert "--insecure-embedded" in done.stderr


def test_a_token_needs_something_running(tmp_path: Path) -> None:
    done = ecns("token", "--user", "developer", data_dir=tmp_path)
    assert done.returncode == 1
    assert "ecns serve" in done.stderr


def test_a_port_that_is_taken(gateway: Gateway, tmp_path: Path) -> None:
    port = gateway.url.rsplit(":", 1)[1]
    done = ecns("serve", "--port", port, "--data-dir", str(tmp_path))
    assert done.returncode == 1
    assert port in done.stderr.splitlines()[-1]


def test_what_is_running_is_told_to_its_owner_alone(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    process, gateway = start(data_dir, env={"ECNS_EMBEDDED_PASSWORD": "correct horse"})
    try:
        told = data_dir / "embedded.json"
        assert stat.S_IMODE(told.stat().st_mode) == 0o600
        assert gateway.facts["identity_url"].endswith("/v3")
        assert set(gateway.users) == {"admin", "developer", "visitor", "other"}
        assert {user["password"] for user in gateway.facts["users"]} == {"correct horse"}
        assert gateway.facts["harbor"]["password"] == "correct horse"
        token = ecns("token", "--user", "visitor", data_dir=data_dir).stdout.strip()
        assert len(token) > 30
        unknown = ecns("token", "--user", "nobody", data_dir=data_dir)
        assert unknown.returncode == 1
        assert "developer" in unknown.stderr
    finally:
        gateway.close()
        assert stop(process) == 0
    assert not told.exists()


def test_images_of_ecns_come_from_the_embedded_registry(gateway: Gateway) -> None:
    harbor = gateway.facts["harbor"]
    assert harbor["url"] == f"http://{harbor['domain']}"
    auth = (harbor["username"], harbor["password"])
    assert httpx.get(f"{harbor['url']}/v2/", auth=auth).status_code == 200
    me = httpx.get(f"{harbor['url']}/api/v2.0/users/current", auth=auth).json()
    assert me["sysadmin_flag"] is True
    image = {"image": "app", "image_version": "1.0", "harbor_project_name": "team"}
    body = {
        "workloads": [
            {
                "workload_base": {"name": "from-ecns", "type": "Deployment", "replicas": 0},
                "containers": [{"name": "app", "type": "worker", "image_source": "ecns", "image": image}],
            }
        ]
    }
    made = httpx.post(
        f"{gateway.url}/api/ecns/eks/workloads/",
        json=body,
        headers={"X-Auth-Token": gateway.token("developer")},
    )
    assert made.status_code == 200, made.text
    deployment = gateway.kubectl_json("-n", "demo", "get", "deployment", "from-ecns")
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == f"{harbor['domain']}/team/app:1.0"
    gateway.kubectl("-n", "demo", "delete", "deployment", "from-ecns")


def test_a_registry_that_is_named_is_not_embedded(tmp_path: Path) -> None:
    configuration = tmp_path / "ecns.toml"
    configuration.write_text('[harbor]\nurl = "https://harbor.example"\n')
    data_dir = tmp_path / "data"
    process, gateway = start(data_dir, "--config", str(configuration))
    try:
        assert gateway.facts["harbor"] == {}
        assert not (data_dir / "harbor").exists()
    finally:
        gateway.close()
        assert stop(process) == 0


def test_state_outlives_the_process(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    process, first = start(data_dir)
    first.kubectl("-n", "demo", "create", "configmap", "kept", "--from-literal=a=b")
    first.close()
    assert stop(process) == 0
    process, second = start(data_dir)
    try:
        assert second.kubeconfig == first.kubeconfig
        assert second.users == first.users
        assert second.facts["harbor"] == first.facts["harbor"]
        assert second.kubectl_json("-n", "demo", "get", "configmap", "kept")["data"] == {"a": "b"}
    finally:
        second.close()
        assert stop(process) == 0


def test_killing_the_gateway_ends_its_stand_ins(tmp_path: Path) -> None:
    process, gateway = start(tmp_path / "data")
    children = [
        int(child)
        for child in subprocess.run(
            ["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True
        ).stdout.split()
    ]
    assert len(children) >= 2
    process.send_signal(signal.SIGKILL)
    process.wait()
    gateway.close()
    eventually(lambda: not any(Path(f"/proc/{child}").exists() for child in children), seconds=10)


def test_a_stand_in_that_dies_ends_the_gateway(tmp_path: Path) -> None:
    process, gateway = start(tmp_path / "data")
    gateway.close()
    subprocess.run(["pkill", "-KILL", "-P", str(process.pid), "-f", "ecns.embedded.kubernetes"], check=True)
    deadline = time.monotonic() + 15
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert process.poll() is not None


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"])
def test_pages_that_need_no_token(gateway: Gateway, path: str) -> None:
    answer = httpx.get(gateway.url + path)
    assert answer.status_code == 200
    assert answer.headers["RequestId"]


def test_check_reaches_what_is_named(gateway: Gateway, tmp_path: Path) -> None:
    path = tmp_path / "ecns.toml"
    path.write_text(
        f'[identity]\nauth_url = "{gateway.facts["identity_url"]}"\n'
        f'[[clusters]]\nname = "good"\nkubeconfig = "{gateway.kubeconfig}"\n'
    )
    done = ecns("check", "--config", str(path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "cluster good: ok, Kubernetes v1." in done.stdout
    path.write_text('[identity]\nauth_url = "http://127.0.0.1:9/v3"\n')
    done = ecns("check", "--config", str(path))
    assert done.returncode == 1
    assert "identity: failed" in done.stdout

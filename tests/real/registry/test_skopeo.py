"""skopeo against each registry: what people and pipelines do with images."""

from __future__ import annotations

import gzip
import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.real.registry import images
from tests.real.registry.conftest import Registry, need

if TYPE_CHECKING:
    from pathlib import Path


def run(*arguments: str, ok: bool = True) -> str:
    """Run skopeo; what it says."""
    done = subprocess.run(["skopeo", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode == 0) is ok, done.stderr
    return done.stdout if ok else done.stderr


class Skopeo:
    """skopeo with the credentials of a registry's administrator."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        harbor = registry.harbor
        self.credentials = "" if harbor is None else f"{harbor.facts['username']}:{harbor.facts['password']}"

    def at(self, image: str) -> str:
        """How skopeo names an image there."""
        return f"docker://{self.registry.domain}/{image}"

    def options(self, side: str) -> list[str]:
        """How to reach it as source or destination."""
        found = [f"--{side}-tls-verify=false"]
        return [*found, f"--{side}-creds={self.credentials}"] if self.credentials else found

    def push(self, source: str, image: str, *more: str) -> None:
        """Copy to the registry."""
        run("copy", *more, *self.options("dest"), source, self.at(image))

    def pull(self, image: str, target: str, *more: str) -> None:
        """Copy from the registry."""
        run("copy", *more, *self.options("src"), self.at(image), target)

    def ask(self, command: str, image: str, *more: str) -> Any:
        """Ask for something that is told in JSON."""
        credentials = [f"--creds={self.credentials}"] if self.credentials else []
        return json.loads(run(command, "--tls-verify=false", *credentials, *more, self.at(image)))


@pytest.fixture
def skopeo(registry: Registry) -> Skopeo:
    """skopeo for the registry."""
    need("skopeo", "busybox")
    return Skopeo(registry)


def test_an_archive_of_docker_goes_there_and_comes_back(skopeo: Skopeo, tmp_path: Path) -> None:
    images.docker_archive(tmp_path / "saved.tar", "busybox:1")
    skopeo.push(f"docker-archive:{tmp_path}/saved.tar", "library/saved:1")
    skopeo.pull("library/saved:1", f"dir:{tmp_path}/out")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    raw = images.layer()
    layer = manifest["layers"][0]["digest"].removeprefix("sha256:")
    assert gzip.decompress((tmp_path / "out" / layer).read_bytes()) == raw
    config = manifest["config"]["digest"].removeprefix("sha256:")
    assert json.loads((tmp_path / "out" / config).read_text()) == json.loads(images.config([raw]))
    shown = skopeo.ask("inspect", "library/saved:1")
    assert shown["Architecture"] == "amd64"
    assert shown["Env"] == ["PATH=/bin"]
    assert shown["Layers"] == [f"sha256:{layer}"]


def test_an_oci_archive_keeps_its_digest(skopeo: Skopeo, tmp_path: Path) -> None:
    digest = images.oci_archive(tmp_path / "in.tar", "1.0")
    skopeo.push(f"oci-archive:{tmp_path}/in.tar:1.0", "library/oci:1.0")
    assert skopeo.ask("inspect", "library/oci:1.0")["Digest"] == digest
    skopeo.pull(f"library/oci@{digest}", f"dir:{tmp_path}/out")
    body = (tmp_path / "out" / "manifest.json").read_bytes()
    assert f"sha256:{images.hexadecimal(body)}" == digest


def test_an_index_of_several_architectures(skopeo: Skopeo, tmp_path: Path) -> None:
    digest = images.oci_archive(tmp_path / "in.tar", "1.0", ("amd64", "arm64", "riscv64"))
    skopeo.push(f"oci-archive:{tmp_path}/in.tar:1.0", "library/several:1.0", "--all")
    index = skopeo.ask("inspect", "library/several:1.0", "--raw")
    assert [item["platform"]["architecture"] for item in index["manifests"]] == ["amd64", "arm64", "riscv64"]
    skopeo.pull("library/several:1.0", f"oci:{tmp_path}/out:1.0", "--all")
    top = json.loads((tmp_path / "out" / "index.json").read_text())
    assert top["manifests"][0]["digest"] == digest


def test_tags_and_deletion(skopeo: Skopeo, tmp_path: Path) -> None:
    images.docker_archive(tmp_path / "saved.tar", "busybox:1")
    for tag in ("b", "a", "c"):
        skopeo.push(f"docker-archive:{tmp_path}/saved.tar", f"library/tags:{tag}")
    assert sorted(skopeo.ask("list-tags", "library/tags")["Tags"]) == ["a", "b", "c"]
    credentials = [f"--creds={skopeo.credentials}"] if skopeo.credentials else []
    run("delete", "--tls-verify=false", *credentials, skopeo.at("library/tags:b"))
    failed = run("inspect", "--tls-verify=false", *credentials, skopeo.at("library/tags:a"), ok=False)
    assert "unknown" in failed or "not found" in failed, "all three named one manifest"


def test_from_one_repository_to_another(skopeo: Skopeo, tmp_path: Path) -> None:
    digest = images.oci_archive(tmp_path / "in.tar", "1.0")
    skopeo.push(f"oci-archive:{tmp_path}/in.tar:1.0", "library/from:1.0")
    options = [*skopeo.options("src"), *skopeo.options("dest")]
    run("copy", *options, skopeo.at("library/from:1.0"), skopeo.at("library/to/deep:2.0"))
    assert skopeo.ask("inspect", "library/to/deep:2.0")["Digest"] == digest


def test_what_is_public_needs_no_account(skopeo: Skopeo, tmp_path: Path) -> None:
    images.docker_archive(tmp_path / "saved.tar", "busybox:1")
    skopeo.push(f"docker-archive:{tmp_path}/saved.tar", "library/open:1")
    run(
        "copy", "--src-tls-verify=false", "--src-no-creds", skopeo.at("library/open:1"), f"dir:{tmp_path}/out"
    )


def test_a_robot_logs_in_and_pushes_where_it_may(skopeo: Skopeo, tmp_path: Path) -> None:
    harbor = skopeo.registry.harbor
    if harbor is None:
        pytest.skip("docker-registry has no accounts")
    harbor.admin.project("pipelines")
    access = [{"resource": "repository", "action": action} for action in ("pull", "push")]
    permissions = [{"kind": "project", "namespace": "pipelines", "access": access}]
    body = {"name": "ci", "level": "project", "duration": -1, "permissions": permissions}
    robot = harbor.admin.told("POST", "/robots", 201, json=body)
    authfile = f"--authfile={tmp_path}/auth.json"
    domain = skopeo.registry.domain
    wrong = run("login", authfile, "--tls-verify=false", "-u", robot["name"], "-p", "wrong", domain, ok=False)
    assert "invalid username/password" in wrong or "unauthorized" in wrong
    run("login", authfile, "--tls-verify=false", "-u", robot["name"], "-p", robot["secret"], domain)
    images.docker_archive(tmp_path / "saved.tar", "busybox:1")
    source = f"docker-archive:{tmp_path}/saved.tar"
    plain = ["copy", f"--dest-authfile={tmp_path}/auth.json", "--dest-tls-verify=false", source]
    run(*plain, skopeo.at("pipelines/app:1"))
    refused = run(*plain, skopeo.at("library/app:1"), ok=False)
    assert "unauthorized" in refused or "denied" in refused
    private = run("inspect", "--tls-verify=false", "--no-creds", skopeo.at("pipelines/app:1"), ok=False)
    assert "unauthorized" in private or "denied" in private


def test_a_project_at_its_limit(skopeo: Skopeo, tmp_path: Path) -> None:
    harbor = skopeo.registry.harbor
    if harbor is None:
        pytest.skip("docker-registry has no limits")
    harbor.admin.project("small", limit=1000)
    images.docker_archive(tmp_path / "saved.tar", "busybox:1")
    options = [*skopeo.options("dest"), f"docker-archive:{tmp_path}/saved.tar"]
    refused = run("copy", *options, skopeo.at("small/app:1"), ok=False)
    assert "will exceed the configured upper limit of 1000 B" in refused

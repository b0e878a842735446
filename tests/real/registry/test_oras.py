"""oras against each registry: artifacts that are no images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import oras.client
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.real.registry.conftest import Registry


@pytest.fixture
def client(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> oras.client.OrasClient:
    """oras, logged in as the administrator; what it keeps of that goes with the test."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    made = oras.client.OrasClient(hostname=registry.domain, insecure=True, tls_verify=False)
    if registry.harbor is not None:
        facts = registry.harbor.facts
        said = made.login(hostname=registry.domain, username=facts["username"], password=facts["password"])
        assert said["Status"] == "Login Succeeded"
    return made


def test_files_go_there_and_come_back(
    registry: Registry, client: oras.client.OrasClient, tmp_path: Path
) -> None:
    (tmp_path / "model.txt").write_text("weights")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes.txt").write_text("notes")
    target = f"{registry.domain}/library/artifacts/model:v1"
    pushed = client.push(target=target, files=["model.txt", "folder"], manifest_annotations={"by": "hand"})
    assert pushed.status_code == 201
    assert client.get_tags(target) == ["v1"]
    client.pull(target=target, outdir=str(tmp_path / "out"))
    assert (tmp_path / "out" / "model.txt").read_text() == "weights"
    assert (tmp_path / "out" / "folder" / "notes.txt").read_text() == "notes"
    manifest = client.get_manifest(target)
    assert manifest["annotations"] == {"by": "hand"}
    if registry.harbor is not None:
        path = "/projects/library/repositories/artifacts%252Fmodel/artifacts/v1"
        shown = registry.harbor.admin.told("GET", path)
        assert shown["annotations"] == {"by": "hand"}
        assert shown["type"] == "UNKNOWN"


def test_many_tags(registry: Registry, client: oras.client.OrasClient, tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("same")
    repository = f"{registry.domain}/library/artifacts/tagged"
    for number in range(5):
        client.push(target=f"{repository}:v{number}", files=["file.txt"])
    assert sorted(client.get_tags(repository)) == [f"v{number}" for number in range(5)]

"""Image references (decisions, "Workloads"): registry, Harbor project, image and version."""

from __future__ import annotations

from typing import Literal

from ecns.api.workloads.types import Image

Source = Literal["ecns", "third_party"]
DIGEST = "sha256:"


def split(reference: str) -> tuple[str, str]:
    """Name and version (tag or digest, empty if there is neither) of a reference."""
    name, at, digest = reference.partition("@")
    if at:
        return name, digest
    head, slash, last = name.rpartition("/")
    base, colon, tag = last.partition(":")
    return (f"{head}{slash}{base}", tag) if colon else (name, "")


def reference(image: Image, source: Source | None, registry_domain: str) -> str:
    """What Kubernetes pulls; without a version `latest`."""
    name, version = image.image.strip().strip("/"), (image.image_version or "").strip()
    if source == "ecns":
        name = name.removeprefix(f"{registry_domain}/") if registry_domain else name
        project = (image.harbor_project_name or "").strip("/")
        if project and not name.startswith(f"{project}/"):
            name = f"{project}/{name}"
        name = f"{registry_domain}/{name}" if registry_domain else name
    own, tagged = split(name)
    if version.startswith(DIGEST):
        return f"{name}@{version}" if not tagged.startswith(DIGEST) else f"{own}@{version}"
    if not version:
        return name if tagged else f"{name}:latest"
    return f"{own}:{version}"


def shown(reference: str, registry_domain: str) -> tuple[Image, Source]:
    """The image and image source of a reference."""
    name, version = split(reference)
    version = version or "latest"
    prefix = f"{registry_domain}/"
    if registry_domain and name.startswith(prefix):
        project, slash, rest = name.removeprefix(prefix).partition("/")
        if slash:
            return Image(harbor_project_name=project, image=rest, image_version=version), "ecns"
        return Image(image=project, image_version=version), "ecns"
    return Image(image=name, image_version=version), "third_party"


def default_pull_policy(reference: str) -> str:
    """What Kubernetes does when nobody says."""
    return "Always" if split(reference)[1] in {"", "latest"} else "IfNotPresent"

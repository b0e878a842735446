"""Container images: how their names are read, and what comes of pulling them.

Nothing is pulled. Names decide: see the package's description.
"""

from __future__ import annotations

import hashlib
import random
import re
from typing import NamedTuple

_REPOSITORY = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_UNAVAILABLE = ("does-not-exist", "doesnotexist", "no-such", "nosuch")
_PRESENT = frozenset({"docker.io/library/busybox:1.35", "docker.io/library/nginx:1.27"})
_SHELLS = frozenset({"sh", "ash", "bash"})
_SYSTEMS = frozenset({"alpine", "busybox", "centos", "debian", "fedora", "ubuntu", "hello-world", "bash"})
SIZE = 2071307
_FIRST, _LAST = 10.0, 300.0


class Image(NamedTuple):
    """A reference, read: `full` is its normal form; `fault` is why it is none."""

    name: str
    full: str = ""
    registry: str = ""
    repository: str = ""
    tag: str = ""
    fault: str = ""

    @property
    def id(self) -> str:
        """Of the image that this name stands for."""
        return f"sha256:{hashlib.sha256(self.full.encode()).hexdigest()}"

    @property
    def runs_on(self) -> bool:
        """Whether it runs without a command: a server, not a plain system image."""
        return self.repository.rpartition("/")[2] not in _SYSTEMS

    @property
    def lacks(self) -> frozenset[str]:
        """Shells that are not in it: small systems have no bash, images of one program none at all."""
        name = self.repository.rpartition("/")[2]
        if "distroless" in self.repository or name in {"pause", "hello-world"}:
            return _SHELLS
        return frozenset({"bash"}) if name in {"alpine", "busybox"} else frozenset()


def read(name: str) -> Image:
    """Reads an image reference."""
    rest, _, digest = name.partition("@")
    head, slash, tail = rest.partition("/")
    if slash and ("." in head or ":" in head or head == "localhost"):
        registry, path = head, tail
    else:
        registry, path = "docker.io", rest
    repository, colon, tag = path.rpartition(":")
    if not colon:
        repository, tag = path, "latest"
    if registry == "docker.io" and "/" not in repository:
        repository = f"library/{repository}"
    if not _REPOSITORY.fullmatch(repository) or not _TAG.fullmatch(tag):
        why = "invalid reference format"
        if repository.lower() != repository:
            why += f": repository name ({repository.partition(':')[0]}) must be lowercase"
        fault = f'Failed to apply default image tag "{name}": couldn\'t parse image name "{name}": {why}'
        return Image(name, fault=fault)
    suffix = f"@{digest}" if digest else f":{tag}"
    return Image(name, f"{registry}/{repository}{suffix}", registry, repository, digest or tag)


def failure(image: Image) -> str:
    """Why pulling it fails, "" when it does not."""
    lost = image.registry.endswith(".invalid")
    if not lost and not any(word in image.repository for word in _UNAVAILABLE):
        return ""
    shown = image.name if lost else image.full
    start = f'failed to pull and unpack image "{shown}": failed to resolve reference "{shown}": '
    if lost:
        address = f'Head "https://{image.registry}/v2/{image.repository}/manifests/{image.tag}"'
        port = random.randrange(32768, 61000)  # noqa: S311  a port is no secret
        why = f"read udp 10.88.0.2:{port}->10.96.0.10:53: i/o timeout"
        lookup = f"dial tcp: lookup {image.registry} on 10.96.0.10:53: {why}"
        return f"{start}failed to do request: {address}: {lookup}"
    return (
        f"{start}pull access denied, repository does not exist or may require authorization: "
        "server message: insufficient_scope: authorization failed"
    )


class Store:
    """Which images a node has."""

    def __init__(self) -> None:
        self._present = set(_PRESENT)

    def has(self, image: Image) -> bool:
        """Whether it is there without a pull."""
        return image.full in self._present

    def add(self, image: Image) -> None:
        """Keeps one that was pulled."""
        self._present.add(image.full)


def next_backoff(before: float) -> float:
    """The pause after one of `before` seconds: 10 s at first, doubled up to five minutes."""
    return min(before * 2, _LAST) if before else _FIRST

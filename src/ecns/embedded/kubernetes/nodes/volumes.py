"""What simulated containers write into: their own file system, and volumes that outlive them.

Volumes are kept in memory: an emptyDir until its pod goes, a claim's until its volume does, a node's own
directories (hostPath) as long as the node runs.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.cluster import Cluster
    from ecns.embedded.kubernetes.errors import Object

DIRECTORIES = (
    *("/", "/bin", "/dev", "/etc", "/home", "/proc", "/root", "/sys", "/usr", "/usr/bin"),
    *("/tmp", "/var", "/var/log", "/var/run"),  # noqa: S108  those of the simulated machine
)
_FROM_API = frozenset({"configMap", "secret", "projected", "downwardAPI"})


class Storage:
    """Files and directories, by absolute path."""

    def __init__(self, directories: tuple[str, ...] = ("/",)) -> None:
        self.files: dict[str, bytes] = {}
        self.directories = set(directories)

    def remove(self, path: str) -> bool:
        """Deletes a file, or a directory with what is in it; whether it was there."""
        inside = path.rstrip("/") + "/"
        files = [name for name in self.files if name == path or name.startswith(inside)]
        for name in files:
            del self.files[name]
        known = {name for name in self.directories if name == path or name.startswith(inside)} - {"/"}
        self.directories -= known
        return bool(files or known)

    def make_directory(self, path: str) -> None:
        """Makes a directory, and those above it."""
        while path not in {"/", ""}:
            self.directories.add(path)
            path = posixpath.dirname(path)

    def names(self) -> set[str]:
        """Every path."""
        return {*self.files, *self.directories}


class Mount(NamedTuple):
    """A directory of a storage, as a container sees it."""

    storage: Storage
    directory: str = "/"
    read_only: bool = False


class Volumes:
    """The volumes of all nodes."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._kept: dict[tuple[str, ...], Storage] = {}

    def mounts(self, pod: Object, container: Object) -> dict[str, Mount]:
        """Where a container has which volume, but for those whose files come from the API."""
        volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes") or ()}
        found = {}
        for mount in container.get("volumeMounts") or ():
            volume = volumes.get(mount["name"])
            if volume is None or _FROM_API & volume.keys():
                continue
            storage, directory = self._storage(pod, volume)
            directory = posixpath.normpath(posixpath.join(directory, mount.get("subPath", "")))
            storage.make_directory(directory)
            path = mount["mountPath"].rstrip("/") or "/"
            found[path] = Mount(storage, directory, bool(mount.get("readOnly")))
        return found

    def _storage(self, pod: Object, volume: Object) -> tuple[Storage, str]:
        metadata = pod["metadata"]
        if path := (volume.get("hostPath") or {}).get("path"):
            return self._get("node", pod["spec"]["nodeName"], directories=DIRECTORIES), path
        claim = (volume.get("persistentVolumeClaim") or {}).get("claimName", "")
        if "ephemeral" in volume:
            claim = f"{metadata['name']}-{volume['name']}"
        if claim:
            found = self._cluster.find("persistentvolumeclaims", claim, metadata["namespace"]) or {}
            return self._get("volume", (found.get("spec") or {}).get("volumeName", "")), "/"
        return self._get("pod", metadata["uid"], volume["name"]), "/"

    def _get(self, *key: str, directories: tuple[str, ...] = ("/",)) -> Storage:
        return self._kept.setdefault(key, Storage(directories))

    def release(self, kind: str, name: str) -> None:
        """Forgets what a `pod` (by its uid) or a persistent `volume` had."""
        for key in [key for key in self._kept if key[:2] == (kind, name)]:
            del self._kept[key]

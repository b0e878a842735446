"""What the recorded run calls a thing and what ours does: names, uids, revisions, the token."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from tests.embedded.kubernetes.oracle import normal, scenes

from ecns.embedded.kubernetes import requests

if TYPE_CHECKING:
    from tests.embedded.kubernetes.oracle.comparing import Exchange

    from ecns.embedded.kubernetes.cluster import Cluster


class Naming:
    """Learns from answers what stands for what, and puts it into requests."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._strings = dict(scenes.NODES)
        self._versions: list[tuple[int, int]] = []
        self.token = ""

    def begins(self, revision: int) -> None:
        """Has every revision of the recording that is not known be ours from here on."""
        self._versions.append((0, revision))

    def ours(self, value: str, key: str = "") -> str:
        """What our run calls it."""
        if key == "resourceVersion" and value.isdigit():
            return self._version(value)
        if key == "continue":
            return self._continue(value)
        for theirs, ours in sorted(self._strings.items(), key=lambda pair: -len(pair[0])):
            if theirs in value:
                value = value.replace(theirs, ours)
        return value

    def _version(self, value: str) -> str:
        number = int(value)
        if number in {0, 1, 5} or number > 10**7:
            return value
        following = min((pair for pair in self._versions if pair[0] > number), default=(0, 0))
        if following[0] == number + 1:
            return str(following[1] - 1)
        best = max((pair for pair in self._versions if pair[0] <= number), default=None)
        return str(best[1]) if best else str(self._cluster.store.oldest("configmaps"))

    def _continue(self, value: str) -> str:
        try:
            decoded = json.loads(base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)))
        except ValueError:
            return value
        if decoded.get("v") != "meta.k8s.io/v1" or decoded["rv"] < 0:
            return value
        decoded["rv"] = int(self._version(str(decoded["rv"])))
        return base64.urlsafe_b64encode(json.dumps(decoded).encode()).decode().rstrip("=")

    def ours_in(self, value: Any, key: str = "") -> Any:
        """A body in our run's words."""
        if isinstance(value, dict):
            found = {name: self.ours_in(item, name) for name, item in value.items()}
            if key == "ownerReferences":
                self._name_owner(value, found)
            return found
        if isinstance(value, list):
            return [self.ours_in(item, key) for item in value]
        if isinstance(value, str) and value:
            if value == "(token removed)":
                return self.token
            return self.ours(value, key)
        return value

    def _name_owner(self, theirs: dict[str, Any], ours: dict[str, Any]) -> None:
        """Puts the uid of our object of that name where no answer told it."""
        if theirs.get("uid") not in self._strings and theirs.get("kind") == "ConfigMap":
            found = [
                item for item in self._cluster.store.all("configmaps") if item.name == theirs.get("name")
            ]
            if found:
                ours["uid"] = self._strings[theirs["uid"]] = found[0].uid

    def learn(self, theirs: Any, ours: Any, key: str = "", *, names: bool) -> None:
        """Takes what stands for what out of two answers; `names` says whether they are alike otherwise."""
        if isinstance(theirs, dict) and isinstance(ours, dict):
            for name, item in theirs.items():
                if name in ours:
                    self.learn(item, ours[name], name, names=names)
        elif isinstance(theirs, list) and isinstance(ours, list):
            for left, right in zip(theirs, ours, strict=False):
                self.learn(left, right, key, names=names)
        elif isinstance(theirs, str) and isinstance(ours, str):
            if key == "resourceVersion" and theirs.isdigit() and ours.isdigit():
                self._versions.append((int(theirs), int(ours)))
            elif key == "token":
                self.token = ours
            elif (
                names
                and theirs != ours
                and key in {"uid", "name"}
                and len(theirs) > 5
                and normal.text(theirs) == normal.text(ours)
            ):
                self._strings[theirs] = ours

    def adopt(self, path: str) -> None:
        """Lets a generated name that no answer told stand for one of ours."""
        target = requests.parse("GET", path, {})
        if target is None or not target.name or target.name in self._strings:
            return
        shown = normal.text(target.name)
        if shown == target.name or self._cluster.store.get(target.full, target.namespace, target.name):
            return
        for record in self._cluster.store.all(target.full, target.namespace):
            if normal.text(record.name) == shown and record.name not in self._strings.values():
                self._strings[target.name] = record.name
                return

    def _present(self, path: str) -> str:
        """The resourceVersion that the object of a path has now."""
        target = requests.parse("GET", path, {})
        if target is None:
            return ""
        found = self._cluster.store.get(target.full, target.namespace, target.name)
        return str(found.rv) if found else ""

    def body(self, exchange: Exchange) -> Any:
        """What to send instead of a recorded body."""
        body = scenes.restore(exchange.request["body"], exchange.note)
        sent = self.ours_in(body)
        request, metadata = exchange.request, sent.get("metadata") if isinstance(sent, dict) else None
        if request["method"] == "PUT" and exchange.response["status"] == 200 and isinstance(metadata, dict):
            present = self._present(request["path"])
            if present and metadata.get("resourceVersion", "0") != "0":
                metadata["resourceVersion"] = present
        return sent

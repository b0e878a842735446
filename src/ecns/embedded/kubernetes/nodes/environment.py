"""What a pod's containers get from the cluster: environment variables and files of volumes."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.quantities import parse

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.cluster import Cluster
    from ecns.embedded.kubernetes.errors import Object

_REFERENCE = re.compile(r"\$\$|\$\(([^()]*)\)")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Missing(Exception):  # noqa: N818  it is what the kubelet reports
    """Something that a container needs is not there."""


class Environment:
    """Resolves a pod's references.

    Args:
        cluster: where ConfigMaps, Secrets and Services are.
        pod: the pod.

    """

    def __init__(self, cluster: Cluster, pod: Object) -> None:
        self._cluster = cluster
        self._pod = pod
        self._namespace: str = pod["metadata"]["namespace"]

    def _data(self, kind: str, name: str) -> dict[str, bytes] | None:
        resource = "configmaps" if kind == "configmap" else "secrets"
        obj = self._cluster.find(resource, name, self._namespace)
        if obj is None:
            return None
        if kind == "configmap":
            found = {key: value.encode() for key, value in (obj.get("data") or {}).items()}
            found |= {key: base64.b64decode(value) for key, value in (obj.get("binaryData") or {}).items()}
            return found
        return {key: base64.b64decode(value) for key, value in (obj.get("data") or {}).items()}

    def variables(self, container: Object) -> dict[str, str]:
        """A container's environment.

        Raises:
            Missing: a ConfigMap, Secret or key that is not optional is not there.

        """
        found = {
            "PATH": _PATH,
            "HOSTNAME": self._pod["spec"].get("hostname") or self._pod["metadata"]["name"],
            "HOME": "/root",
        }
        found |= self._services()
        for source in container.get("envFrom") or ():
            found |= self._all_of(source)
        for variable in container.get("env") or ():
            value = self._value(variable, container)
            if value is not None:
                found[variable["name"]] = expand(value, found)
        return found

    def _services(self) -> dict[str, str]:
        """Where Services are, as links to containers once said it: the API's, and the namespace's."""
        api = self._cluster.find("services", "kubernetes", "default")
        linked = self._pod["spec"].get("enableServiceLinks", True)
        own = self._cluster.list("services", self._namespace) if linked else []
        found: dict[str, str] = {}
        for service in [*([api] if api else []), *own]:
            address = service["spec"].get("clusterIP")
            if address and address != "None":
                found |= _links(service, address)
        return found

    def _all_of(self, source: Object) -> dict[str, str]:
        kind = "configmap" if "configMapRef" in source else "secret"
        reference = source.get("configMapRef") or source.get("secretRef") or {}
        data = self._data(kind, reference.get("name", ""))
        if data is None:
            if reference.get("optional"):
                return {}
            raise Missing(f'{kind} "{reference.get("name", "")}" not found')
        prefix = source.get("prefix", "")
        return {prefix + key: value.decode(errors="replace") for key, value in data.items()}

    def _value(self, variable: Object, container: Object) -> str | None:
        source = variable.get("valueFrom")
        if not source:
            return str(variable.get("value", ""))
        if "fieldRef" in source:
            return self.field(source["fieldRef"].get("fieldPath", ""))
        if "resourceFieldRef" in source:
            return self._resource(source["resourceFieldRef"], container)
        kind = "configmap" if "configMapKeyRef" in source else "secret"
        reference = source.get("configMapKeyRef") or source.get("secretKeyRef") or {}
        data = self._data(kind, reference.get("name", ""))
        optional = reference.get("optional", False)
        if data is None:
            if optional:
                return None
            raise Missing(f'{kind} "{reference.get("name", "")}" not found')
        if reference["key"] not in data:
            if optional:
                return None
            label = "ConfigMap" if kind == "configmap" else "Secret"
            raise Missing(
                f"couldn't find key {reference['key']} in {label} {self._namespace}/{reference['name']}"
            )
        return data[reference["key"]].decode(errors="replace")

    def field(self, path: str) -> str:
        """A field of the pod for the downward API, such as `metadata.labels['app']`."""
        keyed = re.fullmatch(r"metadata\.(labels|annotations)\['(.*)'\]", path)
        if keyed:
            return str((self._pod["metadata"].get(keyed[1]) or {}).get(keyed[2], ""))
        value: object = self._pod
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, dict):
            return "\n".join(f'{key}="{item}"' for key, item in value.items())
        return "" if value is None else str(value)

    def _resource(self, reference: Object, container: Object) -> str:
        section, _, name = reference.get("resource", "").partition(".")
        resources = container.get("resources") or {}
        amount = (resources.get(section) or {}).get(name) or (resources.get("limits") or {}).get(name, "0")
        divisor = parse(reference.get("divisor") or "1").nano or 1
        return str(-(-parse(amount).nano // divisor))

    # volumes

    def missing_volume(self) -> str:
        """Why the pod's volumes cannot be mounted yet, "" when they can."""
        for volume in self._pod["spec"].get("volumes") or ():
            sources = [*((volume.get("projected") or {}).get("sources") or ()), volume]
            for source in sources:
                why = self._missing_source(source)
                if why:
                    return f'MountVolume.SetUp failed for volume "{volume["name"]}" : {why}'
        return ""

    def _missing_source(self, source: Object) -> str:
        for key, kind, field in (("configMap", "configmap", "name"), ("secret", "secret", "secretName")):
            reference = source.get(key)
            if not reference or reference.get("optional"):
                continue
            name = reference.get(field) or reference.get("name", "")
            data = self._data(kind, name)
            if data is None:
                return f'{kind} "{name}" not found'
            for item in reference.get("items") or ():
                if item["key"] not in data:
                    what = "config" if kind == "configmap" else "secret"
                    return f"references non-existent {what} key: {item['key']}"
        return ""

    def files(self, container: Object) -> dict[str, bytes]:
        """The files of a container's volume mounts: absolute path → content."""
        volumes = {volume["name"]: volume for volume in self._pod["spec"].get("volumes") or ()}
        found: dict[str, bytes] = {}
        for mount in container.get("volumeMounts") or ():
            volume = volumes.get(mount["name"])
            if volume is None:
                continue
            content = self._content(volume)
            sub, base = mount.get("subPath", ""), mount["mountPath"].rstrip("/")
            if sub in content:
                found[base] = content[sub]
            else:
                found |= {f"{base}/{name}": data for name, data in content.items() if not sub}
        return found

    def _content(self, volume: Object) -> dict[str, bytes]:
        if "projected" in volume:
            found: dict[str, bytes] = {}
            for source in volume["projected"].get("sources") or ():
                found |= self._content(source)
            return found
        if "serviceAccountToken" in volume:
            return {volume["serviceAccountToken"].get("path", "token"): b""}
        if "downwardAPI" in volume:
            items = volume["downwardAPI"].get("items") or ()
            return {
                item["path"]: self.field(item["fieldRef"].get("fieldPath", "")).encode()
                for item in items
                if "fieldRef" in item
            }
        for key, kind, field in (("configMap", "configmap", "name"), ("secret", "secret", "secretName")):
            reference = volume.get(key)
            if reference:
                data = self._data(kind, reference.get(field) or reference.get("name", "")) or {}
                items = reference.get("items")
                return {item["path"]: data.get(item["key"], b"") for item in items} if items else data
        return {}


def _links(service: Object, address: str) -> dict[str, str]:
    name = service["metadata"]["name"].upper().replace("-", "_")
    found = {f"{name}_SERVICE_HOST": address}
    for port in service["spec"].get("ports") or ():
        protocol, number = port.get("protocol", "TCP"), str(port["port"])
        url, link = f"{protocol.lower()}://{address}:{number}", f"{name}_PORT_{number}_{protocol}"
        found.setdefault(f"{name}_SERVICE_PORT", number)
        found.setdefault(f"{name}_PORT", url)
        if port.get("name"):
            found[f"{name}_SERVICE_PORT_{port['name'].upper().replace('-', '_')}"] = number
        found |= {
            link: url,
            f"{link}_PROTO": protocol.lower(),
            f"{link}_PORT": number,
            f"{link}_ADDR": address,
        }
    return found


def expand(text: str, variables: dict[str, str]) -> str:
    """A text with `$(NAME)` replaced; unknown names stay, `$$` is one dollar."""

    def replace(match: re.Match[str]) -> str:
        if match.group() == "$$":
            return "$"
        return variables.get(match[1], match.group())

    return _REFERENCE.sub(replace, text)

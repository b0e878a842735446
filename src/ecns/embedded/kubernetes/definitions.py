"""Custom resources: what a CustomResourceDefinition makes the server serve.

Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecns.embedded.kubernetes import clock
from ecns.embedded.kubernetes.deletion import DEFINITION_FINALIZER
from ecns.embedded.kubernetes.resources import ALL_VERBS, STATUS_VERBS, Resource, Subresource, preference
from ecns.embedded.kubernetes.validation import schema as structural

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.cluster import Cluster
    from ecns.embedded.kubernetes.errors import Object

RESOURCE = "customresourcedefinitions.apiextensions.k8s.io"
FINALIZER = DEFINITION_FINALIZER
_TRUE = "True"


def resource_of(definition: Object) -> Resource:
    """The resource that a CustomResourceDefinition describes."""
    spec = definition["spec"]
    names = spec["names"]
    versions = {item["name"]: item for item in spec["versions"]}
    served = sorted(
        (name for name, item in versions.items() if item.get("served")), key=preference, reverse=True
    )
    storage = next(
        (name for name, item in versions.items() if item.get("storage")), served[0] if served else ""
    )
    subresources: dict[str, Subresource] = {}
    schemas, columns, scales, selectable = {}, {}, {}, {}
    for name, item in versions.items():
        schemas[name] = (item.get("schema") or {}).get("openAPIV3Schema") or {}
        columns[name] = item.get("additionalPrinterColumns") or [
            {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}
        ]
        selectable[name] = tuple(
            field["jsonPath"].lstrip(".") for field in item.get("selectableFields") or ()
        )
        offered = item.get("subresources") or {}
        if "status" in offered:
            subresources["status"] = Subresource("status", names["kind"])
        if offered.get("scale"):
            scales[name] = offered["scale"]
            subresources["scale"] = Subresource("scale", "Scale", STATUS_VERBS, "autoscaling", "v1")
    full = f"{names['plural']}.{spec['group']}"
    return Resource(
        group=spec["group"],
        versions=tuple(served),
        plural=names["plural"],
        singular=names.get("singular") or names["kind"].lower(),
        kind=names["kind"],
        namespaced=spec["scope"] == "Namespaced",
        storage_version=storage,
        stored_as=full,
        list_kind=names.get("listKind") or f"{names['kind']}List",
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        verbs=ALL_VERBS,
        subresources=tuple(subresources[name] for name in sorted(subresources)),
        definition=definition["metadata"]["name"],
        schemas=schemas,
        columns=columns,
        scales=scales,
        selectable=selectable,
        preserve_unknown=bool(spec.get("preserveUnknownFields")),
        webhook=_webhook(spec.get("conversion") or {}),
    )


def _webhook(conversion: Object) -> str:
    """Where a definition's conversion webhook listens; "" when none is needed."""
    if conversion.get("strategy") != "Webhook":
        return ""
    client = (conversion.get("webhook") or {}).get("clientConfig") or {}
    service = client.get("service") or {}
    host = f"{service.get('name')}.{service.get('namespace')}.svc:{service.get('port', 443)}"
    return str(client.get("url") or f"https://{host}/{service.get('path', '').lstrip('/')}")


class Definitions:
    """Keeps the table of resources in step with the CustomResourceDefinitions."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        for definition in cluster.list(RESOURCE):
            if _is_established(definition):
                self._serve(definition)
        cluster.observe(RESOURCE, self._changed)

    def _serve(self, definition: Object) -> None:
        resource = resource_of(definition)
        self._cluster.resources.add(resource)
        self._cluster.store.begin(resource.name)
        self._redefault(resource)
        self._cluster.observe(resource.name, lambda kind, _new, _old: self._gone(kind, resource))

    def _changed(self, event: str, new: Object | None, old: Object | None) -> None:
        if new is None:
            if old is not None:
                self._cluster.resources.remove(resource_of(old).name)
            return
        if new["metadata"].get("deletionTimestamp"):
            self._clean(new)
        elif not _is_established(new):
            self._establish(new)
        elif event == "MODIFIED" and old is not None and old.get("spec") != new.get("spec"):
            resource = resource_of(new)
            self._cluster.resources.add(resource)
            self._redefault(resource)

    def _redefault(self, resource: Resource) -> None:
        """Fills in what the schema's defaults say in objects that were stored before them."""
        schema = resource.schemas.get(resource.storage_version, {})
        if _has_defaults(schema):
            self._cluster.store.redecode(resource.name, lambda obj: structural.default(schema, obj))

    def _establish(self, definition: Object) -> None:
        cluster = self._cluster
        spec = definition["spec"]
        clash = self._clash(definition)
        now = clock.stamp(cluster.now())
        accepted = {
            "type": "NamesAccepted",
            "status": _TRUE,
            "lastTransitionTime": now,
            "reason": "NoConflicts",
            "message": "no conflicts found",
        }
        established = {
            "type": "Established",
            "status": _TRUE,
            "lastTransitionTime": now,
            "reason": "InitialNamesAccepted",
            "message": "the initial names have been accepted",
        }
        status: Object = {**definition.get("status", {})}
        if clash:
            reason, message = clash
            accepted |= {"status": "False", "reason": reason, "message": message}
            established |= {
                "status": "False",
                "reason": "NotAccepted",
                "message": "not all names are accepted",
            }
            status["acceptedNames"] = {"plural": "", "kind": ""}
        else:
            status["acceptedNames"] = {key: value for key, value in spec["names"].items() if value}
        conditions = [accepted, established]
        if clash and _conditions(definition) == _states(conditions):
            return
        status["conditions"] = conditions
        changed: Object = {**definition, "status": status}
        cluster.update_status(RESOURCE, changed)
        if clash:
            return
        self._serve(cluster.get(RESOURCE, definition["metadata"]["name"]))

    def _clash(self, definition: Object) -> tuple[str, str] | None:
        spec = definition["spec"]
        names = spec["names"]
        for other in self._cluster.resources:
            if other.group != spec["group"] or other.definition == definition["metadata"]["name"]:
                continue
            taken = {other.plural, other.singular, *other.short_names}
            for reason, name in (
                ("PluralConflict", names["plural"]),
                ("SingularConflict", names.get("singular", "")),
                *(("ShortNamesConflict", short) for short in names.get("shortNames") or ()),
            ):
                if name in taken:
                    return reason, f'"{name}" is already in use'
            if names["kind"] == other.kind:
                return "KindConflict", f'"{names["kind"]}" is already in use'
        return None

    def _clean(self, definition: Object) -> None:
        if FINALIZER not in (definition["metadata"].get("finalizers") or []):
            return
        cluster, resource = self._cluster, resource_of(definition)
        for record in cluster.store.all(resource.name):
            if not record.obj["metadata"].get("deletionTimestamp"):
                cluster.delete(resource.name, record.name, record.namespace)
        self._finish(definition["metadata"]["name"], resource)

    def _gone(self, event: str, resource: Resource) -> None:
        if event == "DELETED":
            self._finish(resource.definition, resource)

    def _finish(self, name: str, resource: Resource) -> None:
        cluster = self._cluster
        definition = cluster.find(RESOURCE, name)
        if definition is None or not definition["metadata"].get("deletionTimestamp"):
            return
        finalizers = definition["metadata"].get("finalizers") or []
        if FINALIZER not in finalizers or cluster.store.count(resource.name):
            return
        metadata = {
            **definition["metadata"],
            "finalizers": [item for item in finalizers if item != FINALIZER],
        }
        cluster.update_status(RESOURCE, {**definition, "metadata": metadata})


def _conditions(definition: Object) -> dict[str, tuple[str, str]]:
    return _states(definition.get("status", {}).get("conditions") or [])


def _states(conditions: list[Object]) -> dict[str, tuple[str, str]]:
    return {item["type"]: (item["status"], item.get("message", "")) for item in conditions}


def _has_defaults(schema: Any) -> bool:
    if isinstance(schema, list):
        return any(_has_defaults(item) for item in schema)
    return isinstance(schema, dict) and (
        "default" in schema or any(_has_defaults(item) for item in schema.values())
    )


def _is_established(definition: Object) -> bool:
    return _conditions(definition).get("Established", ("", ""))[0] == _TRUE

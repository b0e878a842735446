"""CustomResourceDefinitions.

Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
and recorded refusals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.validation import names, rules, structural

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.validation.causes import Causes

_APPROVED = "api-approved.kubernetes.io"
_NOT_APPROVED = (
    f'protected groups must have approval annotation "{_APPROVED}", '
    "see https://github.com/kubernetes/enhancements/pull/1111"
)
_ONE_STORAGE = "must have exactly one version marked as storage version"
_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_VERSION_FIELDS = (
    "Name",
    "Served",
    "Storage",
    "Deprecated",
    "DeprecationWarning",
    "Schema",
    "Subresources",
    "AdditionalPrinterColumns",
    "SelectableFields",
)


def _shown_versions(spec: Object) -> list[Object]:
    """The versions as the message shows them: what all versions share stands elsewhere."""
    found = []
    for version in spec.get("versions") or ():
        shown: Object = dict.fromkeys(_VERSION_FIELDS)
        shown.update(Name=version.get("name", ""), Served=bool(version.get("served")))
        shown.update(Storage=bool(version.get("storage")), Deprecated=bool(version.get("deprecated")))
        shown["DeprecationWarning"] = version.get("deprecationWarning")
        found.append(shown)
    return found


def _schema_faults(causes: Causes, path: str, schema: Object) -> None:
    """Checks that a schema is structural: every value in it has a type."""
    if schema.get("uniqueItems"):
        detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        causes.forbidden(f"{path}.uniqueItems", detail)
    if schema.get("additionalProperties") is False:
        causes.forbidden(f"{path}.additionalProperties", "additionalProperties cannot be set to false")
    if schema.get("properties") and schema.get("additionalProperties"):
        causes.forbidden(
            f"{path}.additionalProperties", "additionalProperties and properties are mutual exclusive"
        )
    if isinstance(schema.get("items"), list):
        causes.forbidden(f"{path}.items", "items must be a schema object and not an array")
    for name, inner in schema.get("properties", {}).items():
        _typed(causes, f"{path}.properties[{name}]", inner, "must not be empty for specified object fields")
    items = schema.get("items")
    if isinstance(items, dict):
        _typed(causes, f"{path}.items", items, "must not be empty for specified array items")
    more = schema.get("additionalProperties")
    if isinstance(more, dict):
        _typed(causes, f"{path}.additionalProperties", more, "must not be empty for specified object fields")


def _typed(causes: Causes, path: str, schema: Object, missing: str) -> None:
    free = schema.get("x-kubernetes-int-or-string") or schema.get("x-kubernetes-preserve-unknown-fields")
    kind = schema.get("type")
    if not kind and not free:
        causes.required(f"{path}.type", missing)
    elif kind and kind not in _TYPES:
        causes.unsupported(f"{path}.type", kind, _TYPES)
    _schema_faults(causes, path, schema)
    structural.listed(causes, path, schema)


def _versions(causes: Causes, spec: Object, before: Object | None) -> None:
    """Checks the versions; rules are not looked at again in a schema that was there before."""
    old = {version.get("name"): version.get("schema") for version in (before or {}).get("versions") or ()}
    versions = spec.get("versions") or []
    several = len(versions) > 1
    for index, version in enumerate(versions):
        at = f"spec.versions[{index}]"
        causes.each(f"{at}.name", version.get("name", ""), names.dns_1035_label(version.get("name", "")))
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        if schema is None:
            causes.required(f"{at}.schema.openAPIV3Schema")
            continue
        root = f"{at}.schema.openAPIV3Schema" if several else "spec.validation.openAPIV3Schema"
        if schema.get("type") != "object":
            if not schema.get("type"):
                causes.required(f"{root}.type", "must not be empty at the root")
            else:
                causes.invalid(f"{root}.type", schema["type"], "must be object at the root")
                if schema["type"] not in _TYPES:
                    causes.unsupported(f"{root}.type", schema["type"], _TYPES)
        faults = len(causes)
        _schema_faults(causes, root, schema)
        if len(causes) == faults and version.get("schema") != old.get(version.get("name")):
            rules.check(causes, root, schema)
        shared = at if several else "spec"
        structural.subresources(causes, f"{shared}.subresources", version.get("subresources") or {})
        printed = version.get("additionalPrinterColumns") or []
        structural.columns(causes, f"{shared}.additionalPrinterColumns", printed)
        fields = f"{at}.selectableFields" if several else "spec.selectableFields"
        rules.selectable(causes, fields, version.get("selectableFields") or [], schema)
    if sum(bool(version.get("storage")) for version in versions) != 1:
        causes.invalid("spec.versions", _shown_versions(spec), _ONE_STORAGE)


def _names(causes: Causes, path: str, found: Object) -> None:
    for name in ("plural", "singular"):
        causes.each(f"{path}.{name}", found.get(name, ""), names.dns_1035_label(found.get(name, "")))
    for name in ("kind", "listKind"):
        value = found.get(name, "")
        causes.each(f"{path}.{name}", value, names.dns_1035_label(value.lower()))
    for index, short in enumerate(found.get("shortNames", ())):
        causes.each(f"{path}.shortNames[{index}]", short, names.dns_1035_label(short))
    if found.get("kind") and found.get("kind") == found.get("listKind"):
        causes.invalid(f"{path}.listKind", found["listKind"], "kind and listKind may not be the same")


def _conversion(causes: Causes, found: Object) -> None:
    at, strategy = "spec.conversion", found.get("strategy")
    if strategy not in {None, "None", "Webhook"}:
        causes.unsupported(f"{at}.strategy", strategy, ("None", "Webhook"))
    webhook = found.get("webhook") or {}
    client, versions = webhook.get("clientConfig"), webhook.get("conversionReviewVersions") or []
    if strategy != "Webhook":
        why = "should not be set when strategy is not set to Webhook"
        if client is not None:
            causes.forbidden(f"{at}.webhookClientConfig", why)
        if versions:
            causes.forbidden(f"{at}.conversionReviewVersions", why)
        return
    if client is None:
        causes.required(f"{at}.webhookClientConfig", "required when strategy is set to Webhook")
    elif (client.get("url") is None) == (client.get("service") is None):
        causes.required(f"{at}.webhookClientConfig", "exactly one of url or service is required")
    elif (service := client.get("service")) is not None:
        for name in ("name", "namespace"):
            if not service.get(name):
                causes.required(f"{at}.webhookClientConfig.service.{name}", f"service {name} is required")
    if not versions:
        causes.required(f"{at}.conversionReviewVersions")
    elif not {"v1", "v1beta1"} & set(versions):
        why = "must include at least one of v1, v1beta1"
        causes.invalid(f"{at}.conversionReviewVersions", versions, why)


def definition(causes: Causes, obj: Object, before: Object | None = None) -> None:
    """Checks a CustomResourceDefinition; `before` is the spec that it had."""
    spec = obj["spec"]
    group, plural, scope = (
        spec.get("group", ""),
        spec.get("names", {}).get("plural", ""),
        spec.get("scope", ""),
    )
    if obj["metadata"].get("name") != f"{plural}.{group}":
        causes.invalid(
            "metadata.name", obj["metadata"].get("name", ""), 'must be spec.names.plural+"."+spec.group'
        )
    if not group:
        causes.required("spec.group")
    else:
        causes.each("spec.group", group, names.dns_subdomain(group))
        if "." not in group:
            causes.invalid("spec.group", group, "should be a domain with at least one dot")
    causes.required_one_of("spec.scope", scope, ("Cluster", "Namespaced"))
    _versions(causes, spec, before)
    for name in ("plural", "singular", "kind", "listKind"):
        if not spec.get("names", {}).get(name):
            causes.required(f"spec.names.{name}")
            break
    else:
        _names(causes, "spec.names", spec["names"])
    _conversion(causes, spec.get("conversion") or {})
    if not obj.get("status", {}).get("storedVersions"):
        causes.invalid("status.storedVersions", None, "must have at least one stored version")
    if group.endswith((".k8s.io", ".kubernetes.io")) or group in {"k8s.io", "kubernetes.io"}:
        approved = obj["metadata"].get("annotations", {}).get(_APPROVED, "")
        if not approved:
            causes.required(f"metadata.annotations[{_APPROVED}]", _NOT_APPROVED)


def definition_update(causes: Causes, new: Object, old: Object) -> None:
    """Checks what may change of a CustomResourceDefinition."""
    established = any(
        condition.get("type") == "Established" and condition.get("status") == "True"
        for condition in old.get("status", {}).get("conditions") or ()
    )
    approved = {**new, "metadata": {**new["metadata"], "annotations": {_APPROVED: "unchanged"}}}
    old_approval = old["metadata"].get("annotations", {}).get(_APPROVED)
    spec, before = new["spec"], old["spec"]
    same = old_approval == new["metadata"].get("annotations", {}).get(_APPROVED)
    definition(causes, approved if same else new, before)
    if established:
        causes.immutable("spec.scope", spec.get("scope"), before.get("scope"))
        causes.immutable("spec.names.kind", spec["names"].get("kind"), before["names"].get("kind"))
    causes.immutable("spec.group", spec.get("group"), before.get("group"))
    causes.immutable("spec.names.plural", spec["names"].get("plural"), before["names"].get("plural"))

"""CustomResourceDefinitions.

Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/,
recorded refusals and those of a Kubernetes 1.36.2 that ran beside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ecns.embedded.kubernetes.validation import names
from ecns.embedded.kubernetes.validation.definitions import (
    columns,
    defaulting,
    described,
    rules,
    structure,
)

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.validation.causes import Causes

_APPROVED = "api-approved.kubernetes.io"
_SEE = "see https://github.com/kubernetes/enhancements/pull/1111"
_NOT_APPROVED = f'protected groups must have approval annotation "{_APPROVED}", {_SEE}'
_WRONGLY_APPROVED = (
    f'protected groups must have approval annotation "{_APPROVED}" '
    f'with either a URL or a reason starting with "unapproved", {_SEE}'
)
_ONE_STORAGE = "must have exactly one version marked as storage version"
_KEPT = (
    "missing from spec.versions; {0} was previously a storage version, and must remain in spec.versions "
    "until a storage migration ensures no data remains persisted in {0} "
    "and removes {0} from status.storedVersions"
)
_NOT_PRESERVED = (
    "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
)
_MIXED_CASE = "may have mixed case, but should otherwise match: "
_LONGEST_WARNING = 256
_AT_ROOT = (
    "Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength "
    "Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example "
    "XPreserveUnknownFields XValidations"
)
_NAMES_AT_ROOT = frozenset(
    {
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-validations",
        *(f"{name[0].lower()}{name[1:]}" for name in _AT_ROOT.split()),
    }
)
_SHARED = ("schema", "subresources", "additionalPrinterColumns", "selectableFields")
"""What stands once for all versions when it is the same in all, as messages see it."""
_SHOWN = (
    ("Name", "name", ""),
    ("Served", "served", False),
    ("Storage", "storage", False),
    ("Deprecated", "deprecated", False),
    ("DeprecationWarning", "deprecationWarning", None),
    ("Schema", None, None),
    ("Subresources", None, None),
    ("AdditionalPrinterColumns", None, None),
    ("SelectableFields", None, None),
)


def _shown(version: Object) -> Object:
    """A version as messages show it."""
    return {told: version.get(name, unset) if name else unset for told, name, unset in _SHOWN}


def _alike(versions: list[Object], name: str) -> bool:
    return all(version.get(name) == versions[0].get(name) for version in versions)


def definition(causes: Causes, obj: Object, before: Object | None = None) -> None:
    """Checks a CustomResourceDefinition.

    Args:
        causes: what is wrong is added.
        obj: the definition.
        before: what it was, in an update.
    """
    spec, old = obj["spec"], (before or {}).get("spec")
    group, plural = spec.get("group", ""), spec.get("names", {}).get("plural", "")
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
    causes.required_one_of("spec.scope", spec.get("scope", ""), ("Cluster", "Namespaced"))
    versions = spec.get("versions") or []
    _versions(causes, versions, old)
    _names(causes, "spec.names", spec.get("names", {}))
    for name in _SHARED if versions and versions[0] else ():
        if _alike(versions, name):
            at = "spec.validation" if name == "schema" else f"spec.{name}"
            _part(causes, name, at, versions[0], spec, _old_version(old, versions[0]))
    _conversion(causes, spec.get("conversion") or {})
    _stored(causes, obj.get("status", {}).get("storedVersions") or [], versions)
    _approval(causes, obj, before)
    if spec.get("preserveUnknownFields") and not (old or {}).get("preserveUnknownFields"):
        causes.invalid("spec.preserveUnknownFields", True, _NOT_PRESERVED)


def _old_version(old: Object | None, version: Object) -> Object:
    """The version of the same name that the definition had; {} if it had none."""
    found = (one for one in (old or {}).get("versions") or () if one.get("name") == version.get("name"))
    return next(found, {})


def _versions(causes: Causes, versions: list[Object], old: Object | None) -> None:
    for index, version in enumerate(versions):
        if (version.get("schema") or {}).get("openAPIV3Schema") is None:
            causes.required(f"spec.versions[{index}].schema.openAPIV3Schema")
    for index, version in enumerate(versions):
        at, name = f"spec.versions[{index}]", version.get("name", "")
        causes.each(f"{at}.name", name, names.dns_1035_label(name))
        _deprecation(causes, f"{at}.deprecationWarning", version)
        for part in _SHARED:
            if not _alike(versions, part):
                _part(
                    causes, part, f"{at}.{part}", version, {"versions": [version]}, _old_version(old, version)
                )
    called = [version.get("name") for version in versions]
    shown = [_shown(version) for version in versions]
    if len(set(called)) < len(called):
        causes.invalid("spec.versions", shown, "must contain unique version names")
    if sum(bool(version.get("storage")) for version in versions) != 1:
        causes.invalid("spec.versions", shown, _ONE_STORAGE)


def _part(  # noqa: PLR0917  a version's part, and where it stands
    causes: Causes, name: str, path: str, version: Object, spec: Object, old: Object
) -> None:
    """Checks one of the parts that a version has of its own, or that all share."""
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    match name:
        case "schema":
            status = any("status" in (one.get("subresources") or {}) for one in spec["versions"])
            if schema is not None:
                changed = version.get("schema") != old.get("schema")
                _schema(causes, f"{path}.openAPIV3Schema", schema, status=status, changed=changed)
        case "subresources":
            columns.subresources(causes, path, version.get("subresources") or {})
        case "additionalPrinterColumns":
            columns.columns(causes, path, version.get("additionalPrinterColumns") or [])
        case _:
            rules.selectable(causes, path, version.get("selectableFields") or [], schema or {})


def _schema(causes: Causes, path: str, schema: Object, *, status: bool, changed: bool) -> None:
    """Checks a schema; its rules only when it is fine otherwise, and new."""
    start = len(causes)
    if status and any(schema[name] and name not in _NAMES_AT_ROOT for name in schema):
        where = "at the root of the schema if the status subresource is enabled"
        causes.wrong(path, f"only [{_AT_ROOT}] fields are allowed {where}")
    if schema.get("nullable"):
        causes.forbidden(f"{path}.nullable", "nullable cannot be true at the root")
    why = structure.unsupported(schema)
    before = len(causes)
    if not why:
        structure.check(causes, path, schema)
        if len(causes) == before:
            defaulting.check(causes, path, schema)
    sound = not why and len(causes) == before
    before = len(causes)
    described.check(causes, path, schema)
    if len(causes) == before and sound and changed:
        rules.check(causes, path, schema)
    if len(causes) == start and why:
        causes.invalid(path, "", why)


def _deprecation(causes: Causes, path: str, version: Object) -> None:
    text = version.get("deprecationWarning")
    if text is None:
        return
    if not version.get("deprecated"):
        causes.invalid(path, text, "can only be set for deprecated versions")
        return
    if len(text.encode()) > _LONGEST_WARNING:
        causes.invalid(path, text, f"must be <= {_LONGEST_WARNING} characters long")
    if not text:
        causes.invalid(path, text, "must not be an empty string")
    for index, sign in enumerate(text):
        if not sign.isprintable():
            found = f"non-printable character found at index {index}"
            why = f"must only contain printable UTF-8 characters; {found}"
            causes.invalid(path, text, why)
            break


def _names(causes: Causes, path: str, found: Object) -> None:
    for name in ("plural", "singular", "kind", "listKind"):
        if not found.get(name):
            causes.required(f"{path}.{name}")
    for name in ("plural", "singular"):
        if found.get(name):
            causes.each(f"{path}.{name}", found[name], names.dns_1035_label(found[name]))
    for name in ("kind", "listKind"):
        for why in names.dns_1035_label(found[name].lower()) if found.get(name) else ():
            causes.invalid(f"{path}.{name}", found[name], f"{_MIXED_CASE}{why}")
    for index, short in enumerate(found.get("shortNames") or ()):
        causes.each(f"{path}.shortNames[{index}]", short, names.dns_1035_label(short))
    if found.get("kind") and found.get("kind") == found.get("listKind"):
        causes.invalid(f"{path}.listKind", found["listKind"], "kind and listKind may not be the same")
    for index, category in enumerate(found.get("categories") or ()):
        causes.each(f"{path}.categories[{index}]", category, names.dns_1035_label(category))


def _conversion(causes: Causes, conversion: Object) -> None:
    strategy, at = conversion.get("strategy"), "spec.conversion"
    if strategy not in {None, "None", "Webhook"}:
        causes.unsupported(f"{at}.strategy", strategy, ("None", "Webhook"))
    webhook = conversion.get("webhook") or {}
    reviews, client = webhook.get("conversionReviewVersions") or [], webhook.get("clientConfig")
    if strategy != "Webhook":
        why = "should not be set when strategy is not set to Webhook"
        if client is not None:
            causes.forbidden(f"{at}.webhookClientConfig", why)
        if reviews:
            causes.forbidden(f"{at}.conversionReviewVersions", why)
        return
    _client(causes, f"{at}.webhookClientConfig", client)
    _reviews(causes, f"{at}.conversionReviewVersions", reviews)


def _client(causes: Causes, path: str, client: Any) -> None:
    if client is None:
        causes.required(path, "required when strategy is set to Webhook")
        return
    url, service = client.get("url"), client.get("service")
    if (url is None) == (service is None):
        causes.required(path, "exactly one of url or service is required")
    elif service is None:
        read, form = urlsplit(url), "; desired format: https://host[/path]"
        if read.scheme != "https":
            causes.invalid(f"{path}.url", read.scheme, f"'https' is the only allowed URL scheme{form}")
        if not read.netloc:
            causes.invalid(f"{path}.url", "", f"host must be specified{form}")
    else:
        for name in ("name", "namespace"):
            if not service.get(name):
                causes.required(f"{path}.service.{name}")
        port = service.get("port", 443)
        for why in names.port_number(port):
            causes.invalid(f"{path}.service.port", port, f"port is not valid: {why}")


def _reviews(causes: Causes, path: str, reviews: list[str]) -> None:
    if not reviews:
        causes.required(path)
        return
    for index, version in enumerate(reviews):
        if version in reviews[:index]:
            causes.invalid(f"{path}[{index}]", version, "duplicate version")
        else:
            causes.each(f"{path}[{index}]", version, names.dns_1035_label(version))
    if not {"v1", "v1beta1"} & set(reviews):
        causes.invalid(path, reviews, "must include at least one of v1, v1beta1")


def _stored(causes: Causes, stored: list[str], versions: list[Any]) -> None:
    path = "status.storedVersions"
    if not stored:
        causes.invalid(path, None, "must have at least one stored version")
        return
    there = [version.get("name") for version in versions]
    for version in versions:
        if version.get("storage") and version.get("name") not in stored:
            causes.invalid(path, stored, f"must have the storage version {version.get('name')}")
    for index, name in enumerate(stored):
        if name not in there:
            causes.invalid(f"{path}[{index}]", name, _KEPT.format(name))


def _approval(causes: Causes, obj: Object, before: Object | None) -> None:
    group = obj["spec"].get("group", "")
    if not group.endswith((".k8s.io", ".kubernetes.io")) and group not in {"k8s.io", "kubernetes.io"}:
        return
    found = _approved(obj)
    if before is not None and _approved(before)[0] == found[0]:
        return
    path = f"metadata.annotations[{_APPROVED}]"
    if found[0] == "missing":
        causes.required(path, _NOT_APPROVED)
    elif found[0] == "invalid":
        causes.invalid(path, found[1], _WRONGLY_APPROVED)


def _approved(obj: Object) -> tuple[str, str]:
    """Whether the community has approved of a definition in one of its groups: a state, and what is told."""
    text = obj["metadata"].get("annotations", {}).get(_APPROVED, "")
    if not text:
        return "missing", text
    if text.startswith("unapproved"):
        return "bypassed", text
    url = urlsplit(text)
    return ("approved" if url.scheme and url.netloc else "invalid"), text


def definition_update(causes: Causes, new: Object, old: Object) -> None:
    """Checks what may change of a CustomResourceDefinition."""
    established = any(
        condition.get("type") == "Established" and condition.get("status") == "True"
        for condition in old.get("status", {}).get("conditions") or ()
    )
    definition(causes, new, old)
    spec, before = new["spec"], old["spec"]
    called, was = spec.get("names", {}), before.get("names", {})
    if established:
        causes.immutable("spec.scope", spec.get("scope"), before.get("scope"))
        causes.immutable("spec.names.kind", called.get("kind"), was.get("kind"))
    causes.immutable("spec.group", spec.get("group"), before.get("group"))
    causes.immutable("spec.names.plural", called.get("plural"), was.get("plural"))

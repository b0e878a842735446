"""The annotation in which `kubectl apply` without `--server-side` keeps what it applied last.

Server-side apply by the manager `kubectl` takes over from it: fields that the annotation has with their
present values are no conflicts, and the annotation is kept up to date so that one may go back.
Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/#upgrading-from-client-side-apply-to-server-side-apply
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ecns.embedded.kubernetes import fieldsets

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.fieldsets import Path
    from ecns.embedded.kubernetes.mergekeys import Schema

ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"
MANAGER = "kubectl"
_LARGEST = 256 * 1024  # of all annotations together


def allowed(live: Object, schema: Schema, api_version: str) -> set[Path]:
    """The fields that were applied last and are still as they were applied."""
    text = (live["metadata"].get("annotations") or {}).get(ANNOTATION)
    try:
        last: Any = json.loads(text) if text else None
    except ValueError:
        return set()
    if not isinstance(last, dict) or last.get("apiVersion") != api_version:
        return set()
    try:
        fieldsets.check(last, schema)
    except fieldsets.SchemaError:
        return set()
    differ = fieldsets.compare(last, live, schema)
    return fieldsets.paths(last, schema) - differ.added - differ.modified - differ.removed


def renew(metadata: Object, config: Object) -> None:
    """Puts an applied configuration into the annotation of an object that has it."""
    annotations = metadata.get("annotations") or {}
    if not annotations.get(ANNOTATION):
        return
    applied = {**config, "metadata": dict(config.get("metadata") or {})}
    if "annotations" in applied["metadata"]:
        own = applied["metadata"]["annotations"] or {}
        applied["metadata"]["annotations"] = {key: own[key] for key in own if key != ANNOTATION}
    text = json.dumps(applied, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    annotations = {**annotations, ANNOTATION: text + "\n"}
    if sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items()) > _LARGEST:
        del annotations[ANNOTATION]
    metadata["annotations"] = annotations

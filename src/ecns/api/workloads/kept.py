"""What a change of a workload has to keep beside the objects; see `manifests.sent`."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from ecns.api.common import names
from ecns.api.common.patching import MISSING, Path
from ecns.api.workloads.manifests import controllers
from ecns.api.workloads.types import Workload
from ecns.backends.kubernetes.kinds.apps import Controller
from ecns.backends.kubernetes.kinds.meta import JsonObject

ANNOTATIONS: Path = ("metadata", "annotations")


def typed(whole: JsonObject, kind: str) -> Controller:
    """The controller that a whole object is."""
    found: Controller = msgspec.convert(whole, controllers.KINDS[kind].type)
    return found


def kept(shown: Workload, field: str, new: Any, registry_domain: str = "") -> dict[Path, Any]:
    """The change of the annotation that keeps what the objects do not say of a field's new value."""
    wanted = replace(shown, **{field: new})
    if field != "access_mode":
        wanted.access_mode = []
    key = names.SENT + field
    return {(*ANNOTATIONS, key): controllers.kept_annotations(wanted, registry_domain).get(key, MISSING)}

"""What was sent and Kubernetes has no word for, kept beside the objects.

Some of the reference's fields leave no trace in an object (`image_auth`), and some ways of saying a thing
become the same object (`custom` with a surge of one is `first_up`). So when the objects of what was sent
would be shown differently, the difference goes into an annotation for that field of the workload:
`ecns.easystack.com/sent-<field>`, compact JSON. It is believed only as long as what it leads to still says
the same as the objects; when someone changes them with another tool, the objects are right.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec

from ecns.api.common.names import SENT

T = TypeVar("T", bound=msgspec.Struct)

FIELDS: Final = (
    "application_type",
    "security_groups",
    "access_mode",
    "vm_access",
    "vm_network",
    "containers",
    "volumes",
    "update_strategy",
    "scale_strategy",
    "scheduler_strategy",
    "network",
)
"""The fields of a workload, or of what is like one, that are kept."""
WHOLE: Final = frozenset({"update_strategy", "scheduler_strategy", "vm_access", "vm_network", "routers"})
"""Fields whose parts mean nothing apart from one another."""
READ_ONLY: Final = frozenset(
    {
        "container_statuses",
        "cluster_ip",
        "public_ips",
        "private_ips",
        "status",
        "admin_state_up",
        "availability_zone",
        "created_at",
        "description",
        "flavor_id",
        "id",
        "listeners",
        "loadbalancers",
        "operating_status",
        "pools",
        "project_id",
        "provider",
        "provisioning_status",
        "tags",
        "updated_at",
        "vip_address",
        "vip_network_id",
        "vip_port_id",
        "vip_qos_policy_id",
    }
)
"""What portals send back and the objects alone know."""
SAME: Final = object()
LIMIT = 48 * 1024
"""Bytes of one annotation: all of an object's together may have 256 KiB."""


def difference(shown: Any, sent: Any, name: str = "") -> Any:
    """What to lay over `shown` to get `sent`, or SAME; what was not sent is not missed."""
    if sent is None and name == "routers":
        sent = []  # an Ingress does not say which of a Service's ports its rule was sent with
    if sent is None or sent == shown or name in READ_ONLY:
        return SAME
    if isinstance(shown, dict) and isinstance(sent, dict):
        parts = {key: difference(shown.get(key), value, key) for key, value in sent.items()}
        changed = {key: part for key, part in parts.items() if part is not SAME}
        if not changed:
            return SAME
        return sent if name in WHOLE else changed
    if isinstance(shown, list) and isinstance(sent, list) and _parallel(shown, sent):
        parts = {str(at): difference(one, two) for at, (one, two) in enumerate(zip(shown, sent, strict=True))}
        changed = {at: part for at, part in parts.items() if part is not SAME}
        if not changed:
            return SAME
        return sent if name in WHOLE else changed
    return sent


def overlay(shown: Any, kept: Any, name: str = "") -> Any:
    """`shown` with what `difference` kept."""
    if name in WHOLE or not isinstance(kept, dict):
        return kept
    if isinstance(shown, list):
        changed = [overlay(item, kept[str(at)]) if str(at) in kept else item for at, item in enumerate(shown)]
        return changed if all(at.isdecimal() and int(at) < len(shown) for at in kept) else shown
    if isinstance(shown, dict):
        return {**shown, **{key: overlay(shown.get(key), part, key) for key, part in kept.items()}}
    return kept


def annotation(field: str) -> str:
    """The annotation of a field."""
    return SENT + field


def dump(kept: Any) -> str | None:
    """The value of an annotation; None when it is too large to keep."""
    text = json.dumps(kept, ensure_ascii=False, separators=(",", ":"))
    return text if len(text.encode()) <= LIMIT else None


def load(annotations: Mapping[str, str] | None) -> dict[str, Any]:
    """What is kept, by field; an annotation that someone broke is none."""
    found: dict[str, Any] = {}
    for field in FIELDS:
        text = (annotations or {}).get(annotation(field))
        if text:
            try:
                found[field] = json.loads(text)
            except ValueError:
                continue
    return found


def kept(shown: T, wanted: T) -> dict[str, str]:
    """The annotations to keep, of a workload or a Job.

    Args:
        shown: as its objects alone would show it.
        wanted: as it was sent.
    """
    seen, asked = msgspec.to_builtins(shown), msgspec.to_builtins(wanted)
    found: dict[str, str] = {}
    for name in FIELDS:
        missing = difference(seen.get(name), asked.get(name), name)
        if missing is not SAME and (text := dump(missing)):
            found[annotation(name)] = text
    return found


def recalled(shown: T, annotations: Mapping[str, str] | None, again: Callable[[T], T]) -> T:
    """`shown` with what was sent beside it, as far as the objects still say the same.

    Args:
        shown: as its objects alone show it.
        annotations: of its object.
        again: how the objects of what was sent would be shown.
    """
    remembered = load(annotations)
    seen = msgspec.to_builtins(shown)
    remembered = {name: part for name, part in remembered.items() if name in seen}
    if not remembered:
        return shown
    claimed = {**seen, **{name: overlay(seen[name], part, name) for name, part in remembered.items()}}
    try:
        anew = msgspec.to_builtins(again(msgspec.convert(claimed, type(shown))))
        same = [name for name in remembered if difference(seen[name], anew[name], name) is SAME]
        return msgspec.convert({**seen, **{name: claimed[name] for name in same}}, type(shown))
    except (msgspec.ValidationError, ValueError, KeyError):
        return shown


def _parallel(shown: list[Any], sent: list[Any]) -> bool:
    """Whether two lists are of the same things in the same order."""
    return len(shown) == len(sent) and all(
        isinstance(one, dict)
        and isinstance(two, dict)
        and all(two.get(key) in {None, one.get(key)} for key in ("name", "type", "mount_path"))
        for one, two in zip(shown, sent, strict=True)
    )

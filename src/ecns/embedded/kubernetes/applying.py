"""Server-side apply, from the request to the write.

`ownership` decides who owns what, and what is in conflict.
Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes import conversion, ownership, schemas
from ecns.embedded.kubernetes import metadata as meta
from ecns.embedded.kubernetes.errors import conflict, not_found
from ecns.embedded.kubernetes.metadata import clone
from ecns.embedded.kubernetes.ownership import Manager

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecns.embedded.kubernetes.auth import User
    from ecns.embedded.kubernetes.cluster import Cluster
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.resources import Resource


def apply(
    cluster: Cluster,
    shown: Resource,
    name: str,
    namespace: str,
    config: Object,
    *,
    subresource: str,
    user: User,
    dry_run: bool,
    manager: Manager | None,
    version: str,
    check: Callable[[Object], None] | None,
) -> Object:
    """Applies a configuration to the object of a name, which is made when it is not there.

    Args:
        cluster: the objects.
        shown: the resource that the request names; its objects may be kept as another's.
        name: of the object.
        namespace: its namespace.
        config: what is applied; it is not changed.
        subresource: the part that it is about, "" for the whole.
        user: who asks.
        dry_run: everything but the store.
        manager: who applies; the controllers when it is None.
        version: the API version that `config` is in.
        check: looks at the merged object before it is taken.

    Raises:
        ApiError: as Kubernetes would answer.
    """
    kind = cluster.resources[shown.stored_as]
    manager = manager or Manager("kube-controller-manager", version)
    config = clone(config)
    record = cluster.store.get(kind.name, namespace, name)
    meta.check_applied(shown, version, config, name, namespace, exists=record is not None)
    ownership.check(shown, version, config)
    if not kind.definition:
        try:
            schemas.decode(shown.name, clone(config))
        except schemas.DecodeError as error:
            raise ownership.not_an_object(shown, config, str(error)) from None
    if record is None:
        if subresource:
            raise not_found(kind.name, name)
        if config["metadata"].get("uid"):
            uid = config["metadata"]["uid"]
            why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            raise conflict(kind.name, name, why)
        config["metadata"].pop("resourceVersion", None)
        applied = ownership.apply(shown, version, None, config, manager, "", cluster.now())
        if check is not None:
            check(applied.obj)
        return cluster.create(
            kind.name,
            conversion.restore(applied.obj, shown, version),
            namespace=namespace,
            user=user,
            dry_run=dry_run,
            manager=manager,
            version=version if kind.definition else "",
            track=keep_managers(applied.obj["metadata"].get("managedFields")),
        )
    live = conversion.convert(record.obj, shown) if conversion.is_needed(shown, version) else record.obj
    live = {**live, "apiVersion": shown.api_version(version)}
    applied = ownership.apply(shown, version, live, config, manager, subresource, cluster.now())
    if check is not None:
        check(applied.obj)
    return cluster.replace(
        kind,
        record,
        clone(conversion.restore(applied.obj, shown, version)),
        subresource=subresource,
        user=user,
        dry_run=dry_run,
        manager=manager,
        version=version if kind.definition else "",
        track=keep_managers(applied.obj["metadata"].get("managedFields")),
    )


def keep_managers(entries: list[Object] | None) -> Callable[[Object | None, Object], None]:
    """A `track` that writes the managedFields of an apply."""

    def keep(_old: Object | None, new: Object) -> None:
        if entries:
            new["metadata"]["managedFields"] = entries
        else:
            new["metadata"].pop("managedFields", None)

    return keep

"""Octavia's things as they are answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.openstack.octavia.kinds import LISTENER, LOAD_BALANCER, MEMBER, MONITOR, POOL, Kind

if TYPE_CHECKING:
    from ecns.embedded.openstack.store import Body, Store


def _ids(bodies: list[Body]) -> list[dict[str, str]]:
    return [{"id": body["id"]} for body in bodies]


def of_pool(store: Store, kind: Kind, pool_id: str) -> list[Body]:
    """The members or monitors of a pool."""
    return [body for body in store.all(kind.plural) if body["pool_id"] == pool_id]


def show(store: Store, kind: Kind, body: Body) -> Body:
    """A thing with what refers to it."""
    hidden = {
        "loadbalancer_id",
        "listener_id",
        "pool_id",
        "default_pool",
        "healthmonitor",
        "members",
        "tenant_id",
    }
    shown = {key: value for key, value in body.items() if not key.startswith("_") and key not in hidden}
    shown["tenant_id"] = body["project_id"]
    if kind is LOAD_BALANCER:
        for key, below in (("listeners", LISTENER), ("pools", POOL)):
            shown[key] = _ids([part for part in store.all(below.plural) if part["_balancer"] == body["id"]])
    elif kind is LISTENER:
        shown["loadbalancers"] = [{"id": body["_balancer"]}]
    elif kind is POOL:
        shown["loadbalancers"] = [{"id": body["_balancer"]}]
        shown["listeners"] = _ids(
            [part for part in store.all("listeners") if part["default_pool_id"] == body["id"]]
        )
        shown["members"] = _ids(of_pool(store, MEMBER, body["id"]))
        for monitor in of_pool(store, MONITOR, body["id"]):
            shown["healthmonitor_id"] = monitor["id"]
    elif kind is MONITOR:
        shown["pools"] = [{"id": body["pool_id"]}]
    return shown


def _brief(body: Body, *more: str) -> Body:
    return {key: body[key] for key in ("id", "name", "operating_status", "provisioning_status", *more)}


def tree(store: Store, balancer: Body) -> Body:
    """How a load balancer and all of its parts are."""

    def pool_of(pool: Body) -> Body:
        found = _brief(pool)
        for monitor in of_pool(store, MONITOR, pool["id"]):
            found["health_monitor"] = _brief(monitor, "type")
        members = of_pool(store, MEMBER, pool["id"])
        return found | {"members": [_brief(member, "address", "protocol_port") for member in members]}

    listeners = []
    for listener in store.all("listeners"):
        if listener["_balancer"] == balancer["id"]:
            pool = store.get("pools", listener["default_pool_id"])
            listeners.append(_brief(listener) | {"pools": [pool_of(pool)] if pool else []})
    return _brief(balancer) | {"listeners": listeners}

"""Where servers run: hosts in zones, with what they have and what is used of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ecns.embedded.openstack.store import Body, Store


@dataclass(frozen=True)
class Host:
    """A machine that runs servers: processors, MiB, GiB."""

    name: str
    zone: str
    vcpus: int = 1000
    ram: int = 800_000
    disk: int = 600_000


HOSTS = (Host("compute-a1", "zone-a"), Host("compute-a2", "zone-a"), Host("compute-b1", "zone-b"))
ZONES = tuple(dict.fromkeys(host.zone for host in HOSTS))


def chosen(store: Store, server: Body, group: Body | None) -> Host | None:
    """The host with the most room for a server, or None.

    Args:
        store: what runs where.
        server: with its flavor and the zone that it wants.
        group: the server group whose rule holds.
    """
    best: tuple[int, Host] | None = None
    flavor = server["_flavor"]
    for host in HOSTS:
        if server["_zone"] not in (None, host.zone):
            continue
        others = [s for s in store.all("servers") if s["_host"] == host.name]
        if group is not None and not _allowed(group, server, host, store):
            continue
        room = {
            key: getattr(host, key) - sum(other["_flavor"][key] for other in others)
            for key in ("vcpus", "ram", "disk")
        }
        disk = 0 if server["_boot_volume"] else flavor["disk"]
        if flavor["vcpus"] > room["vcpus"] or flavor["ram"] > room["ram"] or disk > room["disk"]:
            continue
        if best is None or room["ram"] > best[0]:
            best = (room["ram"], host)
    return best[1] if best else None


def _allowed(group: Body, server: Body, host: Host, store: Store) -> bool:
    members = [m for m in group["members"] if m != server["id"]]
    where = {s["_host"] for m in members if (s := store.get("servers", m)) and s["_host"]}
    if group["policy"] == "affinity":
        return not where or host.name in where
    return group["policy"] != "anti-affinity" or host.name not in where


def host_id(project: str, host: str) -> str:
    """What a project's members see of a host's name."""
    return hashlib.sha224(f"{project}{host}".encode()).hexdigest() if host else ""

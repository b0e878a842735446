"""Zones, and what administrators see of the hosts in them."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from ecns.embedded.openstack.http import Answer
from ecns.embedded.openstack.nova.hosts import HOSTS, ZONES
from ecns.embedded.openstack.service import now

if TYPE_CHECKING:
    from ecns.embedded.openstack.nova.service import Nova
    from ecns.embedded.openstack.service import Call
    from ecns.embedded.openstack.store import Body

FORCED_DOWN, AGGREGATE_UUID, CPU_AS_OBJECT, UUIDS, WITHOUT_USE = (2, 11), (2, 41), (2, 28), (2, 53), (2, 88)
CONTROLLER, INTERNAL = "controller", "internal"
"""Where the services run that are no hosts of servers."""
CPU: Body = {
    "arch": "x86_64",
    "model": "Nehalem",
    "vendor": "Intel",
    "features": ["pge", "clflush"],
    "topology": {"cores": 1, "threads": 1, "sockets": 4},
}


class Places:
    """The operations on them."""

    def __init__(self, nova: Nova) -> None:
        self.store = nova.store
        policy = "os_compute_api:os-"
        nova.route("GET", "/os-availability-zone", self._zones)
        detail = "/os-availability-zone/detail"
        nova.route("GET", detail, self._zones_in_detail, "admin", f"{policy}availability-zone:detail")
        nova.route("GET", "/os-services", self._services, "admin", f"{policy}services:list")
        for path in ("/os-hypervisors", "/os-hypervisors/detail"):
            nova.route("GET", path, self._hypervisors, "admin", f"{policy}hypervisors:list")
        nova.route("GET", "/os-aggregates", self._aggregates, "admin", f"{policy}aggregates:index")

    @staticmethod
    def _zones(_: Call) -> Answer:
        found = [{"zoneName": zone, "zoneState": {"available": True}, "hosts": None} for zone in ZONES]
        return Answer(body={"availabilityZoneInfo": found})

    @staticmethod
    def _zones_in_detail(_: Call) -> Answer:
        service = {"available": True, "active": True, "updated_at": now()}
        inside = {CONTROLLER: {"nova-conductor": service, "nova-scheduler": service}}
        zones: dict[str, Body] = {INTERNAL: inside}
        for zone in ZONES:
            zones[zone] = {host.name: {"nova-compute": service} for host in HOSTS if host.zone == zone}
        found = [
            {"zoneName": zone, "zoneState": {"available": True}, "hosts": hosts}
            for zone, hosts in zones.items()
        ]
        return Answer(body={"availabilityZoneInfo": found})

    @staticmethod
    def _services(call: Call) -> Answer:
        places = [("nova-compute", host.name, host.zone) for host in HOSTS]
        places += [(binary, CONTROLLER, INTERNAL) for binary in ("nova-conductor", "nova-scheduler")]
        found = [
            {
                "id": _id(call, f"{binary} {host}", number),
                "binary": binary,
                "host": host,
                "zone": zone,
                "status": "enabled",
                "state": "up",
                "updated_at": now(),
                "disabled_reason": None,
                **({"forced_down": False} if call.version >= FORCED_DOWN else {}),
            }
            for number, (binary, host, zone) in enumerate(places, 1)
        ]
        return Answer(body={"services": found})

    def _hypervisors(self, call: Call) -> Answer:
        found: list[Body] = [
            {
                "id": _id(call, host.name, number),
                "hypervisor_hostname": host.name,
                "state": "up",
                "status": "enabled",
            }
            for number, host in enumerate(HOSTS, 1)
        ]
        if call.path.endswith("/detail"):
            for number, (one, host) in enumerate(zip(found, HOSTS, strict=True), 1):
                service = {
                    "id": _id(call, f"nova-compute {host.name}", number),
                    "host": host.name,
                    "disabled_reason": None,
                }
                one |= {
                    "hypervisor_type": "fake",
                    "hypervisor_version": 1000,
                    "host_ip": "127.0.0.1",
                    "service": service,
                }
                one.update({"uptime": None} if call.version >= WITHOUT_USE else self._use(call, host))
        return Answer(body={"hypervisors": found})

    def _use(self, call: Call, host: Any) -> Body:
        flavors = [one["_flavor"] for one in self.store.all("servers") if one["_host"] == host.name]
        vcpus, ram, disk = (sum(flavor[key] for flavor in flavors) for key in ("vcpus", "ram", "disk"))
        return {
            "vcpus": host.vcpus,
            "memory_mb": host.ram,
            "local_gb": host.disk,
            "vcpus_used": vcpus,
            "memory_mb_used": ram,
            "local_gb_used": disk,
            "free_ram_mb": host.ram - ram,
            "free_disk_gb": host.disk - disk,
            "current_workload": 0,
            "running_vms": len(flavors),
            "disk_available_least": 0,
            "cpu_info": CPU if call.version >= CPU_AS_OBJECT else json.dumps(CPU),
        }

    @staticmethod
    def _aggregates(call: Call) -> Answer:
        found = [
            {
                "id": number,
                **({"uuid": _uuid(zone)} if call.version >= AGGREGATE_UUID else {}),
                "name": zone,
                "availability_zone": zone,
                "hosts": [host.name for host in HOSTS if host.zone == zone],
                "metadata": {"availability_zone": zone},
                "deleted": False,
                "deleted_at": None,
                "created_at": "2026-01-01T00:00:00.000000",
                "updated_at": None,
            }
            for number, zone in enumerate(ZONES, 1)
        ]
        return Answer(body={"aggregates": found})


def _id(call: Call, name: str, number: int) -> str | int:
    """Newer microversions have no numbers."""
    return _uuid(name) if call.version >= UUIDS else number


def _uuid(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))

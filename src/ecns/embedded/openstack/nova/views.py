"""A server as Nova shows it, in each microversion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.openstack.nova.hosts import HOSTS, host_id
from ecns.embedded.openstack.service import zulu

if TYPE_CHECKING:
    from ecns.embedded.openstack.nova.service import Nova
    from ecns.embedded.openstack.service import Call
    from ecns.embedded.openstack.store import Body

_ZONES = {host.name: host.zone for host in HOSTS}
_STATUS = {
    "building": "BUILD",
    "active": "ACTIVE",
    "stopped": "SHUTOFF",
    "suspended": "SUSPENDED",
    "paused": "PAUSED",
    "shelved_offloaded": "SHELVED_OFFLOADED",
    "rescued": "RESCUE",
    "resized": "VERIFY_RESIZE",
    "error": "ERROR",
}
_DURING = {
    "rebooting": "REBOOT",
    "rebooting_hard": "HARD_REBOOT",
    "rebuilding": "REBUILD",
    "resize_prep": "RESIZE",
}


def status_of(server: Body) -> str:
    """The status that follows from the state and the task."""
    return _DURING.get(server["_task"] or "", _STATUS[server["_state"]])


def addresses_of(nova: Nova, server: Body, *, detail: bool = True) -> Body:
    """A server's addresses by the name of their network."""
    found: dict[str, list[Body]] = {}
    floating = nova.store.all("floatingips")
    for port in nova.store.all("ports"):
        if port["device_id"] != server["id"] or not port["device_owner"]:
            continue
        network = nova.store.get("networks", port["network_id"])
        entries = found.setdefault(network["name"] if network else "", [])
        for ip in port["fixed_ips"]:
            leads = [
                f
                for f in floating
                if f["port_id"] == port["id"] and f["fixed_ip_address"] == ip["ip_address"]
            ]
            pairs = [(ip["ip_address"], "fixed"), *((f["floating_ip_address"], "floating") for f in leads)]
            for address, kind in pairs:
                entry: Body = {"version": 6 if ":" in address else 4, "addr": address}
                if detail:
                    entry |= {"OS-EXT-IPS:type": kind, "OS-EXT-IPS-MAC:mac_addr": port["mac_address"]}
                entries.append(entry)
    return found


def show(nova: Nova, call: Call, server: Body) -> Body:
    """A server with everything that the caller may see."""
    version, flavor, root = call.version, server["_flavor"], call.base.removesuffix("/v2.1")
    status = status_of(server)
    shown: Body = {
        "accessIPv4": server["accessIPv4"],
        "accessIPv6": server["accessIPv6"],
        "addresses": addresses_of(nova, server),
        "created": zulu(server["created"]),
        "flavor": {
            "id": flavor["id"],
            "links": [{"rel": "bookmark", "href": f"{root}/flavors/{flavor['id']}"}],
        },
        "hostId": host_id(server["project_id"], server["_host"]),
        "id": server["id"],
        "image": ""
        if server["_boot_volume"] or not server["_image"]
        else {
            "id": server["_image"],
            "links": [{"rel": "bookmark", "href": f"{root}/images/{server['_image']}"}],
        },
        "links": nova.links(call, "servers", server["id"]),
        "metadata": server["metadata"],
        "name": server["name"],
        "status": status,
        "tenant_id": server["project_id"],
        "user_id": server["user_id"],
        "updated": zulu(server["updated"]),
        "OS-DCF:diskConfig": server["_disk_config"],
        "progress": 100 if status == "ACTIVE" and version < (2, 1) else 0,
        "OS-EXT-AZ:availability_zone": _ZONES.get(server["_host"], "") or "",
        "config_drive": server["_config_drive"],
        "key_name": server["_key"],
        "OS-SRV-USG:launched_at": server["_launched"],
        "OS-SRV-USG:terminated_at": None,
        "OS-EXT-STS:task_state": server["_task"],
        "OS-EXT-STS:vm_state": server["_state"],
        "OS-EXT-STS:power_state": server["_power"],
        "os-extended-volumes:volumes_attached": [
            {"id": v["volume_id"]} | ({"delete_on_termination": v["goes"]} if version >= (2, 3) else {})
            for v in server["_volumes"]
        ],
    }
    if server["_host"]:
        shown["security_groups"] = [{"name": name} for name in server["_groups"]]
    if server["_fault"] is not None and server["_state"] == "error":
        fault = server["_fault"]
        shown["fault"] = {
            "code": fault["code"],
            "created": zulu(fault["created"]),
            "message": fault["message"],
        }
    _newer(shown, server, version)
    if call.caller.admin:
        _for_admins(shown, server, version)
    return shown


def _newer(shown: Body, server: Body, version: tuple[int, int]) -> None:
    flavor = server["_flavor"]
    if version >= (2, 9):
        shown["locked"] = server["_locked"]
    if version >= (2, 19):
        shown["description"] = (
            server["_description"] if server["_description"] is not None else server["name"]
        )
    if version >= (2, 26):
        shown["tags"] = server["_tags"]
    if version >= (2, 47):
        shown["flavor"] = {
            key: flavor[key] for key in ("vcpus", "ram", "disk", "ephemeral", "swap", "extra_specs")
        }
        shown["flavor"]["original_name"] = flavor["name"]
    if version >= (2, 63):
        shown["trusted_image_certificates"] = None
    if version >= (2, 71):
        shown["server_groups"] = [server["_group"]] if server["_group"] else []
    if version >= (2, 73):
        shown["locked_reason"] = None
    if version >= (2, 90):
        shown["OS-EXT-SRV-ATTR:hostname"] = server["name"].lower()
    if version >= (2, 96):
        shown["pinned_availability_zone"] = server["_zone"]


def _for_admins(shown: Body, server: Body, version: tuple[int, int]) -> None:
    shown |= {
        "OS-EXT-SRV-ATTR:host": server["_host"] or None,
        "OS-EXT-SRV-ATTR:instance_name": f"instance-{server['_number']:08x}",
        "OS-EXT-SRV-ATTR:hypervisor_hostname": server["_host"] or None,
    }
    if version >= (2, 3):
        shown |= {
            "OS-EXT-SRV-ATTR:hostname": server["name"].lower(),
            "OS-EXT-SRV-ATTR:kernel_id": "",
            "OS-EXT-SRV-ATTR:launch_index": 0,
            "OS-EXT-SRV-ATTR:ramdisk_id": "",
            "OS-EXT-SRV-ATTR:reservation_id": server["_reservation"],
            "OS-EXT-SRV-ATTR:root_device_name": "/dev/sda",
            "OS-EXT-SRV-ATTR:user_data": server["_user_data"],
        }
    if version >= (2, 16):
        shown["host_status"] = "UP" if server["_host"] else ""

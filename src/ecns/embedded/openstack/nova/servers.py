"""Servers: made in a moment, on a host, with ports and volumes of the other services."""

from __future__ import annotations

import base64
import binascii
import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ecns.embedded.openstack.errors import bad, conflict, forbidden, missing
from ecns.embedded.openstack.http import Answer
from ecns.embedded.openstack.neutron.kinds import KINDS
from ecns.embedded.openstack.nova import hosts, quotas
from ecns.embedded.openstack.nova.lifecycle import BUILD_SECONDS, DELETE_SECONDS, Lifecycle
from ecns.embedded.openstack.nova.views import show
from ecns.embedded.openstack.service import UUID, links_of, new_id, now, page

if TYPE_CHECKING:
    from ecns.embedded.openstack.callers import Caller
    from ecns.embedded.openstack.nova.service import Nova
    from ecns.embedded.openstack.service import Call
    from ecns.embedded.openstack.store import Body

_FIELDS = frozenset(
    {
        "name",
        "imageRef",
        "flavorRef",
        "networks",
        "key_name",
        "metadata",
        "security_groups",
        "availability_zone",
    }
    | {
        "user_data",
        "block_device_mapping_v2",
        "block_device_mapping",
        "min_count",
        "max_count",
        "config_drive",
    }
    | {
        "adminPass",
        "personality",
        "description",
        "tags",
        "host",
        "hypervisor_hostname",
        "accessIPv4",
        "accessIPv6",
    }
    | {"OS-DCF:diskConfig", "return_reservation_id", "trusted_image_certificates", "hostname"}
)
_GET_ALL = "os_compute_api:servers:detail:get_all_tenants"
_MOST_OF_TEXT = 255


class Servers:
    """The operations on servers that are not actions."""

    def __init__(self, nova: Nova) -> None:
        self.nova = nova
        self.store = nova.store
        self.life = Lifecycle(nova)
        nova.route("GET", "/servers", lambda call: self._listed(call, detail=False))
        nova.route("GET", "/servers/detail", lambda call: self._listed(call, detail=True))
        nova.route("POST", "/servers", self._made, "member", "os_compute_api:servers:create")
        nova.route("GET", "/servers/{id}", self._shown)
        nova.route("PUT", "/servers/{id}", self._changed, "member", "os_compute_api:servers:update")
        nova.route("DELETE", "/servers/{id}", self._deleted, "member", "os_compute_api:servers:delete")
        meta = "/servers/{id}/metadata"
        nova.route("GET", meta, lambda call: Answer(body={"metadata": self.found(call)["metadata"]}))
        nova.route("POST", meta, self._metadata, "member", "os_compute_api:server-metadata:create")
        nova.route("PUT", meta, self._metadata, "member", "os_compute_api:server-metadata:update_all")
        nova.route(
            "DELETE",
            f"{meta}/{{key}}",
            self._metadatum_deleted,
            "member",
            "os_compute_api:server-metadata:delete",
        )

    def found(self, call: Call) -> Body:
        """The server that the path names.

        Raises:
            ProblemError: 404, there is none for the caller.
        """
        server = self.store.get("servers", call.names["id"])
        if server is None or not call.caller.sees(server):
            raise missing(f"Instance {call.names['id']} could not be found.")
        return server

    def resume(self) -> None:
        """Go on with servers that were being made or removed."""
        for server in self.store.all("servers"):
            if server["_task"] == "deleting":
                self.nova.cloud.later(DELETE_SECONDS, self.life.gone, server["id"])
            elif server["_state"] == "building":
                self.nova.cloud.later(BUILD_SECONDS, self.life.built, server["id"])

    # Lists

    def _listed(self, call: Call, *, detail: bool) -> Answer:
        every = call.flag("all_tenants")
        if every and not call.caller.admin:
            raise self.nova.disallowed(_GET_ALL if detail else _GET_ALL.replace(":detail", ":index"))
        found = self.store.all("servers") if every else self.nova.owned("servers", call.caller)
        if every and (project := call.text("project_id") or call.text("tenant_id")):
            found = [server for server in found if server["project_id"] == project]
        found = [server for server in found if self._matches(call, server)]
        key = {"display_name": "name", "uuid": "id"}.get(call.text("sort_key"), call.text("sort_key"))
        if key:
            found.sort(key=lambda server: str(server.get(key, "")), reverse=call.text("sort_dir") != "asc")
        else:
            found.reverse()
        found, following = page(call, found, lambda marker: bad(f"marker [{marker}] not found"))
        shown = [show(self.nova, call, server) for server in found]
        if not detail:
            shown = [{key: server[key] for key in ("id", "name", "links")} for server in shown]
        links = links_of(call, following)
        return Answer(body={"servers": shown} | ({"servers_links": links} if links else {}))

    def _matches(self, call: Call, server: Body) -> bool:
        shown = show(self.nova, call, server)
        for name, text in call.query:
            if name == "name" and text not in server["name"]:
                return False
            if name == "status" and shown["status"] != text.upper():
                return False
            if name == "availability_zone" and shown["OS-EXT-AZ:availability_zone"] != text:
                return False
            if name == "flavor" and server["_flavor"]["id"] != text:
                return False
            if name == "image" and server["_image"] != text:
                return False
            if name == "uuid" and server["id"] != text:
                return False
            if name == "ip" and not any(
                text in ip["addr"] for net in shown["addresses"].values() for ip in net
            ):
                return False
        return True

    def _shown(self, call: Call) -> Answer:
        return Answer(body={"server": show(self.nova, call, self.found(call))})

    # Making

    def _made(self, call: Call) -> Answer:
        sent = self.nova.body(call, "server")
        if unknown := [name for name in sent if name not in _FIELDS and not name.startswith(("os:", "OS-"))]:
            raise bad(
                f"Invalid input for field/attribute server. Value: {sent}. Additional properties are not "
                "allowed "
                f"('{unknown[0]}' was unexpected)"
            )
        for name in ("name", "flavorRef"):
            if name not in sent:
                raise bad(
                    f"Invalid input for field/attribute server. Value: {sent}. '{name}' is a required "
                    "property"
                )
        if not isinstance(sent["name"], str) or not 1 <= len(sent["name"].strip()) <= _MOST_OF_TEXT:
            raise bad(
                f"Invalid input for field/attribute name. Value: {sent['name']}. {sent['name']!r} is not "
                "a valid name"
            )
        count = self.nova.number(sent.get("min_count", 1), "min_count", 1)
        count = (
            max(count, self.nova.number(sent.get("max_count", count), "max_count", 1))
            if count == 1
            else count
        )
        template = self._template(call, sent)
        flavor = template["_flavor"]
        quotas.check(
            self.store,
            call.caller.project_id,
            {"instances": count, "cores": flavor["vcpus"] * count, "ram": flavor["ram"] * count},
        )
        networks = self._networks(call.caller, sent)
        made = [self._one(call, template, networks, number, count) for number in range(count)]
        password = sent.get("adminPass") or secrets.token_urlsafe(9)[:12]
        first = made[0]
        shown = {
            "id": first["id"],
            "links": self.nova.links(call, "servers", first["id"]),
            "OS-DCF:diskConfig": first["_disk_config"],
            "security_groups": [{"name": name} for name in first["_groups"]],
            "adminPass": password,
        }
        if sent.get("return_reservation_id"):
            return Answer(HTTPStatus.ACCEPTED, {"reservation_id": first["_reservation"]})
        return Answer(
            HTTPStatus.ACCEPTED, {"server": shown}, {"Location": f"{call.base}/servers/{first['id']}"}
        )

    def _template(self, call: Call, sent: Body) -> Body:
        """What all servers of one request have, once all of it is known to be good."""
        caller = call.caller
        zone = sent.get("availability_zone")
        if zone is not None and (str(zone).split(":")[0] not in hosts.ZONES):
            raise bad("The requested availability zone is not available")
        flavor = self.nova.flavors.found(caller, sent["flavorRef"])
        if flavor is None:
            raise bad(f"Flavor {sent['flavorRef']} could not be found.")
        image = self._image(caller, sent.get("imageRef"))
        devices = sent.get("block_device_mapping_v2") or []
        if not isinstance(devices, list) or not all(isinstance(device, dict) for device in devices):
            raise bad("Invalid input for field/attribute block_device_mapping_v2.")
        boot = next((d for d in devices if str(d.get("boot_index")) == "0"), None)
        if image is None and boot is None:
            raise bad("Invalid imageRef provided.")
        if image is not None and boot is None:
            for least, has, word in (("min_ram", "ram", "memory"), ("min_disk", "disk", "disk")):
                if image[least] > flavor[has]:
                    raise bad(f"Flavor's {word} is too small for requested image.")
        for device in devices:
            self._check_device(caller, device)
        key: Any = sent.get("key_name")
        if key is not None and self.nova.key(caller.user_id, key) is None:
            raise bad("Invalid key_name provided.")
        groups = self._groups(caller, sent.get("security_groups"))
        hints = sent.get("os:scheduler_hints") or {}
        group_id = hints.get("group") if isinstance(hints, dict) else None
        if group_id is not None and self.store.get("server-groups", group_id) is None:
            raise bad(f"Instance group {group_id} could not be found.")
        metadata = self.checked_metadata(sent.get("metadata") or {}, caller)
        return {
            "name": sent["name"].strip(),
            "project_id": caller.project_id,
            "user_id": caller.user_id,
            "metadata": metadata,
            "_flavor": {
                k: flavor[k]
                for k in ("id", "name", "vcpus", "ram", "disk", "ephemeral", "swap", "extra_specs")
            },
            "_image": image["id"] if image else "",
            "_devices": devices,
            "_boot_volume": boot is not None and boot.get("source_type") != "blank",
            "_key": key,
            "_groups": groups,
            "_group": group_id,
            "_zone": None if zone is None else str(zone).split(":")[0],
            "_user_data": self._user_data(sent.get("user_data")),
            "_description": sent.get("description"),
            "_tags": sent.get("tags") or [],
            "_config_drive": "True" if sent.get("config_drive") in {True, "true", "True", "1"} else "",
            "_disk_config": sent.get("OS-DCF:diskConfig") or "MANUAL",
            "accessIPv4": sent.get("accessIPv4") or "",
            "accessIPv6": sent.get("accessIPv6") or "",
        }

    def checked_metadata(self, metadata: Any, caller: Caller) -> dict[str, str]:
        """Metadata as it may be.

        Raises:
            ProblemError: 400, it is no object of short texts; 403, there are too many.
        """
        if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
            raise bad(
                f"Invalid input for field/attribute metadata. Value: {metadata}. {metadata} is not of "
                "type 'string'"
            )
        if any(len(key) > _MOST_OF_TEXT or len(value) > _MOST_OF_TEXT for key, value in metadata.items()):
            raise bad("Invalid metadata size: Metadata property key or value greater than 255 characters")
        most = quotas.limits(self.store, caller.project_id)["metadata_items"]
        if 0 <= most < len(metadata):
            raise forbidden(f"Maximum number of metadata items exceeds {most}")
        return metadata

    def _image(self, caller: Caller, reference: Any) -> Body | None:
        if reference in {None, ""}:
            return None
        if not isinstance(reference, str) or not UUID.fullmatch(reference):
            raise bad(
                f"Invalid input for field/attribute imageRef. Value: {reference}. {reference!r} is not "
                "valid under any of "
                "the given schemas"
            )
        image = self.nova.cloud.glance.seen(caller, reference)
        if image is None:
            raise bad("Can not find requested image")
        if image["status"] != "active":
            raise bad(f"Image {reference} is unacceptable: Image status must be active")
        return image

    def _check_device(self, caller: Caller, device: Body) -> None:
        source, identity = device.get("source_type"), device.get("uuid")
        if source not in {"volume", "snapshot", "image", "blank"}:
            raise bad(f"Block Device Mapping is Invalid: {source} is not a source type")
        if source == "volume":
            volume = self.store.get("volumes", identity)
            if volume is None or not caller.sees(volume):
                raise bad(f"Block Device Mapping is Invalid: failed to get volume {identity}.")
            if volume["status"] != "available":
                raise bad(
                    f"Invalid volume: status must be 'available'. Volume {identity} is in "
                    f"'{volume['status']}' status"
                )
            if str(device.get("boot_index")) == "0" and volume["bootable"] != "true":
                raise bad(f"Block Device {identity} is not bootable.")
        elif source == "snapshot":
            snapshot = self.store.get("snapshots", identity)
            if snapshot is None or not caller.sees(snapshot):
                raise bad(f"Block Device Mapping is Invalid: failed to get snapshot {identity}.")
        elif source == "image":
            if self.nova.cloud.glance.seen(caller, str(identity)) is None:
                raise bad(f"Block Device Mapping is Invalid: failed to get image {identity}.")
            if device.get("destination_type") == "volume" and not device.get("volume_size"):
                raise bad("Images with destination_type 'volume' need to have a non-zero size specified")

    def _groups(self, caller: Caller, asked: Any) -> list[str]:
        found = []
        for entry in asked or [{"name": "default"}]:
            name = entry.get("name") if isinstance(entry, dict) else None
            for group in self.store.all("security-groups"):
                if name in {group["id"], group["name"]} and group["project_id"] == caller.project_id:
                    found.append(group["name"])
                    break
            else:
                if name != "default":
                    raise bad(f"Unable to find security_group with name or id '{name}'")
                found.append("default")
        return list(dict.fromkeys(found))

    @staticmethod
    def _user_data(text: Any) -> str | None:
        if text is None:
            return None
        try:
            base64.b64decode(str(text), validate=True)
        except (ValueError, binascii.Error) as error:
            raise bad(
                f"Invalid input for field/attribute user_data. Value: {text}. {text!r} is not a 'base64'"
            ) from error
        return str(text)

    def _networks(self, caller: Caller, sent: Body) -> list[Body]:
        """What ports the server gets: `{"network"}` or `{"port"}`."""
        asked = sent.get("networks")
        neutron = self.nova.cloud.neutron
        if asked == "none":
            return []
        if asked in (None, "auto", []):
            own = [
                n
                for n in self.store.all("networks")
                if n["project_id"] == caller.project_id and not n["router:external"]
            ]
            usable = own or [n for n in self.store.all("networks") if n["shared"]]
            shared = [n for n in self.store.all("networks") if n["shared"] and n not in usable]
            if len(usable) + len(shared) > 1:
                raise conflict("Multiple possible networks found, use a Network ID to be more specific.")
            return [{"network": n["id"]} for n in usable]
        if not isinstance(asked, list) or not all(isinstance(entry, dict) for entry in asked):
            raise bad(f"Invalid input for field/attribute networks. Value: {asked}.")
        found: list[Body] = []
        for entry in asked:
            if port_id := entry.get("port"):
                port = self.store.get("ports", port_id)
                if port is None or not caller.sees(port):
                    raise bad(f"Port id {port_id} could not be found.")
                if port["device_id"]:
                    raise conflict(f"Port {port_id} is still in use.")
                if not port["fixed_ips"]:
                    raise bad(f"Port {port_id} requires a FixedIP in order to be used.")
                found.append({"port": port_id})
                continue
            network = self.store.get("networks", entry.get("uuid"))
            if network is None or not neutron.seen(caller, KINDS["networks"], network):
                raise bad(f"Network {entry.get('uuid')} could not be found.")
            if network["router:external"] and not caller.admin and not network["shared"]:
                raise forbidden(
                    f"It is not allowed to create an interface on external network {network['id']}"
                )
            if not any(subnet["network_id"] == network["id"] for subnet in self.store.all("subnets")):
                raise bad(f"Network {network['id']} requires a subnet in order to boot instances on.")
            found.append({"network": network["id"], "fixed_ip": entry.get("fixed_ip")})
        return found

    def _one(self, call: Call, template: Body, networks: list[Body], number: int, count: int) -> Body:
        moment = now()
        name = template["name"] if count == 1 else f"{template['name']}-{number + 1}"
        server: Body = {
            "id": new_id(),
            **template,
            "name": name,
            "metadata": dict(template["metadata"]),
            "created": moment,
            "updated": moment,
            "_state": "building",
            "_task": "scheduling",
            "_power": 0,
            "_host": "",
            "_fault": None,
            "_launched": None,
            "_networks": networks,
            "_volumes": [],
            "_reservation": f"r-{secrets.token_hex(4)}",
            "_number": 1 + len(self.store.all("servers")),
            "_locked": False,
            "_actions": [],
        }
        self.record(call, server, "create")
        group = self.store.get("server-groups", server["_group"])
        if group is not None:
            group["members"].append(server["id"])
            self.store.save("server-groups", group)
        self.store.save("servers", server)
        for entry in networks:
            port = self.store.get("ports", entry.get("port"))
            if port is not None:
                port["device_id"] = server["id"]
                self.store.save("ports", port)
        for device in server["_devices"]:
            if device["source_type"] == "volume":
                self.nova.cloud.cinder.reserve(device["uuid"])
        self.nova.cloud.later(BUILD_SECONDS, self.life.built, server["id"])
        return server

    def record(self, call: Call, server: Body, action: str) -> None:
        """Remember what was done with a server."""
        server["_actions"].append(
            {
                "action": action,
                "instance_uuid": server["id"],
                "request_id": call.request_id,
                "user_id": call.caller.user_id,
                "project_id": call.caller.project_id,
                "start_time": now(),
                "message": None,
            }
        )

    # Changes

    def _changed(self, call: Call) -> Answer:
        server, sent = self.found(call), self.nova.body(call, "server")
        if unknown := set(sent) - {
            "name",
            "description",
            "accessIPv4",
            "accessIPv6",
            "OS-DCF:diskConfig",
            "hostname",
        }:
            raise bad(f"Additional properties are not allowed ('{min(unknown)}' was unexpected)")
        name = sent.get("name", server["name"])
        if not isinstance(name, str) or not 1 <= len(name.strip()) <= _MOST_OF_TEXT:
            raise bad(f"Invalid input for field/attribute name. Value: {name}. {name!r} is not a valid name")
        server["name"] = name.strip()
        server["_description"] = sent.get("description", server["_description"])
        for key in ("accessIPv4", "accessIPv6"):
            server[key] = sent.get(key, server[key])
        server["updated"] = now()
        self.store.save("servers", server)
        return Answer(body={"server": show(self.nova, call, server)})

    def _metadata(self, call: Call) -> Answer:
        server = self.found(call)
        sent = self.nova.body(call, "metadata")
        merged = sent if call.method == "PUT" else server["metadata"] | sent
        server["metadata"] = self.checked_metadata(merged, call.caller)
        self.store.save("servers", server)
        return Answer(body={"metadata": server["metadata"]})

    def _metadatum_deleted(self, call: Call) -> Answer:
        server = self.found(call)
        if call.names["key"] not in server["metadata"]:
            raise missing("Metadata item was not found")
        del server["metadata"][call.names["key"]]
        self.store.save("servers", server)
        return Answer(HTTPStatus.NO_CONTENT)

    def _deleted(self, call: Call) -> Answer:
        server = self.found(call)
        if server["_locked"] and not call.caller.admin:
            raise conflict(f"Instance {server['id']} is locked")
        server["_task"] = "deleting"
        self.store.save("servers", server)
        self.nova.cloud.later(DELETE_SECONDS, self.life.gone, server["id"])
        return Answer(HTTPStatus.NO_CONTENT)

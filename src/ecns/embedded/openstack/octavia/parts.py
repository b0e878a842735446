"""Load balancers, listeners, pools, members and monitors: one tree, of which one thing changes at a time."""

from __future__ import annotations

import ipaddress
from http import HTTPStatus
from typing import TYPE_CHECKING

from ecns.embedded.openstack.errors import ProblemError, bad, conflict, missing
from ecns.embedded.openstack.http import Answer
from ecns.embedded.openstack.neutron.kinds import KINDS as NETWORKING
from ecns.embedded.openstack.octavia.flavors import PROVIDER, ROOT
from ecns.embedded.openstack.octavia.kinds import (
    LISTENER,
    LOAD_BALANCER,
    MEMBER,
    MONITOR,
    POOL,
    Kind,
    invalid,
    read,
)
from ecns.embedded.openstack.octavia.views import show, tree
from ecns.embedded.openstack.service import new_id, now

if TYPE_CHECKING:
    from ecns.embedded.openstack.callers import Caller
    from ecns.embedded.openstack.octavia.service import Octavia
    from ecns.embedded.openstack.service import Call
    from ecns.embedded.openstack.store import Body

CREATE_SECONDS = 0.3
CHANGE_SECONDS = 0.1
_STATS = ("bytes_in", "bytes_out", "active_connections", "total_connections", "request_errors")


class Balancers:
    """The operations on load balancers and their parts."""

    def __init__(self, octavia: Octavia) -> None:
        self.octavia = octavia
        self.store = octavia.store
        for kind in (LOAD_BALANCER, LISTENER, POOL, MONITOR):
            self._collection(kind, f"{ROOT}/{kind.plural}")
        members = f"{ROOT}/pools/{{pool}}/members"
        self._collection(MEMBER, members)
        octavia.route("PUT", members, self._members_replaced, "member")
        balancer, listener = f"{ROOT}/loadbalancers/{{id}}", f"{ROOT}/listeners/{{id}}"
        octavia.route("GET", f"{balancer}/stats", lambda call: self._stats(call, LOAD_BALANCER))
        octavia.route("GET", f"{listener}/stats", lambda call: self._stats(call, LISTENER))
        for word in ("status", "statuses"):
            octavia.route("GET", f"{ROOT}/loadbalancers/{{id}}/{word}", self._status)
        octavia.route("PUT", f"{ROOT}/loadbalancers/{{id}}/failover", self._failover, "admin")

    def _collection(self, kind: Kind, path: str) -> None:
        route, one = self.octavia.route, f"{path}/{{id}}"
        route("GET", path, lambda call: self._listed(call, kind))
        route("POST", path, lambda call: self._made(call, kind), "member")
        route("GET", one, lambda call: self._said(kind, self._found(call, kind)))
        route("PUT", one, lambda call: self._changed(call, kind), "member")
        route("DELETE", one, lambda call: self._deleted(call, kind), "member")

    def _said(self, kind: Kind, body: Body, status: HTTPStatus = HTTPStatus.OK) -> Answer:
        return Answer(status, {kind.singular: show(self.store, kind, body)})

    def _found(self, call: Call, kind: Kind) -> Body:
        body = self.octavia.found(call, kind, call.names["id"])
        if kind is MEMBER and body["pool_id"] != call.names["pool"]:
            raise missing(f"Member {body['id']} not found.")
        return body

    def _listed(self, call: Call, kind: Kind) -> Answer:
        bodies = self.store.all(kind.plural)
        if kind is MEMBER:
            pool = self.octavia.found(call, POOL, call.names["pool"])
            bodies = [body for body in bodies if body["pool_id"] == pool["id"]]
        else:
            bodies = [body for body in bodies if call.caller.sees(body)]
        return self.octavia.collection(call, kind, [show(self.store, kind, body) for body in bodies])

    def _stats(self, call: Call, kind: Kind) -> Answer:
        self._found(call, kind)
        return Answer(body={"stats": dict.fromkeys(_STATS, 0)})

    def _status(self, call: Call) -> Answer:
        return Answer(body={"statuses": {"loadbalancer": tree(self.store, self._found(call, LOAD_BALANCER))}})

    # Pending and settled

    def resume(self) -> None:
        """Settle what was pending."""
        for balancer in self.store.all("loadbalancers"):
            if balancer["provisioning_status"].startswith("PENDING"):
                self.octavia.cloud.later(CREATE_SECONDS, self._settled, balancer["id"])

    def parts(self, balancer_id: str) -> list[tuple[Kind, Body]]:
        """Everything that a load balancer is made of."""
        return [
            (kind, body)
            for kind in (MEMBER, MONITOR, POOL, LISTENER)
            for body in self.store.all(kind.plural)
            if body["_balancer"] == balancer_id
        ]

    def _balancer(self, identity: str) -> Body:
        found = self.store.get("loadbalancers", identity)
        if found is None:
            raise missing(f"Load Balancer {identity} not found.")
        return found

    def _free(self, balancer: Body) -> None:
        """See that nothing of a load balancer is pending.

        Raises:
            ProblemError: 409, something is.
        """
        if balancer["provisioning_status"] not in {"ACTIVE", "ERROR"}:
            raise self.octavia.immutable("Load Balancer", balancer["id"])

    def _pend(self, balancer: Body, *changed: tuple[Kind, Body, str], status: str = "PENDING_UPDATE") -> None:
        """Make a load balancer and some of its parts pending, and settle them in a moment."""
        for kind, body, pending in changed:
            body["provisioning_status"] = pending
            self.store.save(kind.plural, body)
        balancer["provisioning_status"] = status
        self.store.save("loadbalancers", balancer)
        seconds = CREATE_SECONDS if status == "PENDING_CREATE" else CHANGE_SECONDS
        self.octavia.cloud.later(seconds, self._settled, balancer["id"])

    def _settled(self, identity: str) -> None:
        balancer = self.store.get("loadbalancers", identity)
        if balancer is None:
            return
        going = balancer["provisioning_status"] == "PENDING_DELETE"
        moment = now()
        for kind, body in self.parts(identity):
            if going or body["provisioning_status"] == "PENDING_DELETE":
                self._forget(kind, body)
            elif body["provisioning_status"].startswith("PENDING"):
                body |= {"provisioning_status": "ACTIVE", "updated_at": moment}
                self.store.save(kind.plural, body)
        if going:
            self._free_address(balancer)
            self.store.delete("loadbalancers", identity)
            return
        balancer |= {"provisioning_status": "ACTIVE", "updated_at": moment}
        self.store.save("loadbalancers", balancer)
        self._operate(balancer)

    def _operate(self, balancer: Body) -> None:
        """Whether it works is as a healthy one would say: nothing here carries traffic."""
        up = "ONLINE" if balancer["admin_state_up"] else "OFFLINE"
        balancer["operating_status"] = up
        self.store.save("loadbalancers", balancer)
        watched = {monitor["pool_id"] for monitor in self.store.all("healthmonitors")}
        for kind, body in self.parts(balancer["id"]):
            status = "ONLINE" if body["admin_state_up"] else "OFFLINE"
            if kind is MEMBER and body["pool_id"] not in watched:
                status = "NO_MONITOR"
            if body["operating_status"] != status:
                body["operating_status"] = status
                self.store.save(kind.plural, body)

    def _forget(self, kind: Kind, body: Body) -> None:
        self.store.delete(kind.plural, body["id"])
        if kind is POOL:
            for listener in self.store.all("listeners"):
                if listener["default_pool_id"] == body["id"]:
                    listener["default_pool_id"] = None
                    self.store.save("listeners", listener)

    # Making

    def _made(self, call: Call, kind: Kind) -> Answer:
        sent = call.json()
        if not isinstance(sent, dict) or not isinstance(sent.get(kind.singular), dict):
            raise invalid(kind.singular, None, "Mandatory field missing.")
        fields = read(kind, sent[kind.singular], new=True)
        if kind is LOAD_BALANCER:
            return self._said(kind, self._new_balancer(call, fields), HTTPStatus.CREATED)
        if kind is MEMBER:
            fields["pool_id"] = call.names["pool"]
        balancer = self._parent(call, kind, fields)
        body = self._new_part(kind, balancer, fields)
        self._pend(balancer, (kind, body, "PENDING_CREATE"))
        return self._said(kind, body, HTTPStatus.CREATED)

    def _new_balancer(self, call: Call, fields: Body) -> Body:
        project = fields.pop("project_id") or fields.pop("tenant_id", None) or call.caller.project_id
        fields.pop("tenant_id", None)
        if project != call.caller.project_id and not call.caller.admin:
            raise self.octavia.disallowed("")
        if not any(fields[name] for name in ("vip_port_id", "vip_network_id", "vip_subnet_id")):
            raise bad(
                "Validation failure: VIP must contain one of: vip_port_id, vip_network_id, vip_subnet_id."
            )
        self._check_choices(fields)
        if any(fields.pop(name) for name in ("listeners", "pools")):
            raise ProblemError(
                HTTPStatus.NOT_IMPLEMENTED,
                "The stand-in makes listeners and pools one by one, not with a load balancer.",
            )
        self.octavia.flavors.check("loadbalancers", project)
        balancer = {
            "id": new_id(),
            **fields,
            "provider": PROVIDER,
            "project_id": project,
            "provisioning_status": "PENDING_CREATE",
            "operating_status": "OFFLINE",
            "created_at": now(),
            "updated_at": None,
            "vip_vnic_type": "normal",
        }
        balancer |= self._address(call.caller, balancer)
        self._pend(balancer, status="PENDING_CREATE")
        return balancer

    def _check_choices(self, fields: Body) -> None:
        if fields["provider"] not in {None, PROVIDER, "octavia"}:
            raise bad(f"Provider '{fields['provider']}' is not enabled.")
        if fields["flavor_id"] is not None:
            flavor = self.store.get("balancer-flavors", fields["flavor_id"])
            if flavor is None:
                raise bad("Validation failure: Invalid flavor_id.")
            if not flavor["enabled"]:
                raise bad(f"The selected flavor is not allowed in this deployment: {flavor['id']}")
        if (name := fields["availability_zone"]) is not None:
            zone = next((z for z in self.store.all("balancer-availabilityzones") if z["name"] == name), None)
            if zone is None:
                raise bad("Validation failure: Invalid availability zone.")
            if not zone["enabled"]:
                raise bad(f"The selected availability zone is not allowed in this deployment: {name}")

    def _address(self, caller: Caller, balancer: Body) -> Body:
        """The port with the balancer's address, and where it is."""
        neutron = self.octavia.cloud.neutron
        if (port_id := balancer["vip_port_id"]) is not None:
            port = self.store.get("ports", port_id)
            if port is None or not caller.sees(port):
                raise bad(f"Port {port_id} not found.")
            if not port["fixed_ips"]:
                raise bad("Validation failure: VIP port's subnet could not be determined.")
            own = False
        else:
            port, own = self._own_port(caller, balancer), True
        port |= {"device_id": f"lb-{balancer['id']}", "device_owner": "Octavia"} if own else {}
        neutron.touch("ports", port)
        fixed = port["fixed_ips"][0]
        return {
            "vip_port_id": port["id"],
            "vip_address": fixed["ip_address"],
            "vip_subnet_id": fixed["subnet_id"],
            "vip_network_id": port["network_id"],
            "_own_port": own,
        }

    def _own_port(self, caller: Caller, balancer: Body) -> Body:
        neutron = self.octavia.cloud.neutron
        fixed: Body = {"ip_address": balancer["vip_address"]} if balancer["vip_address"] else {}
        if (subnet_id := balancer["vip_subnet_id"]) is not None:
            subnet = self.store.get("subnets", subnet_id)
            if subnet is None or not neutron.seen(caller, NETWORKING["subnets"], subnet):
                raise bad(f"Subnet {subnet_id} not found.")
            fixed["subnet_id"], network_id = subnet_id, subnet["network_id"]
        else:
            network_id = balancer["vip_network_id"]
            network = self.store.get("networks", network_id)
            if network is None or not neutron.seen(caller, NETWORKING["networks"], network):
                raise bad(f"Network {network_id} not found.")
        sent: Body = {
            "network_id": network_id,
            "name": f"octavia-lb-{balancer['id']}",
            "admin_state_up": False,
            **({"fixed_ips": [fixed]} if fixed else {}),
        }
        if caller.admin:
            sent["project_id"] = balancer["project_id"]
        try:
            return neutron.make(caller, NETWORKING["ports"], {"port": sent})
        except ProblemError as error:
            if error.status == HTTPStatus.CONFLICT:
                raise ProblemError(
                    HTTPStatus.CONFLICT, f"Provider '{PROVIDER}' reports error: {error.message}"
                ) from error
            raise ProblemError(
                HTTPStatus.INTERNAL_SERVER_ERROR,
                f"Provider '{PROVIDER}' reports error: BadRequestException: {error.status}",
            ) from error

    def _parent(self, call: Call, kind: Kind, fields: Body) -> Body:
        """The load balancer that a new part is for, once it is known to be free."""
        if kind is LISTENER:
            above = self.octavia.found(call, LOAD_BALANCER, fields["loadbalancer_id"])["id"]
        elif kind is POOL:
            if fields["listener_id"]:
                above = self.octavia.found(call, LISTENER, fields["listener_id"])["_balancer"]
            elif fields["loadbalancer_id"]:
                above = self.octavia.found(call, LOAD_BALANCER, fields["loadbalancer_id"])["id"]
            else:
                raise bad("Validation failure: Must provide at least one of: loadbalancer_id, listener_id")
        else:
            above = self.octavia.found(call, POOL, fields["pool_id"])["_balancer"]
        balancer = self._balancer(above)
        self._check_part(kind, balancer, fields)
        self.octavia.flavors.check(kind.plural, balancer["project_id"])
        self._free(balancer)
        return balancer

    def _check_part(self, kind: Kind, balancer: Body, fields: Body) -> None:
        if kind is LISTENER:
            for other in self.store.all("listeners"):
                same = other["protocol_port"] == fields["protocol_port"] and (other["protocol"] == "UDP") == (
                    fields["protocol"] == "UDP"
                )
                if other["_balancer"] == balancer["id"] and same:
                    raise conflict(
                        "Another Listener on this Load Balancer is already using protocol "
                        f"{fields['protocol']} and "
                        f"protocol_port {fields['protocol_port']}"
                    )
            if fields["default_pool_id"] is not None:
                pool = self.store.get("pools", fields["default_pool_id"])
                if pool is None or pool["_balancer"] != balancer["id"]:
                    raise missing(f"Pool {fields['default_pool_id']} not found.")
        elif kind is POOL and fields["listener_id"]:
            listener = self.store.get("listeners", fields["listener_id"])
            if listener and listener["default_pool_id"]:
                raise conflict("A Default Pool already exists for this Listener")
        elif kind is MEMBER:
            self._check_member(fields)
        elif kind is MONITOR and any(
            m["pool_id"] == fields["pool_id"] for m in self.store.all("healthmonitors")
        ):
            raise conflict("This pool already has a health monitor")

    def _check_member(self, fields: Body) -> None:
        address = str(ipaddress.ip_address(fields["address"]))
        for other in self.store.all("members"):
            if (other["pool_id"], other["address"], other["protocol_port"]) == (
                fields["pool_id"],
                address,
                fields["protocol_port"],
            ):
                raise conflict(
                    f"Another member on this pool is already using ip {address} on protocol_port "
                    f"{fields['protocol_port']}"
                )
        if fields["subnet_id"] is not None and self.store.get("subnets", fields["subnet_id"]) is None:
            raise bad(f"Subnet {fields['subnet_id']} not found.")

    def _new_part(self, kind: Kind, balancer: Body, fields: Body) -> Body:
        body = {
            "id": new_id(),
            **{name: value for name, value in fields.items() if name not in {"project_id", "tenant_id"}},
            "project_id": balancer["project_id"],
            "provisioning_status": "PENDING_CREATE",
            "operating_status": "NO_MONITOR" if kind is MEMBER else "OFFLINE",
            "created_at": now(),
            "updated_at": None,
            "_balancer": balancer["id"],
        }
        if kind is MONITOR and body["type"] in {"HTTP", "HTTPS"}:
            for name, usual in (("http_method", "GET"), ("url_path", "/"), ("expected_codes", "200")):
                body[name] = body[name] or usual
        self.store.save(kind.plural, body)
        if kind is POOL and fields["listener_id"]:
            listener = self.store.get("listeners", fields["listener_id"])
            if listener is not None:
                listener["default_pool_id"] = body["id"]
                self.store.save("listeners", listener)
        return body

    # Changing

    def _changed(self, call: Call, kind: Kind) -> Answer:
        body, sent = self._found(call, kind), call.json()
        if not isinstance(sent, dict) or not isinstance(sent.get(kind.singular), dict):
            raise invalid(kind.singular, None, "Mandatory field missing.")
        fields = read(kind, sent[kind.singular], new=False)
        balancer = body if kind is LOAD_BALANCER else self._balancer(body["_balancer"])
        self._free(balancer)
        if kind is LISTENER and fields.get("default_pool_id"):
            self._check_part(kind, balancer, {**body, **fields, "protocol_port": 0})
        for name, value in fields.items():
            usual = kind.fields[name]
            body[name] = usual if value is None and name != "default_pool_id" else value
        changed = () if kind is LOAD_BALANCER else ((kind, body, "PENDING_UPDATE"),)
        self._pend(balancer, *changed)
        return self._said(kind, body)

    def _members_replaced(self, call: Call) -> Answer:
        pool, sent = self.octavia.found(call, POOL, call.names["pool"]), call.json()
        if not isinstance(sent, dict) or not isinstance(sent.get("members"), list):
            raise invalid("members", None, "Mandatory field missing.")
        balancer = self._balancer(pool["_balancer"])
        self._free(balancer)
        wanted = [read(MEMBER, one, new=True) | {"pool_id": pool["id"]} for one in sent["members"]]
        current = {
            (m["address"], m["protocol_port"]): m
            for m in self.store.all("members")
            if m["pool_id"] == pool["id"]
        }
        changes: list[tuple[Kind, Body, str]] = []
        kept = set()
        for fields in wanted:
            key = (str(ipaddress.ip_address(fields["address"])), fields["protocol_port"])
            kept.add(key)
            if member := current.get(key):
                for name in ("name", "weight", "backup", "admin_state_up", "monitor_address", "monitor_port"):
                    member[name] = fields[name]
                changes.append((MEMBER, member, "PENDING_UPDATE"))
            else:
                self._check_member(fields)
                self.octavia.flavors.check("members", balancer["project_id"])
                changes.append((MEMBER, self._new_part(MEMBER, balancer, fields), "PENDING_CREATE"))
        if not call.flag("additive_only"):
            changes += [
                (MEMBER, member, "PENDING_DELETE") for key, member in current.items() if key not in kept
            ]
        self._pend(balancer, *changes)
        return Answer(HTTPStatus.ACCEPTED)

    def _deleted(self, call: Call, kind: Kind) -> Answer:
        body = self._found(call, kind)
        if kind is LOAD_BALANCER:
            if body["provisioning_status"] not in {"ACTIVE", "ERROR"}:
                raise conflict(
                    f"Invalid state {body['provisioning_status']} of loadbalancer resource {body['id']}"
                )
            if self.parts(body["id"]) and not call.flag("cascade"):
                raise bad(f"Validation failure: Cannot delete Load Balancer {body['id']} - it has children")
            self._pend(body, status="PENDING_DELETE")
            return Answer(HTTPStatus.NO_CONTENT)
        balancer = self._balancer(body["_balancer"])
        self._free(balancer)
        gone = [(kind, body, "PENDING_DELETE")]
        if kind is POOL:
            below = ((MEMBER, "members"), (MONITOR, "healthmonitors"))
            gone += [
                (k, b, "PENDING_DELETE")
                for k, p in below
                for b in self.store.all(p)
                if b["pool_id"] == body["id"]
            ]
        self._pend(balancer, *gone)
        return Answer(HTTPStatus.NO_CONTENT)

    def _free_address(self, balancer: Body) -> None:
        port = self.store.get("ports", balancer["vip_port_id"])
        if port is not None and balancer["_own_port"]:
            port["device_owner"] = ""
            self.octavia.cloud.neutron.parts["ports"].delete(port)
            self.store.delete("ports", port["id"])

    def _failover(self, call: Call) -> Answer:
        balancer = self._found(call, LOAD_BALANCER)
        self._free(balancer)
        self._pend(balancer)
        return Answer(HTTPStatus.ACCEPTED)

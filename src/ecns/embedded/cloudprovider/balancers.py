"""Load balancers brought to what Services ask for, one by one."""

from __future__ import annotations

import ipaddress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ecns.embedded.cloudprovider import wishes
from ecns.embedded.cloudprovider.openstack import RefusedError

if TYPE_CHECKING:
    from ecns.embedded.cloudprovider.config import Config
    from ecns.embedded.cloudprovider.openstack import OpenStack
    from ecns.embedded.cloudprovider.wishes import Member, Object

FLOATING = "floatingips"


class Balancers:
    """The load balancers of one cluster.

    Args:
        cloud: where they are.
        config: what is usual.
        cluster: whose they are.
    """

    def __init__(self, cloud: OpenStack, config: Config, cluster: str) -> None:
        self._cloud = cloud
        self._config = config
        self._cluster = cluster

    async def found(self, service: Object) -> Object | None:
        """A Service's load balancer, by the annotation or by its name."""
        if identity := wishes.annotation(service, "load-balancer-id"):
            return await self._cloud.balancer(identity)
        name = wishes.name_of(self._cluster, service)
        return next(iter(await self._cloud.listed("loadbalancers", name=name)), None)

    async def ensure(self, service: Object, members: list[Member], project_id: str) -> tuple[str, str]:
        """Make or change a Service's load balancer; its id and the address to reach it by.

        Raises:
            RefusedError: the cloud refuses.
        """
        balancer = await self.found(service)
        if balancer is None:
            if wishes.annotation(service, "load-balancer-id"):
                raise RefusedError(HTTPStatus.NOT_FOUND, "the load balancer of the annotation is not there")
            where = await self._subnet(service, project_id)
            body = wishes.balancer(service, self._cluster, where, project_id)
            path = "/v2.0/lbaas/loadbalancers"
            balancer = (await self._cloud.call("load-balancer", "POST", path, {"loadbalancer": body}))[
                "loadbalancer"
            ]
        identity = str(balancer["id"])
        balancer = await self._cloud.settled(identity)
        if balancer is None:
            raise RefusedError(HTTPStatus.CONFLICT, f"load balancer {identity} went away")
        subnet = await self._subnet_of(balancer)
        await self._listeners(service, balancer, members, subnet)
        return identity, await self._address(service, balancer)

    async def _subnet(self, service: Object, project_id: str) -> str:
        if found := wishes.annotation(service, "subnet-id") or self._config.subnet_id:
            return found
        if wishes.annotation(service, "network-id"):
            return ""
        subnets = await self._cloud.networking("subnets", project_id=project_id)
        routed = {
            ip["subnet_id"]
            for port in await self._cloud.networking("ports", device_owner="network:router_interface")
            for ip in port["fixed_ips"]
        }
        subnets.sort(key=lambda subnet: (subnet["id"] not in routed, subnet["name"]))
        if not subnets:
            raise RefusedError(HTTPStatus.BAD_REQUEST, "no subnet-id is set, and the project has no subnet")
        return str(subnets[0]["id"])

    async def _subnet_of(self, balancer: Object) -> Object:
        found: Object = (
            await self._cloud.call("network", "GET", f"/v2.0/subnets/{balancer['vip_subnet_id']}")
        )["subnet"]
        return found

    # Listeners, pools, members

    async def _listeners(
        self, service: Object, balancer: Object, members: list[Member], subnet: Object
    ) -> None:
        name, identity = wishes.name_of(self._cluster, service), balancer["id"]
        have = await self._of(identity)
        kept = set()
        for number, port in enumerate(service["spec"].get("ports") or ()):
            key = (wishes.protocol_of(service, port), port["port"])
            kept.add(key)
            fields = wishes.listener(service, port)
            listener = have.get(key)
            if listener is None:
                about = {
                    "name": f"listener_{number}_{name}"[:255],
                    "protocol": key[0],
                    "protocol_port": key[1],
                }
                body = {**about, **fields, "loadbalancer_id": identity, "tags": [name]}
                made = await self._cloud.changed(identity, "POST", "/listeners", {"listener": body})
                listener = made["listener"]
            elif changed := {k: v for k, v in fields.items() if (listener[k] or None) != (v or None)}:
                await self._cloud.changed(
                    identity, "PUT", f"/listeners/{listener['id']}", {"listener": changed}
                )
            await self._pool(
                service, port, number, balancer=identity, listener=listener, members=members, subnet=subnet
            )
        for key, listener in have.items():
            if key not in kept and (name in listener["tags"]):
                if pool := listener["default_pool_id"]:
                    await self._cloud.changed(identity, "DELETE", f"/pools/{pool}")
                await self._cloud.changed(identity, "DELETE", f"/listeners/{listener['id']}")

    async def _of(self, balancer: str) -> dict[tuple[str, int], Object]:
        every = await self._cloud.listed("listeners")
        return {
            (one["protocol"], one["protocol_port"]): one
            for one in every
            if any(above["id"] == balancer for above in one["loadbalancers"])
        }

    async def _pool(
        self,
        service: Object,
        port: Object,
        number: int,
        *,
        balancer: str,
        listener: Object,
        members: list[Member],
        subnet: Object,
    ) -> None:
        name = wishes.name_of(self._cluster, service)
        fields = wishes.pool(service, port)
        pool_id = listener["default_pool_id"]
        if pool_id is None:
            body = {**fields, "name": f"pool_{number}_{name}"[:255], "listener_id": listener["id"]}
            body = {key: value for key, value in body.items() if value is not None}
            pool_id = (await self._cloud.changed(balancer, "POST", "/pools", {"pool": body}))["pool"]["id"]
        pool = (await self._cloud.call("load-balancer", "GET", f"/v2.0/lbaas/pools/{pool_id}"))["pool"]
        if pool["session_persistence"] is not None or fields["session_persistence"] is not None:
            wanted = fields["session_persistence"]
            if (pool["session_persistence"] or {}).get("type") != (wanted or {}).get("type"):
                await self._cloud.changed(
                    balancer, "PUT", f"/pools/{pool_id}", {"pool": {"session_persistence": wanted}}
                )
        await self._members(balancer, pool_id, port, members, subnet)
        await self._monitor(service, balancer, pool, number)

    async def _members(
        self, balancer: str, pool_id: str, port: Object, members: list[Member], subnet: Object
    ) -> None:
        block = ipaddress.ip_network(subnet["cidr"])
        wanted: list[Object] = []
        for member in members:
            one: Object = {"name": member.name, "address": member.address, "protocol_port": port["nodePort"]}
            if ipaddress.ip_address(member.address) in block:
                one["subnet_id"] = subnet["id"]
            wanted.append(one)
        path = f"/pools/{pool_id}/members"
        have = {(one["address"], one["protocol_port"]) for one in await self._cloud.listed(path[1:])}
        if have != {(one["address"], one["protocol_port"]) for one in wanted}:
            await self._cloud.changed(balancer, "PUT", path, {"members": wanted})

    async def _monitor(self, service: Object, balancer: str, pool: Object, number: int) -> None:
        current = pool.get("healthmonitor_id")
        wanted = wishes.monitored(service, usual=self._config.monitor)
        if current and not wanted:
            await self._cloud.changed(balancer, "DELETE", f"/healthmonitors/{current}")
        elif wanted and not current:
            kind = {"UDP": "UDP-CONNECT", "HTTP": "TCP"}.get(pool["protocol"], "TCP")
            body = {
                "name": f"monitor_{number}_{wishes.name_of(self._cluster, service)}"[:255],
                "pool_id": pool["id"],
                "type": kind,
                "delay": self._config.delay,
                "timeout": self._config.timeout,
                "max_retries": self._config.retries,
            }
            await self._cloud.changed(balancer, "POST", "/healthmonitors", {"healthmonitor": body})

    # Public addresses

    async def _address(self, service: Object, balancer: Object) -> str:
        port = balancer["vip_port_id"]
        current = next(iter(await self._cloud.networking(FLOATING, port_id=port)), None)
        if wishes.internal(service, usual=self._config.internal):
            if current is not None:
                await self._cloud.call("network", "DELETE", f"/v2.0/{FLOATING}/{current['id']}")
            return str(balancer["vip_address"])
        if current is None:
            current = await self._floating(service, balancer)
        return str(current["floating_ip_address"])

    async def _floating(self, service: Object, balancer: Object) -> Object:
        port, project = balancer["vip_port_id"], balancer["project_id"]
        if asked := service["spec"].get("loadBalancerIP"):
            for address in await self._cloud.networking(FLOATING, floating_ip_address=asked):
                path = f"/v2.0/{FLOATING}/{address['id']}"
                found: Object = (
                    await self._cloud.call("network", "PUT", path, {"floatingip": {"port_id": port}})
                )["floatingip"]
                return found
        network = wishes.annotation(service, "floating-network-id") or self._config.floating_network_id
        if not network:
            external = await self._cloud.networking("networks", **{"router:external": "true"})
            if not external:
                raise RefusedError(
                    HTTPStatus.BAD_REQUEST, "floating-network-id is not set, and there is no external network"
                )
            network = external[0]["id"]
        meta = service["metadata"]
        name = f"{meta['namespace']}/{meta['name']}"
        about = f"Floating IP for Kubernetes external service {name} from cluster {self._cluster}"
        body = {
            "floating_network_id": network,
            "port_id": port,
            "project_id": project,
            "description": about[:255],
        }
        if subnet := wishes.annotation(service, "floating-subnet-id"):
            body["subnet_id"] = subnet
        made: Object = (await self._cloud.call("network", "POST", f"/v2.0/{FLOATING}", {"floatingip": body}))[
            "floatingip"
        ]
        return made

    # Removing

    async def remove(self, service: Object) -> None:
        """Remove a Service's load balancer, or its part of one that others share.

        Raises:
            RefusedError: the cloud refuses.
        """
        balancer = await self.found(service)
        if balancer is None:
            return
        name, identity = wishes.name_of(self._cluster, service), balancer["id"]
        if name not in balancer["tags"] and balancer["name"] != name:
            nothing: dict[str, Any] = {"ports": []}
            await self._listeners({**service, "spec": nothing}, balancer, [], {"cidr": "0.0.0.0/0", "id": ""})
            return
        keep = wishes.annotation(service, "keep-floatingip") == "true"
        for address in await self._cloud.networking(FLOATING, port_id=balancer["vip_port_id"]):
            path = f"/v2.0/{FLOATING}/{address['id']}"
            if keep:
                await self._cloud.call("network", "PUT", path, {"floatingip": {"port_id": None}})
            else:
                await self._cloud.call("network", "DELETE", path)
        if balancer["provisioning_status"] != "PENDING_DELETE":
            if balancer["provisioning_status"].startswith("PENDING"):
                await self._cloud.settled(identity)
            path = f"/v2.0/lbaas/loadbalancers/{identity}"
            await self._cloud.call("load-balancer", "DELETE", path, cascade="true")
        await self._cloud.settled(identity)

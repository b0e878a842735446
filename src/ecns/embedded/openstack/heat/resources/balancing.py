"""Resources of Octavia: they wait for each other, since a load balancer changes one thing at a time."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from ecns.embedded.openstack.errors import ProblemError
from ecns.embedded.openstack.heat.errors import FailedError
from ecns.embedded.openstack.heat.properties import Property, Schema
from ecns.embedded.openstack.heat.resources.base import Simple

if TYPE_CHECKING:
    from ecns.embedded.openstack.store import Body

_ROOT = "/v2.0/lbaas"
_PENDING = ("immutable", "Invalid state PENDING")
_COMMON = frozenset({"show", "id", "name", "provisioning_status", "operating_status", "project_id"})


class _Octavia(Simple):
    kind = "octavia"
    named = True
    done = ("provisioning_status", "ACTIVE", "ERROR")

    def failed(self, error: ProblemError) -> FailedError:
        """As Octavia's client says it."""
        return FailedError("OctaviaClientException", f"{error.message} (HTTP {int(error.status)})")

    def _later(self, error: ProblemError) -> bool:
        return error.status == HTTPStatus.CONFLICT and any(word in error.message for word in _PENDING)

    def where(self, properties: Body) -> str:  # noqa: ARG002  members are in their pool
        """The collection that it is made in."""
        return self.path

    def create(self, properties: Body) -> str | None:
        """Make it, once the load balancer is free."""
        sent = self.body(properties)
        if not sent.get("name"):
            sent["name"] = self.physical_name()
        try:
            made = self.raw("POST", self.where(properties), {self.singular: sent})
        except ProblemError as error:
            if self._later(error):
                return None
            raise self.failed(error) from error
        return str(made[self.singular]["id"])

    def update(self, changed: Body, properties: Body) -> bool:  # noqa: ARG002  of the protocol
        """Change it, once the load balancer is free."""
        try:
            self.raw("PUT", self.one(), {self.singular: self.body(changed)})
        except ProblemError as error:
            if self._later(error):
                return False
            raise self.failed(error) from error
        return True

    def delete(self) -> bool:
        """Remove it, once the load balancer is free."""
        try:
            self.raw("DELETE", self.one())
        except ProblemError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return True
            if self._later(error):
                return False
            raise self.failed(error) from error
        return True


class LoadBalancer(_Octavia):
    """A load balancer."""

    path, singular = f"{_ROOT}/loadbalancers", "loadbalancer"
    renamed: ClassVar[dict[str, tuple[str, str]]] = {
        "vip_subnet": ("vip_subnet_id", "subnet"),
        "vip_network": ("vip_network_id", "network"),
        "vip_port": ("vip_port_id", "port"),
        "flavor": ("flavor_id", ""),
    }
    schema: ClassVar[Schema] = {
        "name": Property(),
        "description": Property(default=""),
        "vip_subnet": Property(fixed=True, names="subnet"),
        "vip_network": Property(fixed=True, names="network"),
        "vip_port": Property(fixed=True, names="port"),
        "vip_address": Property(fixed=True),
        "admin_state_up": Property(bool, default=True),
        "provider": Property(fixed=True),
        "flavor": Property(fixed=True),
        "availability_zone": Property(fixed=True),
    }
    attributes = _COMMON | {
        "vip_address",
        "vip_port_id",
        "vip_subnet_id",
        "flavor_id",
        "pools",
        "availability_zone",
    }

    def body(self, properties: Body) -> Body:
        """With the flavor by its id."""
        sent = super().body(properties)
        for flavor in self.engine.cloud.store.all("balancer-flavors"):
            if flavor["name"] == sent.get("flavor_id"):
                sent["flavor_id"] = flavor["id"]
        return sent


class Listener(_Octavia):
    """A port that a load balancer listens on."""

    path, singular = f"{_ROOT}/listeners", "listener"
    renamed: ClassVar[dict[str, tuple[str, str]]] = {
        "loadbalancer": ("loadbalancer_id", "loadbalancer"),
        "default_pool": ("default_pool_id", "pool"),
    }
    schema: ClassVar[Schema] = {
        "name": Property(),
        "description": Property(default=""),
        "loadbalancer": Property(fixed=True),
        "default_pool": Property(),
        "protocol": Property(
            required=True, fixed=True, choices=("TCP", "HTTP", "HTTPS", "TERMINATED_HTTPS", "PROXY", "UDP")
        ),
        "protocol_port": Property(int, required=True, fixed=True, least=1, most=65535),
        "connection_limit": Property(int, default=-1, least=-1),
        "admin_state_up": Property(bool, default=True),
        "allowed_cidrs": Property(list),
        "tags": Property(list),
    }
    attributes = _COMMON | {"loadbalancers", "default_pool_id"}


class Pool(_Octavia):
    """Members that share the work."""

    path, singular = f"{_ROOT}/pools", "pool"
    renamed: ClassVar[dict[str, tuple[str, str]]] = {
        "loadbalancer": ("loadbalancer_id", "loadbalancer"),
        "listener": ("listener_id", "listener"),
    }
    schema: ClassVar[Schema] = {
        "name": Property(),
        "description": Property(default=""),
        "loadbalancer": Property(fixed=True),
        "listener": Property(fixed=True),
        "protocol": Property(
            required=True, fixed=True, choices=("TCP", "HTTP", "HTTPS", "TERMINATED_HTTPS", "PROXY", "UDP")
        ),
        "lb_algorithm": Property(required=True, choices=("ROUND_ROBIN", "LEAST_CONNECTIONS", "SOURCE_IP")),
        "session_persistence": Property(dict),
        "admin_state_up": Property(bool, default=True),
        "tls_enabled": Property(bool),
        "tags": Property(list),
    }
    attributes = _COMMON | {"listeners", "members", "healthmonitor_id"}

    def reference(self) -> Any:
        """Its id."""
        return self.physical or None


class PoolMember(_Octavia):
    """One that does some of the work."""

    singular = "member"
    renamed: ClassVar[dict[str, tuple[str, str]]] = {"pool": ("", ""), "subnet": ("subnet_id", "subnet")}
    schema: ClassVar[Schema] = {
        "pool": Property(required=True, fixed=True),
        "address": Property(required=True, fixed=True),
        "protocol_port": Property(int, required=True, fixed=True, least=1, most=65535),
        "name": Property(),
        "weight": Property(int, default=1, least=0, most=256),
        "subnet": Property(fixed=True, names="subnet"),
        "admin_state_up": Property(bool, default=True),
        "monitor_address": Property(),
        "monitor_port": Property(int),
        "tags": Property(list),
    }
    attributes = frozenset({"show", "address", "pool_id"})

    def where(self, properties: Body) -> str:
        """In its pool."""
        pool = self.names.identity("pool", properties["pool"]) or properties["pool"]
        self.record["data"]["pool"] = pool
        return f"{_ROOT}/pools/{pool}/members"

    def one(self) -> str:
        """In its pool."""
        return f"{_ROOT}/pools/{self.record['data'].get('pool')}/members/{self.physical}"


class HealthMonitor(_Octavia):
    """Looks after the members of a pool."""

    path, singular = f"{_ROOT}/healthmonitors", "healthmonitor"
    renamed: ClassVar[dict[str, tuple[str, str]]] = {"pool": ("pool_id", "pool")}
    schema: ClassVar[Schema] = {
        "pool": Property(required=True, fixed=True),
        "name": Property(),
        "type": Property(required=True, fixed=True, choices=("PING", "TCP", "HTTP", "HTTPS", "UDP-CONNECT")),
        "delay": Property(int, required=True, least=0),
        "timeout": Property(int, required=True, least=0),
        "max_retries": Property(int, required=True, least=1, most=10),
        "http_method": Property(),
        "url_path": Property(),
        "expected_codes": Property(),
        "admin_state_up": Property(bool, default=True),
        "tags": Property(list),
    }
    attributes = _COMMON | {"pools", "delay", "timeout", "type"}

"""What Octavia's bodies hold: fields with defaults, and which values they may have.

Source: https://docs.openstack.org/api-ref/load-balancer/v2/ and what a real Octavia answers.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any

from ecns.embedded.openstack.errors import ProblemError, bad
from ecns.embedded.openstack.service import UUID

REQUIRED = object()
"""The default of a field that a body must have."""


@dataclass(frozen=True)
class Kind:
    """A kind of things.

    Args:
        singular: its name in bodies.
        plural: its name in lists.
        title: its name in refusals.
        argument: what the real one calls its body.
        fields: of a body → default.
        fixed: fields that an update may not name.
        quota: the quota's name.
    """

    singular: str
    plural: str
    title: str
    argument: str
    fields: dict[str, Any]
    fixed: frozenset[str]
    quota: str


_TEXTS: dict[str, Any] = {"name": "", "description": "", "admin_state_up": True, "tags": []}
LOAD_BALANCER = Kind(
    "loadbalancer",
    "loadbalancers",
    "Load Balancer",
    "load_balancer",
    {
        **_TEXTS,
        "vip_address": None,
        "vip_port_id": None,
        "vip_subnet_id": None,
        "vip_network_id": None,
        "vip_qos_policy_id": None,
        "vip_sg_ids": [],
        "additional_vips": [],
        "provider": None,
        "flavor_id": None,
        "availability_zone": None,
        "project_id": None,
        "tenant_id": None,
        "listeners": None,
        "pools": None,
    },
    frozenset(
        {
            "vip_address",
            "vip_port_id",
            "vip_subnet_id",
            "vip_network_id",
            "provider",
            "flavor_id",
            "availability_zone",
        }
        | {"project_id", "tenant_id", "listeners", "pools"}
    ),
    "load_balancer",
)
LISTENER = Kind(
    "listener",
    "listeners",
    "Listener",
    "listener",
    {
        **_TEXTS,
        "protocol": REQUIRED,
        "protocol_port": REQUIRED,
        "loadbalancer_id": REQUIRED,
        "connection_limit": -1,
        "default_tls_container_ref": None,
        "sni_container_refs": [],
        "default_pool_id": None,
        "default_pool": None,
        "insert_headers": {},
        "timeout_client_data": 50000,
        "timeout_member_connect": 5000,
        "timeout_member_data": 50000,
        "timeout_tcp_inspect": 0,
        "client_ca_tls_container_ref": None,
        "client_authentication": "NONE",
        "client_crl_container_ref": None,
        "allowed_cidrs": None,
        "tls_ciphers": None,
        "tls_versions": None,
        "alpn_protocols": None,
        "hsts_max_age": None,
        "hsts_include_subdomains": False,
        "hsts_preload": False,
        "project_id": None,
        "tenant_id": None,
        "l7policies": [],
    },
    frozenset(
        {
            "protocol",
            "protocol_port",
            "loadbalancer_id",
            "project_id",
            "tenant_id",
            "default_pool",
            "l7policies",
        }
    ),
    "listener",
)
POOL = Kind(
    "pool",
    "pools",
    "Pool",
    "pool",
    {
        **_TEXTS,
        "protocol": REQUIRED,
        "lb_algorithm": REQUIRED,
        "listener_id": None,
        "loadbalancer_id": None,
        "session_persistence": None,
        "tls_container_ref": None,
        "ca_tls_container_ref": None,
        "crl_container_ref": None,
        "tls_enabled": False,
        "tls_ciphers": None,
        "tls_versions": None,
        "alpn_protocols": None,
        "project_id": None,
        "tenant_id": None,
        "members": None,
        "healthmonitor": None,
    },
    frozenset(
        {"protocol", "listener_id", "loadbalancer_id", "project_id", "tenant_id", "members", "healthmonitor"}
    ),
    "pool",
)
MEMBER = Kind(
    "member",
    "members",
    "Member",
    "member_",
    {
        "name": "",
        "admin_state_up": True,
        "tags": [],
        "address": REQUIRED,
        "protocol_port": REQUIRED,
        "weight": 1,
        "backup": False,
        "subnet_id": None,
        "monitor_address": None,
        "monitor_port": None,
        "vnic_type": "normal",
        "project_id": None,
        "tenant_id": None,
    },
    frozenset({"address", "protocol_port", "subnet_id", "project_id", "tenant_id", "vnic_type"}),
    "member",
)
MONITOR = Kind(
    "healthmonitor",
    "healthmonitors",
    "Health Monitor",
    "health_monitor_",
    {
        "name": "",
        "admin_state_up": True,
        "tags": [],
        "pool_id": REQUIRED,
        "type": REQUIRED,
        "delay": REQUIRED,
        "timeout": REQUIRED,
        "max_retries": REQUIRED,
        "max_retries_down": 3,
        "http_method": None,
        "url_path": None,
        "expected_codes": None,
        "http_version": None,
        "domain_name": None,
        "project_id": None,
        "tenant_id": None,
    },
    frozenset({"pool_id", "type", "project_id", "tenant_id"}),
    "health_monitor",
)
KINDS = {kind.plural: kind for kind in (LOAD_BALANCER, LISTENER, POOL, MEMBER, MONITOR)}

_CHOICES = {
    ("listener", "protocol"): ("HTTP", "TCP", "TERMINATED_HTTPS", "HTTPS", "UDP", "SCTP", "PROMETHEUS"),
    ("pool", "protocol"): ("TCP", "SCTP", "HTTPS", "PROXY", "HTTP", "UDP", "PROXYV2"),
    ("pool", "lb_algorithm"): ("SOURCE_IP", "ROUND_ROBIN", "LEAST_CONNECTIONS", "SOURCE_IP_PORT"),
    ("healthmonitor", "type"): ("PING", "TCP", "HTTP", "HTTPS", "TLS-HELLO", "UDP-CONNECT", "SCTP"),
}
_NUMBERS = {
    "protocol_port": (1, 65535),
    "monitor_port": (1, 65535),
    "weight": (0, 256),
    "delay": (0, 2**31),
    "timeout": (0, 2**31),
    "max_retries": (1, 10),
    "max_retries_down": (1, 10),
    "connection_limit": (-1, 2**31),
    "timeout_client_data": (0, 86400000),
    "timeout_member_connect": (0, 86400000),
    "timeout_member_data": (0, 86400000),
    "timeout_tcp_inspect": (0, 86400000),
}
_IDS = frozenset(
    {
        "vip_port_id",
        "vip_subnet_id",
        "vip_network_id",
        "loadbalancer_id",
        "listener_id",
        "subnet_id",
        "pool_id",
    }
)
_MOST_OF_TEXT = 255


def read(kind: Kind, sent: Any, *, new: bool) -> dict[str, Any]:
    """The fields of a thing's body, with defaults when it makes one.

    Raises:
        ProblemError: 400, it has an unknown or a wrong field, or lacks one.
    """
    if not isinstance(sent, dict):
        raise invalid(kind.singular, sent, "Mandatory field missing.")
    for name in sent:
        if name not in kind.fields or (not new and name in kind.fixed):
            raise bad(f"Unknown attribute for argument {kind.argument}.{kind.singular}: {name}")
    for name, value in sent.items():
        if value is not None:
            _check(kind, name, value)
    if not new:
        return dict(sent)
    found = {}
    for name, default in kind.fields.items():
        if sent.get(name) is None and default is REQUIRED:
            raise invalid(name, None, "Mandatory field missing.")
        usual = default.copy() if isinstance(default, list | dict) else default
        found[name] = usual if sent.get(name) is None else sent[name]
    return found


def invalid(name: str, value: Any, why: str) -> ProblemError:
    """A field is wrong."""
    return bad(f"Invalid input for field/attribute {name}. Value: '{value}'. {why}")


def _check(kind: Kind, name: str, value: Any) -> None:
    choices = _CHOICES.get((kind.singular, name))
    if choices and value not in choices:
        raise invalid(name, value, f"Value should be one of: {', '.join(choices)}")
    if name in _IDS and not (isinstance(value, str) and UUID.fullmatch(value)):
        raise invalid(name, value, "Value should be UUID format")
    if name in _NUMBERS:
        least, most = _NUMBERS[name]
        if isinstance(value, bool) or not isinstance(value, int):
            raise invalid(name, value, "Value should be integer format")
        if not least <= value <= most:
            word, limit = ("greater", least) if value < least else ("lower", most)
            raise invalid(name, value, f"Value should be {word} or equal to {limit}")
    if name in {"address", "vip_address", "monitor_address"}:
        try:
            ipaddress.ip_address(value)
        except ValueError as error:
            raise invalid(name, value, "Value should be IPv4 or IPv6 format") from error
    if name in {"name", "description"} and (not isinstance(value, str) or len(value) > _MOST_OF_TEXT):
        raise invalid(name, value, "Value should have a maximum character requirement of 255")
    if name in {"admin_state_up", "backup"} and not isinstance(value, bool):
        raise invalid(name, value, f"Value should be boolean format, not '{value}'")
    if name in {"tags", "allowed_cidrs", "members"} and not isinstance(value, list):
        raise invalid(name, value, "Value should be a list")

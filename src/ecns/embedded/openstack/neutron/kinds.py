"""What Neutron's collections hold: their fields, which of them a body may set, and who may.

Source: https://docs.openstack.org/api-ref/network/v2/ and what a real Neutron answers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ecns.embedded.openstack.errors import ProblemError, bad, forbidden

REQUIRED = object()
"""The default of a field that a body must have."""


@dataclass(frozen=True)
class Kind:
    """A collection.

    Args:
        plural: its name in paths.
        singular: its name in bodies.
        error: how its errors begin.
        fields: of a body on creation → default.
        changeable: fields that an update may set.
        shown: fields that filters may name beside those of `fields`.
        admin: fields that administrators alone may set.
    """

    plural: str
    singular: str
    error: str
    title: str
    fields: dict[str, Any]
    changeable: frozenset[str]
    shown: frozenset[str] = frozenset()
    admin: frozenset[str] = field(default_factory=frozenset)
    tagged: bool = True


_COMMON = frozenset(
    {
        "id",
        "project_id",
        "tenant_id",
        "status",
        "created_at",
        "updated_at",
        "revision_number",
        "tags",
        "shared",
    }
)
_TEXTS = frozenset({"name", "description"})

KINDS = {
    kind.plural: kind
    for kind in (
        Kind(
            "networks",
            "network",
            "Network",
            "Network",
            {
                "name": "",
                "description": "",
                "admin_state_up": True,
                "shared": False,
                "mtu": 1500,
                "router:external": False,
                "port_security_enabled": True,
                "availability_zone_hints": [],
                "provider:network_type": None,
                "provider:physical_network": None,
                "provider:segmentation_id": None,
                "is_default": False,
                "dns_domain": "",
                "vlan_transparent": False,
                "qinq": False,
            },
            frozenset(
                {
                    "name",
                    "description",
                    "admin_state_up",
                    "shared",
                    "mtu",
                    "port_security_enabled",
                    "router:external",
                }
            ),
            _COMMON | {"subnets"},
            frozenset({"shared", "router:external", "provider:network_type", "provider:physical_network"}),
        ),
        Kind(
            "subnets",
            "subnet",
            "Subnet",
            "Subnet",
            {
                "network_id": REQUIRED,
                "ip_version": REQUIRED,
                "cidr": None,
                "name": "",
                "description": "",
                "gateway_ip": ...,
                "enable_dhcp": True,
                "allocation_pools": None,
                "dns_nameservers": [],
                "host_routes": [],
                "subnetpool_id": None,
                "ipv6_ra_mode": None,
                "ipv6_address_mode": None,
                "prefixlen": None,
                "service_types": [],
            },
            frozenset(
                {
                    "name",
                    "description",
                    "gateway_ip",
                    "enable_dhcp",
                    "allocation_pools",
                    "dns_nameservers",
                    "host_routes",
                }
            ),
            _COMMON | {"router:external"},
        ),
        Kind(
            "ports",
            "port",
            "Port",
            "Port",
            {
                "network_id": REQUIRED,
                "name": "",
                "description": "",
                "admin_state_up": True,
                "mac_address": None,
                "fixed_ips": None,
                "device_id": "",
                "device_owner": "",
                "security_groups": None,
                "allowed_address_pairs": [],
                "extra_dhcp_opts": [],
                "port_security_enabled": True,
                "binding:vnic_type": "normal",
                "binding:host_id": "",
                "binding:profile": {},
                "dns_name": "",
            },
            frozenset(
                {
                    "name",
                    "description",
                    "admin_state_up",
                    "fixed_ips",
                    "device_id",
                    "device_owner",
                    "security_groups",
                    "allowed_address_pairs",
                    "extra_dhcp_opts",
                    "port_security_enabled",
                    "binding:vnic_type",
                    "binding:host_id",
                    "binding:profile",
                }
            ),
            _COMMON,
            frozenset({"binding:host_id", "binding:profile"}),
        ),
        Kind(
            "routers",
            "router",
            "Router",
            "Router",
            {
                "name": "",
                "description": "",
                "admin_state_up": True,
                "external_gateway_info": None,
                "availability_zone_hints": [],
                "routes": [],
                "flavor_id": None,
            },
            frozenset({"name", "description", "admin_state_up", "external_gateway_info", "routes"}),
            _COMMON,
        ),
        Kind(
            "floatingips",
            "floatingip",
            "FloatingIP",
            "Floating IP",
            {
                "floating_network_id": REQUIRED,
                "description": "",
                "port_id": None,
                "fixed_ip_address": None,
                "floating_ip_address": None,
                "subnet_id": None,
                "dns_name": "",
                "dns_domain": "",
            },
            frozenset({"description", "port_id", "fixed_ip_address"}),
            _COMMON | {"router_id"},
            frozenset(),
        ),
        Kind(
            "security-groups",
            "security_group",
            "SecurityGroup",
            "Security group",
            {"name": "", "description": "", "stateful": True},
            frozenset({"name", "description", "stateful"}),
            _COMMON,
        ),
        Kind(
            "security-group-rules",
            "security_group_rule",
            "SecurityGroupRule",
            "Security group rule",
            {
                "security_group_id": REQUIRED,
                "direction": REQUIRED,
                "ethertype": "IPv4",
                "protocol": None,
                "port_range_min": None,
                "port_range_max": None,
                "remote_ip_prefix": None,
                "remote_group_id": None,
                "remote_address_group_id": None,
                "description": "",
            },
            frozenset({"description"}),
            _COMMON,
            tagged=False,
        ),
    )
}
_OF_TYPE: dict[str, type] = {
    "name": str,
    "description": str,
    "network_id": str,
    "admin_state_up": bool,
    "shared": bool,
    "router:external": bool,
    "enable_dhcp": bool,
    "port_security_enabled": bool,
    "fixed_ips": list,
    "security_groups": list,
    "allocation_pools": list,
    "dns_nameservers": list,
    "host_routes": list,
    "allowed_address_pairs": list,
    "device_id": str,
    "device_owner": str,
    "routes": list,
}
_WORDS = {str: "string", bool: "boolean", list: "list"}


def read(kind: Kind, body: Any, *, admin: bool, new: bool) -> dict[str, Any]:
    """The fields of a body, with defaults when it makes something.

    Raises:
        ProblemError: 400, it has an unknown or a wrong field, or lacks one; 403, an administrator's.
    """
    sent = body.get(kind.singular) if isinstance(body, dict) else None
    if not isinstance(sent, dict):
        raise bad(f"Unable to find '{kind.singular}' in request body", "HTTPBadRequest")
    sent = dict(sent)
    if "tenant_id" in sent:
        sent.setdefault("project_id", sent.pop("tenant_id"))
    allowed = set(kind.fields) | {"project_id"} if new else set(kind.changeable)
    unknown = sorted(set(sent) - allowed - ({"tags"} if kind.tagged else set()))
    if unknown:
        known = [name for name in unknown if name in kind.fields or name in kind.shown]
        if known:
            verb = "POST" if new else "PUT"
            raise bad(f"Attribute '{known[0]}' not allowed in {verb}", "HTTPBadRequest")
        raise bad(f"Unrecognized attribute(s) '{', '.join(unknown)}'", "HTTPBadRequest")
    action = f"{'create' if new else 'update'}_{kind.singular}"
    for name in sorted(kind.admin & set(sent)):
        if not admin and sent[name] not in (None, False, "", {}):
            raise forbidden(
                f"(rule:{action} and rule:{action}:{name}) is disallowed by policy", "PolicyNotAuthorized"
            )
    for name, value in sent.items():
        sent[name] = _value(name, value)
    if not new:
        return sent
    found = {}
    for name, default in kind.fields.items():
        if name not in sent and default is REQUIRED:
            raise bad(f"Failed to parse request. Required attribute '{name}' not specified", "HTTPBadRequest")
        found[name] = sent.get(name, default.copy() if isinstance(default, list | dict) else default)
    if "project_id" in sent:
        found["project_id"] = sent["project_id"]
    return found


def _value(name: str, value: Any) -> Any:
    wanted = _OF_TYPE.get(name)
    if wanted is None or value is None:
        return value
    if wanted is bool and not isinstance(value, bool):
        said = {"true": True, "1": True, "false": False, "0": False}.get(str(value).lower())
        if said is None:
            raise _invalid(name, f"'{value}' cannot be converted to boolean")
        return said
    if not isinstance(value, wanted):
        raise _invalid(name, f"'{value}' is not a valid {_WORDS[wanted]}")
    if isinstance(value, str) and len(value) > 255:  # noqa: PLR2004  of its database
        raise _invalid(name, f"'{value}' exceeds maximum length of 255")
    return value


def _invalid(name: str, why: str) -> ProblemError:
    return bad(f"Invalid input for {name}. Reason: {why}.", "HTTPBadRequest")

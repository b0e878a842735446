"""Security groups and their rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecns.embedded.openstack.errors import bad, conflict, missing
from ecns.embedded.openstack.neutron import addresses
from ecns.embedded.openstack.neutron.part import Part
from ecns.embedded.openstack.service import new_id, now, zulu

if TYPE_CHECKING:
    from ecns.embedded.openstack.callers import Caller
    from ecns.embedded.openstack.neutron.service import Neutron
    from ecns.embedded.openstack.store import Body

DEFAULT = "default"
_PROTOCOLS = frozenset(
    {
        "ah",
        "dccp",
        "egp",
        "esp",
        "gre",
        "hopopt",
        "icmp",
        "icmpv6",
        "igmp",
        "ip",
        "ipip",
        "ipv6-encap",
        "ipv6-frag",
    }
    | {
        "ipv6-icmp",
        "ipv6-nonxt",
        "ipv6-opts",
        "ipv6-route",
        "ospf",
        "pgm",
        "rsvp",
        "sctp",
        "tcp",
        "udp",
        "udplite",
    }
    | {"vrrp", "any"}
)
_MOST_OF_PORTS = 65535
_RULE_KEYS = (
    "security_group_id",
    "direction",
    "ethertype",
    "protocol",
    "port_range_min",
    "port_range_max",
    "remote_ip_prefix",
    "remote_group_id",
)


def default_group(neutron: Neutron, project: str) -> Body:
    """A project's default group, made when it is first needed."""
    for group in neutron.store.all("security-groups"):
        if group["project_id"] == project and group["name"] == DEFAULT:
            return group
    return _group(neutron, project, DEFAULT, "Default security group")


def _group(neutron: Neutron, project: str, name: str, description: str) -> Body:
    moment = now()
    times = {"created_at": moment, "updated_at": moment}
    group = {
        "id": new_id(),
        "project_id": project,
        "name": name,
        "description": description,
        "stateful": True,
        "shared": False,
        "tags": [],
        **times,
        "revision_number": 1,
    }
    neutron.store.save("security-groups", group)
    starting_rules(neutron, group)
    return group


def starting_rules(neutron: Neutron, group: Body) -> None:
    """The rules of a new group: out to everywhere; in from its own members, if it is the default one."""
    own = group["name"] == DEFAULT
    for ethertype in ("IPv4", "IPv6"):
        for direction in ("egress", "ingress") if own else ("egress",):
            rule = dict.fromkeys(
                ("protocol", "port_range_min", "port_range_max", "remote_ip_prefix", "remote_group_id")
            )
            moment = now()
            neutron.store.save(
                "security-group-rules",
                {
                    "id": new_id(),
                    "project_id": group["project_id"],
                    "security_group_id": group["id"],
                    "ethertype": ethertype,
                    "direction": direction,
                    **rule,
                    "remote_address_group_id": None,
                    "description": None,
                    "created_at": moment,
                    "updated_at": moment,
                    "revision_number": 0,
                    **({"remote_group_id": group["id"]} if direction == "ingress" else {}),
                },
            )


class Groups(Part):
    """Security groups; each project has one called `default`."""

    def before_list(self, caller: Caller) -> None:
        """The default group is there as soon as somebody looks."""
        default_group(self.neutron, caller.project_id)

    def make(self, caller: Caller, body: Body) -> None:  # noqa: ARG002  the protocol's
        """Complete a new group."""
        if body["name"] == DEFAULT:
            raise conflict("Default security group already exists.", "SecurityGroupDefaultAlreadyExists")
        body["shared"] = False
        self.store.save("security-groups", body)
        starting_rules(self.neutron, body)

    def change(self, caller: Caller, body: Body, fields: Body) -> None:
        """Change a group; the default one keeps its name."""
        if body["name"] == DEFAULT and fields.get("name", DEFAULT) != DEFAULT:
            raise bad("Updating default security group not allowed.", "SecurityGroupCannotUpdateDefault")
        super().change(caller, body, fields)

    def delete(self, body: Body) -> None:
        """A group goes with its rules, unless a port has it."""
        if any(body["id"] in port["security_groups"] for port in self.store.all("ports")):
            raise conflict(f"Security Group {body['id']} in use.", "SecurityGroupInUse")
        if body["name"] == DEFAULT:
            raise conflict(
                "Insufficient rights for removing default security group.", "SecurityGroupCannotRemoveDefault"
            )
        for rule in self.store.all("security-group-rules"):
            if rule["security_group_id"] == body["id"]:
                self.store.delete("security-group-rules", rule["id"])

    def shown(self, shown: Body, caller: Caller) -> Body:
        """With its rules."""
        rules = self.neutron.parts["security-group-rules"]
        found = [
            rule
            for rule in self.store.all("security-group-rules")
            if rule["security_group_id"] == shown["id"]
        ]
        times = ("created_at", "updated_at")
        shown["security_group_rules"] = [
            rules.shown(
                rule | {key: zulu(rule[key]) for key in times} | {"tenant_id": rule["project_id"]}, caller
            )
            | {"tags": []}
            for rule in found
        ]
        return shown


class Rules(Part):
    """Rules of security groups."""

    def make(self, caller: Caller, body: Body) -> None:
        """Complete a new rule."""
        group = self.store.get("security-groups", body["security_group_id"])
        if group is None or not caller.sees(group):
            raise missing(
                f"Security group {body['security_group_id']} does not exist", "SecurityGroupNotFound"
            )
        body["project_id"] = group["project_id"]
        body["revision_number"] = 0
        for name, values in (("direction", ("ingress", "egress")), ("ethertype", ("IPv4", "IPv6"))):
            if body[name] not in values:
                raise bad(
                    f"Invalid input for {name}. Reason: {body[name]} is not in valid_values.",
                    "HTTPBadRequest",
                )
        self._protocol(body)
        if body["remote_ip_prefix"] is not None:
            addresses.block_of(body["remote_ip_prefix"])
            if body["remote_group_id"] is not None:
                raise bad(
                    "Only remote_ip_prefix or remote_group_id may be provided.",
                    "SecurityGroupMultipleRemoteEntites",
                )
        if (
            body["remote_group_id"] is not None
            and self.store.get("security-groups", body["remote_group_id"]) is None
        ):
            raise missing(f"Security group {body['remote_group_id']} does not exist", "SecurityGroupNotFound")
        for rule in self.store.all("security-group-rules"):
            if all(rule[key] == body[key] for key in _RULE_KEYS):
                raise conflict(
                    f"Security group rule already exists. Rule id is {rule['id']}.", "SecurityGroupRuleExists"
                )

    def _protocol(self, body: Body) -> None:
        protocol = body["protocol"]
        if protocol is not None:
            protocol = str(protocol).lower()
            if protocol not in _PROTOCOLS and not (protocol.isdigit() and int(protocol) < 256):  # noqa: PLR2004  a byte
                raise bad(
                    f"Security group rule protocol {protocol} not supported. Only protocol values "
                    f"{sorted(_PROTOCOLS)} and integer representations [0 to 255] are supported.",
                    "SecurityGroupRuleInvalidProtocol",
                )
            body["protocol"] = None if protocol == "any" else protocol
        low, high = self._port(body, "port_range_min"), self._port(body, "port_range_max")
        if low is None and high is None:
            return
        if protocol is None:
            raise bad(
                "Must also specify protocol if port range is given.", "SecurityGroupProtocolRequiredWithPorts"
            )
        if protocol in {"tcp", "udp", "6", "17", "sctp", "dccp", "udplite"}:
            if low is None or high is None or low > high:
                raise bad(
                    "For TCP/UDP protocols, port_range_min must be <= port_range_max",
                    "SecurityGroupInvalidPortRange",
                )
            if low == 0:
                raise bad("Invalid value for port 0", "SecurityGroupInvalidPortValue")

    def _port(self, body: Body, name: str) -> int | None:
        value: Any = body[name]
        if value is None:
            return None
        try:
            number = int(value)
        except (TypeError, ValueError) as error:
            raise bad(f"Invalid value for port {value}", "SecurityGroupInvalidPortValue") from error
        if not -1 <= number <= _MOST_OF_PORTS:
            raise bad(f"Invalid value for port {value}", "SecurityGroupInvalidPortValue")
        body[name] = number
        return number

    def shown(self, shown: Body, caller: Caller) -> Body:  # noqa: ARG002  the protocol's
        """With the block as it is compared."""
        prefix = shown["remote_ip_prefix"]
        normal = str(addresses.block_of(prefix)) if prefix else None
        return shown | {
            "normalized_cidr": normal,
            "belongs_to_default_sg": False,
            "remote_address_group_id": None,
        }

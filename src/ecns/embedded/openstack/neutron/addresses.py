"""Addresses in subnets: what a subnet may be, which addresses it has, and which are free."""

from __future__ import annotations

import ipaddress
import random
from typing import TYPE_CHECKING, Any

from ecns.embedded.openstack.errors import ProblemError, bad, conflict, missing

if TYPE_CHECKING:
    from ecns.embedded.openstack.store import Body, Store

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_LAST_WITH_BROADCAST = 30
"""The longest prefix of a block that has an address for all."""


def block_of(text: Any) -> Network:
    """A block of addresses.

    Raises:
        ProblemError: 400, it is none.
    """
    try:
        return ipaddress.ip_network(text, strict=False)
    except (ValueError, TypeError) as error:
        raise bad(f"Invalid input for operation: {text} is not in a CIDR format.", "InvalidInput") from error


def address_of(text: Any) -> Address:
    """An address.

    Raises:
        ProblemError: 400, it is none.
    """
    try:
        return ipaddress.ip_address(text)
    except ValueError as error:
        raise bad(
            f"Invalid input for operation: '{text}' is not a valid IP address.", "InvalidInput"
        ) from error


def laid_out(fields: Body, others: list[Body]) -> None:
    """Complete a subnet's gateway and pools.

    Args:
        fields: of the body; changed.
        others: the subnets of its network.

    Raises:
        ProblemError: 400, it is no block, overlaps, or its gateway or pools do not fit.
    """
    block = block_of(fields["cidr"])
    if fields["ip_version"] != block.version:
        raise bad(
            f"Invalid input for operation: cidr '{fields['cidr']}' does not match the ip_version "
            f"'{fields['ip_version']}'.",
            "InvalidInput",
        )
    fields["cidr"] = str(block)
    for other in others:
        if block.overlaps(ipaddress.ip_network(other["cidr"])):
            raise bad(
                f"Invalid input for operation: Requested subnet with cidr: {block} for network: "
                f"{fields['network_id']} overlaps with another subnet.",
                "InvalidInput",
            )
    if fields["gateway_ip"] is ...:
        fields["gateway_ip"] = str(block[1])
    elif fields["gateway_ip"] is not None:
        fields["gateway_ip"] = str(address_of(fields["gateway_ip"]))
    if fields["allocation_pools"] is None:
        fields["allocation_pools"] = _pools(block, fields["gateway_ip"])
    check_pools(block, fields["allocation_pools"])


def check_pools(block: Network, pools: list[Any]) -> None:
    """See that pools lie in their subnet.

    Raises:
        ProblemError: 400, they do not.
    """
    for pool in pools:
        try:
            first, last = address_of(pool["start"]), address_of(pool["end"])
        except (TypeError, KeyError) as error:
            raise bad(
                f"Invalid input for allocation_pools. Reason: Invalid data format for IP pool: '{pool}'."
            ) from error
        if first not in block or last not in block:
            raise bad(
                f"The allocation pool {first}-{last} spans beyond the subnet cidr {block}.",
                "OutOfBoundsAllocationPool",
            )
        if int(first) > int(last):
            raise bad(f"The allocation pool {first}-{last} is not valid.", "InvalidAllocationPool")


def _pools(block: Network, gateway: str | None) -> list[dict[str, str]]:
    broadcasts = isinstance(block, ipaddress.IPv4Network) and block.prefixlen <= _LAST_WITH_BROADCAST
    first, last = int(block[1]), int(block[-2] if broadcasts else block[-1])
    if gateway is None or not first <= int(ipaddress.ip_address(gateway)) <= last:
        parts = [(first, last)]
    else:
        middle = int(ipaddress.ip_address(gateway))
        parts = [(first, middle - 1), (middle + 1, last)]
    kind = type(block[0])
    return [{"start": str(kind(low)), "end": str(kind(high))} for low, high in parts if low <= high]


def used(store: Store, subnet_id: str) -> set[str]:
    """The addresses of a subnet that ports and floating addresses have."""
    taken = {
        ip["ip_address"]
        for port in store.all("ports")
        for ip in port["fixed_ips"]
        if ip["subnet_id"] == subnet_id
    }
    return taken | {
        ip["floating_ip_address"] for ip in store.all("floatingips") if ip["_subnet"] == subnet_id
    }


def free(store: Store, subnet: Body) -> str | None:
    """An address that nothing has, or None; like Neutron's, not simply the lowest."""
    taken = used(store, subnet["id"])
    for pool in subnet["allocation_pools"]:
        first, last = ipaddress.ip_address(pool["start"]), ipaddress.ip_address(pool["end"])
        size = int(last) - int(first) + 1
        for _ in range(8):
            found = str(first + random.randrange(size))  # noqa: S311  an address is no secret
            if found not in taken:
                return found
        for step in range(min(size, len(taken) + 1)):
            if (found := str(first + step)) not in taken:
                return found
    return None


def fixed(
    store: Store, network: Body, asked: list[Any] | None, own: Body | None = None
) -> list[dict[str, str]]:
    """The addresses of a port.

    Args:
        store: what is taken.
        network: the port's.
        asked: `fixed_ips` of the body; None: one of the network's subnets.
        own: the port, if it is there already.

    Raises:
        ProblemError: 400, an address does not fit; 404, no such subnet; 409, it is taken, or none is free.
    """
    subnets = [s for s in store.all("subnets") if s["network_id"] == network["id"]]
    kept = {ip["ip_address"] for ip in own["fixed_ips"]} if own else set()
    if asked is None:
        versions: dict[int, Body] = {}
        found = []
        for subnet in subnets:
            if subnet["ip_version"] not in versions and (address := free(store, subnet)):
                versions[subnet["ip_version"]] = subnet
                found.append({"subnet_id": subnet["id"], "ip_address": address})
        if subnets and not found:
            raise conflict(
                f"No more IP addresses available on network {network['id']}.", "IpAddressGenerationFailure"
            )
        return found
    return [_one(store, network, subnets, entry, kept) for entry in asked]


def _one(store: Store, network: Body, subnets: list[Body], entry: Any, kept: set[str]) -> dict[str, str]:
    if not isinstance(entry, dict):
        raise bad(f"Invalid input for fixed_ips. Reason: '{entry}' is not a dictionary.", "HTTPBadRequest")
    text, subnet_id = entry.get("ip_address"), entry.get("subnet_id")
    address = None if text is None else address_of(text)
    if subnet_id is not None:
        subnet = store.get("subnets", subnet_id)
        if subnet is None:
            raise missing(f"Subnet {subnet_id} could not be found.", "SubnetNotFound")
        if subnet["network_id"] != network["id"]:
            raise bad(
                f"Invalid input for operation: Failed to create port on network {network['id']}, because "
                "fixed_ips "
                f"included invalid subnet {subnet_id}.",
                "InvalidInput",
            )
        if address is not None and address not in ipaddress.ip_network(subnet["cidr"]):
            raise bad(f"IP address {text} is not a valid IP for the specified subnet.", "InvalidIpForSubnet")
    elif address is not None:
        subnet = next((s for s in subnets if address in ipaddress.ip_network(s["cidr"])), None)
        if subnet is None:
            raise bad(
                f"IP address {text} is not a valid IP for any of the subnets on the specified network.",
                "InvalidIpForNetwork",
            )
    else:
        raise bad(
            "Invalid input for operation: IP allocation requires subnet_id or ip_address.", "InvalidInput"
        )
    if address is None:
        found = free(store, subnet)
        if found is None:
            raise conflict(
                f"No more IP addresses available on network {network['id']}.", "IpAddressGenerationFailure"
            )
        return {"subnet_id": subnet["id"], "ip_address": found}
    if str(address) in used(store, subnet["id"]) - kept:
        raise taken(address, subnet["id"])
    return {"subnet_id": subnet["id"], "ip_address": str(address)}


def taken(address: Address, subnet_id: str) -> ProblemError:
    """Somebody has the address."""
    return conflict(
        f"IP address {address} already allocated in subnet {subnet_id}", "IpAddressAlreadyAllocated"
    )

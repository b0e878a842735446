"""Neutron: networks, subnets, ports, routers, floating addresses, security groups, quotas, tags."""

from ecns.embedded.openstack.neutron.service import Neutron

__all__ = ["Neutron"]

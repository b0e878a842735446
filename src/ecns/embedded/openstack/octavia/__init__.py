"""Octavia: load balancers and what they are made of, flavors, zones, quotas."""

from ecns.embedded.openstack.octavia.service import Octavia

__all__ = ["Octavia"]

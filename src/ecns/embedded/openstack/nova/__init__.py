"""Nova: flavors, zones, keys, servers and what is done with them, groups of servers, quotas."""

from ecns.embedded.openstack.nova.service import Nova

__all__ = ["Nova"]

"""Heat: stacks."""

from ecns.embedded.openstack.heat.service import Heat

__all__ = ["Heat"]

"""Cinder: types of volumes, volumes, snapshots, quotas."""

from ecns.embedded.openstack.cinder.service import Cinder

__all__ = ["Cinder"]

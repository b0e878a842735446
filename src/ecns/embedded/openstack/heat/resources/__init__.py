"""The types of resources that stacks are made of."""

from __future__ import annotations

from ecns.embedded.openstack.heat.resources.balancing import (
    HealthMonitor,
    Listener,
    LoadBalancer,
    Pool,
    PoolMember,
)
from ecns.embedded.openstack.heat.resources.base import Resource
from ecns.embedded.openstack.heat.resources.compute import KeyPair, Server, ServerGroup
from ecns.embedded.openstack.heat.resources.group import ResourceGroup
from ecns.embedded.openstack.heat.resources.heat import NoneResource, RandomString, Value
from ecns.embedded.openstack.heat.resources.network import (
    FloatingIP,
    FloatingIPAssociation,
    Net,
    Port,
    Router,
    RouterInterface,
    SecurityGroup,
    Subnet,
)
from ecns.embedded.openstack.heat.resources.storage import Volume, VolumeAttachment

TYPES: dict[str, type[Resource]] = {
    "OS::Heat::None": NoneResource,
    "OS::Heat::RandomString": RandomString,
    "OS::Heat::ResourceGroup": ResourceGroup,
    "OS::Heat::Value": Value,
    "OS::Nova::KeyPair": KeyPair,
    "OS::Nova::Server": Server,
    "OS::Nova::ServerGroup": ServerGroup,
    "OS::Neutron::FloatingIP": FloatingIP,
    "OS::Neutron::FloatingIPAssociation": FloatingIPAssociation,
    "OS::Neutron::Net": Net,
    "OS::Neutron::Port": Port,
    "OS::Neutron::Router": Router,
    "OS::Neutron::RouterInterface": RouterInterface,
    "OS::Neutron::SecurityGroup": SecurityGroup,
    "OS::Neutron::Subnet": Subnet,
    "OS::Cinder::Volume": Volume,
    "OS::Cinder::VolumeAttachment": VolumeAttachment,
    "OS::Octavia::HealthMonitor": HealthMonitor,
    "OS::Octavia::Listener": Listener,
    "OS::Octavia::LoadBalancer": LoadBalancer,
    "OS::Octavia::Pool": Pool,
    "OS::Octavia::PoolMember": PoolMember,
}

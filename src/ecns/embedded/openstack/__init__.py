"""A light stand-in for OpenStack: Nova, Neutron, Cinder, Glance, Octavia and Heat on one port.

It keeps its state in SQLite, believes the tokens of a Keystone, and imports nothing of the gateway.
"""

"""A Keystone v3 stand-in: people, projects and tokens.

Source: https://docs.openstack.org/api-ref/identity/v3/
"""

"""A small cloud provider: makes Octavia's load balancers of a cluster's Services, as OpenStack's own does.

It speaks to Kubernetes, Keystone, Octavia and Neutron over their APIs alone, so that either side may be real.
"""

"""Clients of the systems that own things: Kubernetes, OpenStack, Harbor."""

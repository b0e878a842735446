"""Kubernetes clusters: credentials, client, watch cache, and the registry of clusters."""

"""ECNS: one HTTP API in front of Kubernetes clusters, an OpenStack cloud and an image registry."""

__version__ = "0.1.0"

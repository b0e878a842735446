"""Nodes of a cluster: reference chapter 1.3."""

"""Namespaces: reference chapter 1.12."""

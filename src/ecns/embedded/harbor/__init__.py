"""A stand-in for Harbor 2.9 and its registry, for trying out and for tests: one process, files and SQLite.

It imports nothing of the gateway. See `docs/embedded-harbor.md`.
"""

"""Structural schemas of custom resources (stub, filled below)."""
def unknown_fields(schema, obj): return []
def prune(schema, obj): pass
def default(schema, obj): pass
def validate(schema, obj, old=None): return []

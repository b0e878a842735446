"""Validation: what Kubernetes refuses, in its own words."""

from __future__ import annotations
from ecns.embedded.kubernetes import schemas
from ecns.embedded.kubernetes.validation.strategies import prepare_for_create, prepare_for_update
from copy import deepcopy
__all__ = ["prepare_for_create", "prepare_for_update"]
def unknown_fields(resource, obj):
    try: found = schemas.decode(resource, deepcopy(obj))
    except schemas.DecodeError as e:
        raise schemas.cannot_handle(obj, obj.get("kind"), str(e))
    return [f'unknown field "{p}"' for p in found]
def validate_create(name,obj,resource=None): return []
def validate_update(name,new,old,sub="",resource=None): return []
def warnings(name,obj,old=None): return []

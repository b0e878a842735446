"""What a change of several objects comes to."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct, field

from ecns.api.common import marks
from ecns.api.common.patching import Operations
from ecns.api.workloads.manifests import controllers
from ecns.backends.kubernetes.kinds.apps import Controller
from ecns.backends.kubernetes.kinds.autoscaling import HorizontalPodAutoscaler
from ecns.backends.kubernetes.kinds.core import Service
from ecns.backends.kubernetes.kinds.meta import JsonObject, Kind, Resource


class Plan(Struct, kw_only=True):
    """Changes of several objects; empty when all is as asked for."""

    create: list[tuple[Kind[Any], Resource]] = field(default_factory=list)
    patch: list[tuple[Kind[Any], str, Operations]] = field(default_factory=list)
    delete: list[tuple[Kind[Any], str]] = field(default_factory=list)


def own(plan: Plan, controller: Controller, kind: str, namespace: str) -> None:
    """What is made goes with the controller."""
    owner = marks.owner_reference(controller, controllers.KINDS[kind])
    for _, one in plan.create:
        one.metadata.namespace = namespace
        one.metadata.owner_references = [owner]


def spec_of(one: Service | HorizontalPodAutoscaler | None) -> JsonObject:
    """The `spec` of an object as Kubernetes is sent it."""
    found: JsonObject = msgspec.to_builtins(one.spec) if one else {}
    return found

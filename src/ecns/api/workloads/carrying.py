"""Doing what a plan says."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ecns.api.common.objects import Objects, Operations
from ecns.api.workloads.plans import Plan
from ecns.backends.kubernetes.kinds.meta import JsonObject


async def carry_out(objects: Objects, plan: Plan, present: Sequence[JsonObject]) -> None:
    """Make, change and remove what a plan says, after Kubernetes has tried all of it.

    Args:
        objects: the place.
        plan: what is to be done.
        present: the objects that it changes, whole, as they were when it was made.

    Raises:
        ConflictError: somebody else changed one of them meanwhile.
        EcnsError: Kubernetes refuses a part.
    """
    if not objects.dry_run:
        await _each(objects.trying(), plan, present)
    await _each(objects, plan, present)


async def _each(objects: Objects, plan: Plan, present: Sequence[JsonObject]) -> None:
    known = {(one["kind"], one["metadata"]["name"]): one for one in present}
    for kind, obj in plan.create:
        await objects.create(kind, obj)
    for kind, name, operations in plan.patch:
        await objects.patch(kind, known[kind.kind, name], partial(_planned, operations))
    for kind, name in plan.delete:
        await objects.delete(kind, name)


def _planned(operations: Operations, _: JsonObject) -> Operations:
    return operations

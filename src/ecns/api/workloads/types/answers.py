"""Bodies of answers."""

from __future__ import annotations

from msgspec import Struct

from ecns.api.workloads.types.access import AccessMode
from ecns.api.workloads.types.workload import Condition, Event, Revision, Workload


class Workloads(Struct, kw_only=True):
    """The answer of creating."""

    workloads: list[Workload]


class OneWorkload(Struct, kw_only=True):
    """The answer of a change."""

    workload: Workload


class Revisions(Struct, kw_only=True):
    """The answer of "revisions"."""

    revisions: list[Revision]


class AccessAnswer(Struct, kw_only=True):
    """The answer of "access": the reference calls it access_mod here."""

    access_mod: list[AccessMode]


class WorkloadDetail(Struct, kw_only=True):
    """The answer of "show"."""

    workload: Workload
    conditions: list[Condition]
    events: list[Event]
    revisions: list[Revision]

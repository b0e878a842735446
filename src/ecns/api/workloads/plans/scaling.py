"""The autoscaler of a workload (reference 1.21, "scale strategy")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ecns.api.common import names
from ecns.api.common.patching import MISSING, Path, find, merge, operations
from ecns.api.workloads.kept import typed
from ecns.api.workloads.manifests import scheduling
from ecns.api.workloads.plans.plan import Plan, own, spec_of
from ecns.api.workloads.types import ScaleStrategy
from ecns.backends.kubernetes.kinds.autoscaling import HORIZONTAL_POD_AUTOSCALER, HorizontalPodAutoscaler
from ecns.backends.kubernetes.kinds.meta import JsonObject


def plan_scale_strategy(
    whole: JsonObject,
    kind: str,
    strategy: ScaleStrategy | None,
    autoscaler: JsonObject | None,
    *,
    namespace: str,
) -> Plan:
    """Make a workload's autoscaler what was sent; none or an empty strategy removes it.

    Args:
        whole: the workload's controller.
        kind: its kind.
        strategy: the strategy.
        autoscaler: the autoscaler that scales the workload, whole, if there is one.
        namespace: where both are.
    """
    controller = typed(whole, kind)
    plan = Plan()
    wanted = scheduling.autoscaler(strategy, controller.metadata.name, kind)
    if wanted is None:
        if autoscaler is not None:
            plan.delete.append((HORIZONTAL_POD_AUTOSCALER, autoscaler["metadata"]["name"]))
    elif autoscaler is None:
        application = (controller.metadata.labels or {}).get(names.PART_OF)
        wanted.metadata.labels = names.own_labels(controller.metadata.name, application)
        plan.create.append((HORIZONTAL_POD_AUTOSCALER, wanted))
    else:
        known = msgspec.convert(autoscaler, HorizontalPodAutoscaler)
        old = scheduling.autoscaler(scheduling.shown_scale_strategy(known), controller.metadata.name, kind)
        before, after = spec_of(old), spec_of(wanted)
        metrics = _metrics(autoscaler, before.get("metrics", []), after.get("metrics", []))
        changes: dict[Path, Any] = {
            ("spec", key): merge(
                find(autoscaler, ("spec", key)), before.get(key, MISSING), after.get(key, MISSING), key
            )
            for key in ("minReplicas", "maxReplicas")
        }
        changes["spec", "metrics"] = metrics
        if made := operations(autoscaler, changes):
            plan.patch.append((HORIZONTAL_POD_AUTOSCALER, autoscaler["metadata"]["name"], made))
    own(plan, controller, kind, namespace)
    return plan


def _metrics(
    autoscaler: JsonObject, old: Sequence[JsonObject], new: Sequence[JsonObject]
) -> list[JsonObject]:
    """The metrics asked for, and those that ECNS has no word for."""
    before = {one["resource"]["name"] for one in old if one["resource"]["target"].get("averageUtilization")}
    others = [
        one
        for one in find(autoscaler, ("spec", "metrics")) or []
        if find(one, ("resource", "name")) not in before
    ]
    asked = {one["resource"]["name"] for one in new}
    return [*new, *(one for one in others if find(one, ("resource", "name")) not in asked)]

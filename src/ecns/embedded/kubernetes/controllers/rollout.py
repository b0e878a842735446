"""The arithmetic of a Deployment's rollout: how large each ReplicaSet may be, and what its status says.

Pure functions of a Deployment and its ReplicaSets.
Source: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.controllers import objects
from ecns.embedded.kubernetes.controllers.hashing import canonical

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object

REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"
_NOT_COPIED = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        "deprecated.deployment.rollback.to",
        REVISION,
        HISTORY,
        DESIRED,
        MAXIMUM,
    }
)
_HISTORY_LENGTH = 2000
_UNLIMITED = 2**31 - 1


def replicas(obj: Object) -> int:
    """`spec.replicas`."""
    return int(obj["spec"].get("replicas", 1))


def has_deadline(deployment: Object) -> bool:
    """Whether its progress is watched at all."""
    deadline = deployment["spec"].get("progressDeadlineSeconds")
    return deadline is not None and deadline != _UNLIMITED


def is_rolling(deployment: Object) -> bool:
    """Whether its strategy is RollingUpdate."""
    return bool(deployment["spec"].get("strategy", {}).get("type", "RollingUpdate") == "RollingUpdate")


def _fenceposts(deployment: Object) -> tuple[int, int]:
    rolling = deployment["spec"].get("strategy", {}).get("rollingUpdate") or {}
    wanted = replicas(deployment)
    surge = objects.percentage(rolling.get("maxSurge", 0), wanted, up=True)
    unavailable = objects.percentage(rolling.get("maxUnavailable", 0), wanted, up=False)
    return surge, 1 if surge == 0 and unavailable == 0 else unavailable


def max_surge(deployment: Object) -> int:
    """How many pods there may be above `replicas`."""
    return _fenceposts(deployment)[0] if is_rolling(deployment) else 0


def max_unavailable(deployment: Object) -> int:
    """How many pods may be missing during an update."""
    if not is_rolling(deployment) or not replicas(deployment):
        return 0
    return min(_fenceposts(deployment)[1], replicas(deployment))


def same_template(left: Object, right: Object) -> bool:
    """Whether two pod templates are equal but for their hash label."""
    return canonical(left) == canonical(right)


def by_age(sets: list[Object]) -> list[Object]:
    """Oldest first."""
    return sorted(sets, key=lambda rs: (rs["metadata"]["creationTimestamp"], rs["metadata"]["name"]))


def new_of(deployment: Object, sets: list[Object]) -> Object | None:
    """The ReplicaSet of the present template; the oldest if there are several."""
    template = deployment["spec"]["template"]
    return next((rs for rs in by_age(sets) if same_template(rs["spec"]["template"], template)), None)


def active(sets: list[Object]) -> list[Object]:
    """Those that want pods."""
    return [rs for rs in sets if replicas(rs) > 0]


def revision_of(rs: Object) -> int:
    """Its revision, 0 when it has none."""
    text = (rs["metadata"].get("annotations") or {}).get(REVISION, "0")
    return int(text) if text.isdigit() else 0


def desired_of(rs: Object) -> int | None:
    """The Deployment's replicas that it was last sized for."""
    text = (rs["metadata"].get("annotations") or {}).get(DESIRED, "")
    return int(text) if text.isdigit() else None


def size_annotations(deployment: Object) -> dict[str, str]:
    """What a ReplicaSet remembers of the Deployment's size."""
    wanted = replicas(deployment)
    return {DESIRED: str(wanted), MAXIMUM: str(wanted + max_surge(deployment))}


def annotate(
    deployment: Object, annotations: dict[str, str], revision: int, *, exists: bool
) -> dict[str, str]:
    """A ReplicaSet's annotations: the Deployment's copied, the revision set, the last one in its history."""
    copied = deployment["metadata"].get("annotations") or {}
    found = {**annotations, **{key: value for key, value in copied.items() if key not in _NOT_COPIED}}
    before = found.get(REVISION)
    if int(before or 0) < revision:
        found[REVISION] = str(revision)
        if before is not None:
            history = [item for item in found.get(HISTORY, "").split(",") if item] + [before]
            while len(",".join(history)) > _HISTORY_LENGTH:
                history.pop(0)
            found[HISTORY] = ",".join(history)
    if not exists:
        found |= size_annotations(deployment)
    return found


def new_size(deployment: Object, sets: list[Object], new: Object) -> int:
    """How many replicas the new ReplicaSet may have now; `sets` holds it too."""
    wanted = replicas(deployment)
    if not is_rolling(deployment):
        return wanted
    room = wanted + max_surge(deployment) - sum(map(replicas, sets))
    if room <= 0:
        return replicas(new)
    return replicas(new) + min(room, wanted - replicas(new))


def proportional(deployment: Object, sets: list[Object]) -> list[tuple[Object, int]]:
    """New sizes of the active ReplicaSets when a Deployment is scaled amid a rollout, in proportion."""
    wanted = replicas(deployment)
    allowed = wanted + max_surge(deployment) if wanted > 0 else 0
    to_add = allowed - sum(map(replicas, sets))
    newer_first = to_add > 0
    ordered = sorted(sets, key=lambda rs: str(rs["metadata"]["name"]))
    ordered.sort(key=lambda rs: str(rs["metadata"]["creationTimestamp"]), reverse=newer_first)
    ordered.sort(key=replicas, reverse=True)
    added = 0
    sizes: list[int] = []
    for rs in ordered:
        share = _share(deployment, rs, to_add, added) if to_add else 0
        added += share
        sizes.append(replicas(rs) + share)
    if sizes and to_add:
        sizes[0] = max(sizes[0] + to_add - added, 0)
    return list(zip(ordered, sizes, strict=True))


def _share(deployment: Object, rs: Object, to_add: int, added: int) -> int:
    size, wanted = replicas(rs), replicas(deployment)
    if not size or to_add == added:
        return 0
    if not wanted:
        fraction = -size
    else:
        text = (rs["metadata"].get("annotations") or {}).get(MAXIMUM, "")
        before = (
            int(text) if text.isdigit() and int(text) else deployment.get("status", {}).get("replicas", 0)
        )
        if not before:
            return 0
        exact = size * (wanted + max_surge(deployment)) / before
        fraction = int(exact + 0.5) - size
    left = to_add - added
    return min(fraction, left) if to_add > 0 else max(fraction, left)


def cleanup_sizes(deployment: Object, old: list[Object], new: Object | None) -> list[tuple[Object, int]]:
    """The steps down of the old ReplicaSets that availability allows now: unhealthy pods first.

    Returns (ReplicaSet, size) for each step; the same ReplicaSet may come twice, the last size counts.
    """
    if not sum(map(replicas, old)):
        return []
    sets = old + ([new] if new else [])
    least = replicas(deployment) - max_unavailable(deployment)
    waiting = replicas(new) - available(new) if new else 0
    budget = sum(map(replicas, sets)) - least - waiting
    if budget <= 0:
        return []
    sizes = {rs["metadata"]["name"]: replicas(rs) for rs in old}
    steps: list[tuple[Object, int]] = []
    for rs in by_age(old):
        name = rs["metadata"]["name"]
        down = min(budget, sizes[name] - available(rs))
        if down > 0:
            budget -= down
            sizes[name] -= down
            steps.append((rs, sizes[name]))
    up = sum(min(available(rs), sizes[rs["metadata"]["name"]]) for rs in old)
    spare = up + (available(new) if new else 0) - least
    for rs in by_age(old):
        name = rs["metadata"]["name"]
        down = min(spare, sizes[name])
        if down > 0:
            spare -= down
            sizes[name] -= down
            steps.append((rs, sizes[name]))
    return steps


def available(rs: Object) -> int:
    """`status.availableReplicas`."""
    return int(rs.get("status", {}).get("availableReplicas", 0))


def _sum(sets: list[Object], key: str) -> int:
    return sum(rs.get("status", {}).get(key, 0) for rs in sets)


def status_of(deployment: Object, sets: list[Object], new: Object | None, at: str) -> Object:
    """The Deployment's status from its ReplicaSets', the Available condition included.

    Args:
        deployment: for its spec, and the conditions it has.
        sets: all its ReplicaSets.
        new: the one of the present template.
        at: now, for conditions that change.

    """
    up = _sum(sets, "availableReplicas")
    enough = up >= replicas(deployment) - max_unavailable(deployment)
    condition = {
        "type": "Available",
        "status": "True" if enough else "False",
        "lastUpdateTime": at,
        "lastTransitionTime": at,
        "reason": "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable",
        "message": f"Deployment {'has' if enough else 'does not have'} minimum availability.",
    }
    old = deployment.get("status", {})
    return {
        "observedGeneration": deployment["metadata"].get("generation", 0),
        "replicas": _sum(sets, "replicas"),
        "updatedReplicas": new.get("status", {}).get("replicas", 0) if new else 0,
        "readyReplicas": _sum(sets, "readyReplicas"),
        "availableReplicas": up,
        "unavailableReplicas": max(sum(map(replicas, sets)) - up, 0),
        "terminatingReplicas": _sum(sets, "terminatingReplicas"),
        **({"collisionCount": old["collisionCount"]} if "collisionCount" in old else {}),
        "conditions": objects.set_condition(list(old.get("conditions") or ()), condition),
    }


def is_complete(deployment: Object, status: Object) -> bool:
    """Whether all is updated and available, and nothing old is left."""
    wanted = replicas(deployment)
    return bool(
        status.get("updatedReplicas", 0) == wanted
        and status.get("replicas", 0) == wanted
        and status.get("availableReplicas", 0) == wanted
        and status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    )


def is_progressing(old: Object, new: Object) -> bool:
    """Whether a new status is nearer to the end than an old one."""

    def outdated(status: Object) -> int:
        return int(status.get("replicas", 0) - status.get("updatedReplicas", 0))

    grown = ("updatedReplicas", "readyReplicas", "availableReplicas")
    return outdated(new) < outdated(old) or any(new.get(key, 0) > old.get(key, 0) for key in grown)

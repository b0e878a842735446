"""The indexes of an Indexed Job: which are done, which failed, which come next.

Source: https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.controllers.failures import decide

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object

INDEX = "batch.kubernetes.io/job-completion-index"
_FAILURES = "batch.kubernetes.io/job-index-failure-count"
_IGNORED = "batch.kubernetes.io/job-index-ignored-failure-count"


def parse(text: str) -> set[int]:
    """`0-2,5` as a set."""
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first.isdigit():
            found.update(range(int(first), int(last or first) + 1))
    return found


def show(indexes: set[int]) -> str:
    """A set as `0-2,5`."""
    parts: list[str] = []
    ordered = sorted(indexes)
    start = 0
    for place, index in enumerate(ordered):
        last = place + 1 == len(ordered) or ordered[place + 1] != index + 1
        if last:
            first = ordered[start]
            parts.append(
                str(first) if first == index else f"{first}{'-' if index > first + 1 else ','}{index}"
            )
            start = place + 1
    return ",".join(parts)


def index_of(pod: Object) -> int:
    """A pod's index, -1 when it has none."""
    text = (pod["metadata"].get("annotations") or {}).get(INDEX, "")
    return int(text) if text.isdigit() else -1


class Indexes:
    """The indexes of one Job; `used` is false for Jobs without them."""

    def __init__(self, spec: Object, status: Object, pods: list[Object]) -> None:
        self.used = spec.get("completionMode") == "Indexed"
        self._completions = int(spec.get("completions") or 0)
        self._done = parse(status.get("completedIndexes", ""))
        self._per_index = spec.get("backoffLimitPerIndex")
        self._max_failed = spec.get("maxFailedIndexes")
        self._success: list[Object] = (spec.get("successPolicy") or {}).get("rules") or []
        self._failed: set[int] = (
            parse(status.get("failedIndexes", "")) if self._per_index is not None else set()
        )
        self._failures: dict[int, list[int]] = {}
        """By index, how many of its pods failed: those that count, and those that policy ignores."""
        ended: set[int] = set()
        for pod in pods:
            phase = pod.get("status", {}).get("phase")
            if phase == "Succeeded":
                self._done.add(index_of(pod))
            elif phase == "Failed":
                action, _ = decide(spec.get("podFailurePolicy"), pod)
                self._failures.setdefault(index_of(pod), [0, 0])[action == "Ignore"] += 1
                if action == "FailIndex":
                    ended.add(index_of(pod))
        if self._per_index is not None:
            counted = {index for index, (count, _) in self._failures.items() if count > self._per_index}
            self._failed |= ended | counted
        self._done.discard(-1)

    def annotations(self, index: int) -> dict[str, str]:
        """What the next pod of an index tells: the index, and the failures before it where they count."""
        found = {INDEX: str(index)}
        if self._per_index is not None:
            counted, ignored = self._failures.get(index, (0, 0))
            found[_FAILURES] = str(counted)
            if ignored:
                found[_IGNORED] = str(ignored)
        return found

    def may_succeed(self, pod: Object) -> bool:
        """Whether a pod's success counts."""
        return 0 <= index_of(pod) < self._completions

    def is_complete(self, succeeded: list[Object]) -> bool:
        """Whether every index is done."""
        done = self._done | {index_of(pod) for pod in succeeded}
        return len(done) >= self._completions

    def success(self, succeeded: list[Object]) -> str:
        """What the Job's successPolicy says of it; "" when it is not met."""
        done = self._done | {index_of(pod) for pod in succeeded}
        for place, rule in enumerate(self._success):
            wanted, count = parse(rule.get("succeededIndexes", "")), rule.get("succeededCount")
            if "succeededIndexes" in rule:
                met = bool(wanted) and len(wanted & done) >= (len(wanted) if count is None else count)
            else:
                met = count is not None and len(done) >= count
            if met:
                return f"Matched rules at index {place}"
        return ""

    def failure(self) -> tuple[str, str] | None:
        """Why the Job fails by its indexes, None when it does not (yet)."""
        if self._max_failed is not None and len(self._failed) > self._max_failed:
            return (
                "MaxFailedIndexesExceeded",
                "Job has exceeded the specified maximal number of failed indexes",
            )
        if self._failed and len(self._done | self._failed) >= self._completions:
            return "FailedIndexes", "Job has failed indexes"
        return None

    def next(self, count: int, active: list[Object]) -> list[int]:
        """The lowest indexes that need a pod."""
        taken = self._done | self._failed | {index_of(pod) for pod in active}
        return [index for index in range(self._completions) if index not in taken][:count]

    def status(self, succeeded: list[Object]) -> dict[str, str]:
        """`completedIndexes` and `failedIndexes`."""
        if not self.used:
            return {}
        done = self._done | {index_of(pod) for pod in succeeded}
        found = {"completedIndexes": show(done)} if done else {}
        if self._per_index is not None:
            found["failedIndexes"] = show(self._failed)
        return found

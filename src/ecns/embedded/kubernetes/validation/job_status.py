"""What the status of a Job may say, and how it may change.

Source: https://kubernetes.io/docs/concepts/workloads/controllers/job/#terminal-job-conditions and
`validateJobStatus` of Kubernetes 1.36.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ecns.embedded.kubernetes.validation.job_policies import counted, indexes_of

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.validation.causes import Causes

_COUNTERS = ("active", "succeeded", "failed", "ready", "terminating")
_TERMINAL = ("Failed", "Complete", "FailureTarget")


def _true(status: Object, kind: str) -> bool:
    return any(
        item.get("type") == kind and item.get("status") == "True" for item in status.get("conditions") or ()
    )


class _State(NamedTuple):
    """The conditions of a status that are true."""

    complete: bool
    failed: bool
    failing: bool
    succeeded: bool

    @classmethod
    def of(cls, status: Object) -> _State:
        kinds = ("Complete", "Failed", "FailureTarget", "SuccessCriteriaMet")
        return cls(*(_true(status, kind) for kind in kinds))

    @property
    def finished(self) -> bool:
        return self.complete or self.failed


def status_update(causes: Causes, new: Object, old: Object) -> None:
    """Checks a new status of a Job; what it leaves as it was is not held against it."""
    status, before = new.get("status", {}), old.get("status", {})
    now, was = _State.of(status), _State.of(before)
    changed = {name for name in {*status, *before} if status.get(name) != before.get(name)}
    for name in _COUNTERS:
        causes.not_negative(f"status.{name}", status.get(name))
    _uncounted(causes, status.get("uncountedTerminatedPods") or {})
    _completion(causes, status, now, was, changed)
    _finished(causes, new, now, was, changed)
    _indexes(causes, new["spec"], status, changed)
    _together(causes, new["spec"], status, now, was, changed)
    _transition(causes, new, before, now, was)


def _conditions(causes: Causes, detail: str) -> None:
    causes.wrong("status.conditions", detail)


def _uncounted(causes: Causes, found: Object) -> None:
    for name in ("succeeded", "failed"):
        listed = found.get(name) or []
        for index, uid in enumerate(listed):
            at = f"status.uncountedTerminatedPods.{name}[{index}]"
            if not uid:
                causes.invalid(at, uid, "must not be empty")
            elif uid in listed[:index]:
                causes.duplicate(at, uid)


def _completion(causes: Causes, status: Object, now: _State, was: _State, changed: set[str]) -> None:
    ended, begun, path = status.get("completionTime"), status.get("startTime"), "status.completionTime"
    if (now.complete, now.failed) != (was.complete, was.failed) and now.complete and now.failed:
        _conditions(causes, "cannot set Complete=True and Failed=true conditions")
    if (now.complete, now.failing) != (was.complete, was.failing) and now.complete and now.failing:
        _conditions(causes, "cannot set Complete=True and FailureTarget=true conditions")
    if now.complete != was.complete or "completionTime" in changed:
        if ended and not now.complete:
            causes.invalid(path, ended, "cannot set completionTime when there is no Complete=True condition")
        if not ended and now.complete:
            causes.required(path, "completionTime is required for Complete jobs")
    if changed & {"startTime", "completionTime"} and begun and ended and ended < begun:
        causes.invalid(path, ended, "must be equal to or after `startTime`")
    if (now.failed != was.failed or "failedIndexes" in changed) and now.failed and not now.failing:
        _conditions(causes, "cannot set Failed=True condition without the FailureTarget=true condition")
    if (now.complete, now.succeeded) != (was.complete, was.succeeded) and now.complete and not now.succeeded:
        why = "cannot set Complete=True condition without the SuccessCriteriaMet=true condition"
        _conditions(causes, why)


def _finished(causes: Causes, job: Object, now: _State, was: _State, changed: set[str]) -> None:
    if not now.finished:
        return
    status, new = job["status"], not was.finished
    if (new or "active" in changed) and status.get("active"):
        causes.invalid("status.active", status["active"], "active>0 is invalid for finished job")
    idle = job["spec"].get("suspend") and job["spec"].get("completions") == 0
    if (new or "startTime" in changed) and not status.get("startTime") and not idle:
        causes.required("status.startTime", "startTime is required for finished job")
    uncounted = status.get("uncountedTerminatedPods") or {}
    if (new or "uncountedTerminatedPods" in changed) and any(uncounted.values()):
        causes.invalid("status.uncountedTerminatedPods", uncounted, "must be empty for finished job")


def _indexes(causes: Causes, spec: Object, status: Object, changed: set[str]) -> None:
    completions, done, failed = (
        spec.get("completions"),
        status.get("completedIndexes", ""),
        status.get("failedIndexes"),
    )
    named = {"completedIndexes": done}
    if "backoffLimitPerIndex" in spec and failed is not None:
        named["failedIndexes"] = failed
    for name, listed in named.items():
        if name in changed and completions is not None:
            try:
                counted(listed, completions)
            except ValueError as error:
                causes.invalid(f"status.{name}", listed, f"error parsing {name}: {error}")
    if "completedIndexes" in changed and done and spec.get("completionMode") != "Indexed":
        why = "cannot set non-empty completedIndexes when non-indexed completion mode"
        causes.invalid("status.completedIndexes", done, why)
    if "failedIndexes" in changed and failed is not None and "backoffLimitPerIndex" not in spec:
        why = "cannot set non-null failedIndexes when backoffLimitPerIndex is null"
        causes.invalid("status.failedIndexes", failed, why)
    if changed & {"failedIndexes", "completedIndexes"} and completions is not None and failed:
        shared = indexes_of(done) & indexes_of(failed)
        if shared:
            why = f"failedIndexes and completedIndexes overlap at index: {min(shared)}"
            causes.invalid("status.failedIndexes", failed, why)


def _together(  # noqa: PLR0917  the status, and what it was
    causes: Causes, spec: Object, status: Object, now: _State, was: _State, changed: set[str]
) -> None:
    terminating, ready, active = status.get("terminating"), status.get("ready"), status.get("active", 0)
    if (now.finished != was.finished or "terminating" in changed) and terminating and now.finished:
        causes.invalid("status.terminating", terminating, "terminating>0 is invalid for finished job")
    if changed & {"ready", "active"} and ready is not None and ready > active:
        causes.invalid("status.ready", ready, "cannot set more ready pods than active")
    if now.succeeded and now.failed:
        _conditions(causes, "cannot set SuccessCriteriaMet=True and Failed=true conditions")
    if now.succeeded and now.failing:
        _conditions(causes, "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions")
    if "successPolicy" in spec and not now.succeeded and now.complete:
        why = "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True"
        _conditions(causes, why)


def _transition(causes: Causes, job: Object, before: Object, now: _State, was: _State) -> None:
    spec, status = job["spec"], job["status"]
    for kind in _TERMINAL:
        if _true(before, kind) and not _true(status, kind):
            _conditions(causes, f"cannot disable the terminal {kind}=True condition")
    elastic = spec.get("completionMode") == "Indexed" and spec.get("completions") == spec.get("parallelism")
    for name in ("failed",) if elastic else ("failed", "succeeded"):
        if status.get(name, 0) < before.get(name, 0):
            causes.invalid(f"status.{name}", status.get(name, 0), f"cannot decrease the {name} counter")
    ended, begun = status.get("completionTime"), status.get("startTime")
    if ended and before.get("completionTime") and ended != before["completionTime"]:
        causes.invalid("status.completionTime", ended, "field is immutable")
    resumes = _true(before, "Suspended") and not _true(status, "Suspended")
    if before.get("startTime") and begun != before["startTime"] and not spec.get("suspend") and not resumes:
        causes.invalid("status.startTime", begun, "field is immutable for unsuspended job once set")
    if was.succeeded and not now.succeeded:
        _conditions(causes, "cannot disable the SuccessCriteriaMet=True condition")
    if was.complete and not was.succeeded and now.succeeded:
        why = "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions"
        _conditions(causes, why)

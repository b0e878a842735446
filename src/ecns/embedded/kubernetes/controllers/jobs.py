"""Jobs: pods that run to their end, as often as asked.

Source: https://kubernetes.io/docs/concepts/workloads/controllers/job/
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from ecns.embedded.kubernetes import clock
from ecns.embedded.kubernetes.controllers import objects
from ecns.embedded.kubernetes.controllers.base import Controller, Key
from ecns.embedded.kubernetes.controllers.failures import decide
from ecns.embedded.kubernetes.controllers.indexes import INDEX, Indexes
from ecns.embedded.kubernetes.errors import ApiError

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.cluster import Cluster
    from ecns.embedded.kubernetes.controllers.shared import Shared
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.store import Record

TRACKING = "batch.kubernetes.io/job-tracking"
_ENDINGS = ("Complete", "Failed")
_TARGETS = {"SuccessCriteriaMet": "Complete", "FailureTarget": "Failed"}
_GATHERED = 0.05
_FIRST_BACKOFF, _LAST_BACKOFF = 10.0, 600.0
_LIMIT = "Job has reached the specified backoff limit"
_DEADLINE = "Job was active longer than specified deadline"
_INDEX_ENV = {
    "name": "JOB_COMPLETION_INDEX",
    "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": f"metadata.labels['{INDEX}']"}},
}


def is_over(job: Object) -> bool:
    """Whether a Job is Complete or Failed."""
    return any((objects.condition(job, kind) or {}).get("status") == "True" for kind in _ENDINGS)


class Jobs(Controller):
    """Runs Jobs."""

    name = "job-controller"
    resource = "jobs.batch"
    first_retry = 1.0
    last_retry = 60.0

    def __init__(self, cluster: Cluster, shared: Shared) -> None:
        super().__init__(cluster, shared)
        self._strays: dict[Key, set[str]] = {}
        """By a Job's key, the names of pods that are tracked for no Job that is there."""

    def begin(self) -> None:
        """Watches them and their pods."""
        self.watch_own(self.resource)
        self.watch(self.resource, self._left)
        self.watch("pods", self._pod)
        self.shared.orphans("pods")
        for record in self.cluster.store.all("pods"):
            if TRACKING.encode() in record.data:
                self._stray(record.obj)

    def _left(self, _event: str, new: Object | None, old: Object | None) -> None:
        """The pods of a Job that is gone are let go, for the collector to delete them."""
        if new is None and old is not None:
            for resource, obj in self.cluster.owned(old["metadata"]["uid"]):
                if resource == "pods":
                    self._stray(obj)

    def _stray(self, pod: Object) -> None:
        metadata = pod["metadata"]
        if TRACKING not in (metadata.get("finalizers") or ()):
            return
        owner = objects.controller_of(pod)
        if owner is not None and owner["kind"] == "Job":
            job = self.cluster.find(self.resource, owner["name"], metadata["namespace"])
            if job is not None and job["metadata"]["uid"] == owner["uid"]:
                return
        key = metadata["namespace"], owner["name"] if owner else metadata["name"]
        self._strays.setdefault(key, set()).add(metadata["name"])
        self.enqueue(key)

    def _pod(self, _event: str, new: Object | None, old: Object | None) -> None:
        """What pods do is gathered for a moment."""
        if new is not None:
            self._stray(new)
        for pod in (new, old):
            owner = objects.controller_of(pod) if pod else None
            if pod is not None and owner is not None and owner["kind"] == "Job":
                self.after(_GATHERED, (pod["metadata"]["namespace"], owner["name"]))
                return
        if new is None or objects.controller_of(new) is not None:
            return
        for job in self.cluster.list(self.resource, new["metadata"]["namespace"]):
            if objects.selects(objects.requirements(job["spec"].get("selector")), new):
                self.enqueue((new["metadata"]["namespace"], job["metadata"]["name"]))

    def is_settled(self, record: Record) -> bool:
        """Those that are over."""
        return is_over(record.obj) and not record.obj.get("status", {}).get("uncountedTerminatedPods")

    def sync(self, key: Key) -> None:
        """Works on one."""
        for name in self._strays.pop(key, ()):
            pod = self.cluster.find("pods", name, key[0])
            if pod is not None:
                self.untrack(pod)
        job = self.cluster.find(self.resource, key[1], key[0])
        if job is None:
            return
        selector = objects.requirements(job["spec"].get("selector"))
        owned = self.shared.claim(job, "pods", selector, finalizer=TRACKING)
        pods = sorted(owned, key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]))
        if is_over(job):
            for pod in pods:
                self.untrack(pod)
            return
        if job["spec"].get("managedBy", "kubernetes.io/job-controller") != "kubernetes.io/job-controller":
            return
        wait = _Turn(self, job, pods).run()
        if wait is not None:
            self.after(wait, key)

    def untrack(self, pod: Object) -> None:
        """Takes the tracking finalizer off a pod."""
        current = self.cluster.find("pods", pod["metadata"]["name"], pod["metadata"]["namespace"])
        if current is None or TRACKING not in (current["metadata"].get("finalizers") or ()):
            return
        kept = [item for item in current["metadata"]["finalizers"] if item != TRACKING]
        metadata = {key: value for key, value in current["metadata"].items() if key != "finalizers"}
        self.cluster.update(
            "pods", {**current, "metadata": {**metadata, "finalizers": kept} if kept else metadata}
        )


class _Turn:
    """One look at one Job."""

    def __init__(self, controller: Jobs, job: Object, pods: list[Object]) -> None:
        self._controller = controller
        self._cluster = controller.cluster
        self._job = job
        self._spec = job["spec"]
        self._pods = pods
        self._now = controller.now()
        self._status: Object = dict(job.get("status", {}))
        self._conditions: list[Object] = list(self._status.get("conditions") or ())
        self._indexes = Indexes(self._spec, self._status, pods)
        self._wait: float | None = None
        self._later: list[tuple[str, str]] = []
        self._refused: ApiError | None = None

    def run(self) -> float | None:
        """Does what is due; returns the seconds until the next look, None when events will bring it."""
        self._settle_uncounted()
        failed_now, succeeded_now = self._newly_ended()
        active = [pod for pod in self._pods if objects.is_active(pod)]
        suspended = self._suspension()
        target = self._target(failed_now, succeeded_now, active)
        going = sum(
            1
            for pod in self._pods
            if pod["metadata"].get("deletionTimestamp") and not objects.is_finished(pod)
        )
        if target is not None:
            if not self._has(target[0]):
                self._add(*target)
            for pod in active:
                failed_now += self._stop(pod, count=target[0] == "FailureTarget")
            going += len(active)
            active = []
        elif suspended:
            for pod in active:
                self._delete(pod)
            going += len(active)
            active = []
        else:
            active = self._fill(active, going, succeeded_now)
        for reason, message in self._later:
            self._say("Normal", reason, message)
        self._write(active, going, failed_now, succeeded_now)
        if self._refused is not None:
            raise self._refused
        return self._wait

    # what has ended

    def _tracked(self, pod: Object) -> bool:
        return TRACKING in (pod["metadata"].get("finalizers") or ())

    def _newly_ended(self) -> tuple[list[Object], list[Object]]:
        uncounted = self._status.get("uncountedTerminatedPods") or {}
        known = {*(uncounted.get("succeeded") or ()), *(uncounted.get("failed") or ())}
        fresh = [pod for pod in self._pods if self._tracked(pod) and pod["metadata"]["uid"] not in known]
        succeeded = [pod for pod in fresh if pod.get("status", {}).get("phase") == "Succeeded"]
        if self._indexes.used:
            succeeded = [pod for pod in succeeded if self._indexes.may_succeed(pod)]
        failed = [pod for pod in fresh if pod.get("status", {}).get("phase") == "Failed"]
        policy = self._spec.get("podFailurePolicy")
        ignored = [pod for pod in failed if decide(policy, pod)[0] == "Ignore"]
        for pod in ignored:
            self._controller.untrack(pod)
        return [pod for pod in failed if pod not in ignored], succeeded

    def _settle_uncounted(self) -> None:
        """The second half of counting: finalizers come off, then the numbers go up."""
        uncounted = self._status.get("uncountedTerminatedPods") or {}
        waiting = {*(uncounted.get("succeeded") or ()), *(uncounted.get("failed") or ())}
        if not waiting:
            return
        for pod in self._pods:
            if pod["metadata"]["uid"] in waiting:
                self._controller.untrack(pod)
        for key in ("succeeded", "failed"):
            self._status[key] = self._status.get(key, 0) + len(uncounted.get(key) or ())
        self._status["uncountedTerminatedPods"] = {}
        owned = self._cluster.owned(self._job["metadata"]["uid"])
        self._pods = [pod for kind, pod in owned if kind == "pods"]
        self._pods.sort(key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]))

    def _total(self, key: str, fresh: list[Object]) -> int:
        return int(self._status.get(key, 0)) + len(fresh)

    # what is to come of it

    def _has(self, kind: str) -> bool:
        return any(item["type"] == kind and item["status"] == "True" for item in self._conditions)

    def _add(self, kind: str, reason: str, message: str, status: str = "True") -> None:
        at = clock.stamp(self._now)
        new = {
            "type": kind,
            "status": status,
            "lastProbeTime": at,
            "lastTransitionTime": at,
            "reason": reason,
            "message": message,
        }
        for index, item in enumerate(self._conditions):
            if item["type"] == kind:
                self._conditions[index] = new
                return
        self._conditions.append(new)

    def _target(
        self, failed: list[Object], succeeded: list[Object], active: list[Object]
    ) -> tuple[str, str, str] | None:
        for item in self._conditions:
            if item["type"] in _TARGETS and item["status"] == "True":
                return item["type"], item["reason"], item.get("message", "")
        deadline = self._deadline()
        if deadline is not None:
            return "FailureTarget", "DeadlineExceeded", deadline
        for pod in failed:
            action, message = decide(self._spec.get("podFailurePolicy"), pod)
            if action == "FailJob":
                return "FailureTarget", "PodFailurePolicy", message
        why = self._failure(failed, active)
        if why is not None:
            return "FailureTarget", *why
        if met := self._indexes.success(succeeded):
            return "SuccessCriteriaMet", "SuccessPolicy", met
        if self._is_complete(succeeded, active):
            return "SuccessCriteriaMet", "CompletionsReached", "Reached expected number of succeeded pods"
        return None

    def _failure(self, failed: list[Object], active: list[Object]) -> tuple[str, str] | None:
        limit = self._spec.get("backoffLimit", 6)
        per_index = self._spec.get("backoffLimitPerIndex")
        if per_index is not None:
            return self._indexes.failure()
        if self._total("failed", failed) > limit:
            return "BackoffLimitExceeded", _LIMIT
        if self._spec["template"]["spec"].get("restartPolicy") == "OnFailure":
            restarts = sum(
                item.get("restartCount", 0)
                for pod in active
                for key in ("initContainerStatuses", "containerStatuses")
                for item in pod.get("status", {}).get(key) or ()
            )
            if restarts > limit if limit == 0 else restarts >= limit:
                return "BackoffLimitExceeded", _LIMIT
        return None

    def _deadline(self) -> str | None:
        seconds, started = self._spec.get("activeDeadlineSeconds"), self._status.get("startTime")
        if seconds is None or started is None or self._spec.get("suspend"):
            return None
        left = (clock.parse(started) + timedelta(seconds=seconds) - self._now).total_seconds()
        if left <= 0:
            return _DEADLINE
        self._look_again(left)
        return None

    def _is_complete(self, succeeded: list[Object], active: list[Object]) -> bool:
        completions = self._spec.get("completions")
        if self._indexes.used:
            return self._indexes.is_complete(succeeded)
        done = self._total("succeeded", succeeded)
        if completions is None:
            return done > 0 and not active
        return done >= int(completions)

    def _suspension(self) -> bool:
        if not self._spec.get("suspend"):
            found = next((item for item in self._conditions if item["type"] == "Suspended"), None)
            if found is not None and found["status"] == "True":
                self._add("Suspended", "JobResumed", "Job resumed", "False")
                self._status["startTime"] = clock.stamp(self._now)
                self._later.append(("Resumed", "Job resumed"))
            elif not self._status.get("startTime"):
                self._status["startTime"] = clock.stamp(self._now)
            return False
        if not self._has("Suspended"):
            self._add("Suspended", "JobSuspended", "Job suspended")
            self._later.append(("Suspended", "Job suspended"))
            self._status.pop("startTime", None)
        return True

    # pods

    def _fill(self, active: list[Object], going: int, succeeded: list[Object]) -> list[Object]:
        parallelism = self._spec.get("parallelism", 1)
        completions, done = self._spec.get("completions"), self._total("succeeded", succeeded)
        if completions is None:
            wanted = len(active) if done else parallelism
        else:
            wanted = min(parallelism, int(completions) - done)
        occupied = len(active)
        if self._spec.get("podReplacementPolicy") == "Failed":
            occupied += going
        if occupied > wanted:
            extra = active[wanted - len(active) :] if wanted else active
            for pod in extra:
                self._delete(pod)
            return [pod for pod in active if pod not in extra]
        missing = wanted - occupied
        if missing <= 0:
            return active
        pause = self._pause()
        if pause > 0:
            self._look_again(pause)
            return active
        made = list(active)
        for index in self._indexes.next(missing, active) if self._indexes.used else [None] * missing:
            try:
                made.append(self._create(index))
            except ApiError as error:
                self._refused = error
                break
        return made

    def _pause(self) -> float:
        """How long after failures the next pod has to wait."""
        ended = [pod for pod in self._pods if pod.get("status", {}).get("phase") in {"Failed", "Succeeded"}]
        ended.sort(key=_finished_at)
        streak = 0
        last = ""
        for pod in ended:
            if pod["status"]["phase"] == "Succeeded":
                streak = 0
            else:
                streak, last = streak + 1, _finished_at(pod)
        if not streak or not last or self._spec.get("backoffLimitPerIndex") is not None:
            return 0.0
        pause = min(_FIRST_BACKOFF * 2 ** (streak - 1), _LAST_BACKOFF)
        return float((clock.parse(last) + timedelta(seconds=pause) - self._now).total_seconds())

    def _create(self, index: int | None) -> Object:
        job = self._job
        pod = objects.from_template(self._spec["template"], job)
        metadata = pod["metadata"]
        metadata["finalizers"] = [*(metadata.get("finalizers") or ()), TRACKING]
        if index is not None:
            metadata["generateName"] = f"{job['metadata']['name']}-{index}-"
            metadata["labels"] = {**(metadata.get("labels") or {}), INDEX: str(index)}
            told = self._indexes.annotations(index)
            metadata["annotations"] = {**(metadata.get("annotations") or {}), **told}
            pod["spec"]["hostname"] = f"{job['metadata']['name']}-{index}"
            for key in ("initContainers", "containers"):
                if pod["spec"].get(key):
                    pod["spec"][key] = [_with_index(item) for item in pod["spec"][key]]
        try:
            made = self._cluster.create("pods", pod, namespace=metadata["namespace"])
        except ApiError as error:
            self._say("Warning", "FailedCreate", f"Error creating: {error}")
            raise
        self._say("Normal", "SuccessfulCreate", f"Created pod: {made['metadata']['name']}")
        return made

    def _delete(self, pod: Object) -> None:
        metadata = pod["metadata"]
        self._controller.untrack(pod)
        self._cluster.delete("pods", metadata["name"], metadata["namespace"])
        self._say("Normal", "SuccessfulDelete", f"Deleted pod: {metadata['name']}")

    def _stop(self, pod: Object, *, count: bool) -> list[Object]:
        metadata = pod["metadata"]
        if not count:
            self._controller.untrack(pod)
        self._cluster.delete("pods", metadata["name"], metadata["namespace"])
        self._say("Normal", "SuccessfulDelete", f"Deleted pod: {metadata['name']}")
        return [pod] if count else []

    def _say(self, kind: str, reason: str, message: str) -> None:
        self._controller.event(self._job, kind, reason, message)

    def _look_again(self, seconds: float) -> None:
        self._wait = seconds if self._wait is None else min(self._wait, seconds)

    # status

    def _write(self, active: list[Object], going: int, failed: list[Object], succeeded: list[Object]) -> None:
        uncounted = {
            key: [pod["metadata"]["uid"] for pod in pods]
            for key, pods in (("succeeded", succeeded), ("failed", failed))
            if pods
        }
        ended = next(
            (item for item in self._conditions if item["type"] in _TARGETS and item["status"] == "True"), None
        )
        counted = not uncounted and not (self._status.get("uncountedTerminatedPods") or {})
        if ended is not None and counted and not active and not going:
            self._finish(ended)
        status = {
            **self._status,
            "conditions": self._conditions,
            "active": len(active),
            "succeeded": self._status.get("succeeded", 0),
            "failed": self._status.get("failed", 0),
            "terminating": going,
            "uncountedTerminatedPods": uncounted,
            "ready": sum(objects.is_ready(pod) for pod in active if "status" in pod),
            **self._indexes.status(succeeded),
        }
        status = objects.drop_empty(status, "terminating", "uncountedTerminatedPods", "ready")
        if status != self._job.get("status", {}):
            self._cluster.update_status("jobs.batch", {**self._job, "status": status})
        if uncounted:
            self._controller.enqueue((self._job["metadata"]["namespace"], self._job["metadata"]["name"]))

    def _finish(self, target: Object) -> None:
        self._add(_TARGETS[target["type"]], target["reason"], target.get("message", ""))
        if target["type"] == "SuccessCriteriaMet":
            self._status["completionTime"] = clock.stamp(self._now)
            self._say("Normal", "Completed", "Job completed")
        else:
            self._say("Warning", target["reason"], target.get("message", ""))


def _with_index(container: Object) -> Object:
    if any(item["name"] == _INDEX_ENV["name"] for item in container.get("env") or ()):
        return container
    return {**container, "env": [*(container.get("env") or ()), _INDEX_ENV]}


def _finished_at(pod: Object) -> str:
    found = [
        item.get("state", {}).get("terminated", {}).get("finishedAt") or ""
        for item in pod.get("status", {}).get("containerStatuses") or ()
    ]
    return max(found, default="") or str(pod["metadata"]["creationTimestamp"])


class JobLifetimes(Controller):
    """Deletes Jobs some time after they are over."""

    name = "ttl-after-finished-controller"
    resource = "jobs.batch"

    def begin(self) -> None:
        """Watches Jobs."""
        self.watch_own(self.resource)

    def is_settled(self, record: Record) -> bool:
        """Those that stay."""
        return "ttlSecondsAfterFinished" not in record.obj["spec"]

    def sync(self, key: Key) -> None:
        """Works on one."""
        job = self.cluster.find(self.resource, key[1], key[0])
        seconds = job["spec"].get("ttlSecondsAfterFinished") if job else None
        if job is None or seconds is None or not is_over(job) or job["metadata"].get("deletionTimestamp"):
            return
        ends = [objects.condition(job, kind) for kind in _ENDINGS]
        ended = max(clock.parse(item["lastTransitionTime"]) for item in ends if item is not None)
        left = (ended + timedelta(seconds=seconds) - self.now()).total_seconds()
        if left > 0:
            self.after(left, key)
        else:
            self.cluster.delete(self.resource, key[1], key[0], propagation="Foreground")

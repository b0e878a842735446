"""CronJobs: Jobs at the times of a schedule.

Source: https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ecns.embedded.kubernetes import clock
from ecns.embedded.kubernetes.controllers import objects
from ecns.embedded.kubernetes.controllers.base import Controller, Key
from ecns.embedded.kubernetes.controllers.jobs import is_over
from ecns.embedded.kubernetes.controllers.schedules import Schedule
from ecns.embedded.kubernetes.errors import ApiError

if TYPE_CHECKING:
    from datetime import tzinfo

    from ecns.embedded.kubernetes.errors import Object

_JOBS = "jobs.batch"
_SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"
_LAG = 0.1
_MOST_MISSED = 100
_NEVER = "invalid schedule: {} : time difference between two schedules is less than 1 second"
_TOO_MANY = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"


class CronJobs(Controller):
    """Starts Jobs when they are due."""

    name = "cronjob-controller"
    resource = "cronjobs.batch"

    def begin(self) -> None:
        """Watches them and their Jobs."""
        self.watch_own(self.resource)
        self.watch_owned(_JOBS, "CronJob")

    def sync(self, key: Key) -> None:
        """Works on one."""
        cron = self.cluster.find(self.resource, key[1], key[0])
        if cron is None:
            return
        jobs = [job for resource, job in self.cluster.owned(cron["metadata"]["uid"]) if resource == _JOBS]
        jobs.sort(key=lambda job: (job["metadata"]["creationTimestamp"], job["metadata"]["name"]))
        status = dict(cron.get("status", {}))
        self._reconcile(cron, status, jobs)
        if not cron["metadata"].get("deletionTimestamp") and not cron["spec"].get("suspend"):
            self._start_due(cron, status, key)
        status = objects.drop_empty(status)
        if status != cron.get("status", {}):
            self.cluster.update_status(self.resource, {**cron, "status": status})

    def _reconcile(self, cron: Object, status: Object, jobs: list[Object]) -> None:
        active = list(status.get("active") or ())
        known = {item["uid"] for item in active}
        for job in jobs:
            uid, name = job["metadata"]["uid"], job["metadata"]["name"]
            if uid not in known:
                if not is_over(job):
                    message = f"Saw a job that the controller did not create or forgot: {name}"
                    self.event(cron, "Warning", "UnexpectedJob", message)
            elif is_over(job):
                active = [item for item in active if item["uid"] != uid]
                complete = (objects.condition(job, "Complete") or {}).get("status") == "True"
                message = f"Saw completed job: {name}, condition: {'Complete' if complete else 'Failed'}"
                self.event(cron, "Normal", "SawCompletedJob", message)
            done = job.get("status", {}).get("completionTime")
            if done and done > status.get("lastSuccessfulTime", ""):
                status["lastSuccessfulTime"] = done
        present = {job["metadata"]["uid"] for job in jobs}
        for item in active:
            if item["uid"] not in present:
                self.event(cron, "Normal", "MissingJob", f"Active job went missing: {item['name']}")
        status["active"] = [item for item in active if item["uid"] in present]
        self._clean_up(cron, jobs)

    def _clean_up(self, cron: Object, jobs: list[Object]) -> None:
        for kind, key, default in (
            ("Failed", "failedJobsHistoryLimit", 1),
            ("Complete", "successfulJobsHistoryLimit", 3),
        ):
            ended = [job for job in jobs if (objects.condition(job, kind) or {}).get("status") == "True"]
            ended.sort(key=lambda job: job.get("status", {}).get("startTime", ""))
            for job in ended[: max(len(ended) - cron["spec"].get(key, default), 0)]:
                self._delete(cron, job["metadata"]["name"])

    def _delete(self, cron: Object, name: str) -> None:
        namespace = cron["metadata"]["namespace"]
        job = self.cluster.find(_JOBS, name, namespace)
        if job is not None and not job["metadata"].get("deletionTimestamp"):
            self.cluster.delete(_JOBS, name, namespace, propagation="Background")
            self.event(cron, "Normal", "SuccessfulDelete", f"Deleted job {name}")

    def _start_due(self, cron: Object, status: Object, key: Key) -> None:
        spec = cron["spec"]
        try:
            schedule, zone = Schedule(spec["schedule"]), _zone(spec.get("timeZone"))
        except (ValueError, ZoneInfoNotFoundError):
            self.event(cron, "Warning", "UnparseableSchedule", f"unparseable schedule: {spec['schedule']!r}")
            return
        now = self.now()
        since = clock.parse(status.get("lastScheduleTime") or cron["metadata"]["creationTimestamp"])
        deadline = spec.get("startingDeadlineSeconds")
        if deadline is not None:
            since = max(since, now - timedelta(seconds=deadline))
        due = self._last_missed(cron, schedule, zone, since, now)
        following = schedule.after(now, zone)
        if following is None:
            self.event(cron, "Warning", "InvalidSchedule", _NEVER.format(spec["schedule"]))
            return
        self.after((following - now).total_seconds() + _LAG, key)
        if due is None:
            return
        name = f"{cron['metadata']['name']}-{int(due.timestamp()) // 60}"
        active = status["active"]
        if any(item["name"] == name for item in active):
            return
        policy = spec.get("concurrencyPolicy", "Allow")
        if policy == "Forbid" and active:
            message = "Not starting job because prior execution is running and concurrency policy is Forbid"
            self.event(cron, "Normal", "JobAlreadyActive", message)
            return
        if policy == "Replace":
            for item in active:
                self._delete(cron, item["name"])
            status["active"] = active = []
        made = self._create(cron, name, due)
        if made is not None:
            metadata = made["metadata"]
            reference = {
                "kind": "Job",
                "namespace": metadata["namespace"],
                "name": metadata["name"],
                "uid": metadata["uid"],
                "apiVersion": "batch/v1",
                "resourceVersion": metadata["resourceVersion"],
            }
            status["active"] = [*active, reference]
        status["lastScheduleTime"] = clock.stamp(due.astimezone(UTC))

    def _last_missed(
        self, cron: Object, schedule: Schedule, zone: tzinfo, since: datetime, now: datetime
    ) -> datetime | None:
        due: datetime | None = None
        moment, missed = schedule.after(since, zone), 0
        while moment is not None and moment <= now:
            due, missed = moment, missed + 1
            if missed == _MOST_MISSED:
                self.event(cron, "Warning", "TooManyMissedTimes", _TOO_MANY)
                moment = schedule.after(max(moment, now - (moment - since) / missed * 2), zone)
            else:
                moment = schedule.after(moment, zone)
        return due

    def _create(self, cron: Object, name: str, due: datetime) -> Object | None:
        template = cron["spec"]["jobTemplate"]
        meta = template.get("metadata") or {}
        at = due.isoformat().replace("+00:00", "Z")
        job = {
            "kind": "Job",
            "apiVersion": "batch/v1",
            "metadata": {
                "name": name,
                "namespace": cron["metadata"]["namespace"],
                **({"labels": meta["labels"]} if meta.get("labels") else {}),
                "annotations": {**(meta.get("annotations") or {}), _SCHEDULED: at},
                "ownerReferences": [objects.owned_by(cron)],
            },
            "spec": template["spec"],
        }
        try:
            made = self.cluster.create(_JOBS, job, namespace=cron["metadata"]["namespace"])
        except ApiError as error:
            if error.reason == "AlreadyExists":
                return None
            self.event(cron, "Warning", "FailedCreate", f"Error creating job: {error}")
            raise
        self.event(cron, "Normal", "SuccessfulCreate", f"Created job {name}")
        return made


def _zone(name: str | None) -> tzinfo:
    return ZoneInfo(name) if name else UTC

"""What types cannot say of a Job: checked before anything is sent, each refusal naming its field.

Source: reference 1.10; https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/.
"""

from __future__ import annotations

from msgspec.structs import replace

from ecns.api.common.checks import between, dns_label, dns_subdomain
from ecns.api.jobs.types import Job
from ecns.api.workloads.checks import check_containers, check_labels, check_volumes
from ecns.errors import BadRequestError

MAX_INT32 = 2**31 - 1
MAX_NAME = 63
"""A Job's name is a label of its pods."""
COUNTS = (
    "completions",
    "parallelism",
    "active_deadline_seconds",
    "backoff_limit",
    "ttl_seconds_after_finished",
)


def check_job(job: Job, *, at: str = "job", longest_name: int = MAX_NAME) -> Job:
    """Check a Job.

    Args:
        job: what was sent.
        at: its path in the request, for messages.
        longest_name: characters that its name may have.

    Returns:
        The Job with the defaults filled in.

    Raises:
        BadRequestError: something in it cannot be; `field` says where.
    """
    dns_label(job.name, f"{at}.name")
    if len(job.name) > longest_name:
        raise BadRequestError(
            f"{at}.name: {job.name!r} is longer than {longest_name} characters", field=f"{at}.name"
        )
    for name in COUNTS:
        if (value := getattr(job, name)) is not None:
            between(value, 0, MAX_INT32, f"{at}.{name}")
    if job.application_name:
        dns_label(job.application_name, f"{at}.application_name")
    check_labels(job.labels, at=f"{at}.labels", application=job.application_name)
    check_volumes(job.volumes or [], job.name, "Job", at=f"{at}.volumes")
    check_containers(job.containers, volumes=job.volumes or [], at=f"{at}.containers")
    if job.runtime_class_name:
        dns_subdomain(job.runtime_class_name, f"{at}.runtime_class_name")
    return replace(
        job,
        active_deadline_seconds=job.active_deadline_seconds or None,
        restart_policy=job.restart_policy or "OnFailure",
    )

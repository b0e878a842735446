"""What cannot be is refused before anything is sent, and the field is named."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ecns.api.jobs.checks import check_job
from ecns.api.jobs.types import Job
from ecns.errors import BadRequestError
from tests.api.jobs.asking import container, job


def checked(**more: Any) -> Job:
    return check_job(msgspec.convert({**job("x"), **more}, Job))


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"name": "Upper"}, "job.name"),
        ({"name": ""}, "job.name"),
        ({"name": "-x"}, "job.name"),
        ({"name": "a.b"}, "job.name"),
        ({"name": "j" * 64}, "job.name"),
        ({"completions": -1}, "job.completions"),
        ({"parallelism": 2**31}, "job.parallelism"),
        ({"active_deadline_seconds": -1}, "job.active_deadline_seconds"),
        ({"backoff_limit": -1}, "job.backoff_limit"),
        ({"ttl_seconds_after_finished": -1}, "job.ttl_seconds_after_finished"),
        ({"labels": {"a b": "c"}}, "job.labels"),
        ({"labels": {"app.kubernetes.io/part-of": "x"}}, "job.labels.app.kubernetes.io/part-of"),
        ({"runtime_class_name": "A"}, "job.runtime_class_name"),
        ({"application_name": "A"}, "job.application_name"),
        ({"containers": []}, "job.containers"),
        ({"containers": [container(), container()]}, "job.containers[1].name"),
        (
            {"containers": [container(volume_mounts=[{"volume_name": "v", "mount_path": "/v"}])]},
            "job.containers[0].volume_mounts[0].volume_name",
        ),
        ({"volumes": [{"name": "v", "type": "NFS"}]}, "job.volumes[0].type"),
        ({"volumes": [{"name": "v", "type": "StorageClass"}]}, "job.volumes[0].storage_class"),
    ],
)
def test_refused(more: dict[str, Any], field: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        checked(**more)
    assert caught.value.details["field"] == field


def test_defaults() -> None:
    assert checked(name="j" * 63, restart_policy=None).restart_policy == "OnFailure"
    assert checked(active_deadline_seconds=0).active_deadline_seconds is None
    assert checked(completions=None, parallelism=None).completions is None

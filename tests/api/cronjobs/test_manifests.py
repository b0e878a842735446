"""CronJobs to objects and back; rules to schedules and back; anything can be shown."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import kubernetes_validate
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecns.api.cronjobs import checks
from ecns.api.cronjobs.manifests import cronjobs as manifests
from ecns.api.cronjobs.manifests import schedules
from ecns.api.cronjobs.manifests.schedules import LIMITS
from ecns.api.cronjobs.types import CronJob, CronRule, ShownRule
from ecns.backends.kubernetes.kinds import batch
from tests.api.cronjobs.rules import fields
from tests.api.jobs.jobs import jobs
from tests.api.jobs.test_manifests import missing, served
from tests.api.workloads.recorded import recorded
from tests.api.workloads.test_manifests import QUICK, REGISTRY

NOW = datetime(2026, 11, 23, 10, 0, 30, tzinfo=UTC)
RULES = st.fixed_dictionaries(
    {"minute": fields("minute")}, optional={name: fields(name) for name in LIMITS if name != "minute"}
)


@st.composite
def cronjobs(draw: st.DrawFn) -> dict[str, Any]:
    """A CronJob as a request's JSON."""
    return {
        "concurrency_policy": draw(st.sampled_from(["Forbid", "Replace", "Allow", None])),
        "cron_rule": draw(RULES | st.sampled_from(["@hourly", "@every 90m", "0 6 * * MON"])),
        "job": draw(jobs()),
        "time_zone": draw(st.sampled_from([None, "Asia/Shanghai", "UTC"])),
        "suspend": draw(st.sampled_from([None, True, False])),
        "starting_deadline_seconds": draw(st.none() | st.integers(0, 600)),
        "successful_jobs_history_limit": draw(st.none() | st.integers(0, 9)),
        "failed_jobs_history_limit": draw(st.none() | st.integers(0, 9)),
    }


@QUICK
@given(cronjobs())
def test_what_is_posted_is_shown(body: dict[str, Any]) -> None:
    sent = msgspec.convert(body, CronJob)
    made = manifests.objects(sent, namespace="shop", registry_domain=REGISTRY)
    for one in [made.controller, *(found for _, found in made.dependants)]:
        whole = msgspec.json.decode(msgspec.json.encode(one))
        assert "status" not in whole
        kubernetes_validate.validate(whole, "1.36", strict=True)
    found = served(made.controller)
    claims = {claim.metadata.name: claim for claim in made.claims}
    assert missing(sent.job, manifests.template(found, claims, registry_domain=REGISTRY)) == []
    shown = manifests.status(found, [], NOW)
    assert shown.name == sent.job.name
    assert shown.scheduler == manifests.schedule(sent.cron_rule)
    assert shown.concurrency_policy == (sent.concurrency_policy or "Allow")
    assert shown.labels == (sent.job.labels or {})
    assert shown.application_name == sent.job.application_name
    assert shown.time_zone == sent.time_zone
    assert shown.status == ("Stopped" if sent.suspend else "Running")
    for name in ("starting_deadline_seconds", "successful_jobs_history_limit", "failed_jobs_history_limit"):
        assert getattr(shown, name) == getattr(sent, name)


@given(RULES)
def test_a_rule_is_a_schedule_and_back(rule: dict[str, str]) -> None:
    text = manifests.schedule(msgspec.convert(rule, CronRule))
    shown = manifests.shown_rule(text)
    assert shown is not None
    assert msgspec.to_builtins(shown) == {name: rule.get(name, "*") for name in LIMITS}
    again = msgspec.convert(msgspec.to_builtins(shown), CronRule)
    assert manifests.schedule(again) == text
    schedules.parse(text)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        # the reference's examples
        ({"minute": "*/5"}, "*/5 * * * *"),
        ({"minute": "10", "hour": "6", "day": "*/2"}, "10 6 */2 * *"),
        ({"minute": "10", "hour": "6", "week": "3,4"}, "10 6 * * 3,4"),
        ({"minute": "10", "hour": "6", "month": "10,20"}, "10 6 10,20 * *"),
        ({"minute": "10", "hour": "6", "day": "10,20"}, "10 6 10,20 * *"),
        ({"minute": "0", "month": "10,12"}, "0 * * 10,12 *"),
        ({"minute": 10, "hour": 6, "day of the month": "1", "day of the week": 0}, "10 6 1 * 0"),
        ({"minute": " 5 ", "hour": "", "day": None}, "5 * * * *"),
        ("@every 90m", "@every 90m"),
        (" 0 6 * * * ", "0 6 * * *"),
    ],
)
def test_schedules_of_rules(rule: Any, text: str) -> None:
    converted = msgspec.convert({"cron_rule": rule, "job": {"name": "x", "containers": []}}, CronJob)
    checks.check_rule(converted.cron_rule)
    assert manifests.schedule(converted.cron_rule) == text


def test_rules_of_schedules() -> None:
    assert manifests.shown_rule("@daily") == ShownRule(minute="0", hour="0", day="*", month="*", week="*")
    assert manifests.shown_rule("@every 5m") is None
    assert manifests.shown_rule("nonsense") is None


def foreign(**spec: Any) -> batch.CronJob:
    metadata = {"name": "x", "creationTimestamp": "2026-11-23T09:00:00Z"}
    return msgspec.convert({"metadata": metadata, "spec": {"schedule": "0 6 * * *", **spec}}, batch.CronJob)


@pytest.mark.parametrize(
    ("spec", "due"),
    [
        ({}, "2026-11-24T06:00:00Z"),
        ({"timeZone": "Asia/Shanghai"}, "2026-11-23T22:00:00Z"),
        ({"schedule": "TZ=Asia/Shanghai 0 6 * * *"}, "2026-11-23T22:00:00Z"),
        ({"schedule": "@every 45m"}, "2026-11-23T10:30:00Z"),
        ({"suspend": True}, None),
        ({"timeZone": "Asia/Nowhere"}, None),
        ({"schedule": "0 0 30 2 *"}, None),
        ({"schedule": "whenever"}, None),
        ({"schedule": ""}, None),
    ],
)
def test_when_it_is_due(spec: dict[str, Any], due: str | None) -> None:
    shown = manifests.status(foreign(**spec), [], NOW)
    assert shown.next_schedule_time == due
    found = manifests.due(foreign(**spec), NOW)
    assert (found and manifests.stamp(found)) == due


def test_what_cannot_be_understood_is_shown_all_the_same() -> None:
    shown = manifests.status(foreign(schedule="whenever"), [], NOW)
    assert (shown.scheduler, shown.cron_rule) == ("whenever", None)
    assert shown.scheduler_zh == "无法识别的定时规则"
    assert shown.scheduler_en == "A schedule that is not understood"
    empty = manifests.status(batch.CronJob(), [], NOW)
    assert (empty.status, empty.concurrency_policy, empty.actives) == ("Running", "Allow", 0)
    broken = foreign()
    broken.status = batch.CronJobStatus(last_schedule_time="yesterday")
    assert manifests.status(broken, [], NOW).next_schedule_time == "2026-11-24T06:00:00Z"


def test_the_zone_is_said() -> None:
    shown = manifests.status(foreign(timeZone="Asia/Shanghai"), [], NOW)
    assert "Asia/Shanghai" in shown.scheduler_zh
    assert shown.scheduler_en == "Every day at 06:00 (Asia/Shanghai time)"


def test_every_cronjob_is_shown() -> None:
    found = list(recorded("CronJob"))
    assert len(found) > 20
    for whole in found:
        one = msgspec.convert(whole, batch.CronJob)
        shown = manifests.status(one, [], NOW)
        msgspec.json.encode([shown, manifests.template(one, {}, registry_domain=REGISTRY)])
        assert shown.name == whole["metadata"]["name"]
        never = shown.status == "Stopped" or shown.scheduler == "0 0 31 2 *"
        assert bool(shown.next_schedule_time) != never


def test_a_run_has_all_that_the_template_has() -> None:
    pod = {"containers": [{"name": "c", "image": "a", "envFrom": [{"configMapRef": {"name": "all"}}]}]}
    template = {
        "metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}},
        "spec": {"completionMode": "Indexed", "completions": 2, "template": {"spec": pod}},
    }
    whole = {
        "metadata": {"name": "nightly", "namespace": "shop", "uid": "u"},
        "spec": {"schedule": "@daily", "jobTemplate": template},
    }
    made = manifests.run(msgspec.convert(whole, batch.CronJob), whole, "nightly-run-x")
    assert made["spec"] == template["spec"]
    assert made["metadata"]["labels"] == {"a": "b"}
    assert made["metadata"]["annotations"] == {"c": "d", "cronjob.kubernetes.io/instantiate": "manual"}
    owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": "nightly", "uid": "u", "controller": True}
    assert made["metadata"]["ownerReferences"] == [owner]

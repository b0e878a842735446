"""Jobs and CronJobs.

Source: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/ and recorded refusals.
"""

from __future__ import annotations

import re
import zoneinfo
from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.validation import internal, job_policies, meta, names, pods
from ecns.embedded.kubernetes.validation.causes import Causes, sorted_map
from ecns.embedded.kubernetes.validation.strategies import CONTROLLER_UID, JOB_NAME

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object

_NUMBERS = ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished")
_MISMATCH = "`selector` does not match template `labels`"
CRON_NAME_LENGTH = 52
GENERATED_LABELS = frozenset({CONTROLLER_UID, JOB_NAME, "controller-uid", "job-name"})
_FIELDS = 5
_RANGES = (("minute", 0, 59), ("hour", 0, 23), ("dom", 1, 31), ("month", 1, 12), ("dow", 0, 6))
_MONTHS = {
    name: number
    for number, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], start=1
    )
}
_DAYS = {name: number for number, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])}
_DESCRIPTORS = frozenset({"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"})
_DURATION = re.compile(r"[+-]?((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+|[+-]?0")


def _numbers(causes: Causes, path: str, spec: Object) -> None:
    for name in _NUMBERS:
        causes.not_negative(f"{path}.{name}", spec.get(name))
    job_policies.indexes(causes, path, spec)
    job_policies.policies(causes, path, spec)


def _job_spec(causes: Causes, path: str, spec: Object) -> None:
    _numbers(causes, path, spec)
    pods.template(causes, f"{path}.template", spec["template"])
    pod = spec["template"].get("spec", {})
    at = f"{path}.template.spec.restartPolicy"
    if pod.get("restartPolicy") in {"Always", "", None}:
        causes.required(at, 'valid values: "OnFailure", "Never"')
    elif pod["restartPolicy"] not in {"OnFailure", "Never"}:
        causes.unsupported(at, pod["restartPolicy"], ("OnFailure", "Never"))
    elif "podFailurePolicy" in spec and pod["restartPolicy"] != "Never":
        causes.invalid(
            at, pod["restartPolicy"], 'only "Never" is supported when podFailurePolicy is specified'
        )


def _generated(causes: Causes, obj: Object) -> None:
    spec, uid = obj["spec"], obj["metadata"].get("uid", "")
    if spec.get("manualSelector") or "selector" not in spec:
        return
    labels = spec["template"].get("metadata", {}).get("labels", {})
    wanted = {CONTROLLER_UID: uid, "controller-uid": uid}
    named = {JOB_NAME: obj["metadata"].get("name", ""), "job-name": obj["metadata"].get("name", "")}
    for key, value in {**wanted, **named}.items():
        if labels.get(key) != value:
            causes.invalid("spec.template.metadata.labels", sorted_map(labels), f"expected `{key}: {value}`")
    if spec["selector"] != {"matchLabels": {CONTROLLER_UID: uid}}:
        causes.invalid(
            "spec.selector", meta.shown_selector(spec["selector"]), "`selector` not auto-generated"
        )


def _selected(causes: Causes, spec: Object) -> None:
    found = spec.get("selector")
    if found is None:
        causes.required("spec.selector")
    if meta.label_selector(causes, "spec.selector", found):
        labels = spec["template"].get("metadata", {}).get("labels")
        if not meta.selector_matches(found, labels):
            causes.invalid("spec.template.metadata.labels", sorted_map(labels), _MISMATCH)


def _whole_spec(causes: Causes, spec: Object) -> None:
    _job_spec(causes, "spec", spec)
    _selected(causes, spec)


def job(causes: Causes, obj: Object) -> None:
    """Checks a Job."""
    spec = obj["spec"]
    _generated(causes, obj)
    _whole_spec(causes, spec)
    name, completions = obj["metadata"].get("name", ""), spec.get("completions")
    if spec.get("completionMode") == "Indexed" and completions:
        pod = f"{name}-{completions - 1}"
        if names.dns_label(pod):
            detail = f"will not able to create pod with invalid DNS label: {pod}"
            causes.invalid("metadata.name", name, detail)


def job_update(causes: Causes, new: Object, old: Object) -> None:
    """Checks what may change of a Job."""
    spec, before = new["spec"], old["spec"]
    job(causes, new)
    _whole_spec(causes, spec)
    indexed, completions = spec.get("completionMode") == "Indexed", spec.get("completions")
    if completions != before.get("completions") and not indexed:
        causes.invalid("spec.completions", completions, "field is immutable")
    elif completions not in {before.get("completions"), None, spec.get("parallelism")}:
        why = "can only be modified in tandem with spec.parallelism"
        causes.invalid("spec.completions", completions, why)
    if spec.get("selector") != before.get("selector"):
        causes.invalid("spec.selector", meta.shown_selector(spec.get("selector")), "field is immutable")
    _same_template(causes, spec, before, started="startTime" in old.get("status", {}))
    for name in ("completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy"):
        causes.immutable(f"spec.{name}", spec.get(name), before.get(name))
    policies = [job_policies.success_shown(found.get("successPolicy")) for found in (spec, before)]
    causes.immutable("spec.successPolicy", *policies)


def _same_template(causes: Causes, spec: Object, before: Object, *, started: bool) -> None:
    template, had = spec["template"], before["template"]
    if template == had:
        return
    free = ("affinity", "nodeSelector", "tolerations", "schedulingGates")
    new, old = template["spec"], had["spec"]
    if before.get("suspend") and not started:
        new = {name: value for name, value in new.items() if name not in free}
        old = {name: value for name, value in old.items() if name not in free}
        if new == old:
            return
    if before.get("suspend") and _but_resources(new) == _but_resources(old):
        return
    if template["spec"] == had["spec"]:
        causes.invalid("spec.template", sorted_map(template.get("metadata", {})), "field is immutable")
    else:
        causes.invalid(
            "spec.template.spec", internal.value("PodSpec", template["spec"]), "field is immutable"
        )


def _but_resources(pod: Object) -> Object:
    """A pod's spec without what its containers ask for, which may change while the Job is suspended."""
    kinds = {"containers", "initContainers"}
    lists = {
        kind: [{key: item for key, item in one.items() if key != "resources"} for one in pod.get(kind) or ()]
        for kind in kinds
    }
    return {**pod, **lists}


def _zone(causes: Causes, zone: str) -> None:
    path = "spec.timeZone"
    if not zone:
        causes.invalid(path, zone, "timeZone must be nil or non-empty string")
    elif zone.lower() == "local":
        detail = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        causes.invalid(path, zone, detail)
        if zone != "Local":
            causes.invalid(path, zone, f"unknown time zone {zone}")
    else:
        try:
            zoneinfo.ZoneInfo(zone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            causes.invalid(path, zone, f"unknown time zone {zone}")


def schedule_fault(text: str) -> str:
    """What the cron parser says of a schedule; "" when it is fine."""
    if text.startswith("@"):
        if text.startswith("@every "):
            duration = text.removeprefix("@every ")
            if _DURATION.fullmatch(duration):
                return ""
            return f'failed to parse duration {text}: time: invalid duration "{duration}"'
        return "" if text in _DESCRIPTORS else f"unrecognized descriptor: {text}"
    fields = text.split()
    if len(fields) != _FIELDS:
        return f"expected exactly {_FIELDS} fields, found {len(fields)}: [{text}]"
    for (name, low, high), field in zip(_RANGES, fields, strict=True):
        words = _MONTHS if name == "month" else _DAYS if name == "dow" else {}
        for part in filter(None, field.split(",")):
            fault = _part_fault(part, low, high, words)
            if fault:
                return fault
    return ""


def _number(text: str, words: dict[str, int]) -> int | str:
    if text.lower() in words:
        return words[text.lower()]
    if re.fullmatch("[+]?[0-9]{1,18}", text):
        return int(text)
    if re.fullmatch("-[0-9]+", text):
        return f"negative number ({text}) not allowed: {text}"
    return f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax'


def _part_fault(part: str, low: int, high: int, words: dict[str, int]) -> str:
    span, slash, step_text = part.partition("/")
    first, dash, last = span.partition("-")
    if "-" in last and first not in {"*", "?"}:
        return f"too many hyphens: {part}"
    if "/" in step_text:
        return f"too many slashes: {part}"
    if first in {"*", "?"}:
        start, end = low, high
    else:
        begin = _number(first, words)
        finish = _number(last, words) if dash else begin
        for found in (begin, finish):
            if isinstance(found, str):
                return found
        start, end = int(begin), int(finish)
        if slash and not dash:
            end = high
    step = 1
    if slash:
        found = _number(step_text, {})
        if isinstance(found, str):
            return found
        step = found
    if start < low:
        return f"beginning of range ({start}) below minimum ({low}): {part}"
    if end > high:
        return f"end of range ({end}) above maximum ({high}): {part}"
    if start > end:
        return f"beginning of range ({start}) beyond end of range ({end}): {part}"
    return "" if step else f"step of range should be a positive number: {part}"


def _schedule(causes: Causes, schedule: str, *, zoned: bool, allowed: bool) -> None:
    path = "spec.schedule"
    if not schedule:
        causes.required(path)
    elif "TZ" in schedule:
        if not allowed:
            causes.invalid(path, schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead")
        elif zoned:
            causes.invalid(path, schedule, "cannot use both timeZone field and TZ or CRON_TZ in schedule")
    else:
        fault = schedule_fault(schedule)
        if fault:
            causes.invalid(path, schedule, fault)


def cron_job_update(causes: Causes, new: Object, old: Object) -> None:
    """Checks a CronJob that is changed; a zone in its schedule may stay."""
    _cron_job(causes, new, zone_allowed="TZ" in old["spec"].get("schedule", ""))


def cron_job(causes: Causes, obj: Object) -> None:
    """Checks a new CronJob."""
    _cron_job(causes, obj, zone_allowed=False)


def _cron_job(causes: Causes, obj: Object, *, zone_allowed: bool) -> None:
    spec = obj["spec"]
    _schedule(causes, spec.get("schedule", ""), zoned="timeZone" in spec, allowed=zone_allowed)
    causes.not_negative("spec.startingDeadlineSeconds", spec.get("startingDeadlineSeconds"))
    if "timeZone" in spec:
        _zone(causes, spec["timeZone"])
    policy = spec.get("concurrencyPolicy", "")
    causes.required_one_of("spec.concurrencyPolicy", policy, ("Allow", "Forbid", "Replace"))
    template = spec.get("jobTemplate", {})
    meta.labels(causes, "spec.jobTemplate.labels", template.get("metadata", {}).get("labels"))
    _job_spec(causes, "spec.jobTemplate.spec", template["spec"])
    if template["spec"].get("manualSelector"):
        causes.unsupported("spec.jobTemplate.spec.manualSelector", True, ("nil", "false"))
    for name in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        causes.not_negative(f"spec.{name}", spec.get(name))


def cron_job_name(name: str) -> list[str]:
    """The shape of a CronJob's name: room is left for the minute that its jobs' names end in."""
    found = names.dns_subdomain(name)
    if len(name) > CRON_NAME_LENGTH:
        found.append(f"must be no more than {CRON_NAME_LENGTH} characters")
    return found

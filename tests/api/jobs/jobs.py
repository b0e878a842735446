"""Jobs for property tests: every field of the reference's type, within what `checks` lets through."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.api.workloads.workloads import LABELS, NAMES, containers, volumes

Json = dict[str, Any]
COUNTS = st.none() | st.integers(0, 9)


@st.composite
def jobs(draw: st.DrawFn) -> Json:
    """A Job as a request's JSON."""
    known = draw(volumes())
    return {
        "name": draw(NAMES),
        "completions": draw(COUNTS),
        "parallelism": draw(COUNTS),
        "active_deadline_seconds": draw(st.none() | st.integers(1, 2**31 - 1)),
        "backoff_limit": draw(COUNTS),
        "restart_policy": draw(st.sampled_from(["Never", "OnFailure"])),
        "labels": draw(st.none() | LABELS),
        "runtime_class_name": draw(st.none() | NAMES),
        "containers": draw(containers(known)),
        "volumes": known,
        "application_name": draw(st.none() | NAMES),
        "ttl_seconds_after_finished": draw(COUNTS),
        "suspend": draw(st.sampled_from([None, True, False])),
    }

"""Schedules for property tests: every way to write a field that Kubernetes takes."""

from __future__ import annotations

from hypothesis import strategies as st

from ecns.api.cronjobs.manifests.schedules import LIMITS, FieldName


@st.composite
def fields(draw: st.DrawFn, name: FieldName) -> str:
    """A field: lists of numbers, names, ranges and steps."""
    limits = LIMITS[name]

    def number() -> str:
        value = draw(st.integers(limits.least, limits.most))
        named = {number: word for word, number in limits.names.items()}
        if value in named and draw(st.booleans()):
            return str(draw(st.sampled_from([named[value], named[value].lower(), named[value].title()])))
        return draw(st.sampled_from(["{}", "{:02}", "+{}"])).format(value)

    def part() -> str:
        match draw(st.sampled_from(["star", "star", "number", "number", "range", "step", "star step"])):
            case "number":
                return number()
            case "range":
                first, last = sorted(draw(st.tuples(*[st.integers(limits.least, limits.most)] * 2)))
                return f"{first}-{last}" + draw(st.sampled_from(["", "", "/2", "/5"]))
            case "step":
                return f"{number()}/{draw(st.integers(1, 40))}"
            case "star step":
                return f"{draw(st.sampled_from('*?'))}/{draw(st.integers(1, 40))}"
        return str(draw(st.sampled_from("*?")))

    return ",".join(part() for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3]))))


SCHEDULES = st.tuples(*(fields(name) for name in LIMITS)).map(" ".join)

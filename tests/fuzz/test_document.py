"""The OpenAPI document, driven by a fuzzer; `make fuzz` does it for longer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.api.pods.asking import phase
from tests.api.project import Project, make
from tests.fuzz.fuzzing import NAMESPACE, Fuzzer, furnish
from tests.fuzz.mutating import mutate
from tests.fuzz.streaming import POD, Streams
from tests.gateway import eventually

if TYPE_CHECKING:
    from tests.gateway import Gateway

EXAMPLES = 3
MUTATED = 500
STREAMED = 25


@pytest.fixture(scope="module")
def project(gateway: Gateway) -> Project:
    made = make(gateway, "fuzz")
    made.namespace(NAMESPACE)
    furnish(made)
    return made


@pytest.fixture(scope="module")
def fuzzer(gateway: Gateway, project: Project) -> Fuzzer:
    return Fuzzer(gateway, f"{project.name}-member")


def test_no_fault_by_one_thing_that_is_wrong(project: Project) -> None:
    here = {"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": NAMESPACE}
    found, statuses = mutate(project.client("member", **here), many=MUTATED, seed=1)
    assert not found, "\n\n".join(map(str, found))
    assert statuses[200] > MUTATED / 20


@pytest.mark.timeout(120)
def test_no_fault_by_junk_in_uploads_events_and_terminals(gateway: Gateway, project: Project) -> None:
    streams = Streams(gateway, f"{project.name}-member", seed=1)
    streams.furnish()
    eventually(lambda: phase(gateway, POD, NAMESPACE) == "Running")
    found = streams.run(STREAMED)
    assert not found, "\n\n".join(map(str, found))
    assert {101, 200} <= set(streams.statuses)


@pytest.mark.timeout(300)
def test_no_fault_and_no_answer_that_is_not_told_of(fuzzer: Fuzzer) -> None:
    found = [
        finding
        for operation in fuzzer.operations()
        for finding in fuzzer.run(operation, examples=EXAMPLES, seed=1)
    ]
    assert not found, "\n\n".join(map(str, found))
    assert fuzzer.statuses[200] > fuzzer.sent / 20

"""The OpenAPI document, driven by a fuzzer; `make fuzz` does it for longer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.api.project import make
from tests.fuzz.fuzzing import NAMESPACE, Fuzzer, furnish

if TYPE_CHECKING:
    from tests.gateway import Gateway

EXAMPLES = 3


@pytest.fixture(scope="module")
def fuzzer(gateway: Gateway) -> Fuzzer:
    project = make(gateway, "fuzz")
    project.namespace(NAMESPACE)
    furnish(project)
    return Fuzzer(gateway, project)


@pytest.mark.timeout(300)
def test_no_fault_and_no_answer_that_is_not_told_of(fuzzer: Fuzzer) -> None:
    found = [
        finding
        for operation in fuzzer.operations()
        for finding in fuzzer.run(operation, examples=EXAMPLES, seed=1)
    ]
    assert not found, "\n\n".join(map(str, found))
    assert fuzzer.statuses[200] > fuzzer.sent / 20

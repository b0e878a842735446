"""A cluster that answers nothing troubles nobody but those who ask for it, and is back as soon as it is."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from ecns.backends.common.breaker import LONGEST_SECONDS
from tests.api.answers import refused
from tests.api.workloads.asking import LIST, create, one, unused, workload
from tests.faults.conftest import CALL_SECONDS
from tests.gateway import eventually

if TYPE_CHECKING:
    import httpx

    from tests.faults.conftest import Faulty

NAMESPACE = "faults"
AT_ONCE = 0.3


def timed(client: httpx.Client, path: str) -> tuple[float, httpx.Response]:
    began = time.monotonic()
    answer = client.get(path)
    return time.monotonic() - began, answer


def test_an_outage_is_the_clusters_own(faulty: Faulty) -> None:
    member = faulty.client(NAMESPACE)
    steady = faulty.client(NAMESPACE, "steady")
    name = unused()
    create(member, workload(name))
    create(steady, workload(f"{name}-s"))
    assert member.get(LIST).status_code == 200
    faulty.proxy.silence()
    with ThreadPoolExecutor(16) as pool:
        waiting = [pool.submit(member.get, one(name)) for _ in range(12)]
        slowest = 0.0
        while not all(one.done() for one in waiting):
            for client, path in (
                (steady, one(f"{name}-s")),
                (steady, "/organization/"),
            ):
                took, answer = timed(client, path)
                assert answer.status_code == 200, answer.text
                slowest = max(slowest, took)
        assert slowest < CALL_SECONDS
        assert {one.result().status_code for one in waiting} <= {503, 504}

    took, answer = timed(member, one(name))
    refused(answer, 503)
    assert took < AT_ONCE
    assert 1 <= int(answer.headers["Retry-After"]) <= LONGEST_SECONDS
    took, answer = timed(member, LIST)  # what is known is told, with its age
    assert answer.status_code == 200
    assert took < AT_ONCE

    faulty.proxy.heal()
    eventually(lambda: member.get(one(name)).status_code == 200, seconds=LONGEST_SECONDS + CALL_SECONDS + 1)
    create(member, workload(unused()))

"""OpenStack that hangs, goes away, comes back, and fails: what callers see, and what others notice of it."""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import pytest

from ecns.api.cloud import types
from tests.api.answers import refused, told
from tests.api.conftest import in_front_of
from tests.gateway import eventually
from tests.real.openstack.faults import FaultyService, ServiceFault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.relay import Failure
    from tests.gateway import Gateway
    from tests.real.openstack.cloud import Cloud

ZONES = "/ecns/kubernetes/server/availabilityzones/"
OVERVIEW = "/overview/openstack_status/"
OTHERS = (
    "/volumes/",
    "/ecns/kubernetes/network/subnets/",
    "/applications/kernel-capabilities/all",
    "/namespace/",
)
"""What does not ask Nova."""
CALLERS = 100
SECONDS = 5.0
"""How long ECNS waits for a service here."""


@pytest.fixture(scope="module")
def impatient(real_cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that waits for a moment only."""
    with in_front_of(real_cloud, tmp_path_factory.mktemp("impatient"), seconds=SECONDS) as made:
        yield made


def quick(gateway: Gateway, path: str) -> float:
    """Median seconds of a few requests."""
    client = gateway.client("visitor")
    taken = []
    for _ in range(5):
        started = time.perf_counter()
        assert client.get(path).status_code == 200
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def test_a_service_that_hangs_slows_nothing_else(impatient: Gateway, real_cloud: Cloud) -> None:
    before = {path: quick(impatient, path) for path in OTHERS}
    nova = real_cloud.services["nova"]
    headers = {"X-Auth-Token": impatient.token("visitor")}
    url = f"{impatient.url}/api/ecns/eks{ZONES}"

    def ask(_: int) -> httpx.Response:
        return httpx.get(url, headers=headers, timeout=30)

    nova.hang()
    try:
        with ThreadPoolExecutor(CALLERS) as pool:
            stuck = [pool.submit(ask, number) for number in range(CALLERS)]
            time.sleep(0.2)  # until they are on their way; the others are asked while they hang
            during = {path: quick(impatient, path) for path in OTHERS}
            answers = [asking.result() for asking in stuck]
        assert {answer.status_code for answer in answers} <= {503, 504}
        assert any(f"Nova did not answer within {SECONDS:g} s" in answer.text for answer in answers)
        # From now on it is known to be down, and who asks hears so at once.
        started = time.perf_counter()
        down = impatient.client("visitor").get(ZONES)
        assert "Nova" in refused(down, 503)
        assert down.json()["details"]["upstream"] == "nova"
        assert int(down.headers["Retry-After"]) >= 1
        assert time.perf_counter() - started < SECONDS / 2
        # What needs two services gives what the other one says.
        partly = impatient.client("visitor").get(OVERVIEW)
        overview = told(partly, types.OpenStackOverview)
        assert (overview.servers, len(overview.loadbalances)) == ([], 4)
        assert partly.headers["X-Ecns-Unavailable"] == "nova"
    finally:
        nova.resume()
    slower = {path: (before[path], during[path]) for path in OTHERS if during[path] > 3 * before[path] + 0.5}
    assert not slower
    eventually(lambda: impatient.client("visitor").get(ZONES).status_code == 200, seconds=60)


def test_a_service_that_goes_away_and_comes_back(impatient: Gateway, real_cloud: Cloud) -> None:
    glance = real_cloud.services["glance"]
    client = impatient.client("visitor")
    glance.stop()
    try:
        down = client.get("/container_infra/k8sversions/")
        assert "Glance cannot be reached" in refused(down, 503)
        assert down.json()["details"]["upstream"] == "glance"
    finally:
        glance.start()
        glance.ready()
    eventually(lambda: client.get("/container_infra/k8sversions/").status_code == 200, seconds=60)


@pytest.fixture
def faulty(real_cloud: Cloud) -> Iterator[FaultyService]:
    """Cinder by way of a proxy."""
    with FaultyService(real_cloud, "cinder") as proxy:
        yield proxy


def fresh(gateway: Gateway) -> httpx.Client:
    """A client with a token that ECNS knows no catalog of."""
    del gateway._tokens["visitor"]
    return gateway.client("visitor")


@pytest.mark.parametrize(("failure", "status"), [("500", 502), ("503", 503), ("403", 403), ("409", 409)])
def test_what_a_service_says_is_passed_on(
    impatient: Gateway, faulty: FaultyService, failure: Failure, status: int
) -> None:
    client = fresh(impatient)
    for _ in range(2):  # the caller's request, and the one of ECNS's own account
        faulty.inject(ServiceFault(failure=failure, method="GET", path="/types", message="no disks"))
    answer = client.get("/volumes/")
    assert "no disks" in refused(answer, status)
    assert answer.json()["details"]["upstream"] == "cinder"
    assert answer.json()["details"]["upstream_request_id"] == "req-asked-for"


@pytest.mark.parametrize("failure", ["cut", "429"])
def test_what_is_safe_is_tried_again(impatient: Gateway, faulty: FaultyService, failure: Failure) -> None:
    client = fresh(impatient)
    fault = faulty.inject(ServiceFault(failure=failure, method="GET", path="/types"))
    assert client.get("/volumes/").status_code == 200
    assert fault.reached.is_set()

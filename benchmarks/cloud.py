"""Lists that OpenStack answers, against the service's own answer with the same token in the same run."""

from __future__ import annotations

import asyncio
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp
from tests.real.openstack.cloud import Cloud
from tests.real.openstack.environment import UnavailableError

from benchmarks.measuring import get, measure

FLAVORS = 100
"""Made, so that the list is one of a real cloud."""
ROUNDS, CALLS = 6, 40
"""By turns, so that what else the machine does meets both alike."""
NETWORKS = "/v2.0/networks?fields=id&fields=shared&fields=router:external"
BALANCERS = "/v2.0/lbaas/loadbalancers?project_id=PROJECT"
LISTS = {
    "flavors": ((("nova", "/v2.1/flavors/detail"),), "/ecns/kubernetes/server/flavors/"),
    "zones": ((("nova", "/v2.1/os-availability-zone"),), "/ecns/kubernetes/server/availabilityzones/"),
    "subnets with their networks": (
        (("neutron", "/v2.0/subnets"), ("neutron", NETWORKS)),
        "/ecns/kubernetes/network/subnets/",
    ),
    "volume types": ((("cinder", "/v3/types"),), "/volumes/"),
    "images, as Kubernetes versions": (
        (("glance", "/v2/images?limit=1000"),),
        "/container_infra/k8sversions/",
    ),
    "servers and load balancers by state": (
        (("nova", "/v2.1/servers/detail"), ("octavia", BALANCERS)),
        "/overview/openstack_status/",
    ),
}
"""Name → what is asked of which service at a time, ours."""


def results() -> dict[str, Any]:
    """The figures; what keeps them from being measured where there is no real OpenStack."""
    with tempfile.TemporaryDirectory(prefix="ecns-cloud-") as folder:
        directory = Path(folder)
        try:
            cloud = Cloud(directory)
        except UnavailableError as error:
            return {"OpenStack": {"not measured": str(error)}}
        started = time.perf_counter()
        with cloud:
            seconds = round(time.perf_counter() - started, 1)
            (directory / "ecns.toml").write_text(cloud.ecns_toml())
            admin = cloud.caller("admin")
            for number in range(FLAVORS):
                sizes = {"vcpus": 1, "ram": 64, "disk": 1}
                admin.make("nova", "/flavors", "flavor", name=f"bench-{number}", **sizes)
            process, url = _gateway(directory)
            try:
                measured = asyncio.run(_lists(cloud, f"{url}/api/ecns/eks"))
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(30)
    return {"start of the real OpenStack": {"s": seconds}, **measured}


def _gateway(directory: Path) -> tuple[subprocess.Popen[bytes], str]:
    command = [sys.executable, "-m", "ecns.cli", "serve", "--port", "0"]
    command += ["--config", str(directory / "ecns.toml"), "--data-dir", str(directory / "data")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    told = directory / "data" / "embedded.json"
    for _ in range(1200):
        if told.exists():
            return process, json.loads(told.read_text())["url"]
        time.sleep(0.1)
    raise SystemExit("ecns serve did not become ready")


async def _lists(cloud: Cloud, api: str) -> dict[str, Any]:
    headers = {"X-Auth-Token": cloud.caller("visitor").token}
    project_id = cloud.caller("visitor").project_id
    newer = {**headers, "OpenStack-API-Version": "compute 2.61"}
    found: dict[str, Any] = {}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        aiohttp.ClientSession(headers=newer) as of_nova,
    ):
        for name, (asked, ours) in LISTS.items():

            async def directly(asked: tuple[tuple[str, str], ...] = asked) -> None:
                await asyncio.gather(
                    *(
                        get(
                            of_nova if service == "nova" else session,
                            cloud.services[service].url + path.replace("PROJECT", project_id),
                        )
                        for service, path in asked
                    )
                )

            async def by_ecns(url: str = api + ours) -> None:
                await get(session, url)

            samples: dict[str, list[float]] = {"direct": [], "ECNS": []}
            for _ in range(ROUNDS):
                samples["direct"].append((await measure(directly, calls=CALLS))["p50_ms"])
                samples["ECNS"].append((await measure(by_ecns, calls=CALLS))["p50_ms"])
            direct, through = (statistics.median(taken) for taken in samples.values())
            found[f"OpenStack {name}"] = {
                "ms direct": round(direct, 1),
                "ms by ECNS": round(through, 1),
                "ratio": round(through / direct, 2),
            }
    return found

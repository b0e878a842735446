"""`make bench`: ECNS against direct calls to the same backends, in the same run.

Ratios are what counts: the machine's speed cancels out. Prints a table, and writes
`bench-results/<time>.json`.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import platform
import shutil
import signal
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from benchmarks import cloud, followers, images, live, standin
from benchmarks.measuring import get, measure, percentile

CALLERS = 16


def rss(pid: int) -> int:
    """MiB of memory that a process has resident."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) // 1024
    return 0


class Bench:
    """One gateway on its embedded default with a loaded cluster, and clients for both."""

    def __init__(self, data_dir: Path, deployments: int, replicas: int) -> None:
        self.data_dir = data_dir
        self.deployments = deployments
        self.replicas = replicas
        self.results: dict[str, Any] = {}

    def load(self) -> None:
        folder = self.data_dir / "kubernetes" / "eks"
        subprocess.run(
            [
                sys.executable,
                *("-m", "ecns.embedded.kubernetes", "load", "--data-dir", str(folder)),
                *("--deployments", str(self.deployments), "--replicas", str(self.replicas)),
                *("--namespaces", "1"),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def start(self) -> float:
        """Seconds until `ecns serve` is ready."""
        before = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ecns.cli", "serve", "--port", "0", "--data-dir", str(self.data_dir)],
            stdout=subprocess.DEVNULL,
            stderr=(self.data_dir / "log").open("wb"),
        )
        told = self.data_dir / "embedded.json"
        while not told.exists():
            if self.process.poll() is not None or time.perf_counter() - before > 120:
                raise SystemExit((self.data_dir / "log").read_text()[-2000:])
            time.sleep(0.005)
        seconds = time.perf_counter() - before
        self.facts = json.loads(told.read_text())
        return seconds

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    async def run(self, kubeconfig: dict[str, Any]) -> None:
        cluster, user = kubeconfig["clusters"][0]["cluster"], kubeconfig["users"][0]["user"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        context = ssl.create_default_context(cadata=authority)
        self.server = cluster["server"]
        connector = aiohttp.TCPConnector(limit=0, ssl=context)
        direct = aiohttp.ClientSession(
            connector=connector, headers={"Authorization": f"Bearer {user['token']}"}
        )
        token = await self.token("admin")
        headers = {"X-Auth-Token": token, "X-Ecns-Cluster": "eks", "X-Ecns-Namespace": "load-0"}
        gateway = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=headers)
        quiet = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), headers={**headers, "X-Ecns-Namespace": "demo"}
        )
        project = next(one["project_id"] for one in self.facts["users"] if one["username"] == "admin")
        label = {"metadata": {"labels": {"ecns.easystack.com/project-id": project}}}
        async with direct, gateway, quiet:
            async with direct.patch(
                f"{self.server}/api/v1/namespaces/load-0",
                json=label,
                headers={"Content-Type": "application/merge-patch+json"},
            ) as answer:
                assert answer.status == 200, await answer.text()
            await self.lists(gateway, direct)
            await self.storage(gateway, direct)
            await self.creation(quiet, direct)
            await self.changes(quiet, direct)
            await self.tokens(gateway)
            self.results["a change until 100 listeners have it"] = await live.lag(
                quiet, direct, api=self.api, server=self.server, namespace="demo"
            )
            logs = followers.Followers(quiet, direct, self.api, self.server, "demo", self.process.pid)
            self.results |= await logs.measure()
            self.results["memory of the gateway, at the end"] = {"MiB": rss(self.process.pid)}

    async def token(self, user: str) -> str:
        known = next(one for one in self.facts["users"] if one["username"] == user)
        body = {
            "auth": {
                "identity": {
                    "methods": ["password"],
                    "password": {
                        "user": {
                            "name": user,
                            "domain": {"name": known["domain"]},
                            "password": known["password"],
                        }
                    },
                },
                "scope": {"project": {"id": known["project_id"]}},
            }
        }
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.facts['identity_url']}/auth/tokens", json=body) as answer,
        ):
            return answer.headers["X-Subject-Token"]

    @property
    def api(self) -> str:
        return f"{self.facts['url']}/api/ecns/eks"

    async def lists(self, gateway: aiohttp.ClientSession, direct: aiohttp.ClientSession) -> None:
        collection = f"{self.server}/apis/apps/v1/namespaces/load-0/deployments"
        before = time.perf_counter()
        while not await filled(gateway, f"{self.api}/workloads/?page=1&page_size=20"):
            pass  # 504 until the stand-in has sent all of its pods
        self.results["cold fill until the first page"] = {"s": round(time.perf_counter() - before, 2)}
        self.results["memory of the gateway, caches full"] = {"MiB": rss(self.process.pid)}
        page = lambda: get(gateway, f"{self.api}/workloads/?page=1&page_size=20")  # noqa: E731
        deep = lambda: get(gateway, f"{self.api}/workloads/?page=250&page_size=20")  # noqa: E731
        first = lambda: get(direct, f"{collection}?limit=20")  # noqa: E731
        every = lambda: get(direct, collection)  # noqa: E731
        pods = lambda: get(gateway, f"{self.api}/pods/?page=1&page_size=20")  # noqa: E731
        self.results["page of 20 workloads"] = await measure(page, calls=400)
        self.results["page 250 of 20 workloads"] = await measure(deep, calls=100)
        self.results["page of 20 workloads, 16 callers"] = await measure(page, calls=1600, callers=CALLERS)
        self.results["page of 20 pods, 16 callers"] = await measure(pods, calls=1600, callers=CALLERS)
        self.results["direct limit=20"] = await measure(first, calls=200)
        self.results["direct limit=20, 16 callers"] = await measure(first, calls=800, callers=CALLERS)
        self.results["direct whole list"] = await measure(every, calls=3)
        self.ratio("a page against direct limit=20", "page of 20 workloads", "direct limit=20")
        self.ratio("a page against the whole list", "page of 20 workloads", "direct whole list")

    async def storage(self, gateway: aiohttp.ClientSession, direct: aiohttp.ClientSession) -> None:
        """The overview of all pods, at rest and after each change, and lists of many claims."""
        overview = f"{self.api}/overview/pods_status/"
        before = time.perf_counter()
        async with gateway.get(overview) as answer:
            states = await answer.json()
            assert answer.status == 200, states
        self.results["first overview of all pods"] = {"s": round(time.perf_counter() - before, 2)}
        pods = sum(state[0]["count"] for state in states.values())
        pod = next(state[0]["pods"][0]["name"] for state in states.values() if state[0]["pods"])
        numbers = iter(range(10**6))

        async def changed() -> None:
            patch = {"metadata": {"annotations": {"bench": str(next(numbers))}}}
            kind = {"Content-Type": "application/merge-patch+json"}
            path = f"{self.server}/api/v1/namespaces/load-0/pods/{pod}"
            async with direct.patch(path, json=patch, headers=kind) as answer:
                assert answer.status == 200, await answer.text()
            await asyncio.sleep(0.02)  # until the gateway has heard of it

        what = f"overview of {pods} pods, 500 of each state shown"
        self.results[what] = await measure(lambda: get(gateway, overview), calls=200)
        few = f"{overview}?page_size=20"
        self.results["with 20 of each"] = await measure(lambda: get(gateway, few), calls=200)
        self.results["with 20 of each, 16 callers"] = await measure(
            lambda: get(gateway, few), calls=800, callers=CALLERS
        )
        samples = []
        for _ in range(40):
            await changed()
            began = time.perf_counter()
            await get(gateway, few)
            samples.append((time.perf_counter() - began) * 1000)
        self.results["with 20 of each, a pod having changed"] = {
            "p50_ms": round(statistics.median(samples), 2),
            "p99_ms": round(percentile(samples, 0.99), 2),
        }

        async def claim() -> None:
            body = {
                "metadata": {"name": f"claim-{next(numbers)}"},
                "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
            }
            path = f"{self.server}/api/v1/namespaces/load-0/persistentvolumeclaims"
            async with direct.post(path, json=body) as answer:
                assert answer.status == 201, await answer.text()

        await measure(claim, calls=2000, callers=CALLERS)
        listed = f"{self.api}/kubernetes/storage/?type=PVC&cluster_selector=current"
        while True:  # until all are bound, and nothing changes any more
            async with gateway.get(f"{listed}&status=Bound&page=1&page_size=1") as answer:
                if (await answer.json()).get("total") == 2000:
                    break
            await asyncio.sleep(0.5)
        page = f"{listed}&page=50&page_size=20"
        self.results["page 50 of 20 of 2,000 claims"] = await measure(lambda: get(gateway, page), calls=200)
        sort = f"{listed}&sort_by=capacity&filter=available&page=1&page_size=20"
        self.results["claims by capacity, available ones"] = await measure(
            lambda: get(gateway, sort), calls=100
        )
        self.results["overview of 2,000 claims"] = await measure(
            lambda: get(gateway, f"{self.api}/overview/pvc_status/"), calls=100
        )

    async def creation(self, gateway: aiohttp.ClientSession, direct: aiohttp.ClientSession) -> None:
        numbers = iter(range(10**6))

        async def by_ecns(*, services: int) -> None:
            body = workload(f"bench-{next(numbers)}", services)
            async with gateway.post(f"{self.api}/workloads/", json={"workloads": [body]}) as answer:
                assert answer.status == 200, await answer.text()

        async def by_kubernetes(*, services: int) -> None:
            name = f"direct-{next(numbers)}"
            for path, obj in objects(name, services):
                async with direct.post(f"{self.server}{path}", json=obj) as answer:
                    assert answer.status == 201, await answer.text()

        for services in (0, 1, 4):
            what = f"create a workload with {services} services"
            self.results[what] = await measure(lambda n=services: by_ecns(services=n), calls=40)
            self.results[f"direct: {what}"] = await measure(
                lambda n=services: by_kubernetes(services=n), calls=40
            )
            self.ratio(f"{what}, against direct", what, f"direct: {what}")

    async def changes(self, gateway: aiohttp.ClientSession, direct: aiohttp.ClientSession) -> None:
        """Show, change an image, and roll back, of one workload with a Service."""
        one = f"{self.api}/workloads/workload/changing/"
        whole = f"{self.server}/apis/apps/v1/namespaces/demo/deployments/changing"
        body = {"workloads": [workload("changing", 1)]}
        async with gateway.post(f"{self.api}/workloads/", json=body) as answer:
            assert answer.status == 200, await answer.text()
        numbers = iter(range(10**6))

        async def show() -> None:
            async with gateway.get(one) as answer:
                assert answer.status == 200, await answer.text()

        async def image() -> None:
            sent = workload("changing", 0)["containers"]
            sent[0]["image"]["image_version"] = f"1.{next(numbers)}"
            async with gateway.patch(f"{one}?action=containers", json={"containers": sent}) as answer:
                assert answer.status == 200, await answer.text()

        async def image_directly() -> None:
            containers = [{"name": "web", "image": f"nginx:2.{next(numbers)}"}]
            patch = {"spec": {"template": {"spec": {"containers": containers}}}}
            kind = {"Content-Type": "application/strategic-merge-patch+json"}
            async with direct.patch(whole, json=patch, headers=kind) as answer:
                assert answer.status == 200, await answer.text()

        async def roll_back() -> None:
            async with gateway.get(f"{one}revisions/") as answer:
                version = (await answer.json())["revisions"][1]["version"]
            async with gateway.patch(f"{one}?action=rollback", json={"target_version": version}) as answer:
                assert answer.status == 200, await answer.text()

        self.results["show a workload"] = await measure(show, calls=40)
        self.results["direct: get the object"] = await measure(lambda: get(direct, whole), calls=40)
        self.results["change an image"] = await measure(image, calls=20)
        self.results["direct: change an image"] = await measure(image_directly, calls=20)
        self.ratio("change an image, against direct", "change an image", "direct: change an image")
        self.results["list revisions and roll back"] = await measure(roll_back, calls=20)

    async def tokens(self, gateway: aiohttp.ClientSession) -> None:
        path = f"{self.api}/namespace/"

        async def cold() -> None:
            headers = {"X-Auth-Token": fresh.pop()}
            async with aiohttp.ClientSession() as session, session.get(path, headers=headers) as answer:
                assert answer.status == 200

        fresh = [await self.token("developer") for _ in range(30)]
        self.results["token check cold, with the tree"] = await measure(cold, calls=30)
        self.results["token check warm, with the tree"] = await measure(lambda: get(gateway, path), calls=200)

    def ratio(self, name: str, ours: str, theirs: str) -> None:
        value = self.results[ours]["p50_ms"] / self.results[theirs]["p50_ms"]
        self.results[name] = {"ratio": round(value, 2)}


async def filled(session: aiohttp.ClientSession, url: str) -> bool:
    async with session.get(url) as answer:
        assert answer.status in {200, 504}, await answer.text()
        return answer.status == 200


def workload(name: str, services: int) -> dict[str, Any]:
    return {
        "workload_base": {"name": name, "type": "Deployment", "replicas": 0},
        "containers": [
            {"name": "web", "type": "worker", "image": {"image": "nginx", "image_version": "1.27"}}
        ],
        "access_mode": [
            {"type": "ClusterIP", "name": f"{name}-{number}", "access": [{"port": 80, "target_port": 80}]}
            for number in range(services)
        ],
    }


def objects(name: str, services: int) -> list[tuple[str, dict[str, Any]]]:
    labels = {"app": name}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "web", "image": "nginx:1.27"}]},
            },
        },
    }
    made = [("/apis/apps/v1/namespaces/demo/deployments", deployment)]
    for number in range(services):
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": f"{name}-{number}"},
            "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 80}]},
        }
        made.append(("/api/v1/namespaces/demo/services", service))
    return made


def table(results: dict[str, Any]) -> str:
    lines = ["| what | figures |", "| --- | --- |"]
    lines += [
        f"| {name} | {', '.join(f'{value} {unit}' for unit, value in figures.items())} |"
        for name, figures in results.items()
    ]
    return "\n".join(lines)


def embedded(deployments: int, replicas: int, sizes: list[int]) -> dict[str, Any]:
    """Figures of the embedded default with a loaded cluster, and of images of so many MiB."""
    folder = Path(tempfile.mkdtemp(prefix="ecns-bench-"))
    bench = Bench(folder / "loaded", deployments, replicas)
    empty = Bench(folder / "empty", 0, 0)
    try:
        empty.data_dir.mkdir()
        first = empty.start()
        empty.stop()
        again = empty.start()
        empty.stop()
        bench.results["start-up"] = {"s first": round(first, 2), "s again": round(again, 2)}
        bench.data_dir.mkdir()
        bench.load()
        bench.start()
        asyncio.run(bench.run(yaml.safe_load(Path(bench.facts["kubeconfig"]).read_text())))
        bench.stop()
        bench.results |= images.run(sizes, folder)
    finally:
        for one in (bench, empty):
            if hasattr(one, "process") and one.process.poll() is None:
                one.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return bench.results


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--deployments", type=int, default=10_000)
    parser.add_argument("--replicas", type=int, default=5)
    parser.add_argument("--images", type=int, nargs="*", default=[400, 4096], help="MiB of images")
    parser.add_argument("--only", choices=["embedded", "openstack", "standin"], help="a part of it")
    options = parser.parse_args()
    results: dict[str, Any] = {}
    if options.only in {None, "standin"}:
        results |= standin.results()
    if options.only in {None, "embedded"}:
        results |= embedded(options.deployments, options.replicas, options.images)
    if options.only in {None, "openstack"}:
        results |= cloud.results()
    print(table(results))
    target = Path("bench-results") / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    target.parent.mkdir(exist_ok=True)
    about = {"python": platform.python_version(), "cores": os.cpu_count(), "deployments": options.deployments}
    target.write_text(json.dumps({"about": about, "results": results}, indent=1))
    print(f"\n{target}")


if __name__ == "__main__":
    main()

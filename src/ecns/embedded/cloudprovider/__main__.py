"""Runs the provider: `python -m ecns.embedded.cloudprovider --cloud-config FILE --cluster NAME=FILE`."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp

from ecns.embedded import process
from ecns.embedded.cloudprovider import config
from ecns.embedded.cloudprovider.balancers import Balancers
from ecns.embedded.cloudprovider.controller import Controller
from ecns.embedded.cloudprovider.kubernetes import Kubernetes
from ecns.embedded.cloudprovider.openstack import OpenStack

if TYPE_CHECKING:
    from collections.abc import Sequence

CALL_SECONDS = 30


async def _run(arguments: argparse.Namespace) -> None:
    stop = process.stopping()
    settings = config.load(arguments.cloud_config)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=CALL_SECONDS)) as session:
        cloud = OpenStack(settings, session)
        tasks = []
        for name, kubeconfig in arguments.cluster:
            balancers = Balancers(cloud, settings, name)
            kubernetes = Kubernetes(name, kubeconfig, session)
            controller = Controller(kubernetes, balancers, settings.project_id, arguments.project_label)
            tasks.append(asyncio.create_task(controller.run()))
        if arguments.ready_fd is not None:
            process.announce(arguments.ready_fd, {})
        await stop.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _cluster(text: str) -> tuple[str, Path]:
    name, _, file = text.partition("=")
    return name, Path(file)


def main(argv: Sequence[str] | None = None) -> None:
    """Run until SIGTERM, SIGINT or the end of the parent."""
    parser = argparse.ArgumentParser(prog="ecns.embedded.cloudprovider", description=__doc__)
    parser.add_argument("--cloud-config", type=Path, required=True, help="as of OpenStack's cloud provider")
    parser.add_argument(
        "--cluster",
        type=_cluster,
        action="append",
        required=True,
        metavar="NAME=KUBECONFIG",
        help="may be repeated",
    )
    parser.add_argument(
        "--project-label",
        default="",
        help="label of namespaces with the id of the project that has their load balancers",
    )
    parser.add_argument("--data-dir", type=Path, help="not used: it keeps nothing")
    parser.add_argument("--ready-fd", type=int, help="where to write one JSON line when it works")
    asyncio.run(_run(parser.parse_args(argv)))


if __name__ == "__main__":
    main()

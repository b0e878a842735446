"""`make cloud`: real OpenStack services that run until Ctrl-C, with what is needed to use them."""

from __future__ import annotations

import argparse
import signal
import sys
import time

import click

from tests.real.openstack.cloud import Cloud
from tests.real.openstack.environment import UnavailableError
from tests.real.openstack.launch.common import PORTS, listens
from tests.real.openstack.processes import free_ports
from tests.real.openstack.scratch import scratch

FILES = {"clouds.yaml": Cloud.clouds_yaml, "openrc": Cloud.openrc, "ecns.toml": Cloud.ecns_toml}


def main() -> None:
    """Run a cloud and say how it is reached."""
    parser = argparse.ArgumentParser(prog="make cloud", description=__doc__)
    parser.add_argument("--free-ports", action="store_true", help="any ports, not the services' usual ones")
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    ports = free_ports() if options.free_ports else dict(PORTS)
    if taken := [f"{name} {port}" for name, port in ports.items() if listens(port)]:
        sys.exit(f"somebody listens on the ports of {', '.join(taken)} already; try --free-ports")
    started = time.monotonic()
    with scratch() as directory:
        try:
            with Cloud(directory, ports) as cloud:
                for name, text in FILES.items():
                    (directory / name).write_text(text(cloud))
                _greet(cloud, time.monotonic() - started)
                while not (
                    ended := [s.name for s in cloud.services.values() if s.process.poll() is not None]
                ):
                    time.sleep(1)
                sys.exit(f"{', '.join(ended)} ended by itself; its log is {directory}/{ended[0]}.log")
        except UnavailableError as error:
            sys.exit(f"no real OpenStack services here: {error}")


def _greet(cloud: Cloud, seconds: float) -> None:
    folder = cloud.directory
    click.echo(f"OpenStack runs (after {seconds:.0f} s) until Ctrl-C; users admin, developer, visitor, other")
    click.echo(f"  OS_CLIENT_CONFIG_FILE={folder}/clouds.yaml openstack --os-cloud developer server list")
    click.echo(f"  . {folder}/openrc")
    click.echo(f"  ecns serve --config {folder}/ecns.toml")
    click.echo(f"  logs, one a service: {folder}/*.log")


main()

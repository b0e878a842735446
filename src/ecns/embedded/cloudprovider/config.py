"""The configuration: the part that we need of the `cloud.conf` of OpenStack's cloud provider.

Source: https://github.com/kubernetes/cloud-provider-openstack, docs/openstack-cloud-controller-manager.
"""

from __future__ import annotations

import configparser
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Config:
    """What the provider knows of the cloud.

    Args:
        auth_url: Keystone's.
        username: whose account it works with.
        password: of it.
        project_id: where.
        domain_id: of user and project.
        region: whose endpoints; empty: any.
        subnet_id: of addresses, for Services that name none; empty: one of the project's.
        floating_network_id: where public addresses come from; empty: an external network.
        internal: whether Services get no public address unless they ask for one.
        monitor: whether members are looked after.
        delay, timeout: of that, in seconds.
        retries: of that.
    """

    auth_url: str
    username: str
    password: str
    project_id: str
    domain_id: str = "default"
    region: str = ""
    subnet_id: str = ""
    floating_network_id: str = ""
    internal: bool = False
    monitor: bool = False
    delay: int = 5
    timeout: int = 3
    retries: int = 1


def load(path: Path) -> Config:
    """Read a `cloud.conf`.

    Raises:
        KeyError: it lacks what is needed.
    """
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(path)
    about = {key: value.strip('"') for key, value in parser["Global"].items()}
    balancing = (
        {key: value.strip('"') for key, value in parser["LoadBalancer"].items()}
        if "LoadBalancer" in parser
        else {}
    )

    def yes(name: str) -> bool:
        return balancing.get(name, "").lower() == "true"

    return Config(
        auth_url=about["auth-url"],
        username=about["username"],
        password=about["password"],
        project_id=about["tenant-id"],
        domain_id=about.get("domain-id", "default"),
        region=about.get("region", ""),
        subnet_id=balancing.get("subnet-id", ""),
        floating_network_id=balancing.get("floating-network-id", ""),
        internal=yes("internal-lb"),
        monitor=yes("create-monitor"),
        delay=int(balancing.get("monitor-delay", "5").rstrip("s")),
        timeout=int(balancing.get("monitor-timeout", "3").rstrip("s")),
        retries=int(balancing.get("monitor-max-retries", "1")),
    )

"""`ecns check`: reach each backend that a configuration names, and say in a line how that went."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ecns.backends.harbor.client import Harbor
from ecns.backends.kubernetes.clusters import Cluster, Clusters
from ecns.backends.openstack.cloud import OpenStack
from ecns.backends.openstack.keystone import Keystone
from ecns.errors import EcnsError
from ecns.identity.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from ecns.config import Config


async def reach(config: Config) -> list[tuple[str, str]]:
    """Each backend's name, and `ok`, `embedded` or `failed: …`."""

    async def tried(checked: Awaitable[str]) -> str:
        try:
            return await checked
        except EcnsError as error:
            return f"failed: {error.message}"

    results: list[tuple[str, str]] = []
    if config.identity is None:
        results.append(("identity", "embedded"))
    else:
        identity = config.identity
        Policy(identity.policy_file)
        keystone = Keystone(identity.auth_url, timeout=identity.timeout, ca_file=identity.ca_file)

        async def answers() -> str:
            await keystone.ping()
            return "ok"

        try:
            results.append(("identity", await tried(answers())))
            if config.openstack.application_credential_id:
                results.append(("openstack", await tried(_services(keystone, config))))
        finally:
            await keystone.close()
    if config.harbor is None:
        results.append(("harbor", "embedded"))
    else:
        harbor = Harbor(config.harbor)

        async def accepted() -> str:
            version = await harbor.verify()
            return f"ok, Harbor {version}" if version else "ok"

        try:
            results.append(("harbor", await tried(accepted())))
        finally:
            await harbor.close()
    if not config.clusters:
        results.append(("clusters", "embedded"))
    clusters = Clusters(config.clusters)
    try:
        said = await asyncio.gather(*(tried(_cluster(cluster)) for cluster in clusters))
        results += [(f"cluster {cluster.name}", line) for cluster, line in zip(clusters, said, strict=True)]
    finally:
        await clusters.close()
    return results


async def _cluster(cluster: Cluster) -> str:
    found = await cluster.check()
    if found.missing:
        return f"failed: Kubernetes {found.version}, but ECNS may not {', '.join(found.missing)}"
    return f"ok, Kubernetes {found.version}"


async def _services(keystone: Keystone, config: Config) -> str:
    """With ECNS's own account: which services there are."""
    openstack = OpenStack(keystone, config.openstack)
    try:
        assert openstack.account is not None, "looked up by the caller"  # noqa: S101  a fault of ours
        token = await openstack.account.token()
        there = [service.where for service in openstack.services if await service.installed(token)]
    finally:
        await openstack.close()
    return f"ok, {', '.join(there) or 'no services'}"

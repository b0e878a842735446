"""The controllers of the embedded cluster, its scheduler and its kubelets.

They run on the asyncio loop of the API server, follow what is written, and write what follows from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.cluster import Cluster
    from ecns.embedded.kubernetes.controllers.base import Controller


def start(cluster: Cluster) -> list[Controller]:
    """Starts them all on the running loop; each has a `stop`.

    A cluster that has no nodes gets three, and a default StorageClass.
    """
    from ecns.embedded.kubernetes.controllers.running import start_all  # noqa: PLC0415  cluster imports `services`

    return start_all(cluster)

"""Whether an application is there: what every chapter that has `application_name` asks."""

from __future__ import annotations

from ecns.api.common.objects import Objects
from ecns.backends.kubernetes.errors import NotServedError
from ecns.backends.kubernetes.kinds.extensions import APPLICATION, Application


async def find_application(objects: Objects, name: str) -> Application | None:
    """The application of a name, or None; also where the cluster does not keep applications yet.

    Raises:
        UpstreamError: the cluster does not answer.
    """
    try:
        cache = await objects.cache(APPLICATION)
        return cache.get(name, objects.namespace) or await cache.refresh(name, objects.namespace)
    except NotServedError:
        return None

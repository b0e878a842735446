"""Whether an application is there, and what is part of it: what every chapter that names one asks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Generic, TypeVar

from ecns.api.common import marks
from ecns.api.common.names import PART_OF
from ecns.api.common.objects import Objects
from ecns.api.common.selectors import Test
from ecns.backends.kubernetes.client import Propagation
from ecns.backends.kubernetes.errors import NotServedError
from ecns.backends.kubernetes.kinds.extensions import APPLICATION, Application
from ecns.backends.kubernetes.kinds.meta import Kind, Resource
from ecns.errors import BadRequestError, NotFoundError

R = TypeVar("R", bound=Resource)


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


def member(selected: Test, labels: Mapping[str, str] | None, applications: Collection[str]) -> bool:
    """Whether an `app_selector` selects something.

    Args:
        selected: what it stands for.
        labels: those of the object.
        applications: what the object is part of, whatever its own label says.
    """
    own = {key: value for key, value in (labels or {}).items() if key != PART_OF}
    return any(selected({**own, PART_OF: name}) for name in applications) if applications else selected(own)


async def need_application(objects: Objects, name: str | None, field: str) -> None:
    """Check that an application is there; nothing to check without a name.

    Raises:
        BadRequestError: it is not; `field` says where it is named.
        UpstreamError: the cluster does not answer.
    """
    if name and await find_application(objects, name) is None:
        raise BadRequestError(f"{field}: application {name!r} is not there", field=field)


class Members(Generic[R]):
    """Objects of one kind that may belong to an application, for one request.

    Args:
        objects: the place.
        kind: which.
    """

    def __init__(self, objects: Objects, kind: Kind[R]) -> None:
        self.objects = objects
        self.kind = kind

    async def attach(self, name: str, application: str) -> None:
        """Make one a member of an application.

        Raises:
            ConflictError: it is a member of another one.
        """
        await self.objects.change(self.kind, name, lambda whole: marks.attach(whole, application))

    async def detach(self, name: str, application: str) -> None:
        """Let one leave an application; nothing to do when it is no member."""
        await self.objects.change(self.kind, name, lambda whole: marks.detach(whole, application))

    async def delete(self, name: str, policy: Propagation | None) -> None:
        """Delete one; what it has made goes too unless the policy is Orphan.

        Raises:
            NotFoundError: it is not there.
        """
        await self.objects.delete(self.kind, name, propagation=policy or "Background")


async def joined_application(objects: Objects, name: str | None, action: str) -> str:
    """The application that things are to join (`attach`, when it has to be there) or to leave.

    Raises:
        BadRequestError: none was named.
        NotFoundError: it is not there.
    """
    if not name:
        raise BadRequestError("application_name: which application?", field="application_name")
    if action == "attach" and await find_application(objects, name) is None:
        raise NotFoundError(f"application {name!r} is not there")
    return name

"""What the operations of chapter 1.10 do."""

from __future__ import annotations

import asyncio

from ecns.api.common.applications import Members, need_application
from ecns.api.common.composed import Composed
from ecns.api.common.lists import ListQuery, Page
from ecns.api.common.making import Making
from ecns.api.common.objects import Objects
from ecns.api.jobs import checks, manifests, types
from ecns.api.jobs.cached import KINDS, Surroundings, rows
from ecns.api.workloads.manifests import conditions, events
from ecns.backends.kubernetes.kinds.batch import JOB, Job
from ecns.backends.kubernetes.kinds.core import EVENT


class Jobs(Members[Job]):
    """The Jobs of one place, for one request.

    Args:
        objects: the place.
        registry_domain: the registry's name in image references.
    """

    def __init__(self, objects: Objects, registry_domain: str) -> None:
        super().__init__(objects, JOB)
        self.registry_domain = registry_domain

    @property
    def rows(self) -> Composed[Job]:
        """How they are listed."""
        return rows(self.registry_domain)

    async def page(self, query: ListQuery, *, status: str | None, application: str) -> Page:
        """A page of Jobs."""
        return await self.rows.page(self.objects, query, status=status, application=application)

    async def show(self, name: str) -> types.JobDetail:
        """A Job with its pods, conditions and events.

        Raises:
            NotFoundError: it is not there.
        """
        found, listed, around = await asyncio.gather(
            self.objects.client.get(JOB, name, self.objects.namespace),
            self.objects.client.list(EVENT, self.objects.namespace),
            self.around(),
        )
        about = {found.metadata.uid, *(pod.metadata.uid for pod in around.pods_of(found))}
        mine = [event for event in listed.items if event.involved_object.uid in about]
        return types.JobDetail(
            job=around.shown(found, mine),
            conditions=conditions(found.status.conditions),
            events=events(mine),
        )

    async def shown(self, found: Job) -> types.Job:
        """A Job as its users see it."""
        return (await self.around()).shown(found)

    async def around(self) -> Surroundings:
        """What stands around them."""
        return Surroundings(await self.objects.caches(*KINDS), self.registry_domain)

    async def create(self, sent: types.Job, *, key: str = "") -> types.Job:
        """Make a Job with its claims, or nothing; see `Making`.

        Args:
            sent: what was sent.
            key: whose `Idempotency-Key` came with the request, and which.

        Raises:
            BadRequestError: ECNS or Kubernetes finds it wrong, or its application is not there.
            ConflictError: a Job of this name exists, or one of its claims does.
        """
        job = checks.check_job(sent)
        await need_application(self.objects, job.application_name, "job.application_name")
        planned = manifests.objects(
            job, namespace=self.objects.namespace, registry_domain=self.registry_domain
        )
        return await Making(self.objects, "job").make(planned, sent, self.shown, key=key)

"""What the operations of chapter 1.5 do."""

from __future__ import annotations

import asyncio
import secrets
from datetime import UTC, datetime
from hashlib import sha256

import msgspec

from ecns.api.common import marks
from ecns.api.common.applications import Members, need_application
from ecns.api.common.lists import ListQuery, Page
from ecns.api.common.making import Making
from ecns.api.common.names import REQUEST
from ecns.api.common.objects import Objects, Operations
from ecns.api.common.patching import find, operations
from ecns.api.cronjobs import checks, types
from ecns.api.cronjobs.cached import ROWS
from ecns.api.cronjobs.manifests import cronjobs as manifests
from ecns.api.jobs.service import Jobs
from ecns.api.jobs.types import Job
from ecns.api.workloads.manifests import events
from ecns.backends.kubernetes import indexes
from ecns.backends.kubernetes.kinds import batch
from ecns.backends.kubernetes.kinds.batch import CRON_JOB, JOB, CronJob
from ecns.backends.kubernetes.kinds.core import EVENT
from ecns.backends.kubernetes.kinds.meta import JsonObject
from ecns.errors import ConflictError, NotFoundError

SUFFIX = 6
"""Letters that tell the Jobs of one CronJob that were run by hand."""
TRIES = 3
"""Names that are tried for a run by hand; of so many letters no two are likely the same."""
LETTERS = "bcdfghjklmnpqrstvwxz2456789"
"""As in the names that Kubernetes makes up: no words come of them."""
_SUSPEND = ("spec", "suspend")


class CronJobs(Members[CronJob]):
    """The CronJobs of one place, for one request.

    Args:
        objects: the place.
        registry_domain: the registry's name in image references.
    """

    def __init__(self, objects: Objects, registry_domain: str) -> None:
        super().__init__(objects, CRON_JOB)
        self.registry_domain = registry_domain
        self.jobs = Jobs(objects, registry_domain)

    async def page(self, query: ListQuery, *, status: str | None, application: str) -> Page:
        """A page of CronJobs."""
        return await ROWS.page(self.objects, query, status=status, application=application)

    async def show(self, name: str) -> types.CronJobDetail:
        """A CronJob with its Jobs, newest first, its events and what its Jobs are made from.

        Raises:
            NotFoundError: it is not there.
        """
        found, listed, around = await asyncio.gather(
            self.objects.client.get(CRON_JOB, name, self.objects.namespace),
            self.objects.client.list(EVENT, self.objects.namespace),
            self.jobs.around(),
        )
        owned = sorted(
            around.jobs.index(indexes.OWNER, found.metadata.uid),
            key=lambda one: (one.metadata.creation_timestamp or "", one.metadata.name),
            reverse=True,
        )
        about = {found.metadata.uid, *(one.metadata.uid for one in owned)}
        claims = around.claims_named(found.spec.job_template.spec, self.objects.namespace)
        return types.CronJobDetail(
            jobs=[around.shown(one) for one in owned],
            events=events(one for one in listed.items if one.involved_object.uid in about),
            spec=manifests.template(found, claims, registry_domain=self.registry_domain),
            status=manifests.status(found, owned, datetime.now(UTC)),
        )

    async def shown(self, found: CronJob) -> types.CronJobStatus:
        """A CronJob as its users see it."""
        cache = await self.objects.cache(JOB)
        owned = list(cache.index(indexes.OWNER, found.metadata.uid)) if found.metadata.uid else []
        return manifests.status(found, owned, datetime.now(UTC))

    async def create(self, sent: types.CronJob, *, key: str = "") -> types.CronJobStatus:
        """Make a CronJob with the claims that its Jobs share, or nothing; see `Making`.

        Args:
            sent: what was sent.
            key: whose `Idempotency-Key` came with the request, and which.

        Raises:
            BadRequestError: ECNS or Kubernetes finds it wrong, or its application is not there.
            ConflictError: a CronJob of this name exists, or one of its claims does.
        """
        cronjob = checks.check_cronjob(sent)
        await need_application(self.objects, cronjob.job.application_name, "cronjob.job.application_name")
        planned = manifests.objects(
            cronjob, namespace=self.objects.namespace, registry_domain=self.registry_domain
        )
        return await Making(self.objects, "cronjob").make(planned, sent, self.shown, key=key)

    async def start(self, name: str) -> None:
        """Let a CronJob run by its schedule again.

        Raises:
            ConflictError: it does, or somebody else changed that meanwhile.
        """
        await self.objects.change(CRON_JOB, name, lambda whole: _suspend(whole, suspend=False))

    async def stop(self, name: str) -> None:
        """Let a CronJob make no more Jobs; those under way go on.

        Raises:
            ConflictError: it makes none, or somebody else changed that meanwhile.
        """
        await self.objects.change(CRON_JOB, name, lambda whole: _suspend(whole, suspend=True))

    async def run(self, name: str, *, key: str = "") -> Job:
        """Run a CronJob now, stopped or not, whatever runs of it; its history counts the run.

        Args:
            name: which.
            key: whose `Idempotency-Key` came with the request, and which: it is run once for a key.

        Raises:
            NotFoundError: it is not there.
            ConflictError: it is being deleted.
        """
        whole = await self.objects.whole(CRON_JOB, name)
        found = msgspec.convert(whole, CRON_JOB.type)
        if found.metadata.deletion_timestamp:
            raise ConflictError(f"cronjob {name!r} is being deleted")
        request = sha256(f"{found.metadata.uid} {key}".encode()).hexdigest()[: marks.LENGTH] if key else ""
        suffix = _suffix(int(request, 16)) if request else _any_suffix()
        for _ in range(TRIES):
            made = manifests.run(found, whole, f"{name}-run-{suffix}")
            if request:
                made["metadata"]["annotations"][REQUEST] = request
            try:
                return await self.jobs.shown(await self.objects.create(JOB, made))
            except ConflictError:
                if request and (there := await self._same_run(made["metadata"]["name"], request)):
                    return await self.jobs.shown(there)
            suffix = _any_suffix()
        raise ConflictError(f"no name was free for a run of cronjob {name!r}; try again")

    async def _same_run(self, name: str, request: str) -> batch.Job | None:
        """The Job that the very same request has made before."""
        try:
            found = await self.objects.client.get(JOB, name, self.objects.namespace)
        except NotFoundError:
            return None
        return found if marks.request(found) == request else None


def _suspend(whole: JsonObject, *, suspend: bool) -> Operations:
    if (find(whole, _SUSPEND) is True) == suspend:
        name, word = whole["metadata"]["name"], "stopped" if suspend else "running"
        raise ConflictError(f"cronjob {name!r} is {word} already")
    return operations(whole, {_SUSPEND: suspend})


def _suffix(number: int) -> str:
    letters = []
    for _ in range(SUFFIX):
        number, letter = divmod(number, len(LETTERS))
        letters.append(LETTERS[letter])
    return "".join(letters)


def _any_suffix() -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(SUFFIX))

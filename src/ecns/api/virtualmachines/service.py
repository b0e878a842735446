"""What the operations of chapter 1.8 do to groups of virtual machines."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

from msgspec.structs import replace

from ecns.api.common.waiting import all_of, few_of, until
from ecns.api.virtualmachines import losses, manifests, passwords, reports, templates, userdata
from ecns.api.virtualmachines.disks import Disks
from ecns.api.virtualmachines.groups import Found, Groups, not_there
from ecns.api.virtualmachines.leftovers import Leftovers
from ecns.api.virtualmachines.references import References, Wanted
from ecns.api.virtualmachines.removal import SEEN_SECONDS, Removal
from ecns.api.virtualmachines.templates import Definition, Resolved, Tags
from ecns.api.virtualmachines.types import VirtualMachine, VmNetwork
from ecns.api.workloads.types import Workload
from ecns.backends.openstack.heat import Stack
from ecns.errors import ConflictError, UpstreamError

Action = Literal["start", "stop", "recreate"]

_changing: set[str] = set()
"""Places and names of the groups with which this process begins to do something."""


class Planned(NamedTuple):
    """A group that is to be made."""

    stack: str
    """Its name."""
    body: dict[str, Any]
    """What Heat is told."""
    kept: Definition
    tags: Tags


class VirtualMachines(Groups):
    """Makes, changes and removes groups."""

    # Making

    async def plan(
        self,
        machines: Sequence[VirtualMachine],
        network: VmNetwork,
        application: str,
        request: str,
        *,
        again: bool = False,
    ) -> list[Planned]:
        """What is to be made of the machines of an application.

        Args:
            machines: checked.
            network: where they are to be.
            application: its name.
            request: the digest of the request.
            again: a part of it was made before.

        Raises:
            BadRequestError: something that is named is not there; `field` says what.
            ForbiddenError: a quota does not leave enough.
            ConflictError: there is a group of one of these names.
        """
        await self.own()
        place = self.objects.place
        references = References(self.openstack, place.caller)
        resolved, groups = await all_of(references.resolve(machines, network, quota=not again), self.stacks())
        taken = {one.tags.name: one.tags for one in groups}
        planned: list[Planned] = []
        for machine, one in zip(machines, resolved, strict=True):
            if (tags := taken.get(machine.name)) is not None and not (again and tags.request == request):
                raise ConflictError(
                    f"virtual machines {machine.name!r} exist, of application {tags.application!r};"
                    " names are unique in a namespace"
                )
            name = templates.stack_name(place.cluster.name, place.namespace, machine.name)
            kept = templates.definition(machine, network, one)
            tags = Tags(
                project=place.caller.project_id,
                place=self.place,
                namespace=place.namespace,
                application=application,
                name=machine.name,
                replicas=machine.replicas,
                generation=0,
                request=request,
            )
            body = templates.stack(name, machine, kept, one, user_data=await user_data(machine, one))
            planned.append(Planned(name, {**body, "tags": templates.tags(tags)}, kept, tags))
        return planned

    async def sources(self, workloads: Sequence[Workload], network: VmNetwork | None) -> dict[str, list[str]]:
        """As `References.sources`."""
        if not any(one.security_groups for one in workloads):
            return {}
        await self.own()
        return await References(self.openstack, self.objects.place.caller).sources(workloads, network)

    async def try_(self, planned: Planned) -> None:
        """See whether Heat would make a group, and report it."""
        await self.openstack.heat.preview(self.token, planned.stack, **planned.body)
        self.objects.outside(made=[reports.new(planned.tags, planned.kept)])

    async def make(self, planned: Planned) -> None:
        """Let Heat make a group; one that this request has made before is left.

        Raises:
            ConflictError: there is another one of this name.
        """
        try:
            await self.openstack.heat.create(self.token, planned.stack, **planned.body)
        except ConflictError:
            found = await self.named(planned.tags.name)
            if found is None or found.tags.request != planned.tags.request:
                raise

    # Changing

    async def act(self, name: str, action: Action) -> None:
        """Start, stop or make anew all machines of a group; what is so already is left so.

        Starting a group that failed lets Heat try again, and one that Heat left in the middle go on;
        machines that are in ERROR, or that somebody has removed, are made anew.

        Raises:
            NotFoundError: it is not there.
            ConflictError: something is being done with it.
            ForbiddenError: a quota does not leave enough for what is made anew.
        """
        await self.own()
        with contextlib.nullcontext() if action == "stop" else self._changing(name):
            await self._act(name, action)

    async def _act(self, name: str, action: Action) -> None:
        found = await self.settled(name, going_on=action == "start")
        if action == "recreate" or (action == "start" and await self._broken(found)):
            await self._update(found, generation=found.tags.generation + (action == "recreate"))
            return
        verb: Literal["os-start", "os-stop"] = "os-start" if action == "start" else "os-stop"
        before, after = ("SHUTOFF", "ACTIVE") if action == "start" else ("ACTIVE", "SHUTOFF")
        servers = await self.servers(found.stack.id)
        mine = [one for one in servers if one.status == before]
        if self.objects.dry_run:
            now = reports.group(found.tags, servers)
            self.objects.outside(changed=[(now, reports.switched(now, mine, after))])
            return
        await few_of(self.openstack.nova.act(self.token, server.id, verb) for server in mine)

    async def scale(self, name: str, replicas: int) -> None:
        """Let a group have so many machines; those that it keeps are not touched, the last ones go first.

        Raises:
            NotFoundError: it is not there.
            ConflictError: something is being done with it.
            ForbiddenError: a quota does not leave enough for more of them.
        """
        await self.own()
        with self._changing(name):
            found = await self.settled(name)
            if replicas != found.tags.replicas or found.stack.stack_status.endswith("_FAILED"):
                await self._update(found, replicas=replicas)

    @contextlib.contextmanager
    def _changing(self, name: str) -> Iterator[None]:
        """Let nobody else begin with a group until Heat shows it: of two updates the last one would win."""
        one = f"{self.place}/{name}"
        if one in _changing:
            raise ConflictError(f"virtual machines {name!r}: another change just begins; try again after it")
        _changing.add(one)
        try:
            yield
        finally:
            _changing.remove(one)

    async def _update(self, found: Found, **changed: int) -> None:
        """Let Heat change a stack, and wait until it has begun: whoever asks next sees that."""
        told, name, stack_id = found.tags, found.stack.stack_name, found.stack.id
        tags = replace(told, **changed)
        heat, kept = self.openstack.heat, await self.recalled(found)
        if kept is not None:
            await References(self.openstack, self.objects.place.caller).room([_wanted(kept, told, tags)])
        template = await heat.template(self.token, name, stack_id)
        unfinished = not found.stack.stack_status.endswith("_COMPLETE")
        anew = tags.generation != told.generation
        in_turn = anew or (unfinished and templates.goes_in_turn(template))
        change = {
            "existing": True,
            "template": templates.resized(template, tags.name, tags.replicas, in_turn=in_turn),
            "parameters": {"generation": tags.generation},
        }
        if self.objects.dry_run:
            await heat.preview_update(self.token, name, stack_id, **change)
            servers = await self.servers(stack_id)
            now, then = reports.group(told, servers), reports.changed(told, tags, servers)
            self.objects.outside(changed=[(now, then)], deleted=reports.going(told, tags, servers, kept))
            return
        if unfinished:
            disks = Disks(self.openstack, self.objects.place.caller)
            spare = await disks.spare(found.stack, replicas=tags.replicas, anew=anew)
            await self._mend(found.stack)
            await disks.remove(spare)
        await heat.update(self.token, name, stack_id, **change, tags=templates.tags(tags))

        async def begun() -> bool:
            now = await heat.stack(self.token, name, stack_id)
            return now.updated_time != found.stack.updated_time or "IN_PROGRESS" in now.stack_status

        await until(begun, SEEN_SECONDS)

    async def _broken(self, found: Found) -> bool:
        """Whether Heat has something to do so that a group is whole; what is too much of it is removed."""
        if not found.stack.stack_status.endswith("_COMPLETE"):
            return True
        servers = await self.servers(found.stack.id)
        if len(servers) == found.tags.replicas and all(one.status != "ERROR" for one in servers):
            caller = self.objects.place.caller
            try:
                if not await losses.unbalanced(self.openstack, caller, found.stack):
                    return False
            except UpstreamError:
                return False  # machines start without their load balancer
        return self.objects.dry_run or await self._mend(found.stack)

    async def _mend(self, stack: Stack) -> bool:
        """Remove what Heat does not know of a stack, and tell it what is gone; whether something is."""
        caller = self.objects.place.caller
        await Leftovers(self.openstack, caller).clear(stack)
        return await losses.tell(self.openstack, caller, stack)

    # Deleting

    async def leave(self, application: str) -> None:
        """Let the groups of an application be of none any more."""
        await self.own()

        async def one(found: Found) -> None:
            tags = replace(found.tags, application="")
            if self.objects.dry_run:
                servers = await self.servers(found.stack.id)
                change = (reports.group(found.tags, servers), reports.group(tags, servers))
                self.objects.outside(changed=[change])
                return
            stack = found.stack
            await self.openstack.heat.update(
                self.token,
                stack.stack_name,
                stack.id,
                existing=True,
                parameters={},
                tags=templates.tags(tags),
            )

        await few_of(one(found) for found in await self.stacks() if found.tags.application == application)

    async def delete_named(self, name: str) -> None:
        """Remove a group, as `delete`.

        Raises:
            NotFoundError: it is not there.
        """
        await self.own()
        if await self.named(name) is None:
            raise not_there(name)
        await self.delete(name=name)

    async def delete(self, **tags: str) -> None:
        """Remove groups with all that was made for them, and wait for it.

        Those that are gone since a short while are looked for, too: a deletion may have been cut off.

        Args:
            tags: what says which: `application`, `name`, `request`.

        Raises:
            UpstreamError: something could not be removed, or not yet; asked again it goes on.
        """
        await self.own()
        found = await self.stacks(gone=not self.objects.dry_run, **tags)
        if self.objects.dry_run:
            await few_of(self._report_end(one) for one in found)
            return
        groups = {one.tags.name: one.stack for one in reversed(found)}  # newest last

        async def look() -> list[Stack]:
            return [one.stack for one in await self.stacks()]

        await Removal(self.openstack, self.objects.place.caller, groups, look).run()

    async def _report_end(self, found: Found) -> None:
        servers, kept = await all_of(self.servers(found.stack.id), self.recalled(found))
        going = reports.going(found.tags, replace(found.tags, replicas=0), servers, kept)
        self.objects.outside(deleted=[reports.called(found.tags), *going])


def _wanted(kept: Definition, told: Tags, tags: Tags) -> Wanted:
    """What a change needs more; a machine that is made anew is there twice for a while, one after another."""
    wanted = Wanted.of(kept.machine, *manifests.amounts(kept.flavor), max(0, tags.replicas - told.replicas))
    if tags.generation == told.generation or not tags.replicas:
        return wanted
    disk = kept.machine.system_disk
    disks = 1 if disk.cascade_deletion else tags.replicas
    return wanted._replace(volumes=wanted.volumes + disks, gigabytes=wanted.gigabytes + disks * disk.size)


async def user_data(machine: VirtualMachine, resolved: Resolved) -> str:
    """What machines are given; Windows takes its password from Nova's metadata."""
    password = machine.authentication.password if not resolved.windows else None
    found = await asyncio.to_thread(passwords.hashed, password) if password else ""
    return userdata.composed(machine.user_data or "", found)

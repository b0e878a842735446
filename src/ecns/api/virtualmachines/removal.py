"""The end of groups of virtual machines: Heat removes them, and nothing is left of them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping

from ecns.api.common.waiting import few_of, until
from ecns.api.virtualmachines.disks import Disks
from ecns.api.virtualmachines.leftovers import Leftovers
from ecns.backends.openstack.cloud import OpenStack
from ecns.backends.openstack.heat import Stack
from ecns.errors import (
    EcnsError,
    NotFoundError,
    UpstreamError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from ecns.identity.caller import Caller

GONE_SECONDS = 40.0
"""How long a deletion is waited for; a request has 60 s."""
LATE_SECONDS = 3.0
"""How long after a stack is gone Heat may still make what it was about to make of it."""
SEEN_SECONDS = 3.0
"""How long until Heat shows that it has begun with a change."""
DELETING = ("DELETE_IN_PROGRESS", "DELETE_FAILED")
AGAIN_SECONDS = 15.0
"""How long Heat may go on with a deletion of an earlier request before it is told again: the engine that was
at work may have ended."""


class Removal:
    """Removes some groups.

    Args:
        openstack: where they are.
        caller: whose token.
        groups: their stacks, those that are gone since a short while too, by name of the group.
        look: what stacks there are.
    """

    def __init__(
        self,
        openstack: OpenStack,
        caller: Caller,
        groups: Mapping[str, Stack],
        look: Callable[[], Awaitable[list[Stack]]],
    ) -> None:
        self._heat = openstack.heat
        self._openstack = openstack
        self._token = caller.token
        self._names = {stack.id: name for name, stack in groups.items()}
        self._before = {stack.id: stack for stack in groups.values() if not _gone(stack)}
        self._look = look
        self._leftovers = Leftovers(openstack, caller)
        self._disks = Disks(openstack, caller)
        self._failed: list[Stack] = []
        self._started = 0.0

    async def run(self) -> None:
        """Remove them, and wait for it.

        Disks that were made for machines which never ran hold nothing, and go with it. Where Heat does not
        come to an end it is told again, once; what it does not know, and what is in its way, is removed.

        Raises:
            UpstreamUnavailableError: a service that something is to be removed from does not answer.
            UpstreamError: something could not be removed, or not yet; asked again it goes on.
        """
        before = list(self._before.values())
        # An earlier deletion has done so; and Cinder may be what it could not reach.
        unfinished = [one for one in before if not one.stack_status.endswith(("_COMPLETE", *DELETING))]
        used = dict(
            zip(
                (one.id for one in unfinished),
                await few_of(self._disks.release(one) for one in unfinished),
                strict=True,
            )
        )
        await self._begin([one for one in before if one.stack_status != "DELETE_IN_PROGRESS"])
        late = [one for one in before if one.stack_status == "DELETE_IN_PROGRESS"]
        if not late or not await until(self._over, AGAIN_SECONDS):
            await self._begin(late)
        done = not before or await until(self._over, GONE_SECONDS)
        if self._failed:
            failed = list(self._failed)
            try:
                await self._leftovers.remove({one.id for one in failed})
            except (UpstreamUnavailableError, UpstreamTimeoutError) as error:
                error.message = (
                    f"virtual machines {self._names[failed[0].id]!r} cannot be removed now: {error.message};"
                    " delete them again when it answers"
                )
                raise
            except EcnsError:
                pass  # Heat is told again, and says what it cannot
            self._before |= {one.id: one for one in failed}
            await self._begin(failed)
            done = await until(self._over, AGAIN_SECONDS)
        if self._failed:
            raise UpstreamError(
                f"Heat could not remove virtual machines {self._names[self._failed[0].id]!r}:"
                f" {self._failed[0].stack_status_reason}; delete them again to let it go on",
                upstream="heat",
            )
        if not done:
            raise UpstreamTimeoutError(
                f"Heat is still removing virtual machines {', '.join(sorted(self._names.values()))};"
                " the same deletion again waits for it",
                upstream="heat",
            )
        await self._release_late(unfinished, used)
        if self._names:
            await self._leftovers.remove(set(self._names))

    async def _release_late(self, unfinished: list[Stack], used: Mapping[str, frozenset[str]]) -> None:
        """Let go what Heat has made since of stacks that it was making."""
        making = [one for one in unfinished if one.stack_status.startswith("CREATE_")]
        if any(one.stack_status.endswith("_IN_PROGRESS") for one in making):
            await asyncio.sleep(LATE_SECONDS)
        await few_of(self._disks.release_but(one.id, used[one.id]) for one in making)

    async def _begin(self, stacks: list[Stack]) -> None:
        async def one(stack: Stack) -> None:
            with contextlib.suppress(NotFoundError):
                await self._heat.delete(self._token, stack.stack_name, stack.id)

        self._failed = []
        self._started = time.monotonic()
        await few_of(one(stack) for stack in stacks)

    async def _over(self) -> bool:
        """Whether Heat is at work with none of them any more."""
        left = [one for one in await self._look() if one.id in self._before]
        begun = time.monotonic() > self._started + SEEN_SECONDS
        # One that failed before shows that until Heat has begun anew.
        self._failed = [
            one
            for one in left
            if one.stack_status == "DELETE_FAILED"
            and (begun or self._before[one.id].stack_status != "DELETE_FAILED")
        ]
        return len(self._failed) == len(left)


def _gone(stack: Stack) -> bool:
    return stack.stack_status == "DELETE_COMPLETE"

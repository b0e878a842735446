"""The engine: each stack has at most one task, and this is how it begins and ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from ecns.embedded.openstack.heat.documents import new_record
from ecns.embedded.openstack.heat.errors import FailedError
from ecns.embedded.openstack.heat.events import Events
from ecns.embedded.openstack.heat.stacks import Stacks
from ecns.embedded.openstack.heat.validation import validate
from ecns.embedded.openstack.heat.work import Work
from ecns.embedded.openstack.service import now

if TYPE_CHECKING:
    from ecns.embedded.openstack.cloud import Cloud
    from ecns.embedded.openstack.store import Body

_log = logging.getLogger(__name__)


class Engine(Stacks):
    """Works on stacks.

    Args:
        cloud: where everything is made.
    """

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.events = Events(cloud.store)
        self._work = Work(self, self.events)
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def resume(self) -> None:
        """What was under way has failed: nobody knows how far it came."""
        for stack in self.store.all("stacks"):
            if stack["status"] == "IN_PROGRESS":
                stack["failure"] = None
                self.events.state(
                    stack, stack["action"], "FAILED", f"Engine went down during stack {stack['action']}"
                )

    def validate(self, stack: Body, step: str = "", *, strict: bool = True) -> None:
        """Refuse what cannot be made, as far as that is known before.

        Raises:
            ProblemError: 400.
        """
        validate(self, stack, step, strict=strict)

    # Beginning and ending

    def create(self, stack: Body) -> None:
        """Begin to make a stack."""
        template = self.template(stack)
        scope = self.scope(stack, template, self.parameters(stack, template), draft=True)
        for name in self.wanted(template, scope):
            stack["resources"][name] = new_record(template.resources[name]["type"])
        self.store.save("stacks", stack)
        self._begin(stack, "CREATE", lambda: self._work.make_all(stack))

    def update(self, stack: Body, template: Body, given: Body, **about: Any) -> None:
        """Begin to change a stack; `about` are its files, registry and defaults, if they change, too."""
        self.cancel(stack)
        before = {key: stack[key] for key in ("template", "given", *about)}
        stack |= {"template": template, "given": given, **about, "updated": now(), "before": before}
        self._begin(stack, "UPDATE", lambda: self._work.change_all(stack, before["template"]))

    def delete(self, stack: Body) -> None:
        """Begin to remove a stack."""
        self.cancel(stack)
        self._begin(stack, "DELETE", lambda: self._work.remove_all(stack))

    def act(self, stack: Body, action: str) -> None:
        """Begin to suspend, resume or check a stack."""
        self.cancel(stack)
        self._begin(stack, action.upper(), lambda: self._work.act_all(stack, action))

    def cancel(self, stack: Body) -> None:
        """Let go of what is being done with a stack, and with those inside of it."""
        if (task := self._tasks.pop(stack["id"], None)) is not None:
            task.cancel()
        for record in stack["resources"].values():
            if (inner := self.store.get("stacks", record["physical"])) is not None:
                self.cancel(inner)

    def _begin(self, stack: Body, action: str, work: Callable[[], Awaitable[None]]) -> None:
        stack["failure"] = None
        self.events.state(stack, action, "IN_PROGRESS", f"Stack {action} started")
        task = asyncio.get_running_loop().create_task(self._do(stack, action, work))
        self._tasks[stack["id"]] = task
        self.cloud.tasks.add(task)
        task.add_done_callback(self.cloud.tasks.discard)

    async def _do(self, stack: Body, action: str, work: Callable[[], Awaitable[None]]) -> None:
        minutes = stack["timeout"]
        try:
            async with asyncio.timeout(minutes * 60 if minutes else None):
                await work()
        except FailedError as error:
            stack["failure"] = [error.kind, error.message, error.path]
            self.events.state(stack, action, "FAILED", f"Resource {action} failed: {error.reason()}")
        except TimeoutError:
            self.events.state(stack, action, "FAILED", f"{action.capitalize()} timed out")
        except Exception as error:  # noqa: BLE001  a fault of ours must not leave a stack pending
            _log.exception("%s of %s failed", action, stack["name"])
            self.events.state(
                stack, action, "FAILED", f"Resource {action} failed: {type(error).__name__}: {error}"
            )
        else:
            if action == "DELETE":
                stack["gone"] = now()
            self.events.state(stack, action, "COMPLETE", f"Stack {action} completed successfully")
            if action == "DELETE" and stack["parent"]:
                self.store.delete("stacks", stack["id"])
            return
        if action in {"CREATE", "UPDATE"} and not stack["disable_rollback"] and not stack["parent"]:
            await self._roll_back(stack, action)

    async def _roll_back(self, stack: Body, action: str) -> None:
        for record in stack["resources"].values():
            if (inner := self.store.get("stacks", record["physical"])) is not None:
                self.cancel(inner)
        self.events.state(stack, "ROLLBACK", "IN_PROGRESS", "Stack ROLLBACK started")
        try:
            if action == "CREATE":
                await self._work.remove_all(stack)
            else:
                failed = stack["template"]
                stack |= stack["before"]
                await self._work.change_all(stack, failed)
        except FailedError as error:
            self.events.state(stack, "ROLLBACK", "FAILED", f"Resource ROLLBACK failed: {error.reason()}")
        else:
            self.events.state(stack, "ROLLBACK", "COMPLETE", "Stack ROLLBACK completed successfully")

    def check_now(self, stack: Body) -> None:
        """See that everything in a stack is as it should be.

        Raises:
            FailedError: something is not.
        """
        for name, record in stack["resources"].items():
            if record["physical"]:
                try:
                    self.resource(stack, name).check()
                except FailedError as error:
                    record |= {"action": "CHECK", "status": "FAILED", "reason": error.within(name).reason()}
                    self.store.save("stacks", stack)
                    raise error.within(name) from error

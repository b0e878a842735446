"""What happened to stacks and their resources, and how they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from ecns.embedded.openstack.errors import ProblemError
from ecns.embedded.openstack.heat.errors import FailedError
from ecns.embedded.openstack.service import new_id, now

if TYPE_CHECKING:
    from ecns.embedded.openstack.store import Body, Store

MOST_OF_EVENTS = 2000


class Events:
    """Keeps states, and remembers how they came.

    Args:
        store: where.
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    def state(self, stack: Body, action: str, status: str, reason: str) -> None:
        """How a stack is now."""
        stack |= {"action": action, "status": status, "reason": reason}
        self.store.save("stacks", stack)
        self.event(
            stack,
            stack["name"],
            stack["id"],
            status=f"{action}_{status}",
            reason=reason,
            kind="OS::Heat::Stack",
        )

    def progress(self, stack: Body, name: str, record: Body, action: str) -> None:
        """A step with a resource begins."""
        self.told(stack, name, record, action=action, status="IN_PROGRESS", reason="state changed")

    def told(self, stack: Body, name: str, record: Body, *, action: str, status: str, reason: str) -> None:
        """How a resource is now."""
        record |= {"action": action, "status": status, "reason": reason, "updated": now()}
        self.store.save("stacks", stack)
        self.event(
            stack, name, record["physical"], status=f"{action}_{status}", reason=reason, kind=record["type"]
        )

    def event(self, stack: Body, name: str, physical: str, *, status: str, reason: str, kind: str) -> None:
        """Remember that something happened."""
        body = {
            "id": new_id(),
            "stack": stack["id"],
            "name": name,
            "physical": physical,
            "status": status,
            "reason": reason,
            "type": kind,
            "time": now(),
        }
        self.store.save("stack-events", body)
        self.store.forget("stack-events", MOST_OF_EVENTS)


class Told:
    """Tells how a step with a resource went; what went wrong is raised as seen from the stack."""

    def __init__(self, events: Events, stack: Body, name: str, record: Body, action: str) -> None:
        self._events = events
        self._about = (stack, name, record, action)
        self.reason = "state changed"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        stack, name, record, action = self._about
        if isinstance(error, ProblemError):
            error = FailedError(error.kind or "StackValidationFailed", error.message)
        if isinstance(error, FailedError):
            seen = error.within(name)
            self._events.told(stack, name, record, action=action, status="FAILED", reason=seen.reason())
            raise seen
        if error is None:
            self._events.told(stack, name, record, action=action, status="COMPLETE", reason=self.reason)

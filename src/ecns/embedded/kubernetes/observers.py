"""Who is told of each write: the controllers, in order, one change at a time."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.store import Change

    Observer = Callable[[str, Object | None, Object | None], None]

_log = logging.getLogger(__name__)


class Observers:
    """Callbacks by resource. What they write themselves is told after what they are being told of."""

    def __init__(self) -> None:
        self._observers: dict[str, list[Observer]] = {}
        self._pending: deque[Change] = deque()
        self._dispatching = False

    def add(self, resource: str, callback: Observer) -> Callable[[], None]:
        """Calls back with (event, new, old) after each write; returns what ends it.

        The event is "ADDED", "MODIFIED" or "DELETED"; `new` is None for the last, `old` for the first.
        """
        observers = self._observers.setdefault(resource, [])
        observers.append(callback)

        def stop() -> None:
            if callback in observers:
                observers.remove(callback)

        return stop

    def tell(self, change: Change) -> None:
        """Tells of a change, when those before it have been told."""
        self._pending.append(change)
        if self._dispatching:
            return
        self._dispatching = True
        try:
            while self._pending:
                self._tell_each(self._pending.popleft())
        finally:
            self._dispatching = False

    def _tell_each(self, change: Change) -> None:
        observers = self._observers.get(change.new.resource)
        if not observers:
            return
        new = None if change.type == "DELETED" else change.new.obj
        old = change.old.obj if change.old else None
        for observer in tuple(observers):
            try:
                observer(change.type, new, old)
            except Exception:  # noqa: BLE001  the others are to be told all the same
                _log.exception("an observer of %s failed", change.new.resource)

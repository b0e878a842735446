"""An event loop whose time can be put forward, so that a wait of minutes costs nothing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta


class Loop(asyncio.SelectorEventLoop):
    """A loop with its own time: the machine's, and what it was put forward by."""

    def __init__(self) -> None:
        super().__init__()
        self._ahead = 0.0
        self._held: float | None = None

    def time(self) -> float:
        """Seconds, as timers count them."""
        return super().time() + self._ahead if self._held is None else self._held

    def hold(self) -> None:
        """Lets the time stand still."""
        self._held = self.time()

    def release(self) -> None:
        """Lets it go on from where it stood still."""
        if self._held is not None:
            self._ahead = self._held - super().time()
            self._held = None

    def forward(self, seconds: float) -> None:
        """Lets what is due within some seconds be due now."""
        self._ahead += seconds

    def now(self) -> datetime:
        """The date and time that go with `time`."""
        return datetime.now(UTC) + timedelta(seconds=self.time() - super().time())

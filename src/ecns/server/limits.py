"""What one caller may ask for: so many requests a second, so many streams at a time.

Counted in this process: with several replicas a caller has as much of each.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from ecns.config import Limits as Settings
from ecns.errors import TooManyRequestsError

REMEMBERED = 10_000
"""Callers at most; the longest unused go first, and have long been given back all they may."""


class Limits:
    """A token bucket and a count of streams for each caller.

    Args:
        settings: how much.
        clock: monotonic seconds.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self.settings = settings
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """By caller, what is left and when that was so."""
        self._streams: dict[str, int] = {}

    def request(self, caller: str) -> None:
        """Count a request.

        Raises:
            TooManyRequestsError: it is too soon for another one.
        """
        now = self._clock()
        rate, burst = self.settings.requests_per_second, self.settings.burst
        left, then = self._buckets.get(caller, (burst, now))
        left = min(burst, left + (now - then) * rate)
        if left < 1:
            self._keep(caller, left, now)
            raise TooManyRequestsError(
                f"more than {rate:g} requests a second; try again later", retry_after=(1 - left) / rate
            )
        self._keep(caller, left - 1, now)

    def stream(self, caller: str) -> Callable[[], None]:
        """Count a stream until what is returned is called.

        Raises:
            TooManyRequestsError: the caller has as many as there may be.
        """
        if self._streams.get(caller, 0) >= self.settings.streams:
            raise TooManyRequestsError(f"more than {self.settings.streams} streams at a time; close one")
        self._streams[caller] = self._streams.get(caller, 0) + 1

        def end() -> None:
            self._streams[caller] -= 1
            if not self._streams[caller]:
                del self._streams[caller]

        return end

    def _keep(self, caller: str, left: float, now: float) -> None:
        self._buckets[caller] = (left, now)
        self._buckets.move_to_end(caller)
        if len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)

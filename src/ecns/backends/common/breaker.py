"""A circuit breaker: who asks an upstream that is known to be down hears so at once."""

from __future__ import annotations

import time

import msgspec

from ecns.errors import UpstreamError, UpstreamUnavailableError

THRESHOLD = 3
"""Failed attempts in a row before it opens; a request makes two when it cannot connect."""
FIRST_SECONDS = 2.0
LONGEST_SECONDS = 10.0
TOGETHER_SECONDS = 0.05
"""What comes so soon after the one that may try again may try, too: mostly it belongs to the same request."""


class State(msgspec.Struct, frozen=True):
    """Whether an upstream is up, as far as the last attempt tells."""

    up: bool
    reason: str = ""
    since: float = 0.0
    """Unix time of the change to this state."""


class Breaker:
    """Counts failures to reach one upstream; any HTTP answer is a success."""

    def __init__(self) -> None:
        self.state = State(up=True, since=time.time())
        self._upstream = ""
        self._failures = 0
        self._next_try = 0.0
        """Monotonic time from which one request may try again."""
        self._tried = float("-inf")
        """Monotonic time at which one tried again."""
        self._hold = FIRST_SECONDS

    def check(self) -> None:
        """Let a request pass, or not; while it is open, one passes each time the hold is over, and its like.

        Raises:
            UpstreamUnavailableError: the upstream is down.
        """
        if self.state.up:
            return
        now = time.monotonic()
        if now >= self._next_try:
            self._tried, self._next_try = now, now + self._hold
        if now - self._tried < TOGETHER_SECONDS:
            return
        raise UpstreamUnavailableError(
            self.state.reason,
            upstream=self._upstream,
            headers={"Retry-After": str(max(1, round(self._next_try - now)))},
        )

    def succeeded(self) -> None:
        """The upstream answered."""
        self._failures = 0
        if not self.state.up:
            self._hold = FIRST_SECONDS
            self.state = State(up=True, since=time.time())

    def failed(self, error: UpstreamError) -> None:
        """The upstream could not be reached or did not answer."""
        self._failures += 1
        if self._failures < THRESHOLD:
            return
        self._upstream = error.upstream
        now = time.monotonic()
        if self.state.up:
            self._hold = FIRST_SECONDS
            self._next_try = now + self._hold
        elif now >= self._next_try - self._hold:
            self._hold = min(LONGEST_SECONDS, self._hold * 2)
            self._next_try = now + self._hold
        since = time.time() if self.state.up else self.state.since
        self.state = State(up=False, reason=error.message, since=since)

"""A store of answers that is away; the rest is tested with the operations."""

from __future__ import annotations

from ecns.errors import UpstreamUnavailableError
from ecns.server.idempotency import Idempotency
from ecns.server.requests import Context


class Away:
    """Answers nothing."""

    async def get(self, name: str) -> bytes | None:
        raise UpstreamUnavailableError(f"no {name}", upstream="sessions")

    async def set(self, name: str, value: bytes, expires_in: int) -> None:
        raise UpstreamUnavailableError(f"no {name} {value!r} {expires_in}", upstream="sessions")

    async def delete(self, name: str) -> None:
        raise UpstreamUnavailableError(f"no {name}", upstream="sessions")


async def test_what_was_done_is_answered_though_the_answer_cannot_be_kept() -> None:
    idempotency = Idempotency(Away(), patience=1)
    for status in (200, 409, 0):
        seen = Context("req-1", 0.0, idempotency="a key")
        await idempotency.after(seen, status, b"{}")
        assert not seen.idempotency

"""`Idempotency-Key`: a POST that is repeated within a day answers the same and makes nothing twice.

The key belongs to the caller's user and project. An answer that is an error is not kept, nor that of a batch
of which a part has failed: the repeat does what has not been done. Source: design, "The write path";
draft-ietf-httpapi-idempotency-key-header.
"""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
from litestar import Request, Response

from ecns.api.common.operations import MULTIPART
from ecns.errors import BadRequestError, ConflictError, UpstreamUnavailableError
from ecns.server.requests import Context, context

if TYPE_CHECKING:
    from ecns.backends.memory import Memory

DAY = 24 * 3600
LONGEST_KEY = 255
REPLAYED = "Idempotency-Replayed"

log = structlog.get_logger(__name__)


class _Kept(msgspec.Struct):
    """What a key stands for; no status while the first request is under way."""

    request: str
    status: int = 0
    body: bytes = b""


class Idempotency:
    """Hooks around the handlers of POST.

    Args:
        store: where answers are kept, for all replicas.
        patience: seconds after which a request under way is given up for dead.
    """

    def __init__(self, store: Memory, *, patience: float) -> None:
        self.store = store
        self.patience = int(patience) + 1
        self._looking: set[str] = set()
        """Keys that are being looked up: the store cannot look and set at once."""

    async def before(self, request: Request[Any, Any, Any]) -> Response[bytes] | None:
        """The kept answer, or None to go on.

        Raises:
            BadRequestError: the key is too long.
            ConflictError: the key came with another request, or its first request is still under way.
        """
        key = request.headers.get("idempotency-key", "")
        seen = context(request.scope)
        if not key or request.scope["method"] != "POST" or seen.caller is None:
            return None
        if seen.body_type == MULTIPART:
            return None  # a repeated upload finds what is there, and is too long to be kept and compared
        if len(key) > LONGEST_KEY:
            raise BadRequestError(f"Idempotency-Key is longer than {LONGEST_KEY}", field="Idempotency-Key")
        whose = f"{seen.caller.user_id} {seen.caller.project_id} {key}"
        name = "idempotency:" + hashlib.sha256(whose.encode()).hexdigest()
        where = f"{request.scope['path']}?{request.scope['query_string'].decode('latin-1')}"
        # With the key, which is not stored: a digest of the body alone would let a short secret be guessed.
        what = hashlib.sha256(f"{whose}\n{where}\n".encode() + await request.body()).hexdigest()
        if name in self._looking:
            raise self._under_way(key)
        self._looking.add(name)
        try:
            if (stored := await self.store.get(name)) is None:
                started = msgspec.msgpack.encode(_Kept(what))
                await self.store.set(name, started, expires_in=self.patience)
                seen.idempotency, seen.idempotency_request = name, what
                return None
        finally:
            self._looking.discard(name)
        kept = msgspec.msgpack.decode(stored, type=_Kept)
        if kept.request != what:
            raise ConflictError(f"Idempotency-Key {key!r} was sent before with another request")
        if not kept.status:
            raise self._under_way(key)
        return Response(
            kept.body, status_code=kept.status, media_type="application/json", headers={REPLAYED: "true"}
        )

    def _under_way(self, key: str) -> ConflictError:
        return ConflictError(f"the first request with Idempotency-Key {key!r} is still under way")

    async def after(self, seen: Context, status: int, body: bytes) -> None:
        """Keep an answer when all was done; forget the request otherwise: its repeat is to try again.

        What was done is answered also when the store is away.
        """
        name, seen.idempotency = seen.idempotency, ""
        try:
            if status == HTTPStatus.OK:
                kept = _Kept(seen.idempotency_request, status, body)
                await self.store.set(name, msgspec.msgpack.encode(kept), expires_in=DAY)
            else:
                await self.store.delete(name)
        except UpstreamUnavailableError as error:
            log.warning("an answer is not kept", request_id=seen.request_id, reason=error.message)

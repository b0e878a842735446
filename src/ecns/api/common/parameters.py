"""Parameters that many routes take."""

from __future__ import annotations

from typing import Annotated

from litestar.params import HeaderParameter, Parameter

from ecns.identity.caller import Caller

DryRunFlag = Annotated[bool, Parameter(description="Change nothing; answer what would be made and changed.")]
IdempotencyKey = Annotated[
    str,
    HeaderParameter(
        name="Idempotency-Key", description="What was made with this key is not made again.", required=False
    ),
]


def request_key(caller: Caller, key: str) -> str:
    """Whose `Idempotency-Key` came with a request, and which; empty without one."""
    return f"{caller.user_id} {caller.project_id} {key}" if key else ""

"""What requests say of a stack beside its template."""

from __future__ import annotations

import re
from typing import Any

from ecns.embedded.openstack.errors import bad
from ecns.embedded.openstack.heat.errors import invalid


def tags(sent: Any) -> list[str]:
    """Tags, as a list or parted by commas.

    Raises:
        ProblemError: 400, one is too long.
    """
    if not sent:
        return []
    tags = sent if isinstance(sent, list) else str(sent).split(",")
    if any(len(str(tag)) > 80 for tag in tags):  # noqa: PLR2004  of its database
        raise invalid("Invalid tag, tags can not be longer than 80 characters", "HTTPBadRequest")
    return [str(tag) for tag in tags]


def minutes(sent: Any) -> int | None:
    """How long something may take.

    Raises:
        ProblemError: 400, it is no such number.
    """
    if sent is None:
        return None
    if isinstance(sent, bool) or not re.fullmatch(r"[0-9]{1,6}", str(sent)) or int(sent) < 1:
        raise bad(f"Invalid timeout value {sent}", "HTTPBadRequest")
    return int(sent)


def flag(sent: Any, *, usual: bool) -> bool:
    """Yes or no.

    Raises:
        ProblemError: 400, it is neither.
    """
    if sent is None:
        return usual
    if str(sent).lower() not in {"true", "false", "1", "0"}:
        raise bad(
            f'Unrecognized value "{sent}" for "disable_rollback", acceptable values are: true, false',
            "HTTPBadRequest",
        )
    return str(sent).lower() in {"true", "1"}

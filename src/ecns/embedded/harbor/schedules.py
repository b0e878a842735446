"""When collections run by themselves: cron with six fields, of which the first, the seconds, is 0."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Self

from ecns.embedded.harbor.errors import bad_request

FIELDS = 6


@dataclass(frozen=True)
class Schedule:
    """A schedule as it is kept."""

    id: int
    kind: str
    cron: str
    parameters: dict[str, Any]
    created: int

    @classmethod
    def read(cls, text: str) -> Self | None:
        """What was written; None for nothing."""
        return cls(**json.loads(text)) if text else None

    def written(self) -> str:
        """As it is kept."""
        return json.dumps(asdict(self))


def check(cron: str) -> None:
    """Make sure that a schedule can be kept.

    Raises:
        ProblemError: 400, it is no cron of six fields that begins with 0.
    """
    words = cron.split()
    problem = ""
    if not words:
        problem = "empty cron string is invalid"
    elif len(words) != FIELDS:
        problem = f"expected exactly {FIELDS} fields, found {len(words)}: [{' '.join(words)}]"
    elif words[0] != "0":
        problem = "the 1st field (indicating Seconds of time) of the cron setting must be 0"
    else:
        try:
            next_time(cron, 0)
        except (ValueError, KeyError) as error:
            problem = f"failed to parse: {error}"
    if problem:
        raise bad_request(f"invalid cron string for scheduled gc: {cron}, error: {problem}")


def next_time(cron: str, after: int) -> int:
    """The next time of a schedule, in milliseconds.

    Raises:
        ValueError: it is no cron, or never comes.
    """
    from croniter import croniter  # noqa: PLC0415  few have a schedule

    fields = " ".join(cron.replace("?", "*").split()[1:])
    return int(croniter(fields, after / 1000).get_next(float)) * 1000

"""Hooks of a container's life: commands that are run in it when it has started, and before it is stopped.

Source: https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.nodes.process import NotFound, Process

if TYPE_CHECKING:
    from datetime import datetime

    from ecns.embedded.kubernetes.nodes.container import Container

_TIME = timedelta(seconds=1)


def fails(container: Container, hook: str, now: datetime) -> bool:
    """Runs a hook's command; whether it ends badly.

    Args:
        container: one that runs.
        hook: `postStart` or `preStop`.
        now: when; what takes longer than a second is taken to go well.

    """
    handler = (container.spec.get("lifecycle") or {}).get(hook) or {}
    command = (handler.get("exec") or {}).get("command")
    if not command or container.machine is None:
        return False
    try:
        process = Process(container.machine, command, lambda _stream, _data, _at: None, now)
    except NotFound:
        return not container.machine.lenient
    process.advance(now + _TIME)
    return bool(process.exit_code)

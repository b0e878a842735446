"""Errors of a cluster that quote what is secret: its admission webhooks say what they like.

ECNS's own messages have no values in them, and those of Kubernetes lose theirs where they come in
(`ecns.backends.kubernetes.errors`). This is for what nobody has foreseen: a message that has something of a
value in it is left out as a whole.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from typing import Any

from ecns.api.common.contents import base64_text
from ecns.errors import EcnsError

SHORT = 4
"""Values of fewer characters are looked for in quotes only: they are words of every message."""
BLOCK = 16
"""Characters; of longer values no piece of twice as many may be told."""
LEFT_OUT = "its message is left out, because it quotes what is secret"


@contextlib.contextmanager
def hiding(values: Iterable[str]) -> Iterator[None]:
    """Keep values out of the errors that are raised in a block: plain, quoted and as base64."""
    try:
        yield
    except EcnsError as error:
        secret = list(values)
        where = str(error.details.get("upstream", "the cluster"))
        if quotes(error.message, secret):
            why = error.details.get("reason") or error.title
            error.message = f"{where} refuses it ({why}); {LEFT_OUT}"
            error.args = (error.message,)
        error.details = _told(error.details, secret)
        raise


def quotes(text: str, values: Iterable[str]) -> bool:
    """Whether a text has something of one of these values in it."""
    blocks = [text[start : start + BLOCK] for start in range(0, len(text) - BLOCK + 1, BLOCK)]
    return any(_quotes(text, blocks, form) for value in values for form in _forms(value))


def _forms(value: str) -> Iterator[str]:
    if value.strip():
        yield value
        yield value.strip()
        yield json.dumps(value, ensure_ascii=False)[1:-1]
        yield base64_text(value.encode())


def _quotes(text: str, blocks: Iterable[str], form: str) -> bool:
    if len(form) < SHORT:
        return any(f"{mark}{form}{mark}" in text for mark in "\"'`")
    if len(form) < 2 * BLOCK:
        return form in text
    return form in text or any(block in form for block in blocks)


def _told(value: Any, secret: Iterable[str]) -> Any:
    """A detail, without the texts that quote something."""
    if isinstance(value, str):
        return LEFT_OUT if quotes(value, secret) else value
    if isinstance(value, dict):
        return {key: _told(one, secret) for key, one in value.items()}
    return [_told(one, secret) for one in value] if isinstance(value, list) else value

"""Exchanges recorded from a real server, for tests that hold pure functions against them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

ORACLE = Path(os.environ.get("ECNS_ORACLE") or Path(__file__).parents[4] / "shared" / "oracle")


def exchanges(file: str, *scenarios: str) -> list[Any]:
    """The exchanges of some scenarios as pytest parameters; a skipped one when there are no recordings."""
    path = ORACLE / file
    if not path.exists():
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"no recordings at {ORACLE}"))]
    found = (json.loads(line) for line in path.read_text().splitlines())
    return [pytest.param(item, id=item["id"]) for item in found if item["id"].partition("/")[0] in scenarios]

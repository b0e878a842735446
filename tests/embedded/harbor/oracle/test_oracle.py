"""Every recorded exchange is answered as a real Harbor answered it, but for the differences that are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.embedded.harbor.oracle import replay
from tests.embedded.oracle import FOLDER

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    not (FOLDER / "harbor.jsonl").exists(),
    reason="the recorded exchanges lie beside the repository (or where ECNS_ORACLE says), and are not there",
)


async def test_answers_are_as_recorded(tmp_path: Path) -> None:
    differing = {item.id: item.lines(3) for item in await replay.replay(tmp_path)}
    replay.KNOWN.judge(differing, [exchange.id for exchange in replay.recorded()])

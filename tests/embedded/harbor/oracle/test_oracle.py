"""Every recorded exchange is answered as a real Harbor answered it, but for the differences that are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.embedded.harbor.oracle import replay

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    not (replay.FOLDER / "harbor.jsonl").exists(),
    reason="the recorded exchanges lie beside the repository (or where ECNS_ORACLE says), and are not there",
)


async def test_answers_are_as_recorded(tmp_path: Path) -> None:
    reasons = replay.known()
    differing = {item.id: item for item in await replay.replay(tmp_path)}
    news = [f"{key}: {'; '.join(item.lines(3))}" for key, item in differing.items() if key not in reasons]
    assert not news, "\n".join(news)
    gone = [key for key in reasons if key not in differing]
    assert not gone, f"these do not differ any more: {gone}"

"""Every recorded exchange is answered as a real server answered it, but for the differences that are kept."""

from __future__ import annotations

import asyncio

import pytest
from tests.embedded.kubernetes.oracle import replay

pytestmark = pytest.mark.skipif(
    not (replay.FOLDER / "discovery.jsonl").exists(),
    reason="the recorded exchanges lie beside the repository (or where ECNS_ORACLE says), and are not there",
)


@pytest.mark.timeout(400)
async def test_answers_are_as_recorded() -> None:
    reasons, sometimes = replay.known(), replay.varying()
    results = await asyncio.gather(*(replay.replay(file) for file in replay.FILES))
    differing = {item.exchange.id: item for _, found in results for item in found}
    news = [f"{key}: {'; '.join(item.lines(3))}" for key, item in differing.items() if key not in reasons]
    assert not news, "\n".join(news)
    gone = [key for key in reasons if key not in differing and key not in sometimes]
    assert not gone, f"these do not differ any more: {gone}"

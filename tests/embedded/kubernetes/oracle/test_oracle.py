"""Every recorded exchange is answered as a real server answered it, but for the differences that are kept."""

from __future__ import annotations

import asyncio

import pytest
from tests.embedded.kubernetes.oracle import replay

pytestmark = pytest.mark.skipif(
    not (replay.FOLDER / "discovery.jsonl").exists(),
    reason="the recorded exchanges lie beside the repository (or where ECNS_ORACLE says), and are not there",
)


@pytest.mark.timeout(300)
async def test_answers_are_as_recorded() -> None:
    reasons, sometimes = replay.known(), replay.varying()
    results = await asyncio.gather(
        *(replay.replay(file) for file in replay.FILES if file not in replay.TIMED)
    )
    differing = {item.exchange.id: item for _, found in results for item in found}
    news = [f"{key}: {'; '.join(item.lines(3))}" for key, item in differing.items() if key not in reasons]
    assert not news, "\n".join(news)
    replayed = {key for file in replay.FILES if file not in replay.TIMED for key in replay.identities(file)}
    gone = [key for key in reasons if key in replayed and key not in {*differing, *sometimes}]
    assert not gone, f"these do not differ any more: {gone}"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("file", replay.TIMED)
async def test_what_time_decides_differs_no_more_than_it_did(file: str) -> None:
    reasons = replay.known()
    _, differences = await replay.replay(file)
    shown = [
        f"{item.exchange.id}: {'; '.join(item.lines(2))}"
        for item in differences
        if item.exchange.id not in reasons
    ]
    assert len(differences) <= replay.limits()[file], "\n".join(shown)

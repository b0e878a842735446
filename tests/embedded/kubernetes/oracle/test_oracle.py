"""Every recorded exchange is answered as a real server answered it, but for the differences that are kept."""

from __future__ import annotations

import pytest
from tests.embedded.kubernetes.oracle import replay

pytestmark = pytest.mark.skipif(
    not (replay.FOLDER / "discovery.jsonl").exists(),
    reason="the recorded exchanges lie beside the repository (or where ECNS_ORACLE says), and are not there",
)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("file", replay.FILES)
def test_answers_are_as_recorded(file: str) -> None:
    reasons, sometimes = replay.known(), replay.varying()
    _, differences = replay.replay(file)
    differing = {item.exchange.id: item for item in differences}
    news = [f"{key}: {'; '.join(item.lines(3))}" for key, item in differing.items() if key not in reasons]
    assert not news, "\n".join(news)
    present = replay.identities(file)
    gone = [key for key in reasons if key in present and key not in {*differing, *sometimes}]
    assert not gone, f"these do not differ any more: {gone}"

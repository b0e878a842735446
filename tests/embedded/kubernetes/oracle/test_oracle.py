"""Every recorded exchange is answered as a real server answered it, but for the differences that are kept."""

from __future__ import annotations

import pytest
from tests.embedded.kubernetes.oracle import replay
from tests.embedded.oracle import FOLDER

pytestmark = pytest.mark.skipif(
    not (FOLDER / "discovery.jsonl").exists(),
    reason="the recorded exchanges lie beside the repository (or where ECNS_ORACLE says), and are not there",
)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("file", replay.FILES)
def test_answers_are_as_recorded(file: str) -> None:
    _, differences = replay.replay(file)
    differing = {item.exchange.id: item.lines(3) for item in differences}
    replay.KNOWN.judge(differing, replay.identities(file))

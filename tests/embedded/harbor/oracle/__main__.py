"""`python -m tests.embedded.harbor.oracle [-v] [part of an id]`: how many answers differ, and where."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.embedded.harbor.oracle import replay

words = [word for word in sys.argv[1:] if not word.startswith("-")]
reasons = replay.KNOWN.reasons
with tempfile.TemporaryDirectory() as folder:
    differences = asyncio.run(replay.replay(Path(folder)))
news = [item for item in differences if item.id not in reasons]
exchanges = [exchange.id for exchange in replay.recorded()]
print(f"{len(exchanges)} exchanges, {len(differences)} differ, {len(news)} of them not known")  # noqa: T201
for item in differences if "-v" in sys.argv else news:
    if words and not any(word in item.id for word in words):
        continue
    asked = item.exchange.request
    print(f"\n{item.id}\n  {asked['method']} {asked['path']} {asked['query'] or ''}")  # noqa: T201
    for line in item.lines():
        print(f"    {line}")  # noqa: T201
if gone := replay.KNOWN.gone({item.id for item in differences}, exchanges):
    print("these do not differ any more:", *gone)  # noqa: T201

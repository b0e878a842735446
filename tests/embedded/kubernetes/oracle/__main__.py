"""`python -m tests.embedded.kubernetes.oracle [file[/scenario]] [-v]`: how many answers differ, and where."""

from __future__ import annotations

import sys
import time

from tests.embedded.kubernetes.oracle import replay


def _main(words: list[str], *, verbose: bool) -> None:
    reasons = replay.KNOWN.reasons
    total = found = 0
    for word in words or replay.FILES:
        file, _, only = word.partition("/")
        began = time.monotonic()
        count, differences = replay.replay(file, only)
        total, found = total + count, found + len(differences)
        news = [item for item in differences if item.exchange.id not in reasons]
        print(  # noqa: T201  this is a report
            f"{file:12} {count:5} exchanges {len(differences):5} differ, {len(news)} of them not known"
            f" ({time.monotonic() - began:.1f} s)"
        )
        for item in differences if verbose else ():
            exchange = item.exchange
            print(f"\n{exchange.id} {exchange.note}")  # noqa: T201
            asked = exchange.request
            print(f"  {asked['method']} {asked['path']} {asked['query'] or ''}")  # noqa: T201
            for line in item.lines():
                print(f"    {line}")  # noqa: T201
    print(f"{'all':12} {total:5} exchanges {found:5} differ")  # noqa: T201


arguments = sys.argv[1:]
_main([word for word in arguments if not word.startswith("-")], verbose="-v" in arguments)

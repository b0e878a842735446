"""`make fuzz`: drive a gateway of its own until the time is over, and tell what was found."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

import click

from tests.api.project import make
from tests.conftest import start, stop
from tests.fuzz.fuzzing import NAMESPACE, Finding, Fuzzer, furnish
from tests.fuzz.mutating import mutate


def main() -> int:
    """The number of findings, at most 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--examples", type=int, default=20, help="for each operation and round")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))  # noqa: S311  no secret
    parser.add_argument("--only", default="", help="operations with this in their path")
    parser.add_argument("--role", default="member", choices=("member", "manager", "reader", "admin"))
    asked = parser.parse_args()
    known: dict[tuple[str, str], Finding] = {}
    with tempfile.TemporaryDirectory(prefix="ecns-fuzz-") as directory:
        process, gateway = start(Path(directory) / "data")
        try:
            project = make(gateway, "fuzz")
            project.namespace(NAMESPACE)
            user = asked.role if asked.role == "admin" else f"{project.name}-{asked.role}"
            fuzzer = Fuzzer(gateway, user)
            end = time.monotonic() + asked.minutes * 60
            seed = asked.seed
            click.echo(f"seed {seed}")
            while time.monotonic() < end:
                furnish(project)
                for operation in fuzzer.operations():
                    if asked.only not in operation.label or time.monotonic() > end:
                        continue
                    for finding in fuzzer.run(operation, examples=asked.examples, seed=seed):
                        key = (finding.operation, finding.what.split("\n")[0][:80])
                        if key not in known:
                            known[key] = finding
                            click.echo(f"\n{finding}")
                    if process.poll() is not None:
                        click.echo("the gateway has ended")
                        return 1
                here = {"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": NAMESPACE}
                found, statuses = mutate(gateway.client(user, **here), many=1000, seed=seed)
                for status, count in statuses.items():
                    fuzzer.statuses[status] = fuzzer.statuses.get(status, 0) + count
                    fuzzer.sent += count
                for finding in found:
                    if (key := (finding.operation, finding.what)) not in known:
                        known[key] = finding
                        click.echo(f"\n{finding}")
                seed += 1
            by_status = dict(sorted(fuzzer.statuses.items()))
            click.echo(f"\n{fuzzer.sent} requests, {len(known)} findings, by status {by_status}")
        finally:
            gateway.close()
            stop(process)
    return min(1, len(known))


sys.exit(main())

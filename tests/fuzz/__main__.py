"""`make fuzz`: drive a gateway of its own until the time is over, and tell what was found."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tests.api.project import Project, make
from tests.conftest import start, stop
from tests.fuzz.fuzzing import NAMESPACE, Finding, Fuzzer, furnish
from tests.fuzz.mutating import mutate
from tests.fuzz.streaming import Streams
from tests.gateway import Gateway, eventually

if TYPE_CHECKING:
    from schemathesis.schemas import APIOperation

HERE = {"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": NAMESPACE}


def asked() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--examples", type=int, default=20, help="for each operation and round")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))  # noqa: S311  no secret
    parser.add_argument("--only", default="", help="operations with this in their path, or `streams`")
    parser.add_argument("--role", default="member", choices=("member", "manager", "reader", "admin"))
    return parser.parse_args()


class Run:
    """Rounds of requests as one person.

    Args:
        gateway: to which.
        project: whose namespace it is.
        options: the command line's.
        log: what the gateway says.
    """

    def __init__(self, gateway: Gateway, project: Project, options: argparse.Namespace, log: Path) -> None:
        self.gateway = gateway
        self.log = log
        self.project = project
        self.options = options
        self.user = options.role if options.role == "admin" else f"{project.name}-{options.role}"
        self.fuzzer = Fuzzer(gateway, self.user)
        self.end = time.monotonic() + options.minutes * 60
        self.known: set[tuple[str, str]] = set()

    def rounds(self) -> None:
        """Go on until the time is over."""
        seed = self.options.seed
        while time.monotonic() < self.end:
            eventually(self._namespace, seconds=60)
            furnish(self.project)
            for finding in self._round(seed):
                if (key := (finding.operation, finding.what.split("\n")[0][:80])) not in self.known:
                    self.known.add(key)
                    click.echo(f"\n{finding}")
                    self._told_by_log(finding)
            seed += 1

    def _told_by_log(self, finding: Finding) -> None:
        """Print what the gateway's log says of a fault, and the last of what else it says."""
        if finding.request_id:
            several = self.log.read_text(errors="replace").splitlines()
            click.echo("\n".join(line for line in several[-2000:] if finding.request_id in line))
            click.echo("\n".join(["…", *several[-40:]]))

    def _namespace(self) -> bool:
        """Whether the namespace is there, which is made anew if a round has deleted it."""
        base = {"name": NAMESPACE, "cluster_name": "eks"}
        made = self.project.manager.post("/namespace/", json={"namespace": {"namespace_base": base}})
        whole = self.gateway.kubectl_json("get", "namespace", NAMESPACE)
        return made.status_code in {200, 409} and whole["status"]["phase"] == "Active"

    def _round(self, seed: int) -> Iterator[Finding]:
        only = self.options.only
        if only in {"", "streams"}:
            streams = Streams(self.gateway, self.user, seed)
            streams.furnish()
            yield from streams.run(self.options.examples * 5)
            self._count(streams.statuses.items())
        if not only:
            found, statuses = mutate(self.gateway.client(self.user, **HERE), many=1000, seed=seed)
            yield from found
            self._count(statuses.items())
        for operation in sorted(self.fuzzer.operations(), key=_ends_it):
            if only in operation.label and time.monotonic() < self.end:
                yield from self.fuzzer.run(operation, examples=self.options.examples, seed=seed)

    def _count(self, statuses: Iterable[tuple[int, int]]) -> None:
        for status, count in statuses:
            self.fuzzer.statuses[status] = self.fuzzer.statuses.get(status, 0) + count
            self.fuzzer.sent += count


def _ends_it(operation: APIOperation) -> bool:
    """Whether an operation takes everything away that others could find."""
    return operation.method.upper() == "DELETE" and "namespace" in operation.path


def main() -> int:
    """The number of findings, at most 1."""
    options = asked()
    with tempfile.TemporaryDirectory(prefix="ecns-fuzz-") as directory:
        process, gateway = start(Path(directory) / "data")
        try:
            project = make(gateway, "fuzz")
            click.echo(f"seed {options.seed}")
            run = Run(gateway, project, options, Path(directory) / "data.log")
            run.rounds()
            by_status = dict(sorted(run.fuzzer.statuses.items()))
            click.echo(f"\n{run.fuzzer.sent} requests, {len(run.known)} findings, by status {by_status}")
            if process.poll() is not None:
                click.echo("the gateway has ended")
                return 1
        finally:
            gateway.close()
            stop(process)
    return min(1, len(run.known))


sys.exit(main())

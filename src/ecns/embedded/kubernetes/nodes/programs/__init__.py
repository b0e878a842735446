"""The programs that simulated containers have: a handful of those of busybox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.nodes.effects import MOST, OutOfMemory, Output
from ecns.embedded.kubernetes.nodes.programs import files, network, shells, system, texts

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.nodes.effects import Program
    from ecns.embedded.kubernetes.nodes.machine import Machine


def find(name: str, lacks: frozenset[str] = frozenset()) -> Program | None:
    """The program of a name, or of a path in /bin, /usr/bin and the like; none of those that are lacking."""
    folder, _, plain = name.rpartition("/")
    if plain in lacks:
        return None
    if folder and folder not in {"/bin", "/usr/bin", "/sbin", "/usr/sbin", "/usr/local/bin"}:
        return None
    return _PROGRAMS.get(plain)


def limited(gathered: bytearray, machine: Machine) -> Output:
    """Gathers what is written; more than the machine's memory is fatal."""

    def write(data: bytes) -> None:
        gathered.extend(data)
        if len(gathered) > min(machine.memory or MOST, MOST):
            raise OutOfMemory

    return write


_PROGRAMS: dict[str, Program] = {
    **network.PROGRAMS,
    **files.PROGRAMS,
    **shells.PROGRAMS,
    **system.PROGRAMS,
    **texts.PROGRAMS,
}

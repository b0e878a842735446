from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ecns.embedded.kubernetes.nodes.machine import Machine
from ecns.embedded.kubernetes.nodes.process import NotFound, Process

START = datetime(2026, 1, 1, tzinfo=UTC)


class Run:
    def __init__(
        self, *command: str, memory: int | None = None, stdin: bool = False, init: bool = True
    ) -> None:
        self.output = bytearray()
        self.errors = bytearray()
        self.times: list[float] = []
        mounts = {"/etc/config/color": b"blue\n"}
        self.machine = Machine({"A": "x y"}, "pod-1", mounts=lambda: mounts, memory=memory)
        self.process = Process(self.machine, list(command), self._said, START, stdin=stdin, init=init)

    def _said(self, stream: int, data: bytes, at: datetime) -> None:
        (self.output if stream == 1 else self.errors).extend(data)
        self.times.append((at - START).total_seconds())

    def until(self, seconds: float) -> int | None:
        self.process.advance(START + timedelta(seconds=seconds))
        return self.process.exit_code

    def signal(self, name: str) -> int | None:
        self.process.signal(name, self.process.time)
        return self.process.exit_code


@pytest.mark.parametrize(
    ("script", "output", "status"),
    [
        ("echo hi; echo err >&2; exit 3", "hi\n", 3),
        ("true && echo yes || echo no", "yes\n", 0),
        ("false || echo $?; ! true; echo $?", "1\n1\n", 0),
        ("echo \"$A\" $A '$A' ${B:-d} ${#A}", "x y x y $A d 3\n", 0),
        ("for x in 1 2 3; do echo $x; done | tail -n 2", "2\n3\n", 0),
        ("i=0; while [ $i -lt 3 ]; do i=$((i+1)); done; echo $i", "3\n", 0),
        ("echo one > /tmp/f; echo two >> /tmp/f; cat < /tmp/f; ls /tmp", "one\ntwo\nf\n", 0),
        ("if test -f /nosuch; then echo a; elif [ -d /tmp ]; then echo b; else echo c; fi", "b\n", 0),
        ("cd /home && pwd; (cd /; pwd); pwd", "/home\n/\n/home\n", 0),
        ("cat /etc/config/color; hostname; nosuch; echo $?", "blue\npod-1\n127\n", 0),
        ("seq 3 | grep -v 2 | wc -l; printf '%s-%d\\n' a 7", "2\na-7\n", 0),
        ("exec echo done; echo never", "done\n", 0),
        ("echo $(echo inner; exit 4); echo $?", "inner\n0\n", 0),
        ("kill -9 $$", "", 137),
        ("command -v bash >/dev/null 2>&1 && exec bash -c 'echo yes'; exec sh -c 'echo no'", "yes\n", 0),
        ("command -v nosuch || echo $?; command -v cd; command echo hi", "127\ncd\nhi\n", 0),
        ("echo 'unfinished", "", 2),
    ],
)
def test_scripts_do_what_sh_does(script: str, output: str, status: int) -> None:
    run = Run("sh", "-c", script)
    assert run.until(60) == status
    assert run.output.decode() == output


def test_time_passes_only_where_a_script_waits() -> None:
    run = Run("sh", "-c", "echo a; sleep 1.5; echo b; sleep 10")
    assert run.until(5) is None
    assert (run.output, run.times) == (b"a\nb\n", [0.0, 1.5])
    assert run.process.next_wake() == START + timedelta(seconds=11.5)
    assert run.until(12) == 0


def test_a_loop_without_an_end_does_not_hang_the_server() -> None:
    run = Run("sh", "-c", "while true; do :; done")
    assert run.until(1) is None


def test_signals_end_what_listens() -> None:
    trapped = Run("sh", "-c", "trap 'echo bye; exit 4' TERM; sleep 3600 & wait")
    trapped.until(1)
    assert (trapped.signal("TERM"), trapped.output) == (4, b"bye\n")
    deaf = Run("sleep", "3600")
    deaf.until(1)
    assert deaf.signal("TERM") is None
    assert deaf.signal("KILL") == 137
    child = Run("sleep", "3600", init=False)
    child.until(1)
    assert child.signal("INT") == 130


def test_a_trap_waits_for_the_command_in_the_foreground() -> None:
    run = Run("sh", "-c", "trap 'exit 7' TERM; sleep 5; echo never")
    run.until(1)
    assert run.signal("TERM") is None
    assert run.until(6) == 7


def test_memory_beyond_the_limit_kills() -> None:
    run = Run("sh", "-c", "head -c 60000000 /dev/zero | tail -c 60000000", memory=16 << 20)
    assert run.until(1) == 137
    assert run.process.out_of_memory


def test_standard_input_is_read_as_it_comes() -> None:
    run = Run("cat", stdin=True)
    run.until(1)
    run.process.feed(b"hello\n", START + timedelta(seconds=2))
    assert run.output == b"hello\n"
    run.process.close(START + timedelta(seconds=3))
    assert run.process.exit_code == 0
    shell = Run("sh", stdin=True)
    shell.process.feed(b"for x in a b\ndo echo $x\ndone\nexit 5\n", START)
    assert (shell.process.exit_code, shell.output) == (5, b"a\nb\n")


def test_an_unknown_program_cannot_be_started() -> None:
    with pytest.raises(NotFound):
        Run("nosuch")

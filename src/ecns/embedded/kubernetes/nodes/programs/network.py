"""Programs that reach other hosts, as init containers wait with them: whoever they ask answers at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.nodes.effects import Effects, Output, Source

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.nodes.effects import Program
    from ecns.embedded.kubernetes.nodes.shell import Shell

_ADDRESS = "10.96.0.1"
_BODY = "<html><body>answered by a simulated server</body></html>\n"


def _target(arguments: list[str]) -> str:
    plain = [item for item in arguments if not item.startswith("-")]
    return plain[-1] if plain else ""


def _wget(_shell: Shell, arguments: list[str], _source: Source, out: Output, err: Output) -> Effects:
    yield from ()
    target = _target(arguments)
    if not target:
        err(b"BusyBox wget: missing URL\n")
        return 1
    quiet = any(item in {"-q", "--quiet", "-qO-", "-qO"} for item in arguments)
    if not quiet:
        err(f"Connecting to {target} ({_ADDRESS})\n".encode())
    if "-S" in arguments or "--server-response" in arguments:
        err(b"  HTTP/1.1 200 OK\n  Content-Type: text/html\n")
    if "-O-" in arguments or "-qO-" in arguments:
        out(_BODY.encode())
    return 0


def _curl(_shell: Shell, arguments: list[str], _source: Source, out: Output, err: Output) -> Effects:
    yield from ()
    if not _target(arguments):
        err(b"curl: (2) no URL specified\n")
        return 2
    if "-w" in arguments and "%{http_code}" in arguments[arguments.index("-w") + 1 :][:1]:
        out(b"200")
    elif "-o" not in arguments:
        out(_BODY.encode())
    return 0


def _reached(_shell: Shell, arguments: list[str], _source: Source, out: Output, _err: Output) -> Effects:
    yield from ()
    if target := _target(arguments):
        out(f"{target} ({_ADDRESS}) is there\n".encode())
    return 0 if target else 1


def _nslookup(_shell: Shell, arguments: list[str], _source: Source, out: Output, _err: Output) -> Effects:
    yield from ()
    target = _target(arguments)
    out(
        f"Server:\t\t10.96.0.10\nAddress:\t10.96.0.10:53\n\nName:\t{target}\nAddress: {_ADDRESS}\n\n".encode()
    )
    return 0 if target else 1


PROGRAMS: dict[str, Program] = {
    "curl": _curl,
    "nc": _reached,
    "nslookup": _nslookup,
    "ping": _reached,
    "wget": _wget,
}

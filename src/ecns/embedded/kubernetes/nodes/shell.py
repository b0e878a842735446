"""Runs shell scripts in simulated time, without a process.

What a script does is a generator that yields when it must wait: `Sleep`, `Read` (standard input) or `Join`
(background jobs). `process.Process` drives it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.nodes import programs, syntax
from ecns.embedded.kubernetes.nodes.arithmetic import arithmetic
from ecns.embedded.kubernetes.nodes.effects import (
    Effects,
    Ended,
    Job,
    Join,
    Output,
    Signalled,
    Sleep,
    Source,
    Stop,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    from ecns.embedded.kubernetes.nodes.machine import Machine

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_PATTERN = re.compile(
    r"(?P<name>[A-Za-z_]\w*|[0-9?$#@*!-])(?P<operator>:?[-=+?]|##?|%%?)?(?P<word>.*)", re.DOTALL
)
_TICK = 0.001
_SYNTAX, _NOT_FOUND, _SIGNAL = 2, 127, 128
NUMBERS = {"HUP": 1, "INT": 2, "QUIT": 3, "KILL": 9, "USR1": 10, "USR2": 12, "TERM": 15}


class Shell:
    """One shell: its variables, its directory, its traps, the rows and columns of its terminal.

    Args:
        machine: what it runs on.
        arguments: `$0` and what follows.

    """

    def __init__(self, machine: Machine, arguments: list[str] | None = None) -> None:
        self.machine = machine
        self.variables: dict[str, str] = dict(machine.env)
        self.working = machine.working
        self.arguments = arguments or ["sh"]
        self.traps: dict[str, str] = {}
        self.jobs: list[Job] = []
        self.status = 0
        self.pid = 1
        self.pending: list[str] = []
        self.terminal: list[int] = []
        self.prompt: list[str] = []
        """What an interactive one shows, with a place for the directory; what it asks the terminal then."""

    def run(self, script: str, source: Source, out: Output, err: Output) -> Effects:
        """Runs a script to its end; the exit code is returned."""
        try:
            block = syntax.parse(script)
        except syntax.SyntaxFault as fault:
            err(f"sh: {fault}\n".encode())
            return _SYNTAX
        try:
            status = yield from self.block(block, source, out, err)
        except Stop as stop:
            status = stop.code
        if "EXIT" in self.traps:
            action = self.traps.pop("EXIT")
            try:
                yield from self.block(syntax.parse(action), source, out, err)
            except Stop as stop:
                status = stop.code
        return status

    def signal(self, name: str, source: Source, out: Output, err: Output) -> Effects:
        """Acts on a signal for which there is a trap."""
        action = self.traps.get(name)
        if action:
            yield from self.block(syntax.parse(action), source, out, err)
        return self.status

    def block(self, block: syntax.Block, source: Source, out: Output, err: Output) -> Effects:
        """Runs a list."""
        for item in block.items:
            if (item.after == "&&" and self.status) or (item.after == "||" and not self.status):
                continue
            if item.background:
                job = Job(self.pipeline(item.pipeline, Source.empty(), out, err))
                self.jobs.append(job)
                self.variables["!"] = str(100 + len(self.jobs))
                yield job
                self.status = 0
            else:
                self.status = yield from self.pipeline(item.pipeline, source, out, err)
            while self.pending:
                yield from self.signal(self.pending.pop(0), source, out, err)
        return self.status

    def pipeline(self, pipeline: syntax.Pipeline, source: Source, out: Output, err: Output) -> Effects:
        """Runs commands one after the other, each reading what the one before wrote."""
        status = 0
        last = len(pipeline.commands) - 1
        for index, command in enumerate(pipeline.commands):
            if index == last:
                status = yield from self.command(command, source, out, err)
            else:
                gathered = bytearray()
                status = yield from self.command(
                    command, source, programs.limited(gathered, self.machine), err
                )
                source = Source(bytes(gathered))
        return int(not status) if pipeline.negated else status

    def command(self, node: syntax.Node, source: Source, out: Output, err: Output) -> Effects:
        """Runs one command."""
        redirected = yield from self._redirect(node.redirects, source, out, err)
        if redirected is None:
            return 1
        source, out, err = redirected
        match node:
            case syntax.Simple():
                return (yield from self._simple(node, source, out, err))
            case syntax.Block():
                if not node.subshell:
                    return (yield from self.block(node, source, out, err))
                inner = self.child()
                try:
                    return (yield from inner.block(node, source, out, err))
                except Stop as stop:
                    return stop.code
            case syntax.If():
                for condition, branch in node.branches:
                    if not (yield from self.block(condition, source, out, err)):
                        return (yield from self._clean(branch, source, out, err))
                return (yield from self._clean(node.otherwise, source, out, err)) if node.otherwise else 0
            case syntax.While():
                return (yield from self._while(node, source, out, err))
            case syntax.For():
                return (yield from self._for(node, source, out, err))

    def _clean(self, block: syntax.Block, source: Source, out: Output, err: Output) -> Effects:
        self.status = 0
        return (yield from self.block(block, source, out, err))

    def child(self) -> Shell:
        """A shell with the same variables, which does not change this one."""
        inner = Shell(self.machine, self.arguments)
        inner.variables = dict(self.variables)
        inner.working = self.working
        inner.status = self.status
        inner.pid = self.pid
        inner.terminal = self.terminal
        inner.prompt = self.prompt
        return inner

    def _while(self, node: syntax.While, source: Source, out: Output, err: Output) -> Effects:
        status = 0
        while True:
            condition = yield from self._clean(node.condition, source, out, err)
            if bool(condition) != node.until:
                return status
            try:
                status = yield from self._clean(node.body, source, out, err)
            except Ended as ended:
                if ended.kind == "break":
                    return 0
            yield Sleep(_TICK)

    def _for(self, node: syntax.For, source: Source, out: Output, err: Output) -> Effects:
        values = self.arguments[1:]
        if node.words is not None:
            values = yield from self._expand_all(node.words, err)
        status = 0
        for value in values:
            self.variables[node.name] = value
            try:
                status = yield from self._clean(node.body, source, out, err)
            except Ended as ended:
                if ended.kind == "break":
                    return 0
        return status

    def _simple(self, node: syntax.Simple, source: Source, out: Output, err: Output) -> Effects:
        words = list(node.words)
        assigned: dict[str, str] = {}
        while words and words[0] and words[0][0].kind == "text" and not words[0][0].quoted:
            found = _ASSIGNMENT.match(words[0][0].text)
            if found is None:
                break
            first = syntax.Part("text", words[0][0].text[found.end() :], quoted=True)
            value = yield from self._expand((first, *words[0][1:]), err)
            assigned[found.group()[:-1]] = " ".join(value)
            words.pop(0)
        arguments = yield from self._expand_all(tuple(words), err)
        if not arguments:
            self.variables.update(assigned)
            return self.status if node.words and not assigned else 0
        kept = {name: self.variables.get(name) for name in assigned}
        self.variables.update(assigned)
        try:
            return (yield from self.execute(arguments, source, out, err))
        finally:
            for name, before in kept.items():
                if before is None:
                    self.variables.pop(name, None)
                else:
                    self.variables[name] = before

    def execute(self, arguments: list[str], source: Source, out: Output, err: Output) -> Effects:
        """Runs a built-in or a program."""
        name = arguments[0]
        builtin = getattr(self, f"_do_{name}", None) if name.isalpha() else None
        if name in {":", "."}:
            return 0
        if builtin is not None:
            status: int = yield from builtin(arguments[1:], source, out, err)
            return status
        program = programs.find(name, self.machine.lacks)
        if program is None and self.machine.lenient:
            program = programs.find("nginx")
        if program is None:
            err(f"sh: {name}: not found\n".encode())
            return _NOT_FOUND
        return (yield from program(self, arguments[1:], source, out, err))

    # built-ins

    def _do_exit(self, arguments: list[str], _source: Source, _out: Output, err: Output) -> Effects:
        yield from ()
        if arguments and not arguments[0].lstrip("-").isdigit():
            err(f"sh: exit: Illegal number: {arguments[0]}\n".encode())
            raise Stop(_SYNTAX)
        raise Stop(int(arguments[0]) % 256 if arguments else self.status)

    def _do_break(self, _arguments: list[str], _source: Source, _out: Output, _err: Output) -> Effects:
        yield from ()
        raise Ended("break")

    def _do_continue(self, _arguments: list[str], _source: Source, _out: Output, _err: Output) -> Effects:
        yield from ()
        raise Ended("continue")

    def _do_cd(self, arguments: list[str], _source: Source, _out: Output, err: Output) -> Effects:
        yield from ()
        target = self.machine.resolve(
            arguments[0] if arguments else self.variables.get("HOME", "/root"), self.working
        )
        if not self.machine.is_directory(target):
            err(f"sh: cd: can't cd to {arguments[0]}: No such file or directory\n".encode())
            return 2
        self.working = target
        return 0

    def _do_export(self, arguments: list[str], _source: Source, _out: Output, _err: Output) -> Effects:
        yield from ()
        for argument in arguments:
            name, equals, value = argument.partition("=")
            if equals:
                self.variables[name] = value
        return 0

    def _do_unset(self, arguments: list[str], _source: Source, _out: Output, _err: Output) -> Effects:
        yield from ()
        for argument in arguments:
            self.variables.pop(argument, None)
        return 0

    def _do_set(self, _arguments: list[str], _source: Source, _out: Output, _err: Output) -> Effects:
        yield from ()
        return 0

    def _do_shift(self, _arguments: list[str], _source: Source, _out: Output, _err: Output) -> Effects:
        yield from ()
        del self.arguments[1:2]
        return 0

    def _do_read(self, arguments: list[str], source: Source, _out: Output, _err: Output) -> Effects:
        line = yield from source.line()
        names = [name for name in arguments if not name.startswith("-")] or ["REPLY"]
        values = line.decode(errors="replace").rstrip("\n").split(None, len(names) - 1)
        for index, name in enumerate(names):
            self.variables[name] = values[index] if index < len(values) else ""
        return 0 if line.endswith(b"\n") else 1

    def _do_trap(self, arguments: list[str], _source: Source, _out: Output, _err: Output) -> Effects:
        yield from ()
        for name in arguments[1:]:
            plain = name.removeprefix("SIG")
            if arguments[0] == "-":
                self.traps.pop(plain, None)
            else:
                self.traps[plain] = arguments[0]
        return 0

    def _do_wait(self, _arguments: list[str], source: Source, out: Output, err: Output) -> Effects:
        try:
            yield Join(tuple(self.jobs))
        except Signalled as signal:
            yield from self.signal(signal.name, source, out, err)
            return _SIGNAL + NUMBERS.get(signal.name, 15)
        return 0

    def _do_exec(self, arguments: list[str], source: Source, out: Output, err: Output) -> Effects:
        if not arguments:
            return 0
        self.traps.clear()
        status = yield from self.execute(arguments, source, out, err)
        raise Stop(status)

    def _do_command(self, arguments: list[str], source: Source, out: Output, err: Output) -> Effects:
        names = [name for name in arguments if not name.startswith("-")]
        if not names:
            return 0
        if "-v" not in arguments:
            return (yield from self.execute(names, source, out, err))
        if names[0].isalpha() and hasattr(self, f"_do_{names[0]}"):
            out(f"{names[0]}\n".encode())
        elif programs.find(names[0], self.machine.lacks):
            out(f"/bin/{names[0]}\n".encode())
        else:
            return _NOT_FOUND
        return 0

    def _do_kill(self, arguments: list[str], _source: Source, _out: Output, _err: Output) -> Effects:
        yield from ()
        name = "TERM"
        for argument in arguments:
            if argument.startswith("-"):
                text = argument[1:].removeprefix("SIG")
                name = next((known for known, number in NUMBERS.items() if str(number) == text), text)
            elif argument == str(self.pid):
                raise Stop(_SIGNAL + NUMBERS.get(name, 15))
        return 0

    def _do_eval(self, arguments: list[str], source: Source, out: Output, err: Output) -> Effects:
        return (yield from self.block(syntax.parse(" ".join(arguments)), source, out, err))

    # words

    def _expand_all(
        self, words: tuple[syntax.Word, ...], err: Output
    ) -> Generator[object, object, list[str]]:
        found: list[str] = []
        for word in words:
            found += yield from self._expand(word, err)
        return found

    def _expand(self, word: syntax.Word, err: Output) -> Generator[object, object, list[str]]:
        fields: list[str] = []
        current: str | None = None
        for part in word:
            if part.kind == "var" and part.text == "@" and part.quoted:
                rest = self.arguments[1:]
                if rest:
                    fields += [(current or "") + rest[0], *rest[1:-1]] if len(rest) > 1 else []
                    current = (current or "") + rest[0] if len(rest) == 1 else rest[-1]
                continue
            text = yield from self._value(part, err)
            if part.quoted or part.kind == "text":
                current = (current or "") + text
                continue
            pieces = text.split()
            if not pieces:
                continue
            if text[:1].isspace() and current is not None:
                fields.append(current)
                current = None
            for index, piece in enumerate(pieces):
                if index:
                    fields.append(current or "")
                    current = piece
                else:
                    current = (current or "") + piece
        if current is not None:
            fields.append(current)
        return fields

    def _value(self, part: syntax.Part, err: Output) -> Generator[object, object, str]:
        match part.kind:
            case "text":
                return part.text
            case "var":
                return self._variable(part.text)
            case "sum":
                return str(self._sum(part.text))
            case _:
                gathered = bytearray()
                inner = self.child()
                self.status = yield from inner.run(part.text, Source.empty(), gathered.extend, err)
                return gathered.decode(errors="replace").rstrip("\n")

    def _variable(self, text: str) -> str:
        if text.startswith("#") and len(text) > 1:
            return str(len(self._variable(text[1:])))
        found = _PATTERN.fullmatch(text)
        if found is None:
            return ""
        name, operator, word = found["name"], found["operator"] or "", found["word"]
        value = self._plain(name)
        missing = value is None or (operator.startswith(":") and not value)
        match operator.lstrip(":"):
            case "-":
                return word if missing else value or ""
            case "=":
                if missing:
                    self.variables[name] = word
                return word if missing else value or ""
            case "+":
                return "" if missing else word
            case "#" | "##":
                return (value or "").removeprefix(word.replace("*", ""))
            case "%" | "%%":
                return (value or "").removesuffix(word.replace("*", ""))
        return value or ""

    def _plain(self, name: str) -> str | None:
        match name:
            case "?":
                return str(self.status)
            case "$":
                return str(self.pid)
            case "#":
                return str(len(self.arguments) - 1)
            case "@" | "*":
                return " ".join(self.arguments[1:])
        if name.isdigit():
            return self.arguments[int(name)] if int(name) < len(self.arguments) else None
        return self.variables.get(name)

    def _sum(self, text: str) -> int:
        def replace(match: re.Match[str]) -> str:
            value = self.variables.get(match.group(1), "0") or "0"
            return value if value.lstrip("-").isdigit() else "0"

        plain = re.sub(r"\$?([A-Za-z_]\w*)", replace, text)
        return arithmetic(plain)

    # redirections

    def _redirect(
        self, redirects: tuple[syntax.Redirect, ...], source: Source, out: Output, err: Output
    ) -> Generator[object, object, tuple[Source, Output, Output] | None]:
        outputs = {1: out, 2: err}
        for redirect in redirects:
            target = " ".join((yield from self._expand(redirect.target, err)))
            if redirect.operator == ">&":
                outputs[redirect.fd] = outputs.get(int(target) if target.isdigit() else 1, out)
                continue
            path = self.machine.resolve(target, self.working)
            if redirect.operator == "<":
                data = b"" if path == "/dev/zero" else self.machine.read(path)
                if data is None:
                    err(f"sh: can't open {target}: no such file\n".encode())
                    return None
                source = Source(data)
                continue
            special = {"/dev/stdout": out, "/dev/stderr": err}.get(path)
            if special is None:
                fault = self.machine.write(path, b"", append=redirect.operator == ">>")
                if fault:
                    err(f"sh: can't create {target}: {fault}\n".encode())
                    return None
                special = _into(self.machine, path)
            for descriptor in (1, 2) if redirect.operator == "&>" else (redirect.fd,):
                outputs[descriptor] = special
        return source, outputs[1], outputs[2]


def _into(machine: Machine, path: str) -> Output:
    def write(data: bytes) -> None:
        machine.write(path, data, append=True)

    return write

"""Reads shell scripts: lists, pipelines, redirections, quoting, `if`, `while`, `until`, `for`, subshells.

Source: https://pubs.opengroup.org/onlinepubs/9699919799/utilities/V3_chap02.html
"""

from __future__ import annotations

import re
from typing import NamedTuple

_OPERATORS = ("&&", "||", ";;", ">>", ">&", "<&", "<<", "&>", ";", "&", "|", "(", ")", "<", ">", "\n")
_WORDS_END = frozenset("|&;<>()\n \t")
_NUMBERED = re.compile(r"\d+(?=[<>])")
_RESERVED = frozenset({"then", "do", "done", "fi", "else", "elif", "}", "esac", "in"})


class Part(NamedTuple):
    """A piece of a word: kind is `text`, `var`, `command` or `sum`; `quoted` pieces are not split."""

    kind: str
    text: str
    quoted: bool


Word = tuple[Part, ...]


class Redirect(NamedTuple):
    """`2>&1` is Redirect(2, ">&", "1")."""

    fd: int
    operator: str
    target: Word


class Simple(NamedTuple):
    """Assignments and a command's words."""

    words: tuple[Word, ...]
    redirects: tuple[Redirect, ...]


class Pipeline(NamedTuple):
    """Commands joined by `|`."""

    commands: tuple[Node, ...]
    negated: bool


class Item(NamedTuple):
    """One pipeline of a list; `after` is what joins it to the one before (`;`, `&&`, `||`)."""

    after: str
    pipeline: Pipeline
    background: bool


class Block(NamedTuple):
    """A list of pipelines; a subshell has its own variables."""

    items: tuple[Item, ...]
    redirects: tuple[Redirect, ...] = ()
    subshell: bool = False


class If(NamedTuple):
    """Conditions and their branches, then what is left."""

    branches: tuple[tuple[Block, Block], ...]
    otherwise: Block | None
    redirects: tuple[Redirect, ...] = ()


class While(NamedTuple):
    """A loop; `until` turns its condition round."""

    condition: Block
    body: Block
    until: bool
    redirects: tuple[Redirect, ...] = ()


class For(NamedTuple):
    """A loop over words, None for the arguments."""

    name: str
    words: tuple[Word, ...] | None
    body: Block
    redirects: tuple[Redirect, ...] = ()


Node = Simple | Block | If | While | For


class SyntaxFault(Exception):  # noqa: N818  it is a fault of the script, not of this program
    """The script cannot be read."""


def parse(script: str) -> Block:
    """Reads a script.

    Raises:
        SyntaxFault: with the words that sh would use.

    """
    reader = _Reader(script)
    block = reader.block(frozenset())
    if not reader.at_end():
        raise SyntaxFault(f'syntax error: unexpected "{reader.peek()}"')
    return block


class _Reader:
    def __init__(self, script: str) -> None:
        self._tokens = _tokens(script)
        self._at = 0

    def at_end(self) -> bool:
        return self._at >= len(self._tokens)

    def peek(self) -> str:
        """The next operator or bare word, "" at the end, NUL for a word with quotes or expansions."""
        if self.at_end():
            return ""
        token = self._tokens[self._at]
        if isinstance(token, str):
            return token
        return token[0].text if len(token) == 1 and token[0].kind == "text" and not token[0].quoted else "\0"

    def _is_word(self) -> bool:
        return not self.at_end() and not isinstance(self._tokens[self._at], str)

    def _take(self) -> str | Word:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _word(self) -> Word:
        if not self._is_word():
            raise SyntaxFault(f'syntax error: unexpected "{self.peek() or "end of file"}"')
        token = self._take()
        return () if isinstance(token, str) else token

    def _expect(self, text: str) -> None:
        if self.peek() != text:
            raise SyntaxFault(
                f'syntax error: unexpected "{self.peek() or "end of file"}" (expecting "{text}")'
            )
        self._at += 1

    def _skip_lines(self) -> None:
        while self.peek() == "\n":
            self._at += 1

    def block(self, ends: frozenset[str]) -> Block:
        items: list[Item] = []
        after = ";"
        while True:
            self._skip_lines()
            if self.at_end() or self.peek() in ends or self.peek() == ")":
                return Block(tuple(items))
            if self.peek() in _RESERVED:
                raise SyntaxFault(f'syntax error: unexpected "{self.peek()}"')
            pipeline = self._pipeline()
            following = self.peek()
            if following in {"&&", "||"}:
                items.append(Item(after, pipeline, background=False))
                after = following
                self._at += 1
                continue
            items.append(Item(after, pipeline, background=following == "&"))
            after = ";"
            if following in {";", "&", "\n"}:
                self._at += 1
            elif not self.at_end() and following not in ends and following != ")":
                raise SyntaxFault(f'syntax error: unexpected "{following}"')

    def _pipeline(self) -> Pipeline:
        negated = self.peek() == "!"
        if negated:
            self._at += 1
        commands = [self._command()]
        while self.peek() == "|":
            self._at += 1
            self._skip_lines()
            commands.append(self._command())
        return Pipeline(tuple(commands), negated)

    def _command(self) -> Node:
        node: Node
        match self.peek():
            case "(":
                self._at += 1
                node = self.block(frozenset({")"}))._replace(subshell=True)
                self._expect(")")
            case "{":
                self._at += 1
                node = self.block(frozenset({"}"}))
                self._expect("}")
            case "if":
                node = self._if()
            case "while" | "until" as word:
                self._at += 1
                condition = self.block(frozenset({"do"}))
                self._expect("do")
                body = self.block(frozenset({"done"}))
                self._expect("done")
                node = While(condition, body, word == "until")
            case "for":
                node = self._for()
            case _:
                return self._simple()
        redirects = self._redirects()
        return node._replace(redirects=tuple(redirects)) if redirects else node

    def _if(self) -> If:
        branches: list[tuple[Block, Block]] = []
        otherwise = None
        while self.peek() in {"if", "elif"}:
            self._at += 1
            condition = self.block(frozenset({"then"}))
            self._expect("then")
            branches.append((condition, self.block(frozenset({"elif", "else", "fi"}))))
        if self.peek() == "else":
            self._at += 1
            otherwise = self.block(frozenset({"fi"}))
        self._expect("fi")
        return If(tuple(branches), otherwise)

    def _for(self) -> For:
        self._at += 1
        name = self.peek()
        self._word()
        self._skip_lines()
        words: list[Word] | None = None
        if self.peek() == "in":
            self._at += 1
            words = []
            while self._is_word():
                words.append(self._word())
        while self.peek() in {";", "\n"}:
            self._at += 1
        self._expect("do")
        body = self.block(frozenset({"done"}))
        self._expect("done")
        return For(name, None if words is None else tuple(words), body)

    def _redirects(self) -> list[Redirect]:
        found: list[Redirect] = []
        while (redirect := self._redirect()) is not None:
            found.append(redirect)
        return found

    def _redirect(self) -> Redirect | None:
        if self.at_end() or self._is_word():
            return None
        digits, operator = _split(self.peek())
        if operator not in {"<", ">", ">>", ">&", "<&", "&>"}:
            return None
        self._at += 1
        return Redirect(int(digits) if digits else int(not operator.startswith("<")), operator, self._word())

    def _simple(self) -> Simple:
        words: list[Word] = []
        redirects: list[Redirect] = []
        while True:
            redirect = self._redirect()
            if redirect is not None:
                redirects.append(redirect)
            elif self._is_word():
                words.append(self._word())
            else:
                break
        if not words and not redirects:
            raise SyntaxFault(f'syntax error: unexpected "{self.peek() or "end of file"}"')
        return Simple(tuple(words), tuple(redirects))


def _split(token: str) -> tuple[str, str]:
    digits = token.rstrip("<>&")
    return (digits, token[len(digits) :]) if digits.isdigit() else ("", token)


def _tokens(script: str) -> list[str | Word]:
    found: list[str | Word] = []
    at = 0
    while at < len(script):
        char = script[at]
        if char in " \t":
            at += 1
        elif script.startswith("\\\n", at):
            at += 2
        elif char == "#":
            end = script.find("\n", at)
            at = len(script) if end < 0 else end
        else:
            numbered = _NUMBERED.match(script, at)
            start = numbered.end() if numbered else at
            operator = next((item for item in _OPERATORS if script.startswith(item, start)), "")
            if operator:
                found.append(script[at:start] + operator)
                at = start + len(operator)
            else:
                word, at = _word(script, at)
                found.append(word)
    return found


def _word(script: str, at: int) -> tuple[Word, int]:
    parts: list[Part] = []
    plain = ""

    def flush() -> None:
        nonlocal plain
        if plain:
            parts.append(Part("text", plain, quoted=False))
            plain = ""

    while at < len(script) and script[at] not in _WORDS_END:
        char = script[at]
        if char == "\\" and at + 1 < len(script):
            flush()
            parts.append(Part("text", script[at + 1], quoted=True))
            at += 2
        elif char == "'":
            flush()
            end = script.find("'", at + 1)
            if end < 0:
                raise SyntaxFault("syntax error: unterminated quoted string")
            parts.append(Part("text", script[at + 1 : end], quoted=True))
            at = end + 1
        elif char == '"':
            flush()
            inside, at = _double(script, at + 1)
            parts += inside or [Part("text", "", quoted=True)]
        elif char in "$`":
            part, at = _expansion(script, at, quoted=False)
            if part is None:
                plain += char
            else:
                flush()
                parts.append(part)
        else:
            plain += char
            at += 1
    flush()
    return tuple(parts), at


def _double(script: str, at: int) -> tuple[list[Part], int]:
    parts: list[Part] = []
    text = ""
    while at < len(script) and script[at] != '"':
        char = script[at]
        if char == "\\" and script[at + 1 : at + 2] in {"$", "`", '"', "\\", "\n"}:
            text += "" if script[at + 1] == "\n" else script[at + 1]
            at += 2
        elif char in "$`":
            part, at = _expansion(script, at, quoted=True)
            if part is None:
                text += char
            else:
                if text:
                    parts.append(Part("text", text, quoted=True))
                    text = ""
                parts.append(part)
        else:
            text += char
            at += 1
    if at >= len(script):
        raise SyntaxFault("syntax error: unterminated quoted string")
    if text:
        parts.append(Part("text", text, quoted=True))
    return parts, at + 1


_NAME = re.compile(r"[A-Za-z_]\w*|[0-9?$#@*!-]")


def _expansion(script: str, at: int, *, quoted: bool) -> tuple[Part | None, int]:
    if script[at] == "`":
        end = script.find("`", at + 1)
        if end < 0:
            raise SyntaxFault("syntax error: EOF in backquote substitution")
        return Part("command", script[at + 1 : end], quoted), end + 1
    if script.startswith("$((", at):
        end = script.find("))", at)
        if end >= 0:
            return Part("sum", script[at + 3 : end], quoted), end + 2
    if script.startswith("$(", at):
        end = _closing(script, at + 2)
        return Part("command", script[at + 2 : end], quoted), end + 1
    if script.startswith("${", at):
        end = script.find("}", at)
        if end < 0:
            raise SyntaxFault("syntax error: missing '}'")
        return Part("var", script[at + 2 : end], quoted), end + 1
    name = _NAME.match(script, at + 1)
    if name is None:
        return None, at + 1
    return Part("var", name.group(), quoted), name.end()


def _closing(script: str, at: int) -> int:
    depth, quote = 1, ""
    while at < len(script):
        char = script[at]
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
            if not depth:
                return at
        at += 1
    raise SyntaxFault('syntax error: unexpected end of file (expecting ")")')

"""Regular expressions in RE2's syntax, which schemas and rules use, run by Python's `re`.

Source: https://github.com/google/re2/wiki/Syntax; the messages are those of Go's `regexp/syntax`.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import lru_cache

_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7F",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1F\x7F",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_LETTERS = "aftnrvxAbBCdDpPQsSwWzE0123456789"
"""What may follow a backslash; every sign of punctuation may, too."""
_REPEAT = re.compile(r"\{(\d+)(,(\d*))?\}")
_GROUP = re.compile(r"\(\?(?:P?<[A-Za-z_]\w*>|(?:[imsU]+(?:-[imsU]+)?|-[imsU]+)?[:)])")
_NAMED_CLASS = re.compile(r"\[:(\^?)(\w+):\]")
_HEX = re.compile(r"\\x(?:\{([0-9A-Fa-f]{1,6})\}|[0-9A-Fa-f]{2})")
_MOST_REPEATS = 1000
_PROPERTY = re.compile(r"\\([pP])(?:\{(\^?\w+)\}|(\w))")
_GENERAL = """C Cc Cf Co Cs L Ll Lm Lo Lt Lu M Mc Me Mn N Nd Nl No P Pc Pd Pe Pf Pi Po Ps S Sc Sk Sm So Z Zl
    Zp Zs
    Any"""
_SCRIPTS = """Arabic Armenian Bengali Bopomofo Cyrillic Devanagari Ethiopic Georgian Greek Gujarati Gurmukhi
    Hangul
    Hebrew Hiragana Kannada Katakana Khmer Lao Latin Malayalam Mongolian Myanmar Sinhala Tamil Telugu Thai
    Tibetan Han"""


class ExpressionError(ValueError):
    """An expression that RE2 does not take; the text is Go's."""

    def __init__(self, why: str, what: str) -> None:
        super().__init__(f"error parsing regexp: {why}: `{what}`")


@lru_cache(maxsize=512)
def compiled(pattern: str) -> re.Pattern[str]:
    """An expression, ready to be searched for.

    Raises:
        ExpressionError: when it is none, or has what RE2 does not know, such as lookaheads.
    """
    translated = _Translation(pattern).run()
    try:
        return re.compile(translated, re.ASCII)
    except re.error:
        raise ExpressionError("invalid or unsupported Perl syntax", pattern) from None


def _is_property(name: str) -> bool:
    return name in _GENERAL.split() or name in _SCRIPTS.split()


@lru_cache(maxsize=16)
def _property(name: str) -> str:
    """The signs of a Unicode class as they stand in a class of Python's; scripts by the signs' names."""
    wanted, has = name.lstrip("^"), not name.startswith("^")
    called = "CJK UNIFIED" if wanted == "Han" else f"{wanted.upper()} "
    made, first = [], -1
    for code in range(sys.maxunicode + 2):
        inside = code <= sys.maxunicode and has == (
            wanted == "Any"
            or (
                unicodedata.category(chr(code)).startswith(wanted)
                if wanted in _GENERAL.split()
                else unicodedata.name(chr(code), "").startswith(called)
            )
        )
        if inside and first < 0:
            first = code
        elif not inside and first >= 0:
            made.append(f"\\U{first:08x}-\\U{code - 1:08x}")
            first = -1
    return "".join(made)


class _Translation:
    """Reads an expression from left to right and writes it as Python has it."""

    def __init__(self, pattern: str) -> None:
        self._text, self._at = pattern, 0
        self._made: list[str] = []
        self._flags: list[list[str]] = [[]]
        """The flags set so far in each open group; Python has them for groups alone."""
        self._lines: list[bool] = [False]
        """Whether `$` also stands at the ends of lines, for each open group."""

    def run(self) -> str:
        repeated = "start"
        while self._at < len(self._text):
            sign = self._text[self._at]
            if sign in "*+?" or (sign == "{" and _REPEAT.match(self._text, self._at)):
                repeated = self._repeat(repeated)
                continue
            repeated = "start" if sign in "(|" else ""
            if sign == "\\":
                self._escape()
            elif sign == "[":
                self._class()
            elif sign == "(":
                self._group()
            elif sign == ")":
                self._close()
            elif sign == "|":
                flags = self._flags[-1]
                self._take(")" * len(flags) + "|" + "".join(flags), 1)
            elif sign == "$":
                self._take("$" if self._lines[-1] else r"\Z", 1)
            else:
                self._take(r"\{" if sign == "{" else sign, 1)
        if len(self._flags) > 1:
            raise ExpressionError("missing closing )", self._text)
        return "".join(self._made) + ")" * len(self._flags[0])

    def _take(self, made: str, length: int = 0) -> None:
        self._made.append(made)
        self._at += length or len(made)

    def _repeat(self, before: str) -> str:
        """A repetition, with the `?` that makes it lazy; returns it, as none may follow another."""
        found = _REPEAT.match(self._text, self._at)
        sign = found[0] if found else self._text[self._at]
        if before == "start":
            raise ExpressionError("missing argument to repetition operator", sign)
        if found:
            least, most = int(found[1]), int(found[3]) if found[3] else int(found[1])
            if least > _MOST_REPEATS or most > _MOST_REPEATS or most < least:
                raise ExpressionError("invalid repeat count", sign)
        if self._text.startswith("?", self._at + len(sign)):
            sign += "?"
        if before:
            raise ExpressionError("invalid nested repetition operator", before + sign)
        self._take(sign)
        return sign

    def _escape(self) -> None:
        sign = self._text[self._at + 1 : self._at + 2]
        if not sign:
            raise ExpressionError("trailing backslash at end of expression", "")
        if sign == "z":
            self._take(r"\Z")
        elif sign == "C":
            self._take("(?s:.)", 2)
        elif sign in "pP":
            found = self._property()
            self._take(f"[{_property(found[0])}]", len(found[1]))
        elif sign == "Q":
            end = self._text.find(r"\E", self._at + 2)
            end = len(self._text) if end < 0 else end
            self._take(re.escape(self._text[self._at + 2 : end]), end + 2 - self._at)
        else:
            made, length = self._sign()
            self._take(made, length)

    def _sign(self) -> tuple[str, int]:
        """An escaped sign in or outside of a class, as Python has it, and its length."""
        sign = self._text[self._at + 1 : self._at + 2]
        if sign == "x":
            found = _HEX.match(self._text, self._at)
            if not found:
                raise ExpressionError("invalid escape sequence", self._text[self._at : self._at + 3])
            return (re.escape(chr(int(found[1], 16))) if found[1] else found[0]), len(found[0])
        if sign in "pP":
            name, text = self._property()
            return _property(name), len(text)
        if sign in "123456789ZE" or (sign.isalnum() and sign not in _LETTERS):
            raise ExpressionError("invalid escape sequence", rf"\{sign}")
        return rf"\{sign}", 2

    def _property(self) -> tuple[str, str]:
        """The name of a Unicode class (with `^` for all but it), and its text."""
        found = _PROPERTY.match(self._text, self._at)
        text = found[0] if found else self._text[self._at : self._at + 3]
        name = (found[2] or found[3]) if found else ""
        if found and (found[1] == "P") != name.startswith("^"):
            name = f"^{name.lstrip('^')}"
        else:
            name = name.lstrip("^")
        if not _is_property(name.lstrip("^")):
            raise ExpressionError("invalid character class range", text)
        return name, text

    def _group(self) -> None:
        found = _GROUP.match(self._text, self._at)
        if self._text.startswith("(?", self._at) and not found:
            rest = self._text[self._at :]
            if rest.startswith(("(?<", "(?P<")):
                raise ExpressionError("invalid named capture", rest[: rest.find(">") + 1] or rest)
            raise ExpressionError("invalid or unsupported Perl syntax", rest[:3])
        text = found[0] if found else "("
        on, _, off = text.partition("-")
        lines = text[-1] in ":)" and ("m" in on or (self._lines[-1] and "m" not in off))
        if text.endswith(")"):
            flags = text[:-1].replace("U", "") + ":"
            self._flags[-1].append(flags)
            self._lines[-1] = lines
            self._take(flags, len(text))
            return
        self._flags.append([])
        self._lines.append(lines if text.endswith(":") else self._lines[-1])
        named = text.replace("(?<", "(?P<") if text.endswith(">") else text.replace("U", "")
        self._take(named, len(text))

    def _close(self) -> None:
        if len(self._flags) == 1:
            raise ExpressionError("unexpected )", self._text)
        self._lines.pop()
        self._take(")" * len(self._flags.pop()) + ")", 1)

    def _class(self) -> None:
        start = self._at
        self._take("[", 1)
        if self._text.startswith("^", self._at):
            self._take("^")
        first = True
        while True:
            sign = self._text[self._at : self._at + 1]
            if not sign:
                raise ExpressionError("missing closing ]", self._text[start:])
            if sign == "]" and not first:
                self._take("]")
                return
            first = False
            self._range(self._member())

    def _member(self) -> str:
        """The next sign, or set of signs, of a class."""
        named = _NAMED_CLASS.match(self._text, self._at)
        if named:
            if named[2] not in _CLASSES or named[1]:
                raise ExpressionError("invalid character class range", named[0])
            self._take(_CLASSES[named[2]], len(named[0]))
            return ""
        sign = self._text[self._at]
        if sign == "\\":
            if self._at + 1 >= len(self._text):
                raise ExpressionError("trailing backslash at end of expression", "")
            made, length = self._sign()
            self._take(made, length)
            return "" if length > 2 or made[1:] in {"d", "D", "s", "S", "w", "W"} else made[-1]  # noqa: PLR2004
        self._take(re.escape(sign) if sign in "[&~|" else rf"\{sign}" if sign == "]" else sign, 1)
        return sign

    def _range(self, low: str) -> None:
        if self._text.startswith("-", self._at) and not self._text.startswith("-]", self._at) and low:
            start = self._at - 1
            self._take("-")
            if self._at < len(self._text):
                high = self._member()
                if len(low) == len(high) == 1 and self._text[start] == low and high < low:
                    raise ExpressionError("invalid character class range", self._text[start : self._at])

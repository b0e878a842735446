"""Documents of YAML or JSON, read by libyaml's parser into what JSON can say; nothing of it is executed.

What kubectl takes is taken and means the same; what it would take and lose in part (keys that are there
twice) is refused. Bounded in documents, depth, and in what aliases unfold to. Sources: https://yaml.org/spec/1.1/;
`k8s.io/apimachinery/pkg/util/yaml` (streams of documents, JSON), `sigs.k8s.io/yaml`.
"""

from __future__ import annotations

import codecs
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import yaml

from ecns.api.common.documents import scalars
from ecns.errors import BadRequestError

FIELD: Final = "yaml"
DEPTH: Final = 200
"""Lists and objects within each other; the deepest CustomResourceDefinitions have about 80."""
VALUES: Final = 1_500_000
"""Scalars of one text: 10 MB of usual manifests have half as many, and take 5 s to read."""
UNFOLDED: Final = 200_000
"""Scalars, lists and objects that aliases may stand for, all together."""
UNFOLDED_TEXT: Final = 10 * 1024 * 1024
"""Characters of the same."""
DOCUMENTS: Final = 1000

_HINTS = {
    "found character that cannot start any token": "tabs may not indent, nor may @ and ` begin a word",
    "found a tab character": "indent with spaces",
    "mapping values are not allowed": "a ': ' too many; is a quote or an indentation missing?",
}


class DocumentError(BadRequestError):
    """The text is no YAML, or is more than is taken; `details` tell line and column, from 1."""

    def __init__(self, message: str, *, line: int, column: int = 0) -> None:
        where = f"line {line}, column {column}" if column else f"line {line}"
        details = {"line": line, **({"column": column} if column else {})}
        super().__init__(f"{FIELD}: {where}: {message}", field=FIELD, details=details)


class Document(msgspec.Struct, frozen=True):
    """One document."""

    line: int
    """Where it begins, from 1."""
    value: Any
    """As JSON has it. Parts may be shared: it is not to be changed in place."""


def read(sent: str | bytes) -> list[Document]:
    """The documents of a text that are not empty.

    Args:
        sent: YAML or JSON; bytes are UTF-8, or UTF-16 with a byte order mark.

    Raises:
        DocumentError: it cannot be read.
        BadRequestError: bytes are no text.
    """
    text = _text(sent) if isinstance(sent, bytes) else sent.removeprefix("\ufeff")
    if text.lstrip()[:1] == "{" and (found := _json(text)) is not None:
        return found
    return _Reader(text).documents()


def _text(sent: bytes) -> str:
    try:
        if sent.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return sent.decode("utf-16")
        return sent.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRequestError(
            f"{FIELD}: not UTF-8: a wrong byte at {error.start} (from 0)", field=FIELD
        ) from error


class _Frame:
    """A list or object that is being read."""

    __slots__ = ("anchor", "key", "lines", "merges", "text", "value", "weight")

    def __init__(self, anchor: str | None, value: Any) -> None:
        self.anchor = anchor
        self.value = value
        self.key: str | None = None
        self.merges = False
        """The key that is open is `<<`."""
        self.lines: dict[str, int] = {}
        """Where each key stands."""
        self.weight = 1
        self.text = 0


class _Reader:
    """One text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.anchors: dict[str, tuple[Any, int, int]] = {}
        """By name, the value, its weight and its characters."""
        self.open: set[str] = set()
        self.stack: list[_Frame] = []
        self.values = 0
        self.unfolded = 0
        self.unfolded_text = 0
        self.root: Any = None
        """What the document is."""
        self.line = 0
        """Where it begins; 0 before it does."""

    def documents(self) -> list[Document]:
        try:
            return self._documents()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise _syntax(error, mark) from None
        except yaml.YAMLError as error:  # characters that YAML does not have
            raise _unreadable(self.text, error) from None

    def _documents(self) -> list[Document]:
        found: list[Document] = []
        for event in yaml.parse(self.text, Loader=yaml.CSafeLoader):
            kind = type(event)
            if kind is yaml.ScalarEvent:
                self._scalar(event)
            elif kind is yaml.MappingStartEvent:
                self._begin(event, {})
            elif kind is yaml.SequenceStartEvent:
                self._begin(event, [])
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                self._end(event)
            elif kind is yaml.AliasEvent:
                self._alias(event)
            elif kind is yaml.DocumentStartEvent:
                self.line = 0
                self.anchors.clear()
                self.root = None
            elif kind is yaml.DocumentEndEvent and self.root is not None:
                if len(found) == DOCUMENTS:
                    raise DocumentError(f"more than {DOCUMENTS} documents", line=self.line)
                found.append(Document(self.line, self.root))
        return found

    def _scalar(self, event: Any) -> None:
        text, tag = event.value, event.tag
        self.values += 1
        if self.values > VALUES:
            raise _at(event, f"more than {VALUES} values")
        self.line = self.line or event.start_mark.line + 1
        frame = self.stack[-1] if self.stack else None
        is_key = frame is not None and frame.key is None and type(frame.value) is dict
        try:
            if tag is None:
                plain = event.implicit[0]
                if is_key and plain and text == scalars.MERGE:
                    assert frame is not None  # noqa: S101  for the type checker: so says `is_key`
                    frame.merges, frame.key = True, text
                    return
                value = scalars.plain(text) if plain else text
            else:
                value = scalars.tagged(text, tag)
            if type(value) is float and not is_key:
                value = scalars.number(value)
        except ValueError as error:
            raise _at(event, str(error)) from None
        self._put(value, event, weight=1, text=len(text))
        if event.anchor:
            self.anchors[event.anchor] = (value, 1, len(text))

    def _begin(self, event: Any, value: Any) -> None:
        if len(self.stack) >= DEPTH:
            raise _at(event, f"nested more than {DEPTH} deep")
        self.line = self.line or event.start_mark.line + 1
        frame = self.stack[-1] if self.stack else None
        if frame is not None and frame.key is None and type(frame.value) is dict:
            raise _at(event, "a list or an object cannot be a key")
        if event.anchor:
            self.open.add(event.anchor)
            self.anchors.pop(event.anchor, None)
        self.stack.append(_Frame(event.anchor, value))

    def _end(self, event: Any) -> None:
        frame = self.stack.pop()
        if frame.anchor:
            self.open.discard(frame.anchor)
            self.anchors[frame.anchor] = (frame.value, frame.weight, frame.text)
        self._put(frame.value, event, weight=frame.weight, text=frame.text)

    def _alias(self, event: Any) -> None:
        if event.anchor in self.open:
            raise _at(event, f"*{event.anchor} stands within what it is the name of")
        if event.anchor not in self.anchors:
            raise _at(event, f"there is no &{event.anchor} before this")
        value, weight, text = self.anchors[event.anchor]
        self.unfolded += weight
        self.unfolded_text += text
        if self.unfolded > UNFOLDED or self.unfolded_text > UNFOLDED_TEXT:
            raise _at(event, "its aliases unfold to more than is taken")
        self._put(value, event, weight=weight, text=text)

    def _put(self, value: Any, event: Any, *, weight: int, text: int) -> None:
        """Add a value to what is open."""
        if not self.stack:
            self.root = value
            return
        frame = self.stack[-1]
        frame.weight += weight
        frame.text += text
        into = frame.value
        if type(into) is list:
            into.append(value)
        elif frame.merges:
            frame.merges, frame.key = False, None
            self._merge(frame, value, event)
        elif frame.key is None:
            try:
                frame.key = key = scalars.key(value)
            except ValueError as error:
                raise _at(event, str(error)) from None
            if (first := frame.lines.get(key)) is not None:
                raise _at(event, f"the key {key[:80]!r} is there twice, first in line {first}")
            frame.lines[key] = event.start_mark.line + 1
        else:
            into[frame.key] = value
            frame.key = None

    def _merge(self, frame: _Frame, value: Any, event: Any) -> None:
        """Take over what is merged (`<<`); as kubectl has it, over what stands before it."""
        several = value[::-1] if isinstance(value, list) else [value]
        if not all(isinstance(one, dict) for one in several):
            raise _at(event, "<< takes an object, or a list of objects")
        for one in several:
            frame.value.update(one)


def _at(event: Any, message: str) -> DocumentError:
    mark = event.start_mark
    return DocumentError(message, line=mark.line + 1, column=mark.column + 1)


def _syntax(error: yaml.MarkedYAMLError, mark: Any) -> DocumentError:
    said = " ".join(part for part in (error.context, error.problem) if part)
    hint = next((text for start, text in _HINTS.items() if start in said), "")
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    return DocumentError(f"{said} ({hint})" if hint else said, line=line, column=column)


def _unreadable(text: str, error: yaml.YAMLError) -> DocumentError:
    place = getattr(error, "position", 0)
    place = place if isinstance(place, int) and 0 <= place <= len(text) else 0
    return DocumentError(
        "a character that YAML does not have, such as a control character",
        line=text.count("\n", 0, place) + 1,
    )


# JSON


def _json(text: str) -> list[Document] | None:
    """JSON objects, one after another as kubectl takes them; None: it is none, and may be YAML."""
    found: list[Document] = []
    place, length, line = 0, len(text), 1
    try:
        while True:
            while place < length and text[place] in " \t\r\n":
                place += 1
            if place == length:
                return found
            line = text.count("\n", 0, place) + 1
            value, place = _decoder.raw_decode(text, place)
            if not isinstance(value, dict):
                return None
            if _deeper(value):
                raise DocumentError(f"nested more than {DEPTH} deep", line=line)
            if len(found) == DOCUMENTS:
                raise DocumentError(f"more than {DOCUMENTS} documents", line=line)
            found.append(Document(line, value))
    except _Twice as error:
        raise DocumentError(f"in the object from here, the key {error} is there twice", line=line) from None
    except RecursionError:
        raise DocumentError(f"nested more than {DEPTH} deep", line=line) from None
    except ValueError:
        return None


class _Twice(Exception):  # noqa: N818  no error of the program: found and told at once
    """A key that is there twice."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        counted = Counter(key for key, _ in pairs)
        raise _Twice(repr(counted.most_common(1)[0][0][:80]))
    return made


def _float(text: str) -> int | float:
    return scalars.number(float(text))


def _constant(text: str) -> Any:
    raise ValueError(text)


_decoder = json.JSONDecoder(object_pairs_hook=_object, parse_float=_float, parse_constant=_constant)


def _deeper(value: Any) -> bool:
    """Whether something is nested more than `DEPTH` deep."""
    level = [value]
    for _ in range(DEPTH):
        level = [inner for one in level for inner in _inner(one)]
        if not level:
            return False
    return True


def _inner(value: Any) -> Iterator[Any]:
    values = value.values() if isinstance(value, dict) else value
    return (one for one in values if isinstance(one, dict | list))

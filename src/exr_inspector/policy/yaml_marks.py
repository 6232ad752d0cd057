"""YAML as plain values, with line and column of every key and value.

Scalars are null, true, false, decimal integers and numbers with a decimal point, as in the core schema of YAML 1.2. All
others are text, such as `10:00:00:00`, `0010`, `1e2` and `0x10`. Repeated keys, aliases, tags and several documents
are errors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml

from ..errors import PolicyError

Path = tuple[str | int, ...]
Scalar = str | int | float | bool | None

MAX_BYTES = 1 << 20
_MAX_DEPTH = 64
_MAX_ERRORS = 50  # that are reported
_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})?(?:\.[0-9]{1,40})(?:[eE][-+]?[0-9]{1,3})?")


class Mark(NamedTuple):
    """A position in a file; both numbers begin with 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML document and the positions of its keys and values, by path."""

    source: str
    value: Any
    keys: dict[Path, Mark] = field(default_factory=dict)
    values: dict[Path, Mark] = field(default_factory=dict)

    def items(self, key: str) -> list[Any]:
        """The items of a list at the top, as they are written; empty if the value is not a list."""
        items = self.value.get(key)
        return items if isinstance(items, list) else []

    def error(self, path: Path, message: str, *, at_key: bool = False) -> PolicyError:
        """The error at a value, or at the key before it; else at the nearest one above."""
        for marks in (self.keys, self.values) if at_key else (self.values, self.keys):
            if path in marks:
                return PolicyError(self.source, *marks[path], message)
        return self.error(path[:-1], message) if path else PolicyError(self.source, 1, 1, message)


@dataclass(slots=True)
class Errors:
    """The errors of a policy, to be raised together: as soon as there are more than are reported."""

    _found: dict[tuple[str, int, int], PolicyError] = field(default_factory=dict)  # by position

    def add(self, error: PolicyError) -> None:
        """Keep an error, unless there is one at its position. Raises PolicyError if there are too many."""
        for each in (PolicyError(error.path, error.line, error.column, error.message), *error.others):
            self._found.setdefault((each.path, each.line, each.column), each)
        if len(self._found) > _MAX_ERRORS:
            self.check()

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Keeps an error that is raised within, so that what follows is checked too."""
        try:
            yield
        except PolicyError as error:
            self.add(error)

    def check(self) -> None:
        """Raise the errors as one, sorted by their positions, if there are any."""
        errors = [self._found[position] for position in sorted(self._found)]
        if not errors:
            return
        if len(errors) > _MAX_ERRORS:
            last = errors[_MAX_ERRORS]
            errors[_MAX_ERRORS:] = [PolicyError(last.path, last.line, last.column, "more errors; correct these first")]
        first, *others = errors
        raise PolicyError(first.path, first.line, first.column, first.message, tuple(others))


def read_document(source: str, data: bytes) -> Document:
    """The document in the bytes of a file, which errors call `source`. Raises PolicyError."""
    if len(data) > MAX_BYTES:
        raise PolicyError(source, 1, 1, f"the file has more than {MAX_BYTES} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PolicyError(source, *_position(data[: error.start].decode("utf-8", "replace")), "not UTF-8") from None
    document = Document(source, None)
    try:
        value = _Reader(document, yaml.parse(text, _LOADER)).document()
    except yaml.reader.ReaderError as error:
        raise PolicyError(source, *_position(text[: error.position]), "a character that YAML does not allow") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        position = Mark(mark.line + 1, mark.column + 1) if mark else Mark(1, 1)
        end = _position(text)  # libyaml puts the end of a file on a line below it
        raise PolicyError(source, *min(position, end), f"not valid YAML: {error.problem}") from None
    return Document(source, value, document.keys, document.values)


def _position(before: str) -> Mark:
    return Mark(before.count("\n") + 1, len(before) - before.rfind("\n"))


class _Reader:
    """Builds values from the events of the parser."""

    def __init__(self, document: Document, events: Iterator[Any]) -> None:
        self._document, self._events = document, events

    def document(self) -> Any:
        next(self._events)  # the start of the stream
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            return None
        value = self._value(next(self._events), ())
        next(self._events)  # the end of the document
        event = next(self._events)
        if not isinstance(event, yaml.StreamEndEvent):
            raise self._error(event, "a second document; expected one in a file")
        return value

    def _value(self, event: Any, path: Path) -> Any:
        self._document.values[path] = _mark(event)
        if len(path) > _MAX_DEPTH:
            raise self._error(event, f"nested more than {_MAX_DEPTH} levels deep")
        if isinstance(event, yaml.AliasEvent):
            raise self._error(event, f"the alias *{event.anchor} is not supported; write the value again")
        if event.tag not in (None, "!"):
            raise self._error(event, f"the tag {event.tag} is not supported; leave it out")
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event.value) if event.implicit[0] else event.value
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        return self._mapping(path)

    def _sequence(self, path: Path) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._value(event, (*path, len(items))))
        return items

    def _mapping(self, path: Path) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise self._error(event, "a key is not a string")
            key = event.value
            if key in entries:
                raise self._error(event, f"the key {key!r} is repeated; give it once")
            below = (*path, key)
            self._document.keys[below] = _mark(event)
            entries[key] = self._value(next(self._events), below)
        return entries

    def _error(self, event: Any, message: str) -> PolicyError:
        return PolicyError(self._document.source, *_mark(event), message)


def _mark(event: Any) -> Mark:
    return Mark(event.start_mark.line + 1, event.start_mark.column + 1)


def _scalar(text: str) -> Scalar:
    """The value of a scalar without quotes."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text

"""YAML files as dataclasses, which pydantic validates. Every error has file, line and column."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Hashable, Mapping
from dataclasses import fields
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from ..errors import PolicyError, SettingsError
from .registry import suggestion
from .yaml_marks import MAX_BYTES, Document, Errors, Path

_QUOTED = re.compile("'([^']*)'")
_MISSING = ("missing", "missing_argument", "missing_keyword_only_argument")
_UNKNOWN_KEY = ("unexpected_keyword_argument", "extra_forbidden")
_EXPECTED = {
    "string_type": "expected a text",
    "int_type": "expected an integer",
    "int_from_float": "expected an integer",
    "float_type": "expected a number",
    "finite_number": "expected a finite number",
    "bool_type": "expected true or false",
    "tuple_type": "expected a list, such as [a, b]",
    "list_type": "expected a list, such as [a, b]",
    "date_type": "expected a date, such as 2026-12-31",
    "date_parsing": "expected a date, such as 2026-12-31",
    "date_from_datetime_parsing": "expected a date, such as 2026-12-31",
}  # by type of pydantic's error
Model = TypeVar("Model")


def read_file(kind: str, path: str) -> bytes:
    """The bytes of a file, which errors call `kind`; no more than a document may have. Raises SettingsError."""
    try:
        # O_NONBLOCK: opening a FIFO would otherwise wait for a writer
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise SettingsError(f"{kind} {path}: not a file")
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise SettingsError(f"{kind} {path}: {getattr(error, 'strerror', None) or error}") from error


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """What validates a dataclass; it takes milliseconds to make."""
    return TypeAdapter(kind)


def validated(document: Document, path: Path, value: Any, model: type[Model], nested: Mapping[str, type[Any]]) -> Model:
    """A value of a document as a dataclass; `nested` are the dataclasses in it, by the name of their field.

    Raises PolicyError with all errors.
    """
    adapter: TypeAdapter[Model] = _adapter(cast("Hashable", model))
    try:
        # JSON in between: there a list is a tuple, but a text is not a number.
        return adapter.validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        errors = error.errors(include_url=False)
    unknown = {tuple(each["loc"][:-1]) for each in errors if each["type"] in _UNKNOWN_KEY}
    found = Errors()
    for each in errors:
        if each["type"] not in _MISSING or tuple(each["loc"][:-1]) not in unknown:  # it may be the one that is missing
            found.add(_error(document, path, each, model, nested))
    found.check()
    raise AssertionError("no error of pydantic is left")


def _error(
    document: Document, path: Path, first: Any, model: type[Any], nested: Mapping[str, type[Any]]
) -> PolicyError:
    loc = tuple(first["loc"])
    at = _existing(document, (*path, *loc))
    name = ".".join(map(str, (*path, *loc)))
    prefix = f"{name}: " if name else ""
    if first["type"] in _UNKNOWN_KEY:
        owners = [nested[name] for name in loc[:-1] if name in nested]
        known = [each.name for each in fields(owners[-1] if owners else model)]
        unknown = str(loc[-1])
        message = f"{prefix}unknown; expected {', '.join(known)}{suggestion(unknown, known)}"
        return document.error(at, message, at_key=True)
    if first["type"] in _MISSING:
        return document.error(at, f"{prefix}missing")
    if first["type"] in ("dataclass_type", "dict_type"):
        return document.error(at, f"{prefix}expected keys with values")
    message = _message(first)
    if first["type"] == "literal_error":
        message += suggestion(str(first["input"])[:100], _QUOTED.findall(first["ctx"]["expected"]))
    return document.error(at, f"{prefix}{message}")


def _message(error: Any) -> str:
    """What was expected, in plain words."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == "string_type" and isinstance(error["input"], int | float):
        return f'expected a text: write "{error["input"]}"'
    if kind == "literal_error":
        return f"expected {context['expected']}"
    if kind == "greater_than_equal":
        return f"expected {context['ge']:g} or more"
    if kind == "greater_than":
        return f"expected more than {context['gt']:g}"
    if kind == "too_long":
        return f"expected at most {context['max_length']} items"
    if kind == "string_too_long":
        return f"expected at most {context['max_length']} characters"
    if kind == "string_pattern_mismatch":
        pattern = context["pattern"]
        return "expected a text that is not empty" if pattern == r"\S" else f"expected a text like {pattern}"
    return _EXPECTED.get(kind) or str(error["msg"]).removeprefix("Value error, ")


def _existing(document: Document, path: Path) -> Path:
    """A path without what is not in the document: the ends of unions, and missing keys."""
    while path and path not in document.keys and path not in document.values:
        path = path[:-1]
    return path

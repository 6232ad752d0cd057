"""YAML files as dataclasses, which pydantic validates. Every error has file, line and column."""

from __future__ import annotations

import json
import os
import re
import stat
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from copy import deepcopy
from dataclasses import fields
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from ..errors import PolicyError, SettingsError
from .model import PATTERNS
from .registry import suggestion
from .yaml_marks import MAX_BYTES, Document, Errors, Path

_QUOTED = re.compile("'([^']*)'")
_MISSING = ("missing", "missing_argument", "missing_keyword_only_argument")
_UNKNOWN_KEY = ("unexpected_keyword_argument", "extra_forbidden")
_EXPECTED = {
    "string_type": "expected a string",
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
_MAX_COMPARED = 10  # unknown keys, with a missing one
Model = TypeVar("Model")
Shape = tuple[str | type[int], ...]  # of a path: `int` for each number


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
    try:
        return _parsed(value, model)
    except ValidationError as error:
        errors = error.errors(include_url=False)
    _check(document, path, value, errors, model, nested)
    raise AssertionError("no error of pydantic is left")


def _parsed(value: Any, model: type[Model]) -> Model:
    adapter: TypeAdapter[Model] = _adapter(cast("Hashable", model))
    # JSON in between: there a list is a tuple, but a text is not a number.
    return adapter.validate_json(json.dumps(value), strict=True)


def _check(
    document: Document, path: Path, value: Any, errors: Sequence[Any], model: type[Any], nested: Mapping[str, type[Any]]
) -> None:
    """Raise PolicyError with the errors of pydantic about the value at a path, if there are any."""
    found = Errors()
    for each in errors:
        if each["type"] not in _MISSING:
            found.add(_error(document, path, _path_of(value, each), each, model, nested))
    for loc, names in _missing(errors).items():
        at = (*path, *loc)
        found.add(document.error(at, f"{'.'.join((*map(str, at), ', '.join(names)))}: missing"))
    found.check()
    raise AssertionError("no error of pydantic is left")


def _missing(errors: Sequence[Any]) -> dict[Path, list[str]]:
    """The missing keys, by the path above them, but for those of which an unknown key may be a misspelling."""
    unknown: dict[Path, list[str]] = defaultdict(list)
    for each in errors:
        if each["type"] in _UNKNOWN_KEY:
            unknown[tuple(each["loc"][:-1])].append(str(each["loc"][-1]))
    missing: dict[Path, list[str]] = defaultdict(list)
    for *above, last in (each["loc"] for each in errors if each["type"] in _MISSING):
        name = str(last)  # a number in a list that is too short
        if not any(suggestion(given, [name]) for given in unknown[tuple(above)][:_MAX_COMPARED]):
            missing[tuple(above)].append(name)
    return missing


def valid_parts(
    document: Document,
    model: type[Model],
    nested: Mapping[str, type[Any]],
    placeholders: Mapping[Shape, Any],
    errors: Errors,
) -> Model:
    """A document as a dataclass. Errors of invalid values are added; those values are left out.

    Where one is required, or an item of a list, it is replaced: `placeholders` has valid values by the shapes of their
    paths; for other items, the empty text is valid.
    """
    try:
        return _parsed(document.value, model)
    except ValidationError as error:
        invalid = error.errors(include_url=False)
    with errors.caught():
        _check(document, (), document.value, invalid, model, nested)
    if not isinstance(document.value, dict):
        errors.check()
    value = deepcopy(document.value)
    for path in [_path_of(value, each) for each in invalid]:
        _repair(value, path, placeholders)
    return _parsed(value, model)


def _path_of(value: Any, error: Any) -> tuple[Any, ...]:
    """The path that an error is about, also of a missing key."""
    at, path = value, []
    for step in error["loc"]:
        if at == error["input"]:  # what follows is the name of a type of a union, or of the missing key
            break
        at = at[step]
        path.append(step)
    return (*path, *(error["loc"][-1:] if error["type"] in _MISSING else ()))


def _repair(value: Any, path: tuple[Any, ...], placeholders: Mapping[Shape, Any]) -> None:
    """Replace what is at a path, or remove it from its mapping; not if an error above it has removed it."""
    *above, name = path
    at = value
    for step in above:
        at = at.get(step) if isinstance(at, dict) else at[step] if isinstance(at, list) else None
    shape = tuple(int if isinstance(step, int) else step for step in path)
    if isinstance(at, dict) and shape not in placeholders:
        at.pop(name, None)
    elif isinstance(at, dict | list):
        at[name] = deepcopy(placeholders.get(shape, ""))


def _error(
    document: Document,
    path: Path,
    loc: tuple[Any, ...],
    first: Any,
    model: type[Any],
    nested: Mapping[str, type[Any]],
) -> PolicyError:
    at = (*path, *loc)
    name = ".".join(map(str, at))
    prefix = f"{name}: " if name else ""
    if first["type"] in _UNKNOWN_KEY:
        owners = [nested[name] for name in loc[:-1] if name in nested]
        known = [each.name for each in fields(owners[-1] if owners else model)]
        unknown = str(loc[-1])
        message = f"{prefix}unknown; expected {', '.join(known)}{suggestion(unknown, known)}"
        return document.error(at, message, at_key=True)
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
        return f'expected a string: write "{error["input"]}"'
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
        return f"expected {PATTERNS[context['pattern']]}"
    return _EXPECTED.get(kind) or str(error["msg"]).removeprefix("Value error, ")

"""Conditions of policies: trees of tests of fields, from YAML, and their evaluation on inspections.

Every test is true or false. A missing value equals nothing but `null`: it fails all tests but `null` and `ne`. NaN is a
missing value. A test of a field of parts or channels holds if it does for one of them: of those of the part that the
condition is about, else of the whole file. `conditions_sql.py` has the same meaning for rows of a catalog.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeAlias

from ..exr import split_name
from ..inspection.model import Inspection, PartFacts
from ..sources.uris import display_path
from .condition_fields import FIELDS, TEMPLATE_FIELDS, Field
from .registry import suggestion
from .rule import matches_any, path_expression
from .yaml_marks import Document, Errors, Path

Value: TypeAlias = str | int | float | bool | None
Predicate: TypeAlias = Callable[[Inspection, PartFacts | None], bool]  # without a part: on the file

MAX_DEPTH = 8
MAX_TESTS = 100  # in a condition
MAX_VALUES = 1000  # in all tests of a condition
_MAX_TEXT = {"text": 200, "path": 1000}  # patterns among them have a bounded cost
_GROUPS = ("all", "any")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}
OPERATORS = {
    "path": ("ne", "glob"),
    "text": ("ne", "glob"),
    "integer": (*_COMPARE, "ne"),
    "number": (*_COMPARE, "ne"),
    "flag": ("ne",),
}
_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "path": ((str,), "a string"),
    "text": ((str,), "a string"),
    "integer": ((int,), "an integer"),
    "number": ((int, float), "a number"),
    "flag": ((bool,), "true or false"),
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """A test of one value: whether it is `in` or not in (`ne`) several, or is less or greater than one."""

    operator: Literal["in", "ne", "lt", "le", "gt", "ge"]
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Test:
    """A test of a field: a value of it passes all checks."""

    field: str
    checks: tuple[Comparison, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Several conditions, of which all or any must hold."""

    operator: Literal["all", "any"]
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """A condition that must not hold."""

    condition: Condition


Condition: TypeAlias = Test | Group | Not


def parse_condition(document: Document, path: Path, value: Any) -> Condition:
    """The condition at a path of a document. Raises PolicyError with all errors."""
    errors = Errors()
    condition = _parsed(document, path, value, 1, errors)
    errors.check()
    tests = list(tests_of(condition))
    values = sum(len(check.values) for test in tests for check in test.checks)
    for count, most, noun in ((len(tests), MAX_TESTS, "tests"), (values, MAX_VALUES, "values")):
        if count > most:
            raise document.error(path, f"{_name(path)}: more than {most} {noun}")
    return condition


def tests_of(condition: Condition) -> Iterator[Test]:
    """All tests in a condition."""
    if isinstance(condition, Test):
        yield condition
    elif isinstance(condition, Not):
        yield from tests_of(condition.condition)
    else:
        for each in condition.conditions:
            yield from tests_of(each)


def _name(path: Path) -> str:
    return ".".join(map(str, path))


def _parsed(document: Document, path: Path, value: Any, depth: int, errors: Errors) -> Condition:
    """A condition without the entries that are invalid, whose errors are added."""
    if depth > MAX_DEPTH:
        raise document.error(path, f"{_name(path)}: nested more than {MAX_DEPTH} levels deep")
    if not isinstance(value, dict):
        raise document.error(path, f"{_name(path)}: expected keys with values")
    conditions = []
    for key, item in value.items():
        with errors.caught():
            conditions.append(_entry(document, (*path, key), key, item, depth, errors))
    return conditions[0] if len(conditions) == 1 else Group("all", tuple(conditions))


def _entry(document: Document, path: Path, key: str, value: Any, depth: int, errors: Errors) -> Condition:
    """The condition of one key: of a group, or of a field."""
    if key == "not":
        return Not(_parsed(document, path, value, depth + 1, errors))
    if key in _GROUPS:
        if not isinstance(value, list) or not value:
            raise document.error(path, f"{_name(path)}: expected a list of conditions")
        parts = []
        for number, item in enumerate(value):
            with errors.caught():
                parts.append(_parsed(document, (*path, number), item, depth + 1, errors))
        return Group("all" if key == "all" else "any", tuple(parts))
    field = FIELDS.get(key)
    if field is None:
        known = [*_GROUPS, "not", *FIELDS]
        hint = suggestion(key, known) or f"; expected {', '.join(known)}"
        raise document.error(path, f"{_name(path)}: unknown{hint}", at_key=True)
    return Test(field.name, tuple(_checks(document, path, field, value, errors)))


def _checks(document: Document, path: Path, field: Field, value: Any, errors: Errors) -> Iterator[Comparison]:
    if not isinstance(value, dict):
        yield Comparison("in", _values(document, path, field, value, errors))
        return
    if not value:
        raise document.error(path, f"{_name(path)}: expected {', '.join(OPERATORS[field.kind])}")
    for key, item in value.items():
        with errors.caught():
            yield _operation(document, (*path, key), field, key, item, errors)


def _operation(document: Document, path: Path, field: Field, key: str, value: Any, errors: Errors) -> Comparison:
    """The check of one operator and its value."""
    if key not in OPERATORS[field.kind]:
        expected = f"unknown; expected {', '.join(OPERATORS[field.kind])}"
        raise document.error(path, f"{_name(path)}: {expected}", at_key=True)
    if key == "ne":
        return Comparison("ne", _values(document, path, field, value, errors))
    of_one = (_value(document, path, field, value),)
    return Comparison("in" if key == "glob" else key, of_one)  # type: ignore[arg-type]


def _values(document: Document, path: Path, field: Field, value: Any, errors: Errors) -> tuple[Value, ...]:
    """A value, null, or a list of them."""
    if value == []:
        raise document.error(path, f"{_name(path)}: expected a value")
    items = [((*path, n), item) for n, item in enumerate(value)] if isinstance(value, list) else [(path, value)]
    values: list[Value] = []
    for at, item in items:
        with errors.caught():
            values.append(None if item is None else _value(document, at, field, item))
    return tuple(values)


def _value(document: Document, path: Path, field: Field, value: Any) -> Value:
    types, expected = _TYPES[field.kind]
    is_given = isinstance(value, types)
    if not is_given or (isinstance(value, bool) and field.kind != "flag"):
        raise document.error(path, f"{_name(path)}: expected {expected}")
    if isinstance(value, str) and len(value) > (longest := _MAX_TEXT[field.kind]):
        raise document.error(path, f"{_name(path)}: expected at most {longest} characters")
    if field.values and not any(matches_any((value,), known) for known in field.values):
        expected = f"expected {', '.join(field.values)}{suggestion(value, field.values)}"
        raise document.error(path, f"{_name(path)}: {expected}")
    given: Value = float(value) if field.kind == "number" else value
    return given


def predicate(condition: Condition, path_template: str) -> Predicate:
    """Whether a condition holds for a part of an inspection, or for the file."""
    if isinstance(condition, Test):
        return _of_test(condition, path_template)
    if isinstance(condition, Not):
        inner = predicate(condition.condition, path_template)
        return lambda inspection, part: not inner(inspection, part)
    members = tuple(predicate(each, path_template) for each in condition.conditions)
    if condition.operator == "all":
        return lambda inspection, part: all(member(inspection, part) for member in members)
    return lambda inspection, part: any(member(inspection, part) for member in members)


def _of_test(test: Test, path_template: str) -> Predicate:
    values, passes = reader(FIELDS[test.field], path_template), _passes(FIELDS[test.field], test.checks)
    return lambda inspection, part: any(map(passes, values(inspection, part)))


def reader(field: Field, path_template: str) -> Callable[[Inspection, PartFacts | None], Iterable[Any]]:
    """The values of a field: of a part, if one is given, else of the file."""
    if field.table == "files":
        of_file = _file_reader(field, path_template)
        return lambda inspection, _: (of_file(inspection),)
    of_part = operator.attrgetter(field.column)
    if field.table == "parts":
        return lambda inspection, part: map(of_part, inspection.parts if part is None else (part,))
    column = _layer if field.name == "layer" else of_part
    return lambda inspection, part: (
        column(channel) for each in (inspection.parts if part is None else (part,)) for channel in each.channels
    )


def _layer(channel: Any) -> str | None:
    return split_name(channel.channel_name)[0] or None


def _file_reader(field: Field, path_template: str) -> Callable[[Inspection], Any]:
    if field.name == "path":
        return lambda inspection: display_path(inspection.file.file_path_normalized)
    if field.name == "sequence":  # a pattern with a frame matches the paths of all frames
        return lambda inspection: inspection.file.sequence and display_path(inspection.file.file_path_normalized)
    if field.name in TEMPLATE_FIELDS:
        expression = template_expressions(path_template)[field.name]

        def of_path(inspection: Inspection) -> str | None:
            match = expression.search(inspection.file.file_path_normalized)
            return match[1] or None if match else None

        return of_path
    column = operator.attrgetter(field.column)
    return lambda inspection: column(inspection.file)


@cache
def template_expressions(path_template: str) -> Mapping[str, re.Pattern[str]]:
    """What finds each field of the path template in a URI. Raises SettingsError."""
    from ..catalog.queries.path_template import field_patterns

    return {field: re.compile(text.removesuffix("$") + r"\Z") for field, text in field_patterns(path_template).items()}


def _passes(field: Field, checks: tuple[Comparison, ...]) -> Callable[[Any], bool]:
    members = tuple(_check(field, check) for check in checks)
    if len(members) == 1:
        return members[0]
    return lambda value: all(passes(value) for passes in members)


def _check(field: Field, check: Comparison) -> Callable[[Any], bool]:
    if check.operator in ("in", "ne"):
        is_in = _is_in(field, check.values)
        return is_in if check.operator == "in" else lambda value: not is_in(value)
    compare, (limit,) = _COMPARE[check.operator], check.values
    return lambda value: not _is_missing(value) and compare(value, limit)


def _is_in(field: Field, values: tuple[Value, ...]) -> Callable[[Any], bool]:
    has_null, given = None in values, tuple(value for value in values if value is not None)
    if field.kind == "text":
        globs = tuple(map(str, given))
        return lambda value: has_null if value is None else matches_any(globs, value)
    if field.kind == "path":
        expressions = [path_expression(str(value)) for value in given]
        return lambda value: has_null if value is None else any(each.fullmatch(value) for each in expressions)
    return lambda value: has_null if _is_missing(value) else value in given


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))

"""Conditions as SQL of DuckDB on a catalog, with the meaning of `conditions.py`. No part of it is ever NULL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..catalog.queries.path_template import field_patterns
from ..frames.patterns import re2_expression as of_paths
from ..sources.uris import has_scheme, normalize_path
from .condition_fields import FIELDS, TEMPLATE_FIELDS, Field
from .conditions import Comparison, Condition, Not, Test, Value
from .globs import re2_expression as of_texts
from .model import CustomRule

_LOCAL = normalize_path("/").removesuffix("/")
# As display_path() does: a local path without its scheme, unless it has bytes that are not UTF-8.
_PATH = f"""if(starts_with(files.file_path_normalized, '{_LOCAL}')
        AND NOT regexp_matches(files.file_path_normalized, '%[89A-F][0-9A-F]'),
    regexp_replace(substr(files.file_path_normalized, {len(_LOCAL) + 1}), '%25([0-9A-Fa-f]{{2}})', '%\\1', 'g'),
    files.file_path_normalized)"""
_COMPARE = {"lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_OF_FILE = {
    "parts": "EXISTS (SELECT 1 FROM parts WHERE parts.file_id = files.file_id AND {test})",
    "channels": "EXISTS (SELECT 1 FROM channels WHERE channels.file_id = files.file_id AND {test})",
}
_OF_PART = {
    "channels": "EXISTS (SELECT 1 FROM channels WHERE channels.file_id = files.file_id "
    "AND channels.part_index = parts.part_index AND {test})",
}

Bind = Callable[[Any], str]


@dataclass(slots=True)
class SqlConditions:
    """Conditions in SQL, and their parameters."""

    path_template: str
    parameters: dict[str, Any] = field(default_factory=dict)

    def holds(self, condition: Condition, *, of_part: bool = False) -> str:
        """Whether a condition holds for a row of `files`, with one of `parts` if it is `of_part`."""
        return _sql(condition, self.path_template, _OF_PART if of_part else _OF_FILE, self._bind)

    def is_violated(self, rule: CustomRule) -> str:
        """Whether a row of `files` violates a rule of a policy."""
        of_part = rule.scope == "part"
        applies = "true" if rule.when is None else self.holds(rule.when, of_part=of_part)
        violated = f"{applies} AND NOT {self.holds(rule.require, of_part=of_part)}"
        return _OF_FILE["parts"].format(test=violated) if of_part else f"({violated})"

    def _bind(self, value: Any) -> str:
        name = f"condition_{len(self.parameters) + 1}"
        self.parameters[name] = value
        return f"${name}"


def _sql(condition: Condition, path_template: str, quantifiers: Mapping[str, str], bind: Bind) -> str:
    if isinstance(condition, Test):
        tested = FIELDS[condition.field]
        column = _column(tested, path_template, bind)
        checks = " AND ".join(_check(tested, column, check, bind) for check in condition.checks)
        return f"({quantifiers.get(tested.table, '{test}').format(test=checks)})"
    if isinstance(condition, Not):
        return f"(NOT {_sql(condition.condition, path_template, quantifiers, bind)})"
    members = [_sql(each, path_template, quantifiers, bind) for each in condition.conditions]
    neutral, word = ("true", " AND ") if condition.operator == "all" else ("false", " OR ")
    return f"({word.join(members) or neutral})"


def _column(field: Field, path_template: str, bind: Bind) -> str:
    if field.name == "path":
        return _PATH
    if field.name == "sequence":
        return f"if(files.sequence IS NULL, NULL, {_PATH})"
    if field.name in TEMPLATE_FIELDS:
        pattern = bind(field_patterns(path_template)[field.name])
        return f"nullif(regexp_extract(files.file_path_normalized, {pattern}, 1), '')"
    column = f'{field.table}."{field.column}"'
    if field.name == "layer":
        return f"nullif({column}, '')"
    return f"nullif({column}, 'NaN'::DOUBLE)" if field.kind == "number" else column


def _check(field: Field, column: str, check: Comparison, bind: Bind) -> str:
    if check.operator == "in":
        return _is_in(field, column, check.values, bind)
    if check.operator == "ne":
        return f"(NOT {_is_in(field, column, check.values, bind)})"
    return f"coalesce({column} {_COMPARE[check.operator]} {bind(check.values[0])}, false)"


def _is_in(field: Field, column: str, values: tuple[Value, ...], bind: Bind) -> str:
    has_null, given = None in values, [value for value in values if value is not None]
    tests = [f"{column} IS NULL"] if has_null else []
    if given and field.kind in ("text", "path"):
        texts = list(map(str, given))
        expression = of_texts(texts) if field.kind == "text" else "|".join(map(_of_path, texts))
        tests.append(f"coalesce(regexp_full_match({column}, {bind(expression)}), false)")
    elif given:
        tests.append(f"coalesce({column} IN ({', '.join(map(bind, given))}), false)")
    return f"({' OR '.join(tests)})"


def _of_path(pattern: str) -> str:
    """As `path_expression`."""
    expression = of_paths(pattern)
    return expression if pattern.startswith("/") or has_scheme(pattern) else f"(?:.*/)?{expression}"

"""Named queries: SQL files with a comment at the head that declares title, question and parameters.

    -- title: Storage by show and layer
    -- question: Which shows and layers take how much storage?
    -- empty: message for a result without rows
    -- note: the meaning of a column with an unclear name (optional, repeatable)
    -- completed: how the function in `computed.py` changes the rows (only for a query that has one, repeatable)
    -- param path text = *: one line per parameter; a parameter without default is required

Parameters are bound, not spliced into the SQL. Kinds: text, integer, number, timestamp, list (separated by commas),
template (a path template, with fields such as `$template.show` in SQL), or a choice such as `a|b`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timezone
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from ...errors import SettingsError
from ...settings import PATH_TEMPLATE
from .computed import COMPLETIONS
from .path_template import field_patterns

if TYPE_CHECKING:
    import pyarrow as pa

    from ..protocol import Catalog

_HEAD = re.compile(r"-- (title|question|empty|note|completed): (.+)")
_PARAMETER = re.compile(r"-- param (\w+) ([\w|]+)(?: (=) ?(.*?))?: (.+)")
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of a named query."""

    name: str
    kind: str
    default: str | None  # None for a required parameter
    meaning: str

    def value(self, text: str) -> Any:
        """The value to bind, converted from text. Raises SettingsError for text of another kind."""
        if "|" in self.kind:
            if text in self.kind.split("|"):
                return text
            raise SettingsError(f"parameter {self.name}: {text!r} is not one of {self.kind.replace('|', ', ')}")
        try:
            return _KINDS[self.kind](text)
        except (ValueError, OverflowError):
            raise SettingsError(f"parameter {self.name}: {text!r} is not of the kind {self.kind}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedQuery:
    """A question that every catalog can answer."""

    name: str
    title: str
    question: str
    empty: str  # the message for a result without rows
    note: str  # the meaning of its columns, where names are unclear
    completed: str  # how Python changes the rows of the SQL; empty if they are the result
    parameters: tuple[Parameter, ...]
    sql: str

    def bind(self, given: Mapping[str, str], *, path_template: str = PATH_TEMPLATE) -> dict[str, Any]:
        """The value of each parameter, converted from text; `path_template` replaces empty templates.

        Raises SettingsError, which names the parameter.
        """
        known = {parameter.name for parameter in self.parameters}
        for name in given:
            if name not in known:
                raise SettingsError(f"{self.name} has no parameter {name!r}; it has {', '.join(sorted(known))}")
        missing = [p.name for p in self.parameters if p.default is None and p.name not in given]
        if missing:
            raise SettingsError(f"{self.name} needs a value for {', '.join(missing)}")
        texts = {p.name: given.get(p.name, p.default or "") for p in self.parameters}
        return {
            p.name: p.value(texts[p.name] or path_template if p.kind == "template" else texts[p.name])
            for p in self.parameters
        }

    def run(self, catalog: Catalog, given: Mapping[str, str], *, path_template: str = PATH_TEMPLATE) -> pa.Table:
        """The result of the query. Raises SettingsError for invalid parameters, and the errors of Catalog.sql."""
        return self.run_bound(catalog, self.bind(given, path_template=path_template))

    def run_bound(self, catalog: Catalog, values: Mapping[str, Any]) -> pa.Table:
        """The result of the query with the values of `bind`. Raises the errors of Catalog.sql."""
        rows = catalog.sql(self.sql, values)
        return COMPLETIONS[self.name](rows) if self.completed else rows


@cache
def named_queries() -> dict[str, NamedQuery]:
    """All named queries by name, in alphabetical order."""
    folder = resources.files(__package__)
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return {query.name: query for query in (_parse(f.name.removesuffix(".sql"), f.read_text("utf-8")) for f in files)}


def named_query(name: str) -> NamedQuery:
    """The query of a name. Raises SettingsError, listing the names."""
    try:
        return named_queries()[name]
    except KeyError:
        raise SettingsError(f"unknown report {name!r}; the reports are {', '.join(named_queries())}") from None


def as_arrow(queries: Iterable[NamedQuery]) -> pa.Table:
    """The queries as an Arrow table; parameters as lists of structs."""
    import pyarrow as pa

    text = ("name", "title", "question", "empty", "note")
    parameter = pa.struct([(field.name, pa.string()) for field in fields(Parameter)])
    schema = pa.schema([*((name, pa.string()) for name in text), ("parameters", pa.list_(parameter))])
    return pa.Table.from_pylist([asdict(query) for query in queries], schema)


def _parse(name: str, text: str) -> NamedQuery:
    head: dict[str, str] = {}
    parameters: list[Parameter] = []
    for line in text.splitlines():
        if match := _HEAD.fullmatch(line):
            head[match[1]] = f"{head.get(match[1], '')} {match[2]}".lstrip()
        elif match := _PARAMETER.fullmatch(line):
            default = match[4] if match[3] else None
            parameters.append(Parameter(name=match[1], kind=match[2], default=default, meaning=match[5]))
        else:
            break
    return NamedQuery(
        name=name,
        title=head["title"],
        question=head["question"],
        empty=head["empty"],
        note=head.get("note", ""),
        completed=head.get("completed", ""),
        parameters=tuple(parameters),
        sql=text,
    )


def _integer(text: str) -> int:
    number = int(text)
    if abs(number) > _LARGEST:
        raise OverflowError
    return number


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError
    return number


def _timestamp(text: str) -> datetime:
    """The time in UTC without a zone, as in the tables."""
    moment = datetime.now(timezone.utc) if text == "now" else datetime.fromisoformat(text.replace("Z", "+00:00"))
    return moment if moment.tzinfo is None else moment.astimezone(timezone.utc).replace(tzinfo=None)


def _list(text: str) -> list[str]:
    return [item for item in map(str.strip, text.split(",")) if item]


_KINDS: dict[str, Callable[[str], Any]] = {
    "text": str,
    "integer": _integer,
    "number": _number,
    "timestamp": _timestamp,
    "list": _list,
    "template": field_patterns,
}

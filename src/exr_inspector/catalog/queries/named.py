"""Named queries: SQL files with a comment at the head that declares title, question and parameters.

    -- title: Storage by show and layer
    -- question: Which shows and layers take how much storage?
    -- empty: message for a result without rows
    -- note: the meaning of a column with an unclear name (optional, repeatable)
    -- completed: how the function in `computed.py` changes the rows (only for a query that has one, repeatable)
    -- param path path = *: one line per parameter, see `parameters.py`

Parameters are bound, not spliced into the SQL. Folders of users have queries of the same form.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ...defaults import PATH_TEMPLATE
from ...errors import SettingsError
from .computed import COMPLETIONS
from .parameters import Parameter, bind, declared_parameters, head_lines

if TYPE_CHECKING:
    import pyarrow as pa

    from ..protocol import Catalog

_HEAD = re.compile(r"-- (title|question|empty|note|completed): (.+)")
_REQUIRED = ("title", "question", "empty")


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
        return bind(self.name, self.parameters, given, path_template=path_template)

    def run(self, catalog: Catalog, given: Mapping[str, str], *, path_template: str = PATH_TEMPLATE) -> pa.Table:
        """The result of the query. Raises SettingsError for invalid parameters, and the errors of Catalog.sql."""
        return self.run_bound(catalog, self.bind(given, path_template=path_template))

    def run_bound(self, catalog: Catalog, values: Mapping[str, Any]) -> pa.Table:
        """The result of the query with the values of `bind`. Raises the errors of Catalog.sql."""
        rows = catalog.sql(self.sql, values)
        return COMPLETIONS[self.name](rows) if self.name in COMPLETIONS else rows


@cache
def named_queries() -> dict[str, NamedQuery]:
    """The named queries of this package by name, in alphabetical order."""
    folder = resources.files(__package__)
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return {query.name: query for query in (_parse(f.name.removesuffix(".sql"), f.read_text("utf-8")) for f in files)}


def own_queries(folder: str) -> tuple[dict[str, NamedQuery], dict[str, SettingsError]]:
    """The queries in the .sql files of a folder, and an error for each invalid file, by name in alphabetical order.

    Raises SettingsError if the folder cannot be read.
    """
    queries: dict[str, NamedQuery] = {}
    errors: dict[str, SettingsError] = {}
    try:
        paths = sorted(path for path in Path(folder).iterdir() if path.suffix == ".sql" and path.is_file())
    except OSError as error:
        raise SettingsError(f"{folder}: {error.strerror}; expected a folder with reports") from None
    for path in paths:
        try:
            if path.stem in named_queries():
                raise ValueError("the program has a report of this name; rename the file")
            queries[path.stem] = _parse(path.stem, path.read_text("utf-8-sig"))
        except OSError as error:
            errors[path.stem] = SettingsError(f"{path}: {error.strerror}")
        except ValueError as error:
            errors[path.stem] = SettingsError(f"{path}: {error}")
    return queries, errors


def named_query(name: str, own: Mapping[str, NamedQuery] = MappingProxyType({})) -> NamedQuery:
    """The query of a name, of this package or an own one. Raises SettingsError, listing the names."""
    queries = {**named_queries(), **own}
    try:
        return queries[name]
    except KeyError:
        closest = get_close_matches(name[:100], queries, n=1)
        hint = f"; did you mean {closest[0]}?" if closest else ""
        raise SettingsError(f"unknown report {name!r}{hint}; the reports are {', '.join(queries)}") from None


def as_arrow(queries: Iterable[NamedQuery]) -> pa.Table:
    """The queries as an Arrow table; parameters as lists of structs."""
    import pyarrow as pa

    text = ("name", "title", "question", "empty", "note")
    parameter = pa.struct([(field.name, pa.string()) for field in fields(Parameter)])
    schema = pa.schema([*((name, pa.string()) for name in text), ("parameters", pa.list_(parameter))])
    return pa.Table.from_pylist([asdict(query) for query in queries], schema)


def _parse(name: str, text: str) -> NamedQuery:
    """The query of a file. Raises ValueError for an invalid head."""
    head: dict[str, str] = {}
    for line in head_lines(text):
        if match := _HEAD.fullmatch(line):
            head[match[1]] = f"{head.get(match[1], '')} {match[2]}".lstrip()
    missing = [f"-- {key}: …" for key in _REQUIRED if key not in head]
    if missing:
        raise ValueError(f"its first lines lack {', '.join(missing)}")
    return NamedQuery(
        name=name,
        title=head["title"],
        question=head["question"],
        empty=head["empty"],
        note=head.get("note", ""),
        completed=head.get("completed", ""),
        parameters=declared_parameters(text),
        sql=text,
    )

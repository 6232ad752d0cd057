"""SQL on tables of a database that can only stream columns of one table under simple conditions.

An embedded DuckDB with the same tables, empty at first, plans the query. The plan says which columns it reads, and
which rows it has no use for; those columns of the other rows are fetched into it, and there the query runs. DuckDB
applies every condition again, so one that is not understood costs time and never a row.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import duckdb
import pyarrow as pa

from ...errors import QueryError
from ...settings import settings
from ..duckdb.errors import as_query_error
from ..duckdb.statements import sql_type
from ..schema import TABLES, TIME

_THREADS = 2  # each needs some of the memory; what takes the time is fetching

# These would conclude from empty tables that there is nothing to read, or hide a list of values in a join.
_MISLED_OPTIMIZERS = "statistics_propagation,empty_result_pullup,in_clause"

_LARGEST_INT = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What a row must fulfil; `value` is a tuple of texts for `in`.

    Texts are compared for equality or by how they begin: their order is not the same everywhere.
    """

    column: str
    operator: Literal["=", "<", "<=", ">", ">=", "in", "starts_with"]
    value: str | int | datetime | tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What a query needs of a table: these columns of the rows that fulfil all conditions."""

    table: str
    columns: tuple[str, ...]
    conditions: tuple[Condition, ...] = ()


Fetch = Callable[[Scan], Iterable[pa.RecordBatch]]  # may give rows that do not fulfil the conditions


def run(query: str, params: Sequence[Any] | Mapping[str, Any] | None, fetch: Fetch) -> pa.Table:
    """The result of a query over the tables of the catalog, whose rows `fetch` gives.

    Memory is bounded but for the result. Raises QueryError, and whatever `fetch` raises.
    """
    with _database() as connection:
        with _query_errors():
            statement = _only_select(connection, query)
            given: Any = dict(params) if isinstance(params, Mapping) else None if params is None else list(params)
            scans = _scans(connection, statement, given)
        for scan in scans:
            for batch in fetch(scan):
                connection.register("incoming", batch)
                connection.execute(f"INSERT INTO {scan.table} BY NAME SELECT * FROM incoming").fetchall()  # noqa: S608
                connection.unregister("incoming")
        with _query_errors():
            return connection.sql(statement, params=given).to_arrow_table()


@contextmanager
def _database() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with the tables, empty, whose SQL reaches no file, network or Python variable."""
    with tempfile.TemporaryDirectory(prefix="exr-inspector-") as folder:
        config = {
            "python_enable_replacements": False,
            "memory_limit": f"{settings().query_memory_mb}MB",
            "threads": _THREADS,
            "temp_directory": folder,
        }
        connection = duckdb.connect(str(Path(folder) / "query.duckdb"), config=config)
        try:
            for setting in ("TimeZone = 'UTC'", "enable_external_access = false"):
                connection.execute(f"SET {setting}").fetchall()
            for table, schema in TABLES.items():
                columns = ", ".join(f'"{column.name}" {sql_type(column.type)}' for column in schema)
                connection.execute(f"CREATE TABLE {table} ({columns})").fetchall()
            yield connection
        finally:
            connection.close()


@contextmanager
def _query_errors() -> Iterator[None]:
    try:
        yield
    except duckdb.OutOfMemoryException as problem:
        raise QueryError(
            f"the query needs more memory than {settings().query_memory_mb} MB, even with what can be moved to disk; "
            "set EXR_INSPECTOR_QUERY_MEMORY_MB to more"
        ) from problem
    except duckdb.Error as problem:
        raise as_query_error(problem, Path()) from problem


def _only_select(connection: duckdb.DuckDBPyConnection, query: str) -> str:
    """The one statement that the query is. Raises QueryError for several, and for those which change something."""
    statements = connection.extract_statements(query)
    if len(statements) != 1:
        raise QueryError(f"{len(statements)} statements were given; give one query")
    if statements[0].type != duckdb.StatementType.SELECT:
        kind = statements[0].type.name
        raise QueryError(f"a query reads; this is a statement of the kind {kind}, and the catalog is opened read-only")
    return str(statements[0].query)


def _scans(connection: duckdb.DuckDBPyConnection, statement: str, params: Any) -> list[Scan]:
    """What the query needs of each table that it names."""
    connection.execute(f"SET disabled_optimizers = '{_MISLED_OPTIMIZERS}'").fetchall()
    ((_, plan),) = connection.execute(f"EXPLAIN (FORMAT JSON) {statement}", params).fetchall()
    connection.execute("RESET disabled_optimizers").fetchall()
    uses: dict[str, list[Scan]] = {name: [] for name in _tables_of(connection, statement)}
    for node in _nodes(json.loads(plan)):
        scan = _scan(node)
        if scan is not None:
            uses.setdefault(scan.table, []).append(scan)
    # A table that the plan does not read in a way that is understood is fetched whole.
    return [_union(found or [Scan(table=name, columns=tuple(TABLES[name].names))]) for name, found in uses.items()]


_NO_ROWS = re.compile(r"\s*(describe|desc|show)\b", re.IGNORECASE)


def _tables_of(connection: duckdb.DuckDBPyConnection, statement: str) -> set[str]:
    """The tables of the catalog that a query reads from, as its syntax tree says."""
    if _NO_ROWS.match(statement):
        return set()
    ((tree,),) = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [statement]).fetchall()
    # PIVOT and the like have no such tree; a word that only looks like a table costs a fetch that nobody needs.
    pattern, text = (r"\w+", statement) if '"error":true' in tree else (r'"table_name":"(\w+)"', tree)
    return {name.lower() for name in re.findall(pattern, text)}.intersection(TABLES)


def _nodes(nodes: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for node in nodes:
        yield node
        yield from _nodes(node.get("children", ()))


def _scan(node: dict[str, Any]) -> Scan | None:
    facts = node.get("extra_info", {})
    table = str(facts.get("Table", "")).rpartition(".")[2]
    if table not in TABLES or "SCAN" not in node["name"]:
        return None
    names = TABLES[table].names
    if "Projections" not in facts:
        return Scan(table=table, columns=tuple(names))
    projected = facts["Projections"]
    filters = facts.get("Filters", [])
    filters = [filters] if isinstance(filters, str) else filters
    words = set(re.findall(r"\w+", " ".join(filters)))
    wanted = words.union([projected] if isinstance(projected, str) else projected)
    return Scan(
        table=table,
        columns=tuple(name for name in names if name in wanted),
        conditions=tuple(filter(None, (_condition(table, text) for text in filters))),
    )


def _union(scans: list[Scan]) -> Scan:
    """One scan that serves all: the columns of any, under the conditions that every one of them has."""
    table = scans[0].table
    wanted = {column for scan in scans for column in scan.columns} or {_narrowest(table)}
    common = [c for c in scans[0].conditions if all(c in scan.conditions for scan in scans)]
    return Scan(
        table=table,
        columns=tuple(name for name in TABLES[table].names if name in wanted),
        conditions=tuple(common),
    )


def _narrowest(table: str) -> str:
    """The column to read where only the number of rows matters."""
    widths = {pa.bool_(): 0, pa.int64(): 1, TIME: 1}
    columns = sorted(TABLES[table], key=lambda column: (column.nullable, widths.get(column.type, 2)))
    return str(columns[0].name)


_COMPARISON = re.compile(r'"?(\w+)"? ?(=|<=|>=|<|>) ?(.+)', re.DOTALL)
_IN_LIST = re.compile(r'"?(\w+)"? IN \((.+)\)', re.DOTALL)
_TEXT = re.compile(r"'((?:[^']|'')*)'")
_TEXTS = re.compile(r"'(?:[^']|'')*'(?:, '(?:[^']|'')*')*")
# What DuckDB makes of LIKE 'x%', and DuckDB 2 of GLOB 'x*' and starts_with: a range from 'x' to what follows them all.
_BEGINNING = re.compile(r"\(?(\w+) ?>= ?('(?:[^']|'')+')\)? AND \(?\1 ?< ?('(?:[^']|'')+')\)?")
_INTEGER = re.compile(r"-?\d{1,19}")
_TIMESTAMP = re.compile(r"'(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?)'::TIMESTAMP")


def _condition(table: str, text: str) -> Condition | None:
    """What a filter of the plan says; None for what is not understood beyond doubt."""
    text = text.removeprefix("optional: ")  # the same condition stands above the scan
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1]
    if (found := _IN_LIST.fullmatch(text)) and _type(table, found[1]) == pa.string() and _TEXTS.fullmatch(found[2]):
        values = tuple(value.replace("''", "'") for value in _TEXT.findall(found[2]))
        return Condition(column=found[1], operator="in", value=values)
    if (found := _BEGINNING.fullmatch(text)) and _type(table, found[1]) == pa.string():
        first, after = (literal[1:-1].replace("''", "'") for literal in found.group(2, 3))
        is_next = after == first[:-1] + chr(ord(first[-1]) + 1)
        return Condition(column=found[1], operator="starts_with", value=first) if is_next else None
    found = _COMPARISON.fullmatch(text)
    if found is None:
        return None
    column, operator, literal = found[1], found[2], found[3]
    type_ = _type(table, column)
    value: str | int | datetime | None = None
    if type_ == pa.string() and operator == "=" and (match := _TEXT.fullmatch(literal)):
        value = match[1].replace("''", "'")
    elif type_ == pa.int64() and _INTEGER.fullmatch(literal) and abs(int(literal)) <= _LARGEST_INT:
        value = int(literal)
    elif type_ == TIME and (match := _TIMESTAMP.fullmatch(literal)):
        value = datetime.fromisoformat(match[1].ljust(26, "0") if "." in match[1] else match[1])
    return None if value is None else Condition(column=column, operator=operator, value=value)  # type: ignore[arg-type]


def _type(table: str, column: str) -> pa.DataType | None:
    return TABLES[table].field(column).type if column in TABLES[table].names else None

"""Checks SQL of users by its syntax tree: a query must be one that only reads, a condition one on columns of `files`.

The kind of a statement does not suffice: in DuckDB 2, `WITH d AS (DELETE …) SELECT …` is a SELECT.
"""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

import duckdb

from ..errors import QueryError
from . import sandbox
from .query_errors import as_query_error
from .schema import TABLES

if TYPE_CHECKING:
    import pyarrow as pa

_READING_NODES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})

# Others write the database file or profiles, read files, or run SQL given as text.
TABLE_FUNCTIONS = (
    "duckdb_columns", "duckdb_tables", "generate_series", "json_each", "json_tree", "pragma_table_info", "range",
    "repeat", "repeat_row", "unnest",
)  # fmt: skip

_BEFORE_CONDITION = "SELECT 1 FROM files WHERE "
_CONDITION_CLASSES = frozenset({"BETWEEN", "CAST", "COMPARISON", "CONJUNCTION", "CONSTANT", "TYPE"})
_CONDITION_OPERATORS = frozenset(
    {"COMPARE_IN", "COMPARE_NOT_IN", "OPERATOR_IS_NOT_NULL", "OPERATOR_IS_NULL", "OPERATOR_NOT"}
)
NAMED_FUNCTIONS = ("contains", "ends_with", "length", "lower", "now", "starts_with", "upper")
_CONDITION_FUNCTIONS = frozenset(
    {
        *NAMED_FUNCTIONS,
        *("+", "-", "*", "/", "//", "%", "||"),
        *("~~", "!~~", "~~*", "!~~*", "~~~", "^@"),  # LIKE, ILIKE, GLOB
        *("like_escape", "not_like_escape", "ilike_escape", "not_ilike_escape"),
        *("to_years", "to_months", "to_weeks", "to_days", "to_hours", "to_minutes", "to_seconds", "trunc"),  # INTERVAL
    }
)
_ALLOWED_IN_CONDITION = (
    "a condition may have columns of files, literals (text in single quotes), comparisons, AND, OR, NOT, IN (…), "
    "BETWEEN, LIKE, ILIKE, GLOB, IS NULL, CAST, + - * / %, INTERVAL, "
    f"and the functions {', '.join(NAMED_FUNCTIONS)}"
)
_NAMES = {"PARAMETER": "a parameter", "STAR": "*", "SUBQUERY": "a subquery", "WINDOW": "a window function"}
_NO_LOCATION = 2**64 - 1
# Types of DuckDB that Arrow, Python or Parquet does not have, or has without all values.
_UNKNOWN_TYPES = frozenset(
    {"bignum", "bit", "interval", "time with time zone", "time_ns", "timestamp_ns", "uhugeint", "union", "variant"}
)
_NESTED_TYPES = frozenset({"array", "list", "map", "struct", "tuple"})
_TICKS_PER_DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000}
_EPOCH = date(1970, 1, 1).toordinal()
# A day less than Python has at both ends, for time zones.
_FIRST_DAY, _DAY_AFTER_LAST = date.min.toordinal() + 1 - _EPOCH, date.max.toordinal() - _EPOCH
_ROWS_PER_BATCH = 8192  # Arrow counts the bytes of the texts in a batch with 31 bits


def checked_query(connection: duckdb.DuckDBPyConnection, query: str) -> str:
    """The one statement of a query that only reads. Raises QueryError for anything else."""
    _reject_invalid_text(query)
    try:
        statements = connection.extract_statements(query)
    except duckdb.Error as error:
        raise as_query_error(error) from error
    if len(statements) != 1:
        raise QueryError(f"{len(statements) or 'no'} statements; give one query")
    statement = str(statements[0].query)
    tree = _tree(connection, statement)
    if tree["error"]:
        raise QueryError(
            "not a query, and the catalog is read-only here; "
            "give a SELECT, WITH, FROM, VALUES, DESCRIBE, SHOW or SUMMARIZE statement"
        )
    for node in _nodes(tree["statements"]):
        type_ = node.get("type")
        if isinstance(type_, str) and type_.endswith("_NODE") and type_ not in _READING_NODES:
            raise QueryError(f"{type_.split('_')[0]} in a query, and the catalog is read-only here; leave it out")
        if type_ == "TABLE_FUNCTION" and node["function"]["function_name"].lower() not in TABLE_FUNCTIONS:
            raise QueryError(
                f"the table function {node['function']['function_name']} is not allowed; a query may read the tables "
                f"of the catalog, and {', '.join(TABLE_FUNCTIONS)}"
            )
    return statement


def tables_in(query: str) -> set[str]:
    """The tables that a query names, in lower case, without those of its WITH clauses; none if it is invalid.

    A table is named as well if a WITH clause of that name reads it.
    """
    with parser().cursor() as connection:
        tree = _tree(connection, query)
    clauses = [clause for node in _nodes(tree) for clause in (node.get("cte_map") or {}).get("map", ())]
    hidden = {clause["key"].lower() for clause in clauses if clause["key"].lower() not in _named(clause["value"])}
    return _named(tree) - hidden


def _named(tree: Any) -> set[str]:
    return {node["table_name"].lower() for node in _nodes(tree) if node.get("type") == "BASE_TABLE"}


def result_table(connection: duckdb.DuckDBPyConnection, statement: str, params: Any) -> pa.Table:
    """The rows of a checked query. Raises duckdb.Error; Ctrl-C ends the query.

    Of several columns with one name, as in a join with `*`, those after the first get a number: `file_id_1`. Columns
    with values that Python or Parquet cannot represent are text, as DuckDB prints them.
    """
    with ThreadPoolExecutor(1) as pool:  # as DuckDB runs most queries without regard to signals
        future = pool.submit(_rows, connection, statement, params)
        try:
            return future.result()
        finally:
            while not future.done():  # Ctrl-C: repeated, as the query may not have begun
                connection.interrupt()
                wait([future], timeout=0.1)


def _rows(connection: duckdb.DuckDBPyConnection, statement: str, params: Any) -> pa.Table:
    result = connection.sql(statement, params=params)
    if any(map(_has_unknown_type, result.types)):
        expressions = [
            f"CAST(#{number} AS VARCHAR) AS {_quoted(name)}" if _has_unknown_type(type_) else f"#{number}"
            for number, (name, type_) in enumerate(zip(result.columns, result.types, strict=True), 1)
        ]
        result = result.project(", ".join(expressions))
    table = result.to_arrow_table(_ROWS_PER_BATCH)
    table = table.rename_columns(list(_unique_names(table.column_names)))
    for number, (name, column) in enumerate(zip(table.column_names, table.columns, strict=True)):
        if any(map(_has_unknown_time, column.chunks)):
            with sandbox.connect() as text:
                (text_column,) = text.from_arrow(table.select([name])).project("CAST(#1 AS VARCHAR)").to_arrow_table()
            table = table.set_column(number, name, text_column)
    return table


def _has_unknown_type(type_: Any) -> bool:
    """Whether a type of DuckDB is, or contains, one that Arrow, Python or Parquet does not have."""
    if type_.id in _NESTED_TYPES:
        return any(_has_unknown_type(child) for _, child in type_.children if not isinstance(child, int))
    return type_.id in _UNKNOWN_TYPES


def _has_unknown_time(values: pa.Array) -> bool:
    """Whether values of Arrow are, or contain, times that Python does not have: infinite, or in another year."""
    import pyarrow as pa
    import pyarrow.compute as pc

    type_ = values.type
    if pa.types.is_struct(type_):
        return any(map(_has_unknown_time, values.flatten()))
    if pa.types.is_map(type_):
        return _has_unknown_time(values.keys) or _has_unknown_time(values.items)
    if pa.types.is_nested(type_):
        return _has_unknown_time(values.flatten())
    if not pa.types.is_timestamp(type_) and not pa.types.is_date(type_):
        return False
    per_day = 1 if pa.types.is_date(type_) else _TICKS_PER_DAY[type_.unit]
    extremes = pc.min_max(values.view(pa.int32() if pa.types.is_date(type_) else pa.int64())).as_py()
    least, most = extremes["min"], extremes["max"]
    return least is not None and not _FIRST_DAY * per_day <= least <= most < _DAY_AFTER_LAST * per_day


def _quoted(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))


def _unique_names(names: Sequence[str]) -> Iterator[str]:
    taken, seen = set(names), set[str]()
    numbers: dict[str, Iterator[int]] = defaultdict(lambda: itertools.count(1))
    for name in names:
        if name in seen:
            yield next(new for n in numbers[name] if (new := f"{name}_{n}") not in taken)
        else:
            seen.add(name)
            yield name


def checked_condition(where: str) -> str:
    """An SQL condition on the columns of `files`, in parentheses. Raises QueryError for anything else."""
    _reject_invalid_text(where)
    if not where.strip():
        raise QueryError(f"{where!r} is not a condition: it is empty; {_ALLOWED_IN_CONDITION}")
    condition = f"(\n{where}\n)"
    with parser().cursor() as connection:
        tree = _condition_tree(connection, where, where)
        _condition_tree(connection, condition, where)  # fails for an open comment, and a semicolon at the end
    for node in _nodes(tree):
        if rejected := _not_in_condition(node):
            raise QueryError(f"{where!r}: {rejected}{_position(node, where)} is not allowed; {_ALLOWED_IN_CONDITION}")
    return condition


def _condition_tree(connection: duckdb.DuckDBPyConnection, text: str, where: str) -> Any:
    """The syntax tree of a condition. Raises QueryError if it is not one, or continues with another clause."""
    tree, bare = _tree(connection, _BEFORE_CONDITION + text), _tree(connection, f"{_BEFORE_CONDITION}true")
    if tree["error"]:
        raise QueryError(f"{where!r} is not a condition: {tree['error_message']}")
    expected = bare["statements"][0]["node"]
    nodes = [statement["node"] for statement in tree["statements"]]
    expected["where_clause"] = nodes[0].get("where_clause")
    if nodes != [expected]:
        raise QueryError(f"{where!r} is more than a condition; {_ALLOWED_IN_CONDITION}")
    return expected["where_clause"]


def _not_in_condition(node: dict[str, Any]) -> str | None:
    """What a node of a condition is, if it is not allowed."""
    match node:
        case {"class": "COLUMN_REF", "column_names": [*table, name]}:
            is_known = table in ([], ["files"]) and name.lower() in TABLES["files"].names
            return None if is_known else f"the unknown column {'.'.join([*table, name])}"
        case {"class": "FUNCTION", "function_name": name}:
            return None if name.lower() in _CONDITION_FUNCTIONS else f"the function {name}"
        case {"class": "OPERATOR", "type": operator}:
            return None if operator in _CONDITION_OPERATORS else f"the operator {operator}"
        case {"class": kind}:
            return None if kind in _CONDITION_CLASSES else _NAMES.get(kind, kind)
    return None


def _position(node: dict[str, Any], where: str) -> str:
    location = node.get("query_location", _NO_LOCATION)
    if location == _NO_LOCATION:
        return ""
    before = where.encode()[: location - len(_BEFORE_CONDITION)]
    return f" at character {len(before.decode(errors='ignore')) + 1}"


def _reject_invalid_text(text: str) -> None:
    """Raise QueryError for characters that DuckDB takes for the end of the text, or cannot take."""
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise QueryError(f"{text!r} has a NUL character or a surrogate; give text without")


@cache
def parser() -> duckdb.DuckDBPyConnection:
    """An empty database that only parses, without threads of its own."""
    return sandbox.connect(settings={"threads": 1})


def _tree(connection: duckdb.DuckDBPyConnection, text: str) -> Any:
    """The syntax tree of a text: `statements`, or `error` if it has others than SELECT or is invalid."""
    try:
        ((tree,),) = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [text]).fetchall()
        return json.loads(tree)
    except duckdb.Error as error:
        raise as_query_error(error) from error
    except RecursionError:
        raise QueryError("the text is nested too deeply") from None


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """All objects of a syntax tree, those before in the text first."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(reversed(node.values()))
        elif isinstance(node, list):
            waiting.extend(reversed(node))

"""All rows of one file, found by its batch: DuckDB then reads few row groups, and no `file_id` of their other rows.

DuckDB takes more time to plan a query, by its number of columns, than to read the rows, and plans prepared statements
again. So each table is read by one short query that was parsed before, in a read-only catalog two at a time, and a few
rows are fetched as Python values, of which one array is built: returning them as Arrow, or building an array for each
column, takes longer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from ..results import has_results, newest
from ..schema import RESULT_TABLES, TABLES

if TYPE_CHECKING:
    import duckdb

Tables = dict[str, pa.Table]
Read = Callable[["duckdb.DuckDBPyConnection"], Tables]
_Row = Mapping[str, Any]  # also the parameters of a query

_FILLED = " UNION ALL ".join(f"(SELECT '{table}' FROM {table} LIMIT 1)" for table in RESULT_TABLES)  # noqa: S608
_EVALUATED = frozenset({"validations", "validation_results"})  # also without another inspection
_OWNER = ("file_id", "file_path", "batch_id")  # what child rows have from their file
_NOTHING: _Row = MappingProxyType({})
_EMPTY = {table: schema.empty_table() for table, schema in TABLES.items()}
_ROW_TYPES = {table: pa.struct(list(schema)) for table, schema in TABLES.items()}
_PARSED: dict[str, duckdb.Statement] = {}  # parsing takes a tenth of the time of a query


class _Condition(NamedTuple):
    sql: str
    params: _Row


def filled(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """The tables of results that have rows."""
    return frozenset(table for (table,) in connection.execute(_parsed(connection, _FILLED)).fetchall())


def rows_of(
    connection: duckdb.DuckDBPyConnection,
    path: str,
    filled: Collection[str],
    start: Callable[[Read], Callable[[], Tables]],
) -> Tables:
    """The rows of the current version at a normalized path, by table; nothing without one.

    Of the tables of results only those in `filled` are read. `start` begins to read some tables, with a connection to
    the same state of the catalog, and returns a function that waits for their rows.
    """
    files = _rows(connection, "files", _Condition("file_path_normalized = $path AND is_current", {"path": path}))
    if not files:
        return {}
    (file,) = files
    header = start(partial(_parts_and_attributes, file=file))
    channels = _own_rows(connection, "channels", file, file["channel_count"])
    stored_with = _of_file(file) if channels is None else _of_batch(file)
    results = {table: _results(connection, table, file, stored_with, filled) for table in RESULT_TABLES}
    if channels is None:
        channels = _rows(connection, "channels", stored_with)
    return {"files": _table("files", files), "channels": _table("channels", channels)} | header() | results


def _parts_and_attributes(connection: duckdb.DuckDBPyConnection, file: _Row) -> Tables:
    parts = _own_rows(connection, "parts", file, file["multipart_count"])
    if parts is None:
        parts, attributes = (_rows(connection, table, _of_file(file)) for table in ("parts", "attributes"))
    else:
        attributes = _rows(connection, "attributes", _of_batch(file), _owner(file))
    return {"parts": _table("parts", parts), "attributes": _table("attributes", attributes)}


def _own_rows(connection: duckdb.DuckDBPyConnection, table: str, file: _Row, count: int) -> list[dict[str, Any]] | None:
    """The rows of a file that has `count` of them; None if others have its batch, as in catalogs of older programs."""
    if file["batch_id"] is None:
        return None
    rows = _rows(connection, table, _of_batch(file), _owner(file), limit=count + 1)
    return rows if len(rows) == count else None


def _results(
    connection: duckdb.DuckDBPyConnection, table: str, file: _Row, stored_with: _Condition, filled: Collection[str]
) -> pa.Table:
    if table not in filled or not has_results(table, file["problem_severity"]):
        return _EMPTY[table]
    if table in _EVALUATED or file["last_inspected"] > file["inspection_timestamp"]:  # may have later results
        return newest(table, _table(table, _rows(connection, table, _since_batch(file))))
    rows = _rows(connection, table, stored_with)
    # results of two files can have one batch, if they were stored within the resolution of the clock
    return _table(table, [row for row in rows if row["file_id"] == file["file_id"]])


def _owner(file: _Row) -> _Row:
    return {name: file[name] for name in _OWNER}


def _of_batch(file: _Row) -> _Condition:
    return _Condition("batch_id = $batch", {"batch": file["batch_id"]})


def _of_file(file: _Row) -> _Condition:
    """Rows that were stored with a file that may share its batch, or, in catalogs of older programs, have none."""
    ids = {"batch": file["batch_id"], "file": file["file_id"]}
    return _Condition("batch_id IS NOT DISTINCT FROM $batch AND file_id = $file", ids)


def _since_batch(file: _Row) -> _Condition:
    """Rows of a file in its batch or a later one; reads all of these batches."""
    ids = {"batch": file["batch_id"], "file": file["file_id"]}
    return _Condition("(batch_id >= $batch OR $batch IS NULL) AND file_id = $file", ids)


def _rows(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    condition: _Condition,
    given: _Row = _NOTHING,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """The rows of a table that meet a condition; columns in `given` are not read, and have that value."""
    selected = f"SELECT * EXCLUDE ({', '.join(given)}) FROM" if given else "FROM"
    result = connection.execute(_parsed(connection, f"{selected} {table} WHERE {condition.sql}"), condition.params)
    names = [column[0] for column in result.description]
    rows = result.fetchall() if limit is None else result.fetchmany(limit)
    return [dict(zip(names, row, strict=True), **given) for row in rows]


def _parsed(connection: duckdb.DuckDBPyConnection, query: str) -> duckdb.Statement:
    if query not in _PARSED:
        (_PARSED[query],) = connection.extract_statements(query)
    return _PARSED[query]


def _table(table: str, rows: list[dict[str, Any]]) -> pa.Table:
    if not rows:
        return _EMPTY[table]
    return pa.Table.from_batches([pa.RecordBatch.from_struct_array(pa.array(rows, _ROW_TYPES[table]))])

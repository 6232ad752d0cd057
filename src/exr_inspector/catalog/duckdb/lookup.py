"""All rows of one file, found by its batch: DuckDB then reads few row groups, and no `file_id` of their other rows.

DuckDB takes more time to plan a query, by its number of columns, than to read the rows, and plans prepared statements
again. So each table is read by one short query that was parsed before, and a few rows are fetched as Python values, of
which one array is built: returning them as Arrow, or building an array for each column, takes longer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ..results import has_results, newest
from ..schema import HEADER_TABLES, RESULT_TABLES, TABLES

if TYPE_CHECKING:
    import duckdb

_FILLED = " UNION ALL ".join(f"(SELECT '{table}' FROM {table} LIMIT 1)" for table in RESULT_TABLES)  # noqa: S608
_OF_BATCH = "batch_id = $batch"
_OF_FILE = "batch_id IS NOT DISTINCT FROM $batch AND file_id = $file"
_SINCE_BATCH = "(batch_id >= $batch OR $batch IS NULL) AND file_id = $file"  # reads all later batches
_EVALUATED = frozenset({"validations", "validation_results"})  # also without another inspection
_OWNER = ("file_id", "file_path", "batch_id")  # what child rows have from their file
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_EMPTY = {table: schema.empty_table() for table, schema in TABLES.items()}
_ROW_TYPES = {table: pa.struct(list(schema)) for table, schema in TABLES.items()}
_PARSED: dict[str, duckdb.Statement] = {}  # parsing takes a tenth of the time of a query


def filled(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """The tables of results that have rows."""
    return frozenset(table for (table,) in connection.execute(_parsed(connection, _FILLED)).fetchall())


def rows_of(connection: duckdb.DuckDBPyConnection, path: str, filled: Collection[str]) -> dict[str, pa.Table]:
    """The rows of the current version at a normalized path, by table; nothing without one.

    Of the tables of results only those in `filled` are read.
    """
    files = _rows(connection, "files", "file_path_normalized = $path AND is_current", {"path": path})
    if not files:
        return {}
    (file,) = files
    batch = {"batch": file["batch_id"]}
    of_file = batch | {"file": file["file_id"]}
    # every file has parts, so one more part shows that others have the batch, as in rows of older programs
    parts = _rows(connection, "parts", _OF_BATCH, batch, limit=file["multipart_count"] + 1)
    has_own_batch = [part["file_id"] for part in parts] == [file["file_id"]] * file["multipart_count"]
    found = {"files": files}
    if has_own_batch:
        given = {name: file[name] for name in _OWNER}
        found["parts"] = parts
        found["channels"] = _rows(connection, "channels", _OF_BATCH, batch, given)
        found["attributes"] = _rows(connection, "attributes", _OF_BATCH, batch, given)
    else:
        found |= {table: _rows(connection, table, _OF_FILE, of_file) for table in HEADER_TABLES}
    tables = {table: _table(table, rows) for table, rows in found.items()}
    is_inspected_again = file["last_inspected"] > file["inspection_timestamp"]
    for table in RESULT_TABLES:
        if table not in filled or not has_results(table, file["problem_severity"]):
            tables[table] = _EMPTY[table]
        elif is_inspected_again or table in _EVALUATED:
            tables[table] = newest(table, _table(table, _rows(connection, table, _SINCE_BATCH, of_file)))
        elif has_own_batch:
            rows = _rows(connection, table, _OF_BATCH, batch)
            # clocks can give a batch to two results
            tables[table] = _table(table, [row for row in rows if row["file_id"] == file["file_id"]])
        else:
            tables[table] = _table(table, _rows(connection, table, _OF_FILE, of_file))
    return tables


def _rows(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    condition: str,
    params: Mapping[str, Any],
    given: Mapping[str, Any] = _NOTHING,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """The rows of a table that meet a condition; columns in `given` are not read, and have that value."""
    selected = f"SELECT * EXCLUDE ({', '.join(given)}) FROM" if given else "FROM"
    result = connection.execute(_parsed(connection, f"{selected} {table} WHERE {condition}"), params)
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

"""All rows of one file, found by its batch: DuckDB then reads few row groups, and no `file_id` of their other rows.

Queries are short and rows are fetched as Python values: DuckDB takes more time to parse the names of columns, and to
return a few rows as Arrow, than to read them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from ..results import has_results, newest
from ..schema import HEADER_TABLES, RESULT_TABLES, TABLES
from .statements import run

if TYPE_CHECKING:
    import duckdb

_FILLED = " UNION ALL ".join(f"(SELECT '{table}' FROM {table} LIMIT 1)" for table in RESULT_TABLES)  # noqa: S608
_OF_BATCH = "batch_id = $batch"
_OF_FILE = "batch_id IS NOT DISTINCT FROM $batch AND file_id = $file"
_SINCE_BATCH = "(batch_id >= $batch OR $batch IS NULL) AND file_id = $file"  # reads all later batches
_EVALUATED = frozenset({"validations", "validation_results"})  # also without another inspection
_OWNER = ("file_id", "file_path", "batch_id")  # what child rows have from their file
_NOTHING: Mapping[str, Any] = MappingProxyType({})


def filled(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """The tables of results that have rows."""
    return frozenset(table for (table,) in run(connection, _FILLED))


def rows_of(connection: duckdb.DuckDBPyConnection, path: str, filled: Collection[str]) -> dict[str, pa.Table]:
    """The rows of the current version at a normalized path, by table; nothing without one.

    Of the tables of results only those in `filled` are read.
    """
    files = _rows(connection, "files", "file_path_normalized = $path AND is_current", {"path": path})
    if not files.num_rows:
        return {}
    (file,) = files.select([*_OWNER, "multipart_count", "problem_severity"]).to_pylist()
    (is_inspected_again,) = pc.greater(files["last_inspected"], files["inspection_timestamp"]).to_pylist()
    batch = {"batch": file["batch_id"]}
    of_file = batch | {"file": file["file_id"]}
    # every file has parts, so one more part shows that others have the batch, as in rows of older programs
    parts = _rows(connection, "parts", f"{_OF_BATCH} LIMIT {file['multipart_count'] + 1}", batch)
    has_own_batch = parts["file_id"].to_pylist() == [file["file_id"]] * file["multipart_count"]
    if has_own_batch:
        given = {name: file[name] for name in _OWNER}
        found = {
            "files": files,
            "parts": parts,
            "channels": _rows(connection, "channels", _OF_BATCH, batch, given),
            "attributes": _rows(connection, "attributes", _OF_BATCH, batch, given),
        }
    else:
        found = {"files": files} | {table: _rows(connection, table, _OF_FILE, of_file) for table in HEADER_TABLES}
    for table in RESULT_TABLES:
        if table not in filled or not has_results(table, file["problem_severity"]):
            rows = TABLES[table].empty_table()
        elif is_inspected_again or table in _EVALUATED:
            rows = _rows(connection, table, _SINCE_BATCH, of_file)
        elif has_own_batch:
            rows = _rows(connection, table, _OF_BATCH, batch)
            rows = rows.filter(pc.equal(rows["file_id"], file["file_id"]))  # clocks can give a batch to two results
        else:
            rows = _rows(connection, table, _OF_FILE, of_file)
        found[table] = newest(table, rows)
    return found


def _rows(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    condition: str,
    params: Mapping[str, Any],
    given: Mapping[str, Any] = _NOTHING,
) -> pa.Table:
    """The rows of a table that meet a condition; columns in `given` are not read, and have that value."""
    selected = f"SELECT * EXCLUDE ({', '.join(given)}) FROM" if given else "FROM"
    result = connection.execute(f"{selected} {table} WHERE {condition}", params)
    names = [column[0] for column in result.description]
    rows = result.fetchall()
    columns: dict[str, Any] = dict(zip(names, zip(*rows, strict=True), strict=False))  # without rows, no columns
    columns |= {name: [value] * len(rows) for name, value in given.items()}
    schema = TABLES[table]
    return pa.Table.from_arrays(
        [pa.array(columns.get(name, ()), type_) for name, type_ in zip(schema.names, schema.types, strict=True)],
        schema=schema,
    )

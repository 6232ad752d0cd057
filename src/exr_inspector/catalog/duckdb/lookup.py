"""All rows of one file, found by the batch that stored them: the rows of a batch are contiguous in each table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ..results import newest
from ..schema import HEADER_TABLES, RESULT_TABLES, TABLES

if TYPE_CHECKING:
    import duckdb

_FILE = "SELECT * FROM files WHERE file_path_normalized = ? AND is_current"
_FILLED = " UNION ALL ".join(f"SELECT '{table}' WHERE EXISTS (FROM {table})" for table in RESULT_TABLES)
_OF_BATCH = "batch_id IS NOT DISTINCT FROM $batch AND file_id = $file"
_SINCE_BATCH = "(batch_id >= $batch OR $batch IS NULL) AND file_id = $file"  # reads all later batches
_EVALUATED = frozenset({"validations", "validation_results"})  # also without another inspection


def rows_of(connection: duckdb.DuckDBPyConnection, path: str) -> dict[str, pa.Table]:
    """The rows of the current version at a normalized path, by table; nothing without one."""
    files = _rows(connection, _FILE, [path])
    if not files.num_rows:
        return {}
    (file,) = files.select(["file_id", "batch_id", "inspection_timestamp", "last_inspected"]).to_pylist()
    params = {"batch": file["batch_id"], "file": file["file_id"]}
    found = {"files": files}
    for table in HEADER_TABLES:
        found[table] = _rows(connection, f"SELECT * FROM {table} WHERE {_OF_BATCH}", params)  # noqa: S608
    filled = {name for (name,) in connection.execute(_FILLED).fetchall()}
    is_inspected_again = file["last_inspected"] > file["inspection_timestamp"]
    for table in RESULT_TABLES:
        found[table] = TABLES[table].empty_table()
        if table in filled:
            condition = _SINCE_BATCH if is_inspected_again or table in _EVALUATED else _OF_BATCH
            rows = _rows(connection, f"SELECT * FROM {table} WHERE {condition}", params)  # noqa: S608
            found[table] = newest(table, rows)
    return found


def _rows(connection: duckdb.DuckDBPyConnection, query: str, params: Any) -> pa.Table:
    return connection.sql(query, params=params).to_arrow_table()

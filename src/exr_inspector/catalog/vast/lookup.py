"""All rows of one file, in one transaction with a request for each table."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from ..schema import HEADER_TABLES, RESULT_TABLES, TABLES
from .conditions import Condition
from .connection import Clock
from .tables import Rows, Tables


def rows_of(tables: Tables, clock: Clock, path: str) -> dict[str, pa.Table]:
    """The rows of the current version at a normalized path, by table; nothing without one."""
    with tables.reading(clock) as rows:
        stored = _equal(rows, "files", file_path_normalized=path)
        files = stored.filter(stored["is_current"])
        if not files.num_rows:
            return {}
        file_id = files["file_id"][0].as_py()
        found = {"files": files.slice(0, 1)}
        found |= {table: _equal(rows, table, file_id=file_id) for table in HEADER_TABLES}
        found |= {table: _newest(_equal(rows, table, file_id=file_id)) for table in RESULT_TABLES}
    return found


def _equal(rows: Rows, table: str, **values: str) -> pa.Table:
    """The rows with these values in the columns."""
    conditions = [Condition(column=column, operator="=", value=value) for column, value in values.items()]
    found = pa.Table.from_batches(rows.stream(table, TABLES[table].names, conditions), TABLES[table])
    for column, value in values.items():
        found = found.filter(pc.equal(found[column], value))
    return found


def _newest(results: pa.Table) -> pa.Table:
    return results.filter(pc.equal(results["batch_id"], pc.max(results["batch_id"])))

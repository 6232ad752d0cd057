"""The columns of the tables of the catalog: those that stored tables lack, and rows with the columns of a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow as pa

from .schema import TABLES


def missing_columns(stored: Mapping[str, pa.Schema]) -> Iterator[str]:
    """The tables, and the columns in the form `parts.compression`, that are not among the stored ones."""
    for table, expected in TABLES.items():
        if table not in stored:
            yield table
        else:
            yield from (f"{table}.{name}" for name in expected.names if name not in stored[table].names)


def typed(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """The rows with the columns and types of a schema; columns that they lack are null."""
    columns = []
    for column in schema:
        index = rows.schema.get_field_index(column.name)
        values = pa.nulls(rows.num_rows, column.type) if index < 0 else rows.column(index)
        # Arrow cannot cast vectors to their own type if some are null.
        columns.append(values if values.type == column.type else values.cast(column.type))
    return pa.Table.from_arrays(columns, schema=schema)

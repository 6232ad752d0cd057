"""Rows with the columns and types of a table of the catalog."""

from __future__ import annotations

import pyarrow as pa


def typed(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """The rows with the columns and types of a schema; columns that they lack are null."""
    columns = []
    for column in schema:
        index = rows.schema.get_field_index(column.name)
        values = pa.nulls(rows.num_rows, column.type) if index < 0 else rows.column(index)
        # Arrow cannot cast vectors to their own type if some are null.
        columns.append(values if values.type == column.type else values.cast(column.type))
    return pa.Table.from_arrays(columns, schema=schema)

"""Results about one file that are stored several times: the newest batch counts, of each policy or kind of picture."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

# The columns whose values have results of their own; other tables have one set of results.
_KINDS = {
    "thumbnails": ("part_index", "width", "height", "format", "transform"),
    "validations": ("policy_id",),
    "validation_results": ("policy_id",),
}


def newest(table: str, rows: pa.Table) -> pa.Table:
    """Of the rows of one file in a table of results, those that count."""
    batches = pc.fill_null(rows["batch_id"], 0)  # table version 1 had no batches
    kinds = [tuple(row.values()) for row in rows.select(_KINDS.get(table, ())).to_pylist()] or [()] * rows.num_rows
    last: dict[tuple[object, ...], int] = {}
    for kind, batch in zip(kinds, batches.to_pylist(), strict=True):
        last[kind] = max(batch, last.get(kind, 0))
    return rows.filter(pc.equal(batches, pa.array([last[kind] for kind in kinds], pa.int64())))

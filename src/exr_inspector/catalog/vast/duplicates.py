"""Removes the duplicates of concurrent writers from `files` and its child tables.

No constraint keeps two transactions from inserting the same file_id, and neither sees the other's rows before it
commits. But a writer that selects after its commit sees the rows of all earlier commits. So every writer deduplicates
after its commit and keeps, of each file, the row that the newest program judged, of several the one with the lowest row
id, and the child rows of its batch, but the richest results of decoded pixels: all reach the same result, in any order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from ..results import VALIDATION_TABLES, Extent, extents
from ..schema import CHILD_TABLES, PIXEL_TABLES, TABLES, child_key
from ..validations import worst
from .persist_plan import CHANGING, COLUMNS, Row, changed_rows, duplicate_paths, in_order, most_checked
from .tables import ROW_ID, Rows

_MERGED = (*CHANGING, "validation_status")


def deduplicate_files(rows: Rows, paths: Iterable[str]) -> None:
    """Leave one set of rows for each file_id of the paths, and one current version for each path.

    Without duplicates, costs one request.
    """
    stored = rows.select_in("files", COLUMNS, "file_path_normalized", paths)
    row_id_type = stored.schema.field(ROW_ID).type
    all_rows = in_order(stored)
    if not duplicate_paths(all_rows):
        return
    copies: dict[str, list[Row]] = defaultdict(list)
    for row in all_rows:
        copies[row["file_id"]].append(row)
    merged = {file_id: _merged(same) for file_id, same in copies.items()}
    _keep_one_current(merged.values())
    changed = {
        row[ROW_ID]: {column: row[column] for column in _MERGED}
        for file_id, row in merged.items()
        if row != copies[file_id][0]
    }
    rows.update("files", changed_rows(changed, row_id_type, _MERGED))
    duplicates = {file_id: same for file_id, same in copies.items() if len(same) > 1}
    if duplicates:
        first = {file_id: same[0]["batch_id"] or 0 for file_id, same in duplicates.items()}
        richest = _richest(rows, duplicates)
        for table in CHILD_TABLES:
            if table in VALIDATION_TABLES:  # the newest of each policy counts, whichever copy it belongs to
                continue
            _delete_copies(rows, table, duplicates, richest if table in PIXEL_TABLES else first)
        row_ids = [row[ROW_ID] for same in copies.values() for row in same[1:]]
        rows.delete("files", pa.chunked_array([pa.array(row_ids, row_id_type)]))


def _merged(copies: list[Row]) -> Row:
    """The first of the rows of a file_id, with the counts of all."""
    last = max(copies, key=_age)
    return copies[0] | {
        "is_current": any(row["is_current"] for row in copies),
        "deleted_at": last["deleted_at"],
        "last_inspected": last["last_inspected"],
        "inspection_count": sum(row["inspection_count"] for row in copies),
        "inode": last["inode"],
        "chunks_checked": most_checked(*copies),
        "validation_status": worst(row["validation_status"] for row in copies),
    }


def _keep_one_current(versions: Iterable[Row]) -> None:
    """Leave `is_current` to the newest of the current versions of each path."""
    newest: dict[str, Row] = {}
    for row in sorted((row for row in versions if row["is_current"]), key=_age):
        older = newest.get(row["file_path_normalized"])
        if older is not None:
            older["is_current"] = False
        newest[row["file_path_normalized"]] = row


def _age(row: Row) -> tuple[object, int]:
    return row["last_inspected"], row[ROW_ID]


def _richest(rows: Rows, copies: dict[str, list[Row]]) -> dict[str, int]:
    """The batch of the copies of each file_id whose result of decoded pixels says the most, of several the newest.

    The persist of each copy succeeded, so its result must not be lost if another copy has none.
    """
    results = extents({table: rows.select_in(table, TABLES[table].names, "file_id", copies) for table in PIXEL_TABLES})
    batches = {file_id: {row["batch_id"] or 0 for row in same} for file_id, same in copies.items()}
    return {
        file_id: max(own, key=lambda batch_id: (results.get((file_id, batch_id), Extent()), batch_id))
        for file_id, own in batches.items()
    }


def _delete_copies(rows: Rows, table: str, copies: dict[str, list[Row]], kept: dict[str, int]) -> None:
    """Leave in a child table those rows of the copies of each file_id that belong to the batch in `kept`, once.

    Rows of other batches stay: they are later results.
    """
    key = child_key(table)
    stored = rows.select_in(table, list(dict.fromkeys([*key, "batch_id"])), "file_id", copies)
    kept_batches = set(kept.items())
    batches = kept_batches | {(row["file_id"], row["batch_id"] or 0) for same in copies.values() for row in same}
    index = stored.schema.get_field_index("batch_id")
    stored = stored.set_column(index, "batch_id", pc.fill_null(stored["batch_id"], 0))  # null before version 2
    stored = stored.join(_batch_table(batches), ["file_id", "batch_id"], join_type="inner")
    of_kept = stored.join(_batch_table(kept_batches), ["file_id", "batch_id"], join_type="inner")
    first = of_kept.group_by(list(key)).aggregate([(ROW_ID, "min")])[f"{ROW_ID}_min"]
    rows.delete(table, stored.filter(pc.invert(pc.is_in(stored[ROW_ID], first.combine_chunks())))[ROW_ID])


def _batch_table(batches: set[tuple[str, int]]) -> pa.Table:
    file_ids, batch_ids = zip(*batches, strict=True)
    return pa.table({"file_id": pa.array(file_ids, pa.string()), "batch_id": pa.array(batch_ids, pa.int64())})

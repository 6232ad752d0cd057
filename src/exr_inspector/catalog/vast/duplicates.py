"""What concurrent writers stored twice, and its removal.

No constraint keeps two transactions from inserting the same file_id, and none sees the other's rows before it
commits. But whoever commits last and then looks sees both; so every writer looks after it has committed, and of
each row that is there twice the one with the lowest row id stays. All come to the same result, in any order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..schema import CHILD_TABLES, PRIMARY_KEYS, TABLES, TIME
from .tables import ROW_ID, Rows
from .versions import CHANGING, COLUMNS, Row, changed_rows, doubled_paths


def settle(rows: Rows, paths: Iterable[str]) -> int:
    """Leave one set of rows for each file_id of the paths, and one current version for each path.

    Returns how many rows of files were removed. Costs one request where nothing is stored twice.
    """
    found = rows.select_in("files", COLUMNS, "file_path_normalized", paths)
    versions: dict[str, list[Row]] = defaultdict(list)
    of_path: dict[str, list[str]] = defaultdict(list)
    everything = sorted(found.to_pylist(), key=lambda row: row[ROW_ID])
    if not doubled_paths(everything):
        return 0
    for row in everything:
        versions[row["file_id"]].append(row)
    before = {file_id: dict(same[0]) for file_id, same in versions.items()}
    for file_id, same in versions.items():
        versions[file_id] = [_merged(same), *same[1:]]
        of_path[same[0]["file_path_normalized"]].append(file_id)
    for file_ids in of_path.values():
        current = [versions[file_id][0] for file_id in file_ids if versions[file_id][0]["is_current"]]
        newest = max(current, key=lambda row: (row["last_inspected"], row[ROW_ID]), default=None)
        for row in current:
            row["is_current"] = row is newest
    changed = {same[0][ROW_ID]: same[0] for file_id, same in versions.items() if same[0] != before[file_id]}
    rows.update("files", changed_rows({i: {c: row[c] for c in CHANGING} for i, row in changed.items()}, _type(found)))
    removed = [row[ROW_ID] for same in versions.values() for row in same[1:]]
    doubled = [file_id for file_id, same in versions.items() if len(same) > 1]
    if doubled:
        for table in CHILD_TABLES:
            _remove_doubled(rows, table, doubled)
        rows.delete("files", pa.chunked_array([pa.array(removed, _type(found))]))
    return len(removed)


def _merged(same: list[Row]) -> Row:
    """The row that stays of those of one file_id, with what all of them counted."""
    last = max(same, key=lambda row: (row["last_inspected"], row[ROW_ID]))
    return same[0] | {
        "is_current": any(row["is_current"] for row in same),
        "deleted_at": last["deleted_at"],
        "last_inspected": last["last_inspected"],
        "inspection_count": sum(row["inspection_count"] for row in same),
    }


def _remove_doubled(rows: Rows, table: str, file_ids: list[str]) -> None:
    """Of each row that is there twice, all but the lowest row id."""
    key = PRIMARY_KEYS.get(table) or tuple(column.name for column in TABLES[table] if column.type != TIME)
    found = rows.select_in(table, key, "file_id", file_ids)
    first = found.group_by(list(key)).aggregate([(ROW_ID, "min")])[f"{ROW_ID}_min"]
    rows.delete(table, found.filter(pc.invert(pc.is_in(found[ROW_ID], first.combine_chunks())))[ROW_ID])


def _type(found: pa.Table) -> Any:
    return found.schema.field(ROW_ID).type

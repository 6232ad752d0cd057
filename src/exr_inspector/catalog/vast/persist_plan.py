"""Plans a persist: which file_ids are inserted, which are counted, and which version of a path is current.

Pure: rows in, rows out. The DuckDB backend decides the same in SQL.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..persistence import is_older, is_time, program_order
from ..schema import JUDGED, TABLES
from .tables import ROW_ID

# The columns of the stored versions that a plan needs.
COLUMNS = (
    "file_id",
    "file_path_normalized",
    "is_current",
    "deleted_at",
    "inspection_timestamp",
    "last_inspected",
    "inspection_count",
    "batch_id",
    "inspector_version",
    "inode",
    "chunks_checked",
    "validation_status",
)
# The columns that a persist changes in a stored version.
CHANGING = ("is_current", "deleted_at", "last_inspected", "inspection_count", "inode", "chunks_checked")

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """The changes of one persist."""

    new: pa.Table  # rows of files
    changed: pa.Table  # $row_id and the changing columns
    judged: pa.Table  # file_id, $row_id and the judged columns of rows that an older program judged
    counted: set[str]  # file_ids of stored rows that this persist counts
    inserted: set[str]  # file_ids that are new, or were new for an earlier attempt that stored them
    duplicate_paths: set[str]  # paths with two rows of a file_id, or two current versions


def plan(incoming: pa.Table, stored: pa.Table, persisted_at: datetime) -> Plan:
    """The changes that store the `incoming` rows of files, given the `stored` versions of their paths.

    Rows stored at `persisted_at` are those of an earlier attempt of this persist whose response was lost.
    """
    rows = in_order(stored)
    by_path: dict[str, list[Row]] = defaultdict(list)
    known: dict[str, Row] = {}  # of duplicates, the row that stays
    for row in rows:
        by_path[row["file_path_normalized"]].append(row)
        known.setdefault(row["file_id"], row)
    counted = {row["file_id"] for row in rows if is_time(row["last_inspected"], persisted_at)}
    inserted = {row["file_id"] for row in rows if is_time(row["inspection_timestamp"], persisted_at)}
    changed: dict[int, Row] = {}
    judged: dict[str, int] = {}
    files = incoming.select(["file_id", "is_current", "inspection_count", "inode", "chunks_checked"]).to_pylist()
    newest = {file["file_id"] for file in files if file["is_current"]}
    for file in files:
        if file["file_id"] in known and file["file_id"] not in counted:
            row = known[file["file_id"]]
            changed[row[ROW_ID]] = {
                "is_current": file["is_current"],
                "deleted_at": None,
                "last_inspected": persisted_at,
                "inspection_count": row["inspection_count"] + file["inspection_count"],
                "inode": file["inode"],
                "chunks_checked": most_checked(row, file),
            }
            if is_older(row["inspector_version"]):
                judged[file["file_id"]] = row[ROW_ID]
    for path in set(incoming["file_path_normalized"].to_pylist()):
        for row in by_path[path]:
            if row["is_current"] and row["file_id"] not in newest and row[ROW_ID] not in changed:
                changed[row[ROW_ID]] = {name: row[name] for name in CHANGING} | {"is_current": False}
    new = incoming.filter(pc.invert(pc.is_in(incoming["file_id"], pa.array(known, pa.string()))))
    return Plan(
        new=new,
        changed=changed_rows(changed, stored.schema.field(ROW_ID).type),
        judged=_judged_rows(incoming, judged, stored.schema.field(ROW_ID).type),
        counted={file["file_id"] for file in files if file["file_id"] in known} - counted,
        inserted=inserted | set(new["file_id"].to_pylist()),
        duplicate_paths=duplicate_paths(rows),
    )


def deletable(stored: Iterable[Row]) -> list[Row]:
    """The versions to mark as deleted, given all of some paths: current ones, or the newest of an unreadable path."""
    by_path: dict[str, list[Row]] = defaultdict(list)
    for row in stored:
        by_path[row["file_path_normalized"]].append(row)
    chosen: list[Row] = []
    for versions in by_path.values():
        current = [row for row in versions if row["is_current"]]
        newest = max(versions, key=lambda row: (row["last_inspected"], row["batch_id"] or 0))
        chosen += [row for row in current if row["deleted_at"] is None] if current else [newest]
    return chosen


def most_checked(*rows: Row) -> int | None:
    """The largest number of chunks that were checked."""
    return max((row["chunks_checked"] for row in rows if row["chunks_checked"] is not None), default=None)


def in_order(stored: pa.Table) -> list[Row]:
    """Rows of files; of duplicates the one that stays first: judged by the newest program, with the lowest row id."""
    rows: list[Row] = sorted(stored.to_pylist(), key=lambda row: row[ROW_ID])
    return sorted(rows, key=lambda row: program_order(row["inspector_version"]), reverse=True)


def _judged_rows(incoming: pa.Table, judged: dict[str, int], row_id_type: pa.DataType) -> pa.Table:
    rows = incoming.filter(pc.is_in(incoming["file_id"], pa.array(judged, pa.string()))).select(["file_id", *JUDGED])
    row_ids = [judged[file_id] for file_id in rows["file_id"].to_pylist()]
    return rows.append_column(ROW_ID, pa.array(row_ids, row_id_type))


def changed_rows(changed: dict[int, Row], row_id_type: pa.DataType, columns: Sequence[str] = CHANGING) -> pa.Table:
    """The rows of an update of `files`, from the changing columns by row id."""
    schema = pa.schema([pa.field(ROW_ID, row_id_type), *map(TABLES["files"].field, columns)])
    return pa.Table.from_pylist([{ROW_ID: row_id} | row for row_id, row in changed.items()], schema=schema)


def duplicate_paths(rows: Iterable[Row]) -> set[str]:
    """The paths that two writers wrote at once: a file_id has two rows, or two versions are current."""
    file_ids: set[str] = set()
    current: set[str] = set()
    duplicates: set[str] = set()
    for row in rows:
        path = row["file_path_normalized"]
        if row["file_id"] in file_ids or (row["is_current"] and path in current):
            duplicates.add(path)
        file_ids.add(row["file_id"])
        if row["is_current"]:
            current.add(path)
    return duplicates

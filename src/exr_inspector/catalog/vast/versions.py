"""What a persist changes: which file_ids are new, which are counted, and which version of a path is current.

Pure: rows in, rows out. The same decision that the DuckDB backend makes in SQL.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..schema import TABLES
from .tables import ROW_ID

# What must be known of the versions of a path.
COLUMNS = (
    "file_id",
    "file_path_normalized",
    "is_current",
    "deleted_at",
    "inspection_timestamp",
    "last_inspected",
    "inspection_count",
)
# What changes in a version that is known.
CHANGING = ("is_current", "deleted_at", "last_inspected", "inspection_count")

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """The changes of one persist."""

    new: pa.Table  # rows of files
    changed: pa.Table  # $row_id and the changing columns
    inserted: set[str]  # file_ids that are new, or were when an earlier try stored them
    doubled: set[str]  # paths of which a file_id or the current version is stored twice


def plan(incoming: pa.Table, found: pa.Table, stamp: datetime) -> Plan:
    """What is to do so that the `incoming` rows of files are stored, given the versions `found` of their paths.

    `stamp` is the time of this persist: rows that bear it were stored by an earlier try of the same, whose answer
    got lost.
    """
    rows = found.to_pylist()
    by_path: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row[ROW_ID]):
        by_path[row["file_path_normalized"]].append(row)
    known: dict[str, Row] = {}  # of a file_id that is stored twice, the row that stays
    ours: set[str] = set()
    for row in sorted(rows, key=lambda row: row[ROW_ID]):
        known.setdefault(row["file_id"], row)
        if row["last_inspected"] == stamp:
            ours.add(row["file_id"])
    inserted = {row["file_id"] for row in rows if row["inspection_timestamp"] == stamp}
    changed: dict[int, Row] = {}
    newest = {row["file_id"] for row in _columns(incoming, "file_id", "is_current") if row["is_current"]}
    for file in _columns(incoming, "file_id", "is_current", "inspection_count"):
        row = known.get(file["file_id"])
        if row is not None and file["file_id"] not in ours:
            changed[row[ROW_ID]] = {
                "is_current": file["is_current"],
                "deleted_at": None,
                "last_inspected": stamp,
                "inspection_count": row["inspection_count"] + file["inspection_count"],
            }
    for path in set(incoming["file_path_normalized"].to_pylist()):
        for row in by_path[path]:
            if row["is_current"] and row["file_id"] not in newest and row[ROW_ID] not in changed:
                changed[row[ROW_ID]] = {name: row[name] for name in CHANGING} | {"is_current": False}
    new = incoming.filter(pc.invert(pc.is_in(incoming["file_id"], pa.array(known, pa.string()))))
    return Plan(
        new=new,
        changed=changed_rows(changed, found.schema.field(ROW_ID).type),
        inserted=inserted | set(new["file_id"].to_pylist()),
        doubled=doubled_paths(rows),
    )


def changed_rows(changed: dict[int, Row], row_id_type: pa.DataType) -> pa.Table:
    """The rows of an update of files, by row id."""
    schema = pa.schema([pa.field(ROW_ID, row_id_type), *map(TABLES["files"].field, CHANGING)])
    return pa.Table.from_pylist([{ROW_ID: row_id} | row for row_id, row in changed.items()], schema=schema)


def doubled_paths(rows: Iterable[Row]) -> set[str]:
    """The paths that two writers met at: a file_id has two rows, or two versions are current."""
    seen: set[str] = set()
    current: set[str] = set()
    doubled: set[str] = set()
    for row in rows:
        path = row["file_path_normalized"]
        if row["file_id"] in seen or (row["is_current"] and path in current):
            doubled.add(path)
        seen.add(row["file_id"])
        if row["is_current"]:
            current.add(path)
    return doubled


def _columns(table: pa.Table, *names: str) -> list[Row]:
    rows: list[Row] = table.select(names).to_pylist()
    return rows

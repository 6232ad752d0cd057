"""The rows of the table ingest_errors: one for each path, however many writers record it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

import pyarrow as pa

from ..persistence import error_rows, is_time
from ..protocol import IngestError
from ..schema import TABLES
from .persist_plan import Row
from .tables import ROW_ID, Rows

_COLUMNS = tuple(TABLES["ingest_errors"].names)


def record_errors(rows: Rows, errors: Sequence[IngestError], recorded_at: datetime) -> bool:
    """Insert the errors, or add to the counts of stored ones; whether a row was inserted.

    Rows stored at `recorded_at` are those of an earlier attempt whose response was lost.
    """
    incoming = error_rows(errors, recorded_at)
    stored, merged = _stored(rows, incoming["file_path_normalized"].to_pylist())
    new, changed = [], {}
    for error in incoming.to_pylist():
        known = merged.get(error["file_path_normalized"])
        if known is None:
            new.append(error)
        elif not is_time(known["last_seen"], recorded_at):
            count = known["count"] + error["count"]
            changed[known[ROW_ID]] = error | {"first_seen": known["first_seen"], "count": count}
    _write(rows, stored, merged, changed)
    if new:
        rows.insert("ingest_errors", pa.Table.from_pylist(new, schema=TABLES["ingest_errors"]))
    return bool(new)


def deduplicate_errors(rows: Rows, paths: Iterable[str]) -> None:
    """Leave one row for each path: the one with the lowest row id, with the counts of all."""
    stored, merged = _stored(rows, paths)
    if stored.num_rows > len(merged):
        changed = {row[ROW_ID]: row for row in merged.values() if row["count"] != row.pop("own_count")}
        _write(rows, stored, merged, changed)


def delete_errors(rows: Rows, paths: Iterable[str]) -> set[str]:
    """Delete the errors of the paths; returns the paths that had one."""
    stored = rows.select_in("ingest_errors", ["file_path_normalized"], "file_path_normalized", paths)
    rows.delete("ingest_errors", stored[ROW_ID])
    return set(stored["file_path_normalized"].to_pylist())


def _stored(rows: Rows, paths: Iterable[str]) -> tuple[pa.Table, dict[str, Row]]:
    """The stored rows, and one merged row for each path."""
    stored = rows.select_in("ingest_errors", _COLUMNS, "file_path_normalized", set(paths))
    by_path: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(stored.to_pylist(), key=lambda row: row[ROW_ID]):
        by_path[row["file_path_normalized"]].append(row)
    return stored, {path: _merged(copies) for path, copies in by_path.items()}


def _merged(copies: list[Row]) -> Row:
    last = max(copies, key=lambda row: (row["last_seen"], row[ROW_ID]))
    return last | {
        ROW_ID: copies[0][ROW_ID],
        "first_seen": min(row["first_seen"] for row in copies),
        "count": sum(row["count"] for row in copies),
        "own_count": copies[0]["count"],
    }


def _write(rows: Rows, stored: pa.Table, merged: dict[str, Row], changed: dict[int, Row]) -> None:
    """Update the changed rows, and delete those merged into another."""
    kept = {row[ROW_ID] for row in merged.values()}
    row_id_type = stored.schema.field(ROW_ID).type
    schema = pa.schema([pa.field(ROW_ID, row_id_type), *TABLES["ingest_errors"]])
    rows.update("ingest_errors", pa.Table.from_pylist([{ROW_ID: i} | row for i, row in changed.items()], schema=schema))
    row_ids = [row_id for row_id in stored[ROW_ID].to_pylist() if row_id not in kept]
    rows.delete("ingest_errors", pa.chunked_array([pa.array(row_ids, row_id_type)]))

"""The rows of ingest_errors: one for each path, however many writers note it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

import pyarrow as pa

from ..persist_rows import error_rows
from ..protocol import IngestError
from ..schema import TABLES
from .tables import ROW_ID, Rows
from .versions import Row

_COLUMNS = tuple(TABLES["ingest_errors"].names)


def note(rows: Rows, errors: Sequence[IngestError], stamp: datetime) -> bool:
    """Insert the errors, or count up those which are there; whether one was inserted.

    Rows that bear the `stamp` were stored by an earlier try, whose answer got lost.
    """
    incoming = error_rows(errors, stamp)
    found, merged = _found(rows, incoming["file_path_normalized"].to_pylist())
    new, changed = [], {}
    for error in incoming.to_pylist():
        known = merged.get(error["file_path_normalized"])
        if known is None:
            new.append(error)
        elif known["last_seen"] != stamp:
            count = known["count"] + error["count"]
            changed[known[ROW_ID]] = error | {"first_seen": known["first_seen"], "count": count}
    _store(rows, found, merged, changed)
    if new:
        rows.insert("ingest_errors", pa.Table.from_pylist(new, schema=TABLES["ingest_errors"]))
    return bool(new)


def settle_errors(rows: Rows, paths: Iterable[str]) -> None:
    """Leave one row for each path: the one with the lowest row id, with what all of them counted."""
    found, merged = _found(rows, paths)
    if found.num_rows > len(merged):
        doubled = {row[ROW_ID]: row for row in merged.values() if row["count"] != row.pop("own_count")}
        _store(rows, found, merged, doubled)


def forget(rows: Rows, paths: Iterable[str]) -> set[str]:
    """Remove the errors of the paths; returns those which had one."""
    found = rows.select_in("ingest_errors", ["file_path_normalized"], "file_path_normalized", paths)
    rows.delete("ingest_errors", found[ROW_ID])
    return set(found["file_path_normalized"].to_pylist())


def _found(rows: Rows, paths: Iterable[str]) -> tuple[pa.Table, dict[str, Row]]:
    """What is stored, and one row for each path made of it."""
    found = rows.select_in("ingest_errors", _COLUMNS, "file_path_normalized", set(paths))
    by_path: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(found.to_pylist(), key=lambda row: row[ROW_ID]):
        by_path[row["file_path_normalized"]].append(row)
    return found, {path: _merged(same) for path, same in by_path.items()}


def _merged(same: list[Row]) -> Row:
    last = max(same, key=lambda row: (row["last_seen"], row[ROW_ID]))
    return last | {
        ROW_ID: same[0][ROW_ID],
        "first_seen": min(row["first_seen"] for row in same),
        "count": sum(row["count"] for row in same),
        "own_count": same[0]["count"],
    }


def _store(rows: Rows, found: pa.Table, merged: dict[str, Row], changed: dict[int, Row]) -> None:
    """Write the changed rows, and remove those which were merged into another."""
    kept = {row[ROW_ID] for row in merged.values()}
    type_ = found.schema.field(ROW_ID).type
    schema = pa.schema([pa.field(ROW_ID, type_), *TABLES["ingest_errors"]])
    rows.update("ingest_errors", pa.Table.from_pylist([{ROW_ID: i} | row for i, row in changed.items()], schema=schema))
    gone = [row_id for row_id in found[ROW_ID].to_pylist() if row_id not in kept]
    rows.delete("ingest_errors", pa.chunked_array([pa.array(gone, type_)]))

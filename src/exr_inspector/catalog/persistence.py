"""The rows that a backend writes: columns set at persist, children of new files, errors; and the outcomes."""

from __future__ import annotations

import re
import shlex
import threading
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from .. import __version__
from ..errors import SettingsError
from ..frames.names import parse_name
from .protocol import IngestError, PersistOutcome
from .results import VALIDATION_TABLES
from .rows import RowBatch
from .schema import CHILD_TABLES, PIXEL_TABLES, TABLES, TIME

_lock = threading.Lock()
_MILLISECOND = timedelta(milliseconds=1)
_last = datetime.min.replace(tzinfo=timezone.utc)


def unique_time(files: int = 1) -> datetime:
    """The time in UTC without a zone, as in the tables, in a later millisecond than that of the previous call.

    So a row with such a time was written by one operation of this process, also where a database cuts it. For `files`
    that are persisted together, their batches have unique times, too.
    """
    global _last
    with _lock:
        began = max(datetime.now(timezone.utc), _in_milliseconds(_last) + _MILLISECOND)
        _last = began + timedelta(microseconds=files - 1)
        return began.replace(tzinfo=None)


def is_time(stored: datetime | None, time: datetime | None) -> bool:
    """Whether a stored time is this one, which the database may have cut to milliseconds."""
    return stored == time or (stored is not None and time is not None and stored == _in_milliseconds(time))


def _in_milliseconds(time: datetime) -> datetime:
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def _first_batch(persisted_at: datetime) -> int:
    return int(pa.scalar(persisted_at, TIME).value)


def _with_batch_ids(files: pa.Table, persisted_at: datetime) -> pa.Table:
    """The rows of `files` with `batch_id`: the time of their transaction in microseconds, one more for each file.

    So the rows of a file are found by it alone.
    """
    first = _first_batch(persisted_at)
    return files.append_column("batch_id", pa.array(range(first, first + files.num_rows), pa.int64()))


def with_persist_columns(files: pa.Table, persisted_at: datetime) -> pa.Table:
    """One row for each file_id, with its number of occurrences, and `is_current` for the last one of its path."""
    file_ids = files["file_id"].to_pylist()
    newest = dict(zip(files["file_path_normalized"].to_pylist(), file_ids, strict=True))
    occurrences = Counter(file_ids)
    if len(occurrences) < len(file_ids):
        first = {file_id: row for row, file_id in reversed(list(enumerate(file_ids)))}
        files = files.take(sorted(first.values()))
        file_ids = files["file_id"].to_pylist()
    current = set(newest.values())
    times = pa.array([persisted_at] * len(file_ids), TIME)
    return _with_batch_ids(
        files.append_column("is_current", pa.array([file_id in current for file_id in file_ids], pa.bool_()))
        .append_column("inspection_timestamp", times)
        .append_column("last_inspected", times)
        .append_column("inspection_count", pa.array([occurrences[file_id] for file_id in file_ids], pa.int64())),
        persisted_at,
    )


def children_of(
    batch: RowBatch,
    files: pa.Table,
    file_ids: pa.ChunkedArray,
    persisted_at: datetime,
    judged: Collection[str] = (),
    evaluated: Collection[str] = (),
) -> dict[str, pa.Table]:
    """The child rows of the file_ids, by table, with the `batch_id` of `files`; tables without rows are left out.

    Of the file_ids in `judged`, whose other rows are stored, only the problems; of those in `evaluated`, only the
    results of decoded pixels. Results of policies are all to be stored.
    """
    if len(file_ids) == pc.count_distinct(batch.tables["files"]["file_id"]).as_py():
        children = {table: batch.tables[table] for table in CHILD_TABLES}
    else:
        selected = file_ids.combine_chunks()
        children = {
            table: batch.tables[table].filter(pc.is_in(batch.tables[table]["file_id"], selected))
            for table in CHILD_TABLES
        } | {table: batch.tables[table] for table in VALIDATION_TABLES}
    later = {"problems": judged, **dict.fromkeys(PIXEL_TABLES, evaluated)}
    for table, stored in later.items():
        if stored:
            rows = batch.tables[table]
            is_later = pc.is_in(rows["file_id"], pa.array(stored, pa.string()))
            children[table] = pa.concat_tables([children[table], rows.filter(is_later)])
    own, batch_ids = files["file_id"].combine_chunks(), files["batch_id"]
    first = _first_batch(persisted_at)  # of files that are not in this batch
    return {
        table: rows.append_column("batch_id", pc.fill_null(batch_ids.take(pc.index_in(rows["file_id"], own)), first))
        for table, rows in children.items()
        if rows.num_rows
    }


@cache
def is_older(inspector_version: str) -> bool:
    """Whether a row was written by an older program than this one."""
    return program_order(inspector_version) < program_order(__version__)


@cache
def program_order(inspector_version: str) -> tuple[list[int], bool]:
    """A key that sorts versions of the program: by release, and before each one its pre-releases."""
    release = re.match(r"[0-9]*(?:\.[0-9]+)*", inspector_version)
    assert release is not None  # it also matches nothing
    numbers = [int(number) for number in release[0].split(".") if number]
    return numbers, re.search("a|b|rc|dev", inspector_version[release.end() :]) is None


def not_empty(uri: str) -> SettingsError:
    """The error for a catalog into which no backup can be restored."""
    return SettingsError(
        f"{uri} has files, or errors of files; a backup is restored only into an empty catalog: give another one, or "
        f"drop this one: exr-inspector db drop --catalog {shlex.quote(uri)}"
    )


def outcomes(
    batch: RowBatch, new: Iterable[str], kept_statuses: Mapping[str, Mapping[str, str]]
) -> list[PersistOutcome]:
    """One outcome for each inspection of the batch, in order; `new` are the file_ids that were inserted."""
    inserted = set(new)
    results = []
    for file_id in batch.tables["files"]["file_id"].to_pylist():
        kept = kept_statuses.get(file_id, {})
        results.append(PersistOutcome(file_id=file_id, inserted=file_id in inserted, kept_statuses=kept))
        inserted.discard(file_id)  # the first of several occurrences was inserted
    return results


def error_rows(errors: Sequence[IngestError], recorded_at: datetime) -> pa.Table:
    """One row for each path: its last error, the number of its errors, and its sequence and frame."""
    last = {error.file_path_normalized: error for error in errors}
    counts = Counter(error.file_path_normalized for error in errors)
    rows: list[dict[str, Any]] = [
        {
            "file_path_normalized": path,
            "size_bytes": error.size_bytes,
            "mtime": error.mtime,
            "etag": error.etag,
            "code": error.code,
            "message": error.message,
            "byte_offset": error.byte_offset,
            "first_seen": recorded_at,
            "last_seen": recorded_at,
            "count": counts[path],
        }
        for path, error in last.items()
    ]
    for row in rows:
        if name := parse_name(row["file_path_normalized"]):
            row.update(name._asdict())
    return pa.Table.from_pylist(rows, schema=TABLES["ingest_errors"])

"""Rows by path, in one transaction: all rows of one file, and the last inspection of many."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timezone
from operator import itemgetter
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from ..persistence import is_time
from ..protocol import FileStat, PixelLevel, PolicyRules, SeenFile, SeenStatistics
from ..results import has_results, newest
from ..schema import HEADER_TABLES, PIXEL_TABLES, RESULT_TABLES, TABLES
from ..validations import COLUMNS, result_now
from .conditions import Condition
from .connection import Clock
from .tables import Rows, Tables


def rows_of(tables: Tables, clock: Clock, path: str) -> dict[str, pa.Table]:
    """The rows of the current version at a normalized path, by table; nothing without one."""
    with tables.reading(clock) as rows:
        stored = _equal(rows, "files", file_path_normalized=path)
        files = stored.filter(stored["is_current"])
        if not files.num_rows:
            return {}
        file_id = files["file_id"][0].as_py()
        found = {"files": files.slice(0, 1)}
        found |= {table: _equal(rows, table, file_id=file_id) for table in HEADER_TABLES}
        severity = files["problem_severity"][0].as_py()
        for table in RESULT_TABLES:
            may_have = has_results(table, severity)
            found[table] = (
                newest(table, _equal(rows, table, file_id=file_id)) if may_have else TABLES[table].empty_table()
            )
    return found


def seen(
    tables: Tables,
    clock: Clock,
    file_stats: Sequence[FileStat],
    pixels: PixelLevel | None,
    policy: PolicyRules | None,
) -> dict[str, SeenFile]:
    """The last inspection of each file that has one, by normalized path."""
    paths = {file.file_path_normalized for file in file_stats}
    columns = ["file_path_normalized", "size_bytes", "mtime", "etag"]
    with tables.reading(clock) as rows:
        selected = [*columns, "file_id", "is_current", "deleted_at", "completeness", "problem_severity"]
        about_pixels = policy is not None and policy.about_pixels
        selected += ["chunks_checked", *(["is_deep", "channel_count"] if pixels or about_pixels else [])]
        files = rows.select_in("files", selected, "file_path_normalized", paths)
        current = {row["file_path_normalized"]: row for row in files.to_pylist() if row["is_current"]}
        others = paths.difference(current)
        errors = rows.select_in("ingest_errors", [*columns, "code", "message"], "file_path_normalized", others)
        with_stats = pixels or about_pixels
        stats = _stats(rows, current.values(), pixels, about_pixels) if with_stats else _Stats(set(), set(), {}, {})
        validations = _validations(rows, current.values(), policy) if policy else {}
    failed = {row["file_path_normalized"]: row for row in errors.to_pylist()}
    seen: dict[str, SeenFile] = {}
    for file in file_stats:
        path = file.file_path_normalized
        row = current.get(path)
        if row is not None:
            if row["deleted_at"] is None:
                seen[path] = SeenFile(
                    is_unchanged=_is_same(row, file),
                    file_id=row["file_id"],
                    completeness=row["completeness"],
                    problem_severity=row["problem_severity"],
                    chunks_checked=row["chunks_checked"] or 0,
                    has_stats=row["file_id"] in stats.stored,
                    wants_deep=row["file_id"] in stats.wants_deep,
                    pixel_errors=stats.errors.get(row["file_id"], ()),
                    result=result_now(validations.get(row["file_id"]), policy),
                    statistics=stats.newest.get(row["file_id"]),
                )
        elif (error := failed.get(path)) is not None:
            is_same = _is_same(error, file)
            seen[path] = SeenFile(is_unchanged=is_same, error=error["message"], error_code=error["code"])
    return seen


def _equal(rows: Rows, table: str, **values: str) -> pa.Table:
    """The rows with these values in the columns."""
    conditions = [Condition(column=column, operator="=", value=value) for column, value in values.items()]
    found = pa.Table.from_batches(rows.stream(table, TABLES[table].names, conditions), TABLES[table])
    for column, value in values.items():
        found = found.filter(pc.equal(found[column], value))
    return found


def _is_same(row: dict[str, Any], file: FileStat) -> bool:
    mtime = file.mtime and file.mtime.astimezone(timezone.utc).replace(tzinfo=None)
    is_same = is_time(row["mtime"], mtime) if None in (row["etag"], file.etag) else row["etag"] == file.etag
    return bool(row["size_bytes"] == file.size_bytes and is_same)


def _validations(
    rows: Rows, files: Collection[dict[str, Any]], policy: PolicyRules
) -> dict[str | None, dict[str, Any]]:
    """The newest result of the policy by file_id."""
    found = rows.select_in("validations", COLUMNS, "file_id", {row["file_id"] for row in files}).to_pylist()
    return {
        row["file_id"]: row
        for row in sorted(found, key=lambda row: row["batch_id"] or 0)
        if row["policy_id"] == policy.policy_id
    }


class _Stats(NamedTuple):
    """The file_ids whose statistics are stored, those with samples of deep parts to be decoded, and more of them."""

    stored: set[str]
    wants_deep: set[str]
    errors: Mapping[str | None, tuple[str, ...]]  # the values of `part_stats.errors` by file_id
    newest: Mapping[str | None, SeenStatistics]  # by file_id


def _stats(rows: Rows, files: Collection[dict[str, Any]], pixels: PixelLevel | None, about_pixels: bool) -> _Stats:
    """In DuckDB a part of `statements.seen`. One request, two with deep files, or those without statistics."""
    part_columns = ("file_id", "batch_id", "part_index", "used_window", "empty_regions", "errors")
    parts = _newest(rows.select_in("part_stats", part_columns, "file_id", {row["file_id"] for row in files}))
    errors: dict[str | None, tuple[str, ...]] = {}
    for row in sorted(parts, key=itemgetter("part_index")):
        if row["errors"] is not None:
            errors[row["file_id"]] = (*errors.get(row["file_id"], ()), row["errors"])
    deep = {row["file_id"] for row in files if row["is_deep"]}
    stored = {row["file_id"] for row in parts if row["empty_regions"] is not None or row["errors"] is not None}
    with_window = {row["file_id"] for row in parts if row["used_window"] is not None}
    stored |= {row["file_id"] for row in parts if row["file_id"] in deep} - with_window  # as MEASURED
    partless = {row["file_id"] for row in files} - {row["file_id"] for row in parts} if about_pixels else set()
    columns = ("file_id", "batch_id", "samples_total", "sample_count", "decode_errors", "evaluated_at")
    channels = _newest(rows.select_in("channel_stats", columns, "file_id", deep | partless))
    pending = {row["file_id"] for row in channels if row["evaluated_at"] is None}
    counted = {row["file_id"] for row in channels if row["samples_total"] and not row["sample_count"]}
    wants_deep = {row["file_id"] for row in channels if row["evaluated_at"] is None and row["samples_total"] == 0}
    sizes = {row["file_id"]: row["channel_count"] for row in files}
    newest: dict[str | None, SeenStatistics] = {}
    if about_pixels:
        batches = {row["file_id"]: row["batch_id"] or 0 for row in parts}
        batches |= {row["file_id"]: row["batch_id"] or 0 for row in channels if row["decode_errors"] is not None}
        newest = {
            file_id: SeenStatistics(batch_id, file_id not in pending, sizes[file_id])
            for file_id, batch_id in batches.items()
        }
    if pixels is None:
        return _Stats(set(), set(), {}, newest)
    return _Stats(stored - pending - (counted if pixels == "deep" else set()), wants_deep, errors, newest)


def statistics(tables: Tables, clock: Clock, batches: Mapping[str, int]) -> dict[str, pa.Table]:
    """The rows of the statistics of files, by table; of each file_id those of its batch."""
    with tables.reading(clock) as rows:
        found = {table: rows.select_in(table, TABLES[table].names, "file_id", batches) for table in PIXEL_TABLES}
    file_ids, wanted = pa.array([*batches]), pa.array(batches.values(), pa.int64())
    return {
        table: stored.filter(
            pc.equal(pc.fill_null(stored["batch_id"], 0), wanted.take(pc.index_in(stored["file_id"], file_ids)))
        )
        for table, stored in found.items()
    }


def _newest(rows: pa.Table) -> list[dict[str, Any]]:
    """The rows of the newest batch of each file_id."""
    found = rows.to_pylist()
    last: dict[str, int] = {}
    for row in found:
        last[row["file_id"]] = max(row["batch_id"] or 0, last.get(row["file_id"], 0))
    return [row for row in found if (row["batch_id"] or 0) == last[row["file_id"]]]

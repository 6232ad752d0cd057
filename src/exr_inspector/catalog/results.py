"""Results about one file that are stored several times: the newest batch counts, of each policy or kind of picture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from .rows import RowBatch
from .schema import PIXEL_TABLES, batch_schema

VALIDATION_TABLES = ("validations", "validation_results")

# The columns whose values have results of their own; other tables have one set of results.
_KINDS = {
    "thumbnails": ("part_index", "width", "height", "format", "transform"),
    "validations": ("policy_id",),
    "validation_results": ("policy_id",),
}


def has_results(table: str, problem_severity: str | None) -> bool:
    """Whether a table of results can have rows that count for a file with problems of such severity."""
    return table != "problems" or problem_severity != "none"


def newest(table: str, rows: pa.Table) -> pa.Table:
    """Of the rows of one file in a table of results, those that count."""
    batches = pc.fill_null(rows["batch_id"], 0)  # table version 1 had no batches
    kinds = [tuple(row.values()) for row in rows.select(_KINDS.get(table, ())).to_pylist()] or [()] * rows.num_rows
    last: dict[tuple[object, ...], int] = {}
    for kind, batch in zip(kinds, batches.to_pylist(), strict=True):
        last[kind] = max(batch, last.get(kind, 0))
    return rows.filter(pc.equal(batches, pa.array([last[kind] for kind in kinds], pa.int64())))


def with_pixels(batch: RowBatch, file_ids: Iterable[str]) -> set[str]:
    """Those of the file_ids that the batch has results of decoded pixels of."""
    found = {file_id for table in PIXEL_TABLES for file_id in pc.unique(batch.tables[table]["file_id"]).to_pylist()}
    return found.intersection(file_ids)


def later_results(batch: RowBatch, known: Collection[str], stored: Mapping[str, pa.Table]) -> set[str]:
    """The file_ids in `known` whose results of decoded pixels are to be stored; `stored` has their rows until now.

    Not those whose newest rows are the same, as after a second delivery of an event, nor those that say less.
    But a row that requests the samples of deep parts replaces one with their numbers, until they are decoded.
    """
    if not any(rows.num_rows for rows in stored.values()):
        return set(known)
    old = {table: _newest_rows(table, rows) for table, rows in stored.items()}
    new = {table: _newest_rows(table, batch.tables[table]) for table in PIXEL_TABLES}
    old_extent, new_extent = _newest_extents(stored), _newest_extents(batch.tables)

    def is_new(file_id: str) -> bool:
        before, extent = old_extent.get(file_id, Extent()), new_extent[file_id]
        if before.wants_deep and extent.is_counted:
            return False
        if extent < before and not (extent.wants_deep and before.is_counted):
            return False
        return any(old[table].get(file_id) != new[table].get(file_id) for table in PIXEL_TABLES)

    return set(filter(is_new, known))


class Extent(NamedTuple):
    """What a result says about the pixels of a file; of several results, the greatest says the most.

    So samples of deep parts are more than their numbers, all lines more than some, and figures more than a failure.
    """

    is_evaluated: bool = False
    wants_deep: bool = False  # whether samples of deep parts are still to be decoded
    samples: int = 0  # that were decoded
    deep_samples: int = 0  # that were counted
    digests: int = 0
    is_counted: bool = False  # whether samples of deep parts were only counted


def extents(tables: Mapping[str, pa.Table]) -> dict[tuple[str, int], Extent]:
    """The extent of each result in the rows of both tables, by file_id and batch (0 before they are stored)."""
    found: dict[tuple[str, int], Extent] = defaultdict(Extent)
    columns = ("sample_count", "samples_total", "evaluated_at")
    for key, sample_count, samples_total, evaluated_at in _rows(tables["channel_stats"], *columns):
        extent = found[key]
        found[key] = extent._replace(
            wants_deep=extent.wants_deep or (evaluated_at is None and samples_total == 0),
            samples=extent.samples + (sample_count or 0),
            deep_samples=extent.deep_samples + (samples_total or 0),
            is_counted=extent.is_counted or (bool(samples_total) and not sample_count),
        )
    for key, digest in _rows(tables["part_stats"], "pixel_digest"):
        found[key] = found[key]._replace(is_evaluated=True, digests=found[key].digests + (digest is not None))
    return dict(found)


def _newest_extents(tables: Mapping[str, pa.Table]) -> dict[str, Extent]:
    """The extent of the newest result of each file_id."""
    return {file_id: extent for (file_id, _), extent in sorted(extents(tables).items())}


def _rows(rows: pa.Table, *columns: str) -> Iterator[tuple[Any, ...]]:
    """Of each row, its file_id and batch, and the values of columns."""
    is_stored = "batch_id" in rows.column_names
    batches = pc.fill_null(rows["batch_id"], 0).to_pylist() if is_stored else [0] * rows.num_rows
    keys = zip(rows["file_id"].to_pylist(), batches, strict=True)
    return zip(keys, *(rows[name].to_pylist() for name in columns), strict=True)


def _newest_rows(table: str, rows: pa.Table) -> dict[str, set[tuple[Any, ...]]]:
    """The rows of the newest batch of each file_id, without the times of their evaluation."""
    figures = [name for name in batch_schema(table).names if name not in ("file_id", "evaluated_at")]
    last: dict[str, tuple[int, set[tuple[Any, ...]]]] = {}
    for (file_id, batch_id), *row in _rows(rows, *figures):
        if file_id not in last or last[file_id][0] < batch_id:
            last[file_id] = batch_id, set()
        if last[file_id][0] == batch_id:
            last[file_id][1].add(tuple(row))
    return {file_id: of_batch for file_id, (_, of_batch) in last.items()}

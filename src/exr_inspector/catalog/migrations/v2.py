"""Version 2: the batch of each row, problems, and results about pixels and policies."""

from __future__ import annotations

import pyarrow as pa

from ..schema import TABLES
from .steps import AddColumns, AddTable, Fill, Step


def _columns(table: str, *names: str) -> pa.Schema:
    """The columns of version 2 among those of the table, which may have more in later versions."""
    return pa.schema([TABLES[table].field(name) for name in names])


def _add(table: str, *names: str) -> AddColumns:
    return AddColumns(table, _columns(table, *names))


def _create(table: str, *names: str) -> AddTable:
    return AddTable(table, _columns(table, *names))


STEPS: tuple[Step, ...] = (
    _add("files", "batch_id", "version_flags", "chunk_hash", "chunks_checked", "problem_severity", "inode"),
    _add("parts", "batch_id"),
    _add("channels", "batch_id"),
    _add("attributes", "batch_id"),
    _create(
        "problems", "file_id", "batch_id", "part_index", "attr_name", "code", "severity", "message", "byte_offset"
    ),
    _add(
        "channel_stats", "batch_id", "zero_count", "max_finite_count", "above_one_count", "p01", "p50", "p99", "p999",
        "first_nonfinite_x", "first_nonfinite_y", "pixel_digest", "decode_errors", "samples_max_x", "samples_max_y",
        "evaluated_at",
    ),
    _create("part_stats", "file_id", "batch_id", "part_index", "used_window", "pixel_digest", "evaluated_at"),
    _create(
        "thumbnails", "file_id", "batch_id", "part_index", "width", "height", "format", "transform", "bytes",
        "evaluated_at",
    ),
    _create(
        "validations", "file_id", "batch_id", "policy_id", "policy_version", "policy_hash", "status", "errors",
        "warnings", "infos", "not_evaluated", "evaluated_at", "inspector_version",
    ),
    _add("validation_results", "batch_id", "policy_hash", "attr_name"),
    _add("ingest_errors", "etag"),
    _add("schema_version", "readable_since"),
    # Programs of version 1 gave all rows of a transaction one time.
    *(
        Fill(table, "batch_id", "epoch_us(files.inspection_timestamp)")
        for table in ("files", "parts", "channels", "attributes", "channel_stats", "validation_results")
    ),
)  # fmt: skip

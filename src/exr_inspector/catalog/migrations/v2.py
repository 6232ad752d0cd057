"""Version 2: the batch of each row, problems, and results about pixels and policies."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from ...frames.names import parse_name
from ...sources.uris import exact_uri
from ..schema import TABLES, TEXT
from .steps import AddColumns, AddTable, Fill, Recompute, Step


def _columns(table: str, *names: str) -> pa.Schema:
    """The columns of version 2 among those of the table, which may have more in later versions."""
    return pa.schema([TABLES[table].field(name) for name in names])


def _add(table: str, *names: str) -> AddColumns:
    return AddColumns(table, _columns(table, *names))


def _create(table: str, *names: str) -> AddTable:
    return AddTable(table, _columns(table, *names))


def _exact_uris(page: pa.Table) -> pa.Table:
    """The URIs of `files`, and the sequences in those that change."""
    uris, sequences = page["file_path_normalized"].to_pylist(), page["sequence"].to_pylist()
    for row, path in _rows_to_check(page):
        uri = exact_uri(uris[row], path)
        if uri != uris[row]:
            name = parse_name(uri)
            uris[row], sequences[row] = uri, name and name.sequence
    return pa.table({"file_path_normalized": pa.array(uris, TEXT), "sequence": pa.array(sequences, TEXT)})


def _exact_error_uris(page: pa.Table) -> pa.Table:
    uris = [exact_uri(uri, "") for uri in page["file_path_normalized"].to_pylist()]
    return pa.table({"file_path_normalized": pa.array(uris, TEXT)})


def _rows_to_check(page: pa.Table) -> Iterator[tuple[int, str]]:
    """Row and path of the URIs of version 1 that may change: with a `%`, or letters that are not ASCII."""
    texts = pc.binary_join_element_wise(page["file_path"], page["file_path_normalized"], "")
    may_change = pc.match_substring_regex(texts, r"%|[^\x00-\x7F]")
    paths = page["file_path"]
    # Later programs, whose inspections have another version, stored exact URIs.
    for row in pc.indices_nonzero(pc.and_(may_change, pc.equal(page["schema_version"], 1))).to_pylist():
        yield row, paths[row].as_py()


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
    Recompute(
        "files", ("file_path", "file_path_normalized", "sequence", "schema_version"), _exact_uris, "exact names in URIs"
    ),
    Recompute("ingest_errors", ("file_path_normalized",), _exact_error_uris, "exact names in URIs"),
    # Programs of version 1 gave all rows of a transaction one time.
    *(
        Fill(table, "batch_id", "epoch_us(files.inspection_timestamp)")
        for table in ("files", "parts", "channels", "attributes", "channel_stats", "validation_results")
    ),
)  # fmt: skip

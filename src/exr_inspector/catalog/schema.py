"""The tables of the catalog as Arrow schemas, their only definition, from which the backends create them.

A trailing ? marks a nullable column. All integers have 64 bits, as a hostile header can declare windows and tiles
beyond 32 bits. Timestamps are UTC without a zone, which VAST clusters before 5.4 drop. Columns added by a migration are
nullable and the last of their table, so that created and migrated catalogs have the same tables.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from functools import cache
from typing import Any

import pyarrow as pa

from .. import __version__
from ..errors import CatalogSchemaError

VERSION = 5  # of the tables; `schema_version` of an inspection is the version of its JSON form

# The oldest version whose programs can read and write these tables. Additions leave it as it is.
READABLE_SINCE = 1

INCOMPLETE = 0  # the version of tables whose rows are still being loaded from a backup

METADATA_DIMENSIONS, CHANNEL_DIMENSIONS = 384, 128

TEXT, INT, FLOAT, BOOL, BINARY = pa.string(), pa.int64(), pa.float64(), pa.bool_(), pa.binary()
TIME = pa.timestamp("us")


def vector(dimensions: int) -> pa.DataType:
    """The type of a vector: 32-bit floats without nulls, as VAST requires of vector columns."""
    return pa.list_(pa.field("item", pa.float32(), nullable=False), dimensions)


def table_schema(columns: dict[str, pa.DataType]) -> pa.Schema:
    """The schema of a table from its columns, whose names end in ? if they are nullable."""
    return pa.schema(
        [pa.field(name.rstrip("?"), type_, nullable=name.endswith("?")) for name, type_ in columns.items()]
    )


TABLES: dict[str, pa.Schema] = {
    "files": table_schema(
        {
            "file_id": TEXT,
            "file_path": TEXT,
            "file_path_normalized": TEXT,
            "is_current": BOOL,
            "deleted_at?": TIME,
            "size_bytes": INT,
            "mtime?": TIME,
            "etag?": TEXT,
            "header_hash": TEXT,
            "structure_hash": TEXT,
            "header_bytes": INT,
            "multipart_count": INT,
            "is_deep": BOOL,
            "is_tiled": BOOL,
            "channel_count": INT,
            "sequence?": TEXT,
            "frame_number?": INT,
            "frame?": TEXT,
            "completeness": TEXT,
            "chunk_count?": INT,
            "chunks_present?": INT,
            "metadata_embedding?": vector(METADATA_DIMENSIONS),
            "channel_fingerprint?": vector(CHANNEL_DIMENSIONS),
            "embedding_version?": INT,
            "validation_status?": TEXT,
            "schema_version": INT,
            "inspector_version": TEXT,
            "inspection_timestamp": TIME,
            "last_inspected": TIME,
            "inspection_count": INT,
            "batch_id?": INT,
            "version_flags?": INT,
            "chunk_hash?": TEXT,
            "chunks_checked?": INT,
            "problem_severity?": TEXT,
            "inode?": INT,
        }
    ),
    "parts": table_schema(
        {
            "file_id": TEXT,
            "file_path": TEXT,
            "part_index": INT,
            "part_name?": TEXT,
            "part_type?": TEXT,
            "view_name?": TEXT,
            "width?": INT,
            "height?": INT,
            "display_width?": INT,
            "display_height?": INT,
            "data_x_offset?": INT,
            "data_y_offset?": INT,
            "data_window?": TEXT,
            "display_window?": TEXT,
            "pixel_aspect_ratio?": FLOAT,
            "line_order?": TEXT,
            "compression?": TEXT,
            "is_tiled": BOOL,
            "tile_width?": INT,
            "tile_height?": INT,
            "level_mode?": TEXT,
            "rounding_mode?": TEXT,
            "is_deep": BOOL,
            "multi_view": BOOL,
            "color_space?": TEXT,
            "chromaticities?": TEXT,
            "render_software?": TEXT,
            "renderer?": TEXT,
            "frames_per_second?": FLOAT,
            "timecode?": TEXT,
            "chunk_count?": INT,
            "chunks_present?": INT,
            "missing?": TEXT,
            "packed_bytes?": INT,
            "batch_id?": INT,
        }
    ),
    "channels": table_schema(
        {
            "file_id": TEXT,
            "file_path": TEXT,
            "part_index": INT,
            "channel_index": INT,
            "channel_name": TEXT,
            "layer_name": TEXT,
            "component_name": TEXT,
            "channel_type?": TEXT,
            "x_sampling": INT,
            "y_sampling": INT,
            "p_linear": BOOL,
            "batch_id?": INT,
        }
    ),
    "attributes": table_schema(
        {
            "file_id": TEXT,
            "file_path": TEXT,
            "part_index": INT,
            "attr_index": INT,
            "attr_name": TEXT,
            "attr_type": TEXT,
            "size_bytes": INT,
            "value_json?": TEXT,
            "value_text?": TEXT,
            "value_int?": INT,
            "value_float?": FLOAT,
            "raw?": BINARY,
            "truncated": BOOL,
            "batch_id?": INT,
        }
    ),
    "problems": table_schema(
        {
            "file_id": TEXT,
            "batch_id?": INT,
            "part_index?": INT,
            "attr_name?": TEXT,
            "code": TEXT,
            "severity": TEXT,
            "message": TEXT,
            "byte_offset?": INT,
        }
    ),
    "channel_stats": table_schema(
        {
            "file_id": TEXT,
            "part_index": INT,
            "channel_name": TEXT,
            "sample_count": INT,
            "stride": INT,
            "min?": FLOAT,
            "max?": FLOAT,
            "mean?": FLOAT,
            "stddev?": FLOAT,
            "nan_count": INT,
            "pos_inf_count": INT,
            "neg_inf_count": INT,
            "negative_count": INT,
            "finite_count": INT,
            # deep parts only: samples per pixel
            "samples_min?": INT,
            "samples_max?": INT,
            "samples_mean?": FLOAT,
            "samples_total?": INT,
            "empty_pixels?": INT,
            "batch_id?": INT,
            "zero_count?": INT,
            "max_finite_count?": INT,
            "above_one_count?": INT,
            "p01?": FLOAT,
            "p50?": FLOAT,
            "p99?": FLOAT,
            "p999?": FLOAT,
            "first_nonfinite_x?": INT,
            "first_nonfinite_y?": INT,
            "pixel_digest?": TEXT,
            "decode_errors?": INT,
            "samples_max_x?": INT,
            "samples_max_y?": INT,
            "evaluated_at?": TIME,
        }
    ),
    "part_stats": table_schema(
        {
            "file_id": TEXT,
            "batch_id?": INT,
            "part_index": INT,
            "used_window?": TEXT,
            "pixel_digest?": TEXT,
            "evaluated_at": TIME,
            "empty_regions?": TEXT,
            "errors?": TEXT,
        }
    ),
    "thumbnails": table_schema(
        {
            "file_id": TEXT,
            "batch_id?": INT,
            "part_index": INT,
            "width": INT,
            "height": INT,
            "format": TEXT,
            "transform": TEXT,
            "bytes": BINARY,
            "evaluated_at": TIME,
        }
    ),
    "validations": table_schema(
        {
            "file_id": TEXT,
            "batch_id?": INT,
            "policy_id": TEXT,
            "policy_version": TEXT,
            "policy_hash": TEXT,
            "status": TEXT,
            "errors": INT,
            "warnings": INT,
            "infos": INT,
            "not_evaluated": INT,
            "evaluated_at": TIME,
            "inspector_version": TEXT,
            "without_statistics?": TEXT,
            "partly_decoded?": BOOL,
        }
    ),
    "validation_results": table_schema(
        {
            "file_id": TEXT,
            "policy_id": TEXT,
            "policy_version": TEXT,
            "rule_id": TEXT,
            "severity": TEXT,
            "part_index?": INT,
            "channel_name?": TEXT,
            "expected?": TEXT,
            "actual?": TEXT,
            "message": TEXT,
            "evaluated_at": TIME,
            "batch_id?": INT,
            "policy_hash?": TEXT,
            "attr_name?": TEXT,
        }
    ),
    "ingest_errors": table_schema(
        {
            "file_path_normalized": TEXT,
            "size_bytes?": INT,
            "mtime?": TIME,
            "code": TEXT,
            "message": TEXT,
            "byte_offset?": INT,
            "first_seen": TIME,
            "last_seen": TIME,
            "count": INT,
            "etag?": TEXT,
            "sequence?": TEXT,
            "frame?": TEXT,
            "frame_number?": INT,
        }
    ),
    "schema_version": table_schema(
        {"version": INT, "applied_at": TIME, "inspector_version": TEXT, "readable_since?": INT}
    ),
}

# Tables whose rows belong to a row of `files` by file_id, and are never changed: those of the header are inserted
# together with it, results about it, about pixels and policies also later, in a batch of their own. The newest counts.
HEADER_TABLES = ("parts", "channels", "attributes")
RESULT_TABLES = ("problems", "channel_stats", "part_stats", "thumbnails", "validations", "validation_results")
CHILD_TABLES = HEADER_TABLES + RESULT_TABLES

# The results of decoding pixels. A file whose pixels are still to be decoded has rows in the first one only, which are
# not evaluated; where the samples of deep parts are to be decoded, their `samples_total` is 0.
PIXEL_TABLES = ("channel_stats", "part_stats")

# The columns that a backend sets when it persists; `batch_id` in the child tables too.
SET_AT_PERSIST = frozenset(
    {"is_current", "deleted_at", "inspection_timestamp", "last_inspected", "inspection_count", "batch_id"}
)

# The columns of `files` that a newer program judges again in a stored row, together with new rows of `problems`.
JUDGED = (
    "structure_hash", "sequence", "frame_number", "frame", "completeness", "chunk_count", "chunks_present",
    "schema_version", "inspector_version", "version_flags", "chunk_hash", "problem_severity",
)  # fmt: skip

# The columns of `parts` that are judged again with it.
JUDGED_PARTS = tuple(
    column for column in TABLES["parts"].names if column not in ("file_id", "file_path", "part_index", "batch_id")
)

# The columns that identify a row of a table, in child tables among the rows of one batch.
PRIMARY_KEYS: dict[str, tuple[str, ...]] = {
    "files": ("file_id",),
    "parts": ("file_id", "part_index"),
    "channels": ("file_id", "part_index", "channel_index"),
    "attributes": ("file_id", "part_index", "attr_index"),
    "channel_stats": ("file_id", "part_index", "channel_name"),
    "part_stats": ("file_id", "part_index"),
    "thumbnails": ("file_id", "part_index", "width", "height", "format", "transform"),
    "validations": ("file_id", "policy_id"),
    "ingest_errors": ("file_path_normalized",),
    "schema_version": ("version",),
}

# The columns by which VAST sorts a table, where the server offers it: looking up a path reads a part of it, not all.
SORTED_BY: dict[str, tuple[str, ...]] = {"files": ("file_path_normalized",)}


def child_key(table: str) -> tuple[str, ...]:
    """The columns that identify a row of a child table in its batch; without a key all but times, which differ."""
    return PRIMARY_KEYS.get(table) or tuple(column.name for column in TABLES[table] if column.type != TIME)


@cache
def batch_schema(table: str) -> pa.Schema:
    """The columns of a table that come from inspections: all but those set at persist."""
    return pa.schema([column for column in TABLES[table] if column.name not in SET_AT_PERSIST])


VECTOR_COLUMNS = tuple(column.name for column in TABLES["files"] if pa.types.is_fixed_size_list(column.type))


def vector_dimensions() -> dict[str, int]:
    """The dimensions of each vector column of `files`."""
    return {name: TABLES["files"].field(name).type.list_size for name in VECTOR_COLUMNS}


def version_row(version: int = VERSION, readable_since: int = READABLE_SINCE) -> pa.Table:
    """The row of `schema_version` for tables that get a version now."""
    now = datetime.now(timezone.utc)
    row = {
        "version": version,
        "applied_at": now.replace(microsecond=now.microsecond // 1000 * 1000),  # all that some databases store
        "inspector_version": __version__,
        "readable_since": readable_since,
    }
    return pa.Table.from_pylist([row], schema=TABLES["schema_version"])


def current_version(uri: str, rows: Iterable[Mapping[str, Any]]) -> int | None:
    """The version of the tables from the rows of `schema_version`, None without rows.

    Raises CatalogSchemaError if programs of this version can no longer read and write the tables. The first version
    does not have the column `readable_since`.
    """
    versions: dict[int, Mapping[str, Any]] = {row["version"]: row for row in rows}
    if not versions:
        return None
    if INCOMPLETE in versions:
        option = f"--catalog {shlex.quote(uri)}"
        raise CatalogSchemaError(
            f"{uri} is being restored from a backup; if that was interrupted, repeat it: exr-inspector db restore "
            f"BACKUP {option}, or drop the catalog: exr-inspector db drop --no-backup {option}"
        )
    since = {version: row.get("readable_since") or version for version, row in versions.items()}
    newest, needed = max(versions), max(since, key=lambda version: since[version])
    if since[needed] > VERSION:
        raise CatalogSchemaError(
            f"{uri} was written by a newer exr-inspector (table version {newest}; this release supports {VERSION}); "
            f"upgrade exr-inspector to a release that supports table version {since[needed]}, such as "
            f"{versions[needed]['inspector_version']}"
        )
    return newest

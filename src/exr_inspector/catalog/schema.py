"""The tables of the catalog as Arrow schemas, their only definition, from which the backends create them.

A trailing ? marks a nullable column. All integers have 64 bits, as a hostile header can declare windows and tiles
beyond 32 bits. Timestamps are UTC without a zone, which VAST clusters before 5.4 drop.
"""

from __future__ import annotations

from functools import cache

import pyarrow as pa

from ..errors import CatalogSchemaError

VERSION = 1  # of the tables; `schema_version` of an inspection is the version of its JSON form

METADATA_DIMENSIONS, CHANNEL_DIMENSIONS = 384, 128

TEXT, INT, FLOAT, BOOL, BINARY = pa.string(), pa.int64(), pa.float64(), pa.bool_(), pa.binary()
TIME = pa.timestamp("us")


def vector(dimensions: int) -> pa.DataType:
    """The type of a vector: 32-bit floats without nulls, as VAST requires of vector columns."""
    return pa.list_(pa.field("item", pa.float32(), nullable=False), dimensions)


def _table(columns: dict[str, pa.DataType]) -> pa.Schema:
    return pa.schema(
        [pa.field(name.rstrip("?"), type_, nullable=name.endswith("?")) for name, type_ in columns.items()]
    )


TABLES: dict[str, pa.Schema] = {
    "files": _table(
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
            "chunks_checked?": INT,
            "metadata_embedding?": vector(METADATA_DIMENSIONS),
            "channel_fingerprint?": vector(CHANNEL_DIMENSIONS),
            "embedding_version?": INT,
            "validation_status?": TEXT,
            "schema_version": INT,
            "inspector_version": TEXT,
            "inspection_timestamp": TIME,
            "last_inspected": TIME,
            "inspection_count": INT,
        }
    ),
    "parts": _table(
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
        }
    ),
    "channels": _table(
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
        }
    ),
    "attributes": _table(
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
        }
    ),
    "channel_stats": _table(
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
        }
    ),
    "validation_results": _table(
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
        }
    ),
    "ingest_errors": _table(
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
        }
    ),
    "schema_version": _table({"version": INT, "applied_at": TIME, "inspector_version": TEXT}),
}

# Tables whose rows belong to a row of `files` by file_id; they are inserted together with it and never changed.
CHILD_TABLES = ("parts", "channels", "attributes", "channel_stats", "validation_results")

# The columns of `files` that a backend sets when it persists.
SET_AT_PERSIST = frozenset({"is_current", "deleted_at", "inspection_timestamp", "last_inspected", "inspection_count"})

# The columns that identify a row of a table.
PRIMARY_KEYS: dict[str, tuple[str, ...]] = {
    "files": ("file_id",),
    "parts": ("file_id", "part_index"),
    "channels": ("file_id", "part_index", "channel_index"),
    "attributes": ("file_id", "part_index", "attr_index"),
    "channel_stats": ("file_id", "part_index", "channel_name"),
    "ingest_errors": ("file_path_normalized",),
    "schema_version": ("version",),
}


@cache
def batch_schema(table: str) -> pa.Schema:
    """The columns of a table that come from inspections: all but those set at persist."""
    schema = TABLES[table]
    if table != "files":
        return schema
    return pa.schema([column for column in schema if column.name not in SET_AT_PERSIST])


def vector_dimensions() -> dict[str, int]:
    """The dimensions of each vector column of `files`."""
    return {
        column.name: column.type.list_size for column in TABLES["files"] if pa.types.is_fixed_size_list(column.type)
    }


def check_version(uri: str, version: int | None) -> None:
    """Raises CatalogSchemaError if the tables of a catalog have a newer version than this release supports."""
    if version is not None and version > VERSION:
        raise CatalogSchemaError(
            f"{uri} was written by a newer exr-inspector (table version {version}; this release supports {VERSION}); "
            "upgrade exr-inspector"
        )

"""The SQL of the DuckDB backend: tables made from the Arrow schemas, and the statements that keep them.

`incoming`, `new`, `known`, `stamps` and `gone` are Arrow tables which the backend registers before.
"""

from __future__ import annotations

import pyarrow as pa

from ..protocol import OPEN_ERRORS
from ..schema import PRIMARY_KEYS, TABLES

# Statements that bring the tables from the version before to this one, each version in one transaction.
MIGRATIONS: dict[int, tuple[str, ...]] = {}

# Only `files` has indexes: child rows are written once, together with their file, and a row of ingest_errors
# that is deleted and comes back would meet its old key in the index while a reader holds an older snapshot.
INDEXED_TABLES = frozenset({"files", "schema_version"})

_TYPES = {
    pa.string(): "VARCHAR",
    pa.int64(): "BIGINT",
    pa.float32(): "FLOAT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
    pa.binary(): "BLOB",
    pa.timestamp("us"): "TIMESTAMP",
}

INDEXES = ("CREATE INDEX files_by_path ON files (file_path_normalized)",)


def create_table(table: str, schema: pa.Schema) -> str:
    """The statement that creates a table."""
    columns = [f'"{column.name}" {sql_type(column.type)}{"" if column.nullable else " NOT NULL"}' for column in schema]
    if table in INDEXED_TABLES:
        columns.append(f"PRIMARY KEY ({', '.join(PRIMARY_KEYS[table])})")
    return f"CREATE TABLE {table} ({', '.join(columns)})"


def sql_type(type_: pa.DataType) -> str:
    """DuckDB's name of an Arrow type."""
    if pa.types.is_fixed_size_list(type_):
        return f"{sql_type(type_.value_type)}[{type_.list_size}]"
    return _TYPES[type_]


# DuckDB looks up at most 2048 values in an index before it rather scans the table.
LONGEST_LIST = 2000


def versions(count: int) -> str:
    """The statement that tells all versions of so many paths.

    Listed, as DuckDB looks up a list in the index and scans the table for a join: for 500 paths
    a join takes 38 ms among 500,000 files, the list 10 ms among any number. A file_id is a version of one
    path, so this also tells which are known.
    """
    marks = _marks(count)
    return f"SELECT file_id, is_current FROM files WHERE file_path_normalized IN ({marks})"  # noqa: S608


def retire(count: int) -> str:
    """The statement that takes is_current from so many file_ids."""
    return f"UPDATE files SET is_current = false WHERE file_id IN ({_marks(count)})"  # noqa: S608


def _marks(count: int) -> str:
    return ", ".join("?" * count)


# Plain: ON CONFLICT DO NOTHING takes three times as long as asking first.
INSERT_FILES = "INSERT INTO files BY NAME SELECT * FROM new"

COUNT_UP = """
    UPDATE files SET is_current = known.is_current, deleted_at = NULL, last_inspected = known.last_inspected,
                     inspection_count = files.inspection_count + known.inspection_count
    FROM known WHERE files.file_id = known.file_id"""

COUNT_ERRORS_UP = """
    UPDATE ingest_errors
    SET size_bytes = incoming.size_bytes, mtime = incoming.mtime, code = incoming.code,
        message = incoming.message, byte_offset = incoming.byte_offset, last_seen = incoming.last_seen,
        count = ingest_errors.count + incoming.count
    FROM incoming WHERE ingest_errors.file_path_normalized = incoming.file_path_normalized"""

INSERT_ERRORS = """
    INSERT INTO ingest_errors BY NAME SELECT * FROM incoming
    WHERE file_path_normalized NOT IN (SELECT file_path_normalized FROM ingest_errors)"""

RETIRE_UNREADABLE = """
    UPDATE files SET is_current = false
    WHERE is_current AND file_path_normalized IN (SELECT file_path_normalized FROM incoming)"""

SEEN = f"""
    SELECT stamps.path, NULL FROM stamps JOIN files ON files.file_path_normalized = stamps.path
    WHERE files.is_current AND files.deleted_at IS NULL
      AND files.size_bytes = stamps.size_bytes AND files.mtime IS NOT DISTINCT FROM stamps.mtime
    UNION ALL
    SELECT stamps.path, message || ' (' || code || ')'
    FROM stamps JOIN ingest_errors ON ingest_errors.file_path_normalized = stamps.path
    WHERE ingest_errors.size_bytes = stamps.size_bytes
      AND ingest_errors.mtime IS NOT DISTINCT FROM stamps.mtime AND {OPEN_ERRORS}"""  # noqa: S608 (our words)

CURRENT_PATHS = f"""
    SELECT file_path_normalized FROM files
    WHERE is_current AND deleted_at IS NULL AND starts_with(file_path_normalized, $prefix)
    UNION ALL
    SELECT file_path_normalized FROM ingest_errors
    WHERE starts_with(file_path_normalized, $prefix) AND {OPEN_ERRORS}"""  # noqa: S608 (our words)

MARK_DELETED = """
    UPDATE files SET deleted_at = (SELECT max(now) FROM gone)
    WHERE is_current AND deleted_at IS NULL AND file_path_normalized IN (SELECT path FROM gone)
    RETURNING file_path_normalized"""

DROP_DELETED_ERRORS = """
    DELETE FROM ingest_errors WHERE file_path_normalized IN (SELECT path FROM gone)
    RETURNING file_path_normalized"""

ROW_COUNTS = " UNION ALL ".join(f"SELECT '{table}', count(*) FROM {table}" for table in TABLES)  # noqa: S608


def nearest(column: str, size: int, where: str, *, per_sequence: bool) -> str:
    """The statement that picks $rows rows, or sequences, whose vectors are nearest to $vector.

    By row number first: the vectors of rows that turn out not to be among the nearest are read and not carried along.
    """
    distance = f"array_cosine_distance({column}, $vector::FLOAT[{size}])"
    kept = f"""FROM files WHERE is_current AND deleted_at IS NULL AND embedding_version = $version
        AND {column} IS NOT NULL AND {where}"""
    shown = f"file_id, file_path_normalized, sequence, frame, {column} AS vector"
    if not per_sequence:
        picked = f"SELECT rowid {kept} ORDER BY {distance}, file_path_normalized LIMIT $rows"
        return f"SELECT {shown} FROM files WHERE rowid IN ({picked})"  # noqa: S608 (our names, a checked condition)
    return f"""
        WITH distances AS (
            SELECT rowid AS row, file_path_normalized, coalesce(sequence, file_path_normalized) AS one,
                   round({distance}, 5) AS distance {kept}
        ), picked AS (
            SELECT arg_min(row, {{'distance': distance, 'path': file_path_normalized}}) AS row, count(*) AS files
            FROM distances GROUP BY one ORDER BY min(distance), min(file_path_normalized) LIMIT $rows
        )
        SELECT file_id, file_path_normalized, sequence, frame, picked.files, {column} AS vector
        FROM files JOIN picked ON files.rowid = picked.row"""  # noqa: S608 (our names, a checked condition)


REPLACE_VECTORS = """
    UPDATE files SET metadata_embedding = renewed.metadata_embedding, channel_fingerprint = renewed.channel_fingerprint,
        embedding_version = renewed.embedding_version
    FROM renewed WHERE files.file_id = renewed.file_id
"""

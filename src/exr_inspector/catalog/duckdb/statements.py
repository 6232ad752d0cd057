"""The SQL of the DuckDB backend: creates tables from the Arrow schemas, and reads and changes their rows.

`incoming`, `new`, `known`, `judged`, `judged_parts`, `evaluated`, `statuses`, `file_stats`, `deleted` and `renewed` are
Arrow tables that the backend registers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ..protocol import IS_NEWEST, MEASURED, OPEN_ERRORS, PixelLevel
from ..schema import JUDGED, JUDGED_PARTS, PRIMARY_KEYS, TABLES
from ..validations import COLUMNS

if TYPE_CHECKING:
    import duckdb

# Only `files` has indexes: child rows are inserted once, together with their file. In ingest_errors, a row that is
# deleted and inserted again would conflict with its old key while a reader holds an older snapshot.
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


def run(connection: duckdb.DuckDBPyConnection, statement: str, params: Any = None) -> list[tuple[Any, ...]]:
    """The rows of a statement. All are fetched, as DuckDB 2 runs no other statement before."""
    rows: list[tuple[Any, ...]] = connection.execute(statement, params).fetchall()
    return rows


def present(connection: duckdb.DuckDBPyConnection, names: Iterable[str]) -> list[str]:
    """Those of the names, in lower case, that tables or views have, in any case; in order."""
    statement = (
        "SELECT DISTINCT lower(table_name) FROM information_schema.tables "
        "WHERE table_catalog = current_database() AND table_schema = current_schema()"
    )
    return sorted({name for (name,) in run(connection, statement)}.intersection(names))


def create_table(table: str, schema: pa.Schema) -> str:
    """The statement that creates a table."""
    columns = [f'"{column.name}" {sql_type(column.type)}{"" if column.nullable else " NOT NULL"}' for column in schema]
    if table in INDEXED_TABLES:
        columns.append(f"PRIMARY KEY ({', '.join(PRIMARY_KEYS[table])})")
    return f"CREATE TABLE {table} ({', '.join(columns)})"


def sql_type(type_: pa.DataType) -> str:
    """The DuckDB type of an Arrow type."""
    if pa.types.is_fixed_size_list(type_):
        return f"{sql_type(type_.value_type)}[{type_.list_size}]"
    return _TYPES[type_]


# DuckDB looks up at most 2048 values of a list in an index, and scans the table for more.
LONGEST_LIST = 2000


# DuckDB looks a list of paths up in the index, and scans the table for a join: looking one up takes as long as scanning
# so many rows.
ROWS_PER_LOOKUP = 100

_VERSIONS = "SELECT file_id, is_current, deleted_at, batch_id, sequence, inspector_version FROM files"

# All versions of the paths in `incoming`. A file_id belongs to one path, so the result also has all stored file_ids.
VERSIONS_BY_SCAN = f"{_VERSIONS} SEMI JOIN incoming USING (file_path_normalized)"


def versions(count: int) -> str:
    """The statement that looks up all versions of `count` paths."""
    return f"{_VERSIONS} WHERE file_path_normalized IN ({_marks(count)})"


def retire(count: int) -> str:
    """The statement that clears is_current of `count` file_ids."""
    return f"UPDATE files SET is_current = false WHERE file_id IN ({_marks(count)})"  # noqa: S608


def _marks(count: int) -> str:
    return ", ".join("?" * count)


# Without ON CONFLICT DO NOTHING, which takes three times as long as selecting before.
INSERT_FILES = "INSERT INTO files BY NAME SELECT * FROM new"

COUNT_UP = """
    UPDATE files SET is_current = known.is_current, deleted_at = NULL, last_inspected = known.last_inspected,
                     inspection_count = files.inspection_count + known.inspection_count, inode = known.inode,
                     chunks_checked = greatest(files.chunks_checked, known.chunks_checked)
    FROM known WHERE files.file_id = known.file_id"""

JUDGE_AGAIN = f"""
    UPDATE files SET {", ".join(f"{column} = judged.{column}" for column in JUDGED)}
    FROM judged WHERE files.file_id = judged.file_id"""  # noqa: S608 (our names)

JUDGE_PARTS_AGAIN = f"""
    UPDATE parts SET {", ".join(f"{column} = judged_parts.{column}" for column in JUDGED_PARTS)}
    FROM judged_parts
    WHERE parts.file_id = judged_parts.file_id AND parts.part_index = judged_parts.part_index"""  # noqa: S608

SET_STATUSES = """
    UPDATE files SET validation_status = statuses.validation_status
    FROM statuses WHERE files.file_id = statuses.file_id"""

COUNT_ERRORS_UP = """
    UPDATE ingest_errors
    SET size_bytes = incoming.size_bytes, mtime = incoming.mtime, etag = incoming.etag, code = incoming.code,
        message = incoming.message, byte_offset = incoming.byte_offset, last_seen = incoming.last_seen,
        sequence = incoming.sequence, frame = incoming.frame, frame_number = incoming.frame_number,
        count = ingest_errors.count + incoming.count
    FROM incoming WHERE ingest_errors.file_path_normalized = incoming.file_path_normalized"""

INSERT_ERRORS = """
    INSERT INTO ingest_errors BY NAME SELECT * FROM incoming
    WHERE file_path_normalized NOT IN (SELECT file_path_normalized FROM ingest_errors)"""

RETIRE_FAILED = """
    UPDATE files SET is_current = false
    WHERE is_current AND file_path_normalized IN (SELECT file_path_normalized FROM incoming)
    RETURNING file_id, deleted_at, batch_id, sequence"""


def _is_unchanged(table: str) -> str:
    is_same = f"coalesce({table}.etag = f.etag, {table}.mtime IS NOT DISTINCT FROM f.mtime)"
    return f"coalesce({table}.size_bytes = f.size_bytes, false) AND {is_same}"


# Whether the statistics of a row of `files` are stored; `deep`: also those of the samples of deep parts.
_HAS_STATS: dict[PixelLevel | None, str] = {
    None: "false",
    "flat": """files.file_id IN (SELECT file_id FROM measured) AND files.file_id NOT IN (
            SELECT file_id FROM newest WHERE evaluated_at IS NULL
        )""",
    "deep": """files.file_id IN (SELECT file_id FROM measured) AND files.file_id NOT IN (
            SELECT file_id FROM newest WHERE evaluated_at IS NULL OR (samples_total > 0 AND sample_count = 0)
        )""",
}


# Rows that are not evaluated have no number of samples otherwise.
_WANTS_DEEP = "files.file_id IN (SELECT file_id FROM newest WHERE evaluated_at IS NULL AND samples_total = 0)"


# What cannot be decoded of a row of `files`, of each part.
_PIXEL_ERRORS = """(
            SELECT list(errors ORDER BY part_index) FROM part_stats AS p
            WHERE p.file_id = files.file_id AND errors IS NOT NULL
        )"""


_OF_POLICY = f"""(
            SELECT arg_max({{{", ".join(f"'{column}': {column}" for column in COLUMNS)}}}, coalesce(batch_id, 0))
            FROM validations WHERE validations.file_id = files.file_id AND policy_id = $policy_id
        )"""  # noqa: S608 (our names)

# Of `files`, that `seen` reads.
_SEEN_COLUMNS = (
    "file_id", "file_path_normalized", "size_bytes", "mtime", "etag", "completeness", "problem_severity",
    "chunks_checked", "is_deep", "channel_count", "is_current", "deleted_at",
)  # fmt: skip

_NO_PARTS = "file_id NOT IN (SELECT file_id FROM part_stats)"  # of statistics that are not evaluated

_STATISTICS = """
            SELECT file_id, coalesce(batch_id, 0) AS batch_id, bool_and(evaluated_at IS NOT NULL) AS is_whole
            FROM newest WHERE decode_errors IS NOT NULL GROUP BY ALL
            UNION ALL
            SELECT file_id, coalesce(max(batch_id), 0), true FROM part_stats
            WHERE file_id NOT IN (SELECT file_id FROM newest WHERE decode_errors IS NOT NULL) GROUP BY file_id"""


def seen(pixels: PixelLevel | None, *, of_policy: bool, about_pixels: bool) -> str:
    """The statement that selects the last inspections of `file_stats`, and what is stored of their pixels.

    And the newest result of $policy_id; if its rules are about pixels, also the newest statistics.
    """
    return f"""
        WITH files AS MATERIALIZED (
            SELECT {", ".join(_SEEN_COLUMNS)} FROM main.files SEMI JOIN file_stats ON file_path_normalized = path
            WHERE is_current
        ), part_stats AS MATERIALIZED (
            FROM main.part_stats WHERE file_id IN (SELECT file_id FROM files) QUALIFY {IS_NEWEST}
        ), newest AS (
            SELECT * FROM channel_stats WHERE file_id IN (
                SELECT file_id FROM files WHERE is_deep {f"OR {_NO_PARTS}" if about_pixels else ""}
            )
            QUALIFY {IS_NEWEST}
        ), measured AS ({MEASURED}), statistics AS ({_STATISTICS})
        SELECT path, {_is_unchanged("files")}, files.file_id, completeness, problem_severity,
               coalesce(chunks_checked, 0), NULL, NULL,
               {_HAS_STATS[pixels]}, {_WANTS_DEEP if pixels else "false"}, {_PIXEL_ERRORS if pixels else "NULL"},
               {_OF_POLICY if of_policy else "NULL"},
               {"statistics.batch_id, is_whole, channel_count" if about_pixels else "NULL, NULL, NULL"}
        FROM file_stats AS f JOIN files ON files.file_path_normalized = f.path
        {"LEFT JOIN statistics ON statistics.file_id = files.file_id" if about_pixels else ""}
        WHERE files.is_current AND files.deleted_at IS NULL
        UNION ALL
        SELECT path, {_is_unchanged("ingest_errors")}, '', NULL, NULL, 0, message, code, false, false, NULL, NULL,
               NULL, NULL, NULL
        FROM file_stats AS f JOIN ingest_errors ON ingest_errors.file_path_normalized = f.path
        WHERE {OPEN_ERRORS}"""  # noqa: S608 (our names)


def statistics(table: str) -> str:
    """The statement that selects the rows of the files in `wanted`, whose batches are between two; null is batch 0."""
    return f"""
        SELECT * FROM {table} SEMI JOIN wanted
        ON wanted.file_id = {table}.file_id AND wanted.batch_id = coalesce({table}.batch_id, 0)
        WHERE {table}.batch_id BETWEEN ? AND ? OR {table}.batch_id IS NULL"""  # noqa: S608 (our names)


def later_rows(table: str) -> str:
    """The statement that selects the rows of the files in `evaluated`, of a batch or later ones."""
    return f"SELECT * FROM {table} WHERE batch_id >= ? AND file_id IN (SELECT file_id FROM evaluated)"  # noqa: S608


CURRENT_PATHS = f"""
    SELECT file_path_normalized FROM files
    WHERE is_current AND deleted_at IS NULL AND starts_with(file_path_normalized, $prefix)
    UNION ALL
    SELECT file_path_normalized FROM ingest_errors
    WHERE starts_with(file_path_normalized, $prefix) AND {OPEN_ERRORS}"""  # noqa: S608 (a constant)

MARK_DELETED = """
    UPDATE files SET deleted_at = (SELECT max(deleted_at) FROM deleted)
    WHERE is_current AND deleted_at IS NULL AND file_path_normalized IN (SELECT path FROM deleted)
    RETURNING file_path_normalized, file_id, batch_id, sequence"""

# The newest version of each path that was unreadable.
MARK_UNREADABLE_DELETED = """
    UPDATE files SET is_current = true, deleted_at = (SELECT max(deleted_at) FROM deleted)
    WHERE file_id IN (
        SELECT arg_max(file_id, (last_inspected, coalesce(batch_id, 0)))
        FROM files WHERE file_path_normalized IN (SELECT path FROM deleted)
        GROUP BY file_path_normalized HAVING NOT bool_or(is_current)
    )
    RETURNING file_path_normalized"""

DELETE_ERRORS = """
    DELETE FROM ingest_errors WHERE file_path_normalized IN (SELECT path FROM deleted)
    RETURNING file_path_normalized, sequence"""

ROW_COUNTS = " UNION ALL ".join(f"SELECT '{table}', count(*) FROM {table}" for table in TABLES)  # noqa: S608


def most_similar(column: str, size: int, where: str, *, per_sequence: bool) -> str:
    """The statement that selects the $rows rows, or sequences, with the vectors most similar to $vector.

    It sorts row numbers and reads the selected rows afterwards, so that vectors of other rows are not kept.
    """
    distance = f"array_cosine_distance({column}, $vector::FLOAT[{size}])"
    candidates = f"""FROM files WHERE is_current AND deleted_at IS NULL AND embedding_version = $version
        AND {column} IS NOT NULL AND {where}"""
    shown = f"file_id, file_path_normalized, sequence, frame, {column} AS vector"
    if not per_sequence:
        selected = f"SELECT rowid {candidates} ORDER BY {distance}, file_path_normalized LIMIT $rows"
        return f"SELECT {shown} FROM files WHERE rowid IN ({selected})"  # noqa: S608 (constants and a checked condition)
    return f"""
        WITH distances AS (
            SELECT rowid AS row, file_path_normalized, coalesce(sequence, file_path_normalized) AS render,
                   round({distance}, 5) AS distance {candidates}
        ), selected AS (
            SELECT arg_min(row, {{'distance': distance, 'path': file_path_normalized}}) AS row, count(*) AS files
            FROM distances GROUP BY render ORDER BY min(distance), min(file_path_normalized) LIMIT $rows
        )
        SELECT file_id, file_path_normalized, sequence, frame, selected.files, {column} AS vector
        FROM files JOIN selected ON files.rowid = selected.row"""  # noqa: S608 (constants and a checked condition)


REPLACE_VECTORS = """
    UPDATE files SET metadata_embedding = renewed.metadata_embedding, channel_fingerprint = renewed.channel_fingerprint,
        embedding_version = renewed.embedding_version
    FROM renewed WHERE files.file_id = renewed.file_id
"""

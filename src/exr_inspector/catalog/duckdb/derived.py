"""The derived tables of a DuckDB catalog: created by a refresh, and kept up from a log of the files that changed since.

Each transaction that changes which files are current logs them. A refresh applies the log; it rebuilds everything when
there is no state, or when a program that knows no derived tables has written to the file since.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from .. import derived
from ..derived import DERIVED, SequenceRows
from ..schema import INT, TEXT, TIME, table_schema
from . import statements
from .statements import run

if TYPE_CHECKING:
    import duckdb

_OWN = {
    "derived_state": table_schema({"written_at?": TIME, "show_pattern": TEXT}),  # no time: to be rebuilt
    "derived_changes": table_schema({"file_id?": TEXT, "batch_id?": INT, "sequence?": TEXT, "sign": INT}),
}
STORED = DERIVED | _OWN
MOST_CHANGES = 200_000  # rebuilding takes less time than applying more

_NEWEST = """
    SELECT greatest((SELECT max(last_inspected) FROM files), (SELECT max(deleted_at) FROM files),
                    (SELECT max(last_seen) FROM ingest_errors), TIMESTAMP '1970-01-01')"""

# A file that changed several times has one row.
_CHANGED_FILES = """(
    SELECT files.*, sign FROM files
    JOIN (SELECT file_id, sum(sign) AS sign FROM derived_changes GROUP BY file_id HAVING sum(sign) <> 0) USING (file_id)
)"""
# The tables whose rows do not count the current files, those of the log left out.
_FAULTY = """
    WITH live AS (
        SELECT count(*) AS files, count(sequence) AS named FROM files WHERE is_current AND deleted_at IS NULL
    ), logged AS (
        SELECT coalesce(sum(sign), 0) AS files, coalesce(sum(sign) FILTER (sequence IS NOT NULL), 0) AS named
        FROM derived_changes
    ), counted AS (
        SELECT live.files - logged.files AS files, live.named - logged.named AS named FROM live, logged
    )
    SELECT 'sequences' FROM counted WHERE named <> (SELECT coalesce(sum(file_count), 0) FROM sequences)
    UNION ALL
    SELECT 'attribute_values' FROM counted
    WHERE files > 0 AND NOT EXISTS (FROM attribute_values) AND EXISTS (FROM attributes)
    UNION ALL
    SELECT 'totals' FROM counted
    WHERE files <> (SELECT coalesce(sum(file_count), 0) FROM totals WHERE dimension = 'show')"""
_KEYS = "file_id, batch_id"  # with the batch, few row groups are read


class Change(NamedTuple):
    """A file version that became current (`sign` 1) or is not current any more (-1); or a sequence with an error."""

    file_id: str | None
    batch_id: int | None
    sequence: str | None
    sign: int = 0


def exist(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the file has derived tables."""
    return len(statements.present(connection, STORED)) == len(STORED)


def log(connection: duckdb.DuckDBPyConnection, written_at: datetime, changes: Iterable[Change]) -> None:
    """Log changes, in the transaction of the connection that makes them; nothing if there are no tables to update."""
    if not exist(connection) or not run(connection, "SELECT 1 FROM derived_state WHERE written_at IS NOT NULL"):
        return
    logged = [change for change in changes if change.file_id is not None or change.sequence is not None]
    if any(change.file_id is not None and change.batch_id is None for change in logged):
        invalidate(connection)  # a program of the first table version wrote these rows, which have no batch
        return
    if logged:
        rows = pa.Table.from_pylist([change._asdict() for change in logged], _OWN["derived_changes"])
        connection.register("changes", rows)
        run(connection, "INSERT INTO derived_changes BY NAME SELECT * FROM changes")
    run(connection, "UPDATE derived_state SET written_at = greatest(written_at, ?)", [written_at])
    if run(connection, "SELECT count(*) FROM derived_changes")[0][0] > MOST_CHANGES:
        invalidate(connection)


def detect_unlogged(connection: duckdb.DuckDBPyConnection) -> None:
    """Let the next refresh rebuild everything if a program that logs no changes has written to the file."""
    if exist(connection):
        run(connection, f"UPDATE derived_state SET written_at = NULL WHERE written_at < ({_NEWEST})")  # noqa: S608


def log_vectors(connection: duckdb.DuckDBPyConnection, written_at: datetime) -> None:
    """Log the sequences of the files in `renewed`, whose vectors decide which frames are outliers."""
    if exist(connection):
        names = run(connection, "SELECT DISTINCT sequence FROM files SEMI JOIN renewed USING (file_id)")
        log(connection, written_at, (Change(None, None, name) for (name,) in names))


def invalidate(connection: duckdb.DuckDBPyConnection) -> None:
    """Let the next refresh rebuild everything, in the transaction of the connection."""
    if exist(connection):
        run(connection, "DELETE FROM derived_changes")
        run(connection, "UPDATE derived_state SET written_at = NULL")


def are_valid(connection: duckdb.DuckDBPyConnection, show_pattern: str) -> bool:
    """Whether the derived tables are right but for the logged changes, with the shows that a pattern finds in paths."""
    states = run(connection, f"SELECT show_pattern FROM derived_state WHERE written_at >= ({_NEWEST})")  # noqa: S608
    return states == [(show_pattern,)] and not faulty(connection)


def faulty(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The derived tables whose rows do not count the current files, although all changes are logged."""
    is_logged = exist(connection) and run(connection, f"SELECT 1 FROM derived_state WHERE written_at >= ({_NEWEST})")  # noqa: S608
    return [table for (table,) in run(connection, _FAULTY)] if is_logged else []


def are_current(connection: duckdb.DuckDBPyConnection, show_pattern: str) -> bool:
    """Whether the derived tables exist and are right."""
    if not exist(connection) or not are_valid(connection, show_pattern):
        return False
    return not run(connection, "SELECT 1 FROM derived_changes LIMIT 1")


def create(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the tables, in the transaction of the connection."""
    for table, schema in STORED.items():
        run(connection, statements.create_table(table, schema))


def refresh(
    connection: duckdb.DuckDBPyConnection, show_pattern: str | None, rows: SequenceRows, *, rebuild: bool
) -> None:
    """Bring the tables up to date, in the transaction of the connection. No other may write meanwhile.

    Without a `show_pattern` that of the last refresh.
    """
    if show_pattern is None:
        ((show_pattern,),) = run(connection, "SELECT show_pattern FROM derived_state")
    if rebuild or not are_valid(connection, show_pattern):
        _rebuild(connection, show_pattern, rows)
    elif run(connection, "SELECT 1 FROM derived_changes LIMIT 1"):
        _apply(connection, show_pattern, rows)


def _rebuild(connection: duckdb.DuckDBPyConnection, show_pattern: str, rows: SequenceRows) -> None:
    _replace(connection, "attribute_values", derived.summed_attribute_values(derived.attribute_values()))
    _replace(connection, "totals", derived.summed_totals(derived.totals()), {"show": show_pattern})
    connection.register("sequence_rows", rows(None))
    _replace(connection, "sequences", "SELECT * FROM sequence_rows")
    for table in _OWN:
        run(connection, f"DELETE FROM {table}")  # noqa: S608 (our names)
    state = f"INSERT INTO derived_state SELECT ({_NEWEST}), ?"
    run(connection, state, [show_pattern])


def _apply(connection: duckdb.DuckDBPyConnection, show_pattern: str, rows: SequenceRows) -> None:
    values = derived.attribute_values(_CHANGED_FILES, _KEYS)
    values = f"SELECT * FROM attribute_values UNION ALL BY NAME SELECT * FROM ({values})"  # noqa: S608
    _replace(connection, "attribute_values", derived.summed_attribute_values(values))
    totals = f"SELECT * FROM totals UNION ALL BY NAME SELECT * FROM ({derived.totals(_CHANGED_FILES, _KEYS)})"  # noqa: S608
    _replace(connection, "totals", derived.summed_totals(totals), {"show": show_pattern})
    changed = "SELECT DISTINCT sequence FROM derived_changes WHERE sequence IS NOT NULL"
    connection.register("sequence_rows", rows([name for (name,) in run(connection, changed)]))
    affected = "SELECT sequence FROM derived_changes UNION ALL SELECT sequence FROM sequence_rows"
    run(connection, f"DELETE FROM sequences WHERE sequence IN ({affected})")  # noqa: S608
    run(connection, "INSERT INTO sequences BY NAME SELECT * FROM sequence_rows")
    run(connection, "DELETE FROM derived_changes")


def _replace(
    connection: duckdb.DuckDBPyConnection, table: str, query: str, params: dict[str, str] | None = None
) -> None:
    """Replace the rows of a derived table by those of a query, which may read them."""
    run(connection, f"CREATE OR REPLACE TEMP TABLE replacement AS {query}", params)
    run(connection, f"DELETE FROM {table}")  # noqa: S608 (our names)
    run(connection, f"INSERT INTO {table} BY NAME SELECT * FROM replacement")  # noqa: S608
    run(connection, "DROP TABLE replacement")

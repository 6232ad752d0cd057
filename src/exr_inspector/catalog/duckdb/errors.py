"""Opening a DuckDB file, and DuckDB's errors in the words of the catalog."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import duckdb

from ...errors import CatalogError, CatalogLockedError, QueryError

Translator = Callable[[duckdb.Error, Path], CatalogError]

HOW_TO_MAKE_ONE = "make one with: exr-inspector ingest FOLDER --catalog duckdb:PATH"

_HOLDER = re.compile(r"Conflicting lock is held in (.+?) \(PID (\d+)\)")
_MESSAGE_LINES = 6

# A query names tables, never the Python variables that happen to live in the frames above it.
_CONFIG = {"python_enable_replacements": False}

_SETTINGS = ("TimeZone = 'UTC'",)  # times in the tables are UTC without a zone

# A query that comes from elsewhere reads the catalog, and no other file.
_READER_SETTINGS = ("enable_external_access = false",)

_WRITER_SETTINGS = (
    # A checkpoint compresses again what shares a row group with new rows: every 16 MB, DuckDB's default, it
    # took half of all time.
    "checkpoint_threshold = '256MB'",
    # Batches are small: handing them from thread to thread took a fifth of the time. Read-only catalogs use
    # all cores.
    "threads = 1",
)


def connect(path: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """A connection to a DuckDB file, whose sessions live in UTC. Raises CatalogError and its kinds."""
    if read_only and not path.exists():
        raise CatalogError(f"{path} does not exist; {HOW_TO_MAKE_ONE}")
    if path.is_dir():
        raise CatalogError(f"{path} is a folder; name a file in it")
    if not path.parent.is_dir():
        raise CatalogError(f"{path}: there is no folder {path.parent}; create it, or give another path")
    try:
        connection = duckdb.connect(str(path), read_only=read_only, config=_CONFIG)
        for setting in _SETTINGS + (_READER_SETTINGS if read_only else _WRITER_SETTINGS):
            connection.execute(f"SET GLOBAL {setting}").fetchall()
    except duckdb.Error as problem:
        raise as_catalog_error(problem, path) from problem
    return connection


def as_catalog_error(problem: duckdb.Error, path: Path) -> CatalogError:
    """What DuckDB says about a file, and what to do."""
    text = _first_lines(problem)
    if "Could not set lock on file" in text:
        holder = _HOLDER.search(text)
        by = f"by {holder[1]} (PID {holder[2]})" if holder else "by another process"
        return CatalogLockedError(
            f"{path} is in use {by}; a DuckDB catalog belongs to one process while that writes: "
            "wait for it to end, or give another catalog"
        )
    if "with a different configuration than existing connections" in text:
        return CatalogLockedError(
            f"{path} is open in this process already, once for reading and now for writing or the reverse; "
            "close that one first"
        )
    if "not a valid DuckDB database file" in text:
        return CatalogError(f"{path} is no DuckDB database; give another path, or move that file away")
    return CatalogError(f"{path}: {text}")


def as_query_error(problem: duckdb.Error, _path: Path) -> QueryError:
    """What DuckDB says about a query."""
    return QueryError(_first_lines(problem))


def _first_lines(problem: duckdb.Error) -> str:
    lines = [line for line in str(problem).splitlines() if line.strip()]
    return "\n".join(lines[:_MESSAGE_LINES])

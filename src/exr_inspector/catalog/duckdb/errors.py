"""Opens a DuckDB file, and translates errors of DuckDB into CatalogError and its subclasses."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import duckdb

from ...errors import CatalogError, CatalogLockedError
from ..query_errors import first_lines

Translator = Callable[[duckdb.Error, Path], CatalogError]

HOW_TO_CREATE = "create one with: exr-inspector ingest FOLDER --catalog duckdb:PATH"

_HOLDER = re.compile(r"Conflicting lock is held in (.+?) \(PID (\d+)\)")

# Names in a query are tables, not Python variables of the calling frames.
_CONFIG = {"python_enable_replacements": False}

_SETTINGS = ("TimeZone = 'UTC'",)  # times in the tables are UTC without a zone

# Queries of users read the catalog and no other file.
_READER_SETTINGS = ("enable_external_access = false",)

_WRITER_SETTINGS = (
    # A checkpoint compresses the row groups with new rows again: every 16 MB, DuckDB's default, that took half of the
    # time.
    "checkpoint_threshold = '256MB'",
    # Batches are small: passing them between threads took a fifth of the time. Read-only catalogs use all cores.
    "threads = 1",
)


def connect(path: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """A connection to a DuckDB file, with UTC as its time zone. Raises CatalogError and its subclasses."""
    if read_only and not path.exists():
        raise CatalogError(f"{path} does not exist; {HOW_TO_CREATE}")
    if path.is_dir():
        raise CatalogError(f"{path} is a folder; give a file in it")
    if not path.parent.is_dir():
        raise CatalogError(f"{path}: the folder {path.parent} is missing; create it, or give another path")
    try:
        connection = duckdb.connect(str(path), read_only=read_only, config=_CONFIG)
        for setting in _SETTINGS + (_READER_SETTINGS if read_only else _WRITER_SETTINGS):
            connection.execute(f"SET GLOBAL {setting}").fetchall()
    except duckdb.Error as error:
        raise as_catalog_error(error, path) from error
    return connection


def as_catalog_error(error: duckdb.Error, path: Path) -> CatalogError:
    """The CatalogError for an error of DuckDB with a file, saying what to do."""
    text = first_lines(error)
    if "Could not set lock on file" in text:
        holder = _HOLDER.search(text)
        by = f"by {holder[1]} (PID {holder[2]})" if holder else "by another process"
        return CatalogLockedError(
            f"{path} is in use {by}; one process at a time opens a DuckDB catalog for writing: "
            "wait for it to end, or give another catalog"
        )
    if "with a different configuration than existing connections" in text:
        return CatalogLockedError(
            f"{path} is open in this process already, read-only and now for writing or the reverse; close it first"
        )
    if "not a valid DuckDB database file" in text:
        return CatalogError(f"{path} is not a DuckDB database; give another path, or move that file away")
    return CatalogError(f"{path}: {text}")

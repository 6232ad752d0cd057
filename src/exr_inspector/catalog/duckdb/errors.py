"""Opens a DuckDB file, and translates errors of DuckDB into CatalogError and its subclasses."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import duckdb

from ...errors import CatalogError, CatalogLockedError
from .. import sandbox
from ..query_errors import first_lines

Translator = Callable[[duckdb.Error, Path], CatalogError]

HOW_TO_CREATE = "create one with: exr-inspector ingest FOLDER --catalog duckdb:PATH"

_HOLDER = re.compile(r"Conflicting lock is held in (.+?) \(PID (\d+)\)")

_WRITER_SETTINGS: dict[str, str | bool | int] = {
    # A checkpoint compresses the row groups with new rows again: every 16 MB, DuckDB's default, that took half of the
    # time.
    "checkpoint_threshold": "256MB",
    # Batches are small: passing them between threads took a fifth of the time. Read-only catalogs use all cores.
    "threads": 1,
}

# DuckDB takes other files for databases too, and opens a CSV file as a database in memory.
_MAGIC_OFFSET, _MAGIC = 8, b"DUCK"


def connect(path: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """A connection to a DuckDB file, with locked settings. Raises CatalogError and its subclasses."""
    if read_only and not path.exists():
        raise CatalogError(f"{path} does not exist; {HOW_TO_CREATE}")
    if path.is_dir():
        raise CatalogError(f"{path} is a folder; give a file in it")
    if not path.parent.is_dir():
        raise CatalogError(f"{path}: the folder {path.parent} is missing; create it, or give another path")
    if path.exists() and not _is_database(path):
        raise _not_a_database(path)
    try:
        # an absolute path has no prefix by which DuckDB chooses another kind of database
        return sandbox.connect(
            str(path.absolute()), read_only=read_only, settings=None if read_only else _WRITER_SETTINGS
        )
    except duckdb.Error as error:
        raise as_catalog_error(error, path) from error


def _is_database(path: Path) -> bool:
    if not path.is_file():  # reading from a pipe would wait
        return False
    try:
        with path.open("rb") as file:
            return file.read(_MAGIC_OFFSET + len(_MAGIC))[_MAGIC_OFFSET:] == _MAGIC
    except OSError as error:
        raise CatalogError(f"{path}: {error.strerror}; give a catalog that you may read") from error


def _not_a_database(path: Path) -> CatalogError:
    return CatalogError(f"{path} is not a DuckDB database; give another path, or move that file away")


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
        return _not_a_database(path)
    return CatalogError(f"{path}: {text}")

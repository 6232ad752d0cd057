"""Opens a DuckDB file, and translates errors of DuckDB into CatalogError and its subclasses."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

import duckdb
import pyarrow as pa

from ...errors import CatalogError, CatalogLockedError, CatalogSchemaError
from .. import sandbox
from ..columns import missing_columns
from ..query_errors import as_query_error, first_lines

Translator = Callable[[duckdb.Error, Path], CatalogError]

_HOLDER = re.compile(r"Conflicting lock is held in (.+?) \(PID (\d+)\)")

_WRITER_SETTINGS: dict[str, str | bool | int] = {
    # A checkpoint compresses the row groups with new rows again: every 16 MB, DuckDB's default, that took half of the
    # time.
    "checkpoint_threshold": "256MB",
    # Batches are small: passing them between threads took a fifth of the time. Read-only catalogs use all cores.
    "threads": 1,
}

# Texts of errors for files of other kinds: one without the bytes of DuckDB, a CSV file, which it opens as a database in
# memory, and a SQLite database, for which it loads an extension.
_OTHER_KINDS = (
    "not a valid DuckDB database file",
    "in-memory database in read-only mode",
    "Loading external extensions is disabled",
)
# Texts of errors of the operating system for a file or a folder that this process may not use.
_DENIED = ("Permission denied", "Read-only file system", "Operation not permitted")
# Texts of errors of the operating system for a disk on which nothing more can be written.
_FULL = ("No space left on device", "Disk quota exceeded")
# Texts of errors for a database that is cut, or whose bytes have changed.
_DAMAGE = ("Could not read enough bytes", "Corrupt database file", "checksum")


def connect(path: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """A connection to a DuckDB file, with locked settings. Raises CatalogError and its subclasses."""
    if read_only and not path.exists():
        raise does_not_exist(path)
    if path.is_dir():
        raise CatalogError(f"{path} is a folder; give a file in it")
    if not path.parent.is_dir():
        raise no_folder(path)
    if path.exists() and not path.is_file():  # opening a pipe would wait
        raise _not_a_database(path)
    try:
        # an absolute path has no prefix by which DuckDB chooses another kind of database
        connection = sandbox.connect(
            str(path.absolute()), read_only=read_only, settings=None if read_only else _WRITER_SETTINGS
        )
    except duckdb.Error as error:
        raise as_catalog_error(error, path) from error
    # Reading the first bytes of the file would be simpler, but closing it ends the locks of POSIX that DuckDB holds for
    # other catalogs of this process.
    if connection.execute("SELECT path FROM duckdb_databases() WHERE path IS NOT NULL").fetchall():
        return connection
    connection.close()
    raise _not_a_database(path)


def does_not_exist(path: Path) -> CatalogError:
    """The error for a missing file, which is often a mistyped name."""
    return CatalogError(f"{path} does not exist; check its name, or {_how_to_create(path)}")


def not_writable(path: Path) -> Path | None:
    """The file, if it exists, or its folder, if this process cannot write to it. DuckDB writes a second file there."""
    needed = (path, path.absolute().parent) if path.exists() else (path.absolute().parent,)
    return next((one for one in needed if not os.access(one, os.W_OK)), None)


def no_folder(path: Path) -> CatalogError:
    """The error for a file in a folder that does not exist."""
    return CatalogError(f"{path}: the folder {path.parent} is missing; create it, or give another path")


def no_catalog(path: Path) -> CatalogSchemaError:
    """The error for a file without the tables of a catalog."""
    return CatalogSchemaError(
        f"{path} is a DuckDB database without a catalog; check its name, or {_how_to_create(path)}"
    )


def _how_to_create(path: Path) -> str:
    return f"create the catalog with: exr-inspector ingest FOLDER --catalog {shlex.quote(f'duckdb:{path}')}"


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
            "wait for it to end (--wait SECONDS), or give another catalog"
        )
    if "with a different configuration than existing connections" in text:
        return CatalogLockedError(
            f"{path} is open in this process already, read-only and now for writing or the reverse; close it first"
        )
    if any(kind in text for kind in _OTHER_KINDS):
        return _not_a_database(path)
    if _is_damage(text):
        return CatalogError(
            f"{path} is damaged ({text}); restore a backup with exr-inspector db restore, or ingest the files again, "
            "into another file"
        )
    full = next((full for full in _FULL if full in text), None)
    if full is not None:
        return CatalogError(
            f"{path} cannot be written: the disk at {_mount(path)} is full ({full.lower()}), so nothing of this "
            "transaction is stored; free space on it, and run the command again"
        )
    denied = next((denied for denied in _DENIED if denied in text), None)
    if denied is not None:
        if path.exists() and not os.access(path, os.R_OK):
            why = f"{path} is not readable"
        else:
            obstacle = not_writable(path)
            why = denied.lower() if obstacle is None else f"{obstacle} is not writable"
        return CatalogError(f"{path} cannot be opened: {why}; change the permissions, or give another path")
    return CatalogError(f"{path}: {text}")


def _mount(path: Path) -> Path:
    """Where the disk of a file is mounted."""
    return next(folder for folder in path.resolve().parents if folder.is_mount())


def of_columns(error: duckdb.Error, path: Path, stored: Callable[[], Mapping[str, pa.Schema]]) -> CatalogError | None:
    """The error for a statement that names a column which the stored tables lack; None for any other error."""
    if not isinstance(error, duckdb.BinderException):
        return None
    missing = list(missing_columns(stored()))
    names = "|".join(name.rpartition(".")[2] for name in missing)
    if not missing or not re.search(rf'("|column )({names})\b', str(error)):
        return None
    uri = f"duckdb:{path}"
    return CatalogSchemaError(
        f"{uri}: missing columns: {', '.join(missing)}; "
        f"for what to do, run: exr-inspector doctor --catalog {shlex.quote(uri)}"
    )


def of_query(error: duckdb.Error, path: Path) -> CatalogError:
    """The QueryError for an error of a query, unless the file is damaged."""
    return as_catalog_error(error, path) if _is_damage(str(error)) else as_query_error(error)


def _is_damage(text: str) -> bool:
    return any(damage in text for damage in _DAMAGE)

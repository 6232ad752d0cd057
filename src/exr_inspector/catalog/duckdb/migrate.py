"""Migrates a DuckDB file, after a copy of it beside it; and applies steps, also those that create a catalog.

The copy is made by this process while DuckDB holds its lock on the file. Closing the file would end that lock, as locks
of POSIX belong to the process: so the file is closed after DuckDB, and no catalog of this process opens it meanwhile.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import duckdb

from ...errors import CatalogError, CatalogSchemaError
from ..migrations import (
    AddColumns,
    AddIndex,
    AddTable,
    Fill,
    Migrated,
    Migration,
    Recompute,
    Step,
    needs_migration,
    pending,
    reject_foreign_tables,
)
from ..schema import TABLES, current_version, version_row
from . import derived, errors, statements
from .locks import lock_of, while_locked
from .statements import run

_WAIT_S = 20  # for another process that is migrating the same file
_PAGE_ROWS = 100_000


def migrate(path: Path, uri: str, *, to: int | None = None, dry_run: bool = False) -> Migrated:
    """Migrate the tables of a file to version `to`, or else to that of this program. A dry run only returns the steps.

    Raises CatalogSchemaError, naming the command, if file or folder are not writable. Each migration is one
    transaction, so a process that ends leaves the tables of one version.
    """
    if not path.exists():
        raise errors.does_not_exist(path)
    obstacle = errors.not_writable(path)
    read_only = dry_run or obstacle is not None
    with lock_of(path), ExitStack() as until_closed, closing(_connected(path, read_only=read_only)) as connection:
        version = stored_version(connection, uri)
        if version is None:
            raise errors.no_catalog(path)
        todo = pending(uri, version, to)
        for migration in todo:
            reject_foreign_tables(uri, migration, statements.present(connection, TABLES))
        if dry_run or not todo:
            return Migrated(uri=uri, version=version, applied=todo)
        if obstacle is not None:
            reason = f", but {obstacle} is not writable; make it writable, or become a user who can write to it"
            raise needs_migration(uri, version, reason)
        try:
            run(connection, "CHECKPOINT")  # afterwards the file is whole without its write-ahead log
            copy = _copy(until_closed.enter_context(path.open("rb")), path, todo[-1].version)
            with _deleted_if_unchanged(copy, connection, uri, version):
                for migration in todo:
                    _apply(connection, migration)
        except duckdb.Error as error:
            raise errors.as_catalog_error(error, path) from error
    return Migrated(uri=uri, version=version, applied=todo, copy=str(copy))


@contextmanager
def _deleted_if_unchanged(copy: Path, connection: duckdb.DuckDBPyConnection, uri: str, version: int) -> Iterator[None]:
    """Delete the copy if the block fails and has left the tables in their version."""
    try:
        yield
    except BaseException:
        with suppress(duckdb.Error, CatalogError, OSError):  # the copy stays
            run(connection, "ROLLBACK")
            if stored_version(connection, uri) == version:
                copy.unlink()
        raise


def stored_version(connection: duckdb.DuckDBPyConnection, uri: str) -> int | None:
    """The version of the tables, None without tables. Raises CatalogError, CatalogSchemaError if it is too new."""
    try:
        rows = connection.sql("SELECT * FROM schema_version").to_arrow_table().to_pylist()
    except duckdb.CatalogException:
        rows = []
    except duckdb.Error as error:
        raise errors.as_catalog_error(error, Path(uri.removeprefix("duckdb:"))) from error
    return current_version(uri, rows)


def version_of_file(path: Path, uri: str, *, wait_s: float) -> int | None:
    """The version of the tables in a file, None without file or tables, where a catalog can be created.

    Raises CatalogError and its subclasses, also if it cannot.
    """
    if not path.exists():
        if not path.parent.is_dir():
            raise errors.no_folder(path)
        return None
    with lock_of(path), closing(while_locked(wait_s)(errors.connect, path, read_only=True)) as connection:
        version = stored_version(connection, uri)
        if version is None:
            expect_no_tables(connection, path, TABLES)
        return version


def expect_no_tables(connection: duckdb.DuckDBPyConnection, path: Path, tables: Iterable[str]) -> None:
    """Raises CatalogSchemaError if another program has created tables or views with these names."""
    if foreign := statements.present(connection, tables):
        raise CatalogSchemaError(
            f"{path} has tables or views with names of the catalog that exr-inspector did not create: "
            f"{', '.join(foreign)}; give another path"
        )


def record_version(connection: duckdb.DuckDBPyConnection, *version: int) -> None:
    """Insert the row of `schema_version` for a version, without one for that of this program."""
    connection.register("new", version_row(*version))
    run(connection, "INSERT INTO schema_version BY NAME SELECT * FROM new")


def apply(connection: duckdb.DuckDBPyConnection, step: Step) -> None:
    """Apply a step, in the transaction of the connection."""
    match step:
        case AddTable(table, columns):
            run(connection, statements.create_table(table, columns))
        case AddColumns(table, columns):
            for column in columns:
                run(connection, f'ALTER TABLE {table} ADD COLUMN "{column.name}" {statements.sql_type(column.type)}')
        case AddIndex(index, table, columns):
            run(connection, f"CREATE INDEX {index} ON {table} ({', '.join(columns)})")
        case Fill(table, column, expression):
            others = "" if table == "files" else f" FROM files WHERE files.file_id = {table}.file_id"
            run(connection, f"UPDATE {table} SET {column} = {expression}{others}")  # noqa: S608 (ours)
        case Recompute():
            _recompute(connection, step)


def _connected(path: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """A connection to the file; waits within the caller's time limit for another process that has it open."""
    return while_locked(_WAIT_S)(errors.connect, path, read_only=read_only)


def _apply(connection: duckdb.DuckDBPyConnection, migration: Migration) -> None:
    run(connection, "BEGIN")
    for step in migration.steps:
        apply(connection, step)
    record_version(connection, migration.version, migration.readable_since)
    derived.invalidate(connection)
    run(connection, "COMMIT")


def _recompute(connection: duckdb.DuckDBPyConnection, step: Recompute) -> None:
    ((last,),) = run(connection, f"SELECT max(rowid) FROM {step.table}")  # noqa: S608 (our names)
    for start in range(0, -1 if last is None else last + 1, _PAGE_ROWS):
        page = connection.sql(
            f"SELECT rowid, {', '.join(step.reads)} FROM {step.table} WHERE rowid BETWEEN ? AND ?",  # noqa: S608
            params=[start, min(start + _PAGE_ROWS - 1, last)],
        ).to_arrow_table()
        changes = step.changes(page, "rowid")
        if changes.num_rows:
            connection.register("changes", changes)
            columns = [name for name in changes.column_names if name != "rowid"]
            sets = ", ".join(f"{name} = changes.{name}" for name in columns)
            run(
                connection,
                f"UPDATE {step.table} SET {sets} FROM changes WHERE {step.table}.rowid = changes.rowid",  # noqa: S608
            )


def _copy(file: BinaryIO, path: Path, version: int) -> Path:
    """Copy the open file at `path` beside it. The name of the copy appears when it is complete."""
    name = f"{path.name}.before-schema-{version}"
    partial = path.with_name(f"{name}.partial")
    try:
        with partial.open("wb") as copy:
            shutil.copymode(path, partial)
            shutil.copyfileobj(file, copy, 1 << 20)
            copy.flush()
            os.fsync(copy.fileno())
        target = _free_name(path.with_name(name))
        partial.rename(target)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise CatalogError(
            f"{path} cannot be copied to {partial} before its migration: {error.strerror}; the catalog is unchanged"
        ) from error
    return target


def _free_name(path: Path) -> Path:
    """The path, with a number if a file has it: an earlier migration made that copy and did not end."""
    number, free = 1, path
    while free.exists():
        number, free = number + 1, path.with_name(f"{path.name}.{number}")
    return free

"""Creates the tables of a VAST catalog, and migrates them; only the command migrates, as others may be writing.

A cluster may reject a transaction that changes both tables and rows. So tables are changed in a first transaction, and
rows in a second one, with the row of `schema_version` that makes the version valid. What ends between the two is
completed by the next program that creates or migrates: it skips changes of tables that were made.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from vastdb import errors as sdk

from ...errors import CatalogError, CatalogSchemaError
from ..migrations import (
    CREATION,
    MIGRATIONS,
    AddColumns,
    AddTable,
    Migrated,
    Migration,
    Recompute,
    Step,
    needs_migration,
    pending,
    reject_foreign_tables,
)
from ..schema import SORTED_BY, TABLES, VERSION, version_row
from .connection import without_sdk_warnings
from .errors import CatalogConflictError, CatalogRejectedError
from .tables import ROW_ID, Rows, Tables, has_columns, has_types, no_tables, tables_at

if TYPE_CHECKING:
    from vastdb.schema import Schema
    from vastdb.transaction import Transaction

    from ...settings import VastConnection
    from .connection import Clock

log = logging.getLogger(__name__)

_SECONDS = 3600  # for one version; each request has a limit of its own


def migrate(uri: str, connection: VastConnection | None, *, to: int | None = None, dry_run: bool = False) -> Migrated:
    """Migrate the tables to version `to`, or else to that of this program. A dry run only returns what would be done.

    Any number of processes may do so at once: one applies a version, and the others find it applied.
    """
    tables = tables_at(uri, connection)
    version = _stored_version(tables)
    todo = pending(tables.uri, version, to)
    applied = todo if dry_run else tuple(migration for migration in todo if _applied(tables, migration))
    if applied:
        version = applied[0].version - 1  # another process may have applied the ones before
    elif todo:
        version = todo[-1].version
    return Migrated(uri=tables.uri, version=version, applied=applied)


def repeat(uri: str, connection: VastConnection | None, *, dry_run: bool = False) -> int:
    """Recompute again what migrations have computed; the number of changed rows. A dry run only returns it.

    For the rows that programs of older versions wrote after a migration. Each step is one transaction.
    """
    tables = tables_at(uri, connection)
    version = _stored_version(tables)
    if version < VERSION:
        raise needs_migration(tables.uri, version)

    def recomputed(step: Recompute) -> int:
        def attempt(clock: Clock) -> int:
            with tables.transaction(clock) as rows:
                return _recompute(step, tables, rows, clock, dry_run=dry_run)

        return tables.connection.retried(attempt, seconds=_SECONDS)

    steps = [step for migration in MIGRATIONS for step in migration.steps if isinstance(step, Recompute)]
    return sum(map(recomputed, steps))


def version_at(uri: str, connection: VastConnection | None) -> int | None:
    """The version of the tables, None without tables. Raises CatalogSchemaError if it is too new."""
    tables = tables_at(uri, connection, read_only=True)
    return tables.connection.retried(tables.version)


def _stored_version(tables: Tables) -> int:
    version = tables.connection.retried(tables.version)
    if version is None:
        raise no_tables(tables.uri)
    return version


def create(tables: Tables, clock: Clock) -> None:
    """Create all tables, sorted where the server offers it, or complete a creation that was interrupted.

    Raises CatalogConflictError if another process is creating them.
    """
    if tables.connection.can_sort:
        try:
            _create(tables, clock, sort=True)
        except CatalogRejectedError as error:
            log.info("%s: tables are created without a sorting key: %s", tables.uri, error)
            _create(tables, clock, sort=False)
    else:
        _create(tables, clock, sort=False)
    while _is_version_inserted(tables, clock):
        pass  # others may have inserted it at the same time


@without_sdk_warnings()
def _create(tables: Tables, clock: Clock, *, sort: bool) -> None:
    """Create the tables in one transaction, unless they are there."""
    with _changing(tables, clock) as transaction:
        schema = transaction.bucket(tables.bucket).create_schema(tables.schema, fail_if_exists=False)
        if not TABLES.keys().isdisjoint(schema.tablenames()):
            return
        for step in CREATION:
            if isinstance(step, AddTable) and sort and step.table in SORTED_BY:
                clock.check()
                schema.create_table(step.table, step.columns, sorting_key=list(SORTED_BY[step.table]))
            else:
                _apply(step, schema, clock)
    tables.are_sorted = sort


def _is_version_inserted(tables: Tables, clock: Clock) -> bool:
    """Insert the row of the version if it is missing, else leave one row for each version.

    Two processes may insert it, as neither sees the other's row. The last one to commit sees all of them afterwards.
    """
    with tables.transaction(clock) as rows:
        stored = rows.select("schema_version", ["version"], row_ids=True)
        if not stored.num_rows:
            rows.insert("schema_version", version_row())
            return True
        first = stored.group_by("version").aggregate([(ROW_ID, "min")])[f"{ROW_ID}_min"].combine_chunks()
        rows.delete("schema_version", stored.filter(pc.invert(pc.is_in(stored[ROW_ID], first)))[ROW_ID])
    return False


def sort(uri: str, connection: VastConnection | None, *, dry_run: bool = False) -> bool:
    """Sort the tables of SORTED_BY; False if they are sorted already. A dry run only returns what would be done.

    Row ids have another type afterwards, and the columns that tables are sorted by cannot be changed.
    """
    tables = tables_at(uri, connection)
    version = _stored_version(tables)
    if version < VERSION:
        raise needs_migration(tables.uri, version)
    if not tables.connection.can_sort:
        raise CatalogError(f"{tables.uri}: the server, {tables.connection.server_version}, cannot sort tables")
    if dry_run:
        return not tables.are_sorted
    unsorted: set[str] = set()  # in all attempts, as a response to a commit can be lost

    @without_sdk_warnings()
    def attempt(clock: Clock) -> None:
        with _changing(tables, clock) as transaction:
            rows = tables.rows(transaction, clock)
            schema = transaction.bucket(tables.bucket).schema(tables.schema)
            for table in SORTED_BY:
                if not rows.is_sorted(table):
                    unsorted.add(table)
                    schema.table(table).add_sorting_key(list(SORTED_BY[table]))

    tables.connection.retried(attempt, seconds=_SECONDS)
    return bool(unsorted)


def _applied(tables: Tables, migration: Migration) -> bool:
    """Apply a migration; False if another process has applied it."""
    row = version_row(migration.version, migration.readable_since)
    sent: list[dict[str, Any]] = []  # its rows in attempts that came to their commit, whose response can be lost

    def attempt(clock: Clock) -> bool:
        _change_tables(tables, migration, clock)
        with tables.transaction(clock) as rows:
            stored = _stored_rows(rows)
            if not _has_version(stored, migration.version):
                # Conflicts with any other process that is doing the same.
                rows.update("schema_version", stored.select([ROW_ID, "version"]))
                stored = _stored_rows(rows)  # on a server that shows later commits, one may have done it meanwhile
            if _has_version(stored, migration.version):
                return any(each in sent for each in stored.to_pylist())
            for step in migration.steps:
                if isinstance(step, Recompute):
                    _recompute(step, tables, rows, clock)
            rows.insert("schema_version", row)
            sent.extend(each for each in _stored_rows(rows).to_pylist() if each["version"] == migration.version)
        return True

    return tables.connection.retried(attempt, seconds=_SECONDS)


def _stored_rows(rows: Rows) -> pa.Table:
    return rows.select("schema_version", ["version", "applied_at"], row_ids=True)


def _has_version(stored: pa.Table, version: int) -> bool:
    return any(each >= version for each in stored["version"].to_pylist())


@without_sdk_warnings()
def _change_tables(tables: Tables, migration: Migration, clock: Clock) -> None:
    """Create the tables and add the columns of a migration, but for those of an attempt that ended later.

    Raises CatalogSchemaError if another program created them.
    """
    names = {step.table for step in migration.steps if isinstance(step, (AddTable, AddColumns))}
    with _changing(tables, clock) as transaction:
        present = tables.columns_in(transaction, names)  # before the versions, which another process may be committing
        if _has_version(_stored_rows(tables.rows(transaction, clock)), migration.version):
            return
        todo = _steps_to_apply(tables.uri, migration, present)
        schema = transaction.bucket(tables.bucket).schema(tables.schema)
        for step in todo:
            _apply(step, schema, clock)


def _steps_to_apply(uri: str, migration: Migration, present: Mapping[str, pa.Schema]) -> list[AddTable | AddColumns]:
    """The steps that change tables and are not applied. Raises CatalogSchemaError for those of another program."""
    todo: list[AddTable | AddColumns] = []
    foreign_tables, foreign_columns = [], []
    for step in migration.steps:
        if isinstance(step, AddTable):
            if step.table not in present:
                todo.append(step)
            elif not has_columns(present[step.table], step.columns):
                foreign_tables.append(step.table)
        elif isinstance(step, AddColumns):
            stored = present.get(step.table, pa.schema([]))
            if set(step.columns.names).isdisjoint(stored.names):
                todo.append(step)
            elif not has_types(stored, step.columns):
                foreign_columns += [f"{step.table}.{name}" for name in step.columns.names if name in stored.names]
    reject_foreign_tables(uri, migration, foreign_tables)
    if foreign_columns:
        raise CatalogSchemaError(
            f"{uri} has columns that exr-inspector did not create, with names of table version {migration.version}: "
            f"{', '.join(foreign_columns)}; rename them, and migrate again"
        )
    return todo


@contextmanager
def _changing(tables: Tables, clock: Clock) -> Iterator[Transaction]:
    """A transaction that changes tables. Raises CatalogConflictError if another process is doing the same."""
    with tables.connection.transaction(clock) as transaction:
        try:
            yield transaction
        except sdk.Exists as error:
            raise CatalogConflictError(f"{tables.uri}: another process is changing the tables") from error


def _apply(step: Step, schema: Schema, clock: Clock) -> None:
    """Apply a step that changes tables."""
    clock.check()
    match step:
        case AddTable(table, columns):
            schema.create_table(table, columns)
        case AddColumns(table, columns):
            schema.table(table).add_column(columns)


def _recompute(step: Recompute, tables: Tables, changing: Rows, clock: Clock, *, dry_run: bool = False) -> int:
    """Recompute columns; the number of changed rows."""
    fixed = SORTED_BY.get(step.table, ()) if tables.are_sorted else ()
    changed = 0
    with tables.reading(clock) as before:  # a transaction of its own, which does not see rows that change meanwhile
        for page in before.stream(step.table, step.reads, row_ids=True):
            changes = step.changes(page, ROW_ID)
            changed += changes.num_rows
            if changes.num_rows and set(fixed) & set(changes.column_names):
                raise CatalogError(
                    f"{tables.uri}: {step.table} is sorted by {', '.join(fixed)}, which cannot be changed any more; "
                    "run: exr-inspector ingest --rescan --prune"
                )
            if not dry_run:
                changing.update(step.table, changes)
    return changed

"""Creates the tables of a VAST catalog, and migrates them; only the command migrates, as others may be writing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vastdb import errors as sdk

from ...errors import CatalogError
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
from ..schema import SORTED_BY, VERSION, version_row
from .connection import without_sdk_warnings
from .errors import CatalogConflictError, CatalogRejectedError
from .tables import ROW_ID, Tables, no_tables, tables_at

if TYPE_CHECKING:
    import pyarrow as pa
    from vastdb.schema import Schema
    from vastdb.transaction import Transaction

    from ...settings import VastConnection
    from .connection import Clock

log = logging.getLogger(__name__)

_SECONDS = 3600  # for one version; each request has a limit of its own


def migrate(uri: str, connection: VastConnection | None, *, to: int | None = None, dry_run: bool = False) -> Migrated:
    """Migrate the tables to version `to`, or else to that of this program. A dry run only returns what would be done.

    Each version is one transaction. Any number of processes may do so at once: one applies a version, and the others
    find it applied.
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
            with tables.connection.transaction(clock) as transaction:
                return _recompute(step, tables, transaction, clock, dry_run=dry_run)

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


def create(tables: Tables, clock: Clock, version: pa.Table | None = None) -> None:
    """Create all tables in one transaction, sorted where the server offers it. `version` is the row of their version.

    Raises CatalogConflictError if another process is creating them.
    """
    if tables.connection.can_sort:
        try:
            return _create(tables, clock, version, sort=True)
        except CatalogRejectedError as error:
            log.info("%s: tables are created without a sorting key: %s", tables.uri, error)
    return _create(tables, clock, version, sort=False)


@without_sdk_warnings()
def _create(tables: Tables, clock: Clock, version: pa.Table | None, *, sort: bool) -> None:
    with _changing(tables, clock) as transaction:
        schema = transaction.bucket(tables.bucket).create_schema(tables.schema, fail_if_exists=False)
        for step in CREATION:
            if isinstance(step, AddTable) and sort and step.table in SORTED_BY:
                clock.check()
                schema.create_table(step.table, step.columns, sorting_key=list(SORTED_BY[step.table]))
            else:
                _apply(step, schema, tables, transaction, clock)
        tables.are_sorted = sort
        tables.rows(transaction, clock).insert("schema_version", version_row() if version is None else version)


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
    is_sent = False  # whether an attempt came to its commit, whose response can be lost

    @without_sdk_warnings()
    def attempt(clock: Clock) -> bool:
        nonlocal is_sent
        with _changing(tables, clock) as transaction:
            schema = transaction.bucket(tables.bucket).schema(tables.schema)
            present = set(schema.tablenames())  # before the versions, which another process may be committing
            rows = tables.rows(transaction, clock)
            stored = rows.select_present("schema_version", ["version", "applied_at"]).to_pylist()
            if any(stored_row["version"] >= migration.version for stored_row in stored):
                # Other processes may have applied it in the same millisecond.
                return is_sent and {"version": migration.version, "applied_at": row["applied_at"][0].as_py()} in stored
            reject_foreign_tables(tables.uri, migration, present)
            for step in migration.steps:
                _apply(step, schema, tables, transaction, clock)
            rows.insert("schema_version", row)
            is_sent = True
        return True

    return tables.connection.retried(attempt, seconds=_SECONDS)


@contextmanager
def _changing(tables: Tables, clock: Clock) -> Iterator[Transaction]:
    """A transaction that changes tables. Raises CatalogConflictError if another process is doing the same."""
    with tables.connection.transaction(clock) as transaction:
        try:
            yield transaction
        except sdk.Exists as error:
            raise CatalogConflictError(f"{tables.uri}: another process is changing the tables") from error


def _apply(step: Step, schema: Schema, tables: Tables, transaction: Transaction, clock: Clock) -> None:
    clock.check()
    match step:
        case AddTable(table, columns):
            schema.create_table(table, columns)
        case AddColumns(table, columns):
            schema.table(table).add_column(columns)
        case Recompute():
            _recompute(step, tables, transaction, clock)


def _recompute(
    step: Recompute, tables: Tables, transaction: Transaction, clock: Clock, *, dry_run: bool = False
) -> int:
    """Recompute columns; the number of changed rows."""
    changing = tables.rows(transaction, clock)
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

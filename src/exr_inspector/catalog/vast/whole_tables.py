"""Whole tables of a VAST catalog: read in pages, inserted in transactions of bounded size, and dropped.

Until all rows are stored, the only row of `schema_version` marks the tables as incomplete, so no program opens them.
The marker counts the pages that are stored, and is changed in the transaction of each page: so no page is stored twice,
also after a lost response, and a load that was interrupted continues where it ended.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from ...errors import CatalogError, CatalogSchemaError
from ..migrations import needs_migration
from ..persistence import not_empty
from ..schema import INCOMPLETE, TABLES, VERSION
from .connection import without_sdk_warnings
from .errors import CatalogRejectedError
from .migrate import create
from .tables import ROW_ID, Rows, Tables, no_tables, tables_at

if TYPE_CHECKING:
    from typing import Any

    from ...settings import VastConnection
    from .connection import Clock

_SECONDS_TO_READ = 4 * 3600  # a table; each request has a limit of its own
_SECONDS = 3600  # for a page that is inserted

T = TypeVar("T")
_MARKER_COLUMNS = TABLES["schema_version"].names


def read(tables: Tables, table: str, columns: Sequence[str], consume: Callable[[Iterator[pa.Table]], T]) -> T:
    """The result of `consume` for pages of the rows, in one transaction, which is repeated if it fails."""

    def attempt(_: Clock) -> T:
        with tables.reading() as rows:
            return consume(rows.pages(table, columns))

    return tables.connection.retried(attempt, seconds=_SECONDS_TO_READ)


def load(uri: str, pages: Iterable[tuple[str, pa.Table]], name: str, connection: VastConnection | None) -> None:
    """Insert the pages of all tables, those of `schema_version` last. `name` is that of the pages, in their order.

    Raises SettingsError if the catalog has files, CatalogError for an incomplete load of another name.
    """
    tables = tables_at(uri, connection)
    loading = _Loading(tables, name)
    retried = tables.connection.retried
    done = retried(loading.begin, seconds=_SECONDS)
    versions: list[pa.Table] = []
    for number, (table, page) in enumerate(pages, 1):
        if table == "schema_version":
            versions.append(page)
        elif number > done:
            retried(lambda clock: loading.insert(number, table, page, clock), seconds=_SECONDS)  # noqa: B023
    retried(lambda clock: loading.finish(pa.concat_tables(versions), clock), seconds=_SECONDS)


def drop(uri: str, connection: VastConnection | None) -> None:
    """Drop the tables of the catalog, whatever their version. Raises CatalogSchemaError without tables."""
    tables = tables_at(uri, connection)
    try:
        version = tables.connection.retried(tables.version)
    except CatalogSchemaError:  # incomplete, or of a newer program
        version = tables.connection.retried(partial(_any_version, tables))
    if version is None:
        raise no_tables(tables.uri)
    tables.connection.retried(partial(_drop, tables))


@without_sdk_warnings()
def _drop(tables: Tables, clock: Clock) -> None:
    """Drop the tables of the catalog; and the schema, if it has no other tables."""
    with tables.connection.transaction(clock) as transaction:
        schema = transaction.bucket(tables.bucket).schema(tables.schema, fail_if_missing=False)
        names = set(schema.tablenames()) if schema else set()  # without it, an earlier attempt was committed
        for name in names & set(TABLES):
            clock.check()
            schema.table(name).drop()
        if names and names <= set(TABLES):
            schema.drop()


def _any_version(tables: Tables, clock: Clock) -> int | None:
    """A version of the tables; None if another program created them."""
    try:
        with tables.reading(clock) as rows:
            stored = rows.select_present("schema_version", ["version", "inspector_version"]).to_pylist()
    except (CatalogSchemaError, CatalogRejectedError):
        return None
    return stored[0].get("version") if stored and "inspector_version" in stored[0] else None


class _Loading:
    """The transactions of a load; each reads what an earlier attempt has stored."""

    def __init__(self, tables: Tables, name: str) -> None:
        self._tables, self._name = tables, name
        self._finished = False

    def begin(self, clock: Clock) -> int:
        """Create or mark the tables; the number of pages that are stored."""
        try:
            version = self._tables.version(clock)
        except CatalogSchemaError:
            done = self._done(clock)
            if done is None:
                raise
            return done
        if version is None:
            create(self._tables, clock)
        elif version < VERSION:
            raise needs_migration(self._tables.uri, version)
        with self._tables.transaction(clock) as rows:
            for table in ("files", "ingest_errors"):
                if next(rows.stream(table, TABLES[table].names[:1]), pa.table({})).num_rows:
                    raise not_empty(self._tables.uri)
            stored = rows.select("schema_version", ["version"], row_ids=True)
            rows.delete("schema_version", stored[ROW_ID])
            rows.insert("schema_version", self._marker(0))
        return 0

    def _done(self, clock: Clock) -> int | None:
        """The pages that are stored of an incomplete load; None without one."""
        try:
            with self._tables.reading(clock) as rows:
                stored = rows.select("schema_version", _MARKER_COLUMNS).to_pylist()
        except CatalogError:
            return None
        if not any(row["version"] == INCOMPLETE for row in stored):
            return None
        return self._number(stored)

    def insert(self, number: int, table: str, page: pa.Table, clock: Clock) -> None:
        """Insert a page, unless an earlier attempt has stored it."""
        with self._tables.transaction(clock) as rows:
            stored = self._read_versions(rows)
            marker = stored.filter(pc.equal(stored["version"], INCOMPLETE))
            done = self._number(marker.to_pylist())
            if done >= number:  # by an earlier attempt whose response was lost, or by another process
                return
            rows.insert(table, page)
            rows.update("schema_version", pa.table({ROW_ID: marker[ROW_ID], "readable_since": pa.array([number])}))

    def finish(self, versions: pa.Table, clock: Clock) -> None:
        """Replace the marker by the versions of the tables."""
        with self._tables.transaction(clock) as rows:
            stored = self._read_versions(rows)
            if self._finished and stored.drop_columns(ROW_ID).cast(versions.schema).equals(versions):
                return  # by an earlier attempt whose response was lost
            self._number(stored.to_pylist())
            self._finished = True
            rows.delete("schema_version", stored[ROW_ID])
            rows.insert("schema_version", versions)

    def _marker(self, number: int) -> pa.Table:
        row = {
            "version": INCOMPLETE,
            "applied_at": datetime.now(timezone.utc),
            "inspector_version": self._name,
            "readable_since": number,
        }
        return pa.Table.from_pylist([row], schema=TABLES["schema_version"])

    def _read_versions(self, rows: Rows) -> pa.Table:
        return rows.select("schema_version", _MARKER_COLUMNS, row_ids=True)

    def _number(self, stored: list[dict[str, Any]]) -> int:
        """The number of stored pages in the marker. Raises CatalogError if it is that of another load."""
        uri = self._tables.uri
        # A program that was creating the tables when the load began may have added the row of their version.
        marker = next((row for row in stored if row["version"] == INCOMPLETE), None)
        if marker is None:
            raise CatalogError(f"{uri} was restored by another process meanwhile; nothing more is stored")
        if marker["inspector_version"] != self._name:
            raise CatalogError(
                f"{uri} has a part of another backup; restore that one, or drop the catalog first: "
                f"exr-inspector db drop --no-backup --catalog {shlex.quote(uri)}"
            )
        return int(marker["readable_since"])

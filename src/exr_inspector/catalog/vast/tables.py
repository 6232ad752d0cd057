"""The tables of one catalog: reads their version, drops them, and selects, inserts, updates and deletes their rows."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from functools import cache
from operator import eq, ge, gt, le, lt
from typing import TYPE_CHECKING, Any, NamedTuple

import ibis
import pyarrow as pa
import vastdb
from vastdb.table_metadata import TableMetadata

from ...errors import CatalogSchemaError, SettingsError
from ..columns import typed
from ..schema import SORTED_BY, TABLES, current_version
from .connection import QUERY_ID, Connection, without_sdk_warnings
from .errors import CatalogRejectedError
from .request_size import LIST_BYTES, by_size, fitting, literal_bytes, pieces

if TYPE_CHECKING:
    from vastdb._internal import TableStats
    from vastdb._table_interface import ITable
    from vastdb.transaction import Transaction

    from ...settings import VastConnection
    from .conditions import Condition
    from .connection import Clock

ROW_ID = "$row_id"
VERSION_COLUMNS = ("version", "readable_since", "inspector_version")

_ROWS_PER_PAGE = 64 * 1024

# Names that work in the SDK's URLs, which it builds without quoting.
_URI = re.compile(
    r"vast://([A-Za-z0-9][A-Za-z0-9._-]*)/([A-Za-z0-9_][A-Za-z0-9_-]*)/?(?:\?snapshot=([A-Za-z0-9_][A-Za-z0-9._:-]*))?",
    re.IGNORECASE,
)


def is_snapshot(uri: str) -> bool:
    """Whether the URI of a VAST catalog names a snapshot."""
    return "?" in uri


def no_tables(uri: str) -> CatalogSchemaError:
    """The error for a schema without tables."""
    if is_snapshot(uri):
        return CatalogSchemaError(
            f"{uri} has no catalog tables; give a later snapshot, or check the name of the schema"
        )
    return CatalogSchemaError(
        f"{uri} has no catalog tables; create them with: exr-inspector db create-schema --catalog {shlex.quote(uri)}"
    )


class _KnownTable(TableMetadata):  # type: ignore[misc]
    """Metadata that the SDK copies at each use of a table; a deep copy costs more than the rows of a small file."""

    def __deepcopy__(self, memo: dict[int, Any]) -> _KnownTable:
        return copy(self)


@cache
def _known_tables(bucket: str, schema: str, are_sorted: bool) -> dict[str, TableMetadata]:
    """The known columns of the tables, which the SDK would request from the server at each use."""
    known = {}
    for table, columns in TABLES.items():
        key = SORTED_BY.get(table) if are_sorted else None
        kind = vastdb.TableType.Elysium if key else vastdb.TableType.Regular  # row ids of sorted tables are decimals
        known[table] = _KnownTable(vastdb.TableRef(bucket, schema, table), columns, kind)
        if key:
            known[table]._sorted_columns = [columns.field(name) for name in key]
    return known


class Tables:
    """The tables in one schema of a bucket. Threads may share it."""

    def __init__(self, connection: Connection, bucket: str, schema: str) -> None:
        self.connection = connection
        self.bucket, self.schema = bucket, schema
        self.uri = f"vast://{bucket}/{schema}"
        self.are_sorted: bool | None = None  # whether the tables of SORTED_BY are; None: ask the server

    @contextmanager
    def transaction(self, clock: Clock | None = None) -> Iterator[Rows]:
        """The rows in a transaction: two requests, begin and commit, and those of the block."""
        with self._learning(), self.connection.transaction(clock) as transaction:
            yield self.rows(transaction, clock)

    @contextmanager
    def reading(self, clock: Clock | None = None) -> Iterator[Rows]:
        """The rows in a read-only transaction, whose commit may fail."""
        with self._learning(), self.connection.transaction(clock, read_only=True) as transaction:
            yield self.rows(transaction, clock)

    @contextmanager
    def _learning(self) -> Iterator[None]:
        """After a rejected request, the next transaction asks whether the tables were sorted meanwhile."""
        try:
            yield
        except CatalogRejectedError:
            self.are_sorted = None
            raise

    def rows(self, transaction: Transaction, clock: Clock | None) -> Rows:
        """The rows in a transaction that the caller began. The first time, one request more."""
        are_sorted = self.are_sorted  # another thread may forget it meanwhile
        if are_sorted is None:
            are_sorted = all(map(self._rows(transaction, clock, False).is_sorted, SORTED_BY))
            self.are_sorted = are_sorted
        return self._rows(transaction, clock, are_sorted)

    def _rows(self, transaction: Transaction, clock: Clock | None, are_sorted: bool) -> Rows:
        known = _known_tables(self.bucket, self.schema, are_sorted)
        return Rows(transaction, clock, known, self.connection.data_endpoints)

    def version(self, clock: Clock) -> int | None:
        """The version of the tables, None without tables. Raises CatalogSchemaError for tables of another program."""
        return current_version(self.uri, self.versions(clock))

    @without_sdk_warnings()
    def versions(self, clock: Clock) -> list[dict[str, Any]]:
        """The rows of `schema_version`; none without tables, and before their creation is complete.

        Raises CatalogSchemaError for tables of another program.
        """
        stored: list[dict[str, Any]]
        try:
            with self.reading(clock) as rows:
                stored = rows.select("schema_version", VERSION_COLUMNS).to_pylist()
        except (CatalogSchemaError, CatalogRejectedError):
            stored = []
        if stored:
            return stored
        # Something is missing; one transaction, as another process may be creating the tables.
        with self.connection.transaction(clock, read_only=True) as transaction:
            present = self.columns_in(transaction)
            if "schema_version" in present:
                rows = self.rows(transaction, clock)
                stored = rows.select_present("schema_version", VERSION_COLUMNS).to_pylist()
        is_created = all(table in present and has_columns(present[table], TABLES[table]) for table in TABLES)
        if present and not stored and not is_created:
            raise CatalogSchemaError(
                f"{self.bucket}/{self.schema} has tables with names of the catalog that exr-inspector did not create: "
                f"{', '.join(sorted(present))}; give another schema"
            )
        return stored

    def row_counts(self, clock: Clock) -> dict[str, int]:
        """The number of rows of each table, from the server's statistics."""
        with self.reading(clock) as rows:
            return {table: rows.count(table) for table in TABLES}

    @without_sdk_warnings()
    def columns(self, clock: Clock) -> dict[str, pa.Schema]:
        """The columns of each table as the server has them."""
        with self.connection.transaction(clock, read_only=True) as transaction:
            return self.columns_in(transaction)

    def columns_in(self, transaction: Transaction, names: Collection[str] = TABLES.keys()) -> dict[str, pa.Schema]:
        """The columns of those of the tables that a transaction sees, at one request each."""
        schema = transaction.bucket(self.bucket).schema(self.schema, fail_if_missing=False)
        return {table.name: table.columns() for table in (schema.tables() if schema else ()) if table.name in names}

    @without_sdk_warnings()
    def drop(self) -> None:
        """Remove all tables of the schema, and the schema."""
        clock = self.connection.clock()
        with self.connection.transaction(clock) as transaction:
            schema = transaction.bucket(self.bucket).schema(self.schema)
            for table in schema.tables():
                clock.check()
                table.drop()
            schema.drop()


def has_columns(stored: pa.Schema, expected: pa.Schema) -> bool:
    """Whether the columns are those expected, in any order."""
    return sorted(stored.names) == sorted(expected.names) and has_types(stored, expected)


def has_types(stored: pa.Schema, expected: pa.Schema) -> bool:
    """Whether the expected columns are among those stored, with their types."""
    return all(
        column.name in stored.names and _comparable(stored.field(column.name).type) == _comparable(column.type)
        for column in expected
    )


def _comparable(kind: pa.DataType) -> object:
    """The type without the name and nullability of the elements of a vector, which the server chooses."""
    return (kind.value_type, kind.list_size) if pa.types.is_fixed_size_list(kind) else kind


class Names(NamedTuple):
    """The names in vast://BUCKET/SCHEMA, or vast://BUCKET/SCHEMA?snapshot=NAME."""

    bucket: str
    schema: str
    snapshot: str | None

    def __str__(self) -> str:
        return f"{self.bucket}/{self.schema}" + (f"?snapshot={self.snapshot}" if self.snapshot else "")


def tables_at(uri: str, connection: VastConnection | None, *, read_only: bool = False) -> Tables:
    """The tables at vast://BUCKET/SCHEMA, or in a snapshot of the bucket. Raises SettingsError.

    A snapshot is read like a bucket with another name.
    """
    names = names_in(uri, read_only=read_only)
    if connection is None:
        raise SettingsError(f"vast://{names} needs a connection: the endpoint and keys of the database")
    if names.snapshot is None:
        return Tables(Connection(connection), names.bucket, names.schema)
    tables = Tables(Connection(connection), f"{names.bucket}/.snapshot/{names.snapshot}", names.schema)
    tables.uri = f"vast://{names}"
    return tables


def names_in(uri: str, *, read_only: bool = False) -> Names:
    """The names in the URI of a catalog. Raises SettingsError, also for a snapshot unless it is only read."""
    match = _URI.fullmatch(uri)
    if match is None:
        raise SettingsError(
            "a catalog in a VAST Database is vast://BUCKET/SCHEMA, in letters, digits, - and _, and in a snapshot "
            "vast://BUCKET/SCHEMA?snapshot=NAME; "
            "the endpoint and the keys are settings: VAST_DB_ENDPOINT, VAST_DB_ACCESS_KEY, VAST_DB_SECRET_KEY"
        )
    names = Names(*match.groups())
    if names.snapshot is not None and not read_only:
        raise SettingsError(
            f"vast://{names} is a snapshot, which cannot be changed; give vast://{names.bucket}/{names.schema}"
        )
    return names


class Rows:
    """The rows of all tables in one transaction. Each method costs one request as long as sizes fit into it."""

    def __init__(
        self,
        transaction: Transaction,
        clock: Clock | None,
        metadata: dict[str, TableMetadata],
        data_endpoints: list[str] | None,
    ) -> None:
        self._transaction = transaction
        self._clock = clock
        self._metadata = metadata
        self._data_endpoints = data_endpoints

    @without_sdk_warnings()
    def select(self, table: str, columns: Sequence[str], predicate: Any = None, *, row_ids: bool = False) -> pa.Table:
        """The columns of the rows that fulfil the predicate, with `row_ids` also their `$row_id`."""
        config = self._query_config()
        return self._table(table).select(list(columns), predicate, config, internal_row_id=row_ids).read_all()

    def select_present(self, table: str, columns: Iterable[str]) -> pa.Table:
        """Those of the columns that the stored table has, which may be of an older version. Costs more requests."""
        reference = self._metadata[table].ref
        present = self._transaction.bucket(reference.bucket).schema(reference.schema).table(table)
        names = [name for name in columns if name in present.columns().names]
        return present.select(names, config=self._query_config()).read_all()

    def select_in(self, table: str, columns: Sequence[str], column: str, values: Iterable[str]) -> pa.Table:
        """The columns and the `$row_id` of the rows whose text `column` is one of `values`."""
        selected = [
            self.select(table, columns, ibis._[column].isin(part), row_ids=True) for part in by_size(sorted(values))
        ]
        if selected:
            return pa.concat_tables(selected)
        return pa.schema([*map(TABLES[table].field, columns), pa.field(ROW_ID, pa.uint64())]).empty_table()

    def stream(
        self, table: str, columns: Sequence[str], conditions: Iterable[Condition] = (), *, row_ids: bool = False
    ) -> Iterator[pa.RecordBatch]:
        """The columns in pages of bounded size, of the rows that fulfil the conditions and possibly of others.

        With `row_ids` also their `$row_id`. Must be consumed inside the transaction.
        """
        is_wide = any(pa.types.is_fixed_size_list(TABLES[table].field(column).type) for column in columns)
        config = self._query_config(limit_rows_per_sub_split=_ROWS_PER_PAGE // 8 if is_wide else _ROWS_PER_PAGE)
        with without_sdk_warnings():
            pages = iter(
                self._table(table).select(list(columns), _predicate(conditions), config, internal_row_id=row_ids)
            )
        while True:
            with without_sdk_warnings():  # not while the caller works on a page
                page = next(pages, None)
            if page is None:
                return
            yield page

    def pages(self, table: str, columns: Sequence[str]) -> Iterator[pa.Table]:
        """The columns of all rows as tables, with the types of the catalog."""
        schema = pa.schema([TABLES[table].field(column) for column in columns])
        for page in self.stream(table, columns):
            yield typed(pa.table(page), schema)

    @without_sdk_warnings()
    def insert(self, table: str, rows: pa.Table) -> None:
        """Insert rows; missing columns are null."""
        for batch in typed(rows, TABLES[table]).combine_chunks().to_batches():
            self.insert_uncut(table, fitting(batch))

    @without_sdk_warnings()
    def insert_uncut(self, table: str, batch: pa.RecordBatch) -> None:
        """Insert rows of all columns, with cells of any size."""
        for piece in pieces(batch):
            self._table(table).insert(piece)

    @without_sdk_warnings()
    def update(self, table: str, rows: pa.Table) -> None:
        """Set columns of the rows with the given `$row_id`."""
        if rows.num_rows:
            self._table(table).update(rows)

    @without_sdk_warnings()
    def delete(self, table: str, row_ids: pa.ChunkedArray) -> None:
        """Delete the rows with these `$row_id`."""
        if len(row_ids):
            self._table(table).delete(pa.table({ROW_ID: row_ids}))

    def count(self, table: str) -> int:
        """The number of rows, from the server's statistics."""
        return int(self._stats(table).num_rows)

    def is_sorted(self, table: str) -> bool:
        """Whether the table has a sorting key, from the server's statistics."""
        return bool(self._stats(table).sorting_key_enabled)

    @without_sdk_warnings()
    def _stats(self, table: str) -> TableStats:
        handle = self._table(table)
        handle.reload_stats()
        assert handle.stats is not None
        return handle.stats

    def _query_config(self, **options: int) -> vastdb.QueryConfig:
        endpoints = self._data_endpoints
        return vastdb.QueryConfig(
            num_splits=1, num_sub_splits=1, data_endpoints=endpoints, query_id=QUERY_ID, **options
        )

    def _table(self, table: str) -> ITable:
        if self._clock is not None:
            self._clock.check()
        return self._transaction.table_from_metadata(self._metadata[table])


_COMPARISONS = {"=": eq, "<": lt, "<=": le, ">": gt, ">=": ge}


def _predicate(conditions: Iterable[Condition]) -> Any:
    """The conditions as a predicate of the SDK; a list that does not fit into a request is left out."""
    predicate = None
    for condition in conditions:
        column = ibis._[condition.column]
        value: Any = condition.value
        if isinstance(value, tuple):
            if sum(map(literal_bytes, value)) > LIST_BYTES:
                continue
            term = column.isin(list(value))
        elif condition.operator == "is_null":
            term = column.isnull()
        elif condition.operator == "starts_with":
            term = column.startswith(value)
        else:
            term = _COMPARISONS[condition.operator](column, value)
        predicate = term if predicate is None else predicate & term
    return predicate

"""Whole tables of a DuckDB file: read in pages, inserted, and dropped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TypeVar

import duckdb
import pyarrow as pa

from ...errors import CatalogError, CatalogSchemaError
from ..columns import typed
from ..persistence import not_empty
from ..schema import TABLES
from . import derived, errors
from .locks import lock_of
from .statements import present, run

T = TypeVar("T")

_PAGE_ROWS = 20_480
_PAGE_THUMBNAILS = 2048  # each has many bytes


def read(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    columns: Sequence[str],
    consume: Callable[[Iterator[pa.Table]], T],
) -> T:
    """The result of `consume` for pages of the rows."""
    schema = pa.schema([TABLES[table].field(column) for column in columns])
    names = ", ".join(f'"{column}"' for column in columns)
    page_rows = _PAGE_THUMBNAILS if table == "thumbnails" else _PAGE_ROWS
    batches = connection.sql(f"SELECT {names} FROM {table}").to_arrow_reader(page_rows)  # noqa: S608 (our names)
    return consume(typed(pa.table(batch), schema) for batch in batches)


def load(connection: duckdb.DuckDBPyConnection, uri: str, pages: Iterable[tuple[str, pa.Table]]) -> None:
    """Insert the rows of all tables, also of `schema_version`, in the transaction of the connection."""
    for table in ("files", "ingest_errors"):
        if run(connection, f"SELECT 1 FROM {table} LIMIT 1"):  # noqa: S608 (our names)
            raise not_empty(uri)
    run(connection, "DELETE FROM schema_version")
    for table, of_table in groupby(pages, itemgetter(0)):
        with _as_stream(page for _, page in of_table) as stream:
            connection.register("pages", pa.RecordBatchReader.from_batches(TABLES[table], stream))
            # One statement for a table, as DuckDB has the rows of several in memory until the end of the transaction.
            run(connection, f"INSERT INTO {table} BY NAME SELECT * FROM pages")  # noqa: S608 (our names)
    derived.invalidate(connection)


@contextmanager
def _as_stream(pages: Iterator[pa.Table]) -> Iterator[Iterator[pa.RecordBatch]]:
    """The batches of pages for a statement of this block, which raises the exceptions of `pages` itself."""
    raised: list[BaseException] = []

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            for page in pages:
                yield from page.to_batches()
        except BaseException as error:
            raised.append(error)
            raise

    try:
        yield batches()
    except duckdb.Error:
        if raised:
            raise raised[0] from None
        raise


def drop(path: Path) -> None:
    """Drop the tables of the catalog in a file; other tables stay, and the file. One transaction."""
    if not path.exists():
        raise CatalogError(f"{path} does not exist")
    with lock_of(path), closing(errors.connect(path, read_only=False)) as connection:
        try:
            tables = present(connection, [*TABLES, *derived.STORED] if derived.exist(connection) else TABLES)
            if "schema_version" not in tables:
                raise CatalogSchemaError(f"{path} is a DuckDB database without a catalog; nothing was dropped")
            run(connection, "BEGIN")
            for table in tables:
                run(connection, f"DROP TABLE {table}")
            run(connection, "COMMIT")
            run(connection, "CHECKPOINT")  # frees the blocks in the file
        except duckdb.Error as error:
            raise errors.as_catalog_error(error, path) from error

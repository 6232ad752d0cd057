"""Whole tables of a DuckDB file: read in pages, and inserted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import duckdb
import pyarrow as pa

from ..columns import typed
from ..persistence import not_empty
from ..schema import TABLES
from .statements import run

T = TypeVar("T")

_PAGE_ROWS = 2048  # of thumbnails, each may have many bytes


def read(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    columns: Sequence[str],
    consume: Callable[[Iterator[pa.Table]], T],
) -> T:
    """The result of `consume` for pages of the rows."""
    schema = pa.schema([TABLES[table].field(column) for column in columns])
    names = ", ".join(f'"{column}"' for column in columns)
    batches = connection.sql(f"SELECT {names} FROM {table}").to_arrow_reader(_PAGE_ROWS)  # noqa: S608 (our names)
    return consume(typed(pa.table(batch), schema) for batch in batches)


def load(connection: duckdb.DuckDBPyConnection, uri: str, pages: Iterable[tuple[str, pa.Table]]) -> None:
    """Insert the rows of all tables, also of `schema_version`, in the transaction of the connection."""
    for table in ("files", "ingest_errors"):
        if run(connection, f"SELECT 1 FROM {table} LIMIT 1"):  # noqa: S608 (our names)
            raise not_empty(uri)
    run(connection, "DELETE FROM schema_version")
    for table, page in pages:
        connection.register("page", page)
        run(connection, f"INSERT INTO {table} BY NAME SELECT * FROM page")  # noqa: S608 (our names)

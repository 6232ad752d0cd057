"""SQL on tables of a database that can only stream columns of one table under simple conditions.

An embedded DuckDB runs the query on scanners, one for each table, to which it passes the columns and the filter of
every scan. A scan whose rows are not loaded gets an empty table; after the run the missing rows are fetched to a file,
and the query runs again, until all scans had their rows. Usually that is one fetch for each table of the query.
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from ...errors import QueryError
from .. import sandbox
from ..query_errors import as_query_error
from ..schema import TABLES, TIME
from ..user_sql import checked_query, parser, result_table
from .conditions import NO_FILTER, Condition, read_filter

_THREADS = 2  # each needs some of the memory; fetching takes most of the time
_ROWS_PER_BATCH = 8192

# DuckDB passes comparisons of columns to a scanner, but not prefix conditions. So operators that imply a prefix also
# compare with the range of texts that start with it, without a last character that has no successor.
# DuckDB evaluates `unpushed` values itself: version 1.5 passes invalid ranges for LIKE '¿%', and comparisons of floats,
# which treat NaN and -0 differently in pyarrow.
_MACROS = (
    "unpushed(value) AS CASE WHEN value IS NOT NULL THEN value END",
    """begins(text, beginning) AS beginning = '' OR
       (text >= beginning AND text < left(beginning, -1) || chr(unicode(right(beginning, 1)) + 1))""",
    r""""~~"(text, pattern) AS system.main."~~"(unpushed(text), pattern)
        AND begins(text, regexp_extract(pattern, '^[^%_]*[^%_\x{D7FF}\x{10FFFF}]'))""",
    r""""~~~"(text, pattern) AS system.main."~~~"(unpushed(text), pattern)
        AND begins(text, regexp_extract(pattern, '^[^*?\[\\]*[^*?\[\\\x{D7FF}\x{10FFFF}]'))""",
    r"""starts_with(text, beginning) AS system.main.starts_with(unpushed(text), beginning)
        AND begins(text, regexp_extract(beginning, '(?s)^.*[^\x{D7FF}\x{10FFFF}]'))""",
    """"^@"(text, beginning) AS starts_with(text, beginning)""",
    """prefix(text, beginning) AS starts_with(text, beginning)""",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """The columns of a table that a query reads, of the rows that fulfil all conditions."""

    table: str
    columns: tuple[str, ...]
    conditions: tuple[Condition, ...] = ()

    def covers(self, other: Scan) -> bool:
        """Whether the other scan reads nothing beyond this one."""
        return set(self.columns) >= set(other.columns) and set(self.conditions) <= set(other.conditions)


Fetch = Callable[[Scan], Iterable[pa.RecordBatch]]  # may give rows that do not fulfil the conditions


def run(
    query: str,
    params: Sequence[Any] | Mapping[str, Any] | None,
    fetch: Fetch,
    *,
    memory_mb: int,
    given: Mapping[str, pa.Table] = MappingProxyType({}),
) -> pa.Table:
    """The result of a query over the tables of the catalog, whose rows `fetch` gives, and other `given` ones.

    Memory is bounded by `memory_mb` but for the result. Raises QueryError, and the errors of `fetch`.
    """
    values: Any = dict(params) if isinstance(params, Mapping) else None if params is None else list(params)
    with parser().cursor() as connection:
        statement = checked_query(connection, query)
    with _database(memory_mb) as database, database.connection.cursor() as connection:
        for name, rows in given.items():
            connection.register(name, rows)
        tables = database.tables
        while True:
            try:
                result = result_table(connection, statement, values)
            except duckdb.Error as error:
                if not any(table.missing for table in tables):  # otherwise the empty tables may have caused it
                    raise _query_error(error, memory_mb) from error
            incomplete = [table for table in tables if table.missing]
            if not incomplete:
                return result
            for table in incomplete:
                table.load(fetch)


class _Table(ds.InMemoryDataset):  # type: ignore[misc]
    """A table of the catalog that DuckDB scans: the rows fetched so far, in a file, and the scans they do not cover."""

    def __init__(self, name: str, folder: Path) -> None:
        # DuckDB reads the first column if only the number of rows matters.
        self._schema = pa.schema([column.with_nullable(True) for column in sorted(TABLES[name], key=_width)])
        super().__init__(self._schema.empty_table())
        self.name = name
        self.missing: list[Scan] = []
        self.loaded: Scan | None = None  # rows of these columns and conditions are in the file
        self._path = folder / f"{name}.arrows"

    def scanner(
        self,
        columns: Sequence[str] | None = None,
        filter: pc.Expression | None = None,  # noqa: A002 (DuckDB passes it under this name)
        **_: object,
    ) -> ds.Scanner:
        """The columns of the rows that pass the filter; called by DuckDB, once for each scan of a query."""
        names = self._schema.names if columns is None else list(columns)
        reads = NO_FILTER if filter is None else read_filter(filter, self._schema)
        scan = Scan(table=self.name, columns=self._in_order({*names, *reads.columns}), conditions=reads.conditions)
        if self.loaded is not None and self.loaded.covers(scan):
            rows = pa.ipc.open_stream(pa.OSFile(str(self._path)))
        else:
            self.missing.append(scan)
            rows = self._schema.empty_table().to_reader()
        return ds.Scanner.from_batches(rows, columns=names, filter=filter, batch_readahead=1)

    def load(self, fetch: Fetch) -> None:
        """Fetch what the missing scans need, together with what is loaded already."""
        scans = [*self.missing, self.loaded] if self.loaded else self.missing
        common = [c for c in scans[0].conditions if all(c in scan.conditions for scan in scans)]
        columns = self._in_order({column for scan in scans for column in scan.columns})
        self.loaded = Scan(table=self.name, columns=columns, conditions=tuple(common))
        self.missing = []
        schema = pa.schema([self._schema.field(name) for name in columns])
        with pa.ipc.new_stream(str(self._path), schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as file:
            for batch in fetch(self.loaded):
                rows = pa.table(batch).select(columns).cast(schema)
                file.write_table(rows, max_chunksize=_ROWS_PER_BATCH)

    def _in_order(self, columns: set[str]) -> tuple[str, ...]:
        return tuple(name for name in TABLES[self.name].names if name in columns)


def _column(column: pa.Field) -> str:
    """A column of a table's view, in SQL."""
    return f'unpushed("{column.name}") AS "{column.name}"' if pa.types.is_floating(column.type) else f'"{column.name}"'


def _width(column: pa.Field) -> tuple[bool, int]:
    """Sorts the columns of a table by the bytes of a value; those without nulls first."""
    return column.nullable, {pa.bool_(): 0, pa.int64(): 1, TIME: 1}.get(column.type, 2)


class _Database:
    """A DuckDB with a view of each table of the catalog, whose SQL reaches no file, network or Python variable."""

    def __init__(self, memory_mb: int) -> None:
        self.folder = Path(tempfile.gettempdir(), f"exr-inspector-{secrets.token_hex(8)}")  # exists during a query
        self.tables = [_Table(name, self.folder) for name in TABLES]
        settings: dict[str, str | bool | int] = {
            "memory_limit": f"{memory_mb}MB",
            "threads": _THREADS,
            "temp_directory": str(self.folder),
        }
        self.connection = sandbox.connect(settings=settings)
        for macro in _MACROS:
            self.connection.execute(f"CREATE MACRO {macro}").fetchall()
        for table in self.tables:
            columns = ", ".join(map(_column, TABLES[table.name]))
            self.connection.from_arrow(table).project(columns).create_view(table.name)


_MOST_IDLE = 2  # databases by memory limit; each keeps some memory
_idle: defaultdict[int, list[_Database]] = defaultdict(list)  # by memory limit


@contextmanager
def _database(memory_mb: int) -> Iterator[_Database]:
    """A database for one query. It is kept for the next one, as opening it takes long, unless the query fails."""
    try:
        database = _idle[memory_mb].pop()
    except IndexError:
        database = _Database(memory_mb)
    try:
        database.folder.mkdir(mode=0o700)
        yield database
    except BaseException:
        database.connection.close()
        raise
    finally:
        shutil.rmtree(database.folder, ignore_errors=True)
    for table in database.tables:
        table.loaded = None
    idle = _idle[memory_mb]
    idle.append(database)
    if len(idle) > _MOST_IDLE:
        idle.pop(0).connection.close()


def _query_error(error: duckdb.Error, memory_mb: int) -> QueryError:
    if isinstance(error, duckdb.OutOfMemoryException):
        return QueryError(
            f"the query needs more memory than {memory_mb} MB, even with rows moved to disk; "
            "set EXR_INSPECTOR_QUERY_MEMORY_MB to more"
        )
    return as_query_error(error)

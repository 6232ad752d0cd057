"""The kinds of steps of a migration. The text of a step says what it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from ..schema import TABLES


@dataclass(frozen=True, slots=True)
class AddTable:
    """Create a table."""

    table: str
    columns: pa.Schema

    def __str__(self) -> str:
        return f"create table {self.table} ({', '.join(self.columns.names)})"


@dataclass(frozen=True, slots=True)
class AddColumns:
    """Add columns to a table, null in its rows. Older programs, which do not know them, insert null."""

    table: str
    columns: pa.Schema

    def __post_init__(self) -> None:
        required = [column.name for column in self.columns if not column.nullable]
        if required:
            raise ValueError(f"columns added to {self.table} must be nullable: {', '.join(required)}")

    def __str__(self) -> str:
        return f"add columns to {self.table}: {', '.join(self.columns.names)}"


@dataclass(frozen=True, slots=True)
class AddIndex:
    """Create an index. VAST has none."""

    index: str
    table: str
    columns: tuple[str, ...]

    def __str__(self) -> str:
        return f"create index {self.index} on {self.table} ({', '.join(self.columns)}) (DuckDB)"


@dataclass(frozen=True, slots=True)
class Fill:
    """Set a column by an expression over the columns of the row of `files` with the same file_id.

    Only on DuckDB: on VAST each row would have to be read and sent back, and queries expect nulls there.
    """

    table: str
    column: str
    expression: str

    def __str__(self) -> str:
        return f"set {self.table}.{self.column} = {self.expression} (DuckDB)"


@dataclass(frozen=True, slots=True)
class Recompute:
    """Compute columns of a table again, in pages of rows, on both backends.

    `compute` takes the columns `reads` of a page, and returns the columns to set, with one value for each row. Rows
    whose values are equal to those read are not written. Only columns of the previous version can be read. `compute`
    leaves values that it has computed as they are, as it is repeated for rows of older programs.
    """

    table: str
    reads: tuple[str, ...]
    compute: Callable[[pa.Table], pa.Table]
    why: str

    def __str__(self) -> str:
        return f"recompute {self.table}: {self.why}"

    def changes(self, page: pa.Table, row_id: str) -> pa.Table:
        """The rows of a page that change: their `row_id` and the columns to set."""
        computed = self.compute(page.select(self.reads))
        changed = _any(
            [
                _differ(page[name], computed[name]) if name in self.reads else pa.repeat(True, page.num_rows)
                for name in computed.column_names
            ]
        )
        computed = computed.cast(pa.schema([TABLES[self.table].field(name) for name in computed.column_names]))
        return computed.append_column(row_id, page[row_id]).filter(changed)


Step: TypeAlias = AddTable | AddColumns | AddIndex | Fill | Recompute


def _differ(old: pa.ChunkedArray, new: pa.ChunkedArray) -> pa.ChunkedArray:
    """Whether values differ; null equals null."""
    return pc.coalesce(pc.not_equal(old, new), pc.xor(old.is_null(), new.is_null()))


def _any(masks: Sequence[pa.ChunkedArray]) -> pa.ChunkedArray:
    return reduce(pc.or_, masks)

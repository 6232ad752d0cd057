"""Rows of one table: immutable chunks of Arrow arrays, and the states that a table goes through.

A `TableState` never changes. A write gives a new state that shares every untouched chunk and column
with the old one, so a transaction's snapshot costs nothing and appending copies no rows. Columns are
known by number, not by name: renaming, adding and dropping columns touches no chunk.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

RowIds = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]

# Neighbouring chunks are merged up to this size: few chunks to scan, little to copy when a row changes.
MERGED_CHUNK_ROWS = 32_768
MERGED_CHUNK_BYTES = 8 << 20


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a table. `number` is never used again, also not after the column is dropped."""

    number: int
    field: pa.Field


@dataclass(frozen=True, kw_only=True, eq=False)
class Chunk:
    """Rows with ascending ids. A column that `arrays` lacks is null in all of them."""

    row_ids: RowIds
    arrays: Mapping[int, pa.Array]
    deleted: Mask | None = None
    writer: int = 0  # the transaction that inserted the rows; 0 after a merge

    @cached_property
    def row_count(self) -> int:
        """Rows that are not deleted."""
        return len(self.row_ids) - (int(self.deleted.sum()) if self.deleted is not None else 0)

    @cached_property
    def size_bytes(self) -> int:
        """Bytes of all columns, deleted rows included."""
        return sum(array.nbytes for array in self.arrays.values())

    def column(self, column: Column, start: int = 0, stop: int | None = None) -> pa.Array:
        """The values of a column from position `start` to `stop`."""
        length = (len(self.row_ids) if stop is None else stop) - start
        if (array := self.arrays.get(column.number)) is None:
            return pa.nulls(length, column.field.type)
        return array.slice(start, length)

    def positions(self, row_ids: RowIds) -> tuple[npt.NDArray[np.intp], Mask]:
        """Where the rows stand that live here: positions, and which of `row_ids` they are."""
        if not len(self.row_ids) or not len(row_ids):
            return np.empty(0, np.intp), np.zeros(len(row_ids), bool)
        found = np.minimum(np.searchsorted(self.row_ids, row_ids), len(self.row_ids) - 1)
        here = self.row_ids[found] == row_ids
        if self.deleted is not None:
            here &= ~self.deleted[found]
        return found[here], here


@dataclass(frozen=True, kw_only=True)
class Projection:
    """A sorted copy of some columns, which the real server maintains; here it is sorted when asked for."""

    number: int
    name: str
    sorted_columns: tuple[str, ...]
    unsorted_columns: tuple[str, ...]

    @property
    def column_names(self) -> tuple[str, ...]:
        """All columns, sorting ones first."""
        return self.sorted_columns + self.unsorted_columns


@dataclass(frozen=True, kw_only=True)
class VectorIndex:
    """What a table was told about its vector index. Nothing is indexed."""

    column: str
    distance_metric: str
    sql_function: str
    cluster_quantization: str
    search_quantization: str


@dataclass(frozen=True, kw_only=True, eq=False)
class TableState:
    """A table at one moment."""

    table_id: int
    columns: tuple[Column, ...]
    chunks: tuple[Chunk, ...] = ()
    sorting_key: tuple[int, ...] = ()  # column numbers, in the order of the key
    vector_index: VectorIndex | None = None
    projections: tuple[Projection, ...] = ()
    external_row_ids: bool = False
    sorted_copies: dict[tuple[str, ...], "TableState"] = field(default_factory=dict, compare=False)

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """Columns by name."""
        return {column.field.name: column for column in self.columns}

    @cached_property
    def row_count(self) -> int:
        """Rows that are not deleted."""
        return sum(chunk.row_count for chunk in self.chunks)

    @cached_property
    def size_bytes(self) -> int:
        """Bytes of all chunks."""
        return sum(chunk.size_bytes for chunk in self.chunks)

    @cached_property
    def ends(self) -> npt.NDArray[np.int64]:
        """For each chunk, the position after its last row when all chunks are counted through."""
        return np.cumsum([len(chunk.row_ids) for chunk in self.chunks], dtype=np.int64)

    @property
    def last_row_id(self) -> int:
        """The greatest row id, or -1."""
        return max((int(chunk.row_ids[-1]) for chunk in self.chunks if len(chunk.row_ids)), default=-1)

    @property
    def has_wide_row_ids(self) -> bool:
        """Whether row ids are 128-bit decimals, as they are in sorted and vector-indexed tables."""
        return bool(self.sorting_key) or self.vector_index is not None

    @property
    def fixed_columns(self) -> set[int]:
        """Numbers of columns that an update may not touch."""
        fixed = set(self.sorting_key)
        if self.vector_index is not None:
            fixed.add(self.by_name[self.vector_index.column].number)
        return fixed

    def changed(self, **changes: object) -> "TableState":
        """This state with other fields."""
        return replace(self, sorted_copies={}, **changes)  # type: ignore[arg-type]

    def append(self, chunk: Chunk) -> "TableState":
        """The table with more rows at its end."""
        return self.changed(chunks=(*self.chunks, chunk))

    def update(self, row_ids: RowIds, values: Mapping[int, pa.Array]) -> "TableState":
        """The table with new values in some columns of some rows. Unknown rows are skipped."""

        def rewrite(chunk: Chunk, positions: npt.NDArray[np.intp], here: Mask) -> Chunk:
            arrays = dict(chunk.arrays)
            for column in self.columns:
                if column.number in values:
                    new = values[column.number]
                    if not here.all():
                        new = new.take(pa.array(np.flatnonzero(here)))
                    arrays[column.number] = _overwrite(chunk.column(column), positions, new)
            return replace(chunk, arrays=arrays)

        return self._rewrite(row_ids, rewrite)

    def delete(self, row_ids: RowIds) -> "TableState":
        """The table without some rows. Unknown rows are skipped."""

        def rewrite(chunk: Chunk, positions: npt.NDArray[np.intp], _: Mask) -> Chunk:
            deleted = np.zeros(len(chunk.row_ids), bool) if chunk.deleted is None else chunk.deleted.copy()
            deleted[positions] = True
            return replace(chunk, deleted=deleted)

        return self._rewrite(row_ids, rewrite)

    def count_existing(self, row_ids: RowIds) -> int:
        """How many of the rows there are."""
        return sum(len(chunk.positions(row_ids)[0]) for _, chunk in self._holding(row_ids))

    def rows_of_others(self, row_ids: RowIds, txid: int) -> set[int]:
        """Which of the rows exist and were not inserted by this transaction."""
        others: set[int] = set()
        for _, chunk in self._holding(row_ids):
            if chunk.writer != txid:
                others.update(row_ids[chunk.positions(row_ids)[1]].tolist())
        return others

    def compacted(self) -> "TableState":
        """The same rows in fewer chunks: small neighbours at the end are merged, deleted rows dropped.

        A chunk is merged only with what is at least half as large behind it, which copies a row about
        log2(MERGED_CHUNK_ROWS) times in its life, however small the inserts are.
        """
        chunks = [chunk for chunk in self.chunks if chunk.row_count]
        tail: list[Chunk] = []
        while chunks:
            group = [chunks.pop()]
            rows, size_bytes = len(group[0].row_ids), group[0].size_bytes
            while chunks and _should_merge(chunks[-1], rows, size_bytes):
                group.append(chunks.pop())
                rows += len(group[-1].row_ids)
                size_bytes += group[-1].size_bytes
            tail.append(group[0] if len(group) == 1 else _merge(group[::-1], self.columns))
            if len(group) == 1:
                break  # what lies before was left alone by an earlier commit too
        return self.changed(chunks=(*chunks, *tail[::-1]))

    def as_table(self) -> pa.Table:
        """All rows that are not deleted."""
        schema = pa.schema([column.field for column in self.columns])
        chunks = [without_deleted(chunk) for chunk in self.chunks]
        return pa.table(
            [pa.chunked_array([c.column(one) for c in chunks], one.field.type) for one in self.columns],
            schema=schema,
        )

    def sorted_by(self, names: tuple[str, ...]) -> "TableState":
        """The rows in the order of some columns, as one chunk. Kept, since pages of it are asked for."""
        if (known := self.sorted_copies.get(names)) is not None:
            return known
        alive = [chunk for chunk in (without_deleted(chunk) for chunk in self.chunks) if len(chunk.row_ids)]
        copy = replace(self, chunks=(), sorted_copies={})
        if alive:
            whole = _merge(alive, self.columns)
            keys = pa.table({name: whole.column(self.by_name[name]) for name in names})
            order = pc.sort_indices(keys, sort_keys=[(name, "ascending") for name in names])
            copy = replace(copy, chunks=(_taken(whole, order.to_numpy()),))
        self.sorted_copies[names] = copy
        return copy

    def _holding(self, row_ids: RowIds) -> Iterable[tuple[int, Chunk]]:
        """The chunks whose range of ids overlaps, with their index."""
        if len(row_ids):
            low, high = row_ids.min(), row_ids.max()
            for index, chunk in enumerate(self.chunks):
                if len(chunk.row_ids) and chunk.row_ids[0] <= high and chunk.row_ids[-1] >= low:
                    yield index, chunk

    def _rewrite(self, row_ids: RowIds, rewrite: Callable[[Chunk, npt.NDArray[np.intp], Mask], Chunk]) -> "TableState":
        chunks = list(self.chunks)
        for index, chunk in self._holding(row_ids):
            positions, here = chunk.positions(row_ids)
            if len(positions):
                chunks[index] = rewrite(chunk, positions, here)
        return self.changed(chunks=tuple(chunks))


def without_deleted(chunk: Chunk) -> Chunk:
    """The chunk with its deleted rows gone for good."""
    return chunk if chunk.deleted is None else _taken(chunk, np.flatnonzero(~chunk.deleted))


def _taken(chunk: Chunk, positions: npt.NDArray[np.intp]) -> Chunk:
    indices = pa.array(positions)
    arrays = {number: array.take(indices) for number, array in chunk.arrays.items()}
    return Chunk(row_ids=chunk.row_ids[positions], arrays=arrays, writer=chunk.writer)


def _overwrite(old: pa.Array, positions: npt.NDArray[np.intp], new: pa.Array) -> pa.Array:
    """`old` with `new` at the positions. Of positions given twice, the last one counts."""
    if len(positions) == len(old) and (np.diff(positions) == 1).all():
        return new
    source = np.arange(len(old))
    source[positions] = len(old) + np.arange(len(positions))
    return pa.concat_arrays([old, new]).take(pa.array(source))


def _should_merge(left: Chunk, rows: int, size_bytes: int) -> bool:
    """Whether a chunk joins those behind it, which have so many rows and bytes together."""
    return (
        len(left.row_ids) <= rows * 2
        and len(left.row_ids) + rows <= MERGED_CHUNK_ROWS
        and left.size_bytes + size_bytes <= MERGED_CHUNK_BYTES
    )


def _merge(chunks: Sequence[Chunk], columns: Sequence[Column]) -> Chunk:
    chunks = [without_deleted(chunk) for chunk in chunks]
    numbers = set().union(*(chunk.arrays for chunk in chunks))
    merged = Chunk(
        row_ids=np.concatenate([chunk.row_ids for chunk in chunks]),
        arrays={
            column.number: pa.concat_arrays([chunk.column(column) for chunk in chunks])
            for column in columns
            if column.number in numbers
        },
    )
    if len(merged.row_ids) > 1 and not (merged.row_ids[1:] > merged.row_ids[:-1]).all():
        return _taken(merged, np.argsort(merged.row_ids))  # committed in another order than inserted
    return merged

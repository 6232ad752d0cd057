"""Selecting rows: which belong to a split and subsplit, which match, and one page of them.

Rows are counted through all chunks in order. Blocks of 65536 rows times the asked number of row
groups are dealt out to the subsplits of all splits in turn. The "next row id" that a page ends with,
and that the client hands back, is the count of the row to go on from; so every page starts where the
last one ended, and nothing before it is looked at again.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .errors import bad_request
from .frames import COMPLETED, NO_MORE_ROWS, subsplit_frames
from .messages import Request
from .predicates import matches
from .query import Query, columns_of
from .storage import Chunk, Column, TableState

ROW_GROUP_ROWS = 65_536
ROW_ID = "$row_id"
# A select with this split id asks how many row groups there are; the answer has that many rows.
ESTIMATE_SPLIT = 0xFFFFFFFC


@dataclass(frozen=True, kw_only=True)
class Split:
    """The part of a table that one request is about, from the headers of the request."""

    number: int
    split_count: int
    row_groups: int
    starts: dict[int, int]  # subsplit -> row to go on from
    limit_rows: int

    @classmethod
    def of(cls, request: Request) -> "Split":
        """Read the headers; `tabular-split` is "number,count,row groups per subsplit"."""
        try:
            number, count, row_groups = map(int, request.headers["tabular-split"].split(","))
            subsplits = request.number("tabular-num-of-subsplits", 1)
            starts = {}
            for index in range(subsplits):
                subsplit, start = request.headers[f"tabular-start-row-id-{index}"].split(",")
                starts[int(subsplit)] = int(start)
        except (KeyError, ValueError) as error:
            raise bad_request(f"the split cannot be read: {error}") from error
        if count < 1 or row_groups < 1 or not starts:
            raise bad_request("a select needs at least one split, subsplit and row group")
        return cls(
            number=number,
            split_count=count,
            row_groups=row_groups,
            starts=starts,
            limit_rows=request.number("tabular-limit-rows", 2 * ROW_GROUP_ROWS),
        )

    def ranges(self, subsplit: int, row_count: int) -> Iterator[tuple[int, int]]:
        """The rows of a subsplit that are still to be read, as ranges."""
        block = ROW_GROUP_ROWS * self.row_groups
        first = (self.number * len(self.starts) + subsplit) * block
        for start in range(first, row_count, block * self.split_count * len(self.starts)):
            stop = min(start + block, row_count)
            if stop > self.starts[subsplit]:
                yield max(start, self.starts[subsplit]), stop


@dataclass(frozen=True)
class Page:
    """Some matching rows of a subsplit, and the row to go on from."""

    pieces: list[tuple[Chunk, npt.NDArray[np.intp]]]
    next_row: int


def select(state: TableState, query: Query, split: Split, page_bytes: int) -> Iterator[bytes]:
    """The answer to one request: a page of every subsplit that is not finished, then the end mark."""
    columns = [column_of(state, name) for name in query.columns]
    for name in columns_of(query.condition):
        if name not in state.by_name:
            raise bad_request(f"the table has no column {name!r}", "TabularMismatchColumnName")
    if split.number == ESTIMATE_SPLIT:
        row_groups = -(-state.row_count // ROW_GROUP_ROWS)
        values = [pa.nulls(row_groups, column.field.type) for column in columns]
        yield from subsplit_frames(0, NO_MORE_ROWS, values, row_groups)
    else:
        for subsplit, start in split.starts.items():
            if start != NO_MORE_ROWS:
                page = _page(state, query, split, subsplit, page_bytes)
                row_count = sum(len(positions) for _, positions in page.pieces)
                values = [_gather(page, column) for column in columns]
                yield from subsplit_frames(subsplit, page.next_row, values, row_count)
    yield COMPLETED


def column_of(state: TableState, name: str) -> Column:
    """A column by name; `$row_id` is one, as wide as the table's row ids are."""
    if name == ROW_ID:
        return Column(number=-1, field=pa.field(ROW_ID, row_id_type(state)))
    if (column := state.by_name.get(name)) is None:
        raise bad_request(f"the table has no column {name!r}", "TabularMismatchColumnName")
    return column


def row_id_type(state: TableState) -> pa.DataType:
    """The type of row ids on the wire."""
    return pa.decimal128(38, 0) if state.has_wide_row_ids else pa.uint64()


def _page(state: TableState, query: Query, split: Split, subsplit: int, page_bytes: int) -> Page:
    pieces: list[tuple[Chunk, npt.NDArray[np.intp]]] = []
    rows_left, bytes_left = split.limit_rows, float(page_bytes)
    total = int(state.ends[-1]) if len(state.ends) else 0
    for start, stop in split.ranges(subsplit, total):
        for chunk, chunk_start, low, high in _overlaps(state, start, stop):
            if rows_left <= 0 or bytes_left <= 0:
                return Page(pieces, chunk_start + low)
            found = _matching(state, chunk, query, low, high)
            if len(found) > rows_left:
                pieces.append((chunk, found[:rows_left]))
                return Page(pieces, chunk_start + int(found[rows_left]))
            if len(found):
                pieces.append((chunk, found))
                rows_left -= len(found)
                bytes_left -= len(found) * chunk.size_bytes / len(chunk.row_ids)
    return Page(pieces, NO_MORE_ROWS)


def _overlaps(state: TableState, start: int, stop: int) -> Iterator[tuple[Chunk, int, int, int]]:
    """The parts of chunks between two rows: chunk, its first row, and positions within. None is very long."""
    index = int(np.searchsorted(state.ends, start, side="right"))
    while start < stop:
        chunk_stop = int(state.ends[index])
        chunk = state.chunks[index]
        chunk_start = chunk_stop - len(chunk.row_ids)
        end = min(stop, chunk_stop, start + ROW_GROUP_ROWS)
        yield chunk, chunk_start, start - chunk_start, end - chunk_start
        start = end
        if start >= chunk_stop:
            index += 1


def _matching(state: TableState, chunk: Chunk, query: Query, low: int, high: int) -> npt.NDArray[np.intp]:
    """Positions in a chunk of the rows that exist and match."""
    mask = matches(query.condition, lambda name: chunk.column(state.by_name[name], low, high), high - low)
    if chunk.deleted is not None:
        mask &= ~chunk.deleted[low:high]
    return np.flatnonzero(mask) + low


def _gather(page: Page, column: Column) -> pa.Array:
    parts = [_take(chunk, column, positions) for chunk, positions in page.pieces]
    if not parts:
        return pa.array([], column.field.type)
    return parts[0] if len(parts) == 1 else pa.concat_arrays(parts)


def _take(chunk: Chunk, column: Column, positions: npt.NDArray[np.intp]) -> pa.Array:
    if column.number == -1:
        return pa.array(chunk.row_ids[positions]).cast(column.field.type)
    first, last = int(positions[0]), int(positions[-1])
    if last - first + 1 == len(positions):
        return chunk.column(column, first, last + 1)
    return chunk.column(column).take(pa.array(positions))

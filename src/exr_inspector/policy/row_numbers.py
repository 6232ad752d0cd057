"""Numbers for rows of tables and for files: equal ones where all the values are equal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Numbers: TypeAlias = npt.NDArray[np.int64]


def row_numbers(columns: Sequence[pa.ChunkedArray]) -> Numbers:
    """A number for each row, from 0 in the order in which rows with other values appear."""
    numbers = _numbers(columns[0])
    for column in columns[1:]:
        numbers = joined(numbers, _numbers(column))
    return numbers


def joined(first: Numbers, second: Numbers) -> Numbers:
    """A number for each pair, from 0 in the order in which pairs appear."""
    return _numbers(pa.array(first * (second.max(initial=0) + 1) + second))


def _numbers(column: pa.Array | pa.ChunkedArray) -> Numbers:
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    indices = array.dictionary_encode(null_encoding="encode").indices
    numbers: Numbers = indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return numbers


def name_numbers(files: pa.Table) -> Numbers:
    """A number for each file: equal ones for those of one sequence whose paths differ in digits only."""
    sequences = pc.coalesce(files["sequence"], files["file_path_normalized"])
    return joined(_numbers(sequences), _numbers(_without_digits(files["file_path"].combine_chunks())))


def _without_digits(texts: pa.StringArray) -> pa.StringArray:
    """The texts with 0 for each decimal digit."""
    valid, offsets, data = texts.buffers()
    characters = np.frombuffer(data, np.uint8).copy()
    characters[(characters >= ord("0")) & (characters <= ord("9"))] = ord("0")
    return pa.StringArray.from_buffers(len(texts), offsets, pa.py_buffer(characters), valid, offset=texts.offset)


def first_rows(numbers: Numbers) -> Numbers:
    """The first row with each number."""
    first: Numbers = np.unique(numbers, return_index=True)[1].astype(np.int64)
    return first


def has_others(numbers: Numbers) -> npt.NDArray[np.bool_]:
    """For each row, whether others have its number."""
    shared: npt.NDArray[np.bool_] = np.bincount(numbers)[numbers] > 1
    return shared


def owners(rows: pa.Table, file_ids: pa.ChunkedArray) -> Numbers:
    """For each row, the position of its file among the files."""
    found: Numbers = pc.index_in(rows["file_id"], value_set=file_ids).to_numpy().astype(np.int64)
    return found


def in_order(rows: pa.Table, numbers: Sequence[str], texts: Sequence[str]) -> pa.Table:
    """The rows by columns of numbers, then by columns of texts of which few differ."""
    of_texts = row_numbers([rows[name] for name in texts])
    different = rows.take(first_rows(of_texts)).select(texts)
    rank = np.argsort(pc.sort_indices(different, sort_keys=[(name, "ascending") for name in texts]))
    keys = [pc.fill_null(rows[name], np.iinfo(f"int{rows[name].type.bit_width}").max).to_numpy() for name in numbers]
    return rows.take(pa.array(np.lexsort((rank[of_texts], *reversed(keys)))))


def file_numbers(of_rows: Numbers, owner: Numbers, count: int) -> Numbers:
    """A number for each file: equal ones for files that have rows with equal numbers in the same order."""
    order = np.argsort(owner, kind="stable")
    owner, of_rows = owner[order], of_rows[order]
    starts = np.flatnonzero(np.diff(owner, prepend=-1))
    rank = np.arange(len(owner)) - np.repeat(starts, np.diff(starts, append=len(owner)))
    by_rank = np.split(np.argsort(rank, kind="stable"), np.cumsum(np.bincount(rank))[:-1]) if len(rank) else []
    numbers, used = np.zeros(count, np.int64), 1
    for rows in by_rank:  # the first row of each file, then the second of those that have two, and so on
        files = owner[rows]
        numbers[files] = used + joined(numbers[files], of_rows[rows])
        used = int(numbers.max()) + 1
    return numbers

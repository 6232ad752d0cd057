"""Similarity search, as far as it is common to both backends, so that they give the same result.

A backend selects candidates by distances of single precision; similarities are computed here in double precision and
rounded, and ties are sorted by path.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import QueryError
from .schema import vector_dimensions

if TYPE_CHECKING:
    import numpy.typing as npt

By = Literal["metadata", "channels"]
VECTOR_COLUMNS: dict[By, str] = {"metadata": "metadata_embedding", "channels": "channel_fingerprint"}
SHOWN = ("file_id", "file_path_normalized", "sequence", "frame")

DECIMALS = 6  # of a similarity: the vectors are of single precision
_ROWS_AT_ONCE = 4096
_MOST_SIMILAR_FIRST = [("similarity", "descending"), ("file_path_normalized", "ascending")]


def candidates(k: int) -> int:
    """The number of rows that a backend selects, so that the k most similar in double precision are among them."""
    return 2 * k + 64


def checked_vector(vector: Sequence[float] | npt.NDArray[np.float32], by: By) -> npt.NDArray[np.float32]:
    """The vector as 32-bit floats. Raises QueryError for another size, only zeros, or numbers that are not finite."""
    if by not in VECTOR_COLUMNS:
        raise QueryError(f"unknown kind of vector {by!r}, expected {' or '.join(VECTOR_COLUMNS)}")
    size = vector_dimensions()[VECTOR_COLUMNS[by]]
    checked = np.asarray(vector, np.float32)
    if checked.shape != (size,) or not np.isfinite(checked).all() or not checked.any():
        raise QueryError(f"a {by} vector must have {size} finite numbers, not all zero")
    return checked


def similarities(rows: pa.Table | pa.RecordBatch, vector: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """The cosines of the rows' `vector` and the given vector, rounded; -1 to 1."""
    query = vector.astype(np.float64)
    query /= np.sqrt((query * query).sum())
    cosines = np.empty(rows.num_rows)
    for start in range(0, rows.num_rows, _ROWS_AT_ONCE):
        block = _matrix(rows["vector"].slice(start, _ROWS_AT_ONCE), len(query)).astype(np.float64)
        # a sum per row instead of a matrix product, so that equal rows have equal results at any position
        lengths = np.sqrt((block * block).sum(axis=1))
        cosines[start : start + len(block)] = (block * query).sum(axis=1) / np.where(lengths == 0, 1, lengths)
    return np.asarray(np.round(cosines, DECIMALS) + 0.0, np.float64)  # + 0.0 turns -0 into 0


def ranked(rows: pa.Table, vector: npt.NDArray[np.float32], k: int, method: str) -> pa.Table:
    """The k most similar rows in order, with `similarity`; `method` goes into the metadata of the schema."""
    table = rows.append_column("similarity", pa.array(similarities(rows, vector)))
    return table.take(pc.sort_indices(table, _MOST_SIMILAR_FIRST)[:k]).replace_schema_metadata({"method": method})


class RunningTop:
    """The most similar of rows that come in batches; memory is bounded by k and the number of sequences."""

    def __init__(self, vector: npt.NDArray[np.float32], k: int, *, per_sequence: bool) -> None:
        self._vector, self._k, self._per_sequence = vector, k, per_sequence
        self.clear()

    def clear(self) -> None:
        """Start again from the first row."""
        self._kept = self._empty()
        self._files: Counter[str] = Counter()

    def _empty(self) -> pa.Table:
        vector = pa.list_(pa.field("item", pa.float32(), nullable=False), len(self._vector))
        columns = {"vector": vector, "similarity": pa.float64()}
        return pa.schema([*((name, pa.string()) for name in SHOWN), *columns.items()]).empty_table()

    def add(self, rows: pa.Table) -> None:
        """Add a batch of rows with the columns SHOWN and `vector`."""
        if self._per_sequence:
            self._files.update(_groups(rows))
        table = ranked(rows, self._vector, rows.num_rows if self._per_sequence else self._k, "")
        table = pa.concat_tables([self._kept, table], promote_options="permissive")
        table = table.take(pc.sort_indices(table, _MOST_SIMILAR_FIRST))
        if self._per_sequence:
            table = table.take(pa.array(_first_of_each(_groups(table)), pa.int64()))
        self._kept = table.slice(0, self._k)

    def result(self, method: str) -> pa.Table:
        """The k most similar rows, as `ranked` returns them."""
        table = self._kept
        if self._per_sequence:
            files = pa.array([self._files[group] for group in _groups(table)], pa.int64())
            table = table.add_column(len(SHOWN), "files", files)
        return table.replace_schema_metadata({"method": method})


def _groups(rows: pa.Table) -> list[str]:
    """The sequence of each row, or its path if it has none."""
    groups: list[str] = pc.coalesce(rows["sequence"], rows["file_path_normalized"]).to_pylist()
    return groups


def _first_of_each(groups: Sequence[str]) -> list[int]:
    first: dict[str, int] = {}
    for row, group in enumerate(groups):
        first.setdefault(group, row)
    return list(first.values())


def _matrix(column: pa.Array | pa.ChunkedArray, size: int) -> npt.NDArray[np.float32]:
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    chunks = array.chunks if isinstance(array, pa.ChunkedArray) else [array]
    flat = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in chunks]
    return np.concatenate(flat or [np.zeros(0, np.float32)]).reshape(-1, size)

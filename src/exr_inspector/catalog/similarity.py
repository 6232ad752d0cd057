"""The nearest vectors of a catalog: what both backends do alike, so that they give the same answer.

A database picks candidates by distances of single precision; what they are near to is computed again here, in double
precision, rounded, and ties are put in the order of their paths.
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
_NEAREST_FIRST = [("similarity", "descending"), ("file_path_normalized", "ascending")]


def candidates(k: int) -> int:
    """So many rows a database picks, so that the k nearest in double precision are among them."""
    return 2 * k + 64


def checked_vector(vector: Sequence[float] | npt.NDArray[np.float32], by: By) -> npt.NDArray[np.float32]:
    """The vector as 32-bit floats. Raises QueryError for one of another size, without length, or with NaN."""
    if by not in VECTOR_COLUMNS:
        raise QueryError(f"there are vectors of {' and '.join(VECTOR_COLUMNS)}, and none of {by!r}")
    size = vector_dimensions()[VECTOR_COLUMNS[by]]
    found = np.asarray(vector, np.float32)
    if found.shape != (size,) or not np.isfinite(found).all() or not found.any():
        raise QueryError(f"a vector of {by} has {size} finite numbers that are not all 0")
    return found


def checked_condition(where: str) -> str:
    """A condition of SQL over the columns of `files`, in parentheses. Raises QueryError for what is more than one."""
    import duckdb

    condition = f"(\n{where}\n)"
    with duckdb.connect() as connection:
        for text in (where, condition):  # what closes a parenthesis that it did not open fails without, …
            try:
                statements = connection.extract_statements(f"SELECT 1 WHERE {text}")
            except duckdb.Error as problem:  # … what goes on behind the condition fails within
                raise QueryError(f"the condition {where!r} is none: {str(problem).splitlines()[0]}") from None
            if len(statements) != 1:
                raise QueryError(f"the condition {where!r} is more than one condition")
    return condition


def similarities(rows: pa.Table | pa.RecordBatch, vector: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """The cosine of each row's `vector` and the given one, rounded; -1 to 1."""
    query = vector.astype(np.float64)
    query /= np.sqrt((query * query).sum())
    found = np.empty(rows.num_rows)
    for start in range(0, rows.num_rows, _ROWS_AT_ONCE):
        some = _matrix(rows["vector"].slice(start, _ROWS_AT_ONCE), len(query)).astype(np.float64)
        # a sum for each row, not a matrix product: equal rows must give equal bits wherever they stand
        lengths = np.sqrt((some * some).sum(axis=1))
        found[start : start + len(some)] = (some * query).sum(axis=1) / np.where(lengths == 0, 1, lengths)
    return np.asarray(np.round(found, DECIMALS) + 0.0, np.float64)  # no -0


def ranked(rows: pa.Table, vector: npt.NDArray[np.float32], k: int, method: str) -> pa.Table:
    """The k nearest of the rows, nearest first, with their `similarity`; the metadata say by which `method`."""
    table = rows.append_column("similarity", pa.array(similarities(rows, vector)))
    return table.take(pc.sort_indices(table, _NEAREST_FIRST)[:k]).replace_schema_metadata({"method": method})


class RunningTop:
    """The nearest of rows that come in batches; memory is that of what is kept, and of the number of sequences."""

    def __init__(self, vector: npt.NDArray[np.float32], k: int, *, per_sequence: bool) -> None:
        self._vector, self._k, self._per_sequence = vector, k, per_sequence
        self.clear()

    def clear(self) -> None:
        """Begin again, as when the rows come once more."""
        self._kept = self._empty()
        self._files: Counter[str] = Counter()

    def _empty(self) -> pa.Table:
        vector = pa.list_(pa.field("item", pa.float32(), nullable=False), len(self._vector))
        columns = {"vector": vector, "similarity": pa.float64()}
        return pa.schema([*((name, pa.string()) for name in SHOWN), *columns.items()]).empty_table()

    def add(self, rows: pa.Table) -> None:
        """Look at more rows, of SHOWN and `vector`."""
        if self._per_sequence:
            self._files.update(_groups(rows))
        table = ranked(rows, self._vector, rows.num_rows if self._per_sequence else self._k, "")
        table = pa.concat_tables([self._kept, table], promote_options="permissive")
        table = table.take(pc.sort_indices(table, _NEAREST_FIRST))
        if self._per_sequence:
            table = table.take(pa.array(_first_of_each(_groups(table)), pa.int64()))
        self._kept = table.slice(0, self._k)

    def result(self, method: str) -> pa.Table:
        """The k nearest, nearest first, as `ranked` gives them."""
        table = self._kept
        if self._per_sequence:
            files = pa.array([self._files[group] for group in _groups(table)], pa.int64())
            table = table.add_column(len(SHOWN), "files", files)
        return table.replace_schema_metadata({"method": method})


def _groups(rows: pa.Table) -> list[str]:
    """What a row counts for: its sequence, or itself where it has none."""
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

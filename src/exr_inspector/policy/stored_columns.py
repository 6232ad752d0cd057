"""Columns of a catalog as Python values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ..inspection.model import FileFacts

_UNREAD: dict[str, Any] = {"inode": None}  # no rule reads it
FACTS = tuple(column.name for column in fields(FileFacts) if column.name not in _UNREAD)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def file_facts(files: pa.Table) -> list[FileFacts]:
    """The files of rows of `files`."""
    columns = [times(files) if name == "mtime" else values(files, name) for name in FACTS]
    return [FileFacts(**dict(zip(FACTS, row, strict=True)), **_UNREAD) for row in zip(*columns, strict=True)]


def times(files: pa.Table) -> list[datetime | None]:
    """The modification times of files."""
    microseconds = files["mtime"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_pylist()
    return [None if each is None else _EPOCH + timedelta(microseconds=each) for each in microseconds]


def seconds(files: pa.Table) -> list[float | None]:
    """The modification times of files, in seconds since 1970."""
    times = pc.divide(files["mtime"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).cast(pa.float64()), 1e6)
    return list(times.to_pylist() if times.null_count else times.to_numpy().tolist())


def first_texts(texts: pa.ChunkedArray, owner: npt.NDArray[np.int64], count: int) -> list[str | None]:
    """For each of some owners of texts, the first one that is not empty."""
    found = np.flatnonzero(pc.fill_null(pc.not_equal(texts, ""), False).to_numpy())[::-1]
    at = np.full(count, -1)
    at[owner[found]] = found  # the last assignment counts, which is that of the first text
    return list(texts.take(pa.array(at, mask=at < 0)).to_numpy().tolist())


def values(rows: pa.Table, name: str) -> list[Any]:
    """The values of a column; ten times as fast as `to_pylist` where numpy has the same values."""
    column = rows[name]
    if column.null_count and not pa.types.is_string(column.type):
        return list(column.to_pylist())
    return list(column.to_numpy().tolist())


def shared_values(rows: pa.Table, name: str) -> list[Any]:
    """As `values`; equal texts are one object, whose hash is computed once."""
    if not pa.types.is_string(rows[name].type):
        return values(rows, name)
    encoded = rows[name].combine_chunks().dictionary_encode(null_encoding="encode")
    texts = encoded.dictionary.to_pylist()
    return [texts[index] for index in encoded.indices.to_numpy(zero_copy_only=False).tolist()]


def by_part(rows: pa.Table) -> dict[tuple[str, int], list[tuple[Any, ...]]]:
    """The other columns of the rows, by file and part."""
    found: dict[tuple[str, int], list[tuple[Any, ...]]] = defaultdict(list)
    parts = zip(values(rows, "file_id"), values(rows, "part_index"), strict=True)
    names = [name for name in rows.column_names if name not in ("file_id", "part_index")]
    for part, row in zip(parts, zip(*(shared_values(rows, name) for name in names), strict=True), strict=True):
        found[part].append(row)
    return found


def table_of(file_ids: Iterable[str] | pa.ChunkedArray) -> dict[str, pa.Table]:
    """The table `wanted` of a query about files."""
    is_column = isinstance(file_ids, pa.ChunkedArray)
    return {"wanted": pa.table({"file_id": file_ids if is_column else pa.array(list(file_ids), pa.string())})}

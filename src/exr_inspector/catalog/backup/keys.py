"""Keys of rows as text: the batch of a child row, and the vectors of a file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..schema import vector_dimensions


def keys(page: pa.Table, first: str, second: str) -> pa.Array:
    """Two columns of each row as one text; `second` is a number, or null."""
    number = pc.fill_null(page[second].cast(pa.string()), "")
    return pc.binary_join_element_wise(page[first], number, "/").combine_chunks()


def batch_keys(page: pa.Table) -> pa.Array:
    """The keys of child rows: their file, and the batch that stored them. A batch is stored in one transaction."""
    return keys(page, "file_id", "batch_id")


def batch_id_of(key: str) -> int:
    """The `batch_id` in the key of child rows; 0 for null."""
    return int(key.rpartition("/")[2] or 0)


def vector_keys(page: pa.Table) -> pa.Array:
    """The keys of vectors: their file and version."""
    return keys(page, "file_id", "embedding_version")


def vector_values(page: pa.Table) -> pa.Array:
    """The keys of vectors with a hash of their values, as a new computation can give others of the same version."""
    hashes = [hashlib.blake2b(digest_size=16) for _ in range(page.num_rows)]
    for name, size in vector_dimensions().items():
        column = page[name].combine_chunks()
        valid = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
        vectors = column.drop_null().flatten().to_numpy().reshape(-1, size)
        for index, vector in zip(valid.tolist(), vectors, strict=True):
            hashes[index].update(vector.tobytes())
    return pc.binary_join_element_wise(
        vector_keys(page), pa.array([each.hexdigest() for each in hashes], pa.string()), "/"
    )


def distinct(values: pa.Array | pa.ChunkedArray) -> list[str]:
    """The distinct texts, each once."""
    result: list[str] = pc.unique(values).to_pylist()
    return result


def where(values: pa.Array | pa.ChunkedArray, is_wanted: Callable[[str], bool]) -> pa.Array:
    """For each text whether it is wanted; asked once for each distinct text, as rows of a file follow each other."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    encoded = values.dictionary_encode()
    return pa.array(map(is_wanted, encoded.dictionary.to_pylist()), pa.bool_()).take(encoded.indices)


def all_keys(pages: Iterable[pa.Table], of: Callable[[pa.Table], pa.Array]) -> set[str]:
    """The keys of all pages."""
    found: set[str] = set()
    for page in pages:
        found.update(distinct(of(page)))
    return found

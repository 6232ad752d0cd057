"""Values and rows in pieces that fit into a request, and cells cut to the size that a cluster takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from ..cells import cut_text

# The SDK splits rows above 5 MiB by columns, which leaves columns null for a moment that must not be null.
_REQUEST_BYTES = 4 << 20
_LIST_VALUES, LIST_BYTES = 2000, 2 << 20  # of an IN list: each value costs client and server 0.1 ms
_MAX_CELL_BYTES = 64 * 1024  # the limit of a cluster is not documented; this size is known to work


def by_size(values: Sequence[str]) -> Iterator[list[str]]:
    """The values in lists that fit into a request."""
    part: list[str] = []
    size = 0
    for value in values:
        if part and (len(part) >= _LIST_VALUES or size > LIST_BYTES):
            yield part
            part, size = [], 0
        part.append(value)
        size += literal_bytes(value)
    if part:
        yield part


def literal_bytes(text: str) -> int:
    """The most bytes of a text in a request: four for each character, and its envelope."""
    return 4 * len(text) + 100


def pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The rows in batches that fit into a request."""
    if batch.num_rows < 2 or pa.ipc.get_record_batch_size(batch) <= _REQUEST_BYTES:
        yield batch
        return
    half = batch.num_rows // 2
    yield from pieces(batch.slice(0, half))
    yield from pieces(batch.slice(half))


def fitting(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The rows with cells of at most _MAX_CELL_BYTES; attributes that are cut are marked as `truncated`."""
    if batch.nbytes <= _MAX_CELL_BYTES:
        return batch
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    if "truncated" in columns:
        too_large = reduce(pc.or_, (_is_too_large(columns[name]) for name in ("value_json", "value_text", "raw")))
        columns["truncated"] = pc.or_(columns["truncated"], too_large)
        columns["value_json"] = pc.if_else(too_large, None, columns["value_json"])  # the start of JSON is not JSON
    for name, array in columns.items():
        if (pa.types.is_string(array.type) or pa.types.is_binary(array.type)) and pc.any(_is_too_large(array)).as_py():
            columns[name] = pa.array(map(_cut, array.to_pylist()), array.type)
    return pa.RecordBatch.from_arrays(list(columns.values()), schema=batch.schema)


def _is_too_large(array: pa.Array) -> pa.Array:
    return pc.fill_null(pc.greater(pc.binary_length(array), _MAX_CELL_BYTES), False)


def _cut(value: str | bytes | None) -> str | bytes | None:
    return cut_text(value, _MAX_CELL_BYTES) if isinstance(value, str) else value and value[:_MAX_CELL_BYTES]

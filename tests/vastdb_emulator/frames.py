"""The body that answers a select: Arrow IPC messages in numbered frames.

A frame is a subsplit's number (32 bits), the row it goes on from (64 bits), and one IPC message;
schema, batch and end marker each have their own. Every leaf of every projected column is a stream of
its own, wrapped in those structs and lists, with a single child each, that lead to it.
"""

import struct
from collections.abc import Iterator, Sequence

import pyarrow as pa

COMPLETED = struct.pack("<I", 0xFFFFFFFE)
FAILED = struct.pack("<IQI", 0xFFFFFFFD, 1, 0)  # an error number, which the SDK only shows, and no text
NO_MORE_ROWS = (1 << 48) - 1
_END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"


def subsplit_frames(subsplit: int, next_row: int, columns: Sequence[pa.Array], row_count: int) -> Iterator[bytes]:
    """The frames of one page of one subsplit."""
    prefix = struct.pack("<IQ", subsplit, next_row)
    batches = [pa.record_batch([leaf], ["leaf"]) for column in columns for leaf in leaves(column)]
    if not columns:
        batches = [pa.record_batch([pa.nulls(row_count)], ["none"]).select([])]  # nothing but the row count
    for batch in batches:
        yield b"".join((prefix, batch.schema.serialize(), prefix, batch.serialize(), prefix, _END_OF_STREAM))


def leaves(array: pa.Array) -> list[pa.Array]:
    """The leaves of a nested array, each inside copies of all its parents. A map is a list of structs."""
    type_ = array.type
    if pa.types.is_struct(type_):
        nulls = array.is_null()
        return [
            pa.StructArray.from_arrays([leaf], fields=[pa.field(child.name, leaf.type)], mask=nulls)
            for index, child in enumerate(type_)
            for leaf in leaves(array.field(index))
        ]
    if pa.types.is_map(type_):
        entries = [
            pa.StructArray.from_arrays([leaf], names=[name])
            for name, child in (("key", array.keys), ("value", array.items))
            for leaf in leaves(child)
        ]
        return [_list_of(array, pa.list_(pa.field("entries", entry.type)), entry, 2) for entry in entries]
    if pa.types.is_list(type_):
        return [_list_of(array, pa.list_(leaf.type), leaf, 2) for leaf in leaves(array.values)]
    if pa.types.is_fixed_size_list(type_):
        return [_list_of(array, pa.list_(leaf.type, type_.list_size), leaf, 1) for leaf in leaves(array.values)]
    return [array]


def _list_of(array: pa.Array, type_: pa.DataType, child: pa.Array, buffers: int) -> pa.Array:
    """The lists of `array` with another child: validity and offsets stay as they are."""
    return pa.Array.from_buffers(type_, len(array), array.buffers()[:buffers], offset=array.offset, children=[child])

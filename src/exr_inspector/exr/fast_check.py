"""Accepts files whose chunks are all sound, by comparing whole columns of leaders; all other files need the full check.

The columns are those of `ChunkLayout`: they contain what its `parse` accepts in each slot.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from itertools import repeat
from operator import add, le
from sys import byteorder

from .layout import ChunkLayout
from .leaders import PRESENT, PartLeaders, Read, file_order
from .zero_fill import begins_with_zeros

_MAX_CHUNKS = 1 << 16  # of a file; bounds the memory, about 200 bytes for each chunk
_READ_BYTES = 128 << 10  # at once; more would need new pages of memory for each read
_DENSE_BYTES = 12 << 10  # of a chunk: below it, reading all bytes is faster than reading each leader


def accept_leaders(parts: list[PartLeaders], table: array[int], read: Read) -> array[int] | None:
    """The numbers of the chunks by offset, if all are in the file, have valid leaders, and do not overlap.

    Reads all leaders with the first bytes of the data, and marks chunks that begin with zeros. If the result is None,
    the parts are unchanged.
    """
    leader_bytes, head_bytes = parts[0].leader.size, parts[0].head_bytes
    if len(table) > _MAX_CHUNKS or any(not _is_simple(part, leader_bytes, head_bytes) for part in parts):
        return None
    order = file_order(parts, table)
    begins = array("Q", map(table.__getitem__, order))
    heads = _read_heads(order, begins, leader_bytes, head_bytes, parts[0].size, read)
    accepted, ends = [], array("Q")
    for part in parts:
        at = len(ends)
        part_heads = heads[at : at + part.layout.count]
        columns = _columns(part, b"".join(part_heads))
        if columns is None:
            return None
        packed, first_words = columns
        sizes = map(add, packed, repeat(leader_bytes))
        ends.extend(map(add, table[at : at + part.layout.count], sizes))
        accepted.append((part, ends[at:], sum(packed), _zero_filled(part.layout, part_heads, packed, first_words)))
    if max(ends) > parts[0].size or not all(map(le, map(ends.__getitem__, order), begins[1:])):
        return None
    for part, part_ends, packed_bytes, zero_filled in accepted:
        part.accept(part_ends, packed_bytes, zero_filled)
    return order


def _is_simple(part: PartLeaders, leader_bytes: int, head_bytes: int) -> bool:
    """Whether the table lists all chunks, and leaders and heads have the given sizes, with 32-bit fields only."""
    is_listed = part.states.count(PRESENT) == len(part.states)
    has_sizes = (part.leader.size, part.head_bytes) == (leader_bytes, head_bytes)
    return is_listed and not part.layout.is_deep and has_sizes


def _zero_filled(layout: ChunkLayout, heads: list[bytes], packed: array[int], first_words: array[int]) -> Sequence[int]:
    """The slots of the chunks that begin with zeros; `first_words` are the first 4 bytes of the data of each."""
    if not layout.zeros_are_damage or (0 not in first_words and min(packed) >= first_words.itemsize):
        return ()
    return [slot for slot, head in enumerate(heads) if begins_with_zeros(layout, slot, head)]


def _read_heads(
    order: array[int], begins: array[int], leader_bytes: int, head_bytes: int, size: int, read: Read
) -> list[bytes]:
    """The first bytes of the chunks in the order of the table, leaders included.

    `order` and `begins` are numbers and offsets in the order of the file. Beyond its end, bytes are 0xff.
    """
    found: list[bytes] = []
    while len(found) < len(order):
        first = len(found)
        begin = begins[first]
        offsets = begins[first : bisect_right(begins, begin + _READ_BYTES, first + 1)]
        last = offsets[-1]
        length = min(last + head_bytes, size) - begin
        if length > _DENSE_BYTES * len(offsets):
            found += [read(offset, head_bytes) for offset in offsets[:-1]]
            found.append(read(last, min(head_bytes, size - last)))
        else:
            data = read(begin, length)
            found += [data[offset - begin : offset - begin + head_bytes] for offset in offsets]
    if len(found[-1]) >= leader_bytes:
        found[-1] = found[-1].ljust(head_bytes, b"\xff")
    heads = [b""] * len(order)
    for number, head in zip(order, found, strict=True):
        heads[number] = head
    return heads


def _columns(part: PartLeaders, heads: bytes) -> tuple[array[int], array[int]] | None:
    """The packed size and the first 4 bytes of each chunk; None if a leader is not the one that belongs in its slot."""
    layout = part.layout
    if len(heads) != layout.count * part.head_bytes:  # the file was shortened since its size was read
        return None
    fields = array("i", heads)
    if byteorder == "big":
        fields.byteswap()
    step = part.head_bytes // fields.itemsize
    *coordinates, packed, first_words = (
        fields[field::step] for field in range(layout.leader.size // fields.itemsize + 1)
    )
    expected = list(layout.coordinates)
    if layout.multipart:
        expected.insert(0, array("i", [part.part.part_index]) * layout.count)
    smallest, largest = layout.sizes
    if coordinates != expected or not (all(map(le, smallest, packed)) and all(map(le, packed, largest))):
        return None
    return packed, first_words

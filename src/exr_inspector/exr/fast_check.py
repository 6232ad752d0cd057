"""Accepts files whose chunks are all sound, by comparing whole columns of leaders; all other files need the full check.

The columns are those of `ChunkLayout`: they contain what its `parse` accepts in each slot.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from operator import add, le
from sys import byteorder

from .leaders import PRESENT, PartLeaders, Read, file_order

_MAX_CHUNKS = 1 << 16  # of a file; bounds the memory, about 200 bytes for each chunk
_READ_AT_ONCE = 256  # chunks
_DENSE_BYTES = 12 << 10  # of a chunk: below it, reading all bytes is faster than reading each leader


def accept_leaders(parts: list[PartLeaders], table: array[int], read: Read) -> array[int] | None:
    """The numbers of the chunks by offset, if all are in the file, have valid leaders, and do not overlap.

    Reads all leaders. If the result is None, the parts are unchanged.
    """
    leader_bytes = parts[0].leader.size
    if len(table) > _MAX_CHUNKS or any(not _is_simple(part, leader_bytes) for part in parts):
        return None
    order = file_order(parts, table)
    leaders = _read_leaders(table, order, leader_bytes, read)
    ends, packed_bytes, at = array("Q"), [], 0
    for part in parts:
        count = part.layout.count
        packed = _packed_sizes(part, b"".join(leaders[at : at + count]))
        if packed is None:
            return None
        ends.extend(map(add, table[at : at + count], packed))
        packed_bytes.append(sum(packed))
        at += count
    ends = array("Q", [end + leader_bytes for end in ends])
    begins, sorted_ends = [table[slot] for slot in order], sorted(ends)
    # Intervals are disjoint if each ends before the next begins, with begins and ends sorted independently.
    if sorted_ends[-1] > parts[0].size or not all(map(le, sorted_ends, begins[1:])):
        return None
    at = 0
    for part, size in zip(parts, packed_bytes, strict=True):
        part.accept(ends[at : at + part.layout.count], size)
        at += part.layout.count
    return order


def _is_simple(part: PartLeaders, leader_bytes: int) -> bool:
    """Whether the table lists all chunks, and leaders have the given size and 32-bit fields only."""
    is_listed = part.states.count(PRESENT) == len(part.states)
    return is_listed and not part.layout.is_deep and part.leader.size == leader_bytes


def _read_leaders(table: array[int], order: Sequence[int], leader_bytes: int, read: Read) -> list[bytes]:
    """The leaders in the order of the table; `order` has the slots by offset."""
    leaders = [b""] * len(table)
    for first in range(0, len(order), _READ_AT_ONCE):
        slots = order[first : first + _READ_AT_ONCE]
        begin, end = table[slots[0]], table[slots[-1]] + leader_bytes
        if end - begin > _DENSE_BYTES * len(slots):
            for slot in slots:
                leaders[slot] = read(table[slot], leader_bytes)
            continue
        data = read(begin, end - begin)
        for slot in slots:
            at = table[slot] - begin
            leaders[slot] = data[at : at + leader_bytes]
    return leaders


def _packed_sizes(part: PartLeaders, leaders: bytes) -> array[int] | None:
    """The packed sizes of a part's chunks; None if a leader is not the one that belongs in its slot."""
    layout = part.layout
    if len(leaders) != layout.count * layout.leader.size:  # the file was shortened since its size was read
        return None
    fields = array("i", leaders)
    if byteorder == "big":
        fields.byteswap()
    step = layout.leader.size // fields.itemsize
    *coordinates, packed = (fields[field::step] for field in range(step))
    expected = list(layout.coordinates)
    if layout.multipart:
        expected.insert(0, array("i", [part.part.part_index]) * layout.count)
    smallest, largest = layout.sizes
    if coordinates != expected or not (all(map(le, smallest, packed)) and all(map(le, packed, largest))):
        return None
    return packed

"""Accepts files whose chunks are all sound, by comparing whole columns of leaders; all other files need the full check.

The columns are those of `ChunkLayout`: they contain what its `parse` accepts in each slot.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from itertools import repeat
from operator import add, le
from sys import byteorder

from .leaders import PRESENT, PartLeaders, Read, file_order

_MAX_CHUNKS = 1 << 16  # of a file; bounds the memory, about 200 bytes for each chunk
_READ_BYTES = 128 << 10  # at once; more would need new pages of memory for each read
_DENSE_BYTES = 12 << 10  # of a chunk: below it, reading all bytes is faster than reading each leader


def accept_leaders(parts: list[PartLeaders], table: array[int], read: Read) -> array[int] | None:
    """The numbers of the chunks by offset, if all are in the file, have valid leaders, and do not overlap.

    Reads all leaders. If the result is None, the parts are unchanged.
    """
    leader_bytes = parts[0].leader.size
    if len(table) > _MAX_CHUNKS or any(not _is_simple(part, leader_bytes) for part in parts):
        return None
    order = file_order(parts, table)
    begins = array("Q", map(table.__getitem__, order))
    leaders = _read_leaders(order, begins, leader_bytes, read)
    accepted, ends = [], array("Q")
    for part in parts:
        at = len(ends)
        packed = _packed_sizes(part, b"".join(leaders[at : at + part.layout.count]))
        if packed is None:
            return None
        sizes = map(add, packed, repeat(leader_bytes))
        ends.extend(map(add, table[at : at + part.layout.count], sizes))
        accepted.append((part, ends[at:], sum(packed)))
    if max(ends) > parts[0].size or not all(map(le, map(ends.__getitem__, order), begins[1:])):
        return None
    for part, part_ends, packed_bytes in accepted:
        part.accept(part_ends, packed_bytes)
    return order


def _is_simple(part: PartLeaders, leader_bytes: int) -> bool:
    """Whether the table lists all chunks, and leaders have the given size and 32-bit fields only."""
    is_listed = part.states.count(PRESENT) == len(part.states)
    return is_listed and not part.layout.is_deep and part.leader.size == leader_bytes


def _read_leaders(order: array[int], begins: array[int], leader_bytes: int, read: Read) -> list[bytes]:
    """The leaders in the order of the table; `order` and `begins` are numbers and offsets in the order of the file."""
    found: list[bytes] = []
    while len(found) < len(order):
        first = len(found)
        begin = begins[first]
        offsets = begins[first : bisect_right(begins, begin + _READ_BYTES, first + 1)]
        length = offsets[-1] + leader_bytes - begin
        if length > _DENSE_BYTES * len(offsets):
            found += [read(offset, leader_bytes) for offset in offsets]
        else:
            data = read(begin, length)
            found += [data[offset - begin : offset - begin + leader_bytes] for offset in offsets]
    leaders = [b""] * len(order)
    for number, leader in zip(order, found, strict=True):
        leaders[number] = leader
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

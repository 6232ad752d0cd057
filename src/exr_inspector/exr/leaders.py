"""The state of each chunk of a part, from its entry in the offset table and from its leader.

Source: "OpenEXR File Layout", sections Offset Tables and Chunk Layout.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from heapq import merge
from itertools import compress

from .layout import ChunkLayout
from .part import Part
from .zero_fill import begins_with_zeros, ends_with_zeros

Read = Callable[[int, int], bytes]  # (offset, length) → the bytes there, fewer at the end of the file

# CUT: the file ends inside the chunk. CUT_OFF: the file ends before the chunk.
NEVER_WRITTEN, PRESENT, CUT, ZERO_FILLED, BROKEN, CUT_OFF = range(6)
_IS_PRESENT = bytes(state == PRESENT for state in range(256))

# 256 TiB: an offset beyond the end of the file is a cut up to here, and invalid above.
_MAX_OFFSET = 1 << 48
_SORTED_WHOLE, _SORTED_AT_ONCE = 1 << 16, 1 << 13  # chunks; lists of larger files would take too much memory


class PartLeaders:
    """The chunks of one part: offset, state and end of each, by slot of the offset table."""

    def __init__(self, part: Part, layout: ChunkLayout, offsets: memoryview[int], data_start: int, size: int) -> None:
        self.part, self.layout, self.offsets, self.data_start, self.size = part, layout, offsets, data_start, size
        self.leader = layout.leader
        self.head_bytes = layout.head_bytes
        self.states = bytearray(len(offsets))
        self.misplaced = 0  # entries that point to the chunk of another entry
        self.unlisted = 0  # entries that are 0 or outside the file
        self.recovered = 0  # chunks found without their entry
        self.wrong_entries = 0  # entries outside the file although the chunk is in the file
        self.ends = array("Q", [0]) * len(offsets)  # at most the file size; 0 for chunks without a valid leader
        self.checked = 0  # leaders that were read
        self.packed_bytes = 0  # of the chunks with a valid leader, leaders excluded, up to the end of the file

    def check_offsets(self) -> None:
        """Set the states from the offset table alone."""
        if self.offsets and min(self.offsets) >= self.data_start and max(self.offsets) + self.leader.size <= self.size:
            self.states = bytearray([PRESENT]) * len(self.offsets)
            return
        for slot, offset in enumerate(self.offsets):
            if offset:
                self.states[slot] = self._offset_state(offset)
            self.unlisted += self.is_unlisted(slot)

    def _offset_state(self, offset: int) -> int:
        if offset < self.data_start or offset > _MAX_OFFSET:
            return BROKEN
        if offset >= self.size:
            return CUT_OFF
        return CUT if offset + self.leader.size > self.size else PRESENT

    def read_leaders(self, read: Read, slots: Iterable[int]) -> None:
        """Read the leaders of the chunks that are PRESENT by the table, and correct their states."""
        displaced = array("Q")  # offset, packed size, own slot and zero fill of each chunk found through another slot
        leader_size, states = self.leader.size, self.states
        for slot in slots:
            if states[slot] != PRESENT:
                continue
            offset, states[slot] = self.offsets[slot], NEVER_WRITTEN
            data = read(offset, min(self.head_bytes, self.size - offset))
            self.checked += 1
            if len(data) < leader_size:  # the file was shortened since its size was read
                states[slot] = CUT
                continue
            own_slot, packed = self.parse(data[:leader_size])
            if own_slot is None:
                states[slot] = BROKEN if any(data[:leader_size]) else ZERO_FILLED
                continue
            is_zero_filled = begins_with_zeros(self.layout, own_slot, data)
            if own_slot == slot:
                self._add(slot, offset, packed, is_zero_filled)
            else:
                displaced.extend((offset, min(packed, self.size), own_slot, is_zero_filled))
        for offset, packed, slot, zero_filled in zip(*(displaced[n::4] for n in range(4)), strict=True):
            if self.offsets[slot] or states[slot] != NEVER_WRITTEN:
                self.misplaced += 1
            else:
                self.offsets[slot] = offset
                self.unlisted -= 1
                self._add(slot, offset, packed, bool(zero_filled))

    def parse(self, leader: bytes) -> tuple[int | None, int]:
        """Slot and packed size of a chunk; the slot is None if part number, coordinates or sizes are invalid."""
        return self.layout.parse(leader, self.part.part_index)

    def accept(self, ends: array[int], packed_bytes: int, zero_filled: Iterable[int]) -> None:
        """Set the ends of all chunks, whose leaders are valid and inside the file; some have zero-filled data."""
        self.ends, self.packed_bytes, self.checked = ends, packed_bytes, len(ends)
        for slot in zero_filled:
            self.states[slot] = ZERO_FILLED

    def is_unlisted(self, slot: int) -> bool:
        """Whether an entry is 0 or outside the file."""
        return not self.data_start <= self.offsets[slot] < self.size

    def add_unlisted(self, slot: int, offset: int, packed: int, data: bytes) -> None:
        """Add a chunk that was found without its entry; `data` is its leader with the bytes that follow it."""
        if self.offsets[slot]:
            self.wrong_entries += 1
        self.unlisted -= 1
        self.recovered += 1
        self.checked += 1
        self.offsets[slot] = offset
        self._add(slot, offset, packed, begins_with_zeros(self.layout, slot, data))

    def _add(self, slot: int, offset: int, packed: int, is_zero_filled: bool) -> None:
        data_begin = offset + self.leader.size
        end = data_begin + packed
        self.states[slot] = CUT if end > self.size else ZERO_FILLED if is_zero_filled else PRESENT
        self.ends[slot] = end = min(end, self.size)
        self.packed_bytes += end - data_begin

    def mark_zero_tail(self, slot: int, read: Read) -> None:
        """Mark a chunk whose last bytes are zero, if its leader was read."""
        if self.states[slot] != PRESENT or not self.ends[slot]:
            return
        leader_size, offset, end = self.leader.size, self.offsets[slot], self.ends[slot]
        sizes: tuple[int, ...] = (end - offset - leader_size,)
        if self.layout.is_deep:
            leader = read(offset, leader_size)
            if len(leader) < leader_size:  # the file was shortened since its size was read
                return
            sizes = self.layout.sizes_in(leader)
        if ends_with_zeros(self.layout, slot, sizes, lambda length: read(end - length, length)):
            self.states[slot] = ZERO_FILLED


def chunk_of(parts: list[PartLeaders], number: int) -> tuple[PartLeaders, int]:
    """Part and slot of an entry of the whole table."""
    for part in parts:
        if number < len(part.offsets):
            return part, number
        number -= len(part.offsets)
    raise IndexError(number)


def mark_last_zero_tail(parts: list[PartLeaders], order: array[int], read: Read) -> None:
    """Mark the last chunk of those present if its end is zero-filled; `order` has the numbers of chunks by offset."""
    for number in reversed(order):
        part, slot = chunk_of(parts, number)
        if part.states[slot] == PRESENT:
            part.mark_zero_tail(slot, read)
            return


def file_order(parts: list[PartLeaders], table: array[int], listed: bytes | None = None) -> array[int]:
    """The numbers of the table's entries that are `listed`, by offset; by default those that are PRESENT.

    Sorts pieces and merges them: a list of millions of numbers would take more memory than the file.
    """
    if listed is None:
        listed = b"".join(part.states for part in parts).translate(_IS_PRESENT)
    at_once = _SORTED_WHOLE if len(table) <= _SORTED_WHOLE else _SORTED_AT_ONCE
    pieces = []
    for first in range(0, len(table), at_once):
        numbers = range(first, min(first + at_once, len(table)))
        kept = compress(numbers, listed[numbers.start : numbers.stop])
        pieces.append(array("Q", sorted(kept, key=table.__getitem__)))
    return pieces[0] if len(pieces) == 1 else array("Q", merge(*pieces, key=table.__getitem__))

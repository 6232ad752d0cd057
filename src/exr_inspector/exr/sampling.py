"""Checks a file by its offset table and a few leaders, where a read of each leader takes too long."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from heapq import merge

from .leaders import BROKEN, PRESENT, PartLeaders, Read

Prefetch = Callable[[int, int], None]  # (offset, length): announces a read

SAMPLES = 16  # leaders at equal distances
_GAPS = 6  # gaps between chunks, of which the leaders on both sides are read
_SORTED_AT_ONCE = 1 << 16


def check_some_leaders(
    parts: list[PartLeaders], table: array[int], read: Read, prefetch: Prefetch, *, samples: int
) -> None:
    """Check the table and the leader of the last chunk: a cut leaves all chunks before that one whole.

    With `samples`, also so many leaders at equal distances, and those beside gaps that no chunk fills.
    """
    order = _file_order(parts, table)
    if not order:
        return
    rooms = _rooms(parts, table, order)
    _mark_short_chunks(parts, rooms, order[-1])
    positions = {len(order) - 1}
    if samples:
        positions.update(n * (len(order) - 1) // samples for n in range(samples))
        for number in _large_gaps(parts, rooms, order[-1]):
            position = order.index(number)
            positions.update((position, position + 1))
    chosen = [order[position] for position in sorted(positions)]
    leader_bytes = max(part.leader.size for part in parts)
    if len(chosen) > 1:
        for number in chosen:
            prefetch(table[number], leader_bytes)
    at = 0
    for part, room in zip(parts, rooms, strict=True):
        end = at + len(room)
        part.read_leaders(read, [number - at for number in chosen if at <= number < end])
        part.packed_bytes += _unread_bytes(part, room)
        at = end


def _file_order(parts: list[PartLeaders], table: array[int]) -> array[int]:
    """The numbers of the table's entries inside the file, by offset; sorted in pieces, as lists take more memory."""
    states = b"".join(part.states for part in parts)
    pieces = []
    for first in range(0, len(table), _SORTED_AT_ONCE):
        numbers = range(first, min(first + _SORTED_AT_ONCE, len(table)))
        listed = [number for number in numbers if states[number] == PRESENT]
        pieces.append(array("Q", sorted(listed, key=table.__getitem__)))
    return pieces[0] if len(pieces) == 1 else array("Q", merge(*pieces, key=table.__getitem__))


def _rooms(parts: list[PartLeaders], table: array[int], order: array[int]) -> list[memoryview[int]]:
    """By part and slot, the bytes from the end of a leader to the next chunk; 0 for chunks outside the file."""
    leader_bytes = array("B")
    for part in parts:
        leader_bytes.extend([part.leader.size] * len(part.offsets))
    rooms = array("q", [0]) * len(table)
    following = parts[0].size
    for number in reversed(order):
        rooms[number] = following - table[number] - leader_bytes[number]
        following = table[number]
    column, columns = memoryview(rooms), []
    for part in parts:
        columns.append(column[: len(part.offsets)])
        column = column[len(part.offsets) :]
    return columns


def _mark_short_chunks(parts: list[PartLeaders], rooms: list[memoryview[int]], last: int) -> None:
    """Mark chunks that have no room before the next offset as BROKEN."""
    at = 0
    for part, room in zip(parts, rooms, strict=True):
        for slot, (size, smallest) in enumerate(zip(room, part.layout.smallest, strict=True)):
            if size < smallest and part.states[slot] == PRESENT and at + slot != last:
                part.states[slot] = BROKEN
        at += len(room)


def _large_gaps(parts: list[PartLeaders], rooms: list[memoryview[int]], last: int) -> list[int]:
    """The numbers of the first chunks with more room behind them than they can fill."""
    numbers: list[int] = []
    at = 0
    for part, room in zip(parts, rooms, strict=True):
        for slot, (size, largest) in enumerate(zip(room, part.layout.largest, strict=True)):
            if size > largest and at + slot != last:
                numbers.append(at + slot)
                if len(numbers) == _GAPS:
                    return numbers
        at += len(room)
    return numbers


def _unread_bytes(part: PartLeaders, room: memoryview[int]) -> int:
    """The size of the chunks whose leaders were not read: their room, but no more than they can fill."""
    columns = zip(room, part.layout.largest, part.states, part.ends, strict=True)
    return sum(min(size, largest) for size, largest, state, end in columns if state == PRESENT and not end)

"""Checks a file by its offset table and a few leaders, where a read of each leader takes too long."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import chain, islice

from .leaders import BROKEN, PRESENT, PartLeaders, Read, file_order, mark_last_zero_tail
from .zero_fill import TAIL_BYTES

Prefetch = Callable[[int, int], None]  # (offset, length): announces a read

SAMPLES = 16  # chunks at equal distances
_GAPS = 6  # gaps between chunks, of which the leaders on both sides are read


def check_last_leader(parts: list[PartLeaders], table: array[int], read: Read) -> None:
    """Check the table and the leader of the last chunk: a cut leaves all chunks before that one whole."""
    order = file_order(parts, table)
    _read_leaders(parts, rooms_of(parts, table, order), order[-1:], order, read)


def check_sample(parts: list[PartLeaders], table: array[int], read: Read, prefetch: Prefetch) -> None:
    """Check the table, a sample of the chunks, and the leaders beside gaps that no chunk fills."""
    order = file_order(parts, table)
    if not order:
        return
    rooms = rooms_of(parts, table, order)
    sample = _spread(order)
    beside_gaps = set(_beside_gaps(parts, rooms, order)).difference(sample)
    size, head_bytes = parts[0].size, max(part.head_bytes for part in parts)
    ranges = {table[number]: min(head_bytes, size - table[number]) for number in [*sample, *beside_gaps]}
    for offset, length in [*ranges.items(), (max(size - TAIL_BYTES, 0), TAIL_BYTES)]:
        prefetch(offset, length)

    @cache
    def whole_range(offset: int) -> bytes:
        return read(offset, ranges[offset])

    def read_ahead(offset: int, length: int) -> bytes:
        return whole_range(offset)[:length] if offset in ranges else read(offset, length)

    _read_leaders(parts, rooms, [*sample, *beside_gaps], order, read_ahead)
    mark_last_zero_tail(parts, order, read_ahead)


def _spread(order: array[int]) -> list[int]:
    """The last of these numbers, and 16 at equal distances from the first."""
    last = len(order) - 1
    if last <= SAMPLES:
        return list(order)
    return [order[position] for position in sorted({last, *(n * last // SAMPLES for n in range(SAMPLES))})]


def _read_leaders(
    parts: list[PartLeaders],
    rooms: list[memoryview[int]],
    numbers: Sequence[int],
    order: array[int],
    read: Read,
) -> None:
    """Check the room of all chunks and the leaders of some, and estimate the sizes of the others."""
    at = 0
    for part, room in zip(parts, rooms, strict=True):
        end = at + len(room)
        _mark_short_chunks(part, room, order[-1] - at if order else -1)
        part.read_leaders(read, [number - at for number in sorted(numbers) if at <= number < end])
        part.packed_bytes += _unread_bytes(part, room)
        at = end


def rooms_of(parts: list[PartLeaders], table: array[int], order: array[int]) -> list[memoryview[int]]:
    """By part and slot, the bytes from the end of a leader to the next chunk; 0 for chunks outside the file."""
    leader_bytes = array("B")
    for part in parts:
        leader_bytes.extend([part.leader.size] * len(part.offsets))
    rooms = array("q", [0]) * len(table)
    begins = array("Q", map(table.__getitem__, order))
    for number, begin, end in zip(order, begins, chain(islice(begins, 1, None), (parts[0].size,)), strict=False):
        rooms[number] = end - begin - leader_bytes[number]
    column, columns = memoryview(rooms), []
    for part in parts:
        columns.append(column[: len(part.offsets)])
        column = column[len(part.offsets) :]
    return columns


def _mark_short_chunks(part: PartLeaders, room: memoryview[int], last: int) -> None:
    """Mark chunks that have no room before the next offset as BROKEN; the end of the last chunk is in its leader."""
    for slot, (size, smallest) in enumerate(zip(room, part.layout.smallest, strict=True)):
        if size < smallest and slot != last and part.states[slot] == PRESENT:
            part.states[slot] = BROKEN


def _beside_gaps(parts: list[PartLeaders], rooms: list[memoryview[int]], order: array[int]) -> Iterator[int]:
    """The numbers of the chunks on both sides of the first gaps."""
    sizes = chain.from_iterable(
        zip(room, part.layout.largest, strict=True) for part, room in zip(parts, rooms, strict=True)
    )
    gaps = (number for number, (size, largest) in enumerate(sizes) if size > largest and number != order[-1])
    for number in islice(gaps, _GAPS):
        yield number
        yield order[order.index(number) + 1]


def _unread_bytes(part: PartLeaders, room: memoryview[int]) -> int:
    """The size of the chunks whose leaders were not read: their room, but no more than they can fill."""
    columns = zip(room, part.layout.largest, part.states, part.ends, strict=True)
    return sum(  # not min(), which takes most of the time of a check
        size if size < largest else largest for size, largest, state, end in columns if state == PRESENT and not end
    )

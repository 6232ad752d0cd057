"""Reads the chunks of a run from a source, with one read for chunks that lie one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from ..exr.leaders import BROKEN, PRESENT, Read
from ..exr.locate import LocatedPart

_MAX_GAP = 4 << 10  # bytes between chunks that are read with them
_MAX_READ = 8 << 20  # longer reads begin anew at a gap


class ChunkFault(NamedTuple):
    """Why a chunk is not decoded; `code` is a key of DECODE_ERRORS."""

    code: str
    message: str


MISSING = ChunkFault("chunk_missing", "the file does not contain all of the chunk; render or copy it again")
INVALID = ChunkFault("bad_chunk", "the chunk has an invalid leader or size, or overlaps another")


class Chunk(NamedTuple):
    """A chunk of the file: its leader, and as much of its data as was read."""

    leader: memoryview
    data: memoryview
    size: int  # of the data


def fetch_chunks(
    read: Read, located: LocatedPart, slots: Iterable[int], longest: Callable[[int], int]
) -> dict[int, Chunk | ChunkFault]:
    """The chunks of some slots; `longest` bounds the bytes of a chunk after its leader."""
    leaders, rooms = located
    result: dict[int, Chunk | ChunkFault] = {}
    present = []
    for slot in slots:
        if leaders.states[slot] == PRESENT:
            present.append(slot)
        else:
            result[slot] = INVALID if leaders.states[slot] == BROKEN else MISSING
    for first, end, group in _extents(located, sorted(present, key=leaders.offsets.__getitem__), longest):
        data = memoryview(read(first, end - first))
        for slot in group:
            result[slot] = _chunk(located, slot, data[leaders.offsets[slot] - first :], rooms[slot])
    return result


def _extents(
    located: LocatedPart, slots: list[int], longest: Callable[[int], int]
) -> Iterator[tuple[int, int, list[int]]]:
    """Begin and end of each read, and the slots of its chunks; `slots` are in file order."""
    group: list[int] = []
    first = end = 0
    for slot in slots:
        begin = located.leaders.offsets[slot]
        stop = begin + located.leaders.leader.size + max(min(located.rooms[slot], longest(slot)), 0)
        if group and (begin > end + _MAX_GAP or (begin > end and stop - first > _MAX_READ)):
            yield first, end, group
            group = []
        if not group:
            first, end = begin, stop
        group.append(slot)
        end = max(end, stop)
    if group:
        yield first, end, group


def _chunk(located: LocatedPart, slot: int, data: memoryview, room: int) -> Chunk | ChunkFault:
    """The chunk at the start of `data`."""
    leaders = located.leaders
    at = leaders.leader.size
    if len(data) < at:
        return MISSING
    own_slot, packed = leaders.parse(bytes(data[:at]))
    if own_slot != slot:
        return INVALID if any(data[:at]) else MISSING
    if packed > room:
        return MISSING if leaders.offsets[slot] + at + packed > leaders.size else INVALID
    return Chunk(data[:at], data[at : at + packed], packed)

"""Whether a file is whole: its offset table, and a walk over the leaders of its chunks, without decoding a pixel.

Source: "OpenEXR File Layout", sections Offset Tables and Chunk Layout. An entry of 0 is a chunk that was never
written; an entry or a chunk past the end is one that was cut off; the leader of a chunk says which one it is.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from operator import itemgetter
from struct import Struct
from sys import byteorder

from .geometry import Level, chunk_counts, levels, lines_per_chunk, unpacked_bytes
from .header import Header, Limits
from .missing import describe_missing
from .part import PART_TYPES, Part
from .problems import Problem

Read = Callable[[int, int], bytes]  # offset, length → the bytes there, fewer at the end of the file

# What was found out about each chunk; describe_missing() puts it into words.
NEVER_WRITTEN, PRESENT, CUT, ZERO_FILLED, BROKEN, CUT_OFF = range(6)  # cut in its middle, or gone as a whole

_ZLIB_COMPRESSIONS = ("ZIP", "ZIPS", "PXR24")
_DEEP_OFFSET_LIMIT = 1 << 48


@dataclass(frozen=True, slots=True, kw_only=True)
class PartChunks:
    """The chunks of one part. `packed_bytes` is None where the chunks were not walked."""

    part_index: int
    chunk_count: int | None
    chunks_present: int | None
    missing: str | None  # in words: "lines 540-1079", "tiles (3,2) level 0", "all"
    packed_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkReport:
    """Whether the file is whole: complete, incomplete, truncated, corrupt or unknown; and what is missing."""

    completeness: str
    parts: tuple[PartChunks, ...]
    problems: tuple[Problem, ...]

    @property
    def chunk_count(self) -> int | None:
        """Chunks of the whole file, None where a part's count is not known."""
        return _sum([part.chunk_count for part in self.parts])

    @property
    def chunks_present(self) -> int | None:
        """Chunks that are there."""
        return _sum([part.chunks_present for part in self.parts])

    @property
    def missing(self) -> str | None:
        """What is missing, in words; None when nothing is."""
        said = [(part.part_index, part.missing) for part in self.parts if part.missing]
        if not said:
            return None
        if len(self.parts) == 1:
            return said[0][1]
        return "; ".join(f"part {index}: {words}" for index, words in said)


def _sum(numbers: list[int | None]) -> int | None:
    known = [n for n in numbers if n is not None]
    return sum(known) if len(known) == len(numbers) else None


def read_chunks(
    header: Header,
    read: Read,
    size: int,
    *,
    walk: bool = True,
    limits: Limits = Limits(),  # noqa: B008 (frozen)
) -> ChunkReport:
    """What of the chunks of a file of `size` bytes is there.

    Reads the offset table, and with `walk` the leader of each chunk (20 bytes or so a chunk). Without it only the
    leader of the last chunk in the file is read: a cut leaves every chunk before that one whole. Bit rot inside a
    chunk's data is not seen.
    """
    counts = chunk_counts(header.parts)
    known = [n for n in counts if n is not None]
    problems = _count_mismatches(header.parts, counts)
    if len(known) < len(counts):
        uncounted = [part for part, count in zip(header.parts, counts, strict=True) if count is None]
        completeness = "unknown" if all(map(_is_of_the_future, uncounted)) else "corrupt"
        return ChunkReport(completeness=completeness, parts=_unknown_parts(counts), problems=tuple(problems))
    if sum(known) > limits.chunks:
        problems.append(Problem("too_many_chunks", f"{sum(known)} chunks; {limits.chunks} are looked at"))
        return ChunkReport(completeness="unknown", parts=_unknown_parts(counts), problems=tuple(problems))
    data_start = header.header_bytes + 8 * sum(known)
    if size < data_start:
        message = f"the offset table ends at byte {data_start}, the file at {size}"
        problems.append(Problem("offset_table_cut", message, byte_offset=header.header_bytes))
        parts = tuple(_absent_part(part, n) for part, n in zip(header.parts, known, strict=True))
        return ChunkReport(completeness="truncated", parts=parts, problems=tuple(problems))
    table = array("Q", read(header.header_bytes, 8 * sum(known)))
    if byteorder == "big":
        table.byteswap()
    walks, at = [], 0
    end_limit = _end_limit(header.parts, data_start, sum(known))
    for part, count in zip(header.parts, known, strict=True):
        offsets = memoryview(table)[at : at + count]
        part_walk = _PartWalk(part, header.is_multipart, offsets, data_start, size, end_limit)
        part_walk.check_offsets()
        walks.append(part_walk)
        at += count
    if not walk:
        _read_last_leader(walks, read)
    else:
        for part_walk in walks:
            part_walk.read_leaders(read, range(len(part_walk.offsets)))
        _mark_overlaps_and_zero_tails(walks, read)
    return ChunkReport(
        completeness=_judge(walks, problems),
        parts=tuple(w.result(walked=walk) for w in walks),
        problems=tuple(problems + [p for w in walks for p in w.problems()]),
    )


def _count_mismatches(parts: tuple[Part, ...], counts: list[int | None]) -> list[Problem]:
    problems = []
    for part, count in zip(parts, counts, strict=True):
        stored = part.value("chunkCount", "int")
        if stored is not None and count is not None and stored != count:
            message = f"chunkCount says {stored}, the windows and the compression make it {count}"
            problems.append(Problem("chunk_count_mismatch", message, part.part_index, "chunkCount"))
    return problems


def _is_of_the_future(part: Part) -> bool:
    """Whether a part's chunks cannot be counted for a code or type that is not known, and not for a broken header."""
    if part.part_type is not None and part.part_type not in PART_TYPES:
        return True
    compression = part.by_name.get("compression")
    return (
        part.data_window is not None
        and compression is not None
        and compression.attr_type == "compression"
        and len(compression.raw) == 1
        and compression.value is None
    )


def _unknown_parts(counts: list[int | None]) -> tuple[PartChunks, ...]:
    return tuple(
        PartChunks(part_index=i, chunk_count=n, chunks_present=None, missing=None, packed_bytes=None)
        for i, n in enumerate(counts)
    )


def _absent_part(part: Part, count: int) -> PartChunks:
    return PartChunks(part_index=part.part_index, chunk_count=count, chunks_present=0, missing="all", packed_bytes=0)


def _end_limit(parts: tuple[Part, ...], data_start: int, count: int) -> int:
    """An offset above this cannot be in a file with these headers: no codec makes flat pixels larger."""
    total = 0
    for part in parts:
        unpacked = unpacked_bytes(part)
        if unpacked is None:
            return _DEEP_OFFSET_LIMIT
        total += unpacked
    return data_start + 2 * total + 64 * count + (1 << 20)


def _judge(walks: list[_PartWalk], problems: list[Problem]) -> str:
    states = {state for w in walks for state in set(w.states)}
    if BROKEN in states or any(w.misplaced for w in walks) or problems:
        return "corrupt"
    if CUT in states or CUT_OFF in states:
        return "truncated"
    return "incomplete" if states - {PRESENT} else "complete"


class _PartWalk:
    """The walk over one part: a state for each slot of its offset table."""

    def __init__(
        self, part: Part, multipart: bool, offsets: memoryview[int], data_start: int, size: int, end_limit: int
    ) -> None:
        self.part, self.offsets = part, offsets  # by slot; a file may have millions of chunks
        self.data_start, self.size, self.end_limit = data_start, size, end_limit
        self.states = bytearray(len(offsets))
        self.misplaced = 0  # entries that point to the chunk of another entry
        self.levels = levels(part) if part.is_tiled else []
        self.ends = array("Q", [0]) * len(offsets)  # by slot; 0 where no chunk was found, no more than the file's size
        self.packed_bytes = 0  # of the chunks that were found, without their leaders, up to the end of the file
        self._multipart = multipart
        layout = "i" * multipart + ("iiii" if part.is_tiled else "i") + ("QQQ" if part.is_deep else "i")
        self.leader = Struct("<" + layout)
        self._slot_of = self._tile_slot() if part.is_tiled else self._line_slot()

    def check_offsets(self) -> None:
        """States from the offset table alone."""
        if self.offsets and min(self.offsets) >= self.data_start and max(self.offsets) <= self._highest_offset():
            self.states = bytearray([PRESENT]) * len(self.offsets)
            return
        for slot, offset in enumerate(self.offsets):
            if offset:
                self.states[slot] = self._offset_state(offset)

    def _highest_offset(self) -> int:
        return min(self.end_limit, self.size - self.leader.size)

    def _offset_state(self, offset: int) -> int:
        if offset < self.data_start or offset > self.end_limit:
            return BROKEN
        if offset >= self.size:
            return CUT_OFF
        return CUT if offset + self.leader.size > self.size else PRESENT

    def last_offset(self) -> int:
        """The highest offset inside the file; 0 where there is none."""
        pairs = zip(self.offsets, self.states, strict=True)
        return max((offset for offset, state in pairs if state == PRESENT), default=0)

    def read_leaders(self, read: Read, slots: Iterable[int]) -> None:
        """States of the chunks whose offsets are inside the file, by what their leaders say."""
        displaced = array("Q")  # offset, size and slot of chunks that stand in the entry of another one
        unpack, leader_size, states, slot_of = self.leader.unpack, self.leader.size, self.states, self._slot_of
        first, index, deep = int(self._multipart), self.part.part_index, self.part.is_deep
        last = -3 if deep else -1
        for slot in slots:
            if states[slot] != PRESENT:
                continue
            offset, states[slot] = self.offsets[slot], NEVER_WRITTEN
            leader = read(offset, leader_size)
            if len(leader) < leader_size:  # the file became shorter
                states[slot] = CUT
                continue
            fields = unpack(leader)
            packed = fields[-1] if not deep else fields[-3] + fields[-2]
            own_slot = slot_of(fields[first:last])
            if packed <= 0 or own_slot is None or (first and fields[0] != index):
                states[slot] = BROKEN if any(fields) else ZERO_FILLED
            elif own_slot == slot:
                self._add(slot, offset + leader_size, packed)
            else:
                displaced.extend((offset, min(packed, self.size), own_slot))
        for offset, packed, slot in zip(displaced[::3], displaced[1::3], displaced[2::3], strict=True):
            if self.offsets[slot] or states[slot] != NEVER_WRITTEN:
                self.misplaced += 1
            else:
                self.offsets[slot] = offset
                self._add(slot, offset + leader_size, packed)

    def _add(self, slot: int, data_begin: int, packed: int) -> None:
        end = data_begin + packed
        self.states[slot] = PRESENT if end <= self.size else CUT
        self.ends[slot] = end = min(end, self.size)
        self.packed_bytes += end - data_begin

    def _line_slot(self) -> Callable[[tuple[int, ...]], int | None]:
        window, lines, count = self.part.data_window, lines_per_chunk(self.part), len(self.offsets)

        def slot(coordinates: tuple[int, ...]) -> int | None:
            if window is None or lines is None:
                return None
            number, rest = divmod(coordinates[0] - window.yMin, lines)
            return number if not rest and 0 <= number < count else None

        return slot

    def _tile_slot(self) -> Callable[[tuple[int, ...]], int | None]:
        first_slots: dict[tuple[int, int], tuple[int, Level]] = {}
        at = 0
        for level in self.levels:
            first_slots[level.level_x, level.level_y] = at, level
            at += level.tiles_x * level.tiles_y

        def slot(coordinates: tuple[int, ...]) -> int | None:
            x, y, level_x, level_y = coordinates
            at, level = first_slots.get((level_x, level_y), (0, None))
            if level is None or not (0 <= x < level.tiles_x and 0 <= y < level.tiles_y):
                return None
            return at + y * level.tiles_x + x

        return slot

    def problems(self) -> list[Problem]:
        """Broken entries and chunks, once a part."""
        found, index = [], self.part.part_index
        broken = self.states.count(BROKEN)
        if broken:
            message = f"{broken} chunks have offsets, leaders or sizes that cannot be"
            at = self.offsets[self.states.index(BROKEN)]
            found.append(Problem("bad_chunk", message, index, byte_offset=min(at, (1 << 63) - 1)))
        if self.misplaced:
            message = f"{self.misplaced} entries of the offset table point to the chunk of another entry"
            found.append(Problem("misplaced_chunk", message, index))
        return found

    def result(self, *, walked: bool) -> PartChunks:
        """What goes into the report."""
        window = self.part.data_window
        return PartChunks(
            part_index=self.part.part_index,
            chunk_count=len(self.states),
            chunks_present=self.states.count(PRESENT),
            missing=describe_missing(self.states, window, lines_per_chunk(self.part), self.levels),
            packed_bytes=self.packed_bytes if walked else None,
        )


def _read_last_leader(walks: list[_PartWalk], read: Read) -> None:
    """Read the leader of the chunk with the highest offset: only a cut in that one escapes the table."""
    offset, number = max((w.last_offset(), number) for number, w in enumerate(walks))
    if offset:
        slots = (slot for slot, other in enumerate(walks[number].offsets) if other == offset)
        walks[number].read_leaders(read, islice(slots, 1))


_SlotInFile = tuple[int, int, _PartWalk]  # offset, slot, and the walk over its part
_SORTED_AT_ONCE = 1 << 13


def _in_file_order(walks: list[_PartWalk]) -> Iterator[_SlotInFile]:
    """The slots of all parts that have a chunk or a zero-filled leader, by their offsets.

    Sorted in pieces that are merged: a list of millions of tuples would take more memory than the file.
    """

    def in_order(w: _PartWalk, slots: array[int]) -> Iterator[_SlotInFile]:
        return ((w.offsets[slot], slot, w) for slot in slots)

    pieces = []
    for w in walks:
        for first in range(0, len(w.states), _SORTED_AT_ONCE):
            slots = range(first, min(first + _SORTED_AT_ONCE, len(w.states)))
            found = [slot for slot in slots if w.ends[slot] or w.states[slot] == ZERO_FILLED]
            found.sort(key=w.offsets.__getitem__)
            pieces.append(in_order(w, array("Q", found)))
    return merge(*pieces, key=itemgetter(0))


def _mark_overlaps_and_zero_tails(walks: list[_PartWalk], read: Read) -> None:
    """Chunks that begin inside another one are broken, and so is that one.

    Chunks whose end is zero-filled are looked for where a write may have stopped: the last one of the file, and each
    one before a zero-filled leader.
    """
    end = 0
    widest: tuple[int, _PartWalk] | None = None  # of the chunks so far, the one that ends last
    last: tuple[int, _PartWalk] | None = None
    for offset, slot, w in _in_file_order(walks):
        if not w.ends[slot]:  # a zero-filled leader
            if last is not None:
                _mark_zero_tail(*last, read)
            last = None
            continue
        if offset < end and widest is not None:
            w.states[slot] = BROKEN
            widest[1].states[widest[0]] = BROKEN
        last = slot, w
        if w.ends[slot] > end:
            end, widest = w.ends[slot], last
    if last is not None:
        _mark_zero_tail(*last, read)


def _mark_zero_tail(slot: int, w: _PartWalk, read: Read) -> None:
    """A zlib stream ends with an Adler-32, which is never 0 for pixels; other codecs are left alone."""
    if w.states[slot] != PRESENT or w.part.is_deep:
        return
    if w.part.value("compression", "compression") not in _ZLIB_COMPRESSIONS:
        return
    head = read(w.offsets[slot] + w.leader.size, 2)
    is_zlib = len(head) == 2 and head[0] & 15 == 8 and int.from_bytes(head, "big") % 31 == 0
    if is_zlib and read(w.ends[slot] - 4, 4) == b"\0\0\0\0":
        w.states[slot] = ZERO_FILLED

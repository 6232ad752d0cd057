"""Whether a file is whole: its offset table, and a walk over the leaders of its chunks, without decoding a pixel.

Source: "OpenEXR File Layout", sections Offset Tables and Chunk Layout. An entry of 0 is a chunk that was never
written; an entry or a chunk past the end is one that was cut off; the leader of a chunk says which one it is.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from sys import byteorder
from typing import NamedTuple

from .geometry import Level, chunk_counts, levels, lines_per_chunk, unpacked_bytes
from .header import Header, Limits, Part, Problem
from .missing import describe_missing

Read = Callable[[int, int], bytes]  # offset, length → the bytes there, fewer at the end of the file

# What was found out about each chunk; describe_missing() puts it into words.
NEVER_WRITTEN, PRESENT, CUT, ZERO_FILLED, BROKEN = range(5)

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

    Reads the offset table, and with `walk` the leader of each chunk (20 bytes or so a chunk). Without it a chunk
    counts as present when its offset is inside the file. Bit rot inside a chunk's data is not seen.
    """
    counts = chunk_counts(header.parts)
    known = [n for n in counts if n is not None]
    problems = _count_mismatches(header.parts, counts)
    if len(known) < len(counts) or sum(known) > limits.chunks:
        if len(known) == len(counts):
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
        chunks = _PartWalk(part, header.is_multipart, table[at : at + count], data_start, size, end_limit)
        chunks.walk(read) if walk else chunks.check_offsets()
        walks.append(chunks)
        at += count
    if walk:
        _mark_overlaps(walks)
        _mark_zero_tails(walks, read)
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


def _unknown_parts(counts: list[int | None]) -> tuple[PartChunks, ...]:
    return tuple(
        PartChunks(part_index=i, chunk_count=n, chunks_present=None, missing=None, packed_bytes=None)
        for i, n in enumerate(counts)
    )


def _absent_part(part: Part, count: int) -> PartChunks:
    return PartChunks(
        part_index=part.part_index, chunk_count=count, chunks_present=0, missing="all", packed_bytes=0
    )


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
    if CUT in states:
        return "truncated"
    return "incomplete" if states - {PRESENT} else "complete"


class _Chunk(NamedTuple):
    begin: int
    end: int
    walk: _PartWalk
    slot: int


class _PartWalk:
    """The walk over one part: a state for each slot of its offset table."""

    def __init__(
        self, part: Part, multipart: bool, offsets: array[int], data_start: int, size: int, end_limit: int
    ) -> None:
        self.part, self.offsets = part, offsets
        self.data_start, self.size, self.end_limit = data_start, size, end_limit
        self.states = bytearray(len(offsets))
        self.misplaced = 0  # entries that point to the chunk of another entry
        self.packed_bytes = 0
        self.levels = levels(part) if part.is_tiled else []
        self.chunks: list[_Chunk] = []
        self._multipart = multipart
        layout = "i" * multipart + ("iiii" if part.is_tiled else "i") + ("QQQ" if part.is_deep else "i")
        self._leader = Struct("<" + layout)
        self._slot_of = self._tile_slot() if part.is_tiled else self._line_slot()

    def check_offsets(self) -> None:
        """States from the offset table alone."""
        for slot, offset in enumerate(self.offsets):
            if offset:
                self.states[slot] = self._offset_state(offset)

    def _offset_state(self, offset: int) -> int:
        if offset < self.data_start or offset > self.end_limit:
            return BROKEN
        return CUT if offset + self._leader.size > self.size else PRESENT

    def walk(self, read: Read) -> None:
        """States from the offset table and the leader of each chunk."""
        displaced = []
        unpack, leader_size, states = self._leader.unpack, self._leader.size, self.states
        first, index, deep = int(self._multipart), self.part.part_index, self.part.is_deep
        for slot, offset in enumerate(self.offsets):
            if not offset:
                continue
            states[slot] = self._offset_state(offset)
            if states[slot] != PRESENT:
                continue
            leader = read(offset, leader_size)
            fields = unpack(leader) if len(leader) == leader_size else ()
            if not any(fields):
                states[slot] = ZERO_FILLED
                continue
            if first and fields[0] != index:
                states[slot] = BROKEN
                continue
            packed = fields[-3] + fields[-2] if deep else fields[-1]
            own_slot = self._slot_of(fields[first : -3 if deep else -1])
            if own_slot is None or packed <= 0:
                states[slot] = BROKEN
                continue
            chunk = _Chunk(offset, offset + leader_size + packed, self, own_slot)
            if own_slot != slot:
                states[slot] = NEVER_WRITTEN
                displaced.append(chunk)
            else:
                self._add(chunk)
        for chunk in displaced:
            if self.offsets[chunk.slot] or states[chunk.slot] != NEVER_WRITTEN:
                self.misplaced += 1
            else:
                self._add(chunk)

    def _add(self, chunk: _Chunk) -> None:
        self.states[chunk.slot] = CUT if chunk.end > self.size else PRESENT
        self.packed_bytes += min(chunk.end, self.size) - chunk.begin - self._leader.size
        self.chunks.append(chunk)

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


def _in_file_order(walks: list[_PartWalk]) -> list[_Chunk]:
    chunks = [chunk for w in walks for chunk in w.chunks]
    chunks.sort(key=_Chunk.begin.__get__)  # type: ignore[attr-defined]
    return chunks


def _mark_overlaps(walks: list[_PartWalk]) -> None:
    """Chunks that begin inside another one are broken, and so is that one."""
    before: _Chunk | None = None
    for chunk in _in_file_order(walks):
        if before is not None and chunk.begin < before.end:
            for one in (before, chunk):
                one.walk.states[one.slot] = BROKEN
        if before is None or chunk.end > before.end:
            before = chunk


def _mark_zero_tails(walks: list[_PartWalk], read: Read) -> None:
    """Chunks whose end is zero-filled: the last one of the file, and each one before a zero-filled leader.

    A zlib stream ends with an Adler-32, which is never 0 for pixels; other codecs are left alone.
    """
    chunks = _in_file_order(walks)
    if not chunks:
        return
    suspects = {len(chunks) - 1}
    begins = [chunk.begin for chunk in chunks]
    for w in walks:
        if ZERO_FILLED in w.states:
            for slot, state in enumerate(w.states):
                if state == ZERO_FILLED:
                    suspects.add(bisect_right(begins, w.offsets[slot]) - 1)
    for number in suspects:
        chunk = chunks[number]
        w = chunk.walk
        if number < 0 or w.states[chunk.slot] != PRESENT or w.part.is_deep:
            continue
        if w.part.value("compression", "compression") not in _ZLIB_COMPRESSIONS:
            continue
        head = read(chunk.begin + w._leader.size, 2)
        is_zlib = len(head) == 2 and head[0] & 15 == 8 and int.from_bytes(head, "big") % 31 == 0
        if is_zlib and read(chunk.end - 4, 4) == b"\0\0\0\0":
            w.states[chunk.slot] = ZERO_FILLED

"""Completeness of a file: which chunks are present, without decoding pixels.

Source: "OpenEXR File Layout", sections Offset Tables and Chunk Layout.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from .geometry import chunk_counts
from .header import Header, Limits
from .leaders import BROKEN, CUT, CUT_OFF, NEVER_WRITTEN, PRESENT, PartLeaders, Read
from .locate import check_all, read_table
from .missing import describe_missing
from .part import PART_TYPES, Part
from .problems import Problem
from .recovery import starts_with_a_chunk
from .sampling import SAMPLES, Prefetch, check_last_leader, check_sample

ChunkCheck = Literal["table", "sample", "all"]  # which leaders are read
ChunkOption = Literal["auto", "table", "sample", "all"]  # auto: depends on the storage
CHUNK_OPTIONS: dict[ChunkOption, str] = {
    "all": "the leader and the first bytes of every chunk",
    "sample": "the offset table, the leader of the last chunk, 16 others at equal distances, and up to 12 beside gaps "
    "between chunks: at most 32 reads",
    "table": "the offset table and the leader of the last chunk",
    "auto": "all on local disks, sample on network file systems, table on object stores",
}

# Of the states of chunks, BROKEN ones only count as absent.
_BROKEN_ONLY = bytes(NEVER_WRITTEN if state == BROKEN else PRESENT for state in range(256))


@dataclass(frozen=True, slots=True, kw_only=True)
class PartChunks:
    """The chunks of one part. Where leaders were not read, `packed_bytes` is what the offsets leave room for."""

    part_index: int
    chunk_count: int | None
    chunks_present: int | None
    missing: str | None  # for people: "lines 540-1079", "tiles (3,2) level 0", "all"
    packed_bytes: int | None  # None if the chunks were not checked


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkReport:
    """Completeness of a file (complete, incomplete, truncated, corrupt or unknown), chunks by part, and problems."""

    completeness: str
    chunks_checked: int  # chunks whose leader was read
    parts: tuple[PartChunks, ...]
    problems: tuple[Problem, ...]
    chunk_hash: str | None = None  # SHA-256 of offset table and chunk states, None where the table was not read

    @property
    def chunk_count(self) -> int | None:
        """Chunks of the whole file, None where the count of a part is unknown."""
        return _sum([part.chunk_count for part in self.parts])

    @property
    def chunks_present(self) -> int | None:
        """Chunks that are complete, None where that is unknown for a part."""
        return _sum([part.chunks_present for part in self.parts])

    @property
    def missing(self) -> str | None:
        """Missing lines or tiles, for people; None where no chunk is missing."""
        descriptions = [(part.part_index, part.missing) for part in self.parts if part.missing]
        if not descriptions:
            return None
        if len(self.parts) == 1:
            return descriptions[0][1]
        return "; ".join(f"part {index}: {missing}" for index, missing in descriptions)


def _sum(numbers: list[int | None]) -> int | None:
    known = [n for n in numbers if n is not None]
    return sum(known) if len(known) == len(numbers) else None


def read_chunks(
    header: Header,
    read: Read,
    size: int,
    *,
    check: ChunkCheck = "all",
    prefetch: Prefetch = lambda _offset, _length: None,
    limits: Limits = Limits(),  # noqa: B008 (frozen)
) -> ChunkReport:
    """Completeness of a file of `size` bytes, and its chunks by part.

    Reads the offset table and leaders, with the first bytes of the data. With `all`, those of all chunks; chunks
    without an entry in the table are found by their leaders. With `table`, only that of the last chunk in the file: a
    cut leaves all chunks before that one whole. With `sample`, also 16 at equal distances and up to 12 beside gaps
    between chunks; these reads are announced to `prefetch`. Changed bytes inside the data of a chunk are not detected.
    """
    counts = chunk_counts(header.parts)
    known = [n for n in counts if n is not None]
    problems = _count_mismatches(header.parts, counts)
    if len(known) < len(counts):
        uncounted = [part for part, count in zip(header.parts, counts, strict=True) if count is None]
        completeness = "unknown" if all(map(_has_unknown_codes, uncounted)) else "corrupt"
        return ChunkReport(
            completeness=completeness, chunks_checked=0, parts=_unknown_parts(counts), problems=tuple(problems)
        )
    data_start = header.header_bytes + 8 * sum(known)
    if size < data_start:
        message = f"the offset table should end at byte {data_start}, but the file ends at byte {size}"
        problems.append(Problem("offset_table_cut", message, byte_offset=header.header_bytes))
        absent = tuple(_absent_part(part, n) for part, n in zip(header.parts, known, strict=True))
        return ChunkReport(completeness="truncated", chunks_checked=0, parts=absent, problems=tuple(problems))
    if sum(known) > limits.chunks:
        message = f"the file has {sum(known)} chunks; at most {limits.chunks} are checked"
        problems.append(Problem("too_many_chunks", message))
        return ChunkReport(
            completeness="unknown", chunks_checked=0, parts=_unknown_parts(counts), problems=tuple(problems)
        )
    offset_table = read_table(header, known, read, size)
    raw_table, table, parts = offset_table
    if check == "all" or (check == "sample" and len(table) <= SAMPLES):
        check_all(offset_table, read)
    elif any(table):
        if check == "sample":
            check_sample(parts, table, read, prefetch)
        else:
            check_last_leader(parts, table, read)
    elif starts_with_a_chunk(parts, read):
        message = "the offset table was never written; its chunks are not counted, as that needs a read for each chunk"
        problems.append(Problem("offset_table_unwritten", message, byte_offset=header.header_bytes))
        return ChunkReport(
            completeness="unknown",
            chunks_checked=0,
            parts=_unknown_parts(counts),
            problems=tuple(problems),
            chunk_hash=_chunk_hash(raw_table, parts),
        )
    return ChunkReport(
        completeness=_completeness(parts),
        chunks_checked=sum(leaders.checked for leaders in parts),
        parts=tuple(map(_part_chunks, parts)),
        problems=tuple(problems + [problem for leaders in parts for problem in _chunk_problems(leaders)]),
        chunk_hash=_chunk_hash(raw_table, parts),
    )


def _count_mismatches(parts: tuple[Part, ...], counts: list[int | None]) -> list[Problem]:
    problems = []
    for part, count in zip(parts, counts, strict=True):
        stored = part.value("chunkCount", "int")
        if stored is not None and count is not None and stored != count:
            message = f"chunkCount is {stored}, but data window and compression give {count} chunks"
            problems.append(Problem("chunk_count_mismatch", message, part.part_index, "chunkCount"))
    return problems


def _has_unknown_codes(part: Part) -> bool:
    """Whether chunks cannot be counted because the part type or compression is unknown, not because it is missing."""
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


def _chunk_hash(table: bytes, parts: list[PartLeaders]) -> str:
    digest = sha256(table)
    for leaders in parts:
        digest.update(leaders.states)
    return digest.hexdigest()


def _completeness(parts: list[PartLeaders]) -> str:
    states = {state for part in parts for state in set(part.states)}
    if BROKEN in states or any(part.misplaced or part.wrong_entries for part in parts):
        return "corrupt"
    writer_was_killed = any(part.recovered for part in parts)
    if CUT_OFF in states or (CUT in states and not writer_was_killed):
        return "truncated"
    return "incomplete" if states - {PRESENT} else "complete"


def _chunk_problems(leaders: PartLeaders) -> list[Problem]:
    """At most one problem for each kind of damage to the chunks of a part."""
    problems, index = [], leaders.part.part_index
    broken = leaders.states.count(BROKEN)
    count = broken + leaders.wrong_entries
    if count:
        subject = "1 chunk has" if count == 1 else f"{count} chunks have"
        where = f": {_described(leaders, leaders.states.translate(_BROKEN_ONLY))}" if broken else ""
        message = f"{subject} an invalid offset, leader or size, or overlap others{where}"
        at = min(leaders.offsets[leaders.states.index(BROKEN)], (1 << 63) - 1) if broken else None
        problems.append(Problem("bad_chunk", message, index, byte_offset=at))
    if leaders.misplaced:
        message = f"{leaders.misplaced} entries of the offset table point to the chunk of another entry"
        problems.append(Problem("misplaced_chunk", message, index))
    unwritten = leaders.recovered - leaders.wrong_entries
    if unwritten:
        subject = (
            "1 chunk without an entry in the offset table was"
            if unwritten == 1
            else (f"{unwritten} chunks without an entry in the offset table were")
        )
        problems.append(Problem("offset_table_unwritten", f"{subject} found by the leaders of chunks", index))
    return problems


def _described(leaders: PartLeaders, states: bytes | bytearray) -> str | None:
    return describe_missing(states, leaders.part.data_window, leaders.layout.lines, leaders.layout.levels)


def _part_chunks(leaders: PartLeaders) -> PartChunks:
    part = leaders.part
    return PartChunks(
        part_index=part.part_index,
        chunk_count=len(leaders.states),
        chunks_present=leaders.states.count(PRESENT),
        missing=_described(leaders, leaders.states),
        packed_bytes=leaders.packed_bytes,
    )

"""Chunks that the offset table does not list, found by their leaders as libraries do.

A writer writes the offset table last: if it is killed, the table stays zero and the chunks follow it without gaps.
"""

from __future__ import annotations

from .leaders import PartLeaders, Read
from .overlaps import in_file_order


def find_unlisted_chunks(parts: list[PartLeaders], read: Read) -> None:
    """Add the unlisted chunks that follow the offset table or a listed chunk without a gap.

    Reads at most one leader for each unlisted chunk and each gap between listed chunks.
    """
    if not any(part.unlisted for part in parts):
        return
    at = parts[0].data_start
    for offset, slot, part in in_file_order(parts):
        if at < offset:
            _add_chunks_between(parts, read, at, offset)
        at = max(at, part.ends[slot] or offset)
    _add_chunks_between(parts, read, at, parts[0].size)


def starts_with_a_chunk(parts: list[PartLeaders], read: Read) -> bool:
    """Whether a chunk follows the offset table."""
    return _read_leader(parts, read, parts[0].data_start) is not None


def _add_chunks_between(parts: list[PartLeaders], read: Read, begin: int, end: int) -> None:
    at = begin
    while at < end and any(part.unlisted for part in parts):
        chunk = _read_leader(parts, read, at)
        if chunk is None:
            return
        part, slot, packed = chunk
        next_at = at + part.leader.size + packed
        if not part.is_unlisted(slot) or (next_at > end and end < part.size):
            return
        part.add_unlisted(slot, at, packed)
        at = next_at


def _read_leader(parts: list[PartLeaders], read: Read, at: int) -> tuple[PartLeaders, int, int] | None:
    """Part, slot and packed size of the chunk at an offset; None if its leader is invalid."""
    leader = read(at, max(part.leader.size for part in parts))
    index = int.from_bytes(leader[:4], "little") if len(parts) > 1 else 0
    if index >= len(parts) or len(leader) < parts[index].leader.size:
        return None
    part = parts[index]
    slot, packed = part.parse(leader[: part.leader.size])
    return None if slot is None else (part, slot, packed)

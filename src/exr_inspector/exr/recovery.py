"""Chunks that the offset table does not list, found by their leaders as libraries do.

A writer writes the offset table last: if it is killed, the table stays zero and the chunks follow it without gaps.
"""

from __future__ import annotations

from array import array

from .leaders import PartLeaders, Read
from .overlaps import in_file_order


def find_unlisted_chunks(parts: list[PartLeaders], table: array[int], read: Read) -> None:
    """Add the unlisted chunks that follow the offset table or a listed chunk without a gap.

    Reads at most one leader for each unlisted chunk and each gap between listed chunks.
    """
    left = sum(part.unlisted for part in parts)
    if not left:
        return
    longest = _longest_head(parts)
    at = parts[0].data_start
    for offset, slot, part in in_file_order(parts, table):
        if at < offset:
            left -= _add_chunks_between(parts, read, longest, left, at, offset)
        at = max(at, part.ends[slot] or offset)
    _add_chunks_between(parts, read, longest, left, at, parts[0].size)


def starts_with_a_chunk(parts: list[PartLeaders], read: Read) -> bool:
    """Whether a chunk follows the offset table."""
    return _read_leader(parts, read, _longest_head(parts), parts[0].data_start) is not None


def _longest_head(parts: list[PartLeaders]) -> int:
    return max(part.head_bytes for part in parts)


def _add_chunks_between(parts: list[PartLeaders], read: Read, longest: int, left: int, begin: int, end: int) -> int:
    """Add at most `left` unlisted chunks; returns the number of added ones."""
    at, added = begin, 0
    while at < end and added < left:
        chunk = _read_leader(parts, read, longest, at)
        if chunk is None:
            break
        part, slot, packed, data = chunk
        next_at = at + part.leader.size + packed
        if not part.is_unlisted(slot) or (next_at > end and end < part.size):
            break
        part.add_unlisted(slot, at, packed, data)
        added += 1
        at = next_at
    return added


def _read_leader(
    parts: list[PartLeaders], read: Read, longest: int, at: int
) -> tuple[PartLeaders, int, int, bytes] | None:
    """Part, slot, packed size and first bytes of the chunk at an offset; None if its leader is invalid."""
    data = read(at, min(longest, parts[0].size - at))
    index = int.from_bytes(data[:4], "little") if len(parts) > 1 else 0
    if index >= len(parts) or len(data) < parts[index].leader.size:
        return None
    part = parts[index]
    slot, packed = part.parse(data[: part.leader.size])
    return None if slot is None else (part, slot, packed, data)

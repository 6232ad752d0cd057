"""Chunks whose leader is valid, but whose data is zero-filled: ends that were never written, and holes."""

from __future__ import annotations

from array import array

from .leaders import PRESENT, ZERO_FILLED, PartLeaders, Read, chunk_of

SAMPLES = 16  # chunks at equal distances
HEAD_BYTES, TAIL_BYTES, _ADLER_BYTES = 4096, 64, 4
_ZLIB_COMPRESSIONS = ("ZIP", "ZIPS", "PXR24")


def is_zero(data: bytes) -> bool:
    """Whether all bytes are zero."""
    return data == bytes(len(data))


def spread(order: array[int]) -> list[int]:
    """The last of these numbers, and 16 at equal distances from the first."""
    last = len(order) - 1
    if last <= SAMPLES:
        return list(order)
    return [order[position] for position in sorted({last, *(n * last // SAMPLES for n in range(SAMPLES))})]


def mark_zero_fill(parts: list[PartLeaders], order: array[int], read: Read) -> None:
    """Mark chunks with zero-filled data: the begin of a sample of them is checked, and the end of the last one.

    `order` has the numbers of the chunks by offset. The begin is read together with the leader.
    """
    if not order:
        return
    for number in spread(order):
        _mark_zero_head(*chunk_of(parts, number), read)
    mark_zero_tail(*chunk_of(parts, order[-1]), read)


def _mark_zero_head(part: PartLeaders, slot: int, read: Read) -> None:
    if part.states[slot] != PRESENT or not part.layout.zeros_are_damage:
        return
    leader_bytes, offset = part.leader.size, part.offsets[slot]
    data = read(offset, min(leader_bytes + HEAD_BYTES, part.ends[slot] - offset))
    if is_zero(data[leader_bytes:]) and _is_smaller_than_its_pixels(part, slot):
        part.states[slot] = ZERO_FILLED


def mark_zero_tail(part: PartLeaders, slot: int, read: Read) -> None:
    """Mark a chunk whose last bytes are zero; those of a zlib stream are its checksum, by chance 0 in one of 2³²."""
    if part.states[slot] != PRESENT or not part.layout.zeros_are_damage:
        return
    end = part.ends[slot]
    packed = end - part.offsets[slot] - part.leader.size
    length = min(packed, _ADLER_BYTES if part.layout.compression in _ZLIB_COMPRESSIONS else TAIL_BYTES)
    if is_zero(read(end - length, length)) and _is_smaller_than_its_pixels(part, slot):
        part.states[slot] = ZERO_FILLED


def _is_smaller_than_its_pixels(part: PartLeaders, slot: int) -> bool:
    """Whether the chunk is compressed; chunks that compression does not make smaller are stored as they are."""
    packed = part.ends[slot] - part.offsets[slot] - part.leader.size
    return 0 < packed < part.layout.size_range(slot)[1]

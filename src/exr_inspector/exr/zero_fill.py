"""Zero-filled data of chunks: ends that were never written, and holes.

Compressed data neither begins with 8 zero bytes, or 48 of DWA, nor ends with zeros. It begins with the header of a zlib
or ZSTD stream or of HTJ2K, which is not zero, with a version and sizes (DWA), with a run of 3 or more bytes (RLE), with
the least value and the largest one or their bits (PIZ), or with a block whose first value is above 0x03ff (B44).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .layout import ChunkLayout

TAIL_BYTES, _ADLER_BYTES = 64, 4
_ZLIB_COMPRESSIONS = ("ZIP", "ZIPS", "PXR24")


def is_zero(data: bytes) -> bool:
    """Whether all bytes are zero."""
    return data == bytes(len(data))


def begins_with_zeros(layout: ChunkLayout, slot: int, data: bytes) -> bool:
    """Whether the data of a chunk, or the sample table of a deep one, begins with zeros.

    `data` is its leader with the bytes that follow it. What is not in these bytes is not checked.
    """
    at, sizes = layout.leader.size, layout.sizes_in(data)
    samples = at + sizes[0] if layout.is_deep else at
    if data[at : at + 1] != b"\0" and data[samples : samples + 1] != b"\0":  # almost always
        return False
    for begin, end in _packed_ranges(layout, slot, sizes):
        length = min(end - begin, layout.data_head_bytes)
        head = data[at + begin : at + begin + length]
        if len(head) == length and is_zero(head):
            return True
    return False


def ends_with_zeros(layout: ChunkLayout, slot: int, sizes: Sequence[int], read_end: Callable[[int], bytes]) -> bool:
    """Whether a chunk with these sizes in its leader ends with zeros; `read_end` returns its last bytes.

    The last bytes of a zlib stream are its checksum, by chance 0 in one of 2³².
    """
    ranges = _packed_ranges(layout, slot, sizes)
    if not ranges or ranges[-1][1] < sum(sizes[:2]):  # of a deep chunk, data that is not compressed
        return False
    begin, end = ranges[-1]
    return is_zero(read_end(min(end - begin, _ADLER_BYTES if layout.compression in _ZLIB_COMPRESSIONS else TAIL_BYTES)))


def _packed_ranges(layout: ChunkLayout, slot: int, sizes: Sequence[int]) -> list[tuple[int, int]]:
    """Begin and end, behind the leader, of compressed data: that of a flat chunk, or table and samples of a deep one.

    Data that compression does not make smaller is stored as it is.
    """
    if not layout.zeros_are_damage:
        return []
    first, unpacked = sizes[0], layout.size_range(slot)[1]
    ranges = [(0, first)] if 0 < first < unpacked else []
    if layout.is_deep:
        packed, unpacked = sizes[1:]
        ranges += [(first, first + packed)] if 0 < packed < unpacked else []
    return ranges

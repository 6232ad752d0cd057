"""Chunk geometry of a part: lines per chunk, mip and rip levels, tiles, and sizes before compression.

Source: "OpenEXR File Layout", sections Chunk Layout, Levels and Tiles; the lines per chunk of the codes from
HTJ2K256 on were measured on files written by OpenEXR 3.5.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from .channels import SAMPLE_BYTES, samples_along
from .part import Part

LINES_PER_CHUNK = {
    "NONE": 1,
    "RLE": 1,
    "ZIPS": 1,
    "ZIP": 16,
    "PIZ": 32,
    "PXR24": 16,
    "B44": 32,
    "B44A": 32,
    "DWAA": 32,
    "DWAB": 256,
    "HTJ2K256": 256,
    "HTJ2K32": 32,
    "LJ2K": 256,
    "ZSTD": 1,
}
_SAMPLE_COUNT_BYTES = 4  # of each pixel of a deep part
_MAX_SAMPLINGS = 16  # different y samplings for which chunk sizes are computed; bounds the work for each chunk


class Level(NamedTuple):
    """One resolution level of a tiled part: level numbers, size in pixels, and number of tiles."""

    level_x: int
    level_y: int
    width: int
    height: int
    tiles_x: int
    tiles_y: int


def levels(part: Part) -> list[Level]:
    """The levels of a tiled part in the order of the offset table; empty where the header does not define them.

    Each level is half the size of the previous level, at least 1. Sizes are scaled, window positions are not.
    """
    window, tiles = part.data_window, part.tiles
    if window is None or tiles is None or 0 in (tiles.xSize, tiles.ySize):
        return []
    width, height = window.xMax - window.xMin + 1, window.yMax - window.yMin + 1
    if width < 1 or height < 1 or tiles.roundingMode is None:
        return []
    round_up = tiles.roundingMode == "ROUND_UP"

    def count(size: int) -> int:
        return (size - 1).bit_length() + 1 if round_up else size.bit_length()

    def size_at(size: int, level: int) -> int:
        return max((size + (1 << level) - 1 if round_up else size) >> level, 1)

    if tiles.levelMode == "ONE_LEVEL":
        numbers = [(0, 0)]
    elif tiles.levelMode == "MIPMAP_LEVELS":
        numbers = [(n, n) for n in range(count(max(width, height)))]
    elif tiles.levelMode == "RIPMAP_LEVELS":
        numbers = [(x, y) for y in range(count(height)) for x in range(count(width))]
    else:
        return []
    result = []
    for x, y in numbers:
        w, h = size_at(width, x), size_at(height, y)
        result.append(Level(x, y, w, h, -(-w // tiles.xSize), -(-h // tiles.ySize)))
    return result


def lines_per_chunk(part: Part) -> int | None:
    """Scan lines per chunk of a scan line part, None for an unknown compression."""
    return LINES_PER_CHUNK.get(part.value("compression", "compression"))


def chunk_count(part: Part) -> int | None:
    """Number of chunks of the whole part, None where the header does not define it."""
    if part.is_tiled:
        return sum(level.tiles_x * level.tiles_y for level in levels(part)) or _stored_count(part)
    window, lines = part.data_window, lines_per_chunk(part)
    if window is None or lines is None or window.yMax < window.yMin or part.part_type is None:
        return _stored_count(part)
    if part.part_type not in ("scanlineimage", "deepscanline"):
        return _stored_count(part)
    return -(-(window.yMax - window.yMin + 1) // lines)


def _stored_count(part: Part) -> int | None:
    count = part.value("chunkCount", "int")
    return count if count is not None and count > 0 else None


def chunk_counts(parts: tuple[Part, ...]) -> list[int | None]:
    """The chunk count of each part."""
    return [chunk_count(part) for part in parts]


def chunk_sizes(part: Part, part_levels: Sequence[Level]) -> Callable[[int], int] | None:
    """A function from slot to the bytes of that chunk before compression; for deep parts, of its sample table.

    None where the header does not define sizes: unknown compressions or pixel types, invalid sampling.
    """
    samplings = {(c.x_sampling, c.y_sampling) for c in part.channels}
    unknown_type = any(c.channel_type is None for c in part.channels)
    if not samplings or unknown_type or min(map(min, samplings)) < 1 or lines_per_chunk(part) is None:
        return None
    if (part.is_tiled or part.is_deep) and samplings != {(1, 1)}:
        return None
    return _tile_sizes(part, part_levels) if part.is_tiled else _line_sizes(part)


def _pixel_bytes(part: Part) -> int:
    """Bytes of a pixel without subsampling; in a deep part, of its sample count."""
    return _SAMPLE_COUNT_BYTES if part.is_deep else sum(SAMPLE_BYTES[c.channel_type or ""] for c in part.channels)


def _line_sizes(part: Part) -> Callable[[int], int] | None:
    window, lines = part.data_window, lines_per_chunk(part)
    if window is None or lines is None:
        return None
    line_bytes: Counter[int] = Counter()  # by y sampling
    if part.is_deep:
        line_bytes[1] = _SAMPLE_COUNT_BYTES * samples_along(window.xMin, window.xMax, 1)
    else:
        for channel in part.channels:
            samples = samples_along(window.xMin, window.xMax, channel.x_sampling)
            line_bytes[channel.y_sampling] += SAMPLE_BYTES[channel.channel_type or ""] * samples
    if len(line_bytes) > _MAX_SAMPLINGS:
        return None
    y_min, y_max, pairs = window.yMin, window.yMax, tuple(line_bytes.items())

    def size(slot: int) -> int:
        first = y_min + slot * lines
        last = min(first + lines - 1, y_max)
        return sum(n * samples_along(first, last, y_sampling) for y_sampling, n in pairs)

    return size


def _tile_sizes(part: Part, part_levels: Sequence[Level]) -> Callable[[int], int] | None:
    tiles = part.tiles
    if tiles is None or not part_levels:
        return None
    pixel, width, height = _pixel_bytes(part), tiles.xSize, tiles.ySize
    first_slots, total = [], 0
    for level in part_levels:
        first_slots.append(total)
        total += level.tiles_x * level.tiles_y

    def size(slot: int) -> int:
        number = bisect_right(first_slots, slot) - 1
        level = part_levels[number]
        y, x = divmod(slot - first_slots[number], level.tiles_x)
        return pixel * min(width, level.width - x * width) * min(height, level.height - y * height)

    return size

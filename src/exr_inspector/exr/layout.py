"""The layout of a part's chunks: leader, coordinates and valid sizes of the chunk of each slot of the offset table.

A leader is the fixed-size header of a chunk: part number, coordinates and packed sizes.
Source: "OpenEXR File Layout", section Chunk Layout.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from functools import cached_property
from itertools import chain, repeat
from struct import Struct

from .cache import Cache
from .geometry import Level, chunk_sizes, levels, lines_per_chunk
from .part import Part

# Bytes of packed data that are read with the leader; a multiple of the 4 bytes of a leader's fields. DWA begins with
# its version, which may be 0, and sizes, of which one in 48 bytes is not.
_HEAD_BYTES, _DWA_HEAD_BYTES = 8, 48
_MAX_TABLE = 64 << 10  # bytes of a deep chunk's sample table, read with the leader to reach the data behind it
_DEEP_COMPRESSIONS = ("RLE", "ZIPS", "ZIP", "ZSTD")
# The most bytes before compression for each packed byte. ZIP: deflate packs at most 258 bytes in 2 bits ("zlib
# Technical Details"). PXR24: the same, of the 3 bytes that it keeps of the 4 of a FLOAT. RLE: runs of 128 bytes in 2.
# B44A: blocks of 32 bytes in 3. The others have no useful limit.
_MAX_RATIOS = {"ZIP": 1032, "ZIPS": 1032, "PXR24": 1376, "RLE": 64, "B44A": 11}
_MAX_SIZE, _MAX_LINE = (1 << 63) - 1, (1 << 31) - 1
_MAX_COLUMN = 1 << 16  # slots; bounds the memory
_CHANNEL_BYTES, _SLOT_BYTES = 200, 32  # estimates of the memory in a kept layout


class ChunkLayout:
    """How the chunks of a part are stored; parts with equal windows, tiles, channels and compression share one."""

    def __init__(self, part: Part, multipart: bool, count: int) -> None:
        self.count, self.is_deep, self.multipart = count, part.is_deep, multipart
        self.has_columns = count <= _MAX_COLUMN
        self.channel_count = len(part.channels)
        self.levels = levels(part) if part.is_tiled else []
        self.lines = lines_per_chunk(part)
        self.compression: str | None = part.value("compression", "compression")
        self._first_line = part.data_window.yMin if part.data_window is not None else None
        fields = "i" * multipart + ("iiii" if part.is_tiled else "i") + ("QQQ" if part.is_deep else "i")
        self.leader = Struct("<" + fields)
        self._is_tiled = part.is_tiled
        self._has_equal_chunks = not part.is_tiled and all(c.y_sampling == 1 for c in part.channels)  # but the last one
        self._slot_of = self._tile_slot() if part.is_tiled else self._line_slot
        self._size_of = chunk_sizes(part, self.levels)
        # In tiles at the edges, the library writes an uncompressed sample table with the size of a whole tile.
        self._largest_raw_table = (
            4 * part.tiles.xSize * part.tiles.ySize if part.is_deep and part.is_tiled and part.tiles else 0
        )
        self.zeros_are_damage = self._size_of is not None and _has_no_zero_runs(part)
        self.data_head_bytes = _DWA_HEAD_BYTES if self.compression in ("DWAA", "DWAB") else _HEAD_BYTES
        self.head_bytes = self.leader.size + self.data_head_bytes  # read of each chunk
        if self.is_deep and self.zeros_are_damage and self._size_of is not None:
            self.head_bytes += min(self._size_of(0), _MAX_TABLE)

    def parse(self, leader: bytes, part_index: int) -> tuple[int | None, int]:
        """Slot and packed size of a chunk; the slot is None if part number, coordinates or sizes are invalid."""
        fields = self.leader.unpack(leader)
        if self.multipart:
            if fields[0] != part_index:
                return None, 0
            fields = fields[1:]
        if not self.is_deep:
            slot, packed = self._slot_of(fields[:-1]), fields[-1]
            return (slot, packed) if slot is not None and self._size_is_valid(slot, packed) else (None, 0)
        slot, (table, packed, unpacked) = self._slot_of(fields[:-3]), fields[-3:]
        smallest = unpacked if self.compression == "NONE" else self._fewest_bytes(unpacked)
        if slot is None or not smallest <= packed <= unpacked or not self._size_is_valid(slot, table):
            return None, 0
        return slot, table + packed

    def sizes_in(self, leader: bytes) -> tuple[int, ...]:
        """The sizes in a leader: that of the packed data; of a deep chunk, of table, packed and unpacked data."""
        fields: tuple[int, ...] = self.leader.unpack_from(leader)
        return fields[-3:] if self.is_deep else fields[-1:]

    def _size_is_valid(self, slot: int, packed: int) -> bool:
        smallest, largest = self.size_range(slot)
        if self.compression == "NONE" and self._size_of is not None:
            return packed in (smallest, largest)
        return smallest <= packed <= largest

    def size_range(self, slot: int) -> tuple[int, int]:
        """The fewest and the most bytes of a chunk after its leader; of a deep chunk, of its sample table."""
        if self._has_equal_chunks and slot < self.count - 1:
            return self._equal_range
        return (self.sizes[0][slot], self.sizes[1][slot]) if self.has_columns else self._range_of(slot)

    @cached_property
    def _equal_range(self) -> tuple[int, int]:
        return self._range_of(0)

    def _range_of(self, slot: int) -> tuple[int, int]:
        if self._size_of is None:
            return 1, _MAX_SIZE
        unpacked = min(self._size_of(slot), _MAX_SIZE)  # hostile windows exceed 64 bits
        if self.compression == "NONE":
            return unpacked, max(unpacked, min(self._largest_raw_table, _MAX_SIZE))
        return self._fewest_bytes(unpacked), unpacked

    def _fewest_bytes(self, unpacked: int) -> int:
        """The fewest bytes to which data can be packed: none if subsampling leaves lines without samples."""
        ratio = _MAX_RATIOS.get(self.compression or "")
        return min(unpacked, 1) if ratio is None else -(-unpacked // ratio)

    @cached_property
    def coordinates(self) -> tuple[array[int], ...]:
        """The coordinates in the leaders by slot, a column for each field; none where the header has no window."""
        if self._is_tiled:
            tiles = [
                (x, y, level.level_x, level.level_y)
                for level in self.levels
                for y in range(level.tiles_y)
                for x in range(level.tiles_x)
            ]
            return tuple(array("i", column) for column in zip(*tiles, strict=True))
        if self._first_line is None or self.lines is None:
            return ()
        lines = range(self._first_line, self._first_line + self.count * self.lines, self.lines)
        return (array("i", lines),) if lines[-1] <= _MAX_LINE else ()

    @property
    def smallest(self) -> Iterable[int]:
        """The fewest bytes after the leader, by slot."""
        return self.sizes[0] if self.has_columns else (smallest for smallest, _ in self._size_ranges())

    @property
    def largest(self) -> Iterable[int]:
        """The most bytes after the leader, by slot."""
        if self.is_deep:
            return repeat(_MAX_SIZE, self.count)
        return self.sizes[1] if self.has_columns else (largest for _, largest in self._size_ranges())

    @cached_property
    def sizes(self) -> tuple[array[int], array[int]]:
        """The size ranges by slot: a column of the fewest, and a column of the most bytes."""
        smallest, largest = zip(*self._size_ranges(), strict=True)
        return array("q", smallest), array("q", largest)

    def _size_ranges(self) -> Iterable[tuple[int, int]]:
        """The size ranges by slot."""
        if self._has_equal_chunks:
            return chain(repeat(self._equal_range, self.count - 1), [self._range_of(self.count - 1)])
        return map(self._range_of, range(self.count))

    def _line_slot(self, coordinates: tuple[int, ...]) -> int | None:
        if self._first_line is None or self.lines is None:
            return None
        number, rest = divmod(coordinates[0] - self._first_line, self.lines)
        return number if not rest and 0 <= number < self.count else None

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


def _has_no_zero_runs(part: Part) -> bool:
    """Whether packed data has no long runs of zeros; B44 stores types other than HALF as they are."""
    compression = part.value("compression", "compression")
    if compression in ("B44", "B44A"):
        return all(channel.channel_type == "HALF" for channel in part.channels)
    return compression in _DEEP_COMPRESSIONS if part.is_deep else compression != "NONE"


def _memory_of(_key: tuple[object, ...], layout: ChunkLayout) -> int:
    return 4096 + _CHANNEL_BYTES * layout.channel_count + _SLOT_BYTES * layout.count


# Frames of a sequence, and parts of a file, mostly have the same windows and channels.
_KEPT: Cache[tuple[object, ...], ChunkLayout] = Cache(4 << 20, _memory_of)


def layout_of(part: Part, multipart: bool, count: int) -> ChunkLayout:
    """The layout of a part with `count` chunks."""
    compression, channels = part.value("compression", "compression"), part.channels
    key = (multipart, count, part.part_type, compression, part.data_window, part.tiles, channels)
    layout = _KEPT.get(key)
    if layout is None:
        layout = ChunkLayout(part, multipart, count)
        _KEPT.put(key, layout)
    return layout

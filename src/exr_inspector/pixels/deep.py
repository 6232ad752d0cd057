"""Decodes deep parts chunk by chunk, in memory that does not depend on the size of the image.

The sample table of a deep chunk, and its samples, are packed like the pixels of one line of a flat part: each is
decoded as a flat EXR file of one line, with the compression of the part.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..exr import Channel
from ..exr.attributes import Box2i
from ..exr.channels import SAMPLE_BYTES
from ..exr.geometry import chunk_sizes
from ..exr.leaders import Read
from ..exr.locate import LocatedPart
from ..exr.writer import NewPart, file_pieces, flat_chunk, required_values
from .cuts import MAX_RUN_CHUNKS, RAISE_LIMIT, NotDecodableError, check_channels, chunk_too_large
from .decode import UNDECODABLE, BandError, decode_flat, require_memory
from .fetch import MISSING, Chunk, ChunkFault, fetch_chunks
from .model import PixelLimits

_COMPRESSIONS = ("NONE", "RLE", "ZIPS", "ZSTD")  # the library writes no others
_DTYPES: dict[str, np.dtype[Any]] = {"HALF": np.dtype("<f2"), "FLOAT": np.dtype("<f4"), "UINT": np.dtype("<u4")}
_TABLE = (Channel("counts", "UINT", 1, 1, 0),)
_BYTES = (Channel("bytes", "HALF", 1, 1, 0),)  # pairs of bytes of any type

COUNTS = ChunkFault("decode_failed", "the sample counts are not consistent with the size of the chunk's samples")
MIXED_TYPES = ChunkFault("not_supported", "tiles of several lines with ZSTD compression are not decoded")


def _too_large(limits: PixelLimits) -> ChunkFault:
    message = f"the chunk's samples have more than {limits.chunk_bytes} bytes before compression: {RAISE_LIMIT}"
    return ChunkFault("chunk_too_large", message)


class DeepBand(NamedTuple):
    """Decoded deep pixels: their inclusive bounds, their sample counts, and the samples by channel.

    Samples are those of all pixels line by line, one array for each line; none where only counts were decoded.
    """

    box: Box2i
    counts: NDArray[np.int64]  # by line and column
    lines: dict[str, list[NDArray[Any]]]


class DeepDecoder:
    """Decodes level 0 of a deep part, or only its sample counts. Raises NotDecodableError."""

    def __init__(self, read: Read, located: LocatedPart, limits: PixelLimits, *, counts_only: bool = False) -> None:
        part, layout = located.leaders.part, located.leaders.layout
        sizes, window = chunk_sizes(part, layout.levels), part.data_window
        check_channels(part)
        if sizes is None or window is None or layout.compression not in _COMPRESSIONS:
            raise NotDecodableError("not_decodable", "the header does not define how the deep samples are stored")
        if sizes(0) > limits.chunk_bytes:
            raise chunk_too_large("sample tables", sizes(0), limits)
        self._read, self._located, self._limits, self._counts_only = read, located, limits, counts_only
        self._table_bytes, self._window = sizes, window
        self._compression: str = layout.compression
        self._channels = part.channels
        self._sample_bytes = sum(SAMPLE_BYTES[channel.channel_type or ""] for channel in part.channels)
        self._sorted = sorted(part.channels, key=lambda channel: channel.channel_name.encode())
        level = layout.levels[0] if part.is_tiled else None
        self._count = level.tiles_x * level.tiles_y if level else layout.count

    def runs(self) -> Iterator[range]:
        """The chunks of level 0 in order, in groups that are read at once."""
        first = total = 0
        for slot in range(self._count):
            size = self._table_bytes(slot) + (0 if self._counts_only else max(self._located.rooms[slot], 0))
            if slot > first and (total + size > self._limits.band_bytes or slot - first == MAX_RUN_CHUNKS):
                yield range(first, slot)
                first, total = slot, 0
            total += size
        yield range(first, self._count)

    def decode(self, slots: range) -> Iterator[DeepBand | BandError]:
        """The pixels of each chunk, or its error. Raises SourceError."""
        chunks = fetch_chunks(self._read, self._located, slots, self._longest)
        for slot in slots:
            chunk = chunks.pop(slot)
            result = chunk if isinstance(chunk, ChunkFault) else self._decode(slot, chunk)
            yield result if isinstance(result, DeepBand) else BandError(range(slot, slot + 1), result)

    def _longest(self, slot: int) -> int:
        table = self._located.leaders.layout.size_range(slot)[1]
        return table + (0 if self._counts_only else self._limits.chunk_bytes)

    def _decode(self, slot: int, chunk: Chunk) -> DeepBand | ChunkFault:
        box = self._box(slot)
        table, packed, unpacked = self._located.leaders.leader.unpack(chunk.leader)[-3:]
        if self._counts_only:
            chunk = chunk._replace(data=chunk.data[:table], size=table)
        if len(chunk.data) < chunk.size:
            return _too_large(self._limits) if unpacked > self._limits.chunk_bytes else MISSING
        counts = self._counts(box, chunk.data[:table], unpacked)
        if isinstance(counts, ChunkFault):
            return counts
        if self._counts_only:
            return DeepBand(box, counts, {})
        lines = self._samples(counts, chunk.data[table : table + packed], unpacked)
        return lines if isinstance(lines, ChunkFault) else DeepBand(box, counts, lines)

    def _box(self, slot: int) -> Box2i:
        window, layout, tiles = self._window, self._located.leaders.layout, self._located.leaders.part.tiles
        if not layout.levels or tiles is None:
            y = window.yMin + slot * (layout.lines or 1)
            return Box2i(window.xMin, y, window.xMax, min(y + (layout.lines or 1) - 1, window.yMax))
        row, column = divmod(slot, layout.levels[0].tiles_x)
        x, y = window.xMin + column * tiles.xSize, window.yMin + row * tiles.ySize
        return Box2i(x, y, min(x + tiles.xSize - 1, window.xMax), min(y + tiles.ySize - 1, window.yMax))

    def _counts(self, box: Box2i, packed: memoryview, unpacked: int) -> NDArray[np.int64] | ChunkFault:
        """The sample counts by line and column; they are stored as running totals of each line."""
        shape = (box.yMax - box.yMin + 1, box.xMax - box.xMin + 1)
        pixels = shape[0] * shape[1]
        if self._compression == "NONE":
            packed = packed[: 4 * pixels]  # the library adds bytes to the tables of tiles at the edges
        decoded = self._line(_TABLE, pixels, packed)
        if decoded is None:
            return UNDECODABLE
        totals = decoded["counts"].view(np.int32).reshape(shape).astype(np.int64)
        counts = np.diff(totals, axis=1, prepend=0)
        if counts.min() < 0 or int(totals[:, -1].sum()) * self._sample_bytes != unpacked:
            return COUNTS
        return counts

    def _samples(
        self, counts: NDArray[np.int64], packed: memoryview, unpacked: int
    ) -> dict[str, list[NDArray[Any]]] | ChunkFault:
        """The samples by channel and line."""
        if unpacked > self._limits.chunk_bytes:
            return _too_large(self._limits)
        totals = counts.sum(axis=1)
        if not unpacked:
            return {c.channel_name: [np.zeros(0, _DTYPES[c.channel_type or ""])] * len(totals) for c in self._channels}
        if len(totals) == 1:
            decoded = self._line(self._channels, int(totals[0]), packed)
            return UNDECODABLE if decoded is None else {name: [samples[0]] for name, samples in decoded.items()}
        if self._compression == "ZSTD":  # it depends on pixel types
            return MIXED_TYPES
        decoded = self._line(_BYTES, unpacked // 2, packed)
        if decoded is None:
            return UNDECODABLE
        raw, at = decoded["bytes"].view(np.uint8).ravel(), 0
        lines: dict[str, list[NDArray[Any]]] = {channel.channel_name: [] for channel in self._channels}
        for total in totals:
            for channel in self._sorted:
                dtype = _DTYPES[channel.channel_type or ""]
                end = at + int(total) * dtype.itemsize
                lines[channel.channel_name].append(raw[at:end].view(dtype))
                at = end
        return lines

    def _line(self, channels: tuple[Channel, ...], width: int, packed: memoryview) -> dict[str, NDArray[Any]] | None:
        """Packed data decoded as a flat line of some channels; None if it cannot be decoded."""
        values = required_values(channels, Box2i(0, 0, width - 1, 0), compression=self._compression)
        decoded = decode_flat(file_pieces([NewPart(values, [flat_chunk((0,), packed)])]))
        if decoded is None:
            require_memory(width * sum(SAMPLE_BYTES[channel.channel_type or ""] for channel in channels))
        if decoded is None or {name: samples.shape for name, samples in decoded.items()} != {
            channel.channel_name: (1, width) for channel in channels
        }:
            return None
        return decoded

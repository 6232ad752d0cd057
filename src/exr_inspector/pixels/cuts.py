"""Cuts chunks out of a flat part: plans runs of chunks, and turns a run into an EXR file of its own.

Pure bytes and numbers: nothing is read or decoded here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import lcm
from typing import Any

from ..exr import Level, Part
from ..exr.attributes import Box2i, TileDesc
from ..exr.channels import decode_channels
from ..exr.geometry import chunk_sizes
from ..exr.layout import ChunkLayout
from ..exr.part import FLAT_TYPES
from ..exr.writer import NewPart, Pieces, file_pieces, flat_chunk, required_values
from .model import PixelLimits

MAX_RUN_CHUNKS = 4096  # bounds the memory for chunks of a few bytes
RAISE_LIMIT = "raise EXR_INSPECTOR_MAX_CHUNK_PIXEL_BYTES"


class NotDecodableError(ValueError):
    """The pixels of a part cannot be decoded; `code` is a key of DECODE_ERRORS."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code, self.message = code, message


def chunk_too_large(what: str, size: int, limits: PixelLimits) -> NotDecodableError:
    """The error for chunks, or what they contain, of this size."""
    message = f"{what} have {size} bytes before compression; at most {limits.chunk_bytes} are decoded: {RAISE_LIMIT}"
    return NotDecodableError("chunk_too_large", message)


@dataclass(frozen=True, slots=True)
class Run:
    """Chunks of one level that are decoded at once: consecutive slots of the offset table, and the box they fill.

    Tiles fill it row by row, `columns` in each.
    """

    slots: range
    box: Box2i
    columns: int = 1


def check_channels(part: Part) -> None:
    """Raise NotDecodableError for a channel list that libraries reject or misread."""
    names = [channel.channel_name for channel in part.channels]
    if not names or any(channel.channel_type is None for channel in part.channels):
        raise NotDecodableError("not_decodable", "the part has no channels, or channels of an unknown pixel type")
    if len(set(names)) < len(names):
        raise NotDecodableError("not_decodable", "channel names are repeated")


def _is_utf8(raw: bytes) -> bool:
    """Whether the decoder can return the names in a channel list."""
    try:
        decode_channels(raw)
    except UnicodeDecodeError:
        return False
    return True


class Cutter:
    """Plans the runs of one level of a flat part and cuts them out. Raises NotDecodableError.

    Sizes are checked here, before anything is read or allocated.
    """

    def __init__(self, part: Part, layout: ChunkLayout, limits: PixelLimits, level: int = 0) -> None:
        window, sizes = part.data_window, chunk_sizes(part, layout.levels)
        check_channels(part)
        if part.part_type not in FLAT_TYPES or window is None or sizes is None:
            raise NotDecodableError("not_decodable", "the header does not define how the pixels are stored")
        self.part, self.layout, self.limits, self.size_of = part, layout, limits, sizes
        self._window: Box2i = window
        self._lines = layout.lines or 1
        self._step = 1  # chunks that can only be decoded together
        self._first_slot = 0
        self._level: Level | None = None
        if part.is_tiled:
            if not 0 <= level < len(layout.levels):
                raise NotDecodableError("not_decodable", "the header does not define the tiles")
            self._level = layout.levels[level]
            self._first_slot = sum(each.tiles_x * each.tiles_y for each in layout.levels[:level])
        else:
            self._check_sampling()
            if self._last_line(layout.count - 1) != window.yMax:
                raise NotDecodableError("not_decodable", "the chunks do not fill the data window")
        self._values = self._header_values()

    def runs(self) -> Iterator[Run]:
        """The runs of the level from top to bottom, each of about `band_bytes` before compression.

        Raises NotDecodableError where chunks are too large.
        """
        return self._line_runs() if self._level is None else self._tile_runs(self._level)

    def units(self, run: Run) -> Iterator[Run]:
        """The smallest runs that a run consists of: one chunk each, more where subsampling requires it."""
        for slot in range(run.slots.start, run.slots.stop, self._step):
            slots = range(slot, min(slot + self._step, run.slots.stop))
            yield self._line_run(slots) if self._level is None else self._tile_run(self._level, slots, 1)

    def small_exr(self, run: Run, packed: Pieces) -> Pieces:
        """The EXR file of a run; `packed` is the data of its chunks without their leaders."""
        box = run.box
        values = self._values | {"dataWindow": box, "displayWindow": box}
        if self._level is None:
            coordinates = ((self._first_line(slot),) for slot in run.slots)
        else:
            width, height = box.xMax - box.xMin + 1, box.yMax - box.yMin + 1
            tiles = values["tiles"]  # not larger than the box, so that the decoder allocates no more
            values["tiles"] = tiles._replace(xSize=min(tiles.xSize, width), ySize=min(tiles.ySize, height))
            coordinates = ((n % run.columns, n // run.columns, 0, 0) for n in range(len(run.slots)))  # type: ignore[misc]
        chunks = [flat_chunk(at, data) for at, data in zip(coordinates, packed, strict=True)]
        return file_pieces([NewPart(values, chunks)])

    def _header_values(self) -> dict[str, Any]:
        values = required_values((), self._window, compression=str(self.layout.compression))
        channels = self.part.by_name["channels"]
        values["channels"] = channels if _is_utf8(channels.raw) else self.part.channels  # byte for byte, if readable
        if self._level is not None and self.part.tiles is not None:
            tiles = self.part.tiles
            values["tiles"] = TileDesc(tiles.xSize, tiles.ySize, "ONE_LEVEL", "ROUND_DOWN")
        return values

    def _check_sampling(self) -> None:
        """Require what libraries require, and set the step: a run begins and ends on a line of every channel."""
        window = self._window
        for channel in self.part.channels:
            x, y = channel.x_sampling, channel.y_sampling
            origin, size = (window.xMin, window.yMin), (window.xMax - window.xMin + 1, window.yMax - window.yMin + 1)
            if origin[0] % x or size[0] % x or origin[1] % y or size[1] % y:
                message = "the data window does not begin and end on samples of every channel"
                raise NotDecodableError("not_decodable", message)
        lines = lcm(self._lines, *{channel.y_sampling for channel in self.part.channels})
        self._step = min(lines // self._lines, self.layout.count)

    def _first_line(self, slot: int) -> int:
        return self._window.yMin + slot * self._lines

    def _last_line(self, slot: int) -> int:
        return min(self._first_line(slot + 1) - 1, self._window.yMax)

    def _line_run(self, slots: range) -> Run:
        window = self._window
        return Run(slots, Box2i(window.xMin, self._first_line(slots[0]), window.xMax, self._last_line(slots[-1])))

    def _line_runs(self) -> Iterator[Run]:
        step, count = self._step, self.layout.count
        unit_bytes = sum(self.size_of(slot) for slot in range(step))
        self._check_size(unit_bytes)
        units = max(min(self.limits.band_bytes // max(unit_bytes, 1), MAX_RUN_CHUNKS // step), 1)
        for first in range(0, count, units * step):
            yield self._line_run(range(first, min(first + units * step, count)))

    def _tile_run(self, level: Level, slots: range, columns: int) -> Run:
        assert self.part.tiles is not None
        width, height, window = self.part.tiles.xSize, self.part.tiles.ySize, self._window
        y, x = divmod(slots[0] - self._first_slot, level.tiles_x)
        rows = len(slots) // columns
        box = Box2i(
            window.xMin + x * width,
            window.yMin + y * height,
            window.xMin + min((x + columns) * width, level.width) - 1,
            window.yMin + min((y + rows) * height, level.height) - 1,
        )
        return Run(slots, box, columns)

    def _tile_runs(self, level: Level) -> Iterator[Run]:
        """Whole rows of tiles, or parts of a row where a row is larger than a band."""
        tile_bytes = self.size_of(self._first_slot)
        self._check_size(tile_bytes)
        across, down = level.tiles_x, level.tiles_y
        fit = max(min(self.limits.band_bytes // max(tile_bytes, 1), MAX_RUN_CHUNKS), 1)
        rows, columns = max(fit // across, 1), min(fit, across)
        for y in range(0, down, rows):
            for x in range(0, across, columns):
                first = self._first_slot + y * across + x
                width = min(columns, across - x)
                yield self._tile_run(level, range(first, first + width * min(rows, down - y)), width)

    def _check_size(self, size: int) -> None:
        if size > self.limits.chunk_bytes:
            raise chunk_too_large("chunks", size, self.limits)

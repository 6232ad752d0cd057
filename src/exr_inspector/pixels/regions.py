"""Which pixels of a flat part are zero: the window of the others, regions inside it, and color where alpha is zero."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..exr import Channel, split_name
from ..exr.attributes import Box2i, TileDesc
from .decode import Band

# The type of the bits of samples, and those without the sign, by kind and size of the samples' type.
_WITHOUT_SIGN = {
    ("f", 2): (np.uint16, 0x7FFF),
    ("f", 4): (np.uint32, 0x7FFFFFFF),
    ("u", 4): (np.uint32, 0xFFFFFFFF),
}

# Empty lines or tiles are a region of their own if they are at least so high and wide, and so much of the pixels of the
# lines, or columns, on both sides is not zero. Buckets that were not rendered have such edges; objects, texts, horizons
# and letterboxes before a black background hardly ever have them on both sides.
_LEAST_SIZE = 8
_FILLED = 0.9
MOST_REGIONS = 100

Window = tuple[int, int, int, int]  # xMin, yMin, xMax, yMax


def _united(pair: tuple[int, int] | None, other: tuple[int, int] | None) -> tuple[int, int] | None:
    """The least first and the greatest last of two pairs; None has neither."""
    if pair is None or other is None:
        return pair or other
    return min(pair[0], other[0]), max(pair[1], other[1])


class BandUse(NamedTuple):
    """Where the pixels of a band, or of a row of tiles, are not zero."""

    box: Box2i
    lines: NDArray[np.bool_]  # that have a pixel that is not zero
    filled: NDArray[np.int64]  # pixels that are not zero, of the first and last line and those beside empty ones
    columns: tuple[int, int] | None  # the first and the last one with a pixel that is not zero
    # For each tile: its first column, whether a pixel is not zero, and how many are not zero in its first and its last
    # column, of the first and last tile and those beside empty ones.
    tiles: NDArray[np.int64]

    def beside(self, other: BandUse) -> BandUse:
        """Of both bands, which have the same lines."""
        return BandUse(
            self.box._replace(xMax=max(self.box.xMax, other.box.xMax), xMin=min(self.box.xMin, other.box.xMin)),
            self.lines | other.lines,
            self.filled + other.filled,
            _united(self.columns, other.columns),
            np.concatenate((self.tiles, other.tiles)),
        )


def band_uses(band: Band, channels: Sequence[Channel], tiles: TileDesc | None = None) -> list[BandUse]:
    """Where the pixels of a band, or of each row of tiles in it, are not zero in some channel."""
    box = band.box
    if tiles is None:
        return [_use(band, channels, 0)]
    rows = []
    for top in range(0, box.yMax - box.yMin + 1, tiles.ySize):
        row_box = box._replace(yMin=box.yMin + top, yMax=min(box.yMin + top + tiles.ySize - 1, box.yMax))
        planes: dict[str, Any] = {name: plane[top : top + tiles.ySize] for name, plane in band.channels.items()}
        rows.append(_use(Band(row_box, planes), channels, tiles.xSize))
    return rows


def _use(band: Band, channels: Iterable[Channel], tile_width: int) -> BandUse:
    box = band.box
    lines = np.zeros(box.yMax - box.yMin + 1, np.bool_)
    columns = np.zeros(box.xMax - box.xMin + 1, np.bool_)
    filled = np.zeros(len(lines), np.int64)
    groups = _planes_alike(band, channels)
    for (_, x_sampling, y_sampling), planes in groups.items():
        rows, across = lines[-box.yMin % y_sampling :: y_sampling], columns[-box.xMin % x_sampling :: x_sampling]
        if planes[0].size:
            _mark_used(planes, rows, across)
    whole = [planes for (_, *sampling), planes in groups.items() if sampling == [1, 1]]
    for planes in whole:
        at = _beside_empty(lines)
        filled[at] = np.maximum(filled[at], _count_used(plane[at] for plane in planes))
    used = np.flatnonzero(columns)
    return BandUse(
        box,
        lines,
        filled,
        (box.xMin + int(used[0]), box.xMin + int(used[-1])) if len(used) else None,
        _tiles(whole, columns, box.xMin, tile_width) if tile_width else np.zeros((0, 4), np.int64),
    )


def _tiles(
    groups: Iterable[Sequence[NDArray[Any]]], columns: NDArray[np.bool_], left: int, width: int
) -> NDArray[np.int64]:
    """The value of `BandUse.tiles`."""
    first = np.arange(0, len(columns), width)
    tiles = np.zeros((len(first), 4), np.int64)
    tiles[:, 0], tiles[:, 1] = left + first, np.logical_or.reduceat(columns, first)
    at = _beside_empty(tiles[:, 1] != 0)
    edges = np.concatenate((first[at], np.minimum(first[at] + width, len(columns)) - 1))
    for planes in groups:
        counts = _count_used(plane[:, edges].T for plane in planes).reshape(2, -1).T
        tiles[at, 2:] = np.maximum(tiles[at, 2:], counts)
    return tiles


def _mark_used(planes: Sequence[NDArray[Any]], lines: NDArray[np.bool_], columns: NDArray[np.bool_]) -> None:
    """Mark the lines and columns where a sample of one of the planes, which are alike, is not zero."""
    unsigned, mask = _bits_of(planes[0])
    bits = planes[0].view(unsigned)
    for last in (False, True):
        lines |= (np.bitwise_or.reduce(bits, axis=1) & unsigned(mask)) != 0
        columns |= (np.bitwise_or.reduce(bits, axis=0) & unsigned(mask)) != 0
        if last or len(planes) == 1 or (lines.all() and columns.all()):  # mostly after the first plane
            return
        bits = bits | planes[1].view(unsigned)
        for plane in planes[2:]:
            np.bitwise_or(bits, plane.view(unsigned), out=bits)


def _beside_empty(used: NDArray[np.bool_]) -> NDArray[np.intp]:
    """The used ones of lines or tiles that are beside empty ones; the first and the last one may be."""
    padded = np.pad(used, 1)
    return np.flatnonzero(used & ~(padded[:-2] & padded[2:]))


def _count_used(planes: Iterable[NDArray[Any]]) -> NDArray[np.int64]:
    """The number of pixels that are not zero in one of the planes, for each line."""
    used: Any = False
    for plane in planes:
        used = used | (plane != 0)
        if used.all():  # mostly after the first plane
            break
    counts: NDArray[np.int64] = np.count_nonzero(used, axis=1)
    return counts


def _stretches(flags: NDArray[np.bool_]) -> Iterator[tuple[int, int, bool]]:
    """First and last index of each stretch of equal flags, and the flag."""
    borders = [0, *map(int, np.flatnonzero(np.diff(flags)) + 1), len(flags)] if len(flags) else []
    for start, end in pairwise(borders):
        yield start, end - 1, bool(flags[start])


def _bits_of(samples: NDArray[Any]) -> tuple[Any, int]:
    return _WITHOUT_SIGN[samples.dtype.kind, samples.dtype.itemsize]


def _planes_alike(band: Band, channels: Iterable[Channel]) -> dict[tuple[str | None, int, int], list[NDArray[Any]]]:
    """The planes of a band by pixel type and sampling."""
    planes: dict[tuple[str | None, int, int], list[NDArray[Any]]] = {}
    for name, pixel_type, x_sampling, y_sampling, _ in channels:
        planes.setdefault((pixel_type, x_sampling, y_sampling), []).append(band.channels[name])
    return planes


class UsedWindow:
    """The window of the pixels that are not zero, and empty regions inside it, from bands from top to bottom."""

    def __init__(self, window: Box2i) -> None:
        self._window = window
        self._columns: tuple[int, int] | None = None
        self._lines: tuple[int, int] | None = None  # the first and the last used one
        self._is_filled = False  # the last used line
        self._regions: list[Window] = []
        self._row: BandUse | None = None  # the last row of tiles, which may consist of several bands

    def add(self, use: BandUse) -> None:
        """Add a band, which is below or beside the previous one."""
        if self._row is not None and self._row.box.yMin == use.box.yMin:
            self._row = self._row.beside(use)
        else:
            self._end_row()
            self._row = use

    def result(self) -> tuple[Window | None, tuple[Window, ...]]:
        """The window, None if all pixels are zero; and the first regions inside it that are empty between others."""
        self._end_row()
        self._row = None
        if self._lines is None or self._columns is None:
            return None, ()
        (top, bottom), (left, right) = self._lines, self._columns
        return (left, top, right, bottom), tuple(sorted(self._regions, key=lambda region: (region[1], region[0])))

    def _end_row(self) -> None:
        row = self._row
        if row is None or row.columns is None:
            return
        self._columns = _united(self._columns, row.columns)
        top, enough = row.box.yMin, _FILLED * (self._window.xMax - self._window.xMin + 1)
        for first, last, is_used in _stretches(row.lines):
            if is_used:
                if self._lines is not None and self._is_filled and row.filled[first] >= enough:
                    self._add_region((self._window.xMin, self._lines[1] + 1, self._window.xMax, top + first - 1))
                self._lines = _united(self._lines, (top + first, top + last))
                self._is_filled = bool(row.filled[last] >= enough)
        for first, last, is_used in _stretches(row.tiles[:, 1] != 0):
            if not is_used and first > 0 and last + 1 < len(row.tiles):
                filled = min(row.tiles[first - 1, 3], row.tiles[last + 1, 2])
                if filled >= _FILLED * len(row.lines):
                    right = int(row.tiles[last + 1, 0]) - 1
                    self._add_region((int(row.tiles[first, 0]), top, right, row.box.yMax))

    def _add_region(self, region: Window) -> None:
        left, top, right, bottom = region
        for index, (above_left, above_top, above_right, above_bottom) in enumerate(self._regions):
            if (above_left, above_right, above_bottom) == (left, right, top - 1):
                self._regions[index] = left, above_top, right, bottom
                return
        is_large = min(right - left, bottom - top) >= _LEAST_SIZE - 1
        if is_large and len(self._regions) < MOST_REGIONS:
            self._regions.append(region)


class Layer(NamedTuple):
    """A layer with an alpha channel: full channel names."""

    name: str
    alpha: str
    colors: tuple[str, ...]


def layers_with_alpha(channels: Sequence[Channel]) -> list[Layer]:
    """The layers that have a channel A and at least one of R, G and B, all sampled at every pixel."""
    by_layer: dict[str, dict[str, str]] = {}
    for channel in channels:
        if (channel.x_sampling, channel.y_sampling) == (1, 1):
            layer, component = split_name(channel.channel_name)
            by_layer.setdefault(layer, {})[component] = channel.channel_name
    return [
        Layer(layer, names["A"], colors)
        for layer, names in by_layer.items()
        if "A" in names and (colors := tuple(names[color] for color in "RGB" if color in names))
    ]


def color_without_alpha(layer: Layer, band: Band) -> int:
    """The number of pixels of a band where alpha is zero, but not all colors are."""
    transparent = _is_zero(band.channels[layer.alpha])
    if not transparent.any():
        return 0
    black = np.logical_and.reduce([_is_zero(band.channels[name]) for name in layer.colors])
    return int(np.count_nonzero(transparent & ~black))


def _is_zero(samples: NDArray[Any]) -> NDArray[np.bool_]:
    unsigned, mask = _bits_of(samples)
    return (samples.view(unsigned) & unsigned(mask)) == 0  # type: ignore[no-any-return]

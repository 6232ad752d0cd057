"""Which pixels of a flat part are zero: the window of the others, empty lines, and color where alpha is zero."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..exr import Channel, split_name
from ..exr.attributes import Box2i
from .decode import Band

_WITHOUT_SIGN = {"float16": (np.uint16, 0x7FFF), "float32": (np.uint32, 0x7FFFFFFF), "uint32": (np.uint32, 0xFFFFFFFF)}


class BandUse(NamedTuple):
    """The lines of a band that have a pixel that is not zero, and the first and last of its columns that have one."""

    box: Box2i
    lines: NDArray[np.bool_]
    columns: tuple[int, int] | None


def band_use(band: Band, channels: Iterable[Channel]) -> BandUse:
    """Where the pixels of a band are not zero in some channel."""
    box = band.box
    lines = np.zeros(box.yMax - box.yMin + 1, np.bool_)
    found = []
    for (_, x_sampling, y_sampling), planes in _planes_alike(band, channels).items():
        unsigned, mask = _WITHOUT_SIGN[planes[0].dtype.name]
        bits = planes[0].view(unsigned)
        if len(planes) > 1:
            bits = bits | planes[1].view(unsigned)
            for plane in planes[2:]:
                np.bitwise_or(bits, plane.view(unsigned), out=bits)
        used = np.bitwise_or.reduce(bits, axis=1) & unsigned(mask)
        if used.any():
            lines[-box.yMin % y_sampling :: y_sampling] |= used != 0
            columns = np.flatnonzero(np.bitwise_or.reduce(bits, axis=0) & unsigned(mask))
            first = box.xMin + -box.xMin % x_sampling
            found.append((first + int(columns[0]) * x_sampling, first + int(columns[-1]) * x_sampling))
    bounds = (min(first for first, _ in found), max(last for _, last in found)) if found else None
    return BandUse(box, lines, bounds)


def _planes_alike(band: Band, channels: Iterable[Channel]) -> dict[tuple[str, int, int], list[NDArray[Any]]]:
    """The planes of a band by data type and sampling."""
    planes: dict[tuple[str, int, int], list[NDArray[Any]]] = {}
    for name, _, x_sampling, y_sampling, _ in channels:
        plane = band.channels[name]
        planes.setdefault((plane.dtype.name, x_sampling, y_sampling), []).append(plane)
    return planes


class UsedWindow:
    """The smallest window of the pixels that are not zero, and its empty lines, from bands from top to bottom."""

    def __init__(self) -> None:
        self._columns: list[tuple[int, int]] = []  # at most one
        self._first: int | None = None
        self._last = 0
        self._empty = 0  # lines since the first used one
        self._empty_rows = 0  # of them, those before the last used one
        self._row: BandUse | None = None  # the last row of tiles, which may consist of several bands

    def add(self, use: BandUse) -> None:
        """Add a band, which is below or beside the previous one."""
        if use.columns:
            pairs = [*self._columns, use.columns]
            self._columns = [(min(first for first, _ in pairs), max(last for _, last in pairs))]
        if self._row is not None and self._row.box.yMin == use.box.yMin:
            self._row = use._replace(lines=self._row.lines | use.lines)
        else:
            self._end_row()
            self._row = use

    def result(self) -> tuple[tuple[int, int, int, int] | None, int]:
        """The window, None if all pixels are zero, and the number of its lines that have zeros only."""
        self._end_row()
        self._row = None
        if self._first is None:
            return None, 0
        ((left, right),) = self._columns
        return (left, self._first, right, self._last), self._empty_rows

    def _end_row(self) -> None:
        if self._row is None:
            return
        used = np.flatnonzero(self._row.lines)
        if not len(used):
            self._empty += len(self._row.lines) * (self._first is not None)
            return
        top, first, last = self._row.box.yMin, int(used[0]), int(used[-1])
        if self._first is None:
            self._first = top + first
        else:
            self._empty_rows += self._empty + first
        self._empty_rows += last - first + 1 - len(used)
        self._last, self._empty = top + last, len(self._row.lines) - 1 - last


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
    unsigned, mask = _WITHOUT_SIGN[samples.dtype.name]
    return (samples.view(unsigned) & unsigned(mask)) == 0  # type: ignore[no-any-return]

"""Pixels as packed chunks, with encoders that give the same bytes on every machine.

In come numpy arrays, out come parts to write. Sources: "OpenEXR File Layout"; for the schemes, what the OpenEXR
library decodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from struct import pack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exr import Channel
from ..exr.attributes import Box2i, TileDesc
from ..exr.channels import PIXEL_TYPES
from ..exr.geometry import LINES_PER_CHUNK
from ..exr.writer import Header, NewPart, deep_chunk, flat_chunk, required
from .deflate import deflate

Plane = NDArray[Any]  # (height, width), HALF or FLOAT
Channels = Mapping[str, Plane]
Samples = Mapping[str, Sequence[Sequence[Sequence[float]]]]  # of deep pixels, by channel: lines of pixels of samples

_TYPES = {np.dtype("<f2"): "HALF", np.dtype("<f4"): "FLOAT"}


def scanline_part(header: Header, channels: Channels, window: Box2i, display: Box2i, compression: str) -> NewPart:
    """A part of scan lines; `window` is where the planes lie."""
    lines = LINES_PER_CHUNK[compression]
    chunks = [
        flat_chunk((window.yMin + y,), _packed(compression, {name: channels[name][y : y + lines] for name in channels}))
        for y in range(0, window.yMax - window.yMin + 1, lines)
    ]
    needed = required(_entries(channels), window, display, compression, "INCREASING_Y")
    return NewPart({**needed, "type": "scanlineimage", **header}, chunks)


def tiled_part(header: Header, levels: Sequence[Channels], tile: int, compression: str, line_order: str) -> NewPart:
    """A part of square tiles, with one level or all mip levels; the data and the display window begin at (0, 0)."""
    chunks = [
        flat_chunk((x // tile, y // tile, number, number), _packed(compression, block))
        for number, channels in enumerate(levels)
        for x, y, block in _tiles(channels, tile)
    ]
    height, width = _shape(levels[0])
    window = Box2i(0, 0, width - 1, height - 1)
    needed = required(_entries(levels[0]), window, window, compression, line_order)
    mode = "ONE_LEVEL" if len(levels) == 1 else "MIPMAP_LEVELS"
    return NewPart({**needed, "tiles": TileDesc(tile, tile, mode, "ROUND_DOWN"), **header}, chunks)


def deep_part(header: Header, samples: Samples, window: Box2i) -> NewPart:
    """A part of deep scan lines with FLOAT channels, in ZIPS."""
    names = sorted(samples)
    chunks = []
    for y, line in enumerate(samples[names[0]]):
        table = np.cumsum([len(pixel) for pixel in line]).astype("<i4").tobytes()
        raw = np.array([value for name in names for pixel in samples[name][y] for value in pixel], "<f4").tobytes()
        chunks.append(deep_chunk(window.yMin + y, _smaller(_zip(table), table), _smaller(_zip(raw), raw), len(raw)))
    entries = [Channel(name, "FLOAT", 1, 1, 0) for name in names]
    needed = required(entries, window, window, "ZIPS", "INCREASING_Y")
    return NewPart({**needed, "type": "deepscanline", "version": 1, **header}, chunks)


def _shape(channels: Channels) -> tuple[int, int]:
    height, width = next(iter(channels.values())).shape
    return height, width


def _entries(channels: Channels) -> list[Channel]:
    return [Channel(name, _TYPES[plane.dtype], 1, 1, 0) for name, plane in channels.items()]


def _tiles(channels: Channels, tile: int) -> Iterator[tuple[int, int, Channels]]:
    height, width = _shape(channels)
    for y in range(0, height, tile):
        for x in range(0, width, tile):
            yield x, y, {name: plane[y : y + tile, x : x + tile] for name, plane in channels.items()}


def _packed(compression: str, block: Channels) -> bytes:
    """The pixels of a chunk, or as they are where packing does not make them smaller."""
    block = dict(sorted(block.items()))
    raw = np.concatenate([_bytes_of(plane) for plane in block.values()], axis=1).tobytes()
    return _smaller(_SCHEMES[compression](raw, block), raw)


def _smaller(packed: bytes, raw: bytes) -> bytes:
    return packed if len(packed) < len(raw) else raw


def _bytes_of(plane: Plane) -> NDArray[np.uint8]:
    return np.ascontiguousarray(plane).view(np.uint8)


def _zip(raw: bytes) -> bytes:
    """ZIP and ZIPS: every second byte first, then the others, as differences from the byte before."""
    data = np.frombuffer(raw, np.uint8)
    halves = np.concatenate([data[::2], data[1::2]])
    differences = halves.copy()
    differences[1:] -= halves[:-1]
    differences[1:] += np.uint8(128)
    return deflate(differences.tobytes())


def _pxr24(block: Channels) -> bytes:
    """PXR24 of HALF channels: differences along each line, all high bytes before the low ones."""
    values = np.stack([np.ascontiguousarray(plane).view("<u2") for plane in block.values()], axis=1)
    differences = values.copy()  # line, channel, pixel
    differences[..., 1:] -= values[..., :-1]
    return deflate(np.stack([differences >> 8, differences & 255], axis=2).astype(np.uint8).tobytes())


_DWA_VERSION, _DWA_RUN_LENGTH = 2, 2  # of the three schemes for a channel the one that loses nothing
_MOST_LITERALS = 127


def _dwa(block: Channels) -> bytes:
    """DWAA with every channel in its run length scheme: the bytes of all pixels in order, in runs, zipped."""
    kinds = {(name.rpartition(".")[2], PIXEL_TYPES.index(_TYPES[plane.dtype])) for name, plane in block.items()}
    rules = b"".join(name.encode() + bytes([0, _DWA_RUN_LENGTH << 2, kind]) for name, kind in sorted(kinds))
    raw = b"".join(_bytes_of(plane).reshape(-1, plane.itemsize).transpose().tobytes() for plane in block.values())
    literals = (raw[at : at + _MOST_LITERALS] for at in range(0, len(raw), _MOST_LITERALS))
    runs = b"".join(pack("b", -len(each)) + each for each in literals)  # what repeats is left to `deflate`
    packed = deflate(runs)
    sizes = pack("<11Q", _DWA_VERSION, 0, 0, 0, 0, len(packed), len(runs), len(raw), 0, 0, 0)
    return sizes + pack("<H", 2 + len(rules)) + rules + packed


_SCHEMES: dict[str, Callable[[bytes, Channels], bytes]] = {
    "NONE": lambda raw, _: raw,
    "ZIPS": lambda raw, _: _zip(raw),
    "ZIP": lambda raw, _: _zip(raw),
    "PXR24": lambda _, block: _pxr24(block),
    "DWAA": lambda _, block: _dwa(block),
}

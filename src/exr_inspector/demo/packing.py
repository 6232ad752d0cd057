"""Pixel encoders: numpy arrays in, parts with packed chunks for the writer out; the same bytes on every machine.

Sources: "OpenEXR File Layout"; for the compressions, the decoders of the OpenEXR library.
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
from ..exr.writer import NewPart, Values, deep_chunk, flat_chunk, required_values
from .deflate import deflate

Plane = NDArray[Any]  # (height, width), HALF or FLOAT
Channels = Mapping[str, Plane]
Samples = Mapping[str, Sequence[Sequence[Sequence[float]]]]  # of a deep part: [channel][line][pixel][sample]

_TYPES = {np.dtype("<f2"): "HALF", np.dtype("<f4"): "FLOAT"}


def scanline_part(header: Values, channels: Channels, window: Box2i, display: Box2i, compression: str) -> NewPart:
    """A scan line part; `window` is the data window, with the size of the planes."""
    lines = LINES_PER_CHUNK[compression]
    chunks = [
        flat_chunk((window.yMin + y,), _packed(compression, {name: channels[name][y : y + lines] for name in channels}))
        for y in range(0, window.yMax - window.yMin + 1, lines)
    ]
    required = required_values(_entries(channels), window, display_window=display, compression=compression)
    return NewPart({**required, "type": "scanlineimage", **header}, chunks)


def tiled_part(header: Values, levels: Sequence[Channels], tile: int, compression: str, line_order: str) -> NewPart:
    """A part of square tiles with one level or all mip levels; data and display window start at (0, 0)."""
    chunks = [
        flat_chunk((x // tile, y // tile, number, number), _packed(compression, block))
        for number, channels in enumerate(levels)
        for x, y, block in _tiles(channels, tile)
    ]
    height, width = _shape(levels[0])
    window = Box2i(0, 0, width - 1, height - 1)
    required = required_values(_entries(levels[0]), window, compression=compression, line_order=line_order)
    mode = "ONE_LEVEL" if len(levels) == 1 else "MIPMAP_LEVELS"
    return NewPart({**required, "tiles": TileDesc(tile, tile, mode, "ROUND_DOWN"), **header}, chunks)


def deep_part(header: Values, samples: Samples, window: Box2i) -> NewPart:
    """A deep scan line part with FLOAT channels, compressed with ZIPS."""
    names = sorted(samples)
    chunks = []
    for y, line in enumerate(samples[names[0]]):
        counts = np.cumsum([len(pixel) for pixel in line]).astype("<i4").tobytes()
        raw = np.array([value for name in names for pixel in samples[name][y] for value in pixel], "<f4").tobytes()
        chunks.append(deep_chunk(window.yMin + y, _smaller(_zip(counts), counts), _smaller(_zip(raw), raw), len(raw)))
    entries = [Channel(name, "FLOAT", 1, 1, 0) for name in names]
    required = required_values(entries, window, compression="ZIPS")
    return NewPart({**required, "type": "deepscanline", "version": 1, **header}, chunks)


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
    """The packed pixels of a chunk; raw where packing does not make them smaller."""
    block = dict(sorted(block.items()))
    raw = np.concatenate([_bytes_of(plane) for plane in block.values()], axis=1).tobytes()
    return _smaller(_ENCODERS[compression](raw, block), raw)


def _smaller(packed: bytes, raw: bytes) -> bytes:
    return packed if len(packed) < len(raw) else raw


def _bytes_of(plane: Plane) -> NDArray[np.uint8]:
    return np.ascontiguousarray(plane).view(np.uint8)


def _zip(raw: bytes) -> bytes:
    """ZIP and ZIPS: the bytes at even positions, then the rest, as differences from the previous byte."""
    data = np.frombuffer(raw, np.uint8)
    halves = np.concatenate([data[::2], data[1::2]])
    differences = halves.copy()
    differences[1:] -= halves[:-1]
    differences[1:] += np.uint8(128)
    return deflate(differences.tobytes())


def _pxr24(block: Channels) -> bytes:
    """PXR24 of HALF channels: differences along each line, the high bytes before the low ones."""
    values = np.stack([np.ascontiguousarray(plane).view("<u2") for plane in block.values()], axis=1)
    differences = values.copy()  # line, channel, pixel
    differences[..., 1:] -= values[..., :-1]
    return deflate(np.stack([differences >> 8, differences & 255], axis=2).astype(np.uint8).tobytes())


_DWA_VERSION, _DWA_RUN_LENGTH = 2, 2  # run length is the lossless one of the three schemes for a channel
_MAX_LITERALS = 127


def _dwa(block: Channels) -> bytes:
    """DWAA with every channel in the run length scheme: first bytes of all pixels, second bytes, …; then deflated."""
    kinds = {(name.rpartition(".")[2], PIXEL_TYPES.index(_TYPES[plane.dtype])) for name, plane in block.items()}
    rules = b"".join(name.encode() + bytes([0, _DWA_RUN_LENGTH << 2, kind]) for name, kind in sorted(kinds))
    raw = b"".join(_bytes_of(plane).reshape(-1, plane.itemsize).transpose().tobytes() for plane in block.values())
    literals = (raw[at : at + _MAX_LITERALS] for at in range(0, len(raw), _MAX_LITERALS))
    runs = b"".join(pack("b", -len(each)) + each for each in literals)  # literals only: deflate() finds the repetitions
    packed = deflate(runs)
    sizes = pack("<11Q", _DWA_VERSION, 0, 0, 0, 0, len(packed), len(runs), len(raw), 0, 0, 0)
    return sizes + pack("<H", 2 + len(rules)) + rules + packed


_ENCODERS: dict[str, Callable[[bytes, Channels], bytes]] = {
    "NONE": lambda raw, _: raw,
    "ZIPS": lambda raw, _: _zip(raw),
    "ZIP": lambda raw, _: _zip(raw),
    "PXR24": lambda _, block: _pxr24(block),
    "DWAA": lambda _, block: _dwa(block),
}

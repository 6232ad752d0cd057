"""A tiled mipmap texture, written byte by byte: the OpenEXR bindings write no level but the first.

Source: "OpenEXR File Layout", sections Tile and Level. HALF channels, not compressed, sizes rounded down.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import pack

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]  # (height, width, 3) in the order of the file: B, G, R
TILE = 32


def encode_texture(image: Image) -> bytes:
    """The bytes of an .exr as `maketx` lays it out; the sides are powers of two."""
    head = pack("<2I", 20000630, 2 | 0x200) + _header(image) + b"\0"
    tiles = list(_tiles(image))
    position, table = len(head) + 8 * len(tiles), []
    for tile in tiles:
        table.append(pack("<Q", position))
        position += len(tile)
    return b"".join([head, *table, *tiles])


def _tiles(image: Image) -> Iterator[bytes]:
    for level, pixels in enumerate(_levels(image)):
        for y in range(0, pixels.shape[0], TILE):
            for x in range(0, pixels.shape[1], TILE):
                # A line of a tile holds all of one channel before the next.
                raw = pixels[y : y + TILE, x : x + TILE].transpose(0, 2, 1).astype("<f2").tobytes()
                yield pack("<5i", x // TILE, y // TILE, level, level, len(raw)) + raw


def _levels(image: Image) -> Iterator[Image]:
    yield image
    while image.shape[0] > 1:
        image = np.float32(0.25) * (image[::2, ::2] + image[1::2, ::2] + image[::2, 1::2] + image[1::2, 1::2])
        yield image


def _header(image: Image) -> bytes:
    height, width, _ = image.shape
    window = pack("<4i", 0, 0, width - 1, height - 1)
    channels = b"".join(name + b"\0" + pack("<4i", 1, 0, 1, 1) for name in (b"B", b"G", b"R"))
    average = ",".join(f"{value:.4f}" for value in image.mean((0, 1))[::-1])
    attributes: dict[str, tuple[str, bytes]] = {
        "DateTime": ("string", b"2026:02:20 17:41:08"),
        "Software": ("string", b"OpenImageIO 2.5.8.0 : maketx --oiio buoy_basecolor_v002.tif"),
        "channels": ("chlist", channels + b"\0"),
        "compression": ("compression", b"\0"),
        "dataWindow": ("box2i", window),
        "displayWindow": ("box2i", window),
        "lineOrder": ("lineOrder", b"\0"),
        "oiio:AverageColor": ("string", average.encode()),
        "pixelAspectRatio": ("float", pack("<f", 1)),
        "screenWindowCenter": ("v2f", pack("<2f", 0, 0)),
        "screenWindowWidth": ("float", pack("<f", 1)),
        "textureformat": ("string", b"Plain Texture"),
        "tiles": ("tiledesc", pack("<2IB", TILE, TILE, 1)),
        "wrapmodes": ("string", b"periodic,periodic"),
    }
    return b"".join(
        name.encode() + b"\0" + kind.encode() + b"\0" + pack("<i", len(raw)) + raw
        for name, (kind, raw) in attributes.items()
    )

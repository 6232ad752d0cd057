"""A tiled mipmap texture as `maketx` writes it, uncompressed: painted stripes with some rust."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exr.writer import NewPart
from .packing import tiled_part

_SIZE, _TILE = 128, 32
_STRIPES = 8
_CHANNELS = "BGR"


def texture() -> NewPart:
    """The part with all mip levels, down to one pixel."""
    image = _paint()
    average = ",".join(f"{image[..., _CHANNELS.index(name)].mean():.4f}" for name in "RGB")
    header = {
        "DateTime": "2026:02:20 17:41:08",
        "Software": "OpenImageIO 2.5.8.0 : maketx --oiio buoy_basecolor_v002.tif",
        "oiio:AverageColor": average,
        "textureformat": "Plain Texture",
        "wrapmodes": "periodic,periodic",
    }
    levels = [
        {name: pixels[..., index].astype("<f4").astype("<f2") for index, name in enumerate(_CHANNELS)}
        for pixels in _levels(image)
    ]
    return tiled_part(header, levels, _TILE, "NONE", "INCREASING_Y")


def _paint() -> NDArray[np.float64]:
    """The largest level. Its numbers have few bits, so averages are exact."""
    y, x = np.mgrid[0:_SIZE, 0:_SIZE]
    stripes = (x * _STRIPES // _SIZE % 2) / 2
    rust = y * (_SIZE - y) / (4 * _SIZE * _SIZE)
    return np.stack([0.0625 + stripes, 0.0625 + stripes, 0.625 + rust], -1)


def _levels(image: NDArray[Any]) -> Iterator[NDArray[Any]]:
    yield image
    while image.shape[0] > 1:
        image = (image[::2, ::2] + image[1::2, ::2] + image[::2, 1::2] + image[1::2, 1::2]) / 4
        yield image

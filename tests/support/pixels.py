"""Pixels for tests: files of every kind written by OpenEXR, and pixels as the project and OpenEXR decode them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR

from exr_inspector.exr import read_header
from exr_inspector.exr.locate import LocatedPart, locate_chunks
from exr_inspector.pixels.decode import BandError, FlatDecoder
from exr_inspector.pixels.model import PixelLimits
from tests.support import exr_writer as w

COMPRESSIONS = (
    "NO", "RLE", "ZIPS", "ZIP", "PIZ", "PXR24", "B44", "B44A", "DWAA", "DWAB", "HTJ2K256", "HTJ2K32", "LJ2K", "ZSTD",
)  # fmt: skip
KINDS = ("lines", "tiles", "subsampled", "parts", "decreasing")
SMALL_BANDS = PixelLimits(band_bytes=8 << 10)
Planes = dict[str, Any]


def located(data: bytes) -> list[LocatedPart]:
    """The chunks of the parts of a file in memory."""
    chunks = locate_chunks(read_header(data), lambda at, n: data[at : at + n], len(data))
    assert chunks is not None
    return chunks


def decoded(data: bytes, limits: PixelLimits = SMALL_BANDS, part: int = 0, level: int = 0) -> tuple[Planes, list[Any]]:
    """The planes of a flat part by channel, and the errors; lines and tiles that are not decoded are zero."""
    chunks = located(data)[part]
    described = chunks.leaders.part
    window = described.data_window
    size = (
        (window.xMax - window.xMin + 1, window.yMax - window.yMin + 1)
        if not described.is_tiled
        else (chunks.leaders.layout.levels[level].width, chunks.leaders.layout.levels[level].height)
    )
    planes: Planes = {}
    errors: list[BandError] = []
    decoder = FlatDecoder(lambda at, n: data[at : at + n], chunks, limits, level)
    for band in (band for run in decoder.runs() for band in decoder.decode(run)):
        if isinstance(band, BandError):
            errors.append(band)
            continue
        for channel in described.channels:
            x, y = channel.x_sampling, channel.y_sampling
            samples = band.channels[channel.channel_name]
            plane = planes.setdefault(channel.channel_name, np.zeros((size[1] // y, size[0] // x), samples.dtype))
            row, column = (band.box.yMin - window.yMin) // y, (band.box.xMin - window.xMin) // x
            plane[row : row + samples.shape[0], column : column + samples.shape[1]] = samples
    return planes, errors


def oracle(path: Path) -> list[Planes] | None:
    """The planes of every part as OpenEXR decodes the whole file; None if it cannot."""
    try:
        with OpenEXR.File(str(path), separate_channels=True) as file:
            parts = [{name: channel.pixels for name, channel in part.channels.items()} for part in file.parts]
    except (RuntimeError, ValueError, ZeroDivisionError):
        return None
    return parts or None


def picture(width: int, height: int, names: Iterable[str], dtype: str, seed: int = 7) -> Planes:
    """Channels with a gradient and noise, which every method compresses."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    planes = {}
    for index, name in enumerate(names):
        values = (x + 2 * y) / (width + index) + random.normal(0, 0.01, (height, width)) - 0.25
        planes[name] = np.abs(values * 1000).astype(dtype) if dtype == "uint32" else values.astype(dtype)
    return planes


def write(path: Path, kind: str = "lines", compression: str = "ZIP", size: tuple[int, int] = (75, 301)) -> Path:
    """Write a file of one of KINDS with OpenEXR: HALF, FLOAT and UINT channels, some outside of layers."""
    if kind == "subsampled":
        path.write_bytes(subsampled(COMPRESSIONS.index(compression)))
        return path
    width, height = size
    planes = {
        **picture(width, height, "ABGR", "float16"),
        **picture(width, height, ["Z"], "float32"),
        **picture(width, height, ["id"], "uint32"),
    }
    header: dict[str, Any] = {"compression": getattr(OpenEXR, f"{compression}_COMPRESSION")}
    if kind == "tiles":
        tiles = OpenEXR.TileDescription()
        tiles.xSize, tiles.ySize = 32, 16
        header |= {"type": OpenEXR.tiledimage, "tiles": tiles}
    else:
        header |= {"type": OpenEXR.scanlineimage}
    if kind == "decreasing":
        header |= {"lineOrder": OpenEXR.DECREASING_Y}
    if kind == "parts":
        parts = [
            OpenEXR.Part({**header, "name": name}, {each: planes[each] for each in channels}, name)
            for name, channels in (("beauty", "BGR"), ("depth", "Z"), ("alpha", "A"))
        ]
        with OpenEXR.File(parts) as file:
            file.write(str(path))
    else:
        write_file(path, header, planes)
    return path


def subsampled(compression: int) -> bytes:
    """A file with luminance and chroma, whose chunks are stored as they are: OpenEXR does not write them in Python."""
    channels = [("BY", w.HALF, 2, 4, 0), ("RY", w.FLOAT, 2, 4, 0), ("Y", w.HALF, 1, 1, 0)]
    fill = np.random.default_rng(compression)
    return w.build(w.part(window=(-4, -8, 69, 291), channels=channels, compression=compression, pixels=fill.bytes)).data


def write_file(path: Path, header: Mapping[str, Any], channels: Mapping[str, Any]) -> None:
    """Write a file with one part with OpenEXR."""
    with OpenEXR.File(dict(header), dict(channels)) as file:
        file.write(str(path))


def same_bits(first: Any, second: Any) -> bool:
    """Whether two planes have the same type, size and bytes."""
    return (first.dtype, first.shape) == (second.dtype, second.shape) and first.tobytes() == second.tobytes()

"""Pixels for tests: files of every kind written by OpenEXR, and pixels as the project and OpenEXR decode them."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import pytest

from exr_inspector.exr import read_header
from exr_inspector.exr.locate import LocatedPart, locate_chunks
from exr_inspector.pixels.decode import BandError, FlatDecoder
from exr_inspector.pixels.model import HISTOGRAM_EDGES, PixelLimits, PixelReport, StatsOptions
from exr_inspector.pixels.report import part_statistics
from exr_inspector.sources import open_source
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


def statistics_of(data: bytes, **options: Any) -> PixelReport:
    """The report of a file in memory."""
    return part_statistics(open_source(data), read_header(data), StatsOptions(**options))


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


def write_deep(
    path: Path,
    kind: str = "lines",
    compression: str = "ZIPS",
    samples: int = 4,
    bad: tuple[int, int] | None = None,
) -> Path:
    """Write a deep file with OpenEXR: pixels with 0 to `samples` - 1 samples, a line without, and a NaN at `bad`."""
    random = np.random.default_rng(3)
    width, height = 37, 21
    counts = random.integers(0, samples, (height, width))
    counts[5] = 0
    header: dict[str, Any] = {"compression": getattr(OpenEXR, f"{compression}_COMPRESSION")}
    header["type"] = OpenEXR.deepscanline
    if kind == "tiles":
        tiles = OpenEXR.TileDescription()
        tiles.xSize, tiles.ySize = 16, 8
        header |= {"type": OpenEXR.deeptile, "tiles": tiles}
    channels = {}
    for name, dtype in (("A", "float16"), ("Z", "float32"), ("id", "uint32")):
        plane = np.empty((height, width), dtype=object)
        for y, x in np.ndindex(height, width):
            plane[y, x] = np.abs(random.normal(0, 100, counts[y, x])).astype(dtype) if counts[y, x] else None
        channels[name] = plane
    if bad:
        x, y = bad
        assert counts[y, x]
        channels["Z"][y, x][-1] = np.nan
    write_file(path, header, channels)
    return path


def write_file(path: Path, header: Mapping[str, Any], channels: Mapping[str, Any]) -> None:
    """Write a file with one part with OpenEXR."""
    with OpenEXR.File(dict(header), dict(channels)) as file:
        file.write(str(path))


def assert_figures(figures: Any, samples: Any) -> None:
    """The figures of `samples`, a Figures or ChannelStats, are those that numpy computes in 64 bits."""
    with np.errstate(invalid="ignore"):  # signaling NaNs
        values = np.asarray(samples).ravel().astype("float64")
    finite = np.sort(values[np.isfinite(values)])
    largest = np.finfo(samples.dtype).max if samples.dtype.kind == "f" else np.iinfo(samples.dtype).max
    assert figures.sample_count == values.size
    assert figures.finite_count == finite.size
    assert figures.nan_count == np.isnan(values).sum()
    assert figures.pos_inf_count == (values == np.inf).sum()
    assert figures.neg_inf_count == (values == -np.inf).sum()
    assert figures.negative_count == (values < 0).sum()
    assert figures.zero_count == (values == 0).sum()
    assert figures.above_one_count == (finite > 1).sum()
    assert figures.max_finite_count == (np.abs(finite) == float(largest)).sum()
    bins = np.diff(np.searchsorted(finite[finite > 0], [0, *HISTOGRAM_EDGES, np.inf]))
    assert figures.histogram == ((finite < 0).sum(), (finite == 0).sum(), *bins)
    percentiles = (figures.p01, figures.p50, figures.p99, figures.p999)
    if not finite.size:
        assert (figures.min, figures.max, figures.mean, figures.stddev, *percentiles) == (None,) * 8
        return
    assert (figures.min, figures.max) == (finite[0], finite[-1])
    ranks = [math.ceil(Fraction(n, 1000) * finite.size) - 1 for n in (10, 500, 990, 999)]
    if samples.dtype == "float16":
        assert percentiles == tuple(finite[ranks])
    else:
        np.testing.assert_allclose(percentiles, finite[ranks], rtol=1 / 128, atol=1e-40)
    exact = finite.astype(np.longdouble)
    mean = exact.mean()
    deviation = float(np.sqrt(np.mean((exact - mean) ** 2)))
    rounding = 1e-13 * abs(float(mean))
    assert figures.stddev == pytest.approx(deviation, rel=1e-10, abs=rounding)
    assert abs(figures.mean - mean) <= max(1e-12 * deviation, rounding)


def assert_same(data: bytes, parts: list[Planes], limits: PixelLimits) -> None:
    """The bands of all flat parts of a file have exactly the pixels of the planes."""
    chunks = located(data)
    for index, expected in enumerate(parts):
        if chunks[index].leaders.part.is_deep:
            continue
        planes, errors = decoded(data, limits, index)
        assert not errors
        assert list(planes) == [channel.channel_name for channel in chunks[index].leaders.part.channels]
        for name, plane in planes.items():
            assert same_bits(plane, expected[name]), name


def same_bits(first: Any, second: Any) -> bool:
    """Whether two planes have the same type, size and bytes."""
    return (first.dtype, first.shape) == (second.dtype, second.shape) and first.tobytes() == second.tobytes()


def peak_bytes(pid: int) -> int:
    """The most memory that a process had."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():  # not on Linux
        return 0
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) << 10


def decoders(parent: int | None = None, *, folder: Path | None = None) -> list[int]:
    """The processes that decode pixels for this process or the process `parent`; or in a working folder."""
    if not Path("/proc/self/cwd").exists():
        pytest.skip("reads the processes from /proc")
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            is_meant = (
                int((process / "stat").read_text().rpartition(")")[2].split()[1]) == (parent or os.getpid())
                if folder is None
                else (process / "cwd").readlink() == folder
            )
            if is_meant and b"pixels.worker" in (process / "cmdline").read_bytes():
                found.append(int(process.name))
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            pass
    return found


def wait_for_end(pid: int) -> None:
    """Wait until a process has ended; fail after 10 s."""
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline, f"process {pid} is still running"
        time.sleep(0.01)

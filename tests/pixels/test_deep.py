"""Deep parts: counts and samples as OpenEXR and OpenImageIO read them; damage is limited to its chunk."""

from __future__ import annotations

import numpy as np
import OpenEXR
import OpenImageIO
import pytest

from exr_inspector import inspect
from exr_inspector.exr import read_header
from exr_inspector.exr.attributes import Box2i
from exr_inspector.exr.channels import Channel
from exr_inspector.pixels.deep import DeepBand, DeepDecoder
from exr_inspector.pixels.model import SAMPLE_COUNT_EDGES, PixelLimits
from exr_inspector.pixels.report import new_accumulators
from exr_inspector.pixels.samples import SampleBlocks
from tests.support import corpus
from tests.support.pixels import assert_figures, located, statistics_of, write_deep

_LARGE = 100 << 10  # bytes
DEEP = [
    each
    for each in corpus.by_size(_LARGE)
    if each.id == "no corpus" or (each.id.startswith(("deep/", "v2/LowRes")) and "composited" not in each.id)
]
STORED = [(kind, compression) for kind in ("lines", "tiles") for compression in ("NO", "RLE", "ZIPS", "ZSTD")]


def samples_of(data: bytes, limits: PixelLimits = PixelLimits()):  # noqa: B008
    """Counts, and the samples of each channel line by line; tiles are joined."""
    (chunks,) = located(data)
    part = chunks.leaders.part
    window = part.data_window
    counts = np.zeros((window.yMax - window.yMin + 1, window.xMax - window.xMin + 1), int)
    pieces = {channel.channel_name: [[] for _ in counts] for channel in part.channels}
    errors = []
    decoder = DeepDecoder(lambda at, n: data[at : at + n], chunks, limits)
    for band in (band for run in decoder.runs() for band in decoder.decode(run)):
        if not isinstance(band, DeepBand):
            errors.append(band)
            continue
        y, x = band.box.yMin - window.yMin, band.box.xMin - window.xMin
        counts[y : y + band.counts.shape[0], x : x + band.counts.shape[1]] = band.counts
        for name, lines in band.lines.items():
            for number, line in enumerate(lines):
                pieces[name][y + number].append(line)
    return counts, {name: [np.concatenate(p) if p else None for p in lines] for name, lines in pieces.items()}, errors


def assert_counts(counts, deep, window) -> None:
    assert (deep.min, deep.max, deep.total) == (counts.min(), counts.max(), counts.sum())
    assert deep.mean == counts.sum() / counts.size
    assert deep.empty_pixels == (counts == 0).sum()
    row, column = np.unravel_index(counts.argmax(), counts.shape)
    assert (deep.max_x, deep.max_y) == (window.xMin + column, window.yMin + row)
    assert deep.histogram == tuple(np.histogram(counts, [0, *SAMPLE_COUNT_EDGES, 1 << 40])[0])


@pytest.mark.parametrize(("kind", "compression"), [each for each in STORED if each != ("tiles", "ZSTD")])
def test_samples_equal_those_of_openexr(tmp_path, kind, compression):
    path = write_deep(tmp_path / "x.exr", kind, compression)
    counts, lines, errors = samples_of(path.read_bytes(), PixelLimits(band_bytes=3000))
    assert not errors
    with OpenEXR.File(str(path), separate_channels=True) as file:
        planes = {name: channel.pixels for name, channel in file.parts[0].channels.items()}
    lengths = [[0 if pixel is None else len(pixel) for pixel in row] for row in planes["Z"]]
    assert counts.tolist() == lengths
    for name, plane in planes.items():
        for row, line in zip(plane, lines[name], strict=True):
            pixels = [pixel for pixel in row if pixel is not None]
            assert line.tobytes() == (np.concatenate(pixels).tobytes() if pixels else b"")
    report = statistics_of(path.read_bytes(), deep=True)
    assert not report.errors
    assert_counts(counts, report.parts[0].deep, read_header(path.read_bytes()).parts[0].data_window)
    for channel in report.parts[0].channels:
        assert_figures(channel, np.concatenate(lines[channel.channel_name]))


def test_tiles_in_zstd_are_reported(tmp_path):
    """But not as damage. Their lines are packed by pixel type."""
    report = statistics_of(write_deep(tmp_path / "x.exr", "tiles", "ZSTD").read_bytes(), deep=True)
    assert [(error.code, error.where, error.chunk_count) for error in report.errors] == [("not_supported", "all", 9)]
    assert not report.errors[0].is_damage


def test_uncompressed_tiles_at_the_edges_are_complete(tmp_path):
    """The library writes their sample tables with the size of a whole tile."""
    inspection = inspect(write_deep(tmp_path / "x.exr", "tiles", "NO"))
    assert (inspection.completeness, inspection.problems) == ("complete", ())


@pytest.mark.slow
@pytest.mark.parametrize("path", DEEP)
def test_samples_equal_those_of_openimageio(path):
    """Also those of files with `deepImageState`, which OpenEXR.File rejects."""
    data = path.read_bytes()
    counts, lines, errors = samples_of(data)
    assert not errors
    source = OpenImageIO.ImageInput.open(str(path))
    deep = source.read_native_deep_image()
    width = counts.shape[1]
    assert deep.pixels == counts.size
    assert [deep.samples(pixel) for pixel in range(deep.pixels)] == counts.ravel().tolist()
    names = [deep.channelname(channel) for channel in range(deep.channels)]
    y = int(counts.sum(axis=1).argmax())
    for name in lines:
        channel = names.index(name)
        found = [
            deep.deep_value(pixel, channel, sample)
            for pixel in range(y * width, (y + 1) * width)
            for sample in range(deep.samples(pixel))
        ]
        if lines[name][y].dtype != "uint32":  # read as floats
            np.testing.assert_array_equal(lines[name][y].astype("float32"), np.array(found, "float32"))
    source.close()
    report = statistics_of(data, deep=True)
    (part,) = report.parts
    assert_counts(counts, part.deep, read_header(data).parts[0].data_window)
    assert part.pixel_digest.startswith("xxh3-sha256:")
    for figures in part.channels:
        assert_figures(figures, np.concatenate(lines[figures.channel_name]))


def test_counts_alone_read_the_tables_only(tmp_path):
    data = write_deep(tmp_path / "x.exr", "lines", "ZIPS", samples=200).read_bytes()
    (chunks,) = located(data)
    read = []

    def read_range(at, length):
        read.append(length)
        return data[at : at + length]

    decoder = DeepDecoder(read_range, chunks, PixelLimits(), counts_only=True)
    bands = [band for run in decoder.runs() for band in decoder.decode(run)]
    counts, _, _ = samples_of(data)
    assert np.concatenate([band.counts for band in bands]).tolist() == counts.tolist()
    assert sum(read) < len(data) / 10
    (part,) = statistics_of(data).parts
    assert part.deep.total == counts.sum()
    assert (part.channels, part.pixel_digest, part.errors) == ((), None, ())


def test_the_first_sample_that_is_not_finite(tmp_path):
    path = write_deep(tmp_path / "x.exr", "lines", "ZIPS", bad=(11, 6))
    (part,) = statistics_of(path.read_bytes(), deep=True).parts
    (depth,) = (channel for channel in part.channels if channel.channel_name == "Z")
    assert (depth.first_nonfinite_x, depth.first_nonfinite_y, depth.nan_count) == (11, 6, 1)


def damaged_table(data: bytearray, chunks, slot: int) -> str:
    """Increase a sample count: more samples than the chunk has."""
    at = chunks.leaders.offsets[slot] + chunks.leaders.leader.size
    data[at + 8] += 1
    return "not consistent"


def damaged_size(data: bytearray, chunks, slot: int) -> str:
    """Declare more samples than the table does."""
    data[chunks.leaders.offsets[slot] + chunks.leaders.leader.size - 8] ^= 16
    return "not consistent"


def impossible_size(data: bytearray, chunks, slot: int) -> str:
    """Declare 3 GB of samples."""
    at = chunks.leaders.offsets[slot] + chunks.leaders.leader.size - 8
    data[at : at + 8] = (3 << 30).to_bytes(8, "little")
    return "invalid leader or size"


@pytest.mark.parametrize("damage", [damaged_table, damaged_size, impossible_size])
def test_inconsistent_chunks_are_lost_alone(tmp_path, damage):
    data = bytearray(write_deep(tmp_path / "x.exr", "lines", "RLE").read_bytes())
    (chunks,) = located(bytes(data))
    slot = 7
    message = damage(data, chunks, slot)
    before, _, _ = samples_of(write_deep(tmp_path / "x.exr", "lines", "RLE").read_bytes())
    counts, _, errors = samples_of(bytes(data))
    assert [error.slots for error in errors] == [range(slot, slot + 1)]
    assert message in errors[0].fault.message
    assert np.delete(counts, slot, axis=0).tolist() == np.delete(before, slot, axis=0).tolist()
    (part,) = statistics_of(bytes(data), deep=True).parts
    assert [(error.where, error.chunk_count) for error in part.errors] == [("line 7", 1)]
    assert part.pixel_digest is None


def test_the_first_nan_of_tiles_side_by_side():
    """The block of samples begins with the lower lines of the first tile."""
    channels = [Channel("Z", "FLOAT", 1, 1, 0)]
    accumulators = new_accumulators(channels, {"Z"})
    blocks = SampleBlocks(channels, accumulators)
    for x, nan_line in ((0, 1), (2, 0)):
        lines = [np.full(2, np.nan if line == nan_line else 1, "float32") for line in range(2)]
        blocks.add(DeepBand(Box2i(x, 10, x + 1, 11), np.ones((2, 2), int), {"Z": lines}))
    blocks.flush()
    figures = accumulators["Z"].result()
    assert (figures.first_nonfinite_y, figures.first_nonfinite_x) == (10, 2)

"""The demo's encoders: zlib and OpenEXR decode the original data."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exr_inspector.demo.deflate import deflate
from exr_inspector.demo.packing import deep_part, scanline_part, tiled_part
from exr_inspector.exr.attributes import Box2i
from exr_inspector.exr.writer import file_bytes
from tests.support.oracles import opened

WINDOW, DISPLAY = Box2i(-3, 5, 36, 51), Box2i(0, 0, 63, 63)  # more than one chunk in every compression
SHAPE = (WINDOW.yMax - WINDOW.yMin + 1, WINDOW.xMax - WINDOW.xMin + 1)


@pytest.mark.slow
@given(st.lists(st.tuples(st.integers(0, 255), st.integers(1, 600)), max_size=40))
@example([(200, length) for length in (1, 2, 3, 4, 257, 258, 259, 260, 261, 262, 263, 516, 517, 518, 519, 520)])
@example([(value, 1) for value in range(256)])
def test_zlib_decodes_deflate(runs):
    data = b"".join(bytes([value]) * length for value, length in runs)
    assert zlib.decompress(deflate(data)) == data


def planes(*types):
    """Smooth, random and constant planes of each type."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    pictures = {"smooth": x / 8 - y / 16, "random": rng.integers(-999, 999, SHAPE) / 32, "empty": np.zeros(SHAPE)}
    return {f"{t[1:]}.{name}": picture.astype(t) for t in types for name, picture in pictures.items()}


def assert_read(data, expected):
    (part,) = opened(data)
    assert part.channels.keys() == expected.keys()
    for name, plane in expected.items():
        np.testing.assert_array_equal(part.channels[name].pixels, plane, name, strict=True)


@pytest.mark.parametrize(
    ("compression", "types"),
    [("NONE", "f2 f4"), ("ZIPS", "f2 f4"), ("ZIP", "f2 f4"), ("PXR24", "f2"), ("DWAA", "f2 f4")],
)
def test_openexr_reads_scan_lines(compression, types):
    """In every compression of the show, each pixel is unchanged."""
    channels = planes(*(f"<{each}" for each in types.split()))
    data = file_bytes([scanline_part({}, channels, WINDOW, DISPLAY, compression)])
    assert compression == "NONE" or len(data) < sum(plane.nbytes for plane in channels.values())
    assert_read(data, channels)


def test_openexr_reads_tiles():
    channels = planes("<f2", "<f4")
    assert_read(file_bytes([tiled_part({"type": "tiledimage"}, [channels], 16, "ZIP", "RANDOM_Y")]), channels)


def test_openexr_reads_deep_lines():
    """With lines without samples, and pixels with zero to three samples."""
    counts = [[(x * y) % 4 for x in range(9)] for y in range(6)]

    def numbered(first):
        return [
            [[first + x + 10 * y + 100 * at for at in range(n)] for x, n in enumerate(line)]
            for y, line in enumerate(counts)
        ]

    samples = {"A": numbered(0.5), "Z": numbered(1000.0)}
    (part,) = opened(file_bytes([deep_part({}, samples, Box2i(0, 0, 8, 5))]))
    for name, lines in samples.items():
        found = [[[] if pixel is None else pixel.tolist() for pixel in line] for line in part.channels[name].pixels]
        assert found == lines

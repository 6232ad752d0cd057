"""Levels, tiles, chunk counts and sizes, compared with the formulas of the specification and with OpenEXR's files."""

from __future__ import annotations

import io
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exr_inspector.exr import chunk_counts, levels, read_chunks, read_header
from exr_inspector.exr.attributes import COMPRESSIONS
from exr_inspector.exr.geometry import LINES_PER_CHUNK, chunk_sizes, lines_per_chunk
from tests.support import exr_writer as w

ROUNDINGS = [w.ROUND_DOWN, w.ROUND_UP]


def part_of(part):
    """The part as read from a file that holds only this part."""
    return read_header(w.build(part).data).parts[0]


def tiled(width, height, tiles):
    return part_of(w.part(window=(-3, 7, width - 4, height + 6), tiles=tiles))


def level_size(size: int, level: int, rounding: int) -> int:
    """max(1, rf(size / 2 ** level)), as in the specification."""
    rf = math.floor if rounding == w.ROUND_DOWN else math.ceil
    return max(1, rf(size / 2**level))


def level_count(size: int, rounding: int) -> int:
    """rf(log2(size)) + 1, as in the specification."""
    rf = math.floor if rounding == w.ROUND_DOWN else math.ceil
    return rf(math.log2(size)) + 1


sizes = st.integers(1, 70)
tile_sizes = st.integers(8, 40)


@pytest.mark.slow
@given(sizes, sizes, tile_sizes, st.sampled_from(ROUNDINGS))
def test_mipmap_levels_follow_the_formula(width, height, tile, rounding):
    """Both axes shrink together until the longer one is a single pixel."""
    found = levels(tiled(width, height, w.Tiles(tile, tile + 1, w.MIPMAP_LEVELS, rounding)))
    count = level_count(max(width, height), rounding)
    assert [(level.level_x, level.level_y) for level in found] == [(n, n) for n in range(count)]
    for n, level in enumerate(found):
        size = level_size(width, n, rounding), level_size(height, n, rounding)
        assert (level.width, level.height) == size
        assert (level.tiles_x, level.tiles_y) == (math.ceil(size[0] / tile), math.ceil(size[1] / (tile + 1)))


@pytest.mark.slow
@given(sizes, sizes, st.sampled_from(ROUNDINGS))
def test_ripmap_levels_follow_the_formula(width, height, rounding):
    """Every pair of levels, x levels first."""
    found = levels(tiled(width, height, w.Tiles(16, 16, w.RIPMAP_LEVELS, rounding)))
    across, down = level_count(width, rounding), level_count(height, rounding)
    assert [(level.level_x, level.level_y) for level in found] == [(x, y) for y in range(down) for x in range(across)]
    assert [(level.width, level.height) for level in found] == [
        (level_size(width, x, rounding), level_size(height, y, rounding)) for y in range(down) for x in range(across)
    ]


def test_levels_of_a_window_below_zero():
    """Sizes shrink, windows are not scaled: 13 × 12 pixels from (-3, -5), rounded up."""
    part = part_of(w.part(window=(-3, -5, 9, 6), tiles=w.Tiles(4, 4, w.MIPMAP_LEVELS, w.ROUND_UP)))
    assert [(level.width, level.height) for level in levels(part)] == [(13, 12), (7, 6), (4, 3), (2, 2), (1, 1)]
    assert [level.tiles_x * level.tiles_y for level in levels(part)] == [12, 4, 1, 1, 1]


@pytest.mark.parametrize(
    "raw",
    [
        b"\0\0\0\0\x10\0\0\0\0",
        b"\x10\0\0\0\0\0\0\0\0",
        b"\x10\0\0\0\x10\0\0\0\x03",
        b"\x10\0\0\0\x10\0\0\0\x20",
        b"\x10\0\0\0\x10\0\0\0",
    ],
    ids=["no width", "no height", "unknown level mode", "unknown rounding", "cut"],
)
def test_invalid_tile_descriptions_have_no_levels(raw):
    """The chunk count is unknown."""
    part = part_of(w.part(tiles=w.Tiles(), replace={"tiles": w.attribute("tiles", "tiledesc", raw)}))
    assert levels(part) == []
    assert chunk_counts((part,)) == [None]


@pytest.mark.parametrize("window", [(0, 0, -1, 7), (0, 0, 7, -1), (9, 9, 0, 0)])
def test_an_empty_window_has_no_levels(window):
    """The chunks cannot be counted."""
    box = {"dataWindow": w.fixed("dataWindow", "box2i", *window)}
    assert levels(part_of(w.part(tiles=w.Tiles(), replace=box))) == []


def test_lines_per_chunk_are_those_of_the_writer():
    """The tables of reader and writer agree."""
    assert tuple(LINES_PER_CHUNK[name] for name in COMPRESSIONS) == w.LINES_PER_CHUNK


def written_by_openexr(compression, channels):
    openexr = pytest.importorskip("OpenEXR")
    header = {"compression": compression, "type": openexr.scanlineimage}
    file = io.BytesIO()
    openexr.File(header, channels).write(file)
    return file.getvalue()


@pytest.mark.parametrize("code", range(len(COMPRESSIONS)), ids=COMPRESSIONS)
@pytest.mark.parametrize("height", [1, 100, 513])
def test_chunk_counts_of_files_that_openexr_wrote(code, height):
    """The count equals the number of leaders in the file, for each compression that the library writes."""
    openexr = pytest.importorskip("OpenEXR")
    numpy = pytest.importorskip("numpy")
    pixels = (numpy.arange(height * 37) % 251 / 7).astype("float16").reshape(height, 37)
    data = written_by_openexr(openexr.Compression(code), {"R": pixels, "G": pixels})
    header = read_header(data)
    assert header.parts[0].value("compression", "compression") == COMPRESSIONS[code]
    assert chunk_counts(header.parts) == [math.ceil(height / lines_per_chunk(header.parts[0]))]
    report = read_chunks(header, lambda at, length: data[at : at + length], len(data))
    assert (report.completeness, report.chunks_present) == ("complete", report.chunk_count)
    # The count is right only if the last chunk ends at the end of the file.
    (part,) = report.parts
    assert part.packed_bytes == len(data) - header.header_bytes - (8 + 8) * part.chunk_count


def unpacked_bytes(part) -> int:
    size = chunk_sizes(part, levels(part))
    return sum(size(slot) for slot in range(*chunk_counts((part,))))


def test_bytes_before_compression():
    """Subsampled channels have fewer samples; tiled parts include all levels; deep parts count samples in 4 bytes."""
    chroma = (("BY", w.HALF, 2, 2, 0), ("RY", w.HALF, 2, 2, 0), ("Y", w.HALF, 1, 1, 0))
    assert unpacked_bytes(part_of(w.part(width=22, height=38, channels=chroma))) == 2508
    mip = w.part(width=4, height=4, tiles=w.Tiles(8, 8, w.MIPMAP_LEVELS))
    assert unpacked_bytes(part_of(mip)) == 6 * (16 + 4 + 1)
    assert unpacked_bytes(part_of(w.part(width=5, height=3, deep=True))) == 4 * 15


@pytest.mark.parametrize("compression", [0, 3, 4])
@pytest.mark.parametrize(
    "part",
    [
        {"window": (-3, 5, 7, 52)},
        {
            "window": (-4, 6, 7, 53),
            "channels": (("RY", w.HALF, 2, 4, 0), ("Y", w.FLOAT, 1, 1, 0), ("Z", w.UINT, 3, 2, 0)),
        },
        {"width": 37, "height": 21, "tiles": w.Tiles(16, 8, w.RIPMAP_LEVELS, w.ROUND_UP)},
        {"width": 37, "height": 21, "tiles": w.Tiles(16, 8, w.MIPMAP_LEVELS)},
    ],
    ids=["lines", "subsampled", "ripmap", "mipmap"],
)
def test_chunk_sizes_are_those_of_the_writer(part, compression):
    """Of each chunk before compression."""
    written = w.build(w.part(**part, compression=compression))
    read = read_header(written.data).parts[0]
    size = chunk_sizes(read, levels(read))
    leader = 20 if read.is_tiled else 8
    assert [leader + size(slot) for slot in range(len(written.chunks))] == [n for _, _, n in written.chunks]


@pytest.mark.parametrize(
    "part",
    [
        {"replace": {"channels": w.attribute("channels", "chlist", w.chlist((("Y", 9, 1, 1, 0),)))}},
        {"replace": {"channels": w.attribute("channels", "chlist", w.chlist((("Y", w.HALF, 0, 1, 0),)))}},
        {"replace": {"channels": w.attribute("channels", "chlist", w.chlist(()))}},
        {"channels": (("Y", w.HALF, 2, 2, 0),), "tiles": w.Tiles(8, 8)},
        {"replace": {"compression": w.attribute("compression", "compression", b"\x63")}},
    ],
    ids=["pixel type", "sampling", "no channels", "sampled tiles", "compression"],
)
def test_invalid_headers_define_no_chunk_sizes(part):
    """Libraries reject these headers."""
    read = part_of(w.part(width=8, height=8, **part))
    assert chunk_sizes(read, levels(read)) is None


@pytest.mark.parametrize("tiles", [None, w.Tiles(8, 8, w.MIPMAP_LEVELS, w.ROUND_UP), w.Tiles(8, 8, w.RIPMAP_LEVELS)])
@pytest.mark.parametrize("deep", [False, True])
def test_chunk_counts_are_those_of_the_writer(tiles, deep):
    """Scan lines and tiles, flat and deep."""
    written = w.build(w.part(window=(-5, -9, 31, 17), compression=2, tiles=tiles, deep=deep))
    assert chunk_counts(read_header(written.data).parts) == [len(written.chunks)]

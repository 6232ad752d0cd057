"""The writer's valid files are valid: OpenEXR and OpenImageIO open them and read every pixel."""

from __future__ import annotations

from pathlib import Path

import numpy
import OpenEXR
import OpenImageIO
import pytest

from tests.support import exr_writer as w
from tests.support.oracles import image_levels, opened
from tests.support.small_exr import small_file

ODD = (-3, 5, 97, 64)  # 101 x 60, off the origin, no multiple of anything
LAYERS = (("A", w.HALF, 1, 1, 0), ("depth.Z", w.FLOAT, 1, 1, 0), ("id", w.UINT, 1, 1, 0))
LUMA_CHROMA = (("BY", w.HALF, 2, 2, 0), ("RY", w.HALF, 2, 2, 0), ("Y", w.HALF, 1, 1, 1))
VALUES = [
    w.text("owner", "Ada Löwe"),
    w.fixed("count", "int", -7),
    w.fixed("lens", "v2f", 1.5, -2),
    w.fixed("exact", "double", 0.1),
    w.fixed("framesPerSecond", "rational", 24000, 1001),
    w.attribute("timeCode", "timecode", w.timecode(10, 59, 58, 23, drop=True)),
    w.fixed("keyCode", "keycode", 1, 2, 345678, 90, 1, 4, 64),
    w.attribute("multiView", "stringvector", w.stringvector(["left", "right"])),
    w.attribute("preview", "preview", w.preview(4, 2)),
]
LAST_LEVEL = {w.ONE_LEVEL: (0, 101, 60), w.MIPMAP_LEVELS: (0, 1, 1)}
MIP_AND_RIP = [
    (mode, rounding)
    for mode in (w.ONE_LEVEL, w.MIPMAP_LEVELS, w.RIPMAP_LEVELS)
    for rounding in (w.ROUND_DOWN, w.ROUND_UP)
]


@pytest.mark.parametrize("code", range(len(w.LINES_PER_CHUNK)), ids=lambda code: OpenEXR.Compression(code).name)
def test_a_chunk_of_the_unpacked_size_is_read_under_every_compression(code):
    """The pixels come out as they were put in, without the writer knowing one codec."""
    written = w.build(w.part(window=ODD, channels=LAYERS, compression=code))
    (part,) = opened(written.data)
    assert part.channels["depth.Z"].pixels.shape == (60, 101)
    assert not part.channels["id"].pixels.any()
    assert len(written.chunks) == -(-60 // w.LINES_PER_CHUNK[code])


def test_pixels_are_where_the_layout_says(tmp_path):
    """A line holds all of the first channel, then all of the second."""
    line = b"\0\x3c" * 4 + b"\0\xc0" * 4 + b"\0\x38" * 4
    data = w.build(w.part(width=4, height=2, pixels=line)).data
    channels = opened(data)[0].channels
    assert [float(channels[name].pixels[1, 3]) for name in "BGR"] == [1, -2, 0.5]
    assert image_levels(data, tmp_path) == [(0, 4, 2)]


def test_subsampled_channels():
    """Chroma at half the resolution has a quarter of the samples, also off the origin."""
    (part,) = opened(w.build(w.part(window=(2, -4, 33, 15), channels=LUMA_CHROMA)).data)
    assert part.channels["BY"].pixels.shape == (10, 16)


def test_values_of_the_attribute_encoders():
    """OpenEXR reads back what was encoded."""
    header = opened(w.build(w.part(extra=VALUES)).data)[0].header
    assert header["owner"] == "Ada Löwe"
    assert header["count"] == -7
    assert header["lens"].tolist() == [1.5, -2]
    assert header["exact"] == 0.1
    rate, code, key = header["framesPerSecond"], header["timeCode"], header["keyCode"]
    assert (rate.numerator, rate.denominator) == (24000, 1001)
    assert (code.hours, code.minutes, code.seconds, code.frame) == (10, 59, 58, 23)
    assert code.dropFrame
    assert (key.filmMfcCode, key.prefix, key.perfsPerCount) == (1, 345678, 64)
    assert header["multiView"] == ["left", "right"]
    assert header["preview"].pixels.shape == (2, 4)


def chunks_by_openexr(mode: int, rounding: int, tmp_path: Path) -> int:
    """The chunkCount that OpenEXR computes, which it stores in multipart files."""
    tiles = OpenEXR.TileDescription()
    tiles.xSize, tiles.ySize = 32, 16
    tiles.mode, tiles.roundingMode = OpenEXR.LevelMode(mode), OpenEXR.LevelRoundingMode(rounding)
    header, channels = {"type": OpenEXR.tiledimage, "tiles": tiles}, {"R": numpy.zeros((60, 101), "float16")}
    path = str(tmp_path / "openexr.exr")
    OpenEXR.File([OpenEXR.Part(dict(header), channels, name) for name in "ab"]).write(path)
    return OpenEXR.File(path, header_only=True).header()["chunkCount"]


@pytest.mark.parametrize(("mode", "rounding"), MIP_AND_RIP)
def test_tiled_files_have_every_tile_of_every_level(mode, rounding, tmp_path):
    """The offset table is as long as OpenEXR's own, OpenImageIO reads each level, no byte is left over."""
    written = w.build(w.part(window=ODD, tiles=w.Tiles(32, 16, mode, rounding)))
    (part,) = opened(written.data)
    assert part.channels["R"].pixels.shape == (60, 101)
    assert len(written.chunks) == chunks_by_openexr(mode, rounding, tmp_path)
    if mode != w.RIPMAP_LEVELS:  # OpenImageIO asks for tiles that the levels of a ripmap do not have
        assert image_levels(written.data, tmp_path)[-1] == LAST_LEVEL[mode]
    _, offset, size = written.chunks[-1]
    assert offset + size == len(written.data)


@pytest.mark.parametrize("tiles", [None, w.Tiles(32, 16)], ids=["deepscanline", "deeptile"])
def test_deep_files(tiles, tmp_path):
    """One sample in every pixel."""
    written = w.build(w.part(window=ODD, channels=LAYERS[:2], tiles=tiles, deep=True))
    assert image_levels(written.data, tmp_path) == [(0, 101, 60)]
    deep = OpenImageIO.ImageBuf(str(tmp_path / "image.exr")).deepdata()
    assert {deep.samples(pixel) for pixel in range(deep.pixels)} == {1}
    if tiles is None:  # OpenEXR's Python bindings read no deep tiles
        (part,) = opened(written.data)
        assert all(len(samples) == 1 for samples in part.channels["A"].pixels.flat)


def test_multipart_files_mix_kinds(tmp_path):
    """Scanline, tiled, mipmap and deep parts stand in one file, each with its own table."""
    parts = [
        w.part(name="beauty", compression=3, extra=[w.text("view", "left")]),
        w.part(name="depth", tiles=w.Tiles(8, 8)),
        w.part(name="texture", tiles=w.Tiles(8, 8, w.MIPMAP_LEVELS)),
        w.part(name="deep", channels=LAYERS[:1], deep=True),
    ]
    written = w.build(parts)
    assert [each.header["name"] for each in opened(written.data)] == ["beauty", "depth", "texture", "deep"]
    assert {part for part, _, _ in image_levels(written.data, tmp_path)} == {0, 1, 2, 3}


@pytest.mark.parametrize("multipart", [False, True])
def test_positions_are_those_of_the_file(multipart):
    """Each entry of each offset table is the offset that the result names."""
    parts = [w.part(name="a"), w.part(name="b", compression=3, height=40)] if multipart else w.part()
    written = w.build(parts)
    assert written.table_offsets[0] == written.header_bytes
    for part, table in enumerate(written.table_offsets):
        expected = [offset for owner, offset, _ in written.chunks if owner == part]
        stored = written.data[table : table + 8 * len(expected)]
        assert [int.from_bytes(stored[i : i + 8], "little") for i in range(0, len(stored), 8)] == expected


def test_wrong_files_can_be_written():
    """A required attribute dropped, another replaced, odd flags, a packed size of one's choice."""
    broken = w.part(replace={"channels": None, "lineOrder": b"junk"}, compression=3, pixels=b"12345")
    written = w.build(broken, flags=w.LONG_NAMES, version=9)
    assert b"chlist" not in written.data
    assert b"junk" in written.data
    assert written.data[4:8] == bytes([9, 4, 0, 0])
    assert written.chunks[0][2] == 4 + 4 + 5
    with pytest.raises(Exception, match=r"."):
        opened(written.data)


@pytest.mark.parametrize("multipart", [False, True])
def test_small_files_are_valid(multipart):
    """They open, have the attributes asked for, and their pixels can be read."""
    for index in range(0, 700, 23):
        count = 12 + index % 29
        data = small_file(index, multipart, count)
        parts = opened(data)
        assert len(parts) == 1 + multipart
        assert not parts[0].channels["R"].pixels.any()
        added = set() if multipart else {"type"}  # OpenEXR says the type also where the file does not
        assert len(parts[0].header.keys() - added) == count


def test_small_files_of_a_sequence_differ_where_frames_differ():
    """Two frames share the sequence's attributes and not the frame's."""
    first, second = (opened(small_file(index, False, 40))[0].header for index in (1, 2))
    changed = {name for name in first if str(first[name]) != str(second[name])}
    assert {"arnold/frame", "arnold/stats/time/render"} <= changed
    assert "arnold/version" not in changed
    assert first.keys() == second.keys()

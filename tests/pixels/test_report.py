"""The report of a file: what is left out, regions, threads, and damage."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import OpenEXR
import pytest

from exr_inspector.pixels.model import PixelLimits, StatsOptions
from tests.support import exr_writer as w
from tests.support.pixels import located, picture, statistics_of, write, write_deep, write_file

ZIP = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
SMALL = PixelLimits(band_bytes=40 << 10)


def only_part(path, planes, **options):
    write_file(path, ZIP, planes)
    (part,) = statistics_of(path.read_bytes(), **options).parts
    return part


def test_the_used_window_is_in_pixels_of_the_image(tmp_path):
    """A window with an offset; negative zeros are zero."""
    plane = np.zeros((100, 60), "float16")
    plane[20, 7] = plane[90, 3] = 1
    plane[95, 50] = -0.0
    header = {**ZIP, "dataWindow": (np.array([10, -5], "int32"), np.array([69, 94], "int32"))}
    write_file(tmp_path / "x.exr", header, {"R": plane, "Z": np.zeros((100, 60), "float32")})
    (part,) = statistics_of((tmp_path / "x.exr").read_bytes(), limits=SMALL).parts
    assert part.used_window == (13, 15, 17, 85)
    assert part.empty_regions == ()
    assert [channel.zero_count == channel.sample_count for channel in part.channels] == [False, True]


def image(boxes, size=(160, 100)):
    """Planes that are not zero but in some boxes."""
    plane = np.ones((size[1], size[0]), "float16")
    for left, top, right, bottom in boxes:
        plane[top : bottom + 1, left : right + 1] = 0
    return {"R": plane * 0, "A": plane}


def text_and_object():
    """Two lines of text, and an object above another one, before a black background."""
    plane = np.zeros((100, 160), "float16")
    plane[10:20, 30:90:3] = plane[40:50, 30:90:2] = plane[70:95, 20:120] = 1
    return {"R": plane}


@pytest.mark.parametrize(
    ("planes", "tile", "regions"),
    [
        pytest.param(image([(0, 40, 159, 47)]), None, ((10, 35, 169, 42),), id="lines"),
        pytest.param(
            image([(0, 16, 159, 31), (0, 64, 159, 80)]), None, ((10, 11, 169, 26), (10, 59, 169, 75)), id="twice"
        ),
        pytest.param(image([(0, 32, 159, 63)]), (32, 32), ((10, 27, 169, 58),), id="row of tiles"),
        pytest.param(image([(64, 0, 95, 31), (64, 32, 95, 63)]), (32, 32), ((74, -5, 105, 58),), id="tiles"),
        pytest.param(image([(32, 64, 63, 95), (96, 64, 127, 95)]), (32, 32), ((42, 59, 73, 90), (106, 59, 137, 90)),
                     id="separate tiles"),
        pytest.param(image([(0, 0, 159, 15), (0, 84, 159, 99)]), None, (), id="letterbox"),
        pytest.param(image([(0, 0, 31, 99), (128, 0, 159, 99)]), (32, 32), (), id="pillarbox"),
        pytest.param(image([(0, 40, 159, 46)]), None, (), id="few lines"),
        pytest.param(image([(0, 40, 139, 80)]), None, (), id="beside an object"),
        pytest.param(image([(60, 0, 91, 31)]), (32, 32), (), id="not a tile"),
        pytest.param(image([(32, 0, 63, 31)] + [(0, 31 - n, 40, 31) for n in range(20)]), (32, 32), (), id="shape"),
        pytest.param(text_and_object(), None, (), id="text"),
        pytest.param(text_and_object(), (16, 16), (), id="text in tiles"),
    ],
)  # fmt: skip
def test_empty_regions(tmp_path, planes, tile, regions):
    """Lines and tiles that are zero in all channels, between filled ones; also where bands end inside them."""
    header = {**ZIP, "dataWindow": (np.array([10, -5], "int32"), np.array([169, 94], "int32"))}
    if tile:
        tiles = OpenEXR.TileDescription()
        tiles.xSize, tiles.ySize = tile
        header |= {"type": OpenEXR.tiledimage, "tiles": tiles}
    write_file(tmp_path / "x.exr", header, planes)
    data = (tmp_path / "x.exr").read_bytes()
    for limits in (PixelLimits(), PixelLimits(band_bytes=160 * 2 * 16 * 2)):
        (part,) = statistics_of(data, limits=limits).parts
        assert part.empty_regions == regions


def test_a_constant_frame_and_a_black_one(tmp_path):
    gray, black = np.full((40, 40), 0.18, "float16"), np.zeros((40, 40), "float16")
    part = only_part(tmp_path / "x.exr", {"R": gray, "G": black})
    for channel, value in zip(part.channels, (0.0, float(gray[0, 0])), strict=True):  # G, R
        assert (channel.min, channel.max, channel.finite_count) == (value, value, 1600)
        assert channel.zero_count == (1600 if value == 0 else 0)
    part = only_part(tmp_path / "x.exr", {"R": black})
    assert (part.used_window, part.is_empty) == (None, True)


def test_the_used_window_is_unknown_if_chunks_are_lost(tmp_path):
    """The lost lines may be outside the window of the others, or an empty frame may have had pixels."""
    write_file(tmp_path / "x.exr", ZIP, {"R": np.zeros((40, 40), "float16")})
    data = bytearray((tmp_path / "x.exr").read_bytes())
    (chunks,) = located(bytes(data))
    at = chunks.leaders.offsets[1] + 8
    data[at : at + 4] = b"\xff" * 4
    (part,) = statistics_of(bytes(data)).parts
    assert [error.chunk_count for error in part.errors] == [1]
    assert (part.used_window, part.is_empty) == (None, None)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_color_where_alpha_is_zero(tmp_path, dtype):
    planes = picture(40, 40, ["R", "G", "B", "A", "fx.R", "fx.A", "crypto00.r", "crypto00.a"], dtype)
    for name, plane in planes.items():
        plane[:] = 0.5 if name.lower().endswith("a") else 1
    planes["A"][3, :5] = 0
    planes["fx.A"][2] = -0.0
    planes["fx.R"][2, 10:] = 0
    planes["A"][0, 0], planes["A"][1, 1], planes["A"][1, 2] = 1.5, -0.25, np.inf
    part = only_part(tmp_path / "x.exr", planes)
    assert [
        (each.layer, each.alpha_negative_count, each.alpha_above_one_count, each.color_without_alpha_count)
        for each in part.layers
    ] == [("", 1, 2, 5), ("fx", 0, 0, 10)]


def test_the_first_sample_that_is_not_finite_in_any_order_of_threads(tmp_path):
    planes = picture(75, 301, "R", "float16") | picture(75, 301, "Z", "float32")
    for name in planes:
        planes[name][200, 3] = planes[name][40, 70] = np.nan
        planes[name][40, 71] = -np.inf
    for threads in (1, 3):
        part = only_part(tmp_path / "x.exr", planes, threads=threads, limits=SMALL)
        for channel in part.channels:
            assert (channel.first_nonfinite_x, channel.first_nonfinite_y) == (70, 40)
            assert (channel.nan_count, channel.neg_inf_count, channel.pos_inf_count) == (2, 1, 0)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_infinite_depth_is_not_the_first_nonfinite_sample(tmp_path, dtype):
    """It is in other channels, and -inf and NaN are."""
    plane = np.full((40, 40), np.inf, dtype)
    plane[30, 2] = np.nan
    lower = np.ones((40, 40), dtype)
    lower[2] = np.inf
    lower[3, 4] = -np.inf
    part = only_part(tmp_path / "x.exr", {"Z": plane, "beauty.depth": lower, "R": plane})
    found = {each.channel_name: (each.first_nonfinite_x, each.first_nonfinite_y) for each in part.channels}
    assert found == {"Z": (2, 30), "beauty.depth": (4, 3), "R": (0, 0)}


@pytest.mark.slow
def test_threads_do_not_change_the_report(tmp_path):
    for kind in ("lines", "tiles", "subsampled"):
        data = write(tmp_path / "x.exr", kind).read_bytes()
        assert statistics_of(data, limits=SMALL) == statistics_of(data, threads=3, limits=SMALL)


def test_stride_decodes_every_nth_run(tmp_path):
    data = write(tmp_path / "x.exr").read_bytes()
    (whole,) = statistics_of(data, limits=SMALL).parts
    (part,) = statistics_of(data, limits=SMALL, stride=3).parts
    for before, after in zip(whole.channels, part.channels, strict=True):
        assert 0 < after.sample_count < before.sample_count / 2
        assert after.stride == 3
        assert after.pixel_digest is None


@pytest.mark.parametrize("is_deep", [False, True])
def test_a_stride_that_leaves_out_nothing_is_as_none(tmp_path, is_deep):
    """The part is one run."""
    data = (write_deep if is_deep else write)(tmp_path / "x.exr").read_bytes()
    report = statistics_of(data, stride=10, deep=True)
    assert report == statistics_of(data, deep=True)
    assert (report.stride, report.parts[0].pixel_digest is not None) == (1, True)


def test_parts_and_channels_can_be_selected(tmp_path):
    data = write(tmp_path / "x.exr", "parts").read_bytes()
    report = statistics_of(data, parts=[2, 0], channels=["G", "A"])
    assert [(part.part_index, [c.channel_name for c in part.channels]) for part in report.parts] == [
        (0, ["G"]),
        (2, ["A"]),
    ]


def test_level_0_only():
    """The other levels of a texture do not count."""
    tiles = w.Tiles(8, 8, w.MIPMAP_LEVELS)
    part = w.part(width=20, height=12, tiles=tiles, pixels=lambda size: b"\0\x3c" * (size // 2))
    (stats,) = statistics_of(w.build(part).data).parts
    assert {channel.sample_count for channel in stats.channels} == {240}


def test_damaged_chunks_are_named_and_the_others_count(tmp_path):
    path = write(tmp_path / "x.exr")
    data = bytearray(path.read_bytes())
    (chunks,) = located(bytes(data))
    for slot in (5, 6, 9):
        begin = chunks.leaders.offsets[slot] + chunks.leaders.leader.size
        data[begin : begin + 60] = b"\xff" * 60
    del data[chunks.leaders.offsets[18] + 4 :]
    (part,) = statistics_of(bytes(data)).parts
    assert [(error.code, error.where, error.chunk_count) for error in part.errors] == [
        ("decode_failed", "lines 80-111, 144-159", 3),
        ("chunk_missing", "lines 288-300", 1),
    ]
    assert part.decode_errors == 4
    assert {channel.sample_count for channel in part.channels} == {75 * (301 - 48 - 13)}


@pytest.mark.parametrize(
    ("part", "code"),
    [
        (w.part(channels=[("R", 9, 1, 1, 0)]), "not_decodable"),
        (w.part(channels=[("R", w.HALF, 1, 1, 0), ("R", w.HALF, 1, 1, 0)]), "not_decodable"),
        (w.part(channels=[("R", w.HALF, 3, 1, 0)]), "not_decodable"),
        (w.part(width=5_000_000, height=2), "chunk_too_large"),
        (w.part(replace={"compression": w.attribute("compression", "compression", b"\x20")}), "not_decodable"),
    ],
    ids=["pixel type", "repeated name", "sampling", "chunk size", "compression"],
)
def test_parts_that_are_not_decoded(part, code):
    limits = PixelLimits(chunk_bytes=1 << 20)
    (stats,) = statistics_of(w.build(part).data, limits=limits).parts
    assert [(error.code, error.where) for error in stats.errors] == [(code, "all")]
    assert bool(stats.decode_errors) == (code != "chunk_too_large")  # a limit is not damage
    assert not stats.channels


@pytest.mark.parametrize("compression", [OpenEXR.ZIP_COMPRESSION, OpenEXR.DWAA_COMPRESSION])
def test_channel_names_that_are_not_utf8(tmp_path, compression):
    """They are those of the header: Latin-1."""
    planes = picture(40, 40, ["aX.R", "aX.G", "aX.B", "Z"], "float16")
    write_file(tmp_path / "x.exr", {**ZIP, "compression": compression}, planes)
    data = (tmp_path / "x.exr").read_bytes()
    expected = statistics_of(data).parts[0].channels
    (part,) = statistics_of(data.replace(b"aX.", b"a\xe9.")).parts
    assert part.errors == ()
    assert [replace(each, pixel_digest=None) for each in part.channels] == [
        replace(each, channel_name=each.channel_name.replace("aX", "a\xe9"), pixel_digest=None) for each in expected
    ]


@pytest.mark.parametrize(
    ("kind", "option", "value"),
    [
        (StatsOptions, "stride", 0),
        (StatsOptions, "stride", -2),
        (StatsOptions, "threads", 0),
        (PixelLimits, "seconds", float("inf")),
        (PixelLimits, "seconds", float("nan")),
        (PixelLimits, "seconds", -1),
        (PixelLimits, "chunk_bytes", 1 << 31),
        (PixelLimits, "band_bytes", 0),
    ],
)
def test_options_that_are_out_of_range(kind, option, value):
    with pytest.raises(ValueError, match=f"{option} is {value}; expected"):
        kind(**{option: value})

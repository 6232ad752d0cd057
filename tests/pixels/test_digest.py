"""Digests: equal for equal pixels in any layout, different for any other pixels."""

from __future__ import annotations

import numpy as np
import OpenEXR
import pytest

from exr_inspector.pixels.model import PixelLimits
from tests.support.pixels import picture, statistics_of, write_deep, write_file

LOSSLESS = ("NO", "RLE", "ZIPS", "ZIP", "PIZ", "ZSTD", "HTJ2K32")
SIZE = (75, 61)


def digests(data: bytes, **options):
    """The digest of the part and those of its channels."""
    (part,) = statistics_of(data, **options).parts
    return part.pixel_digest, {channel.channel_name: channel.pixel_digest for channel in part.channels}


def written(path, planes, compression="ZIP", tile=None, line_order=None):
    header = {"compression": getattr(OpenEXR, f"{compression}_COMPRESSION"), "type": OpenEXR.scanlineimage}
    if line_order is not None:
        header["lineOrder"] = line_order
    if tile:
        tiles = OpenEXR.TileDescription()
        tiles.xSize, tiles.ySize = tile
        header |= {"type": OpenEXR.tiledimage, "tiles": tiles}
    write_file(path, header, planes)
    return path.read_bytes()


@pytest.fixture(scope="module")
def planes():
    return {**picture(*SIZE, "ABGR", "float16"), **picture(*SIZE, ["Z"], "float32"), **picture(*SIZE, ["id"], "uint32")}


@pytest.fixture
def expected(tmp_path, planes):
    return digests(written(tmp_path / "expected.exr", planes))


@pytest.mark.slow
def test_layouts_of_the_same_pixels(tmp_path, planes, expected):
    path = tmp_path / "x.exr"
    layouts = [written(path, planes, compression) for compression in LOSSLESS]
    layouts += [written(path, planes, tile=tile) for tile in ((32, 16), (7, 61), (75, 5), (128, 512))]
    layouts.append(written(path, planes, line_order=OpenEXR.DECREASING_Y))
    assert expected[0].startswith("xxh3-sha256:")
    for data in layouts:
        assert digests(data) == expected
        assert digests(data, threads=2, limits=PixelLimits(band_bytes=4000)) == expected


def test_lossy_compression_changes_lossy_channels(tmp_path, planes, expected):
    part, channels = digests(written(tmp_path / "x.exr", planes, "DWAA"))
    assert part != expected[0]
    changed = {name for name, digest in channels.items() if digest != expected[1][name]}
    assert {"R", "G", "B"} <= changed
    assert "A" not in changed


@pytest.mark.parametrize("change", ["one bit", "name", "two rows swapped", "cropped", "sign of zero"])
def test_other_pixels(tmp_path, planes, expected, change):
    other = {name: plane.copy() for name, plane in planes.items()}
    if change == "one bit":
        other["R"].view("uint16")[60, 74] ^= 1
    elif change == "name":
        other["S"] = other.pop("R")
    elif change == "two rows swapped":
        other["R"][[4, 5]] = other["R"][[5, 4]]
    elif change == "sign of zero":
        planes = {**planes, "R": np.zeros_like(planes["R"])}
        expected = digests(written(tmp_path / "zero.exr", planes))
        other["R"] = -planes["R"]
    else:
        other = {name: plane[:-1].copy() for name, plane in planes.items()}
    part, channels = digests(written(tmp_path / "x.exr", other))
    assert part != expected[0]
    different = {name for name, digest in channels.items() if expected[1].get(name) != digest}
    assert different == (set(planes) if change == "cropped" else {"S"} if change == "name" else {"R"})


@pytest.mark.slow
def test_deep_layouts_and_counts(tmp_path):
    path = tmp_path / "x.exr"
    expected = digests(write_deep(path).read_bytes(), deep=True)
    for kind, compression in (("lines", "NO"), ("lines", "ZSTD"), ("tiles", "ZIPS"), ("tiles", "RLE")):
        assert digests(write_deep(path, kind, compression).read_bytes(), deep=True) == expected
    assert digests(write_deep(path, samples=5).read_bytes(), deep=True)[0] != expected[0]


def test_no_digest_unless_all_pixels_were_decoded(tmp_path, planes):
    data = written(tmp_path / "x.exr", planes)
    assert digests(data, stride=2, limits=PixelLimits(band_bytes=1)) == (None, dict.fromkeys(planes))
    assert digests(data, digest=False) == (None, dict.fromkeys(planes))
    assert digests(data[:-100]) == (None, dict.fromkeys(planes))
    part, channels = digests(data, channels=["R"])
    assert (part, channels) == (None, {"R": digests(data)[1]["R"]})

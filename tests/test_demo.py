"""The demo show: good files are valid, and DEFECTS lists all others."""

from __future__ import annotations

import io
from pathlib import Path
from struct import unpack_from

import numpy
import OpenEXR
import pytest

from exr_inspector import demo
from exr_inspector.demo import cryptomatte, damage, make_show
from exr_inspector.exr import read_header
from tests.support.oracles import image_levels, opened

UNREADABLE = {"truncated", "incomplete", "not_exr"}
BY_KIND = {defect.kind: defect.path for defect in demo.DEFECTS}


@pytest.fixture(scope="module")
def show(tmp_path_factory):
    root = tmp_path_factory.mktemp("show")
    return root, make_show(root)


@pytest.fixture(scope="module")
def good(show):
    root, paths = show
    bad = {root / defect.path for defect in demo.DEFECTS if defect.kind in UNREADABLE}
    return [path for path in paths if path not in bad]


def header(path: Path) -> dict[str, object]:
    return OpenEXR.File(io.BytesIO(path.read_bytes()), header_only=True).header()


def sequence(root: Path, stem: str) -> list[Path]:
    return sorted((root / stem).parent.glob("*.exr"))


@pytest.mark.slow
def test_paths_of_the_show(show):
    """Sorted and complete; the show is small enough to be made on every run."""
    root, paths = show
    assert paths == sorted(path for path in root.rglob("*") if path.is_file())
    assert all(path.suffix == ".exr" for path in paths)
    assert sum(path.stat().st_size for path in paths) < 15_000_000


@pytest.mark.slow
def test_openexr_and_openimageio_read_every_good_file_to_the_last_pixel(good, tmp_path):
    """Only files in DEFECTS are damaged."""
    for path in good:
        data = path.read_bytes()
        assert all(part.channels for part in opened(data)), path.name
        assert image_levels(data, tmp_path), path.name


@pytest.mark.slow
def test_kinds_of_files(good, tmp_path):
    """Tiled, multi-layer, stereo, multipart, mipmap, deep, overscan and cropped files."""
    parts = {path: opened(path.read_bytes()) for path in good}
    views = {tuple(part.header.get("view") for part in found) for found in parts.values()}
    assert ("left", "right") in views
    assert max(len(found) for found in parts.values()) == 4
    assert {found[0].header["type"].name for found in parts.values()} == {
        "scanlineimage",
        "tiledimage",
        "deepscanline",
    }
    (texture,) = [path for path in good if "textures" in path.parts]
    sizes = [size for _, size, _ in image_levels(texture.read_bytes(), tmp_path)]
    assert sizes == [128, 64, 32, 16, 8, 4, 2, 1]
    corner = {path: (p[0].header["dataWindow"][0], p[0].header["displayWindow"][0]) for path, p in parts.items()}
    assert any((data < display).all() for data, display in corner.values()), "overscan"
    assert any((data > display).all() for data, display in corner.values()), "cropped"


@pytest.mark.parametrize(
    ("stem", "same", "changing"),
    [
        (
            demo.ARNOLD,
            "arnold/version",
            {"arnold/frame", "arnold/stats/time/render", "arnold/stats/memory/peak"},
        ),
        (demo.VRAY, "vrayInfo/vrayversion", {"vrayInfo/frame", "vrayInfo/rendertime", "vrayInfo/vmem"}),
        (demo.CYCLES, "BlenderMultiChannel", {"Frame", "RenderTime", "Date"}),
    ],
)
def test_headers_of_a_sequence(show, stem, same, changing):
    """The renderer is the same in all frames, measured values differ."""
    first, second = (header(path) for path in sequence(show[0], stem)[:2])
    assert first[same] == second[same]
    assert all(first[name] != second[name] for name in changing)
    assert first.keys() == second.keys()


def test_cryptomatte_ids_are_those_of_the_manifest(show):
    """The id channel has the hash of the visible buoy as a float."""
    (part,) = opened(sequence(show[0], demo.ARNOLD)[0].read_bytes())
    (manifest,) = [value for name, value in part.header.items() if name.endswith("/manifest")]
    ids = part.channels["CryptoObject00.R"].pixels
    assert ids.dtype == numpy.float32
    seen = {f"{bits:08x}" for bits in numpy.unique(ids.view("uint32")) if bits}
    assert len(seen) == 3
    assert all(each in manifest for each in seen)


def test_cryptomatte_hashes():
    """Known hashes: the layer and an object of a file from V-Ray."""
    assert f"{cryptomatte.murmur3(b'uCryptoWildcard'):08x}".startswith("2ae4678")
    assert f"{cryptomatte.id_bits('rect_[_top'):08x}" == "c1fa3f1f"


def test_missing(show):
    """Only this frame of the sequence is missing."""
    root, paths = show
    frame = root / BY_KIND["missing"]
    assert frame not in paths
    assert {int(path.suffixes[-2][1:]) for path in sequence(root, demo.ARNOLD)} == {
        1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1010
    }  # fmt: skip


def test_truncated(show):
    """Three fifths of a frame: its header and some tiles are readable."""
    root, _ = show
    path = root / BY_KIND["truncated"]
    offsets = table(path.read_bytes())
    assert all(offsets)
    assert sum(offset >= path.stat().st_size for offset in offsets) in range(2, 8)
    assert header(path)["compression"] == OpenEXR.ZIP_COMPRESSION


def test_incomplete(show):
    """Five of nine chunks were written; the file ends after the fifth."""
    data = (show[0] / BY_KIND["incomplete"]).read_bytes()
    offsets = table(data)
    assert [bool(offset) for offset in offsets] == [True] * 5 + [False] * 4
    (size,) = unpack_from("<i", data, offsets[4] + 4)
    assert offsets[4] + 8 + size == len(data)
    assert not any(part.channels for part in opened(data))


def test_compression(show):
    """One frame of the sequence has another compression; the file is good."""
    root, _ = show
    found = {path: header(path)["compression"].name for path in sequence(root, demo.VRAY)}
    assert found.pop(root / BY_KIND["compression"]) == "DWAA_COMPRESSION"
    assert set(found.values()) == {"ZIPS_COMPRESSION"}


def test_not_exr(show, tmp_path):
    """A valid PNG with an EXR name."""
    data = (show[0] / BY_KIND["not_exr"]).read_bytes()
    assert data == damage.png()
    assert image_levels(data, tmp_path, "reference.png") == [(0, 64, 36)]


def table(data: bytes) -> list[int]:
    """The offset table of a file of one part."""
    start = read_header(data).header_bytes
    count = 12 if b"tiledesc" in data else 9
    return list(unpack_from(f"<{count}Q", data, start))

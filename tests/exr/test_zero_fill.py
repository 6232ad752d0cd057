"""Zero-filled ends and holes inside chunks whose leader is valid."""

import io
from struct import unpack_from

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exr_inspector import inspect
from exr_inspector.exr import read_chunks, read_header
from tests.exr.test_chunks import base_of, reader
from tests.support import exr_writer as w
from tests.support.strategies import examples

numpy = pytest.importorskip("numpy")
openexr = pytest.importorskip("OpenEXR")

COMPRESSIONS = sorted(name for name in openexr.Compression.__members__ if name != "NUM_COMPRESSION_METHODS")
TYPES = {"half": "float16", "float": "float32", "uint": "uint32"}
PACKED = [name for name in COMPRESSIONS if name != "NO_COMPRESSION"]


def written(compression: str, channels: dict, tiles: int = 0) -> bytes:
    header = {"compression": openexr.Compression.__members__[compression], "type": openexr.scanlineimage}
    if tiles:
        header["type"] = openexr.tiledimage
        header["tiles"] = openexr.TileDescription()
        header["tiles"].xSize = header["tiles"].ySize = tiles
    file = io.BytesIO()
    openexr.File(header, channels).write(file)
    return file.getvalue()


def pixels(height: int, width: int, dtype: str = "float16"):
    """Noise with some structure: packed chunks of more than 4 KiB that are smaller than their pixels."""
    noise = numpy.random.default_rng(1).random((height, width)) ** 4
    y, x = numpy.mgrid[0:height, 0:width]
    smooth = numpy.sin(x / 90) + numpy.cos(y / 70) + 2
    return numpy.where(noise > 0.2, numpy.round(smooth * 99) / 99 + numpy.round(noise * 99) / 99, smooth).astype(dtype)


@pytest.mark.slow
@pytest.mark.parametrize("compression", COMPRESSIONS)
@given(data=st.data())
@examples(25)
def test_black_images_are_complete(compression, data):
    """Pixels of zeros, of one value, and of zeros on one side, in channels of all types."""
    height, width = data.draw(st.integers(1, 140)), data.draw(st.sampled_from([1, 7, 64, 700, 4099]))
    channels = {}
    for name in data.draw(st.sampled_from(["Z", "BGR", "ABGRZ"])):
        plane = numpy.zeros((height, width), TYPES[data.draw(st.sampled_from(sorted(TYPES)))])
        kind = data.draw(st.sampled_from(["zero", "zero", "one value", "half"]))
        if kind == "one value":
            plane[:] = 7
        elif kind == "half":
            plane[:, width // 2 :] = numpy.arange(width - width // 2) % 9
        channels[name] = plane
    file = written(compression, channels, data.draw(st.sampled_from([0, 0, 32])))
    for chunks in ("all", "sample"):
        inspection = inspect(file, chunks=chunks)
        assert (inspection.completeness, inspection.problems) == ("complete", ()), chunks


@pytest.mark.parametrize("compression", PACKED)
def test_a_zero_filled_end_of_the_last_chunk_is_incomplete(compression):
    """The leader is valid, the data ends in zeros: the writer or a copy stopped there."""
    data = written(compression, dict.fromkeys("BGR", pixels(70, 700)))
    assert inspect(data).completeness == "complete"
    begin, end = base_of(data).spans[-1]
    assert end - begin > 200
    damaged = data[: end - 80] + bytes(80)
    for chunks in ("all", "sample"):
        inspection = inspect(damaged, chunks=chunks)
        assert inspection.completeness == "incomplete"
        assert inspection.file.chunks_present == inspection.file.chunk_count - 1
        assert "(zero-filled)" in inspection.parts[0].missing


@pytest.mark.fast_cases(4)
@pytest.mark.parametrize("compression", PACKED)
def test_a_hole_behind_the_leader_of_a_chunk_is_incomplete(compression):
    """In the first chunk, which is always checked."""
    data = written(compression, dict.fromkeys("BGR", pixels(300, 2000)))
    begin, end = base_of(data).spans[0]
    damaged = data[: begin + 8] + bytes(min(5000, end - begin - 8)) + data[min(begin + 5008, end) :]
    assert len(damaged) == len(data)
    for chunks in ("all", "sample"):
        inspection = inspect(damaged, chunks=chunks)
        assert (inspection.completeness, inspection.file.chunks_present) == (
            "incomplete",
            inspection.file.chunk_count - 1,
        )


DEEP = ["NO", "RLE", "ZIPS", "ZSTD"]


def deep(compression: str, width: int, tiles: tuple[int, int] | None = None) -> bytes:
    """A deep file of 21 lines, some of them empty, whose samples are zero."""
    header = {"compression": openexr.Compression.__members__[f"{compression}_COMPRESSION"]}
    header["type"] = openexr.deepscanline
    if tiles:
        header |= {"type": openexr.deeptile, "tiles": openexr.TileDescription()}
        header["tiles"].xSize, header["tiles"].ySize = tiles
    counts = numpy.random.default_rng(5).integers(0, 9, (21, width))
    counts[[0, 7, 8, 20]] = 0
    counts[13] = 1
    samples = numpy.empty(counts.shape, object)
    for at in zip(*counts.nonzero(), strict=True):
        samples[at] = numpy.zeros(counts[at], "float32")
    file = io.BytesIO()
    openexr.File(header, {"A": samples, "Z": samples}).write(file)
    return file.getvalue()


@pytest.mark.parametrize("compression", DEEP)
def test_deep_files_with_empty_lines_and_zero_samples_are_complete(compression):
    """Lines and tiles at edges, and lines of one pixel, whose tables are stored as they are."""
    for width, tiles in ((37, None), (1, None), (37, (16, 8)), (3, (1, 1))):
        data = deep(compression, width, tiles)
        for chunks in ("all", "sample", "table"):
            inspection = inspect(data, chunks=chunks)
            assert (inspection.completeness, inspection.problems) == ("complete", ()), (width, tiles, chunks)


@pytest.mark.parametrize("compression", DEEP[1:])
def test_zero_filled_tables_and_samples_of_deep_chunks_are_incomplete(compression):
    """The begin of the table or of the samples of any chunk, and the end of the last one; leaders are valid."""
    base = base_of(deep(compression, 37))
    for begin, end in base.spans:
        table, packed, unpacked = unpack_from("<3Q", base.data, begin + 4)
        assert begin + 28 + table + packed == end
        for at in [begin + 28, *([begin + 28 + table] if packed < unpacked else [])]:
            damaged = base.data[:at] + bytes(min(8, end - at)) + base.data[min(at + 8, end) :]
            inspection = inspect(damaged, chunks="all")
            assert (inspection.completeness, inspection.file.chunks_present) == ("incomplete", len(base.offsets) - 1)
    begin, end = base.spans[-1]
    for length in (4 if compression == "ZIPS" else end - begin - 28, end - begin - 28):
        for chunks in ("all", "sample"):
            inspection = inspect(base.data[: end - length] + bytes(length), chunks=chunks)
            assert (inspection.completeness, inspection.file.chunks_present) == ("incomplete", len(base.offsets) - 1)


@pytest.mark.parametrize(("compression", "height"), [("ZIPS", 50), ("RLE", 50), ("PIZ", 1600)])
@pytest.mark.parametrize("check", ["fast", "full"])
def test_all_finds_the_zero_filled_begin_of_any_chunk(compression, height, check, monkeypatch):
    """In files with more chunks than a sample has; leaders are valid, and only the first bytes of the data are zero."""
    if check == "full":
        monkeypatch.setattr("exr_inspector.exr.fast_check._MAX_CHUNKS", 0)
    base = base_of(written(f"{compression}_COMPRESSION", dict.fromkeys("BGR", pixels(height, 90))))
    for begin, _ in base.spans:
        damaged = base.data[: begin + 8] + bytes(8) + base.data[begin + 16 :]
        inspection = inspect(damaged, chunks="all")
        assert (inspection.completeness, inspection.file.chunks_present) == ("incomplete", len(base.offsets) - 1)


@pytest.mark.parametrize("chunks", ["table", "sample", "all"])
def test_data_of_dwa_begins_with_its_version(chunks):
    """Which may be 0; the sizes behind it are not all zero."""
    file = w.build(w.part(compression=8, height=64, width=64, pixels=bytes(8) + bytes(range(92))))
    assert inspect(file.data, chunks=chunks).completeness == "complete"
    file = w.build(w.part(compression=8, height=64, width=64, pixels=bytes(48) + bytes(range(52))))
    assert inspect(file.data, chunks=chunks).completeness == "incomplete"


def test_all_reads_each_chunk_once():
    """Each leader with the first bytes of the data, though the chunks are too large to be read in one piece."""
    base = base_of(written("ZIP_COMPRESSION", dict.fromkeys("BGR", pixels(300, 2000))))
    begin, end = base.spans[-2]
    assert end - begin > 2 * 12 << 10
    for data in (base.data, base.data[: begin + 8] + bytes(9) + base.data[begin + 17 :]):
        ranges: list[tuple[int, int]] = []
        report = read_chunks(read_header(data), reader(data, ranges), len(data))
        assert report.chunks_present == len(base.offsets) - (data != base.data)
        assert len(ranges) == 1 + len(base.offsets) + 1


@pytest.mark.parametrize("compression", ["B44_COMPRESSION", "B44A_COMPRESSION"])
def test_types_that_b44_does_not_compress_may_be_zero(compression):
    """A zero depth channel after the colours, and a zero id before them."""
    zeros = numpy.zeros((70, 700), "float32")
    for channels in ({"B": pixels(70, 700), "Z": zeros}, {"A": zeros.astype("uint32"), "R": pixels(70, 700)}):
        data = written(compression, channels)
        begin, end = base_of(data).spans[0]
        assert end - begin < 32 * 700 * 6
        for chunks in ("all", "sample"):
            assert inspect(data, chunks=chunks).completeness == "complete"

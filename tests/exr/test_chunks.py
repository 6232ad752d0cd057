"""Completeness of damaged files: twelve kinds of file, each kind of damage, and the description of what is missing."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from struct import pack, pack_into, unpack_from

import pytest

from exr_inspector import inspect
from exr_inspector.errors import ExrFormatError
from exr_inspector.exr import ChunkReport, chunk_counts, read_chunks, read_header
from tests.support import corpus
from tests.support import exr_writer as w

LAYERS = (("A", w.HALF, 1, 1, 0), ("depth.Z", w.FLOAT, 1, 1, 1), ("id", w.UINT, 1, 1, 0))


@dataclass(frozen=True)
class Base:
    """An undamaged file and the offsets of its chunks, read from its offset table."""

    data: bytes
    header_bytes: int
    offsets: tuple[int, ...]  # in table order

    @property
    def data_start(self) -> int:
        return self.header_bytes + 8 * len(self.offsets)

    @property
    def spans(self) -> list[tuple[int, int]]:
        """Begin and end of each chunk in file order: a chunk ends where the next begins."""
        begins = sorted(self.offsets)
        return list(zip(begins, [*begins[1:], len(self.data)], strict=True))

    def whole_before(self, position: int) -> int:
        """Number of chunks that end at or before a position."""
        return sum(end <= position for _, end in self.spans)

    def with_offset(self, slot: int, offset: int) -> bytes:
        """The file with one entry of its offset table replaced."""
        data = bytearray(self.data)
        pack_into("<Q", data, self.header_bytes + 8 * slot, offset)
        return bytes(data)

    def without(self, slots: Sequence[int]) -> bytes:
        """The file without some chunks, as if they were never written."""
        table, body = [0] * len(self.offsets), b""
        for begin, end in self.spans:
            slot = self.offsets.index(begin)
            if slot not in slots:
                table[slot] = self.data_start + len(body)
                body += self.data[begin:end]
        return self.data[: self.header_bytes] + pack(f"<{len(table)}Q", *table) + body

    def with_zero_table(self, size: int) -> bytes:
        """The first bytes of the file, as if the writer was killed before it wrote the offset table."""
        return (self.data[: self.header_bytes].ljust(self.data_start, b"\0") + self.data[self.data_start :])[:size]


def base_of(data: bytes) -> Base:
    header = read_header(data)
    count = sum(n or 0 for n in chunk_counts(header.parts))
    return Base(data, header.header_bytes, unpack_from(f"<{count}Q", data, header.header_bytes))


@lru_cache
def written_by_openexr(name: str) -> bytes:
    """A file of 61 × 70 compressible pixels from (-3, 5)."""
    numpy = pytest.importorskip("numpy")
    openexr = pytest.importorskip("OpenEXR")
    y, x = numpy.mgrid[0:70, 0:61]
    pixels = (numpy.sin(x / 9) * numpy.cos(y / 7) + 1.5 + (x * y) % 17 / 99).astype("float16")
    header = {
        "compression": getattr(openexr, f"{name}_COMPRESSION"),
        "type": openexr.scanlineimage,
        "dataWindow": (numpy.array([-3, 5], "int32"), numpy.array([57, 74], "int32")),
        "displayWindow": (numpy.array([0, 0], "int32"), numpy.array([63, 79], "int32")),
    }
    file = io.BytesIO()
    openexr.File(header, dict.fromkeys("BGR", pixels)).write(file)
    return file.getvalue()


def written(*parts: w.Part) -> bytes:
    return w.build(list(parts)).data


def filled(size: int) -> bytes:
    """Bytes without zeros."""
    return bytes(1 + n % 255 for n in range(size))


MADE = {
    "tiled": lambda: written(w.part(window=(-3, 5, 57, 44), tiles=w.Tiles(16, 16), pixels=filled)),
    "mipmap": lambda: written(
        w.part(window=(-3, 5, 57, 44), tiles=w.Tiles(16, 16, w.MIPMAP_LEVELS, w.ROUND_UP), pixels=filled)
    ),
    "multipart": lambda: written(
        w.part(name="beauty", channels=LAYERS, pixels=filled), w.part(name="depth", compression=3, pixels=filled)
    ),
    "deepscanline": lambda: written(w.part(deep=True, pixels=filled)),
    "deeptile": lambda: written(w.part(deep=True, tiles=w.Tiles(8, 4), pixels=filled)),
}
BASES = ["NO", "ZIP", "PIZ", "PXR24", "B44", "DWAA", "RLE", *MADE]


@pytest.fixture(params=BASES, scope="module")
def base(request) -> Base:
    """One of the twelve kinds of file."""
    made = MADE.get(request.param)
    return base_of(made() if made else written_by_openexr(request.param))


def test_undamaged_files_are_complete(base):
    """No missing chunks and no problems; chunks fill the file behind the table."""
    inspection = inspect(base.data)
    assert inspection.completeness == "complete"
    assert inspection.problems == ()
    assert inspection.file.chunk_count == inspection.file.chunks_present == len(base.offsets) > 1
    assert all(part.missing is None for part in inspection.parts)
    assert_packed_bytes_fill_the_file(base.data, inspection)


def assert_packed_bytes_fill_the_file(data, inspection):
    header = read_header(data)
    leaders = 0
    for part in header.parts:
        coordinates = 4 * header.is_multipart + (16 if part.is_tiled else 4)
        leaders += inspection.parts[part.part_index].chunk_count * (coordinates + (24 if part.is_deep else 4))
    packed = sum(part.packed_bytes for part in inspection.parts)
    assert packed + leaders + 8 * inspection.file.chunk_count + header.header_bytes == len(data)


def assert_cut(base: Base, position: int) -> None:
    """Assert the verdict on the file cut at `position`."""
    data = base.data[:position]
    if position < base.header_bytes:
        with pytest.raises(ExrFormatError) as raised:
            inspect(data)
        assert raised.value.code == ("truncated" if data else "empty_file"), position
        return
    inspection = inspect(data)
    assert inspection.completeness == "truncated", position
    present = base.whole_before(position) if position >= base.data_start else 0
    assert inspection.file.chunks_present == present, position
    assert any(part.missing for part in inspection.parts), position


@pytest.mark.slow
def test_a_cut_at_any_byte_is_detected(base):
    """In the header, in the table, between and inside chunks; whole chunks are counted."""
    end = len(base.data)
    edges = {n for begin, stop in base.spans for n in (begin, begin + 1, begin + 19, stop - 1)}
    positions = {*range(0, end, 1 + end // 400), *edges, base.header_bytes, base.data_start, base.data_start - 1}
    for position in sorted(positions):
        assert_cut(base, position)


@pytest.mark.fast_cases(12)
@pytest.mark.parametrize("path", corpus.VALID)
def test_a_cut_in_a_valid_file_is_detected(path):
    """Corpus files are complete; a cut is detected at forty positions and at the last byte."""
    data = path.read_bytes()
    base = base_of(data)
    inspection = inspect(data)
    assert (inspection.completeness, inspection.problems) == ("complete", ())
    assert_packed_bytes_fill_the_file(data, inspection)
    chosen = random.Random(path.name)
    table = [base.header_bytes + n for n in (0, 1, 4, 8 * len(base.offsets) - 1, 8 * len(base.offsets))]
    cuts = 40 if len(base.offsets) < 500 else 6
    for position in [*table, *(chosen.randrange(len(data)) for _ in range(cuts)), len(data) - 1]:
        assert_cut(base, position)


@pytest.mark.slow
@pytest.mark.parametrize("path", corpus.SMALL[-1:] + corpus.SMALL[:1])
def test_a_cut_at_every_byte_of_a_small_valid_file_is_detected(path):
    """Each length from 0 to one byte less than the file; behind the first chunk of the larger file, each fifth."""
    base = base_of(path.read_bytes())
    end, first_chunk = len(base.data), base.spans[0][1]
    for position in (*range(first_chunk), *range(first_chunk, end - 1, 1 if end < 10_000 else 5), end - 1):
        assert_cut(base, position)


@pytest.mark.parametrize(("size", "is_valid"), [(80, True), (81, False)])
def test_the_last_chunk_has_fewer_lines_and_a_smaller_limit(size, is_valid):
    """Four lines of ten pixels; the first chunk has sixteen."""
    data = written(w.part(width=10, height=20, channels=[("Y", w.HALF, 1, 1, 0)], compression=3, pixels=filled))
    begin = base_of(data).spans[-1][0]
    inspection = inspect(data[: begin + 4] + pack("<i", size) + filled(size))
    assert (inspection.completeness == "complete") == is_valid


@pytest.mark.parametrize(("compression", "ratio"), [(1, 64), (2, 1032), (3, 1032), (5, 1376), (7, 11)])
def test_a_chunk_with_less_data_than_compression_can_pack_is_corrupt(compression, ratio):
    """By all checks: the header or the leader is wrong."""
    for missing, completeness in ((0, "complete"), (1, "corrupt")):
        fill = lambda n, m=missing: filled(-(-n // ratio) - m)  # noqa: E731
        data = written(w.part(width=3000, compression=compression, pixels=fill))
        for check in ("all", "sample", "table"):
            assert inspect(data, chunks=check).completeness == completeness


def test_deep_samples_that_compression_cannot_pack_are_corrupt():
    """Their size before compression is in the leader."""
    for missing, completeness in ((0, "complete"), (1, "corrupt")):
        fill = lambda n, m=missing: filled(-(-n // 1032) - m)  # noqa: E731
        data = written(w.part(width=3000, height=2, compression=2, deep=True, pixels=fill))
        assert inspect(data).completeness == completeness


def test_a_header_without_a_table_is_truncated(base):
    """Everything is missing."""
    inspection = inspect(base.data[: base.header_bytes])
    assert [part.missing for part in inspection.parts] == ["all"] * len(inspection.parts)
    assert [problem.code for problem in inspection.problems] == ["offset_table_cut"]


def test_a_table_without_chunks_is_truncated(base):
    """All chunks are missing, none "in part"."""
    inspection = inspect(base.data[: base.data_start])
    assert inspection.completeness == "truncated"
    assert [part.missing for part in inspection.parts] == ["all"] * len(inspection.parts)


def test_only_a_cut_inside_a_chunk_leaves_it_in_part(base):
    """The description distinguishes a cut chunk from a missing chunk."""
    begin, end = base.spans[len(base.spans) // 2]
    between = inspect(base.data[:begin])
    inside = inspect(base.data[: begin + (end - begin) // 2])
    for inspection in (between, inside):
        assert inspection.completeness == "truncated"
        assert inspection.file.chunks_present == base.whole_before(begin)
    assert "in part" not in "".join(part.missing or "" for part in between.parts)
    if not inside.file.is_tiled:
        assert "in part" in "".join(part.missing or "" for part in inside.parts)


def test_an_interrupted_render_is_incomplete(base):
    """A writer killed before it wrote the table: zeros in the table, and half of the data."""
    size = (base.data_start + len(base.data)) // 2
    inspection = inspect(base.with_zero_table(size))
    assert inspection.completeness == "incomplete"
    assert inspection.file.chunks_present == base.whole_before(size) > 0
    assert inspection.parts[0].missing != "all"
    assert inspection.problems[0].code == "offset_table_unwritten"


def test_a_table_and_chunks_that_were_never_written_are_incomplete(base):
    """An empty file, or a preallocated file of zeros."""
    for size in (base.data_start, base.data_start + 1, len(base.data)):
        data = base.data[: base.header_bytes].ljust(size, b"\0")
        inspection = inspect(data)
        assert (inspection.completeness, inspection.file.chunks_present) == ("incomplete", 0)
        assert [part.missing for part in inspection.parts] == ["all"] * len(inspection.parts)
        assert inspection.problems == ()
        report = without_walk(data)[0]
        assert (report.completeness, report.chunks_present) == ("incomplete", 0)


def test_a_chunk_behind_a_hole_is_not_found_without_its_entry(base):
    """Only chunks that follow the table or another chunk are found."""
    begin, _ = base.spans[0]
    data = base.with_zero_table(len(base.data))
    assert inspect(data[:begin] + b"\0" + data[begin:]).file.chunks_present == 0


def test_unlisted_chunks_cost_few_reads(base):
    """At most one read for each chunk and each gap."""
    for data in (base.with_zero_table(len(base.data)), base.without(range(0, len(base.offsets), 2)) + filled(99)):
        ranges = []
        read_chunks(read_header(data), reader(data, ranges), len(data))
        assert len(ranges) <= 2 * len(base.offsets) + 4


def test_a_lost_table_is_a_problem_and_not_damage(base):
    """All chunks are in the file, but the table is zero; libraries read the file."""
    data = base.with_zero_table(len(base.data))
    inspection = inspect(data)
    assert (inspection.completeness, inspection.file.chunks_present) == ("complete", len(base.offsets))
    assert {problem.code for problem in inspection.problems} == {"offset_table_unwritten"}
    assert_packed_bytes_fill_the_file(data, inspection)


def test_a_lost_table_gives_unknown_without_a_walk(base):
    """Chunks that are in the file are not reported as missing."""
    report, ranges = without_walk(base.with_zero_table(len(base.data)))
    assert (report.completeness, report.chunks_present, report.missing) == ("unknown", None, None)
    assert report.chunk_count == len(base.offsets)
    assert [problem.code for problem in report.problems] == ["offset_table_unwritten"]
    assert len(ranges) == 2


@pytest.mark.parametrize("where", [0, -1, 1])
def test_a_chunk_that_was_never_written_is_incomplete(base, where):
    """One zero in the table: at its start, at its end, or between."""
    slot = where % len(base.offsets)
    inspection = inspect(base.without([slot]))
    assert inspection.completeness == "incomplete"
    assert inspection.file.chunks_present == len(base.offsets) - 1
    assert [bool(part.missing) for part in inspection.parts].count(True) == 1
    assert inspection.problems == ()


@pytest.mark.parametrize("where", [0, -1, 1])
def test_a_chunk_without_an_entry_is_found(base, where):
    """One zero in the table although the chunk is in the file: libraries read it."""
    inspection = inspect(base.with_offset(where % len(base.offsets), 0))
    assert (inspection.completeness, inspection.file.chunks_present) == ("complete", len(base.offsets))
    assert [problem.code for problem in inspection.problems] == ["offset_table_unwritten"]


def test_one_offset_that_points_to_another_chunk_is_corrupt(base):
    """Two entries point to one chunk: its leader shows whose it is."""
    inspection = inspect(base.with_offset(1, base.offsets[0]))
    assert inspection.completeness == "corrupt"
    assert [problem.code for problem in inspection.problems] == ["misplaced_chunk"]
    assert inspection.file.chunks_present == len(base.offsets) - 1


def test_swapped_offsets_are_corrupt(base):
    """Every chunk is in the file, two under the entry of the other."""
    data = bytearray(base.data)
    pack_into("<2Q", data, base.header_bytes, base.offsets[1], base.offsets[0])
    inspection = inspect(bytes(data))
    assert inspection.completeness == "corrupt"
    assert [problem.code for problem in inspection.problems] == ["misplaced_chunk"]


@pytest.mark.parametrize("offset", [1, 7, (1 << 63) - 1, (1 << 64) - 1], ids=["1", "7", "2^63-1", "2^64-1"])
def test_an_impossible_offset_is_corrupt(base, offset):
    """Inside the header, or larger than any file."""
    inspection = inspect(base.with_offset(0, offset))
    assert inspection.completeness == "corrupt"
    assert [problem.code for problem in inspection.problems] == ["bad_chunk"]
    assert inspection.file.chunks_present == len(base.offsets)  # the chunk is found by its leader, as libraries do
    assert inspection.to_json()


@pytest.mark.parametrize("room", [1, 4096, 3 << 20])
def test_room_before_and_between_chunks_is_accepted(room):
    """Offsets count, wherever the chunks are: room for metadata, or chunks at page borders."""
    base = base_of(w.build(w.part(width=4, height=4, pixels=filled)).data)
    data = moved_apart(base, lambda at: at + room)
    inspection = inspect(data)
    assert (inspection.completeness, inspection.problems) == ("complete", ())
    assert without_walk(data)[0].completeness == "complete"
    assert inspect(data[:-1]).parts[0].missing == "line 3 (3 in part)"
    assert inspect(data[: -room - 2]).completeness == "truncated"


def moved_apart(base: Base, next_begin) -> bytes:
    """The file with each chunk at `next_begin(end of the previous chunk)`."""
    body, table = b"", []
    for begin, end in base.spans:
        at = next_begin(base.data_start + len(body))
        body = body.ljust(at - base.data_start, b"\0") + base.data[begin:end]
        table.append(at)
    return base.data[: base.header_bytes] + pack(f"<{len(table)}Q", *table) + body


@pytest.mark.parametrize("offset", [1 << 24, 1 << 33, 1 << 47])
def test_an_offset_beyond_the_end_of_the_file_is_truncated(offset):
    """The verdict does not depend on an estimate of the size of the file."""
    base = base_of(w.build(w.part(width=4, height=4, pixels=filled)).data)
    data = base.with_offset(3, offset)[: base.offsets[3]]
    assert inspect(data).completeness == without_walk(data)[0].completeness == "truncated"
    assert inspect(data).parts[0].missing == "line 3"


def test_an_offset_into_the_table_is_corrupt(base):
    """Chunks begin after the table."""
    assert inspect(base.with_offset(0, base.data_start - 8)).completeness == "corrupt"


def test_an_offset_into_the_middle_of_a_chunk_is_corrupt(base):
    """Pixels are not a valid leader; if they look like a leader, chunks overlap."""
    begin, end = base.spans[0]
    assert inspect(base.with_offset(0, begin + (end - begin) // 2)).completeness != "complete"


def test_a_size_that_reaches_into_the_next_chunk_is_corrupt(base):
    """One size in a leader is too large."""
    header = read_header(base.data)
    part = header.parts[0]
    at = base.offsets[0] + 4 * header.is_multipart + (16 if part.is_tiled else 4) + 8 * part.is_deep
    data = bytearray(base.data)
    (size,) = unpack_from("<i", data, at)
    pack_into("<i", data, at, size + 1)
    inspection = inspect(bytes(data))
    assert inspection.completeness == "corrupt"
    assert inspection.file.chunks_present == len(base.offsets) - 1  # the next chunk can be read


CHROMA = (("BY", w.HALF, 2, 2, 0), ("RY", w.HALF, 2, 2, 0), ("Y", w.HALF, 1, 1, 0))
CHROMA_ONLY = CHROMA[:2]
SIZED = {
    "scan lines": {"window": (-3, 5, 7, 12), "channels": LAYERS},
    "subsampled": {"width": 10, "height": 8, "channels": CHROMA},
    "partial tiles": {"window": (-3, 5, 17, 16), "tiles": w.Tiles(16, 8)},
    "mipmap": {"width": 21, "height": 12, "tiles": w.Tiles(16, 8, w.MIPMAP_LEVELS, w.ROUND_UP)},
    "ripmap": {"width": 21, "height": 12, "tiles": w.Tiles(16, 8, w.RIPMAP_LEVELS), "channels": LAYERS},
    "deep": {"window": (-3, 5, 7, 12), "deep": True},
    "deep tiles": {"width": 21, "height": 12, "deep": True, "tiles": w.Tiles(16, 8, w.MIPMAP_LEVELS)},
}

FLAT = {name: part for name, part in SIZED.items() if "deep" not in part}


def with_size(chunks: list[tuple[int, int, int]], data: bytes, number: int, change: int, part: dict) -> bytes:
    """The file with another packed size (of a deep chunk, of its sample table) in the leader of one chunk."""
    _, offset, _ = chunks[number]
    at = offset + (16 if "tiles" in part else 4)
    (size,) = unpack_from("<i", data, at)
    changed = bytearray(data)
    pack_into("<i", changed, at, size + change)
    return bytes(changed)


@pytest.mark.parametrize("part", SIZED.values(), ids=SIZED)
@pytest.mark.parametrize("change", [-1, 1])
def test_an_uncompressed_chunk_has_the_size_of_its_pixels(part, change):
    """Each chunk, also at the edges and on all levels; on object stores the last chunk."""
    written = w.build(w.part(**part, pixels=filled))
    assert inspect(written.data).completeness == "complete"
    for number in range(len(written.chunks)):
        data = with_size(written.chunks, written.data, number, change, part)
        inspection = inspect(data)
        assert inspection.completeness == "corrupt", number
        assert inspection.file.chunks_present == len(written.chunks) - 1
    assert without_walk(data)[0].completeness == "corrupt"


@pytest.mark.parametrize("part", SIZED.values(), ids=SIZED)
def test_a_packed_chunk_is_at_most_as_large_as_its_pixels(part):
    """Chunks that do not get smaller are stored as they are, so the same size is valid."""
    written = w.build(w.part(**part, compression=2, pixels=filled))
    assert inspect(written.data).completeness == "complete"
    for number in range(len(written.chunks)):
        smaller = with_size(written.chunks, written.data, number, -1, part)
        assert inspect(smaller).completeness == "complete", number
        larger = with_size(written.chunks, written.data, number, 1, part)
        assert inspect(larger + b"1").completeness == "corrupt", number
    assert without_walk(larger + b"1")[0].completeness == "corrupt"


@pytest.mark.parametrize("compression", range(14))
def test_a_chunk_may_be_empty_only_where_its_lines_have_no_samples(compression):
    """Odd lines of 4:2:0 chroma without luma."""
    lines = w.LINES_PER_CHUNK[compression]
    part = w.part(width=4, height=8, channels=CHROMA_ONLY, compression=compression, pixels=filled)
    base = base_of(w.build(part).data)
    assert inspect(base.data).completeness == "complete"
    if lines == 1:
        data = bytearray(base.data)
        pack_into("<i", data, base.offsets[2] + 4, 0)
        inspection = inspect(bytes(data))
        assert (inspection.completeness, inspection.parts[0].missing) == ("corrupt", "line 2")


def test_deep_chunks_without_samples_are_sound():
    """A sample table of zeros and no data."""
    base = base_of(w.build(w.part(deep=True, width=4, height=4)).data)
    last = base.offsets[-1]
    table_end = last + 28 + 4 * 4
    data = base.data[: last + 4] + pack("<3Q", 16, 0, 0) + bytes(16)
    assert len(data) == table_end < len(base.data)
    assert inspect(data).completeness == "complete"
    assert without_walk(data)[0].completeness == "complete"


@pytest.mark.parametrize("compression", [0, 2])
def test_deep_data_is_not_larger_packed_than_unpacked(compression):
    """Uncompressed data has the declared unpacked size, compressed data at most that size."""
    base = base_of(w.build(w.part(deep=True, compression=compression, pixels=filled)).data)
    data = bytearray(base.data)
    (unpacked,) = unpack_from("<Q", data, base.offsets[-1] + 20)
    pack_into("<Q", data, base.offsets[-1] + 20, unpacked - 1)
    assert inspect(bytes(data)).completeness == "corrupt"


def test_a_zero_filled_tail_is_incomplete(base):
    """A preallocated file whose writer was killed: file size and table are right, the rest is zeros."""
    begin, _ = base.spans[len(base.spans) // 2]
    data = base.data[:begin].ljust(len(base.data), b"\0")
    inspection = inspect(data)
    assert inspection.completeness == "incomplete"
    assert inspection.file.chunks_present == base.whole_before(begin)
    assert "(zero-filled)" in "".join(part.missing or "" for part in inspection.parts)


def test_a_chunk_whose_end_is_zero_filled_counts_as_zero_filled():
    """For codecs that end with a checksum, the chunk in which the zeros begin is detected too."""
    base = base_of(written_by_openexr("ZIP"))
    begin, end = base.spans[2]
    data = base.data[: (begin + end) // 2].ljust(len(base.data), b"\0")
    inspection = inspect(data)
    assert (inspection.completeness, inspection.file.chunks_present) == ("incomplete", 2)
    assert inspection.parts[0].missing == "lines 37-74 (zero-filled)"


def test_bytes_after_the_last_chunk_are_accepted(base):
    """Every chunk is where the table says."""
    for appended in (bytes(1000), filled(1000)):
        inspection = inspect(base.data + appended)
        assert (inspection.completeness, inspection.problems) == ("complete", ())


def without_walk(data: bytes) -> tuple[ChunkReport, list[tuple[int, int]]]:
    """The report from the offset table and the last leader, and the ranges that were read."""
    ranges = []
    return read_chunks(read_header(data), reader(data, ranges), len(data), check="table"), ranges


def reader(data: bytes, ranges: list[tuple[int, int]]) -> Callable[[int, int], bytes]:
    """A function that reads from `data` and records the ranges."""

    def read(at, n):
        ranges.append((at, n))
        return data[at : at + n]

    return read


def test_without_a_walk_the_table_and_the_last_leader_decide(base):
    """Two requests to an object store detect cuts, chunks never written and impossible offsets."""
    report, ranges = without_walk(base.data)
    assert report.completeness == "complete"
    assert report.chunks_checked == 1
    table, leader = ranges
    assert table[0] + table[1] == base.data_start
    assert (leader[0], leader[1] <= 44 + 48) == (base.spans[-1][0], True)
    assert without_walk(base.with_offset(0, 0))[0].completeness == "incomplete"
    assert without_walk(base.with_offset(0, 3))[0].completeness == "corrupt"
    assert without_walk(base.data[: base.data_start])[0].completeness == "truncated"
    begin, end = base.spans[-1]
    for size in (begin, begin + 1, min(begin + leader[1], end - 1), end - 1):
        report = without_walk(base.data[:size])[0]
        assert (report.completeness, report.chunks_present) == ("truncated", len(base.spans) - 1)
    assert without_walk(base.data[:begin] + bytes(end - begin))[0].completeness == "incomplete"


def test_two_entries_of_one_chunk_are_corrupt_without_a_walk(base):
    """A chunk needs room before the next offset."""
    assert without_walk(base.with_offset(1, base.offsets[0]))[0].completeness == "corrupt"


@pytest.mark.parametrize("part", FLAT.values(), ids=FLAT)
def test_an_uncompressed_chunk_needs_room_for_its_pixels_without_a_walk(part):
    """Only the table is read, and the leader of the last chunk."""
    written = w.build(w.part(**part, pixels=filled))
    assert without_walk(written.data)[0].completeness == "complete"
    last = base_of(written.data).offsets[-1]
    data = bytearray(written.data[: last - 1] + written.data[last:])
    pack_into("<Q", data, base_of(written.data).data_start - 8, last - 1)
    report = without_walk(bytes(data))[0]
    assert (report.completeness, report.chunks_present) == ("corrupt", len(written.chunks) - 1)


@pytest.mark.parametrize("path", corpus.VALID)
def test_valid_files_are_complete_without_a_walk(path):
    """No false alarm from the offset table."""
    report, _ = without_walk(path.read_bytes())
    assert (report.completeness, report.problems) == ("complete", ())


def test_a_last_offset_that_points_elsewhere_is_corrupt_without_a_walk(base):
    """The bytes at that offset are not the leader of the chunk."""
    last = base.offsets.index(max(base.offsets))
    assert without_walk(base.with_offset(last, base.offsets[last] + 1))[0].completeness == "corrupt"


def test_a_file_that_shrinks_while_it_is_read_is_damaged(base):
    """The file has fewer bytes than its size when it was opened."""
    begin, _ = base.spans[-1]
    data = base.data[: begin + 2]
    report = read_chunks(read_header(data), lambda at, n: data[at : at + n], len(base.data))
    assert report.completeness in ("truncated", "corrupt")


# --- description of missing chunks ---


def missing(part: w.Part | list[w.Part], *slots: int, cut: int | None = None) -> str | None:
    """`missing` of a file without the chunks of some slots, or cut 20 bytes after the start of a chunk."""
    base = base_of(w.build(part).data)
    whole = base.without(slots)
    stop = len(whole) if cut is None else base.offsets[cut] + 20
    return read_chunks(read_header(whole), lambda at, n: whole[at : min(at + n, stop)], stop).missing


LINES = w.part(window=(-3, -5, 4, 14), pixels=filled)
TILES = w.part(width=32, height=24, tiles=w.Tiles(8, 8), pixels=filled)
MIP = w.part(width=32, height=24, tiles=w.Tiles(8, 8, w.MIPMAP_LEVELS), pixels=filled)
RIP = w.part(width=16, height=16, tiles=w.Tiles(8, 8, w.RIPMAP_LEVELS), pixels=filled)
ZIP = w.part(width=8, height=40, compression=3, pixels=filled)


@pytest.mark.parametrize(
    ("part", "slots", "expected"),
    [
        (LINES, (), None),
        (LINES, (0,), "line -5"),
        (LINES, (0, 1), "lines -5--4"),
        (LINES, (5, 6, 7, 19), "lines 0-2, 14"),
        (LINES, range(20), "all"),
        (LINES, range(1, 20, 2), "lines -4, -2, 0, 2, 4, 6, 8, 10 and 2 more ranges"),
        (ZIP, (0,), "lines 0-15"),
        (ZIP, (2,), "lines 32-39"),
        (ZIP, (0, 2), "lines 0-15, 32-39"),
        (TILES, (5,), "tiles (1,1) level 0"),
        (TILES, (2, 3, 4), "tiles (2,0)-(3,0), (0,1) level 0"),
        (TILES, (1, 2, 3, 4, 5, 6, 7, 8), "tiles (1,0)-(3,0), (0,1)-(3,1), (0,2) level 0"),
        (MIP, range(12), "all tiles level 0"),
        (MIP, (11, 12, 13), "tiles (3,2) level 0; tiles (0,0)-(1,0) level 1"),
        (RIP, (4,), "tiles (0,0) level (1,0)"),
        ([w.part(name="a"), w.part(name="b")], (8, 9), "part 1: lines 0-1"),
        ([w.part(name="a"), w.part(name="b")], (0, 9), "part 0: line 0; part 1: line 1"),
    ],
)
def test_missing_lines_and_tiles_are_described(part, slots, expected):
    """Lines and tiles by their coordinates, not by table slots."""
    assert missing(part, *slots) == expected


def test_a_cut_chunk_is_described_as_in_part():
    """Its lines are missing."""
    assert missing(ZIP, cut=1) == "lines 16-39 (16-31 in part)"
    assert missing(LINES, cut=19) == "line 14 (14 in part)"
    assert missing(LINES, cut=0) == "lines -5-14 (-5 in part)"


def test_a_chunk_in_the_slot_of_a_missing_chunk_is_found():
    """A table with a single entry, in the wrong slot: the leader shows which lines it holds."""
    base = base_of(w.build(w.part(width=4, height=8, pixels=filled)).data)
    data = bytearray(base.data)
    data[base.header_bytes : base.data_start] = pack("<8Q", base.offsets[7], *[0] * 7)
    inspection = inspect(bytes(data))
    assert (inspection.completeness, inspection.file.chunks_present) == ("incomplete", 1)
    assert inspection.parts[0].missing == "lines 0-6"


def test_a_stale_chunk_count_is_a_problem_and_not_damage():
    """Chunks are counted from window and compression; a stale chunkCount hides no truncation."""
    part = w.part(name="a", replace={"chunkCount": w.fixed("chunkCount", "int", 5)})
    data = w.build([part, w.part(name="b")]).data
    for size, completeness in ((len(data), "complete"), (len(data) - 1, "truncated")):
        inspection = inspect(data[:size])
        assert inspection.completeness == completeness
        assert [problem.code for problem in inspection.problems] == ["chunk_count_mismatch"]
        assert without_walk(data[:size])[0].completeness == completeness


@pytest.mark.parametrize("name", ["compression", "dataWindow"])
def test_a_header_that_does_not_define_its_chunks_is_corrupt(name):
    """No reader can open the file."""
    inspection = inspect(w.build(w.part(replace={name: None})).data)
    assert inspection.completeness == "corrupt"
    assert inspection.file.chunk_count is None
    assert inspection.parts[0].missing is None


def test_an_unknown_compression_gives_unknown():
    """Its lines per chunk are not known, so completeness is unknown."""
    inspection = inspect(
        w.build(w.part(replace={"compression": w.attribute("compression", "compression", b"\x63")})).data
    )
    assert inspection.completeness == "unknown"


def test_chunks_of_another_part_are_corrupt():
    """The part number in the leader is checked."""
    parts = [w.part(name="a", pixels=filled), w.part(name="b", pixels=filled)]
    base = base_of(w.build(parts).data)
    data = bytearray(base.data)
    pack_into("<i", data, base.offsets[0], 1)
    assert inspect(bytes(data)).completeness == "corrupt"
    pack_into("<i", data, base.offsets[0], 2)
    assert inspect(bytes(data)).completeness == "corrupt"


@pytest.mark.parametrize("path", corpus.DAMAGED)
def test_damaged_files_raise_a_format_error_or_get_a_verdict(path):
    """Files that crashed other readers: ExrFormatError, or an inspection that can be written as JSON."""
    try:
        inspection = inspect(path)
    except ExrFormatError as format_error:
        error = format_error
    else:
        assert inspection.completeness in ("complete", "incomplete", "truncated", "corrupt", "unknown")
        assert inspection.to_json(raw=True)
        return
    assert 0 <= error.offset <= path.stat().st_size
    assert error.message

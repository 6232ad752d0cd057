"""Checks of a few leaders: sound files stay complete, the reads are few, and large damage is found."""

from struct import pack_into

import pytest

from exr_inspector.exr import ChunkReport, chunk_counts, leaders, read_chunks, read_header
from exr_inspector.exr.geometry import levels
from tests.exr.test_chunks import MADE, base_of, filled, reader, written_by_openexr
from tests.support import corpus
from tests.support import exr_writer as w

LINES = w.part(width=40, height=400, compression=2, pixels=lambda size: filled(size // 2))
MIXED = [
    w.part(name="lines", width=40, height=120, compression=2, pixels=lambda size: filled(size // 2)),
    w.part(name="tiles", width=40, height=40, tiles=w.Tiles(4, 4), pixels=filled),
]
DEEP = w.part(height=60, deep=True, pixels=filled)
FILES = {
    "lines": lambda: w.build(LINES).data,
    "raw": lambda: w.build(w.part(width=40, height=400, pixels=filled)).data,
    "lines and tiles": lambda: w.build(MIXED).data,
    "deep": lambda: w.build(DEEP).data,
    "RLE": lambda: written_by_openexr("RLE"),
    **MADE,
}


@pytest.fixture(params=FILES, scope="module")
def base(request):
    """A sound file of each kind."""
    return base_of(FILES[request.param]())


def check(data: bytes, kind: str = "sample") -> tuple[ChunkReport, list[tuple[int, int]]]:
    """The report of a check, and the ranges that were read."""
    ranges: list[tuple[int, int]] = []
    return read_chunks(read_header(data), reader(data, ranges), len(data), check=kind), ranges


@pytest.mark.parametrize("kind", ["table", "sample"])
def test_sound_files_give_the_report_of_the_full_check(base, kind):
    """With the same packed sizes: without gaps, the offsets give them exactly."""
    report, ranges = check(base.data, kind)
    full, _ = check(base.data, "all")
    assert (report.completeness, report.parts, report.problems) == (full.completeness, full.parts, full.problems)
    assert full.chunks_checked == full.chunk_count
    if kind == "table":
        assert report.chunks_checked == 1
    else:
        assert report.chunks_checked == min(full.chunk_count, 17)
    assert len(ranges) <= 32


@pytest.mark.parametrize("path", corpus.VALID)
def test_valid_files_are_complete(path):
    """No false alarm, and at most 32 reads, or two."""
    data = path.read_bytes()
    for kind, most in (("sample", 32), ("table", 2)):
        report, ranges = check(data, kind)
        assert (report.completeness, report.problems) == ("complete", ())
        assert len(ranges) <= most


def test_reads_are_announced_before_the_first():
    """So that they wait for the server together."""
    data, events = FILES["lines"](), []

    def read(at, n):
        events.append(("read", at))
        return data[at : at + n]

    read_chunks(
        read_header(data), read, len(data), check="sample", prefetch=lambda at, _: events.append(("announced", at))
    )
    after_table = events[1:]
    announced = [at for kind, at in after_table if kind == "announced"]
    assert [kind for kind, _ in after_table[:18]] == ["announced"] * 18
    leaders, end = announced[:17], announced[17]
    reads = [at for kind, at in after_table if kind == "read"]
    assert (reads[:17], len(reads)) == (leaders, 18)
    assert end <= reads[17] < end + 64 == len(data)


@pytest.mark.parametrize("name", ["lines", "raw", "lines and tiles"])
def test_a_hole_of_a_quarter_of_the_file_is_found(name):
    """Sampling finds it, and counts the chunks that it has seen; the table alone does not show it."""
    base = base_of(FILES[name]())
    begin = base.data_start + len(base.data) // 3
    data = base.data[:begin] + bytes(len(base.data) // 4) + base.data[begin + len(base.data) // 4 :]
    assert check(data, "table")[0].completeness == "complete"
    report, _ = check(data)
    assert report.completeness == "incomplete"
    assert 0 < report.chunk_count - report.chunks_present <= report.chunks_checked == 17
    assert "zero-filled" in report.missing


def test_a_wrong_offset_shows_as_a_gap():
    """The leaders on both sides of a gap that no chunk fills are read too."""
    base = base_of(FILES["lines"]())
    slot = 200
    assert check(base.data)[0].completeness == "complete"
    unpacked = 40 * 3 * 2
    data = base.with_offset(slot, base.offsets[slot] - unpacked // 2 - 4)
    report, ranges = check(data)
    assert base.offsets[slot] - unpacked // 2 - 4 in [at for at, _ in ranges]
    assert report.completeness == "corrupt"


def test_padded_chunks_are_complete_and_packed_bytes_at_most_the_pixels():
    """Room between chunks is no damage; the offsets alone do not show where a chunk ends."""
    base = base_of(FILES["raw"]())
    room = 4096
    table, body = [], b""
    for begin, end in base.spans:
        body += bytes(room)
        table.append(base.data_start + len(body))
        body += base.data[begin:end]
    data = bytearray(base.data[: base.data_start] + body)
    pack_into(f"<{len(table)}Q", data, base.header_bytes, *table)
    report, ranges = check(bytes(data))
    assert report.completeness == "complete"
    assert report.parts[0].packed_bytes == check(base.data, "all")[0].parts[0].packed_bytes
    assert len(ranges) <= 32
    assert report.chunks_checked > 17


@pytest.mark.parametrize("kind", ["table", "sample"])
def test_cuts_and_missing_chunks_are_found(base, kind):
    """Those that the table or the last leader shows."""
    begin, end = base.spans[-1]
    for size in (begin, begin + 1, end - 1):
        assert check(base.data[:size], kind)[0].completeness == "truncated"
    assert check(base.without([0]), kind)[0].completeness == "incomplete"
    assert check(base.with_offset(1, base.offsets[0]), kind)[0].completeness == "corrupt"


def test_many_chunks_are_sorted_in_pieces(monkeypatch):
    """The order is that of the file, whatever the order of the table."""
    monkeypatch.setattr(leaders, "_SORTED_WHOLE", 50)
    monkeypatch.setattr(leaders, "_SORTED_AT_ONCE", 7)
    data = w.build(MIXED).data
    header = read_header(data)
    count = sum(n or 0 for n in chunk_counts(header.parts))
    assert levels(header.parts[1])
    assert check(data)[0].parts == check(data, "all")[0].parts
    assert count > 100

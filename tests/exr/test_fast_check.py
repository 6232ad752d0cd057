"""The fast check of leaders: it gives the same report as the full check, for sound and for damaged files."""

import random
from collections.abc import Iterator
from struct import pack_into, unpack_from

import pytest

from exr_inspector.exr import ChunkReport, chunk_counts, fast_check, read_chunks, read_header
from exr_inspector.exr.layout import layout_of
from tests.exr.test_chunks import MADE, SIZED, filled, written_by_openexr
from tests.support import corpus
from tests.support import exr_writer as w

FILES = {
    **{name: lambda name=name: written_by_openexr(name) for name in ("NO", "ZIP", "PIZ", "B44", "DWAA")},
    **MADE,
    **{name: lambda part=part: w.build(w.part(**part, pixels=filled)).data for name, part in SIZED.items()},
    "many parts": lambda: w.build([w.part(name=str(n), height=3 + n % 2, pixels=filled) for n in range(20)]).data,
}


@pytest.fixture(params=FILES, scope="module")
def data(request) -> bytes:
    """A sound file of each kind."""
    return FILES[request.param]()


def report(data: bytes) -> ChunkReport:
    return read_chunks(read_header(data), lambda at, n: data[at : at + n], len(data))


def damaged(data: bytes) -> Iterator[bytes]:
    """The file with one wrong entry of the table, coordinate, size or end; some are cut, some have bytes at the end."""
    choose = random.Random(1)
    header = read_header(data)
    counts = chunk_counts(header.parts)
    table = unpack_from(f"<{sum(counts)}Q", data, header.header_bytes)
    leader_bytes = layout_of(header.parts[0], header.is_multipart, counts[0]).leader.size
    for _ in range(200):
        changed = bytearray(data)
        slot = choose.choice([choose.randrange(len(table)), table.index(max(table))])
        kind = choose.choice(["entry", "coordinate", "size", "end"])
        if kind == "entry":
            other = choose.choice([0, table[slot] + choose.choice([-8, -1, 1, 4]), choose.choice(table)])
            pack_into("<Q", changed, header.header_bytes + 8 * slot, other)
        elif kind == "end":
            length = choose.choice([1, 4, 40])
            changed[-length:] = bytes(length)
        else:
            at = table[slot] + (leader_bytes - 4 if kind == "size" else 4 * choose.randrange(leader_bytes // 4 - 1))
            (value,) = unpack_from("<i", data, at)
            pack_into("<i", changed, at, choose.choice([value + 1, value - 1, 0, -1, 1 << 30, value + 16, value // 2]))
        length = len(data) - choose.choice([0, 0, 0, 1, 9, len(data) // 3])
        yield bytes(changed[:length]) + bytes(choose.choice([0, 100_000]))


@pytest.mark.fast_cases(6)
def test_the_report_is_that_of_the_full_check(data, monkeypatch):
    """For the file, and for variants with a wrong offset, coordinate or size, some of them cut."""
    variants = [data, *damaged(data)]
    fast = [report(variant) for variant in variants]
    monkeypatch.setattr(fast_check, "_MAX_CHUNKS", 0)
    assert fast == [report(variant) for variant in variants]
    assert len({result.completeness for result in fast}) > 2


def test_sound_files_are_accepted(data, monkeypatch):
    """Flat files do not need the full check."""
    header = read_header(data)
    if any(part.is_deep for part in header.parts):
        pytest.skip("deep files always get the full check")
    monkeypatch.delattr("exr_inspector.exr.leaders.PartLeaders.read_leaders")
    assert report(data).completeness == "complete"


def test_columns_contain_what_is_valid_in_each_slot(data):
    """Coordinates and sizes of the layout are the ones that `parse` accepts, and no others."""
    header = read_header(data)
    for part, count in zip(header.parts, chunk_counts(header.parts), strict=True):
        layout = layout_of(part, header.is_multipart, count)
        if layout.is_deep:
            continue
        number = [part.part_index] * header.is_multipart
        for slot, (smallest, largest) in enumerate(zip(*layout.sizes, strict=True)):
            at = [*number, *(column[slot] for column in layout.coordinates)]
            for size, is_valid in [(smallest, True), (largest, True), (smallest - 1, False), (largest + 1, False)]:
                parsed = layout.parse(layout.leader.pack(*at, size), part.part_index)
                assert parsed == ((slot, size) if is_valid else (None, 0))


@pytest.mark.parametrize("path", corpus.VALID)
def test_reports_of_valid_files_are_those_of_the_full_check(path, monkeypatch):
    content = path.read_bytes()
    fast = report(content)
    monkeypatch.setattr(fast_check, "_MAX_CHUNKS", 0)
    assert fast == report(content)

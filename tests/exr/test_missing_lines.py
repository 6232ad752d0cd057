"""Lines reported as missing, compared with the lines that OpenEXR returns."""

from __future__ import annotations

import random
from collections.abc import Iterator
from struct import pack_into, unpack_from

import pytest

from exr_inspector import inspect
from exr_inspector.exr.geometry import LINES_PER_CHUNK
from exr_inspector.inspection.model import PartFacts
from tests.exr.test_chunks import Base, base_of, written_by_openexr

KINDS = ["NO", "RLE", "ZIPS", "ZIP", "PIZ", "PXR24"]


def damaged(base: Base, choose: random.Random) -> Iterator[tuple[str, bytes]]:
    """One file of each kind of damage, at random positions."""
    data, size = base.data, len(base.data)
    slot, other = choose.sample(range(len(base.offsets)), 2)
    begin = choose.randrange(base.data_start, size)
    yield "cut", data[:begin]
    yield "zero-filled end", data[:begin].ljust(size, b"\0")
    yield "zero table", base.with_zero_table(size)
    yield "zero table and cut", base.with_zero_table(begin)
    yield "zero entry", base.with_offset(slot, 0)
    yield "never written", base.without([slot])
    yield "entry outside the file", base.with_offset(slot, choose.choice([size, size + 99, 1 << 40, 1 << 63]))
    yield "entry of another chunk", base.with_offset(slot, base.offsets[other])
    yield "entry inside a chunk", base.with_offset(slot, base.offsets[slot] + 3)
    hole = bytearray(data)
    hole[base.offsets[slot] : base.offsets[slot] + 8] = bytes(8)
    yield "zero leader", bytes(hole)
    wrong = bytearray(data)
    pack_into("<i", wrong, base.offsets[slot], choose.choice([-1, 1 << 20]))
    yield "line number", bytes(wrong)
    smaller = bytearray(data)
    (packed,) = unpack_from("<i", data, base.offsets[slot] + 4)
    pack_into("<i", smaller, base.offsets[slot] + 4, choose.choice([0, -packed, 1 << 30]))
    yield "size", bytes(smaller)


def missing_lines(part: PartFacts) -> set[int]:
    first, last = (int(number) for number in part.data_window.strip("[]").split(",")[1::2])
    if part.missing is None:
        return set()
    if part.missing.startswith("all"):
        return set(range(first, last + 1))
    lines: set[int] = set()
    for text in part.missing.removeprefix("lines ").removeprefix("line ").split(" (")[0].split(", "):
        begin, _, end = text.partition("-")
        lines |= set(range(int(begin), int(end or begin) + 1))
    return lines


@pytest.mark.fast_cases(2)
@pytest.mark.parametrize("kind", KINDS)
def test_openexr_does_not_return_lines_reported_as_missing(kind, tmp_path):
    """For each damage; the other lines may be damaged in ways that leaders do not show.

    OpenEXR decodes the zeros of some compressions: of a zero-filled chunk it returns lines with other pixels.
    """
    oracles = pytest.importorskip("tests.support.oracles")
    base = base_of(written_by_openexr(kind))
    choose = random.Random(kind)
    path = tmp_path / "damaged.exr"
    path.write_bytes(base.data)
    original = oracles.readable_lines(path)
    chunk_lines = LINES_PER_CHUNK[kind.replace("NO", "NONE")]
    any_missing = 0
    for _ in range(2):
        for name, data in damaged(base, choose):
            (part,) = inspect(data).parts
            missing = missing_lines(part)
            any_missing += bool(missing)
            path.write_bytes(data)
            returned = oracles.readable_lines(path)
            if part.missing is None or "(zero-filled)" not in part.missing:
                assert not missing & returned.keys(), name
            for first in sorted(missing)[::chunk_lines]:
                chunk = range(first, min(first + chunk_lines, max(original) + 1))
                assert [returned.get(y) for y in chunk] != [original[y] for y in chunk], name
    assert any_missing >= 12

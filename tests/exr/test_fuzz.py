"""Invalid bytes raise only ExrFormatError, within limits of time and memory.

Random bytes fail at the magic number, so the cases are valid headers and damaged files with a few bytes changed, cut,
repeated or replaced. EXR_FUZZ_CASES sets their number; the longest time is printed (`pytest -s`).
"""

from __future__ import annotations

import os
import random
import time
import tracemalloc
from collections.abc import Iterator
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exr_inspector import inspect
from exr_inspector.errors import ExrFormatError
from exr_inspector.exr import HeaderCutError, read_header
from tests.support import corpus
from tests.support import exr_writer as w
from tests.support.strategies import files

CASES = int(os.environ.get("EXR_FUZZ_CASES", "3000"))
MOST_SECONDS, MOST_BYTES = 0.1, 64 << 20
MOST_OF_A_FILE = 64 << 10
# Sizes, counts and coordinates at which readers fail.
EDGE_VALUES = [pack("<i", n) for n in (0, 1, -1, 2**31 - 1, -(2**31), 255, 256, 65536, 1 << 24)] + [
    b"\0" * 8,
    b"\xff" * 8,
]
TOKENS = [
    b"channels\0chlist\0", b"tiles\0tiledesc\0", b"dataWindow\0box2i\0", b"compression\0", b"type\0string\0",
    b"deeptile", b"deepscanline", b"tiledimage", b"idManifest\0idmanifest\0",
    b"preview\0preview\0", b"chunkCount\0int\0",
]  # fmt: skip


def seeds() -> list[bytes]:
    """Files to mutate: those of the corpus, shortened, and some of each kind from the test writer."""
    parts = [
        [w.part(compression=code) for code in (0,)],
        [w.part(tiles=w.Tiles(8, 8, w.MIPMAP_LEVELS))],
        [w.part(tiles=w.Tiles(4, 4, w.RIPMAP_LEVELS, w.ROUND_UP))],
        [w.part(deep=True)],
        [w.part(deep=True, tiles=w.Tiles(8, 8))],
        [w.part(name="a"), w.part(name="b", tiles=w.Tiles())],
    ]
    real = [path.read_bytes()[:MOST_OF_A_FILE] for path in corpus.VALID_FILES + corpus.DAMAGED_FILES]
    return [w.build(each).data for each in parts] + [data for data in real if data[:4] == b"v/1\1"]


def mutations(cases: int, seed: int) -> Iterator[bytes]:
    """Files with one to four mutations, most of them in the first 1500 bytes."""
    chosen = random.Random(seed)
    starts = seeds()
    for number in range(cases):
        data = bytearray(starts[number % len(starts)])
        for _ in range(chosen.choice((1, 1, 1, 2, 4))):
            at = 4 + chosen.randrange(max(len(data) if chosen.random() < 0.2 else min(len(data), 1500), 5) - 4)
            match chosen.randrange(8):
                case 0 | 1:
                    data[at : at + 1] = bytes([chosen.randrange(256)])
                case 2:
                    data[at : at + 1] = bytes([data[at] ^ 1 << chosen.randrange(8) if at < len(data) else 0])
                case 3:
                    edge = chosen.choice(EDGE_VALUES)
                    data[at : at + len(edge)] = edge
                case 4:
                    data[at:at] = chosen.choice(TOKENS)
                case 5:
                    del data[at : at + chosen.randrange(1, 40)]
                case 6:
                    data[at:at] = data[at : at + chosen.randrange(1, 200)]
                case 7:
                    del data[at + chosen.randrange(max(len(data) - at, 1)) :]
        yield bytes(data)


def inspect_bytes(data: bytes) -> None:
    """Inspect and convert to JSON; only ExrFormatError may be raised, with an offset in the file."""
    try:
        inspect(data).to_json(raw=True)
    except ExrFormatError as error:
        raised = error
    else:
        return
    assert 0 <= raised.offset <= len(data)
    assert raised.code.isidentifier()
    assert str(raised)


def seconds_for(data: bytes) -> float:
    begin = time.process_time()
    inspect_bytes(data)
    return time.process_time() - begin


def run(cases: int, seed: int) -> None:
    slowest, worst = b"", 0.0
    for data in mutations(cases, seed):
        seconds = seconds_for(data)
        if seconds > MOST_SECONDS:  # measure again: the machine may be busy
            seconds = min(seconds, seconds_for(data))
        if seconds > worst:
            slowest, worst = data, seconds
        assert seconds < MOST_SECONDS, f"{seconds:.3f} s for {len(data)} bytes that begin {data[:64].hex()}"
    print(f"{cases} cases, the slowest took {worst * 1000:.1f} ms for {len(slowest)} bytes")
    assert peak_of(slowest) < MOST_BYTES


def peak_of(data: bytes) -> int:
    """Peak of the allocated bytes while a file is inspected."""
    tracemalloc.start()
    try:
        inspect_bytes(data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.parametrize("share", range(4))
def test_mutated_files_are_read_or_rejected(share):
    """No other exception, and no case takes a tenth of a second."""
    run(CASES // 4, seed=share)


@pytest.mark.slow
@pytest.mark.parametrize("share", range(8))
def test_many_mutated_files_are_read_or_rejected(share):
    """The same with many more cases."""
    run(max(CASES, 40_000) // 8, seed=1000 + share)


@pytest.mark.parametrize("path", corpus.DAMAGED)
def test_damaged_files_cost_little(path):
    """Limits of time and memory hold for files that crashed other readers."""
    data = path.read_bytes()
    assert min(seconds_for(data) for _ in range(2)) < MOST_SECONDS
    assert peak_of(data) < MOST_BYTES


def many(count: int, piece: bytes, flags: int = 0) -> bytes:
    return pack("<II", w.MAGIC, 2 | flags) + piece * count + b"\0\0"


@pytest.mark.slow
@pytest.mark.parametrize(
    "data",
    [
        many(4000, b"a\0b\0\0\0\0\0"),
        many(1000, b"a\0b\0\0\0\0\0" + b"\0", w.MULTIPART),
        w.build(w.part(channels=[("R", 9, -1, -1, 0)] * 3000, pixels=b"")).data,
        w.build(w.part(extra=[w.attribute("s", "stringvector", b"\0" * 40_000)])).data,
        w.build(w.part(extra=[w.attribute("f", "floatvector", b"\1\0\0\0" * 10_000)])).data,
    ],
    ids=["attributes", "parts", "channels", "strings", "floats"],
)
def test_repeated_pieces_cost_little(data):
    """Time grows linearly with the size of files that repeat one piece."""
    assert min(seconds_for(data) for _ in range(2)) < 5 * MOST_SECONDS  # quadratic time would be seconds
    assert peak_of(data) < MOST_BYTES


@pytest.mark.slow
@given(files(), st.data())
def test_one_changed_byte_is_read_or_rejected(written, data):
    """In any header."""
    position = data.draw(st.integers(0, written.header_bytes - 1))
    byte = data.draw(st.integers(0, 255))
    inspect_bytes(written.data[:position] + bytes([byte]) + written.data[position + 1 :])


@pytest.mark.slow
@given(files(), st.data())
def test_a_cut_header_has_the_number_of_needed_bytes(written, data):
    """For any header and any cut."""
    length = data.draw(st.integers(5, written.header_bytes - 1))
    with pytest.raises(HeaderCutError) as cut:
        read_header(written.data[:length])
    assert length < cut.value.needed <= written.header_bytes + 1


@pytest.mark.slow
@given(files())
def test_any_header_is_kept(written):
    """Every attribute keeps its name, type, bytes and position."""
    header = read_header(written.data)
    assert header.header_bytes == written.header_bytes
    again = b"".join(
        b"".join(w.attribute(a.attr_name, a.attr_type, a.raw) for a in part.attributes) + b"\0" for part in header.parts
    )
    assert written.data[8 : written.header_bytes] == again + b"\0" * header.is_multipart


@pytest.mark.slow
@given(files())
def test_any_written_file_is_complete(written):
    """All chunks are present; the table and the leaders agree."""
    inspection = inspect(written.data)
    assert inspection.completeness == "complete"
    assert inspection.file.chunks_present == len(written.chunks)
    assert inspection.to_json(raw=True)

"""Memory stays in proportion to what is read of a file, and what is decoded within a budget."""

from __future__ import annotations

import os
import pickle
import random
import subprocess
import sys
import tracemalloc
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from struct import pack
from typing import Any

import pytest

from exr_inspector import Inspection, inspect
from exr_inspector.catalog.rows import from_inspections
from exr_inspector.exr import Attribute, HeaderCutError, decode, read_header
from tests.exr.test_idmanifest import many_ids, one_group, value
from tests.support import exr_writer as w

MIB = 1 << 20
SIZE = 40 * MIB


@contextmanager
def traced() -> Iterator[Callable[[], tuple[int, int]]]:
    """Bytes allocated since, now and at most."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]

    def since() -> tuple[int, int]:
        now, peak = tracemalloc.get_traced_memory()
        return now - before, peak - before

    try:
        yield since
    finally:
        tracemalloc.stop()


def row_of(inspection: Inspection, name: str) -> dict[str, Any]:
    (row,) = (row for row in inspection.to_dict()["attributes"] if row["attr_name"] == name)
    return row


def codes(inspection: Inspection) -> list[str]:
    return [problem.code for problem in inspection.problems]


def sparse(path: Path, attr_type: str) -> Path:
    """A file of a few stored bytes, whose first attribute is a hole."""
    whole = w.build(w.part(extra=[w.text("zzz", "behind")])).data
    head = b"aaa\0" + attr_type.encode() + b"\0" + pack("<i", SIZE)
    with path.open("wb") as file:
        file.write(whole[:8] + head)
        file.seek(SIZE, 1)
        file.write(whole[8 : read_header(whole).header_bytes])
        file.write(bytes(8 * 8))  # eight chunks, never written
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("attr_type", "code"),
    [
        ("floatvector", "value_too_large"),
        ("stringvector", "value_too_large"),
        ("string", "value_too_large"),
        ("chlist", "value_too_large"),
        ("preview", "value_too_large"),
        ("bytes", "value_too_large"),
        ("idmanifest", "attribute_value"),
        ("ourType", "unknown_type"),
    ],
)
def test_a_giant_value_takes_no_more_than_thrice_its_bytes(tmp_path: Path, attr_type: str, code: str) -> None:
    path = sparse(tmp_path / "giant.exr", attr_type)
    with traced() as since:
        inspection = inspect(path)
        rows = from_inspections([inspection])
        _, peak = since()
    assert inspection.bytes_read > SIZE
    assert peak < 3 * inspection.bytes_read
    assert codes(inspection) == [code]
    (row,) = (row for row in rows.tables["attributes"].to_pylist() if row["attr_name"] == "aaa")
    assert (row["value_json"], row["value_text"], row["size_bytes"], row["truncated"]) == (None, None, SIZE, True)
    assert inspection.parts[0].attributes[-1].value == "behind"
    assert inspection.completeness == "incomplete"


def chunks(count: int, order: str) -> bytes:
    """An uncompressed file of one pixel a line, its chunks in some order."""
    header = w.build(w.part(width=1, height=count, channels=[("Y", w.HALF, 1, 1, 0)], compression=4)).data
    piz, none = (w.attribute("compression", "compression", bytes([code])) for code in (4, 0))
    header = header[: read_header(header).header_bytes].replace(piz, none)
    lines = list(range(count))
    if order == "shuffled":
        random.Random(1).shuffle(lines)
    elif order == "last first":
        lines.reverse()
    offsets, body = array("Q", [0]) * count, bytearray()
    for line in lines:
        if order != "every other missing" or line % 2:
            offsets[line] = len(header) + 8 * count + len(body)
            body += pack("<iih", line, 2, 1)
    return header + offsets.tobytes() + body


@pytest.mark.slow
@pytest.mark.parametrize(
    ("order", "missing"),
    [
        ("first first", None),
        ("last first", None),
        ("shuffled", None),
        ("every other missing", "lines 0, 2, 4, 6, 8, 10, 12, 14 and 49992 more ranges"),
    ],
)
def test_chunks_take_no_more_than_thrice_what_is_read(tmp_path: Path, order: str, missing: str | None) -> None:
    path = tmp_path / "chunks.exr"
    path.write_bytes(chunks(100_000, order))
    inspect(chunks(8, order))  # what is imported and remembered once does not count
    with traced() as since:
        inspection = inspect(path)
        _, peak = since()
    assert (inspection.completeness, inspection.parts[0].missing) == ("incomplete" if missing else "complete", missing)
    assert peak < 3 * inspection.bytes_read


# Three files of 60 manifests, a few hundred bytes each that stand for megabytes, no two of them under one name.
MANIFESTS = """
import sys
import time
from exr_inspector import inspect
from exr_inspector.catalog.rows import from_inspections
from tests.exr.test_idmanifest import many_ids, value
from tests.support import exr_writer as w

def memory(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name)) / 1024

def inspected(number):
    names = [f"manifest{number}.{index}" for index in range(60)]
    extra = [w.attribute(name, "idmanifest", raw) for name in names]
    inspection = inspect(w.build(w.part(extra=extra)).data, name="a.exr")
    values = {row["attr_name"]: row["value"] for row in inspection.to_dict()["attributes"]}
    from_inspections([inspection])
    return values[names[0]] is not None, values[names[-1]] is not None

raw = value(many_ids(int(sys.argv[1])))
assert inspected(0) == (True, False)
before, began = memory("VmRSS:"), time.process_time()
assert all(inspected(number) == (True, False) for number in range(1, 4))
print(memory("VmRSS:") - before, memory("VmHWM:"), (time.process_time() - began) / 3)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the memory of a process from /proc")
@pytest.mark.parametrize("ids", [20_000, 3000], ids=["long", "short"])
def test_files_of_manifests_leave_nothing_behind(ids: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MANIFESTS, str(ids)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    growth, peak, seconds = map(float, done.stdout.split())
    assert growth < 20
    assert peak < 300
    assert seconds < 2  # of CPU per file; 0.5 without other load, 3 if each manifest is decoded for the hash


def test_a_value_beyond_the_budget_is_null_with_a_note_and_its_bytes() -> None:
    """In JSON and rows; the values around it are there."""
    crowd = w.attribute("aManifest", "idmanifest", value(many_ids(500_000)))
    inspection = inspect(w.build(w.part(name="beauty", extra=[crowd, w.fixed("x", "float", 0.5)])).data, name="a.exr")
    (problem,) = inspection.problems
    assert (problem.code, problem.part_index, problem.attr_name) == ("value_too_large", 0, "aManifest")
    assert "500000 objects are needed" in problem.message
    row = row_of(inspection, "aManifest")
    assert row["value"] is None
    assert row["raw"] is not None
    (stored,) = (
        row
        for row in from_inspections([inspection]).tables["attributes"].to_pylist()
        if row["attr_name"] == "aManifest"
    )
    assert (stored["value_json"], stored["truncated"]) == (None, False)
    assert len(stored["raw"]) == row["size_bytes"]
    assert (inspection.parts[0].part_name, row_of(inspection, "x")["value"]) == ("beauty", 0.5)


@pytest.mark.slow
def test_ids_that_share_a_long_text_do_not_make_endless_json() -> None:
    """40,000 ids of one text of 60,000 bytes would be 2.4 GB."""
    payload = one_group(b"x" * 60_000, count=40_000, table=b"\1\0" * 40_000)
    inspection = inspect(w.build(w.part(extra=[w.attribute("aaa", "idmanifest", value(payload))])).data)
    assert codes(inspection) == ["value_too_large"]


def test_all_values_of_a_file_share_a_budget_and_its_structure_has_its_own() -> None:
    """Two long vectors, of which the second does not fit; a channel list and a name behind them do."""
    vectors = [w.attribute(name, "floatvector", bytes(300_000)) for name in ("a", "b")]
    channels = [(f"aov{index:05}.R", w.HALF, 1, 1, 0) for index in range(5000)]
    part = w.part(name="beauty", channels=channels, extra=vectors)
    inspection = inspect(w.build([part, w.part(name="depth")]).data)
    assert [(problem.code, problem.attr_name) for problem in inspection.problems] == [("value_too_large", "b")]
    assert (inspection.parts[0].part_name, inspection.file.channel_count) == ("beauty", 5003)
    first, second = (a for a in inspection.parts[0].attributes if a.attr_type == "floatvector")
    assert len(first.value) == 75_000
    assert second.value is None


@pytest.mark.slow
def test_reading_again_gives_the_same_whatever_is_remembered() -> None:
    """Short values count as much when they come from the cache."""
    vectors = [w.attribute(f"v{index:02}", "floatvector", bytes(12_000)) for index in range(40)]
    data = w.build(w.part(extra=vectors)).data
    first, second = (inspect(data).to_json() for _ in range(2))
    assert first == second
    assert first.count("value_too_large") == 8


def test_a_long_value_is_decoded_when_it_is_asked_for() -> None:
    """Each time anew, with the same result, also in another process."""
    text = "ü" * 400_000
    (attribute,) = (
        a
        for a in read_header(w.build(w.part(extra=[w.text("long", text)])).data).parts[0].attributes
        if a.attr_name == "long"
    )
    assert attribute.value == text
    assert attribute.value is not attribute.value
    sent = pickle.loads(pickle.dumps(attribute))
    assert (sent, sent.value, sent.note) == (attribute, text, None)
    assert attribute == Attribute("long", "string", attribute.raw, text)


def test_a_long_value_that_is_wrong_says_so() -> None:
    data = w.build(w.part(extra=[w.attribute("v", "floatvector", bytes(40_001))])).data
    inspection = inspect(data)
    assert codes(inspection) == ["attribute_size"]
    assert row_of(inspection, "v")["value"] is None


def test_nothing_long_is_decoded_before_the_header_is_whole() -> None:
    """A header that is read in pieces decodes its values once."""
    crowd = w.attribute("aManifest", "idmanifest", value(many_ids(20_000)))
    written = w.build(w.part(extra=[crowd]))
    cut = written.data[: written.header_bytes - 1]
    with traced() as since:
        with pytest.raises(HeaderCutError):
            read_header(cut)
        _, peak = since()
    assert peak < MIB // 4


def test_decoding_alone_has_a_budget_too() -> None:
    found, note = decode("stringvector", b"\0\0\0\0" * 200_000)
    assert found is None
    assert note is not None
    assert note.code == "value_too_large"

"""Reports of sequences: ranges, gaps, bad frames, and which field makes a frame differ from the others."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from exr_inspector import open_catalog
from exr_inspector.demo import ARNOLD, CYCLES, DEFECTS, VRAY, make_show
from exr_inspector.ingestion.run import ingest
from exr_inspector.sequence.summary import BadFrame, OddFrames, as_arrow, sequence_reports
from tests.support import exr_writer as w

GIVEN = os.environ.get("EXR_CORPUS")
REPORTS = Path(GIVEN or ".", "reports")
need_corpus = pytest.mark.skipif(not GIVEN, reason="EXR_CORPUS names no corpus of EXR files")


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def frame(number: int | str, part=None, name: str = "show/c.{}.exr", damage=lambda data: data) -> None:
    path = Path(name.format(number))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(damage(w.build(part or w.part()).data))


def reports(path: str = "show", pattern: str | None = None):
    with open_catalog("duckdb:c.duckdb") as catalog:
        ingest([path], catalog)
        return sequence_reports(catalog, pattern)


def report(path: str = "show"):
    (only,) = reports(path)
    return only


def odd(found) -> list[tuple]:
    return [(o.frames, o.field, o.value, o.usual) for o in found.odd]


def test_a_sound_sequence_is_a_range():
    """In fileseq's notation, with one # for each digit."""
    for number in range(1001, 1011):
        frame(number)
    found = report()
    assert (found.frames, found.frame_count, found.missing, found.missing_count) == ("1001-1010", 10, "", 0)
    assert found.pattern.endswith("/show/c.####.exr")
    assert found.sequence.endswith("/show/c.#.exr")
    assert found.is_sound


@pytest.mark.parametrize(
    ("numbers", "frames", "missing", "count"),
    [
        ([1001, 1002, 1004, 1007], "1001-1002,1004,1007", "1003,1005-1006", 3),
        ([1, 3, 5, 7, 9], "1-9x2", "", 0),
        ([1, 3, 5, 9], "1-5x2,9", "7", 1),
        (["-002", "-001", "000", "002"], "-2-0,2", "1", 1),
        (["0998", "0999", "1000", "1001"], "998-1001", "", 0),
    ],
)
def test_frames_and_gaps(numbers, frames, missing, count):
    """On every frame, on twos, around zero."""
    for number in numbers:
        frame(number)
    found = report()
    assert (found.frames, found.missing, found.missing_count) == (frames, missing, count)


def test_padding_that_changes_is_told():
    """c.1.exr beside c.02.exr; both are frames of one sequence."""
    for number in ("1", "02", "3"):
        frame(number)
    found = report()
    assert (found.frames, found.padding_changes) == ("1-3", True)


def test_bad_frames_say_what_is_wrong():
    """Cut, never finished, zero-filled and no EXR at all: each frame counts as there."""
    part = w.part(height=8)
    table = w.build(part).table_offsets[0]
    frame(1, part)
    frame(2, part, damage=lambda data: data[:-5])
    frame(3, part, damage=lambda data: data[: table + 48] + bytes(16) + data[table + 64 :])
    frame(4, part, damage=lambda data: b"")
    frame(5, part, damage=lambda data: bytes(len(data)))
    found = report()
    assert (found.frames, found.missing) == ("1-5", "")
    assert [(bad.frame, bad.status, bad.reason) for bad in found.bad] == [
        ("2", "truncated", "7 of 8 chunks; missing line 7 (7 in part)"),
        ("3", "incomplete", "6 of 8 chunks; missing lines 6-7"),
        ("4", "unreadable", "empty file (0 bytes)"),
        ("5", "unreadable", f"not an EXR file: all {len(w.build(part).data)} bytes read are zero"),
    ]


def test_a_frame_that_was_repaired_is_not_bad_any_more():
    """Nor one that got bad still the sound one that it was."""
    for number in (1, 2):
        frame(number)
    frame(3, damage=lambda data: b"")
    assert [bad.frame for bad in report().bad] == ["3"]
    frame(3)
    frame(1, damage=lambda data: b"x")
    found = report()
    assert [bad.frame for bad in found.bad] == ["1"]
    assert found.frame_count == 3


def test_a_deleted_frame_is_missing():
    """As soon as it is marked."""
    for number in range(1, 5):
        frame(number)
    report()
    Path("show/c.3.exr").unlink()
    with open_catalog("duckdb:c.duckdb") as catalog:
        from exr_inspector.ingestion.run import IngestOptions

        ingest(["show"], catalog, IngestOptions(prune=True))
        (found,) = sequence_reports(catalog)
    assert (found.frames, found.missing) == ("1-2,4", "3")


@pytest.mark.parametrize(
    ("part", "field", "value", "usual"),
    [
        (w.part(compression=3), "compression", '"ZIP"', '"NONE"'),
        (w.part(line_order=1), "lineOrder", '"DECREASING_Y"', '"INCREASING_Y"'),
        (w.part(display=(0, 0, 31, 15)), "displayWindow", "[0,0,31,15]", "[0,0,15,7]"),
        (w.part(extra=[w.text("owner", "x")]), "owner", '"x"', None),
        (w.part(extra=[w.fixed("take", "int", 2)]), "take", "2", None),
    ],
)
def test_a_frame_that_differs_is_told_with_its_field(part, field, value, usual):
    """And what most frames have; None is an attribute that is not there."""
    for number in range(1, 10):
        frame(number, part if number == 4 else None)
    assert odd(report()) == [("4", field, value, usual)]


def test_channels_and_tiles_and_parts_that_differ_are_told():
    """Another channel list, other tiles, one part more."""
    beauty = w.part(name="beauty")
    for number in range(1, 8):
        frame(number, [beauty, w.part(name="depth")])
    frame(8, [w.part(name="beauty", channels=w.RGB[:2]), w.part(name="depth")])
    frame(9, [beauty, w.part(name="depth"), w.part(name="extra")])
    found = report()
    by_frame = {(o.frames, o.part_index, o.field) for o in found.odd}
    assert ("8", 0, "channels") in by_frame
    assert ("9", 2, "name") in by_frame
    assert {frames for frames, _, _ in by_frame} == {"8", "9"}


def test_several_frames_of_one_value_are_one_line():
    """Ranges again, for each value of a field."""
    for number in range(1, 21):
        frame(number, w.part(compression=3 if number in (3, 4, 5, 9) else 2 if number == 12 else 0))
    assert odd(report()) == [
        ("3-5,9", "compression", '"ZIP"', '"NONE"'),
        ("12", "compression", '"ZIPS"', '"NONE"'),
    ]


def test_a_change_halfway_is_told():
    """A setting that was changed in the middle of a render leaves no majority, and is no detail."""
    for number in range(1, 11):
        frame(number, w.part(compression=3 if number > 5 else 0))
    assert odd(report()) == [("6-10", "compression", '"ZIP"', '"NONE"')]


def test_two_frames_tell_no_usual_value():
    """There is none."""
    frame(1, w.part(compression=3))
    frame(2)
    assert odd(report()) == []


@pytest.mark.parametrize(
    "changing",
    [
        lambda n: w.text("capDate", f"2026:03:01 10:00:{n:02}"),
        lambda n: w.attribute("timeCode", "timecode", w.timecode(1, 0, 0, n)),
        lambda n: w.fixed("arnold/stats/time", "float", n / 7),
        lambda n: w.fixed("worldToCamera", "m44f", *range(n, n + 16)),
        lambda n: w.text("renderTime", f"{n} s"),
        lambda n: w.text("note", f"took {n * 3} MB"),
        lambda n: w.fixed("frame", "int", n),
        lambda n: w.fixed("studio", "int", n),  # nothing says that this one changes, but that it always does
        lambda n: w.text("studio", f"value {n}"),
        lambda n: w.text("studio", f"value {n // 2}"),
    ],
)
def test_what_changes_with_the_frame_makes_no_frame_differ(changing):
    """By its type, its name, its look, or because no value of it is usual."""
    for number in range(1, 11):
        frame(number, w.part(extra=[changing(number)]))
    assert odd(report()) == []


def test_a_data_window_may_follow_the_picture():
    """Renderers crop it frame by frame."""
    for number in range(1, 8):
        frame(number, w.part(window=(0, 0, 15 + number, 7), display=(0, 0, 63, 63)))
    assert odd(report()) == []


def test_a_pattern_picks_sequences():
    """Part of the path, or a shell pattern over all of it."""
    for shot in ("sh01", "sh02"):
        for number in (1, 2):
            frame(number, name=f"show/{shot}/c.{{}}.exr")
    assert len(reports()) == 2
    for pattern in ("sh01", "*sh01/c.#.exr", f"{Path.cwd()}/show/sh01/*", "*/sh0[1]/*"):
        (found,) = reports(pattern=pattern)
        assert "/sh01/" in found.sequence
    assert reports(pattern="sh03") == []
    assert reports(pattern="*sh01") == []


def test_a_single_file_is_no_sequence_unless_it_is_bad():
    """A still whose name ends in a number."""
    frame(1, name="show/still_{}.exr")
    assert reports() == []
    frame(2, name="show/other_{}.exr", damage=lambda data: data[:-1])
    assert [found.frames for found in reports()] == ["2"]


def test_versions_are_other_sequences_not_frames():
    """v001 and v002."""
    for version in ("v001", "v002"):
        for number in (1001, 1002):
            frame(number, name=f"show/{version}/c_{version}.{{}}.exr")
    assert [found.frames for found in reports()] == ["1001-1002", "1001-1002"]


@pytest.mark.slow
def test_many_frames_that_all_differ_are_looked_at_soon():
    """A sequence whose hashes are all different costs one query."""
    for number in range(1, 301):
        frame(number, w.part(extra=[w.fixed("studio", "int", number)]))
    assert report().is_sound


def test_the_demo_says_what_its_defects_are():
    """Nothing less and nothing more; the file that is no EXR is in no sequence."""
    make_show(Path("show"))
    found = {item.sequence.partition("/show/")[2].removesuffix(".#.exr"): item for item in reports()}
    told = set()
    for stem, item in found.items():
        told |= {(f"{stem}.{number}.exr", "missing") for number in item.missing.split(",") if number}
        told |= {(f"{stem}.{bad.frame}.exr", bad.status) for bad in item.bad}
        told |= {(f"{stem}.{o.frames}.exr", o.field) for o in item.odd}
    assert told == {(defect.path, defect.kind) for defect in DEFECTS if defect.kind != "not_exr"}
    assert {ARNOLD, VRAY, CYCLES} < set(found)
    assert found[ARNOLD].frames == "1001-1003,1005-1010"


@need_corpus
@pytest.mark.parametrize("case", ["12-padding-kept", "14-bad-frames-in-sequence"])
def test_reported_sequences(case):
    """What the sidecar expects of pattern, padding, frames, missing and bad frames."""
    expected = json.loads((REPORTS / f"{case}.expect.json").read_text("utf-8"))["expect"]
    found, sequence = report(str(REPORTS / case)), expected["sequence"]
    assert found.pattern.endswith(f"/{sequence['pattern']}")
    assert found.padding == sequence["padding"]
    assert not found.padding_changes
    assert found.missing == sequence["missing"]
    if isinstance(sequence["frames"], str):
        assert found.frames == sequence["frames"]
    assert [int(bad.frame) for bad in found.bad] == expected.get("badFrames", [])
    assert odd(found) == []
    for bad in found.bad:
        facts = expected["perFile"][Path(bad.file_path_normalized).name]
        if "reason" in facts:  # of which the reader says what it has read
            assert bad.reason.startswith(facts["reason"].removesuffix(" are zero"))
        else:
            chunks = facts["chunks"]
            assert bad.status == facts["completeness"]
            assert bad.reason.startswith(f"{chunks['present']} of {chunks['expected']} chunks")
            assert facts["missing"].partition(" (")[0] in bad.reason


def test_reports_are_an_arrow_table():
    """Bad and odd frames as lists of structs; the same without any report."""
    for number in range(1, 6):
        frame(number, w.part(compression=3) if number == 2 else None)
    frame(6, damage=lambda data: data[:-1])
    found = reports()
    (row,) = as_arrow(found).to_pylist()
    assert row["frames"] == "1-6"
    assert [BadFrame(**bad) for bad in row["bad"]] == list(found[0].bad)
    assert [OddFrames(**one) for one in row["odd"]] == list(found[0].odd)
    assert as_arrow([]).schema == as_arrow(found).schema

"""Summaries of sequences: frame ranges, gaps, damaged frames, and fields that differ."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from exr_inspector import open_catalog
from exr_inspector.demo import ARNOLD, CYCLES, DEFECTS, VRAY, make_show
from exr_inspector.ingestion.run import ingest
from exr_inspector.sequence.fields import FieldOutlier
from exr_inspector.sequence.frames import DamagedFrame
from exr_inspector.sequence.summary import as_arrow, sequences
from tests.support import exr_writer as w

GIVEN = os.environ.get("EXR_CORPUS")
REPORTS = Path(GIVEN or ".", "reports")
need_corpus = pytest.mark.skipif(not GIVEN, reason="EXR_CORPUS names no corpus of EXR files")


@pytest.fixture(autouse=True)
def working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def frame(number: int | str, part=None, name: str = "show/c.{}.exr", damage=lambda data: data) -> None:
    path = Path(name.format(number))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(damage(w.build(part or w.part()).data))


def summaries(path: str = "show", pattern: str | None = None):
    with open_catalog("duckdb:c.duckdb") as catalog:
        ingest([path], catalog)
        return sequences(catalog, pattern)


def summary(path: str = "show"):
    (only,) = summaries(path)
    return only


def field_outliers(found) -> list[tuple]:
    return [(o.frames, o.field, o.value, o.usual) for o in found.outliers]


@pytest.mark.slow
def test_a_sequence_without_findings_is_a_range():
    """In fileseq notation, with one # for each digit."""
    for number in range(1001, 1011):
        frame(number)
    found = summary()
    assert (found.frames, found.frame_count, found.missing, found.missing_count) == ("1001-1010", 10, "", 0)
    assert found.pattern.endswith("/show/c.####.exr")
    assert found.sequence.endswith("/show/c.#.exr")
    assert found.severity == "none"


@pytest.mark.slow
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
    found = summary()
    assert (found.frames, found.missing, found.missing_count) == (frames, missing, count)


@pytest.mark.slow
def test_changing_padding_is_reported():
    """c.1.exr and c.02.exr are frames of one sequence."""
    for number in ("1", "02", "3"):
        frame(number)
    found = summary()
    assert (found.frames, found.padding_changes) == ("1-3", True)


@pytest.mark.slow
def test_damaged_frames_have_a_status_and_a_reason():
    """Truncated, incomplete, empty and zero-filled frames; none of them counts as missing."""
    part = w.part(height=8)
    written = w.build(part)
    table, end = written.table_offsets[0], written.chunks[6][1]
    frame(1, part)
    frame(2, part, damage=lambda data: data[:-5])
    frame(3, part, damage=lambda data: data[: table + 48] + bytes(16) + data[table + 64 : end])
    frame(4, part, damage=lambda data: b"")
    frame(5, part, damage=lambda data: bytes(len(data)))
    found = summary()
    assert (found.frames, found.missing) == ("1-5", "")
    assert [(bad.frame, bad.status, bad.reason) for bad in found.bad] == [
        ("2", "truncated", "7 of 8 chunks; missing line 7 (7 in part)"),
        ("3", "incomplete", "6 of 8 chunks; missing lines 6-7"),
        ("4", "unreadable", "empty file (0 bytes)"),
        ("5", "unreadable", f"not an EXR file: all {len(w.build(part).data)} bytes read are zero"),
    ]


@pytest.mark.slow
def test_a_repaired_frame_is_not_damaged():
    """And a frame that was damaged later is."""
    for number in (1, 2):
        frame(number)
    frame(3, damage=lambda data: b"")
    assert [bad.frame for bad in summary().bad] == ["3"]
    frame(3)
    frame(1, damage=lambda data: b"x")
    found = summary()
    assert [bad.frame for bad in found.bad] == ["1"]
    assert found.frame_count == 3


@pytest.mark.slow
def test_a_deleted_frame_is_missing():
    """After --prune has marked it."""
    for number in range(1, 5):
        frame(number)
    summary()
    Path("show/c.3.exr").unlink()
    with open_catalog("duckdb:c.duckdb") as catalog:
        from exr_inspector.ingestion.run import IngestOptions

        ingest(["show"], catalog, IngestOptions(prune=True))
        (found,) = sequences(catalog)
    assert (found.frames, found.missing) == ("1-2,4", "3")


@pytest.mark.slow
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
def test_an_outlier_is_reported_with_its_field(part, field, value, usual):
    """With the usual value; None is an absent attribute."""
    for number in range(1, 10):
        frame(number, part if number == 4 else None)
    assert field_outliers(summary()) == [("4", field, value, usual)]


@pytest.mark.slow
def test_different_channels_and_parts_are_outliers():
    """Another channel list, an additional part."""
    beauty = w.part(name="beauty")
    for number in range(1, 8):
        frame(number, [beauty, w.part(name="depth")])
    frame(8, [w.part(name="beauty", channels=w.RGB[:2]), w.part(name="depth")])
    frame(9, [beauty, w.part(name="depth"), w.part(name="extra")])
    found = summary()
    by_frame = {(o.frames, o.part_index, o.field) for o in found.outliers}
    assert ("8", 0, "channels") in by_frame
    assert ("9", 2, "name") in by_frame
    assert {frames for frames, _, _ in by_frame} == {"8", "9"}


@pytest.mark.slow
def test_frames_with_the_same_value_are_one_outlier():
    """A frame range for each value of a field."""
    for number in range(1, 21):
        frame(number, w.part(compression=3 if number in (3, 4, 5, 9) else 2 if number == 12 else 0))
    assert field_outliers(summary()) == [
        ("3-5,9", "compression", '"ZIP"', '"NONE"'),
        ("12", "compression", '"ZIPS"', '"NONE"'),
    ]


def field_splits(found) -> list[tuple]:
    return [(split.field, [(group.frames, group.value) for group in split.groups]) for split in found.splits]


@pytest.mark.slow
def test_a_change_halfway_is_reported_in_groups():
    """A setting changed in the middle of a render leaves no majority: neither half is usual."""
    for number in range(1, 11):
        frame(number, w.part(compression=3 if number > 5 else 0))
    found = summary()
    assert field_outliers(found) == []
    assert field_splits(found) == [("compression", [("1-5", '"NONE"'), ("6-10", '"ZIP"')])]
    assert found.severity == "warning"


@pytest.mark.slow
def test_an_attribute_of_half_the_frames_is_reported_in_groups():
    """If it ends at a frame; not if it comes and goes."""
    for number in range(1, 7):
        frame(number, w.part(extra=[w.text("owner", "x")] if number < 4 else []))
        frame(number, w.part(extra=[w.text("owner", "x")] if number % 2 else []), name="show/changing.{}.exr")
    assert [field_splits(found) for found in summaries()] == [[("owner", [("1-3", '"x"'), ("4-6", None)])], []]


@pytest.mark.slow
def test_frames_with_other_channels_are_never_sound():
    """Two of two, or all of three."""
    for number in range(1, 4):
        frame(number, w.part(channels=w.RGB[:number]))
    ((field, groups),) = field_splits(summary())
    assert (field, [frames for frames, _ in groups]) == ("channels", ["1", "2", "3"])
    Path("show/c.3.exr").unlink()
    Path("c.duckdb").unlink()
    ((field, groups),) = field_splits(summary())
    assert (field, [frames for frames, _ in groups]) == ("channels", ["1", "2"])


@pytest.mark.slow
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
        lambda n: w.fixed("studio", "int", n),  # no rule applies, but it always changes
        lambda n: w.text("studio", f"value {n}"),
        lambda n: w.text("studio", f"value {n // 2}"),
    ],
)
def test_values_that_change_per_frame_are_not_outliers(changing):
    """Recognized by type, name or text, or because no value has a majority."""
    for number in range(1, 11):
        frame(number, w.part(extra=[changing(number)]))
    assert field_outliers(summary()) == []


@pytest.mark.slow
def test_a_data_window_may_change_per_frame():
    """Renderers crop it to the image."""
    for number in range(1, 8):
        frame(number, w.part(window=(0, 0, 15 + number, 7), display=(0, 0, 63, 63)))
    assert field_outliers(summary()) == []


@pytest.mark.fast_cases(2)
@pytest.mark.parametrize(
    ("name", "usual", "other"),
    [
        ("deadline/slave", "farm17", "farm18"),
        ("gpu", "RTX 4090", "RTX 3090"),
        ("load", "87%", "88%"),
        ("source", "8c5c3e1b", "0c5c3e1b"),
        ("farm", '{"slot": 3}', '{"slot": 4}'),
        ("command", "husk -f 1001:1003", "husk -f 1004"),
    ],
)
def test_values_that_depend_on_machine_or_task_are_not_outliers(name, usual, other):
    """Even if most frames have the same value."""
    for number in range(1001, 1005):
        frame(number, w.part(extra=[w.text(name, other if number == 1004 else usual)]))
    assert summary().severity == "none"


@pytest.mark.slow
def test_a_pattern_selects_sequences():
    """A part of the path, or a shell pattern for the whole path."""
    for shot in ("sh01", "sh02"):
        for number in (1001, 1002):
            frame(number, name=f"show/{shot}/c.{{}}.exr")
    assert len(summaries()) == 2
    notations = ("show/sh01/c.####.exr", "./show/sh01/c.%04d.exr", "sh01/c.@@@.exr", "sh01/c.$F4.exr")
    for pattern in ("sh01", "*sh01/c.#.exr", f"{Path.cwd()}/show/sh01/*", "*/sh0[1]/*", *notations):
        (found,) = summaries(pattern=pattern)
        assert "/sh01/" in found.sequence
    for pattern in ("sh03", "show/sh01/c.#####.exr"):
        assert summaries(pattern=pattern) == []
    (found,) = summaries(pattern="show/sh01/c.[0-9]*2.exr")
    assert found.frames == "1002"
    assert summaries(pattern="*sh01") == []


@pytest.mark.slow
def test_numbers_that_are_far_apart_take_no_memory():
    """Seeds and job numbers of up to ten digits."""
    for number in (1, 2, 4_294_967_295):
        frame(number)
    found = summary()
    assert (found.frames, found.gaps_judged) == ("1-2,4294967295", False)


@pytest.mark.slow
def test_frames_whose_headers_have_warnings():
    """The files are sound; those that are not are damaged."""
    twice = w.part(extra=[w.fixed("x", "float", 1), w.fixed("x", "float", 1)])
    for number in (1, 2, 3, 4):
        frame(number, twice if number > 1 else None, damage=(lambda data: data[:-1]) if number == 4 else bytes)
    found = summary()
    assert (found.header_warnings, [each.frame for each in found.bad]) == ("2-3", ["4"])
    frame(4)
    assert summary().severity == "warning"


@pytest.mark.slow
def test_one_frame_is_a_sequence():
    """A still, sound or damaged."""
    frame(1, name="show/still_{}.exr")
    frame(2, name="show/other_{}.exr", damage=lambda data: data[:-1])
    assert [(found.frames, found.frame_count, found.severity) for found in summaries()] == [
        ("2", 1, "error"),
        ("1", 1, "none"),
    ]


@pytest.mark.slow
def test_damaged_files_without_a_frame_number_are_listed():
    """Unreadable and truncated ones; they have a status, but no frames."""
    for name, damage in {"a": lambda data: b"", "b_v002": lambda data: data[:-1], "sound": lambda data: data}.items():
        frame("", name=f"show/{name}.exr", damage=damage)
    found = summaries()
    assert [(each.pattern.rpartition("/")[2], each.frames, each.frame_count) for each in found] == [
        ("a.exr", "", 0),
        ("b_v002.exr", "", 0),
    ]
    assert [[(bad.frame, bad.status) for bad in each.bad] for each in found] == [
        [("", "unreadable")],
        [("", "truncated")],
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("left", "right"),
    [("c_left.{}.exr", "c_right.{}.exr"), ("c.{}_L.exr", "c.{}_R.exr"), ("Left/c.{}.exr", "Right/c.{}.exr")],
)
def test_a_frame_that_one_view_lacks_is_missing(left, right):
    """Beyond its first and last frame too."""
    for number in range(1001, 1006):
        if number != 1003:
            frame(number, name=f"show/{left}")
        if number > 1001:
            frame(number, name=f"show/{right}")
    assert [(found.frames, found.missing, found.missing_count) for found in summaries()] == [
        ("1001-1002,1004-1005", "1003", 1),
        ("1002-1005", "1001", 1),
    ]


@pytest.mark.slow
def test_names_that_are_not_views_are_not_compared():
    """Letters in words, two views in one path, or no other view."""
    for name in ("clear.{}.exr", "crear.{}.exr", "l_r.{}.exr", "r_l.{}.exr", "x_left.{}.exr"):
        for number in (1, 2) if name.startswith(("c", "l")) else (1, 2, 3):
            frame(number, name=f"show/{name}")
    assert {found.missing for found in summaries()} == {""}


@pytest.mark.slow
def test_ranges_that_differ_in_a_folder_are_pointed_out():
    """Among sequences of the same version, as a warning."""
    for name, last in {"beauty_v001": 5, "depth_v001": 4, "normal_v001": 5, "beauty_v002": 3, "still_v001": 1}.items():
        for number in range(1, last + 1):
            frame(number, name=f"show/{name}.{{}}.exr")
    found = {each.sequence.rpartition("/")[2]: each for each in summaries()}
    assert {name: each.folder_range for name, each in found.items() if each.folder_range} == {"depth_v001.#.exr": "1-5"}
    assert [name for name, each in found.items() if each.severity != "none"] == ["depth_v001.#.exr"]


@pytest.mark.slow
def test_the_same_frame_twice_is_reported():
    """With other padding, or as a sub-frame that is whole."""
    for number in ("1", "001", "2", "3"):
        frame(number)
    for number in ("1001", "1001.0", "1002.5"):
        frame(number, name="show/sub.{}.exr")
    found = summaries()[0]
    assert (found.frames, found.frame_count, found.repeated, found.severity) == ("1-3", 3, "1", "warning")
    assert summaries()[1].repeated == "1001"


def test_missing_sub_frames():
    """Between frames of a quarter."""
    for number in ("1001.0", "1001.25", "1001.75", "1002.0"):
        frame(number)
    found = summary()
    assert (found.missing, found.missing_count, found.frame_count) == ("1001.5", 1, 4)


@pytest.mark.slow
def test_a_field_of_a_sub_frame_differs():
    for number in ("1001.0", "1001.25", "1001.5", "1001.75"):
        frame(number, w.part(compression=3) if number == "1001.25" else None)
    assert field_outliers(summary()) == [("1001.25", "compression", '"ZIP"', '"NONE"')]


@pytest.mark.slow
def test_gaps_in_a_span_of_more_than_a_million_frames_are_not_judged():
    for number in (1, 2, 9_000_000):
        frame(number)
    found = summary()
    assert (found.missing, found.missing_count, found.gaps_judged) == ("", 0, False)


TEXTURES = {
    "wrap modes": w.part(extra=[w.text("wrapmodes", "clamp,clamp")]),
    "texture format": w.part(extra=[w.text("textureformat", "Plain Texture")]),
    "mip map": w.part(tiles=w.Tiles(4, 4, w.MIPMAP_LEVELS)),
}


@pytest.mark.fast_cases(1)
@pytest.mark.parametrize("part", TEXTURES.values(), ids=TEXTURES.keys())
def test_tiles_of_a_texture_have_no_missing_frames(part):
    """Their header says so."""
    for number in (1001, 1002, 1011):
        frame(number, part)
    found = summary()
    assert (found.is_udim, found.frames, found.missing) == (True, "1001-1002,1011", "")
    assert found.pattern.endswith("/show/c.<UDIM>.exr")


@pytest.mark.slow
def test_a_pattern_with_udim_says_that_numbers_are_tiles():
    """Of files whose headers do not say so."""
    for number in (1001, 1002, 1011):
        frame(number)
    assert not summary().is_udim
    (found,) = summaries(pattern="c.<UDIM>.exr")
    assert (found.is_udim, found.missing) == (True, "")


@pytest.mark.slow
def test_textures_are_frames_if_not_all_files_are_textures():
    """Or if their numbers are too small for tiles."""
    for number in (1001, 1002, 1011):
        frame(number, TEXTURES["mip map"] if number == 1002 else None)
    for number in (1, 3):
        frame(number, TEXTURES["mip map"], name="show/small.{}.exr")
    assert [(found.is_udim, found.missing) for found in summaries()] == [(False, "1003-1010"), (False, "2")]


@pytest.mark.slow
def test_versions_are_different_sequences():
    """v001 and v002."""
    for version in ("v001", "v002"):
        for number in (1001, 1002):
            frame(number, name=f"show/{version}/c_{version}.{{}}.exr")
    assert [found.frames for found in summaries()] == ["1001-1002", "1001-1002"]


@pytest.mark.slow
def test_a_long_sequence_with_different_hashes():
    """Costs one query."""
    for number in range(1, 301):
        frame(number, w.part(extra=[w.fixed("studio", "int", number)]))
    assert summary().severity == "none"


@pytest.mark.slow
def test_the_defects_of_the_demo_show():
    """All of them and no others; the file that is not an EXR has no frame number."""
    make_show(Path("show"))
    found = {item.sequence.partition("/show/")[2].removesuffix(".#.exr"): item for item in summaries()}
    reported = set()
    for stem, item in found.items():
        reported |= {(f"{stem}.{number}.exr", "missing") for number in item.missing.split(",") if number}
        reported |= {(f"{stem}.{bad.frame}.exr" if bad.frame else stem, bad.status) for bad in item.bad}
        reported |= {(f"{stem}.{o.frames}.exr", o.field) for o in item.outliers}
    assert reported == {(defect.path, "unreadable" if defect.kind == "not_exr" else defect.kind) for defect in DEFECTS}
    assert {ARNOLD, VRAY, CYCLES} < set(found)
    assert found[ARNOLD].frames == "1001-1003,1005-1010"


@pytest.mark.slow
@need_corpus
@pytest.mark.parametrize("case", ["12-padding-kept", "14-bad-frames-in-sequence"])
def test_reported_sequences(case):
    """Pattern, padding, frames, missing and damaged frames as in the sidecar file."""
    expected = json.loads((REPORTS / f"{case}.expect.json").read_text("utf-8"))["expect"]
    found, sequence = summary(str(REPORTS / case)), expected["sequence"]
    assert found.pattern.endswith(f"/{sequence['pattern']}")
    assert found.padding == sequence["padding"]
    assert not found.padding_changes
    assert found.missing == sequence["missing"]
    if isinstance(sequence["frames"], str):
        assert found.frames == sequence["frames"]
    assert [int(bad.frame) for bad in found.bad] == expected.get("badFrames", [])
    assert field_outliers(found) == []
    for bad in found.bad:
        facts = expected["perFile"][Path(bad.file_path_normalized).name]
        if "reason" in facts:  # the reader names the bytes it has read
            assert bad.reason.startswith(facts["reason"].removesuffix(" are zero"))
        else:
            chunks = facts["chunks"]
            assert bad.status == facts["completeness"]
            assert bad.reason.startswith(f"{chunks['present']} of {chunks['expected']} chunks")
            assert facts["missing"].partition(" (")[0] in bad.reason


@pytest.mark.slow
def test_summaries_as_an_arrow_table():
    """Damaged frames and outliers as lists of structs; the same schema without rows."""
    for number in range(1, 6):
        frame(number, w.part(compression=3) if number == 2 else None)
    frame(6, damage=lambda data: data[:-1])
    found = summaries()
    (row,) = as_arrow(found).to_pylist()
    assert row["frames"] == "1-6"
    assert [DamagedFrame(**bad) for bad in row["bad"]] == list(found[0].bad)
    assert [FieldOutlier(**one) for one in row["outliers"]] == list(found[0].outliers)
    assert as_arrow([]).schema == as_arrow(found).schema

"""Frame numbers in file names, and ranges, gaps and padding of frames."""

from __future__ import annotations

import itertools
import time

import fileseq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exr_inspector.frames.names import name_of, parse_name, without_versions
from exr_inspector.frames.ranges import (
    display_pattern,
    frame_range,
    frame_value,
    missing_numbers,
    padding,
    padding_changes,
    parse_range,
)


@pytest.mark.parametrize(
    ("name", "sequence", "frame", "number"),
    [
        ("plate.1001.exr", "plate.#.exr", "1001", 1001),
        ("plate.0001.exr", "plate.#.exr", "0001", 1),
        ("plate_1001.exr", "plate_#.exr", "1001", 1001),
        ("plate1001.exr", "plate#.exr", "1001", 1001),
        ("1001.exr", "#.exr", "1001", 1001),
        ("plate.1001.EXR", "plate.#.EXR", "1001", 1001),
        ("plate.1001.diffuse.exr", "plate.#.diffuse.exr", "1001", 1001),
        ("take.2024.1001.exr", "take.2024.#.exr", "1001", 1001),
        ("プレート.1001.exr", "プレート.#.exr", "1001", 1001),
        ("two words 12.exr", "two words #.exr", "12", 12),
        # versions
        ("plate_v002.1001.exr", "plate_v002.#.exr", "1001", 1001),
        ("v002/plate.7.exr", "v002/plate.#.exr", "7", 7),
        ("plate_v2_0010.exr", "plate_v2_#.exr", "0010", 10),
        ("mov12.exr", "mov#.exr", "12", 12),
        # negative frames
        ("c.-001.exr", "c.#.exr", "-001", -1),
        ("c_-5.exr", "c_#.exr", "-5", -5),
        ("-5.exr", "#.exr", "-5", -5),
        ("shot-001.exr", "shot-#.exr", "001", 1),
        # sub-frames
        ("plate.1001.5.exr", "plate.#.exr", "1001.5", 1001),
        ("plate.1001.125.exr", "plate.#.exr", "1001.125", 1001),
        ("plate.101.25.exr", "plate.#.exr", "101.25", 101),
        ("plate.-1001.5.exr", "plate.#.exr", "-1001.5", -1001),
        ("plate.12.25.exr", "plate.12.#.exr", "25", 25),
        # URIs
        ("file:///show/sh010/plate.1001.exr", "file:///show/sh010/plate.#.exr", "1001", 1001),
        ("s3://renders/a.1001.exr", "s3://renders/a.#.exr", "1001", 1001),
    ],
)
def test_names_with_a_frame_number(name, sequence, frame, number):
    """The last number before the extension, as text and as a number."""
    assert parse_name(name) == (sequence, frame, number)


@pytest.mark.parametrize(
    "name",
    [
        "plate.exr", "plate_v002.exr", "plate_V002.exr", "v002.exr", "", "plate.1001", "plate.1001/",
        "/shots/010/plate.exr", "plate.00000001001.exr", "plate.１００１.exr", ".exr",
    ],
)  # fmt: skip
def test_names_without_a_frame_number(name):
    """Versions, numbers of folders, numbers of eleven digits, and digits of other scripts are not frames."""
    assert parse_name(name) is None


@pytest.mark.parametrize(
    ("name", "sequence", "frame"),
    [
        # text behind the frame
        ("sh010.1001_L.exr", "sh010.#_L.exr", "1001"),
        ("sh020_1001_beauty.exr", "sh020_#_beauty.exr", "1001"),
        ("img-0001-depth.exr", "img-#-depth.exr", "0001"),
        ("plate1001_L.exr", "plate#_L.exr", "1001"),
        ("plate.1001.25_L.exr", "plate.#_L.exr", "1001.25"),
        ("plate[1001].exr", "plate[#].exr", "1001"),
        ("plate(1001).exr", "plate(#).exr", "1001"),
        ("plate{-5}.exr", "plate{#}.exr", "-5"),
        ("plate.0000001001.exr", "plate.#.exr", "0000001001"),
        ("plate.1001.2k.exr", "plate.#.2k.exr", "1001"),
        ("plate_1001_16bit_4K.exr", "plate_#_16bit_4K.exr", "1001"),
        ("sh010.1001_v002.exr", "sh010.#_v002.exr", "1001"),
        ("sh010_1001_20240131.exr", "sh010_#_20240131.exr", "1001"),
        ("sh010.1001.1706659200000.exr", "sh010.#.1706659200000.exr", "1001"),
        ("a#1_1001.exr", "a#1_#.exr", "1001"),
        ("plate.1001_#_2.exr", "plate.1001_#_#.exr", "2"),
        # numbers in a word behind the frame
        ("sh010.1001_cam2.exr", "sh010.#_cam2.exr", "1001"),
        ("sh010.12.crypto00.exr", "sh010.#.crypto00.exr", "12"),
        ("sh010_1001_rec709.exr", "sh010_#_rec709.exr", "1001"),
        ("sh010.1001.aces2065-1.exr", "sh010.#.aces2065-1.exr", "1001"),
        ("sh_010_lighting0001.exr", "sh_010_lighting#.exr", "0001"),
        ("take.1.beauty_1001.exr", "take.1.beauty_#.exr", "1001"),
        ("cam2.exr", "cam#.exr", "2"),
        ("rec0709.exr", "rec#.exr", "0709"),
        ("rec1001.exr", "rec#.exr", "1001"),
        ("sh010.1001_Rec709_v002.exr", "sh010.#_Rec709_v002.exr", "1001"),
        # beside dates, versions, hashes and sizes
        ("slate_20240131_1001.exr", "slate_20240131_#.exr", "1001"),
        ("slate_1001_2024-01-31.exr", "slate_#_2024-01-31.exr", "1001"),
        ("slate_20240132.exr", "slate_#.exr", "20240132"),
        ("comp_ver01_0007.exr", "comp_ver01_#.exr", "0007"),
        ("plate_200x150_0007.exr", "plate_200x150_#.exr", "0007"),
        ("plate.0007.1920X1080.exr", "plate.#.1920X1080.exr", "0007"),
        ("face0001.exr", "face#.exr", "0001"),  # letters before digits are no hash
        ("plate_0007_8c5c3e1b.exr", "plate_#_8c5c3e1b.exr", "0007"),
        ("caf%E9.0007.exr", "caf%E9.#.exr", "0007"),
    ],
)
def test_the_frame_is_the_last_number_that_stands_for_one(name, sequence, frame):
    """Names of renderers, cameras and delivery specifications."""
    assert parse_name(name)[:2] == (sequence, frame)


@pytest.mark.parametrize(
    "name",
    [
        "slate_20240131.exr", "slate_2024-01-31.exr", "slate.2024_01_31.exr", "slate_20240131T101500.exr",
        "comp_ver01.exr", "look_version1.exr", "comp_ver_01.exr", "comp-rev2.exr", "plateV002.exr", "compVer3.exr",
        "plate.200x150.exr", "plate_8c5c3e1b.exr", "plate_1a2b3c4.exr",
        "6f9619ff-8b86-d011-b42d-00cf4fc96411.exr", "plate_2k.exr", "plate_1080p.exr",
        "Rec709.exr", "Rec709_YC.exr", "plateRec2020.exr", "plate_ACES2065-1.exr", "chart_gamma22.exr",
        "sh010_L.exr", "sh010_v002_L.exr", "sh0010_comp_v002.exr", "x%80.exr",
    ],
)  # fmt: skip
def test_numbers_that_are_not_frames(name):
    """Dates, versions, hashes, sizes, color spaces, resolutions, shots and bytes of a URI."""
    assert parse_name(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "plate.1001.exr", "plate_v002.1001.exr", "plate_v002.exr", "c.-001.exr", "plate.1001.diffuse.exr",
        "take.2024.1001.exr", "/x/y.12/plate.exr", "a..0001.exr", "/show/plate.0099.exr",
    ],
)  # fmt: skip
def test_frames_are_those_of_fileseq(name):
    """For names with a dot before the frame, which fileseq requires."""
    theirs = fileseq.FileSequence(name)
    ours = parse_name(name)
    if theirs.frameSet() is None:
        assert ours is None
    else:
        assert ours.frame_number == theirs.start()
        assert ours.sequence == f"{theirs.dirname()}{theirs.basename()}#{theirs.extension()}"


words = [
    "sh010",
    "v002",
    "20240131",
    "_",
    ".",
    "-",
    "[",
    "]",
    "#",
    "/",
    "x",
    "%80",
    "1001",
    "25",
    "beauty",
    "8c5c3e1b",
    "é",
]
names = st.text(alphabet="ab_.-v0 19", max_size=30) | st.lists(st.sampled_from(words), max_size=10).map("".join)


@pytest.mark.slow
@given(names)
def test_sequence_and_frame_make_up_the_name(name):
    """The # of the sequence stands for the frame."""
    found = parse_name(f"{name}.exr")
    if found is not None:
        assert name_of(found.sequence, found.frame) == f"{name}.exr"
        assert int(found.frame.split(".")[0]) == found.frame_number


@pytest.mark.slow
@given(
    st.integers(0, 999_999),
    st.integers(1, 10),
    st.sampled_from(["plate.", "plate_", "x_v003.", "-", "", "a[", "sh010_20240131_"]),
    st.sampled_from(["", "_L", "_beauty", ".2k", "]", "-depth", "_v001", "_200x150"]),
)
def test_any_frame_is_found(number, width, base, tail):
    """Padded to any width, before any text, and its name is made again."""
    text = f"{number:0{width}d}"
    found = parse_name(f"{base}{text}{tail}.exr")
    assert found[1:] in ((text, number), (f"-{text}", -number))
    assert name_of(found.sequence, found.frame) == f"{base}{text}{tail}.exr"


@pytest.mark.parametrize(
    "name", ["1" * 1024, ".a1" * 341, "-1." * 341, "1.a" * 341 + "-", "v" * 1000 + "1.exr-", "1.a" * 99_999 + "-"]
)
def test_long_names_cost_little(name):
    """A path has up to 4096 bytes, and can be made to match slowly."""
    begin = time.process_time()
    parse_name(name)
    assert time.process_time() - begin < 1


@pytest.mark.parametrize(
    ("frames", "width", "changes"),
    [
        ([], 1, False),
        (["1"], 1, False),
        (["1", "10", "100"], 1, False),
        (["001", "100", "101"], 3, False),
        (["998", "999", "1000"], 3, False),
        (["0999", "1000"], 4, False),
        (["01", "002"], 2, True),
        (["1", "002"], 1, True),
        (["9", "010"], 1, True),
        (["-005", "0010"], 3, True),
        (["1001.5", "1002"], 4, False),
        (["0", "1"], 1, False),
    ],
)
def test_padding(frames, width, changes):
    """The shortest frame has the width; longer numbers without padding do not change it."""
    assert padding(frames) == width
    assert padding_changes(frames) == changes


def test_the_pattern_has_one_sign_per_padded_digit():
    assert display_pattern("plate.#.exr", ["1001", "1002"]) == "plate.####.exr"
    assert display_pattern("a#b/plate.#.exr", ["1", "20"]) == "a#b/plate.#.exr"


@pytest.mark.slow
@given(st.sets(st.integers(-10_000, 1_000_000), max_size=30), st.integers(1, 6))
def test_padded_frames_have_their_padding(numbers, width):
    """Even if the largest has more digits."""
    frames = [f"{abs(number):0{width}d}" for number in numbers]
    assert not padding_changes(frames)
    if frames:
        assert padding(frames) >= width


@pytest.mark.parametrize(
    ("numbers", "missing"),
    [
        ([], ""),
        ([7], ""),
        ([1, 2, 3], ""),
        ([1, 2, 5], "3-4"),
        ([1, 100, 101], "2-99"),
        ([1, 3, 5, 7], ""),
        ([1, 3, 5, 9], "7"),
        ([1, 3], "2"),
        ([1, 11, 21, 24], "2-10,12-20,22-23"),
        ([-2, 0, 1], "-1"),
        ([5, 4, 4, 2], "3"),
        ([1, 5, 9, 13, 25], "17,21"),
        ([1, 3_000_001, 6_000_001], ""),
        # sub-frames
        (["1001.0", "1001.25", "1001.75", "1002.0"], "1001.5"),
        (["1001", "1001.5", "1002"], ""),
        (["1001", "1001.25", "1002", "1002.25", "1004", "1004.25"], "1003,1003.25"),
        (["1001.0", "1001.333", "1001.667", "1002.0", "1004"], "1003"),
        (["-2", "-1.5", "-1", "0"], "-0.5"),
        (["1001.5"], ""),
    ],
)
def test_missing_frames(numbers, missing):
    """Gaps between first and last; steps are not gaps."""
    found = missing_numbers(map(frame_value, map(str, numbers)))
    expected = list(fileseq.FrameSet(missing)) if missing else []
    assert found == expected


@pytest.mark.slow
@pytest.mark.parametrize("numbers", [[1, 20_240_132], [1, 999_999_999], ["1", "1.001", "1.002", "2001"]])
def test_a_span_of_more_than_a_million_frames_is_not_judged(numbers):
    """Numbers of jobs, seeds, or days."""
    assert missing_numbers(map(frame_value, map(str, numbers))) is None
    assert missing_numbers([1, 2, 1_000_001]) is not None


@pytest.mark.slow
@given(st.sets(st.integers(-500, 500), min_size=2))
def test_missing_and_present_frames_fill_a_range(numbers):
    """They are disjoint, and together have a constant step from the first to the last."""
    missing = set(missing_numbers(numbers))
    assert not missing & numbers
    together = sorted(missing | numbers)
    assert (together[0], together[-1]) == (min(numbers), max(numbers))
    assert len({b - a for a, b in itertools.pairwise(together)}) == 1


@pytest.mark.slow
@given(st.sets(st.integers(-2000, 2000)))
def test_a_frame_range_reads_back(numbers):
    """With fileseq."""
    text = frame_range(numbers)
    assert (set(fileseq.FrameSet(text)) if text else set()) == numbers


def test_frame_ranges_are_short():
    assert frame_range([1003, 1001, 1002, 1002]) == "1001-1003"
    assert frame_range([1, 3, 5, 7, 9]) == "1-9x2"
    assert frame_range([1, 2, 3, 7]) == "1-3,7"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1-5y1", "'1-5y1' has no frames"),
        ("1-2000000", "'1-2000000' has more than a million frames"),
        ("1-20000000", "'1-20000000' has more than a million frames"),
    ],
)
def test_ranges_without_frames_and_with_too_many(text, message):
    with pytest.raises(ValueError, match=message):
        parse_range(text)


def test_a_frame_range_has_sub_frames():
    assert frame_range(map(frame_value, ["1001.0", "1001.5", "1002.0", "1002.5"])) == "1001-1002.5x0.5"
    assert frame_range(map(frame_value, ["1001.5", "1003", "1004", "1010"])) == "1001.5,1003-1004,1010"
    assert frame_range(map(frame_value, ["1001", "1001.5", "1002", "1003"])) == "1001-1002x0.5,1003"


@pytest.mark.slow
@given(st.sets(st.integers(-40, 40).map(lambda quarters: frame_value(f"{quarters / 4}"))))
def test_a_range_of_sub_frames_reads_back(numbers):
    text = frame_range(numbers)
    assert (parse_range(text) if text else set()) == numbers
    assert (set(fileseq.FrameSet(text)) if text else set()) == numbers


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sh/v001/beauty_v002.#.exr", "sh/v#/beauty_v#.#.exr"),
        ("sh/ver01/s_version12.#.exr", "sh/ver#/s_version#.#.exr"),
        ("sh/rev_3/plate.1001.exr", "sh/rev_#/plate.1001.exr"),
        ("move2/s.1001.exr", "move2/s.1001.exr"),
    ],
)
def test_the_numbers_of_versions_are_masked(name, expected):
    assert without_versions(name) == expected

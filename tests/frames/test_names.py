"""Frame numbers in file names, and ranges, gaps and padding of frames."""

from __future__ import annotations

import itertools
import time

import fileseq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exr_inspector.frames.names import parse_name
from exr_inspector.frames.ranges import display_pattern, frame_range, missing_numbers, padding, padding_changes


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
        "/shots/010/plate.exr", "plate.0010_l.exr", "plate.0000000001001.exr", "plate.１００１.exr", ".exr",
    ],
)  # fmt: skip
def test_names_without_a_frame_number(name):
    """Versions, numbers of folders, numbers of ten digits, and digits of other scripts are not frames."""
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


names = st.text(alphabet="ab_.-v0 19", max_size=30)


@given(names)
def test_sequence_and_frame_make_up_the_name(name):
    """The # of the sequence stands for the frame."""
    found = parse_name(f"{name}.exr")
    if found is not None:
        assert found.sequence.count("#") == 1
        assert found.sequence.replace("#", found.frame) == f"{name}.exr"
        assert int(found.frame.split(".")[0]) == found.frame_number


@given(st.integers(0, 999_999), st.integers(1, 6), st.sampled_from(["plate.", "plate_", "x_v003.", "-", ""]))
def test_any_frame_is_found(number, width, base):
    """Padded to any width."""
    text = f"{number:0{width}d}"
    assert parse_name(f"{base}{text}.exr")[1:] in ((text, number), (f"-{text}", -number))


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
        ([20240101, 1], ""),
        ([1, 999_999_999], ""),
    ],
)
def test_missing_frames(numbers, missing):
    """Gaps between first and last; steps are not gaps, and numbers with huge gaps are not frames."""
    found = missing_numbers(numbers)
    expected = list(fileseq.FrameSet(missing)) if missing else []
    assert found == expected


@given(st.sets(st.integers(-500, 500), min_size=2))
def test_missing_and_present_frames_fill_a_range(numbers):
    """They are disjoint, and together have a constant step from the first to the last."""
    missing = set(missing_numbers(numbers))
    assert not missing & numbers
    together = sorted(missing | numbers)
    assert (together[0], together[-1]) == (min(numbers), max(numbers))
    assert len({b - a for a, b in itertools.pairwise(together)}) == 1


@given(st.sets(st.integers(-2000, 2000)))
def test_a_frame_range_reads_back(numbers):
    """With fileseq."""
    text = frame_range(numbers)
    assert (set(fileseq.FrameSet(text)) if text else set()) == numbers


def test_frame_ranges_are_short():
    assert frame_range([1003, 1001, 1002, 1002]) == "1001-1003"
    assert frame_range([1, 3, 5, 7, 9]) == "1-9x2"
    assert frame_range([1, 2, 3, 7]) == "1-3,7"

"""Files of two sides that belong together."""

from __future__ import annotations

import pytest

from exr_inspector.sequence.pairs import pair_files


def pairs(a, b):
    """The pattern of each side, the frames of both, and those of one."""
    return [
        (
            pair.a and pair.a.pattern,
            pair.b and pair.b.pattern,
            [frame for frame, _, _ in pair.files],
            pair.only_in_a,
            pair.only_in_b,
        )
        for pair in pair_files(a, b)
    ]


def frames(pattern, *numbers):
    return [pattern.replace("#", str(number)) for number in numbers]


def test_two_files_are_a_pair():
    """Their names and frames do not matter."""
    ((a, b, files, *only),) = pairs(["x/plate.1001.exr"], ["y/other.1002.exr"])
    assert (a, b, files, only) == ("x/plate.1001.exr", "y/other.1002.exr", [None], ["", ""])


def test_frames_are_paired_by_number():
    """Not by padding, in order; the others are ranges."""
    a, b = (
        frames("a/v001/s.#.exr", 1003, 1001, 1002),
        ["a/v002/s.01002.exr", "a/v002/s.01003.exr", "a/v002/s.01004.exr"],
    )
    assert pairs(a, b) == [("a/v001/s.####.exr", "a/v002/s.#####.exr", [1002, 1003], "1001", "1004")]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("sh/v001/s_v001.#.exr", "sh/v002/s_v002.#.exr"),
        ("sh/v1/beauty/s.#.exr", "sh/v12/beauty/s.#.exr"),
        ("old/beauty/s.#.exr", "new/show/beauty/s.#.exr"),
        ("s3://a/sh/s_ver01.#.exr", "sh/s_ver02.#.exr"),
    ],
)
def test_sequences_are_paired_by_name_without_versions(a, b):
    """Others of the folders are not in the way."""
    others = [frames(f"{side.rpartition('/')[0].replace('beauty', 'fog')}/fog.#.exr", 1, 2) for side in (a, b)]
    found = pairs([*frames(a, 1, 2), *others[0]], [*others[1], *frames(b, 2, 3)])
    assert (a, b, [2], "1", "3") in found
    assert len(found) == 2


def test_sequences_without_a_partner():
    """A sequence of one side; files without a frame number too."""
    a = [*frames("a/s.#.exr", 1, 2), *frames("a/fog.#.exr", 1, 3), "a/notes.exr"]
    b = [*frames("b/s.#.exr", 1, 2), "b/notes.exr", *frames("b/depth.#.exr", 7)]
    assert pairs(a, b) == [
        ("a/fog.#.exr", None, [], "1,3", ""),
        ("a/notes.exr", "b/notes.exr", [None], "", ""),
        ("a/s.#.exr", "b/s.#.exr", [1, 2], "", ""),
        (None, "b/depth.#.exr", [], "", "7"),
    ]


def test_single_sequences_are_a_pair():
    """As two patterns are; their names do not matter."""
    ((a, b, files, *_),) = pairs(frames("a/s.#.exr", 1, 2), frames("b/t.#.exr", 1, 2))
    assert (a, b, files) == ("a/s.#.exr", "b/t.#.exr", [1, 2])


def test_a_file_without_a_frame_and_a_sequence_are_no_pair():
    """Also if they are alone; no file is left out."""
    assert pairs(["s1/notes.exr"], frames("s2/s.#.exr", 1, 2)) == [
        ("s1/notes.exr", None, [], "", ""),
        (None, "s2/s.#.exr", [], "", "1-2"),
    ]


def test_two_versions_on_one_side_keep_their_names():
    a = [*frames("a/s_v001.#.exr", 1), *frames("a/s_v002.#.exr", 1)]
    assert pairs(a, a) == [
        ("a/s_v001.#.exr", "a/s_v001.#.exr", [1], "", ""),
        ("a/s_v002.#.exr", "a/s_v002.#.exr", [1], "", ""),
    ]


def test_of_a_frame_with_several_files_each_one_is_in_a_pair():
    """Those without a partner are listed with their own padding."""
    a, b = ["a/s.001.exr", "a/s.002.exr", "a/s.01.exr"], ["b/s.1.exr", "b/s.2.exr"]
    assert pairs(a, b) == [
        ("a/s.###.exr", "b/s.#.exr", [1, 2], "", ""),
        ("a/s.##.exr", None, [], "1", ""),
    ]
    assert (None, "a/s.##.exr", [], "", "1") in pairs([*b, "b/t.exr"], [*a, "a/t.exr"])
    assert pairs(a, a) == [
        ("a/s.###.exr", "a/s.###.exr", [1, 2], "", ""),
        ("a/s.##.exr", "a/s.##.exr", [1], "", ""),
    ]


def test_two_files_of_one_frame_are_no_single_file():
    assert pairs(["a/s.001.exr", "a/s.01.exr"], ["b/t.7.exr"]) == [
        ("a/s.###.exr", "b/t.#.exr", [], "1", "7"),
        ("a/s.##.exr", None, [], "1", ""),
    ]

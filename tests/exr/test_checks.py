"""The checks of headers: one file for each code, and agreement with OpenEXR and OpenImageIO."""

from __future__ import annotations

from pathlib import Path
from struct import pack

import pytest

from exr_inspector import inspect
from exr_inspector.errors import ExrFormatError
from exr_inspector.exr.codes import PROBLEMS
from tests.support import corpus
from tests.support import exr_writer as w
from tests.support.changed_headers import changed_headers
from tests.support.oracle_process import LIBRARIES, verdicts

LONG = "n" * 40
NAN, INF = float("nan"), float("inf")
CHROMATICITIES = w.fixed("chromaticities", "chromaticities", 0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.329)


def floats(name, *numbers):
    return w.part(replace={name: w.fixed(name, "float", *numbers)})


def window(name, *box):
    return w.part(replace={name: w.fixed(name, "box2i", *box)})


def extra(*attributes):
    return w.part(extra=attributes)


def channels(*entries, **options):
    """A part whose channel list replaces three HALF channels; its chunks stay."""
    return w.part(replace={"channels": w.attribute("channels", "chlist", w.chlist(entries))}, **options)


def two(**second):
    return [w.part(name="a"), w.part(name="b", **second)]


G = ("G", w.HALF, 1, 1, 0)

# Code and parts; and the flags of the version field, where they are not those of the parts.
CASES = [
    ("unknown_type", extra(w.attribute("odd", "odd", b"x"))),
    ("attribute_size", extra(w.attribute("isoSpeed", "float", b"abc"))),
    ("attribute_value", w.part(replace={"lineOrder": w.fixed("lineOrder", "lineOrder", 3)})),
    ("attribute_value", w.part(compression=2, replace={"compression": w.attribute("compression", "compression", b"")})),
    ("attribute_value", extra(w.attribute("preview", "preview", w.preview(2, 2) + b"more"))),
    ("empty_value", extra(w.attribute("isoSpeed", "float", b""))),
    ("skipped_value", extra(w.fixed("envmap", "envmap", 2))),
    ("skipped_value", extra(w.attribute("tiles", "tiledesc", b""))),
    ("skipped_value", extra(w.attribute("tiles", "tiledesc", b"\1\2"))),
    ("skipped_value", extra(w.attribute("multiView", "stringvector", pack("<i", 9)))),
    ("text_encoding", extra(w.attribute("owner", "string", b"\xff"))),
    ("attribute_type", w.part(replace={"screenWindowWidth": w.fixed("screenWindowWidth", "int", 1)})),
    ("duplicate_attribute", extra(w.fixed("isoSpeed", "float", 1), w.fixed("isoSpeed", "float", 1))),
    ("conflicting_attribute", extra(w.text("owner", "one"), w.text("owner", "one"))),
    ("conflicting_attribute", extra(w.text("owner", "one"), w.fixed("owner", "int", 1))),
    ("conflicting_attribute", extra(w.fixed("pixelAspectRatio", "float", 2))),
    ("missing_attribute", w.part(replace={"displayWindow": None})),
    ("no_version_or_count", w.part(deep=True, replace={"version": None})),
    ("no_version_or_count", two(replace={"chunkCount": None})),
    ("no_version_or_count", two(replace={"chunkCount": w.attribute("chunkCount", "int", b"\1\0\0")})),
    ("no_version_or_count", w.part(deep=True, replace={"version": w.fixed("version", "float", 1)})),
    ("long_name", extra(w.text(LONG, "x"))),
    ("long_name", w.part(channels=[(LONG, w.HALF, 1, 1, 0)])),
    ("unknown_flags", w.part(), 0x2000),
    ("contradicting_flags", two(), w.MULTIPART | w.TILED),
    ("contradicting_flags", w.part(deep=True), w.NON_IMAGE | w.TILED),
    ("flags_type_mismatch", extra(w.text("type", "tiledimage"))),
    ("flags_type_mismatch", two(deep=True), w.MULTIPART),
    ("flat_type_in_deep_file", w.part(deep=True, replace={"type": w.text("type", "scanlineimage")})),
    ("unknown_part_type", two(replace={"type": w.text("type", "scanlineimage\0")})),
    ("unknown_part_version", w.part(deep=True, replace={"version": w.fixed("version", "int", 2)})),
    ("duplicate_part_name", [w.part(name="a"), w.part(name="a")]),
    ("parts_disagree", two(display=(0, 0, 3, 3))),
    ("parts_disagree", two(replace={"pixelAspectRatio": w.fixed("pixelAspectRatio", "float", 2)})),
    ("parts_disagree", two(extra=[CHROMATICITIES])),
    ("parts_disagree", two(extra=[w.attribute("timeCode", "timecode", w.timecode(1, 2, 3, 4))])),
    ("empty_window", window("displayWindow", 0, 9, 5, 5)),
    ("window_range", window("displayWindow", -(2**30) + 1, 0, 5, 5)),
    ("window_range", window("displayWindow", 0, 0, 5, 2**30 - 1)),
    *(("bad_pixel_aspect_ratio", floats("pixelAspectRatio", aspect)) for aspect in (0, -1, NAN, INF, 9.9e-7, 1.01e6)),
    ("bad_screen_window", floats("screenWindowWidth", -1)),
    ("bad_screen_window", floats("screenWindowWidth", -INF)),
    ("bad_line_order", w.part(line_order=2)),
    ("bad_line_order", w.part(line_order=2, deep=True)),
    *(("deep_compression", w.part(deep=True, compression=code)) for code in (3, 4, 5, 8)),
    ("no_channels", w.part(channels=[], compression=2)),
    ("unknown_pixel_type", channels(("G", 3, 1, 1, 0))),
    ("bad_linear_flag", channels(("G", w.HALF, 1, 1, 2))),
    ("bad_sampling", channels(("G", w.HALF, 0, 1, 0))),
    ("bad_sampling", w.part(window=(1, 0, 16, 7), channels=[("G", w.HALF, 2, 1, 0)])),
    ("bad_sampling", w.part(window=(0, 0, 15, 6), channels=[("G", w.HALF, 1, 2, 0)])),
    ("bad_sampling", channels(("G", w.HALF, 2, 2, 0), tiles=w.Tiles(8, 8))),
    ("bad_sampling", channels(("G", w.HALF, 2, 1, 0), deep=True)),
    ("duplicate_channel", w.part(channels=[G, G])),
    ("unsorted_channels", w.part(channels=w.RGB[::-1])),
    ("channel_list_end", w.part(replace={"channels": w.attribute("channels", "chlist", w.chlist(w.RGB) + b"odd")})),
    ("channel_list_end", w.part(replace={"channels": w.attribute("channels", "chlist", w.chlist(w.RGB)[:-1])})),
    ("bad_tiles", w.part(tiles=w.Tiles(2**29, 8))),
    ("chunk_count_mismatch", extra(w.fixed("chunkCount", "int", 3))),
]  # fmt: skip
# These have tests of chunks and limits.
OTHER_TESTS = {
    "value_too_large", "too_many_chunks", "more_problems", "offset_table_cut", "offset_table_unwritten", "bad_chunk",
    "misplaced_chunk",
}  # fmt: skip
# Read by both libraries all the same: they use defaults, the first or the last of two values, or write no such file.
READ_ALL_THE_SAME = {
    "attribute_value", "attribute_type", "missing_attribute", "conflicting_attribute", "parts_disagree",
    "bad_line_order", "unsorted_channels",
}  # fmt: skip
PYTHON_MODULE_ONLY = {"text_encoding"}  # OpenEXR's Python module rejects it, its library does not


def built(case) -> tuple[str, bytes]:
    code, parts, *flags = case
    return code, w.build(parts, flags=flags[0] if flags else None).data


@pytest.mark.parametrize("case", CASES, ids=[f"{number}-{case[0]}" for number, case in enumerate(CASES)])
def test_one_file_for_each_code(case):
    """It has no other problem of the same severity or a higher one."""
    code, data = built(case)
    inspection = inspect(data)
    assert code in [problem.code for problem in inspection.problems]
    assert inspection.problem_severity == PROBLEMS[code].severity
    assert {p.code for p in inspection.problems if p.severity == PROBLEMS[code].severity} <= {code, "bad_chunk"}


def test_every_code_has_a_file():
    assert {case[0] for case in CASES} | OTHER_TESTS == set(PROBLEMS)


def opened_by(paths: list[Path]) -> list[list[bool]]:
    """For each file whether OpenEXR, and whether OpenImageIO, opens it."""
    found = [[not verdict["header"] for verdict in verdicts(paths, library)] for library in LIBRARIES]
    return [list(pair) for pair in zip(*found, strict=True)]


def written(tmp_path: Path, files: list[bytes]) -> list[Path]:
    paths = [tmp_path / f"{number:05}.exr" for number in range(len(files))]
    for path, data in zip(paths, files, strict=True):
        path.write_bytes(data)
    return paths


@pytest.mark.slow
def test_severities_are_what_the_libraries_do(tmp_path):
    """They open files with warnings, and read their pixels; one of them rejects files with errors, or misreads them."""
    cases = [built(case) for case in CASES]
    paths = written(tmp_path, [data for _, data in cases])
    answers = zip(*(verdicts(paths, library) for library in LIBRARIES), strict=True)
    for (code, _), answer in zip(cases, answers, strict=True):
        is_read = all(verdict["header"] == verdict["pixels"] == "" for verdict in answer)
        if code not in READ_ALL_THE_SAME | PYTHON_MODULE_ONLY:
            assert is_read == (PROBLEMS[code].severity != "error"), (code, answer)


def is_sound(data: bytes) -> bool:
    try:
        return inspect(data).is_sound
    except ExrFormatError:
        return False


@pytest.mark.slow
@pytest.mark.parametrize("step", [12, pytest.param(1, marks=pytest.mark.slow)])
def test_sound_files_with_one_changed_value_are_opened_by_a_library(tmp_path, step):
    """All but one in a hundred. Without severities, 24 in a hundred were opened by neither library."""
    files = [data for _, data in changed_headers()]
    assert len(files) > 5000
    sound = [data for data in files[::step] if is_sound(data)]
    answers = opened_by(written(tmp_path, sound))
    neither = sum(not any(answer) for answer in answers)
    print(f"{len(files[::step])} headers, {len(sound)} sound, {neither} of them opened by neither library")
    assert len(sound) > 1500 // step
    assert neither <= len(sound) / 100


@pytest.mark.slow
@corpus.need_corpus
def test_valid_files_are_sound_unless_a_library_rejects_them():
    """None is rejected."""
    unsound = {corpus.name_of(p) for p in corpus.VALID_FILES if corpus.inspected(p).problem_severity == "error"}
    assert unsound == set()


# Of the files of the policy cases, those with problems.
POLICY = {
    "s01-odd-sampling-origin": ["bad_sampling"] * 2,
    "s03-random-y-scanline": ["bad_line_order"],
    "s05-parts-disagree": ["parts_disagree"] * 2,
    "s13-name-of-40-bytes-without-flag": ["long_name"],
    "s15-no-channels": ["no_channels", "bad_chunk"],
    "s17-aspect-nan": ["bad_pixel_aspect_ratio"],
}


@pytest.mark.parametrize("path", corpus.POLICY)
def test_problems_of_the_policy_cases(path):
    assert [problem.code for problem in inspect(path).problems] == POLICY.get(path.stem, [])


@pytest.mark.parametrize("mode", ["all", "sample", "table"])
def test_chunk_sizes_beyond_64_bits(mode):
    """The largest window in the largest tiles: each of its tiles would have more bytes than a file can."""
    box = w.fixed("dataWindow", "box2i", -(2**31), -(2**31), 2**31 - 1, 2**31 - 1)
    tiles = w.attribute("tiles", "tiledesc", pack("<IIB", 2**32 - 1, 2**32 - 1, 0))
    data = w.build(w.part(tiles=w.Tiles(8, 8), replace={"dataWindow": box, "tiles": tiles})).data
    assert not inspect(data, chunks=mode).is_sound


def test_a_required_value_that_is_too_large_to_decode_is_an_error():
    """Its channels were not checked, and OpenEXR cannot open the file."""
    channels = w.chlist([("Z" * (9 << 20), w.HALF, 1, 1, 0), ("A", 7, 1, 1, 0)])
    data = w.build(w.part(replace={"channels": w.attribute("channels", "chlist", channels)})).data
    inspection = inspect(data)
    assert [problem.code for problem in inspection.problems if problem.severity == "error"] == ["attribute_value"]
    assert not inspection.is_sound

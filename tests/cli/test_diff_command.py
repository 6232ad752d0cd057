"""diff: two files, two sequences, two folders; text, JSON and exit codes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from exr_inspector.cli.main import main
from tests.cli.test_inspect import COLOURS, GOOD, UNWANTED, hostile_file
from tests.support import exr_writer as w
from tests.support.terminal import on_terminal


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Files in the working folder, and a sequence in two versions."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    Path("good.exr").write_bytes(GOOD)
    Path("png.exr").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(60))
    for number in (1001, 1002, 1003, 1004):
        put(f"a/v001/shot_v001.{number}.exr", compression=3, extra=frame_of(number))
    for number in (1002, 1003, 1004, 1005, 1006):
        code = 2 if number < 1004 else 4
        put(f"a/v002/shot_v002.{number}.exr", compression=code, extra=[*frame_of(number + 1), w.text("take", "2")])
    return tmp_path


def put(path, **part):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    Path(path).write_bytes(w.build(w.part(**part)).data)


def frame_of(number):
    """Attributes that change from frame to frame; a focus may look measured or typed."""
    return [w.text("capDate", f"2026:01:01 10:00:{number % 60:02}"), w.fixed("focus", "float", number * 1.5)]


def diff(capfd, *words):
    code = main(["diff", *words])
    shown = capfd.readouterr()
    return code, shown.out, shown.err


def test_equal_headers_have_no_output(folder, capfd):
    Path("same.exr").write_bytes(GOOD)
    assert diff(capfd, "good.exr", "same.exr") == (0, "", "")
    assert diff(capfd, "good.exr", "same.exr", "--format", "json") == (0, "[]\n", "")


def test_the_differences_of_two_files(folder, capfd):
    """One line each; the common folder once; values are whole, however long and narrow."""
    put("x/other.exr", compression=3, extra=[w.text("owner", "someone " * 50 + "else")], channels=[("Z", 2, 1, 1, 0)])
    Path("x/good.exr").write_bytes(GOOD)
    assert diff(capfd, "x/good.exr", "x/other.exr", "--all")[:2] == (
        1,
        "below x/\n"
        "a  good.exr\n"
        "b  other.exr\n"
        "  channel B    only in a: HALF\n"
        "  channel G    only in a: HALF\n"
        "  channel R    only in a: HALF\n"
        "  channel Z    only in b: FLOAT\n"
        "  compression  NONE → ZIP\n"
        f"  owner        someone → {'someone ' * 50}else\n",
    )
    code, out, _ = diff(capfd, "x/good.exr", "x/other.exr", "--json")
    found = {row["name"]: row for row in json.loads(out)}
    assert (code, found["B"]["a"], found["B"]["b"]) == (1, "HALF", None)
    assert found["compression"].items() >= {"file_a": "x/good.exr", "a": "NONE", "b": "ZIP", "frames": None}.items()
    assert found["owner"]["b"] == "someone " * 50 + "else"


def test_parts_have_a_heading(folder, capfd):
    """One that only one file has is a line."""
    parts = [w.part(name=name, compression=0) for name in ("rgba", "depth", "N")]
    Path("a.exr").write_bytes(w.build(parts[:2]).data)
    Path("b.exr").write_bytes(w.build([parts[0], parts[2], w.part(name="depth", compression=2)]).data)
    assert diff(capfd, "a.exr", "b.exr")[:2] == (
        1,
        "a  a.exr\n"
        "b  b.exr\n"
        "  part 1  depth\n"
        "    compression  NONE → ZIPS\n"
        "  part N  only in b: scanlineimage, 3 channels\n",
    )


def test_the_first_part_of_several_has_a_heading(folder, capfd):
    """Also if only that part differs."""
    depth = w.part(name="depth", compression=0)
    for name, code in (("a.exr", 0), ("b.exr", 2)):
        Path(name).write_bytes(w.build([w.part(name="rgba", compression=code), depth]).data)
    assert "  part 0  rgba\n    compression  NONE → ZIPS\n" in diff(capfd, "a.exr", "b.exr")[1]


def test_data_windows_of_two_files_are_compared(folder, capfd):
    """Those of frames may change from frame to frame."""
    for path, width in (("a.exr", 8), ("b.exr", 9), ("c/s.1.exr", 8), ("c/s.2.exr", 8), ("d/s.1.exr", 9)):
        put(path, width=width, display=(0, 0, 15, 15))
    put("d/s.2.exr", width=8, display=(0, 0, 15, 15))
    assert diff(capfd, "a.exr", "b.exr")[:2] == (1, "a  a.exr\nb  b.exr\n  dataWindow  [0,0,7,7] → [0,0,8,7]\n")
    assert diff(capfd, "c", "d")[:2] == (0, "not shown: 1 attribute that changes per frame: dataWindow (--all)\n")


def test_an_attribute_that_one_side_lacks_is_never_hidden(folder, capfd):
    """Nor is another type, also in a frame whose neighbours have changing values."""
    date = [w.text("capDate", "2026:01:01 10:00:00")]
    put("a.exr", extra=date)
    put("b.exr", extra=[w.fixed("capDate", "int", 1)])
    assert diff(capfd, "a.exr", "good.exr")[0] == 1
    assert '  capDate  string "2026:01:01 10:00:00" → int 1\n' in diff(capfd, "a.exr", "b.exr")[1]
    for number, other in ((1, date), (2, [])):
        put(f"c/s.{number}.exr", extra=[w.text("capDate", "2026:01:01 10:00:01")])
        put(f"d/s.{number}.exr", extra=other)
    code, out, _ = diff(capfd, "c", "d")
    assert (code, out.splitlines()[2:]) == (
        1,
        [
            "  capDate  only in a: 2026:01:01 10:00:01  2",
            "not shown: 1 attribute that changes per frame: capDate (--all)",
        ],
    )


def test_names_that_are_not_utf_8_are_in_json(folder, capfd):
    """As URIs."""
    Path(os.fsdecode(b"a-\xff.exr")).write_bytes(GOOD)
    put("b.exr", compression=3)
    code, out, _ = diff(capfd, os.fsdecode(b"a-\xff.exr"), "b.exr", "--json")
    assert (code, json.loads(out)[0]["file_a"]) == (1, f"file://{folder}/a-%FF.exr")


def test_a_file_without_a_frame_is_no_sequence(folder, capfd):
    for number in (1001, 1002):
        put(f"s/s.{number}.exr")
    lines = "only in a  good.exr\nonly in b  s/s.####.exr  1001-1002\n"
    assert diff(capfd, "good.exr", "s/s.####.exr") == (1, lines, "")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("a/v001/shot_v001.####.exr", "a/v002/shot_v002.%04d.exr"),
        ("a/v001", "./a/v002"),
        ("a/v001/*.exr", "a/v002/shot_v00?.$F4.exr"),
    ],
)
def test_two_versions_of_a_sequence(folder, capfd, a, b):
    """Frames of one side are ranges, equal differences are grouped; what changes from frame to frame is counted."""
    code, out, err = diff(capfd, a, b)
    assert (code, err) == (1, "")
    assert out.splitlines() == [
        "below a/",
        "a  v001/shot_v001.####.exr",
        "b  v002/shot_v002.####.exr",
        "  only in a  1001",
        "  only in b  1005-1006",
        "  compression  ZIP → ZIPS  1002-1003",
        "  compression  ZIP → PIZ  1004",
        "  take         only in b: 2  1002-1004",
        "not shown: 2 attributes that change per frame: capDate, focus (--all)",
    ]
    _, out, _ = diff(capfd, a, b, "--all")
    assert "  capDate      2026:01:01 10:00:42 → 2026:01:01 10:00:43  1002\n" in out
    _, out, _ = diff(capfd, a, b, "--json")
    rows = json.loads(out)
    assert [(row["kind"], row["name"], row["a"], row["b"], row["frames"]) for row in rows] == [
        ("frames", "only in a", "there", None, "1001"),
        ("frames", "only in b", None, "there", "1005-1006"),
        ("attribute", "compression", "ZIP", "ZIPS", "1002-1003"),
        ("attribute", "take", None, "2", "1002-1004"),
        ("attribute", "compression", "ZIP", "PIZ", "1004"),
    ]


@pytest.mark.slow
def test_a_terminal_has_short_lines(folder, capfd):
    """Many values of an attribute are counted, values that do not fit have lines of their own, long ones are cut."""
    for number in range(1, 9):
        put(f"c/s.{number}.exr", extra=[w.text("take", f"{number}"), w.text("owner", "x" * 300)])
        put(f"d/s.{number}.exr", extra=[w.text("take", "0"), w.text("owner", "x" * 299 + "y")])
    _, shown = on_terminal("diff", "c", "d", cwd=folder)
    assert COLOURS.sub("", shown).replace("\r\n", "\n").splitlines()[2:] == [
        "  take   8 values → 1 value  1-8",
        "  owner  1-8",
        f"    a  300 bytes, from byte 299: …{'x' * 20}x",
        f"    b  300 bytes, from byte 299: …{'x' * 20}y",
    ]
    lines = diff(capfd, "c", "d")[1].splitlines()
    assert f"  owner  {'x' * 300} → {'x' * 299}y  1-8" in lines
    assert sum(line.startswith("  take ") for line in lines) == 8


def test_folders_of_sequences(folder, capfd):
    """By name; one without a partner is a line."""
    for version in ("v001", "v002"):
        put(f"a/{version}/notes.exr", extra=[w.text("owner", version)])
    put("a/v001/fog.1001.exr")
    put("a/v002/spray.1001.exr")
    code, out, _ = diff(capfd, "a/v001", "a/v002")
    assert code == 1
    for line in ("only in a  a/v001/fog.####.exr  1001", "only in b  a/v002/spray.####.exr  1001"):
        assert line in out.splitlines()
    assert "a  v001/notes.exr\nb  v002/notes.exr\n  owner  v001 → v002\n" in out
    assert "  compression  ZIP → PIZ  1004\n" in out


def test_attributes_that_change_from_frame_to_frame_do_not_make_a_difference(folder, capfd):
    """Unless they are asked for."""
    first, second = "a/v001/shot_v001.1001.exr", "a/v001/shot_v001.1002.exr"
    hidden = "not shown: 2 attributes that change per frame: capDate, focus (--all)\n"
    assert diff(capfd, first, second) == (0, hidden, "")
    code, out, _ = diff(capfd, first, second, "--all")
    assert code == 1
    assert "  capDate  2026:01:01 10:00:41 → 2026:01:01 10:00:42\n" in out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["good.exr", "png.exr"], 1, "png.exr: not an EXR file: PNG signature"),
        (["png.exr", "png.exr"], 1, "png.exr: not an EXR file: PNG signature"),
        (["good.exr", "missing.exr"], 3, "missing.exr: "),
        (["missing.exr", "good.exr"], 3, "missing.exr: "),
        (["good.exr", "good.####.exr"], 2, "good.####.exr: no file matches; the working folder has, for example, "),
        (["good.exr", "empty"], 2, "empty: no file below it ends in .exr"),
        (["good.exr", "good.exr", "--json", "--format", "table"], 2, "--format, --json exclude each other"),
    ],
)
def test_what_cannot_be_compared_is_named(folder, capfd, words, code, message):
    """1 for what was read and is not an EXR file, 2 for what names nothing, 3 for what cannot be read."""
    Path("empty").mkdir()
    found, _, err = diff(capfd, *words)
    assert found == code
    assert err.startswith(f"exr-inspector: {message}")


def test_an_unreadable_frame_does_not_stop_the_others(folder, capfd):
    Path("a/v002/shot_v002.1002.exr").write_bytes(b"EXR?" + bytes(60))
    code, out, err = diff(capfd, "a/v001", "a/v002")
    assert (code, err.count("\n")) == (1, 1)
    assert err.startswith("exr-inspector: a/v002/shot_v002.1002.exr: ")
    assert "  compression  ZIP → ZIPS  1003\n" in out


def test_a_file_on_both_sides_is_reported_once(folder, capfd):
    Path("a/v002/shot_v002.1002.exr").write_bytes(b"EXR?" + bytes(60))
    code, out, err = diff(capfd, "a/v002", "a/v002")
    assert (code, out, err.count("shot_v002.1002.exr")) == (1, "", 1)


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], pytest.param(["--json"], marks=pytest.mark.slow)])
def test_hostile_differences_do_not_control_a_terminal(folder, options):
    """Names of files, channels and attributes, and values."""
    hostile_file(folder / "plain.exr")
    name = "[b]\x1b[2J[red].exr"
    Path(name).write_bytes(GOOD)
    code, shown = on_terminal("diff", "plain.exr", name, *options, cwd=folder)
    assert code == 1
    assert not UNWANTED.findall(COLOURS.sub("", shown).replace("\r\n", "\n"))

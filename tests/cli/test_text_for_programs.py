"""The text of `sequences` on a pipe, which grep and awk read: see "Output" in REFERENCE.md."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from exr_inspector.cli.main import main
from exr_inspector.cli.tables import SEQUENCE_ROWS
from tests.cli.test_inspect import COLOURS, CUT, GOOD
from tests.support import exr_writer as w
from tests.support.terminal import on_terminal

REFERENCE = (Path(__file__).parent.parent.parent / "docs/REFERENCE.md").read_text("utf-8")
COMMANDS = re.findall(r"^    (exr-inspector sequences .*\|.*)$", REFERENCE, re.MULTILINE)
LONG = "x" * 300


def split_frame(number: int) -> bytes:
    """One of 1001 to 1006: the owner changes once, the density with each frame."""
    owner = w.text("owner", f"{'first' if number < 1004 else 'second'}{LONG}")
    return w.build(w.part(extra=[owner, w.fixed("xDensity", "float", number)])).data


def make_show() -> None:
    """A sound sequence, one with a gap and a truncated frame, a stereo pair, and values of which none is usual."""
    for name, data in {
        **{f"a/sound.{n}.exr": GOOD for n in (1001, 1002)},
        **{f"b/bad.{n}.exr": CUT if n == 1002 else GOOD for n in (1001, 1002, 1004)},
        **{f"c/stereo_{view}.{n}.exr": GOOD for view in "LR" for n in (1001, 1002) if (view, n) != ("R", 1002)},
        **{f"d/split.{n}.exr": split_frame(n) for n in range(1001, 1007)},
        **{f"missing {n}.exr": GOOD for n in (1, 2)},
    }.items():
        path = Path("show", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def blocks(text: str) -> dict[str, list[str]]:
    """The rows below each first line, by its pattern."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.split()[0] in SEQUENCE_ROWS or line.startswith("all frames of "):
            found[next(reversed(found))].append(line)
        else:
            found[line.split("  ")[0]] = []
    return found


@pytest.mark.slow
def test_each_sequence_and_view_is_a_block(show, capfd):
    """The pattern in full, then rows that begin with their word, which is only there where it applies."""
    assert main(["sequences", "show"]) == 0
    out = capfd.readouterr().out
    found = blocks(out)
    assert {pattern: [row.split()[0] for row in rows] for pattern, rows in found.items()} == {
        "show/a/sound.####.exr": [],
        "show/b/bad.####.exr": ["missing", "truncated"],
        "show/c/stereo_L.####.exr": [],
        "show/c/stereo_R.####.exr": ["missing"],
        "show/d/split.####.exr": ["differs", "differs"],
        "show/missing #.exr": [],
    }
    assert found["show/c/stereo_R.####.exr"] == ["missing     1002 (1)"]


@pytest.mark.slow
def test_nothing_is_cut(show, capfd):
    """Neither long values nor the list of groups."""
    main(["sequences", "show/d/split.####.exr"])
    out = capfd.readouterr().out
    assert "…" not in out
    assert all(f"{which}{LONG}" in out for which in ("first", "second"))
    assert all(f"{n} {n}.0" in out for n in range(1001, 1007))


def test_a_sound_sequence_has_none_of_the_words(show, capfd):
    """Also if it has all frames of a range."""
    assert main(["sequences", "show/a/sound.####.exr", "--range", "1001-1002"]) == 0
    assert not re.search("|".join(SEQUENCE_ROWS), capfd.readouterr().out)


def test_a_pattern_is_not_taken_for_a_row(show, monkeypatch, capfd):
    """If it begins with one of the words."""
    monkeypatch.chdir(show / "show")
    assert main(["sequences", "missing #.exr"]) == 0
    assert capfd.readouterr().out.startswith("./missing #.exr  1-2")


@pytest.mark.slow
def test_the_commands_of_the_reference_work(show, tmp_path, monkeypatch):
    """As they are written there."""
    program = tmp_path / "exr-inspector"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m exr_inspector "$@" show\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    rows, frames = (
        subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout for command in COMMANDS
    )
    assert rows.splitlines() == [
        "missing     1003 (1)",
        "truncated   1002  7 of 8 chunks; missing line 7 (7 in part)",
        "missing     1002 (1)",
    ]
    assert frames.splitlines() == ["show/b/bad.####.exr 1003", "show/c/stereo_R.####.exr 1002"]


@pytest.mark.slow
def test_on_a_terminal_rows_are_indented_and_values_are_cut(show):
    """For people."""
    _, shown = on_terminal("sequences", "show", cwd=show)
    lines = COLOURS.sub("", shown).splitlines()
    assert "  missing     1003 (1)" in lines
    assert LONG not in shown.replace("\r\n", "")

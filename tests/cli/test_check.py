"""The command check: findings, formats, frames to render again, exit codes."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import duckdb
import pytest

from exr_inspector.cli.main import main
from tests.cli.test_inspect import CUT, GOOD
from tests.support import exr_writer as w

CATALOG = "duckdb:catalog.duckdb"
WARNING = w.build(w.part(extra=[w.fixed("x", "float", 1), w.fixed("x", "float", 1)])).data
FINDINGS = """\
show/c.####.exr
error    1003  missing (EXR901)
           render the missing frames
error    1002  truncated: 7 of 8 chunks; missing line 7 (7 in part) (EXR102)
           render the frame again, or copy the file again
show/png.exr
error    unreadable: not an EXR file: PNG signature (not_exr) (EXR101)
           replace it with a complete EXR file
"""


@pytest.fixture(autouse=True)
def show(tmp_path, monkeypatch):
    """Three frames, one of them truncated, one missing, and a file that is not an EXR."""
    monkeypatch.chdir(tmp_path)
    Path("show").mkdir()
    for number in (1001, 1002, 1004):
        Path(f"show/c.{number}.exr").write_bytes(CUT if number == 1002 else GOOD)
    Path("show/png.exr").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(60))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("list_of_paths", "options"), [("show/png.exr\n", []), ("show/c.1001.exr\0show/png.exr\0", ["-0"])]
)
def test_paths_may_be_in_a_file(capfd, list_of_paths, options):
    """As for other commands; an empty list does not stand for a whole catalog."""
    Path("list.txt").write_text(list_of_paths)
    assert main(["check", "--files-from", "list.txt", *options]) == 1
    assert capfd.readouterr().out.startswith("show/png.exr\nerror    unreadable")
    Path("list.txt").write_text("")
    assert main(["check", "--files-from", "list.txt", "--catalog", CATALOG]) == 2
    assert "no path is given" in capfd.readouterr().err
    assert main(["check", "-0", "--catalog", CATALOG]) == 2
    assert "-0 is for the paths of --files-from" in capfd.readouterr().err


@pytest.mark.slow
def test_findings_of_files_and_of_a_catalog_are_the_same(capfd):
    """In blocks whose rows begin with the severity; then what was checked."""
    assert main(["check", "show"]) == 1
    text, errors = capfd.readouterr()
    assert (sorted(text.splitlines()[:-1]), errors) == (sorted(FINDINGS.splitlines()), "")
    assert text.splitlines()[-1] == "4 files, 1 sequence: 3 errors"
    main(["ingest", "show", "--catalog", CATALOG])
    capfd.readouterr()
    assert main(["check", "--catalog", CATALOG]) == 1
    assert capfd.readouterr() == (text, "")
    os.environ["EXR_INSPECTOR_CATALOG"] = CATALOG
    try:
        assert main(["check"]) == 1
    finally:
        del os.environ["EXR_INSPECTOR_CATALOG"]
    assert capfd.readouterr() == (text, "")


@pytest.mark.slow
def test_frames_to_render_again(capfd):
    """One line per sequence: its pattern, a tab, the frames; what a farm's command line takes."""
    assert main(["check", "show", "--frames"]) == 1
    assert capfd.readouterr() == ("show/c.####.exr\t1002-1003\nshow/png.exr\t\n", "")
    assert main(["check", "show/c.####.exr", "--frames", "--range", "1001-1006"]) == 1
    assert capfd.readouterr().out == "show/c.####.exr\t1002-1003,1005-1006\n"
    Path("show/c.1002.exr").write_bytes(WARNING)
    Path("show/c.1003.exr").write_bytes(GOOD)
    assert main(["check", "show/c.####.exr", "--frames", "--fail-on", "warning"]) == 1
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_sound_sequence_has_no_findings(capfd):
    Path("show/c.1002.exr").unlink()
    Path("show/c.1001.exr").unlink()
    assert main(["check", "show/c.####.exr"]) == 0
    assert capfd.readouterr() == ("1 file, 1 sequence: nothing wrong\n", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["show/c.1001.exr"], 0),
        (["show/c.1002.exr"], 1),
        (["show/png.exr"], 1),
        (["show", "--fail-on", "never"], 0),
        (["show/c.1001.exr", "show/missing.exr"], 3),
        (["show/c.1002.exr", "show/missing.exr"], 3),
        (["show/d.####.exr"], 2),
        (["empty"], 2),
        (["show", "--range", "1-x"], 2),
        (["show", "--frames", "--format", "json"], 2),
        (["--catalog", "duckdb:none.duckdb"], 3),
        (["warning.exr"], 0),
        (["warning.exr", "--fail-on", "warning"], 1),
    ],
)
def test_exit_codes(arguments, code):
    Path("empty").mkdir()
    Path("warning.exr").write_bytes(WARNING)
    assert main(["check", *arguments]) == code


@pytest.mark.slow
def test_a_catalog_without_such_files_is_not_sound(capfd):
    """A misspelt path must not look like a sound one."""
    main(["ingest", "show", "--catalog", CATALOG])
    capfd.readouterr()
    assert main(["check", "shwo", "--catalog", CATALOG]) == 2
    assert capfd.readouterr().err == "shwo: no file of the catalog matches\n"
    assert main(["check", "png", "shwo", "--catalog", CATALOG]) == 2
    main(["db", "create-schema", "--catalog", "duckdb:empty.duckdb"])
    capfd.readouterr()
    assert main(["check", "--catalog", "duckdb:empty.duckdb"]) == 2
    assert capfd.readouterr().err == "nothing was checked: the catalog is empty\n"


@pytest.mark.slow
def test_all_frames_of_a_sequence_without_files_are_missing(capfd):
    """A job that wrote nothing."""
    main(["ingest", "show", "--catalog", CATALOG])
    capfd.readouterr()
    for catalog in [], ["--catalog", CATALOG]:
        given = ["check", "show/d.####.exr", *catalog, "--range", "1001-1003"]
        assert main(given) == 1
        assert "\nerror    1001-1003  missing of 1001-1003; no file of this sequence exists" in capfd.readouterr().out
        assert main([*given, "--frames"]) == 1
        assert capfd.readouterr().out == "show/d.####.exr\t1001-1003\n"
        assert main(["check", "show/d.*.exr", *catalog, "--range", "1001-1003"]) == 2


@pytest.mark.slow
def test_files_that_could_not_be_read_are_counted(capfd):
    os.mkfifo("show/fifo.exr")
    assert main(["check", "show/c.1001.exr", "show/fifo.exr"]) == 3
    text, errors = capfd.readouterr()
    assert text == "1 file, 1 sequence: 1 not read\n"
    assert errors == "show/fifo.exr: is a FIFO, expected a file\n"


@pytest.mark.slow
def test_a_frame_that_could_not_be_read_is_not_missing(capfd):
    """It may be whole: nothing says that it is to be rendered again."""
    os.mkfifo("show/c.1003.exr")
    assert main(["check", "show/c.####.exr", "--frames"]) == 3
    assert capfd.readouterr().out == "show/c.####.exr\t1002\n"
    assert main(["check", "show/c.####.exr", "--format", "json"]) == 3
    found = {row["rule_id"]: row for row in json.loads(capfd.readouterr().out)}
    assert set(found) == {"EXR100", "EXR102"}
    assert (found["EXR100"]["frames"], len(found["EXR100"]["files"])) == ("1003", 1)
    assert found["EXR100"]["pattern"] == found["EXR102"]["pattern"]


@pytest.mark.slow
def test_tiles_beside_other_paths(capfd):
    """A path with <UDIM> changes nothing for the others."""
    Path("show/t.1001.exr").write_bytes(GOOD)
    assert main(["check", "show/c.1002.exr", "show/t.<UDIM>.exr"]) == 1
    text, errors = capfd.readouterr()
    assert ("truncated" in text, errors) == (True, "")


@pytest.mark.slow
def test_nothing_is_printed_if_nothing_was_checked(capfd):
    """An empty JUnit document would pass."""
    Path("empty").mkdir()
    for output_format in ("table", "json", "junit", "sarif"):
        assert main(["check", "empty", "--format", output_format]) == 2
        shown = capfd.readouterr()
        assert (shown.out, shown.err.startswith("nothing was checked")) == ("", True)


@pytest.mark.slow
def test_files_that_only_version_1_judged_are_counted(capfd):
    main(["ingest", "show", "--catalog", CATALOG])
    with duckdb.connect("catalog.duckdb") as connection:
        connection.execute("UPDATE files SET problem_severity = NULL WHERE completeness = 'complete'")
    capfd.readouterr()
    assert main(["check", "--catalog", CATALOG]) == 1
    assert capfd.readouterr().err == "2 files were not checked by this version; ingest them with --rescan\n"


@pytest.mark.slow
def test_the_verdict_counts_though_the_reader_is_gone():
    """With `set -o pipefail`, a gate must not open because its text was not read."""
    script = f"set -o pipefail; {sys.executable} -m exr_inspector check show --format json | true"
    assert subprocess.run(["bash", "-c", script], check=False).returncode == 1


@pytest.mark.slow
def test_a_closed_or_full_stdout():
    """The exit code is all that is left of a closed one."""
    program = f"{sys.executable} -m exr_inspector"
    for command, code, message in (
        ("check show >&-", 1, ""),
        ("check show --frames > /dev/full", 3, "exr-inspector: reading or writing failed: No space left on device\n"),
    ):
        done = subprocess.run(["sh", "-c", f"{program} {command}"], check=False, stderr=subprocess.PIPE, text=True)
        assert (done.returncode, done.stderr) == (code, message)


@pytest.mark.slow
def test_uris_in_sarif_are_encoded_once(capfd):
    for name in (b"show/n\xff.exr", b"show/50% #1.exr"):
        Path(os.fsdecode(name)).write_bytes(b"")
    assert main(["check", "show", "--format", "sarif"]) == 1
    (run,) = json.loads(capfd.readouterr().out)["runs"]
    uris = {
        location["physicalLocation"]["artifactLocation"]["uri"]
        for result in run["results"]
        for location in result["locations"]
    }
    assert uris == {
        "show/n%FF.exr", "show/50%25%20%231.exr", "show/c.%23%23%23%23.exr", "show/c.1002.exr", "show/png.exr"
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("output_format", ["github", "junit"])
def test_names_of_files_are_escaped_for_build_servers(output_format, capfd):
    """On GitHub, the path of a name that is not UTF-8 is relative to the repository too."""
    for name in (b"a\x01.exr", b"b\t.exr", "c\u202e.exr".encode(), b"d\xff.exr"):
        Path(os.fsdecode(b"show/" + name)).write_bytes(b"")
    assert main(["check", "show", "--format", output_format]) == 1
    text = capfd.readouterr().out
    assert not set(text) & set("\x01\t\u202e\ufffd")
    assert [name in text for name in (r"show/a\x01.exr", r"show/b\x09.exr", r"show/c\u202e.exr")] == [True] * 3
    assert output_format == "junit" or "file=show/d%25FF.exr," in text


@pytest.mark.slow
def test_formats_for_programs(capfd):
    """A file whose bytes could not be read is in all of them."""
    given = ["check", "show", "missing.exr", "--format"]
    rules = ["EXR100", "EXR101", "EXR102", "EXR901"]

    def printed(name: str) -> str:
        assert main([*given, name]) == 3
        return capfd.readouterr().out

    rows = json.loads(printed("json"))
    assert sorted(row["rule_id"] for row in rows) == rules
    assert [json.loads(line) for line in printed("jsonl").splitlines()] == rows
    table = list(csv.DictReader(io.StringIO(printed("csv"))))
    assert [row["rule_id"] for row in table] == [row["rule_id"] for row in rows]
    junit = ElementTree.fromstring(printed("junit").encode())
    assert sorted(case.get("name") for case in junit.iter("testcase") if len(case)) == [
        "missing.exr",
        "show/c.####.exr",
        "show/png.exr",
    ]
    (run,) = json.loads(printed("sarif"))["runs"]
    assert sorted(result["ruleId"] for result in run["results"]) == rules
    assert printed("github").count("::error file=") == 4


@pytest.mark.slow
def test_pixels_are_checked_on_request(capfd):
    """Of files that are read now; those of a catalog if their statistics were stored."""
    Path("black.exr").write_bytes(w.build(w.part()).data)
    assert main(["check", "black.exr", "--fail-on", "warning"]) == 0
    capfd.readouterr()
    assert main(["check", "black.exr", "--stats", "--fail-on", "warning"]) == 1
    text = capfd.readouterr().out
    assert "warning  the color channels are zero (EXR804)" in text
    assert main(["ingest", "black.exr", "--stats", "--catalog", CATALOG]) == 0
    capfd.readouterr()
    assert main(["check", "--catalog", CATALOG, "--stats"]) == 2
    assert "--stats" in capfd.readouterr().err
    assert main(["check", "--catalog", CATALOG]) == 0
    assert capfd.readouterr().out == text


@pytest.mark.slow
def test_output_is_written_to_a_file(capfd):
    assert main(["check", "show", "--format", "junit", "--output", "out.xml"]) == 1
    assert len(list(ElementTree.parse("out.xml").iter("testcase"))) == 2
    assert capfd.readouterr().out == ""


@pytest.mark.slow
def test_reports_list_files_that_pass(capfd):
    """Also those without a frame number; from files and from a catalog."""
    Path("fine.exr").write_bytes(GOOD)
    main(["ingest", "fine.exr", "--catalog", CATALOG])
    for given in ["fine.exr"], ["--catalog", CATALOG]:
        capfd.readouterr()
        assert main(["check", *given, "--format", "junit"]) == 0
        cases = ElementTree.fromstring(capfd.readouterr().out.encode()).iter("testcase")
        assert [(case.get("name"), len(case)) for case in cases] == [("fine.exr", 0)]
        main(["check", *given, "--format", "markdown"])
        text = capfd.readouterr().out
        assert ("**PASS** · 1 file ·" in text, "| **PASS** | <code>fine.exr</code> |" in text) == (True, True)
    main(["check", "show", "--format", "html"])
    text = capfd.readouterr().out
    assert "<dd>4 files, 2 sequences and files" in text
    assert "<code>1001-1002,1004</code>" in text

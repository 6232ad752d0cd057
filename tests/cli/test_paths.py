"""Paths of commands on files: patterns, excluded names, and lists of paths."""

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from exr_inspector.cli.main import main
from exr_inspector.cli.options import NO_FILES
from tests.support import exr_writer as w

CATALOG = ["--catalog", "catalog.duckdb"]


@pytest.fixture(autouse=True)
def show(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in ("show/a.1001.exr", "show/a.1002.exr", "show/sub/b.1001.exr", "show/.snapshot/a.1001.exr"):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(w.build(w.part()).data)


@pytest.fixture
def inspected(capfd):
    """The paths that `inspect` prints."""

    def run(*words, code=0):
        assert main(["inspect", *words, "--jsonl"]) == code
        lines = capfd.readouterr().out.split("\n")[:-1]
        return [json.loads(line)["file"]["file_path"] for line in lines]

    return run


def test_inspect_takes_patterns(inspected):
    assert inspected("show/a.####.exr") == ["show/a.1001.exr", "show/a.1002.exr"]
    assert inspected("show/**/b.%04d.exr", "show/a.1001.exr") == ["show/sub/b.1001.exr", "show/a.1001.exr"]


@pytest.mark.slow
def test_a_pattern_without_files_is_a_usage_error(capfd):
    """Unless other inputs cannot be read."""
    for command in (["inspect"], ["ingest", *CATALOG]):
        assert main([*command, "show/A.####.exr", "show/a.1001.exr"]) == 2
        shown = capfd.readouterr().err
        assert shown.startswith("show/A.####.exr: no file matches; show/ has, for example, a.1001.exr, a.1002.exr\n")
        assert main([*command, "show/A.####.exr", "missing.exr"]) == 3


def test_a_folder_that_has_only_subfolders_asks_for_recursive(capfd):
    Path("empty").mkdir()
    for path in ("show/a.1001.exr", "show/a.1002.exr"):
        Path(path).unlink()
    assert main(["inspect", "show"]) == 2
    assert "for subfolders give --recursive (-r)" in capfd.readouterr().err
    assert main(["inspect", "empty", "--json"]) == 0
    assert main(["inspect", "show", "-r"]) == 0


@pytest.mark.parametrize("layout", ["page", "table", "json", "jsonl"])
def test_without_files_every_format_has_a_message(capfd, layout):
    """And the table has no heading."""
    Path("empty").mkdir()
    assert main(["inspect", "empty", "--format", layout]) == 0
    shown = capfd.readouterr()
    assert shown.err.startswith("no file ends in .exr")
    assert shown.out == ("[\n]\n" if layout == "json" else "")
    Path("above/below").mkdir(parents=True)
    assert main(["inspect", "above", "--format", layout]) == 2
    assert "for subfolders give --recursive (-r)" in capfd.readouterr().err


def test_names_with_other_line_separators_come_from_a_file(inspected):
    name = "show/a\u2028b\x0cc\x85.exr"
    Path(name).write_bytes(Path("show/a.1001.exr").read_bytes())
    Path("list.txt").write_text(f"{name}\r\n", "utf-8")
    assert inspected("--files-from", "list.txt") == [name]


@pytest.mark.parametrize("ends", ["\n", "\0"])
def test_paths_come_from_a_file_or_standard_input(inspected, monkeypatch, ends):
    """Blank lines are left out; with NUL characters, a blank text is a name."""
    options, blanks = (["-0"], []) if ends == "\0" else ([], [" \t"])
    text = ends.join(["show/a.1002.exr", "", *blanks, "show/sub/b.1001.exr", ""])
    Path("list.txt").write_text(text)
    assert inspected("--files-from", "list.txt", *options) == ["show/a.1002.exr", "show/sub/b.1001.exr"]
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text.encode())))
    assert inspected("show/a.1001.exr", "--files-from", "-", *options) == [
        "show/a.1001.exr", "show/a.1002.exr", "show/sub/b.1001.exr"
    ]  # fmt: skip
    Path(" ").write_bytes(Path("show/a.1001.exr").read_bytes())
    Path("list.txt").write_text(f" {ends}")
    assert main(["inspect", "--files-from", "list.txt", *options]) == (0 if options else 2)


def test_without_any_path_the_command_says_what_it_needs(capfd):
    for command in (["inspect"], ["ingest", *CATALOG]):
        assert main(command) == 2
        assert "no path is given; give files" in capfd.readouterr().err


@pytest.mark.slow
def test_files_that_are_excluded_later_do_not_vanish(capfd):
    assert main(["ingest", "show", *CATALOG]) == 0
    assert "3 files: 3 new" in capfd.readouterr().out
    assert main(["ingest", "show", "--exclude", "sub", "--prune", *CATALOG]) == 0
    assert capfd.readouterr().out.startswith("2 files: 0 new, 2 unchanged →")
    assert main(["ingest", "show", "--include", ".snapshot", *CATALOG]) == 0
    assert "4 files: 1 new, 3 unchanged" in capfd.readouterr().out


# ── questions about files without a catalog ───────────────────


def sequences_of(capfd, *words, code=0):
    assert main(["sequences", *words, "--format", "json"]) == code
    return {Path(row["pattern"]).name: row["frames"] for row in json.loads(capfd.readouterr().out)}


@pytest.mark.slow
def test_sequences_of_given_paths_are_those_of_the_files_now(capfd, monkeypatch):
    """A catalog of the settings is not asked, and none is written."""
    monkeypatch.setenv("EXR_INSPECTOR_CATALOG", "duckdb:missing.duckdb")
    assert sequences_of(capfd, "show") == {"a.####.exr": "1001-1002", "b.####.exr": "1001"}
    assert sequences_of(capfd, "show/a.%04d.exr") == {"a.####.exr": "1001-1002"}
    assert sequences_of(capfd, "show/a.####.exr", "show/sub", "show") == {
        "a.####.exr": "1001-1002",
        "b.####.exr": "1001",
    }
    Path("show/a.1001.exr").unlink()
    assert sequences_of(capfd, "show/a.####.exr") == {"a.####.exr": "1002"}
    assert sorted(path.name for path in Path().iterdir()) == ["show"]


@pytest.mark.slow
def test_with_a_catalog_the_paths_select_its_sequences(capfd):
    assert main(["ingest", "show", *CATALOG]) == 0
    capfd.readouterr()
    Path("show/a.1002.exr").unlink()
    assert sequences_of(capfd, "show/a.####.exr", *CATALOG) == {"a.####.exr": "1001-1002"}
    assert sequences_of(capfd, "a.#", "b.#", *CATALOG) == {"a.####.exr": "1001-1002", "b.####.exr": "1001"}
    for command in ("sequences", "outliers", "check"):
        assert main([command, "nothing", *CATALOG]) == 2
        assert capfd.readouterr().err.startswith("nothing: no file of the catalog matches\n")


@pytest.mark.slow
def test_a_question_about_paths_that_cannot_be_read_fails(capfd):
    assert sequences_of(capfd, "show/x.####.exr", code=2) == {}
    assert main(["sequences", "missing.exr"]) == 3
    assert main(["outliers", "missing.exr", "show/x.####.exr"]) == 3
    assert main(["outliers", "show"]) == 0


@pytest.mark.slow
@pytest.mark.parametrize(("command", "all_clear"), [("sequences", "no sequences"), ("outliers", "no outliers")])
def test_without_readable_files_nothing_is_called_clear(capfd, command, all_clear):
    """But what is missing is printed, and errors alone."""
    Path("empty").mkdir()
    Path("empty.exr").touch()
    Path("one.exr").write_bytes(Path("show/a.1001.exr").read_bytes())
    cases = {
        "one.exr": f"{all_clear}\n",
        "empty": f"{NO_FILES}\n",
        "missing.exr": "missing.exr: no such file\n",
    }
    if command == "outliers":
        cases["empty.exr"] = "not compared: 1 file that cannot be read; see `exr-inspector check`\n"
    for path, printed in cases.items():
        assert main([command, path]) == (3 if path == "missing.exr" else 0)
        assert capfd.readouterr() == ("", printed)
    assert main([command, "empty", "--format", "json"]) == 0
    assert capfd.readouterr() == ("[\n]\n", f"{NO_FILES}\n")


@pytest.mark.slow
def test_unreadable_files_that_several_patterns_select_are_counted_once(capfd):
    for name in ("bad.1001.exr", "bad.1002.exr"):
        Path(f"show/sub/{name}").touch()
    assert main(["ingest", "show", *CATALOG]) == 1
    capfd.readouterr()
    assert main(["outliers", "sub", "bad", *CATALOG]) == 0
    assert "not compared: 2 files that cannot be read" in capfd.readouterr().err


@pytest.mark.slow
def test_what_sequences_prints_can_be_given_back(capfd):
    """In text and in JSON, with and without a catalog."""
    assert main(["sequences", "show"]) == 0
    printed = [line.split()[0] for line in capfd.readouterr().out.splitlines() if not line.startswith(" ")]
    assert main(["ingest", "show", *CATALOG]) == 0
    capfd.readouterr()
    assert main(["sequences", "show", "--format", "json"]) == 0
    rows = json.loads(capfd.readouterr().out)
    for pattern in [*printed, *(row["pattern"] for row in rows), *(row["sequence"] for row in rows)]:
        for options in ([], CATALOG):
            assert len(sequences_of(capfd, pattern, *options)) == 1, pattern


@pytest.mark.slow
def test_no_catalog_is_created_for_paths_that_cannot_be_listed(tmp_path, monkeypatch, capfd):
    """A mistyped path; that of an empty folder is not."""
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    catalog = ["--catalog", "duckdb:new.duckdb"]
    for paths, code in ((["nothere"], 3), (["x.####.exr"], 2), (["nothere", "empty/x.*.exr"], 3)):
        assert main(["ingest", *paths, *catalog]) == code
        shown = capfd.readouterr()
        assert (shown.out, len(shown.err.splitlines())) == ("", len(paths) + 1)
        assert shown.err.endswith("no catalog was created, as none of the paths can be listed\n")
    assert not Path("new.duckdb").exists()
    assert main(["ingest", "nothere", "empty", *catalog]) == 3
    assert Path("new.duckdb").exists()
    assert capfd.readouterr().out.startswith("1 file: ")


@pytest.mark.parametrize(
    "words", [["inspect", ""], ["check", ""], ["ingest", " "], ["diff", "", "show"], ["diff", "show", ""]]
)
def test_an_empty_path_is_a_usage_error(words, capfd):
    assert main(words) == 2
    shown = capfd.readouterr()
    assert (shown.out, shown.err) == (
        "",
        "exr-inspector: a path is empty or blank; give files, folders, s3:// URIs or patterns\n",
    )

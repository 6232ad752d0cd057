"""ingest, query, sequences, db and demo: text output, machine-readable output, exit codes."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
from base64 import b64encode
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from exr_inspector import open_catalog
from exr_inspector.catalog.schema import TABLES, VERSION
from exr_inspector.cli.main import main
from exr_inspector.ingestion.run import ingest
from exr_inspector.sequence.summary import as_arrow, sequences
from tests.cli.test_inspect import COLOURS, CUT, GOOD, HOSTILE, UNWANTED, hostile_file
from tests.support import exr_writer as w
from tests.support.small_exr import small_file
from tests.support.terminal import COMMAND, on_terminal, on_terminal_in_turn

CATALOG = "duckdb:catalog.duckdb"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(60)
# Every type that a query may return, with nulls, line breaks, quotes, commas and non-finite numbers.
VALUES = """
    SELECT * FROM (VALUES
        (1, 1.5::DOUBLE, true, 'plain', 'x'::BLOB, TIMESTAMP '2026-02-20 17:41:08.123456', [1, 2], {'a': 1}),
        (-9223372036854775807, 'nan'::DOUBLE, false, E'2\\nlines, "q"', '\\xff\\x00'::BLOB, NULL, [], {'a': NULL}),
        (NULL, '-inf'::DOUBLE, NULL, NULL, NULL, NULL, NULL, NULL),
        (0, 0.1::DOUBLE, NULL, '', ''::BLOB, TIMESTAMP '1969-12-31 23:59:59', [NULL], {'a': 2})
    ) AS t(int, float, bool, text, bytes, time, list, struct)"""


def make_show() -> None:
    """Three frames, one of them truncated, one missing, and a file that is not an EXR."""
    Path("show").mkdir()
    for number in (1001, 1002, 1004):
        Path(f"show/c.{number}.exr").write_bytes(CUT if number == 1002 else GOOD)
    Path("show/png.exr").write_bytes(PNG)


@pytest.fixture
def show(tmp_path, monkeypatch):
    """A show that the test may change."""
    monkeypatch.chdir(tmp_path)
    make_show()
    return tmp_path


def make_filled() -> None:
    """A show, ingested."""
    make_show()
    with open_catalog(CATALOG) as catalog:
        ingest(["show"], catalog)


@pytest.fixture(scope="module")
def prepared(made_once):
    return made_once(make_filled)


@pytest.fixture
def filled(prepared, monkeypatch):
    """The ingested show, for commands that only read it; their output files are removed."""
    monkeypatch.chdir(prepared)
    yield prepared
    for written in prepared.glob("out*"):
        written.unlink()


@pytest.mark.slow
def test_ingest_prints_a_summary(show, capfd):
    """One line on stdout, one on stderr for each damaged file; what is not complete is inspected again."""
    assert main(["ingest", "show", "--catalog", CATALOG]) == 1
    shown = capfd.readouterr()
    assert shown.out == f"4 files: 3 new, 0 unchanged, 1 truncated, 1 unreadable → {CATALOG}\n"
    damaged = "show/c.1002.exr: truncated: 7 of 8 chunks"
    assert shown.err == f"{damaged}\nshow/png.exr: not an EXR file: PNG signature (not_exr)\n"
    assert main(["ingest", "show", "--catalog", CATALOG]) == 1
    shown = capfd.readouterr()
    assert shown.out == (f"4 files: 0 new, 2 unchanged, 1 inspected again, 1 truncated, 1 unreadable → {CATALOG}\n")
    unreadable = "show/png.exr: not an EXR file: PNG signature (not_exr), unchanged"
    assert shown.err == f"{damaged}, unchanged\n{unreadable}\n"


@pytest.mark.slow
def test_ingest_names_the_command_that_has_the_reason_of_an_unknown_file(tmp_path, monkeypatch, capfd):
    """The chunks of a compression that is not known cannot be counted."""
    monkeypatch.chdir(tmp_path)
    unknown = w.part(replace={"compression": w.fixed("compression", "compression", 99)})
    Path("new.exr").write_bytes(w.build(unknown).data)
    assert main(["ingest", "new.exr", "--catalog", CATALOG]) == 1
    line = "new.exr: unknown: the chunks cannot be checked; `exr-inspector inspect` has the reason\n"
    assert capfd.readouterr().err == line


@pytest.mark.slow
def test_every_run_judges_unchanged_files_unless_only_new_ones_count(tmp_path, monkeypatch, capfd):
    """A truncated, an unreadable and an invalid file; `--fail-on new` is for a job that reports each of them once."""
    monkeypatch.chdir(tmp_path)
    invalid = w.build(w.part(replace={"pixelAspectRatio": w.fixed("pixelAspectRatio", "float", -1)})).data
    for name, data in (("cut.exr", CUT), ("png.exr", PNG), ("invalid.exr", invalid)):
        Path(name).write_bytes(data)
        ingest = ["ingest", name, "--catalog", f"duckdb:{name}.duckdb"]
        codes = [main([*ingest, "--fail-on", level]) for level in ("new", "new", "error", "warning", "never")]
        assert codes == [1, 0, 1, 1, 0], name
        assert capfd.readouterr().err.count(f"{name}: ") == 5
        Path(name).write_bytes(data[:-1])
        assert main([*ingest, "--fail-on", "new"]) == 1
    assert main(["ingest", "missing.exr", "--catalog", CATALOG, "--fail-on", "new"]) == 3


@pytest.mark.slow
def test_a_file_that_was_rendered_again_is_not_counted_as_new(tmp_path, monkeypatch, capfd):
    """Nor is one that was unreadable until now, nor with --rescan."""
    monkeypatch.chdir(tmp_path)
    for name, data in (("a.exr", GOOD), ("b.exr", GOOD), ("c.exr", PNG)):
        Path(name).write_bytes(data)
    main(["ingest", ".", "--catalog", CATALOG])
    for options in [], ["--rescan"]:
        for name in ("a.exr", "c.exr"):
            data = w.build(w.part(extra=[w.text("comments", f"second {options}")])).data
            Path(name).write_bytes(data)
        capfd.readouterr()
        assert main(["ingest", ".", "--catalog", CATALOG, *options]) == 0
        again = "0 unchanged, 2 re-rendered, 1 inspected again" if options else "1 unchanged, 2 re-rendered"
        assert capfd.readouterr().out == f"3 files: 0 new, {again} → {CATALOG}\n"


@pytest.mark.fast_cases(4)
@pytest.mark.parametrize(
    ("paths", "options", "code"),
    [
        (["show/c.1001.exr"], [], 0),
        (["show/c.1002.exr"], [], 1),
        (["show/c.1002.exr"], ["--fail-on", "never"], 0),
        (["show/png.exr"], [], 1),
        (["show/png.exr"], ["--fail-on", "never"], 0),
        (["show/png.exr", "show/missing.exr"], [], 3),
        (["show/missing.exr", "show/c.1001.exr"], [], 3),
        (["show"], ["--workers", "-1"], 2),
        (["show"], ["--catalog", "nonsense"], 2),
        (["show"], ["--catalog", "duckdb:no/folder/c.duckdb"], 3),
    ],
)
def test_the_exit_code_of_ingest(show, paths, options, code):
    """0 success, 1 a file is damaged, 2 usage error, 3 something could not be read or written."""
    assert main(["ingest", *paths, "--catalog", CATALOG, *options]) == code


@pytest.mark.slow
def test_unknown_completeness_is_an_error(show):
    """A file with an unknown compression."""
    replace = {"compression": w.fixed("compression", "compression", 77)}
    Path("odd.exr").write_bytes(w.build(w.part(replace=replace)).data)
    printed = json.loads(subprocess.run([*COMMAND, "inspect", "odd.exr", "--json"], stdout=subprocess.PIPE).stdout)
    assert printed["file"]["completeness"] == "unknown"
    assert main(["ingest", "odd.exr", "--catalog", CATALOG]) == 1


@pytest.fixture
def complete_but_invalid(tmp_path, monkeypatch):
    """A complete file whose channel sampling is 0, beside a sound one."""
    monkeypatch.chdir(tmp_path)
    Path("c.1001.exr").write_bytes(GOOD)
    channels = w.attribute("channels", "chlist", w.chlist([("G", w.HALF, 0, 1, 0)]))
    Path("c.1002.exr").write_bytes(
        w.build(w.part(channels=[("G", w.HALF, 1, 1, 0)], replace={"channels": channels})).data
    )


@pytest.mark.slow
def test_every_command_uses_one_definition_of_a_sound_file(complete_but_invalid, capfd):
    """Complete, and without a problem of severity error."""
    assert main(["inspect", "c.1002.exr", "--json"]) == 1
    file = json.loads(capfd.readouterr().out)["file"]
    assert (file["completeness"], file["problem_severity"]) == ("complete", "error")
    assert main(["inspect", "c.1001.exr", "c.1002.exr"]) == 1
    assert "invalid" in capfd.readouterr().out
    assert main(["ingest", ".", "--catalog", CATALOG]) == 1
    assert capfd.readouterr().out.startswith("2 files: 2 new, 0 unchanged, 1 invalid → ")
    assert main(["sequences", "--catalog", CATALOG, "--fail-on", "error"]) == 1
    assert "\ninvalid     1002  the header has errors" in capfd.readouterr().out
    assert main(["report", "incomplete-frames", "--catalog", CATALOG, "--format", "csv"]) == 0
    (row,) = csv.DictReader(io.StringIO(capfd.readouterr().out))
    assert (row["problem"], row["frames"]) == ("invalid", "1002")


@pytest.mark.slow
def test_a_warning_is_a_finding_on_request(tmp_path, monkeypatch):
    """A stale chunkCount: the libraries tolerate it."""
    monkeypatch.chdir(tmp_path)
    Path("c.exr").write_bytes(w.build(w.part(extra=[w.fixed("chunkCount", "int", 3)])).data)
    for command in (["inspect"], ["ingest", "--catalog", CATALOG, "--rescan"]):
        assert main([*command, "c.exr"]) == 0
        assert main([*command, "c.exr", "--fail-on", "warning"]) == 1


@pytest.mark.slow
def test_vanished_files_are_reported_and_pruned_on_request(show, capfd):
    """Nothing is marked below a folder that is empty."""
    assert main(["ingest", "show", "--catalog", CATALOG]) == 1
    Path("show/c.1004.exr").unlink()
    main(["ingest", "show", "--catalog", CATALOG])
    shown = capfd.readouterr()
    assert "\nshow/c.1004.exr: vanished\nvanished files are still current in the catalog" in shown.err
    assert "1 vanished" in shown.out
    main(["ingest", "show", "--catalog", CATALOG, "--prune"])
    assert "1 vanished, 1 marked deleted" in capfd.readouterr().out
    for path in Path("show").iterdir():
        path.unlink()
    assert main(["ingest", "show", "--catalog", CATALOG, "--prune"]) == 3
    shown = capfd.readouterr()
    assert "show/: not marked as deleted, as no file of the catalog is left below it" in shown.err
    assert "marked deleted" not in shown.out


@pytest.mark.slow
def test_the_catalog_comes_from_the_environment_without_the_option(show, monkeypatch, capfd):
    """EXR_INSPECTOR_CATALOG."""
    monkeypatch.setenv("EXR_INSPECTOR_CATALOG", "duckdb:from-environment.duckdb")
    main(["ingest", "show/c.1001.exr"])
    assert Path("from-environment.duckdb").exists()


@pytest.mark.slow
def test_progress_is_shown_on_terminals(tmp_path, monkeypatch):
    """A long run shows files per second; with a piped stderr it prints nothing."""
    for index in range(280):
        folder = tmp_path / f"show/sh{index // 100}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"c.{index}.exr").write_bytes(small_file(index, False, 10))
    slow = """if True:
        import sys, time
        from exr_inspector.ingestion import inspect_file
        from exr_inspector.cli.main import main
        real = inspect_file.inspect
        inspect_file.inspect = lambda *a, **k: (time.sleep(0.005), real(*a, **k))[1]
        sys.exit(main(["ingest", "show", "--catalog", "duckdb:c.duckdb", "--workers", "1", *sys.argv[1:]]))
    """
    monkeypatch.setenv("EXR_INSPECTOR_BATCH_FILES", "50")
    program = tmp_path / "slow.py"
    program.write_text(slow)
    with open(os.devnull, "wb") as nothing:
        code, shown = on_terminal("--rescan", cwd=tmp_path, stdout=nothing.fileno(), program=str(program))
    assert code == 0
    assert re.search(r"[1-9][\d,]* files/s", COLOURS.sub("", shown))
    assert re.search(r"\d+/280", COLOURS.sub("", shown))
    done = subprocess.run([COMMAND[0], str(program), "--rescan"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_hostile_names_and_values_do_not_control_a_terminal(tmp_path):
    """In errors, tables of queries with their headings, CSV, and sequences."""
    name = HOSTILE.replace("/", "")
    (tmp_path / "show").mkdir()
    for number in (1, 2, 3):
        hostile_file(tmp_path / f"show/{name}.{number}.exr")
    (tmp_path / f"show/{name}.4.exr").write_bytes(GOOD)
    (tmp_path / f"show/{name}.5.exr").write_bytes(b"")
    everything = 'SELECT value_text AS "[/b]\x1b[2J", file_path FROM attributes'
    commands = (
        ["ingest", "show", "-q", "--catalog", CATALOG],  # progress, which takes control, is shown on a busy machine
        ["sequences", "--catalog", CATALOG],
        *(["query", everything, "--format", how, "--catalog", CATALOG] for how in ("table", "csv")),
    )
    for words, (_, shown) in zip(commands, on_terminal_in_turn(*commands, cwd=tmp_path), strict=True):
        assert shown
        found = UNWANTED.findall(COLOURS.sub("", shown).replace("\r\n", "\n"))
        assert not set(found) - ({"\r"} if "csv" in words else set()), words


@pytest.fixture
def answer(filled):
    with open_catalog(CATALOG, read_only=True) as catalog:
        yield lambda query=VALUES: catalog.sql(query)


def read_by_duckdb(query: str) -> pa.Table:
    with duckdb.connect() as connection:
        return connection.sql(query).to_arrow_table()


def as_json(value):
    """An Arrow value as strict JSON has it."""
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    return value


@pytest.mark.slow
def test_json_read_back_is_the_table(answer, capfdbinary):
    """Strict JSON: NaN and infinities as strings, bytes as base64, times in ISO 8601."""
    assert main(["query", VALUES, "--format", "json", "--catalog", CATALOG]) == 0
    read = json.loads(capfdbinary.readouterr().out, parse_constant=lambda word: pytest.fail(word))
    assert read == [{key: as_json(value) for key, value in row.items()} for row in answer().to_pylist()]


@pytest.mark.slow
def test_json_lines_read_back_are_the_table(answer, capfdbinary):
    """One object per line, also for values with line breaks."""
    assert main(["query", VALUES, "--format", "jsonl", "--catalog", CATALOG]) == 0
    read = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    assert read == [{key: as_json(value) for key, value in row.items()} for row in answer().to_pylist()]


def test_csv_read_back_is_the_table(answer, capfdbinary):
    """By Python and by DuckDB; null and the empty string are both empty."""
    assert main(["query", VALUES, "--format", "csv", "--catalog", CATALOG]) == 0
    text = capfdbinary.readouterr().out.decode()
    expected = answer()
    header, *read = csv.reader(io.StringIO(text, newline=""))
    assert header == expected.column_names
    for found, row in zip(read, expected.to_pylist(), strict=True):
        for cell, value in zip(found, map(as_json, row.values()), strict=True):
            assert cell == ("" if value is None else value if isinstance(value, str) else json.dumps(value))
    Path("out.csv").write_text(text)
    plain = "SELECT \"int\", float, bool, time FROM read_csv('out.csv', header = true)"
    again = read_by_duckdb(plain)
    assert str(again.to_pylist()) == str(expected.select(["int", "float", "bool", "time"]).to_pylist())


@pytest.mark.slow
@pytest.mark.parametrize("where", ["stdout", "file"])
def test_parquet_read_back_is_the_table(answer, capfdbinary, where):
    """By DuckDB, with the same types."""
    to = ["--output", "out.parquet"] if where == "file" else []
    assert main(["query", VALUES, "--format", "parquet", "--catalog", CATALOG, *to]) == 0
    data = capfdbinary.readouterr().out
    if where == "stdout":
        Path("out.parquet").write_bytes(data)
    else:
        assert data == b""
    again = read_by_duckdb("SELECT * FROM 'out.parquet'")
    assert again.schema.equals(answer().schema)
    assert str(again.to_pylist()) == str(answer().to_pylist())


@pytest.mark.fast_cases(13)
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("how", ["json", "jsonl", "csv", "parquet"])
def test_every_table_in_every_format(filled, table, how, capfdbinary):
    """With vectors and lists."""
    assert main(["query", f"SELECT * FROM {table}", "--format", how, "--catalog", CATALOG]) == 0
    assert capfdbinary.readouterr().out or how == "jsonl"  # a table without rows has no lines


@pytest.mark.parametrize("how", ["json", "jsonl", "csv", "parquet"])
def test_an_empty_result_is_valid_in_every_format(filled, how):
    """Columns without rows."""
    query = "SELECT file_path, size_bytes FROM files WHERE false"
    assert main(["query", query, "--format", how, "--catalog", CATALOG, "--output", "out"]) == 0
    if how == "json":
        assert json.loads(Path("out").read_text()) == []
    elif how == "jsonl":
        assert Path("out").read_text() == ""
    elif how == "csv":
        assert Path("out").read_text() == "file_path,size_bytes\n"
    else:
        assert read_by_duckdb("SELECT * FROM read_parquet('out')").column_names == ["file_path", "size_bytes"]


@pytest.mark.slow
def test_sequences_read_back_are_the_summaries(filled, capfdbinary):
    """In all formats, by other readers."""
    with open_catalog(CATALOG, read_only=True) as catalog:
        expected = as_arrow(sequences(catalog))
    assert main(["sequences", "--format", "json", "--catalog", CATALOG]) == 0
    assert json.loads(capfdbinary.readouterr().out) == expected.to_pylist()
    assert main(["sequences", "--format", "csv", "--catalog", CATALOG]) == 0
    row, png = csv.DictReader(io.StringIO(capfdbinary.readouterr().out.decode(), newline=""))
    assert (row["frames"], png["frames"]) == ("1001-1002,1004", "")
    assert json.loads(row["bad"]) == expected.to_pylist()[0]["bad"]
    assert main(["sequences", "--format", "parquet", "--output", "out.parquet", "--catalog", CATALOG]) == 0
    again = read_by_duckdb("SELECT * FROM 'out.parquet'")
    assert pa.Table.from_pylist(again.to_pylist(), expected.schema).equals(expected)


def test_sequences_as_text(filled, capfd):
    """The frame range in one line, then one line per gap and damaged frame."""
    assert main(["sequences", "--catalog", CATALOG]) == 0
    assert capfd.readouterr().out == (
        "show/c.####.exr  1001-1002,1004  (3 frames)\n"
        "missing     1003 (1)\n"
        "truncated   1002  7 of 8 chunks; missing line 7 (7 in part)\n"
        "show/png.exr\n"
        "unreadable  not an EXR file: PNG signature\n"
    )


def test_frames_of_a_range_are_missing_or_there(filled, capfd):
    """Only against a range is every frame said to be there."""
    assert main(["sequences", "c.#", "--range", "1001-1006x2", "--catalog", CATALOG, "--fail-on", "error"]) == 1
    assert "\nmissing     1003,1005 (2)\n" in capfd.readouterr().out
    assert main(["sequences", "c.#", "--range", "1001-1002,1004", "--catalog", CATALOG]) == 0
    shown = capfd.readouterr().out
    assert "\nall frames of 1001-1002,1004 are present\n" in shown
    assert "\nmissing" not in shown


def test_ranges_of_a_folder_do_not_count_against_a_range(tmp_path, capfd):
    """--problems-only and `check` report nothing either."""
    for name in ("a.1", "a.2", "b.1", "b.2", "b.3"):
        (tmp_path / f"{name}.exr").write_bytes(GOOD)
    assert main(["sequences", str(tmp_path / "*.exr"), "--range", "1-2"]) == 0
    assert "\nranges" not in capfd.readouterr().out


@pytest.mark.fast_cases(1)
@pytest.mark.parametrize("given", ["", "abc", "1-999999999", "1-2000000", "1001#1005"])
def test_a_range_that_cannot_be_is_rejected(filled, capfd, given):
    """Before the catalog is read."""
    assert main(["sequences", "--range", given, "--catalog", CATALOG]) == 2
    assert "--range: " in capfd.readouterr().err


@pytest.mark.slow
def test_frames_in_the_same_state_are_one_line(tmp_path, monkeypatch, capfd):
    """40 empty frames; --problems-only leaves out sound sequences."""
    monkeypatch.chdir(tmp_path)
    for number in range(1, 41):
        Path(f"empty.{number:04}.exr").write_bytes(b"")
    Path("sound.1.exr").write_bytes(GOOD)
    Path("cut.0007.exr").write_bytes(CUT)
    assert main(["ingest", ".", "--catalog", CATALOG]) == 1
    capfd.readouterr()
    assert main(["sequences", "--problems-only", "--catalog", CATALOG]) == 0
    assert capfd.readouterr().out == (
        "cut.####.exr  7  (1 frame)\n"
        "truncated   0007  7 of 8 chunks; missing line 7 (7 in part)\n"
        "empty.####.exr  1-40  (40 frames)\n"
        "unreadable  1-40 (40)  empty file (0 bytes)\n"
    )
    assert main(["sequences", "--problems-only", "--catalog", CATALOG, "--format", "json"]) == 0
    assert len(json.loads(capfd.readouterr().out)) == 2


@pytest.mark.parametrize(
    ("options", "code"),
    [([], 0), (["--fail-on", "error"], 1), (["--fail-on", "warning"], 1), (["nothing", "--fail-on", "error"], 2)],
)
def test_the_exit_code_of_sequences(filled, options, code):
    """0 unless --fail-on is given."""
    assert main(["sequences", *options, "--catalog", CATALOG]) == code


@pytest.mark.slow
def test_an_outlier_is_a_warning(tmp_path, monkeypatch):
    """It fails with --fail-on warning only."""
    monkeypatch.chdir(tmp_path)
    for number in range(1, 6):
        Path(f"c.{number}.exr").write_bytes(w.build(w.part(compression=3 if number == 2 else 0)).data)
    assert main(["ingest", ".", "--catalog", CATALOG]) == 0
    assert main(["sequences", "--catalog", CATALOG, "--fail-on", "error"]) == 0
    assert main(["sequences", "--catalog", CATALOG, "--fail-on", "warning"]) == 1


def test_query_prints_a_table(filled, capfd):
    """One line per row, not wrapped unless on a terminal."""
    query = "SELECT frame, completeness FROM files ORDER BY frame_number"
    assert main(["query", query, "--catalog", CATALOG]) == 0
    lines = [line.split() for line in capfd.readouterr().out.splitlines()]
    assert lines == [["frame", "completeness"], ["1001", "complete"], ["1002", "truncated"], ["1004", "complete"]]


def test_a_query_without_rows_says_so(filled, capfd):
    """On stderr; a result that another program reads is only empty."""
    query = "SELECT frame, completeness FROM files WHERE false"
    assert main(["query", query, "--catalog", CATALOG]) == 0
    assert capfd.readouterr() == ("", "no rows\n")
    assert main(["query", query, "--catalog", CATALOG, "--format", "csv"]) == 0
    assert capfd.readouterr() == ("frame,completeness\n", "")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("DELETE FROM files", "read-only"),
        ("WITH d AS (DELETE FROM files RETURNING *) SELECT * FROM d", ""),
        ("SELECT 1; DELETE FROM files", "2 statements"),
        ("COPY files TO 'out.csv'", "read-only"),
        ("SELECT * FROM read_csv('out.csv')", "the table function read_csv is not allowed"),
        ("SET threads = 1", "read-only"),
        ("", "no statements"),
    ],
)
def test_query_changes_nothing_and_reaches_no_file(filled, capfd, query, message):
    """It exits with 2, and no file of the folder differs afterwards."""
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    assert main(["query", query, "--catalog", CATALOG]) == 2
    assert message in capfd.readouterr().err
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before


def test_the_error_of_a_query_is_one_line(filled, capfd):
    """The name of the program comes first."""
    assert main(["query", "SELECT nonsense FROM files", "--catalog", CATALOG]) == 2
    err = capfd.readouterr().err
    assert err.startswith("exr-inspector: ")
    assert err.count("\n") == 1


@pytest.mark.slow
def test_parquet_does_not_go_to_a_terminal(filled):
    """The message names --output."""
    code, shown = on_terminal("query", "SELECT 1", "--format", "parquet", "--catalog", CATALOG, cwd=filled)
    assert code == 2
    assert "--output FILE" in shown


def test_a_missing_catalog_names_the_command_that_creates_it(tmp_path, capfd):
    """For every command that reads; none of them creates a file."""
    uri = f"duckdb:{tmp_path}/none.duckdb"
    for words in (["query", "SELECT 1"], ["sequences"], ["db", "status"]):
        assert main([*words, "--catalog", uri]) == 3
        assert "exr-inspector ingest" in capfd.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("uri", "code", "message"),
    [
        ("duckdb::memory:", 2, "is lost when the program ends"),
        ("duckdb:md:renders", 2, "not the path of a DuckDB file"),
        ("duckdb:postgres:dbname=renders", 2, "not the path of a DuckDB file"),
        ("duckdb:s3://renders/catalog.duckdb", 2, "not the path of a DuckDB file"),
        ("duckdb:shots.csv", 3, "is not a DuckDB database"),
    ],
)
def test_ingest_into_something_else_creates_nothing(show, capfd, uri, code, message):
    """The reason is given before a file is inspected."""
    Path("shots.csv").write_text("shot,frames\nsh010,24\n")
    before = sorted(Path().rglob("*"))
    assert main(["ingest", "show", "--catalog", uri]) == code
    assert message in capfd.readouterr().err
    assert sorted(Path().rglob("*")) == before


@pytest.mark.slow
def test_a_locked_catalog_names_the_process(filled, capfd):
    """Exit code 3."""
    hold = "import sys, duckdb; c = duckdb.connect('catalog.duckdb'); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([COMMAND[0], "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        assert main(["ingest", "show", "--catalog", CATALOG]) == 3
        assert f"PID {holder.pid}" in capfd.readouterr().err


@pytest.mark.slow
def test_db_creates_a_catalog_and_shows_its_status(tmp_path, monkeypatch, capfd):
    """Creating twice changes nothing."""
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert main(["db", "create-schema", "--catalog", CATALOG]) == 0
        assert capfd.readouterr().out == f"{CATALOG}: schema version {VERSION}\n"
    assert main(["db", "status", "--catalog", CATALOG]) == 0
    shown = capfd.readouterr().out
    assert re.search(r"^catalog +duckdb:catalog\.duckdb$", shown, re.MULTILINE)
    for table in TABLES:
        assert re.search(rf"^{table} +{int(table == 'schema_version')} rows$", shown, re.MULTILINE)
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.slow
def test_the_demo(tmp_path, monkeypatch, capfd):
    """It lists the defects, the catalog can be queried, and it can run again."""
    monkeypatch.chdir(tmp_path)
    assert main(["demo"]) == 0
    shown = capfd.readouterr()
    assert "1 incomplete, 1 truncated, 1 unreadable" in shown.out
    for words in (
        "missing     1004 (1)",
        "truncated   1007",
        "incomplete  1005",
        'outlier     1006  compression: "DWAA"',
    ):
        assert words in shown.out
    assert "not an EXR file: PNG signature" in shown.err
    assert (
        main(["query", "SELECT count(*) FROM files", "--catalog", "duckdb:demo/catalog.duckdb", "--format", "csv"]) == 0
    )
    assert capfd.readouterr().out == "count_star()\n34\n"
    assert main(["demo", "--quiet"]) == 0  # again, in the same folder
    shown = capfd.readouterr().out
    assert [words for words in ("wrote", "Renders similar", "Next, try") if words in shown] == []

"""report: the list of reports, text and machine-readable output, invalid parameters."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from exr_inspector import inspect, open_catalog
from exr_inspector.catalog.queries.named import named_queries
from exr_inspector.cli.main import main
from exr_inspector.cli.tables import bar, report_table
from tests.cli.test_inspect import COLOURS, HOSTILE, UNWANTED
from tests.cli.test_listing import lines as listed
from tests.support import exr_writer as w
from tests.support.small_exr import small_file
from tests.support.terminal import on_terminal, on_terminal_in_turn

CATALOG = "duckdb:catalog.duckdb"
SHOT = "harbor/sq010/sh0020/light"


def make_show():
    """A catalog with three frames in two layers of one shot."""
    with open_catalog("duckdb:catalog.duckdb") as catalog:
        for number, layer in ((1001, "beauty"), (1002, "beauty"), (1001, "fog")):
            path = Path(f"{SHOT}/{layer}/v001/a.{number}.exr")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(small_file(number, False, 20))
            catalog.persist([inspect(path)])


@pytest.fixture(scope="module")
def prepared(made_once):
    return made_once(make_show)


@pytest.fixture(autouse=True)
def shots(prepared, monkeypatch):
    """The folder with the catalog; the tests do not change it."""
    monkeypatch.chdir(prepared)
    yield prepared
    Path("s.parquet").unlink(missing_ok=True)


def run(capfd, *words):
    code = main(["report", *words, "--catalog", CATALOG])
    shown = capfd.readouterr()
    return code, shown.out, shown.err


@pytest.mark.slow
def test_the_list_has_every_report_with_question_and_parameters(capfd):
    code, out, err = run(capfd)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == list(named_queries())
    assert "  Which files have certain channels, and lack others?\n  has=*  lacks=  only=*  path=*\n" in out


def test_the_list_is_whole_on_a_pipe(capfd):
    """Also with long defaults."""
    assert max(len(p.default or "") for query in named_queries().values() for p in query.parameters) > 40
    out = run(capfd)[1]
    for query in named_queries().values():
        for parameter in query.parameters:
            assert f"{parameter.name}={parameter.default or ''}" in out or parameter.default is None


def test_the_list_as_json(capfd):
    _, out, _ = run(capfd, "--format", "json")
    found = {row["name"]: row for row in json.loads(out)}
    assert list(found) == list(named_queries())
    (reference,) = (p for p in found["renders-like"]["parameters"] if p["name"] == "reference")
    assert (reference["kind"], reference["default"]) == ("file", None)


def test_the_sql_is_the_file(capfd):
    assert run(capfd, "storage", "--sql") == (0, named_queries()["storage"].sql, "")


@pytest.mark.slow
def test_a_report_that_python_completes(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    texts = {"name": "CryptoObject", "manifest": '{"a":"00000001","b":"00000002"}'}
    part = w.part(extra=[w.text(f"cryptomatte/1/{field}", text) for field, text in texts.items()])
    Path("a.exr").write_bytes(w.build([part]).data)
    with open_catalog(CATALOG) as catalog:
        catalog.persist([inspect("a.exr")])
    code, out, err = run(capfd, "cryptomattes", "--format", "json")
    (row,) = json.loads(out)
    assert (code, err, row["cryptomatte"], row["objects"], row["broken"]) == (0, "", "CryptoObject", 2, 0)
    assert "-- completed: " in run(capfd, "cryptomattes", "--sql")[1]


def test_a_share_is_a_bar_and_bytes_have_commas(capfd):
    code, out, err = run(capfd, "storage")
    assert (code, err) == (0, "")
    header, beauty, fog = out.splitlines()
    assert header.split() == "show layer renders files mean_bytes largest_bytes bytes share".split()
    assert re.fullmatch(r"harbor  beauty +1 +2 +\d,\d{3} +\d,\d{3} +\d,\d{3}  ██████▋    +66\.\d%", beauty)
    assert re.fullmatch(r"harbor  fog +1 +1 +.*  ███▍ +33\.\d%", fog)


# Reports on a terminal that changes its width.
RESIZED = """
import fcntl, itertools, struct, sys, termios
from exr_inspector.cli.main import main

for columns, name in itertools.product((20, 60, 90, 100, 120, 140), sys.argv[1:]):
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
    print(f"=== {columns} {name}", flush=True)
    main(["report", name, "--catalog", "duckdb:catalog.duckdb"])
"""


@pytest.mark.slow
def test_no_number_is_cut_on_a_narrow_terminal(shots, tmp_path):
    """Paths are cut; if that is not enough, each row is a block."""
    numbers = {"storage": 2, "compression": 1, "render-times": 3}
    (tmp_path / "resized.py").write_text(RESIZED)
    _, shown = on_terminal(*numbers, cwd=shots, program=str(tmp_path / "resized.py"))
    sections = re.findall(r"^=== (\d+) (\S+)\r\n(.*?)(?=^===|\Z)", COLOURS.sub("", shown), re.MULTILINE | re.DOTALL)
    assert len(sections) == 18
    for columns, name, text in sections:
        assert len(re.findall(r" [\d.]+%", text)) == numbers[name], (columns, name)
        assert int(columns) < 60 or max(map(len, text.split("\r\n"))) <= int(columns)


@pytest.mark.parametrize(
    ("share", "cells"),
    [(0, ""), (0.0001, "▏"), (0.1, "█"), (0.5, "█████"), (0.51, "█████▏"), (1, "█" * 10), (1.5, "█" * 10), (-1, "")],
)
def test_a_bar_has_ten_cells(share, cells):
    assert bar(share) == cells.ljust(10)


def test_the_common_folder_is_printed_once_on_a_terminal(shots, capfd):
    """On a pipe, paths are whole."""
    with open_catalog(CATALOG, read_only=True) as catalog:
        rows = named_queries()["iterations"].run(catalog, {})
    first, *lines = listed(report_table(rows), 120)
    assert first == f"below {SHOT}/"
    assert [line.split()[0] for line in lines] == ["render", "beauty/v#/a.#.exr", "fog/v#/a.#.exr"]
    _, out, _ = run(capfd, "iterations")
    assert [line.split()[0] for line in out.splitlines()[1:]] == [
        f"{shots}/{SHOT}/beauty/v#/a.#.exr",
        f"{shots}/{SHOT}/fog/v#/a.#.exr",
    ]


@pytest.mark.slow
def test_columns_are_chosen(capfd):
    """In any format; an unknown name is an error of usage."""
    _, out, _ = run(capfd, "storage", "--columns", "files,layer")
    assert [line.split() for line in out.splitlines()] == [["files", "layer"], ["2", "beauty"], ["1", "fog"]]
    assert run(capfd, "storage", "--columns", "files", "--format", "csv")[1] == "files\n2\n1\n"
    code, _, err = run(capfd, "storage", "--columns", "size")
    assert (code, err.startswith("exr-inspector: --columns: no column 'size'; the columns are show,")) == (2, True)


@pytest.mark.slow
def test_a_terminal_shows_what_fits_or_all(shots):
    """The columns that are left out are named."""
    words = ("report", "shots", "--catalog", CATALOG)
    cases = {(): False, ("--wide",): True, ("--columns", "shot,unreadable"): True}
    shown_for = on_terminal_in_turn(*((*words, *options) for options in cases), cwd=shots)
    for names, (_, shown) in zip(cases.values(), shown_for, strict=True):
        assert ("unreadable" in COLOURS.sub("", shown).splitlines()[0]) == names
        assert ("--wide" in shown) != names


@pytest.mark.slow
def test_other_formats_have_plain_values(capfd):
    _, out, _ = run(capfd, "storage", "--format", "json")
    rows = json.loads(out)
    assert [(row["layer"], row["files"]) for row in rows] == [("beauty", 2), ("fog", 1)]
    assert sum(row["share"] for row in rows) == pytest.approx(1, abs=0.001)
    _, out, _ = run(capfd, "storage", "--format", "csv")
    assert [row["bytes"] for row in csv.DictReader(io.StringIO(out))] == [str(row["bytes"]) for row in rows]
    assert run(capfd, "storage", "--format", "parquet", "--output", "s.parquet") == (0, "", "")
    assert pq.read_table("s.parquet").to_pylist() == rows


def test_parameters_are_name_and_value(capfd):
    _, out, _ = run(capfd, "shots", "--param", "level=frame", "--param", "path=*/beauty/*", "--format", "json")
    assert [row["frame"] for row in json.loads(out)] == [1001, 1002]


@pytest.mark.fast_cases(4)
@pytest.mark.parametrize(
    ("paths", "files"),
    [
        ([f"{SHOT}/beauty/v001/a.####.exr"], 2),
        ([f"./{SHOT}/beauty/v001/a.%04d.exr"], 2),
        ([f"{SHOT}/*/v001/a.@@@@.exr"], 3),
        ([f"{SHOT}/beauty/v001/a.1001.exr", f"{SHOT}/fog"], 2),
        (["./harbor"], 3),
        (["a.#.exr"], 3),
        (["a.#####.exr", "fog"], 1),
        (["*/beauty/*"], 2),
        (["FOLDER/harbor/sq010"], 3),
        (["FOLDER/harbor/**/a.1001.exr"], 2),
        (["file://FOLDER/harbor/sq010/sh0020/light/fog/"], 1),
    ],
)
def test_paths_and_patterns_select_files(shots, capfd, paths, files):
    """Those of the working folder and of the catalog; in a parameter too."""
    paths = [path.replace("FOLDER", str(shots)) for path in paths]
    _, out, err = run(capfd, "shots", *paths, "--format", "json")
    assert ([row["files"] for row in json.loads(out)], err) == ([files], "")
    if len(paths) == 1:
        assert run(capfd, "shots", "--param", f"path={paths[0]}", "--format", "json")[1] == out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["storage", "a.#####.exr"], "no file of the catalog matches a.#####.exr; it has, for example, "),
        (["storage", "/harb"], "no file of the catalog matches /harb; it has, for example, "),
        (["storage", "fog", "--param", "path=fog"], "paths and --param path exclude each other; give one of them"),
    ],
)
def test_paths_that_select_nothing_are_usage_errors(capfd, words, message):
    code, out, err = run(capfd, *words)
    assert (code, out) == (2, "")
    assert err.startswith(f"exr-inspector: {message}")


OWN = """-- title: Owners
-- question: How many files have an owner?
-- empty: no file
-- param least integer = 0: least number of files
-- param path path = *: only these files
SELECT count(*) AS files FROM files WHERE regexp_matches(file_path_normalized, $path.regex)
AND starts_with(file_path_normalized, $path.prefix) HAVING count(*) >= $least
"""


def test_reports_of_a_folder_are_listed_and_run(tmp_path, capfd, monkeypatch):
    """A file that is not a report is one message, and the others are there."""
    monkeypatch.setenv("EXR_INSPECTOR_REPORTS", str(tmp_path))
    (tmp_path / "owners.sql").write_text(f"\ufeff\n{OWN}", "utf-8")
    (tmp_path / "storage.sql").write_text(OWN)
    (tmp_path / "typo.sql").write_text(OWN.replace("integer", "int"))
    (tmp_path / "untitled.sql").write_text("SELECT 1")
    (tmp_path / "binary.sql").write_bytes(b"\xff\xfe")
    (tmp_path / "notes.txt").write_text("not SQL")
    code, out, err = run(capfd)
    assert code == 0
    assert "owners\n  How many files have an owner?\n  least=0  path=*\n" in out
    assert [line for line in out.splitlines() if not line.startswith(" ")] == [*named_queries(), "owners"]
    lines = err.splitlines()
    assert [line.partition(": ")[2].removeprefix(f"{tmp_path}/").partition(":")[0] for line in lines] == [
        "binary.sql", "storage.sql", "typo.sql", "untitled.sql",
    ]  # fmt: skip
    assert "the program has a report of this name; rename the file" in lines[1]
    assert "the kind int is not one of text, integer" in lines[2]
    assert "its first lines lack -- title: …, -- question: …, -- empty: …" in lines[3]
    assert run(capfd, "owners", "fog", "--format", "csv") == (0, "files\n1\n", "")
    assert run(capfd, "owners", "--param", "least=9")[0] == 0
    code, _, err = run(capfd, "typo")
    assert (code, "the kind int is not one of" in err.splitlines()[0], len(err.splitlines())) == (2, True, 2)
    monkeypatch.setenv("EXR_INSPECTOR_REPORTS", str(tmp_path / "none"))
    assert run(capfd)[0] == 2


@pytest.mark.slow
def test_own_reports_do_not_control_a_terminal(tmp_path, capfd, monkeypatch, shots):
    """By their name, their question, or their SQL; a file of --output has the SQL as it is."""
    monkeypatch.setenv("EXR_INSPECTOR_REPORTS", str(tmp_path))
    name = "a\x1b]0;owned\x07"
    sql = OWN.replace("owner?", "owner\x1b[31m?") + "-- \x1b]0;owned\x07\u202e\n"
    (tmp_path / f"{name}.sql").write_text(sql)
    for words in ([], [name, "--sql"]):
        code, shown = on_terminal("report", *words, cwd=shots)
        assert code == 0, shown
        assert "owner" in shown
        assert not UNWANTED.search(COLOURS.sub("", shown.replace("\x1b[31m?", "\x07")).replace("\r\n", "\n"))
    assert run(capfd, name, "--sql")[1] == sql


@pytest.mark.fast_cases(3)
@pytest.mark.parametrize(
    ("column", "shown"),
    [
        ("5 AS path", "5"),
        ("5 AS render", "5"),
        ("'half' AS share", "half"),
        ("'nan'::DOUBLE AS share", ""),
        ("1.5 AS share", "1.5"),
        ("'many' AS bytes", "many"),
        ("5000::HUGEINT AS bytes", "5000"),
        ("TIMESTAMP 'infinity' AS time", "infinity"),
    ],
)
def test_columns_of_own_reports_have_values_of_any_type(tmp_path, capfd, monkeypatch, column, shown):
    """Whatever their name is."""
    monkeypatch.setenv("EXR_INSPECTOR_REPORTS", str(tmp_path))
    head = OWN[: OWN.index("-- param")]
    (tmp_path / "mine.sql").write_text(f"{head}SELECT 'row' AS first, {column}")
    code, out, err = run(capfd, "mine")
    assert (code, err, out.splitlines()[1].split()) == (0, "", ["row", *shown.split()])


@pytest.mark.parametrize("name", ["validation-by-policy", "validation-by-shot"])
def test_a_report_without_validated_files_says_so(capfd, name):
    code, out, err = run(capfd, name)
    assert (code, out) == (0, "")
    assert err.startswith("no file was validated; validate files with: exr-inspector ingest PATH --policy NAME")


def test_the_path_template_is_a_setting(capfd, monkeypatch):
    monkeypatch.setenv("EXR_INSPECTOR_PATH_TEMPLATE", "{show}/*/{layer:sh*}/**")
    _, out, _ = run(capfd, "storage", "--format", "json")
    assert [(row["show"], row["layer"]) for row in json.loads(out)] == [("harbor", "sh0020")]


@pytest.mark.fast_cases(3)
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing"], "unknown report 'nothing'"),
        (["storage", "--param", "level=shot"], "storage has no parameter 'level'; it has path, template"),
        (["storage", "--param", "level"], "--param: expected a name, = and a value"),
        (["storage", "--param", "=shot"], "--param: expected a name, = and a value"),
        (
            ["shots", "--param", "level=show", "--param", "level=shot"],
            "--param level: given twice; give each value once",
        ),
        (["--columns", "name", "--wide"], "the list of reports does not take --columns, --wide"),
        (["storage", "fog", "--sql", "--param", "bad=1"], "--sql does not take paths, --param"),
        (["renders-like"], "renders-like needs a value for reference"),
        (["multi-layer", "--param", "at_least=two"], "parameter at_least: 'two' is not of the kind integer"),
        (["shots", "--param", "level=reel"], "parameter level: 'reel' is not one of show, sequence, shot, frame"),
        (["shots", "--param", "template={reel}"], "path template '{reel}': {reel} is not one of show, sequence, shot,"),
    ],
)
def test_invalid_parameters_are_usage_errors(capfd, words, message):
    code, out, err = run(capfd, *words)
    assert (code, out) == (2, "")
    assert err.startswith(f"exr-inspector: {message}")
    assert err.count("\n") == 1


@pytest.mark.slow
def test_an_empty_result_is_explained(capfd):
    assert run(capfd, "incomplete-frames") == (0, "", "no missing, damaged, invalid or unreadable frames\n")
    assert run(capfd, "incomplete-frames", "--format", "csv") == (0, "problem,render,frames,frame_count,detail\n", "")


def test_a_missing_catalog(capfd):
    assert main(["report", "storage", "--catalog", "duckdb:none.duckdb"]) == 3


@pytest.mark.slow
def test_hostile_text_does_not_control_a_terminal(tmp_path, monkeypatch):
    """In any format."""
    monkeypatch.chdir(tmp_path)
    Path("h.exr").write_bytes(w.build(w.part(extra=[w.text("owner", HOSTILE)])).data)
    with open_catalog(CATALOG) as catalog:
        catalog.persist([inspect("h.exr")])
    words = ("report", "attributes", "--catalog", CATALOG, "--format")
    for code, shown in on_terminal_in_turn(*((*words, how) for how in ("table", "csv", "json")), cwd=tmp_path):
        assert code == 0, shown
        assert not UNWANTED.search(COLOURS.sub("", shown).replace("\r\n", "\n"))  # the terminal ends lines so


def test_duplicates_say_how_many_files_have_no_statistics(capfd):
    code, _, err = run(capfd, "duplicates")
    assert code == 0
    assert "no files with the same pixels; 3 files without statistics, which `exr-inspector ingest --stats`" in err
    assert "; 1 file without statistics" in run(capfd, "duplicates", f"{SHOT}/fog")[2]

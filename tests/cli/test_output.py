"""What every command writes: files of --output, CSV that spreadsheets open, text that does not control a terminal."""

from __future__ import annotations

import csv
import io
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pyarrow as pa
import pytest

from exr_inspector import open_catalog
from exr_inspector.cli.main import main
from exr_inspector.cli.options import Format
from exr_inspector.cli.output import data_stream, print_done, write_table
from exr_inspector.cli.text import clean, clean_lines
from exr_inspector.errors import SettingsError
from tests.support.terminal import COMMAND, on_terminal_in_turn

CATALOG = "duckdb:catalog.duckdb"
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1"]
PLAIN = ["plain", "a=1", " =1", "", "'quoted", "1-1"]
INVISIBLE = "a\u2028b\u202ec\u200bd\ufeffe\U000e0041f\x1bg\x9bh"
MANY_ROWS = "SELECT range FROM range(300000)"
MORE_THAN_A_PIPE_HOLDS = "SELECT range FROM range(30000)"


def make_catalog() -> None:
    """Without files."""
    with open_catalog(CATALOG) as catalog:
        catalog.ensure_schema()


@pytest.fixture(scope="module")
def prepared(made_once):
    return made_once(make_catalog)


@pytest.fixture
def folder(prepared, tmp_path, monkeypatch):
    """A folder of the test's own, with the catalog."""
    (tmp_path / "catalog.duckdb").write_bytes((prepared / "catalog.duckdb").read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def query(*words):
    return main(["query", *words, "--catalog", CATALOG])


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("raw", [False, True])
def test_text_in_csv_is_not_a_formula(tmp_path, monkeypatch, raw):
    """Unless it is to be raw; numbers and other text are as they are, headings are text."""
    monkeypatch.chdir(tmp_path)
    texts = FORMULAS + PLAIN
    columns = {"=text": texts, "number": range(-1, len(texts) - 1), "bytes": [b"\xf8"] * len(texts)}
    write_table(
        pa.table({name: pa.array(column) for name, column in columns.items()}), Format.CSV, "t.csv", raw_csv=raw
    )
    header, *rows = csv.reader(io.StringIO(Path("t.csv").read_bytes().decode(), newline=""))
    mark = "" if raw else "'"
    assert header == [f"{mark}=text", "number", "bytes"]
    assert [text for text, _, _ in rows] == [mark + text for text in FORMULAS] + PLAIN
    assert rows[0][1:] == ["-1", f"{mark}+A=="]


@pytest.mark.slow
def test_the_reader_of_a_query_does_not_keep_the_catalog_open(folder):
    """As `| less`, which reads only the first page."""
    words = ["query", MORE_THAN_A_PIPE_HOLDS, "--format", "csv", "--catalog", CATALOG]
    with subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"range\n"
        with open_catalog(CATALOG) as catalog:
            assert catalog.status().row_counts["files"] == 0
        assert process.poll() is None
        process.stdout.read()


@pytest.mark.slow
def test_ctrl_c_ends_a_long_query(folder):
    """At once, with the exit code of an interruption."""
    words = ["query", "SELECT sum(range % 7) FROM range(20000000000)", "--catalog", CATALOG, "-v"]
    with subprocess.Popen([*COMMAND, *words], stderr=subprocess.PIPE, text=True) as process:
        assert "opened the catalog" in process.stderr.readline()
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "exr-inspector: interrupted\n")


@pytest.mark.parametrize("how", [Format.TABLE, Format.CSV])
def test_columns_are_those_that_are_named_in_this_order(tmp_path, how):
    """In every format; a name that is unknown is an error that lists the others, before anything is written."""
    table = pa.table({"a": [1], "b": [2], "c": [3]})
    path = tmp_path / "out"
    write_table(table, how, str(path), columns="c, a")
    assert path.read_text().replace(",", "  ") == "c  a\n3  1\n"
    path.unlink()
    with pytest.raises(SettingsError, match="--columns: no column 'd'; the columns are a, b, c"):
        write_table(table, how, str(path), columns="a,d")
    with pytest.raises(SettingsError, match="--columns: 'a' is given 2 times; give each column once"):
        write_table(table, how, str(path), columns="a,c,a")
    assert names(tmp_path) == []


def test_unsafe_characters_are_escaped_and_not_lost():
    """As in Python in one line of text, as in JSON in lines of data."""
    assert clean(INVISIBLE) == r"a\u2028b\u202ec\u200bd\ufeffe\U000e0041f\x1bg\x9bh"
    assert clean_lines(f"{INVISIBLE}\r\n\t") == (
        "a\\u2028b\\u202ec\\u200bd\\ufeffe\\udb40\\udc41f\\u001bg\\u009bh\\u000d\n\t"
    )
    assert clean("été 日本 🎬 name\udcff\n") == r"été 日本 🎬 name\xff\x0a"


@pytest.mark.slow
def test_unsafe_characters_reach_no_terminal(folder):
    """Also not by a file of --output that is the terminal, and in messages."""
    row = "SELECT 'a' || chr(27) || chr(8232) || chr(13) || 'b' AS x"
    forms = {"table": r"a\x1b\u2028\x0db", "jsonl": r"a\u001b\u2028\rb", "csv": r"a\u001b\u2028\u000db"}
    options = ("--output", "/dev/stdout", "--catalog", CATALOG)
    commands = [("query", row, "--format", how, *options) for how in forms]
    wrong = ("query", "SELECT \x1b\u202eb", "--catalog", CATALOG)
    *outputs, (_, shown) = on_terminal_in_turn(*commands, wrong, cwd=folder)
    for shown_as, (_, output) in zip(forms.values(), outputs, strict=True):
        assert shown_as in output
        assert "\r" not in output.replace("\r\n", "\n")
    assert r"\x1b\u202eb" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize(("existing", "mode"), [(None, 0o640), (0o604, 0o604)])
def test_output_replaces_a_file_and_keeps_its_mode(folder, existing, mode):
    """A new one has that of the umask. Nothing else is left in the folder."""
    if existing is not None:
        Path("out.csv").write_text("before")
        Path("out.csv").chmod(existing)
    before = os.umask(0o027)
    try:
        assert query("SELECT 1 AS one", "--format", "csv", "--output", "out.csv") == 0
    finally:
        os.umask(before)
    assert Path("out.csv").read_text() == "one\n1\n"
    assert stat.S_IMODE(Path("out.csv").stat().st_mode) == mode
    assert names(folder) == ["catalog.duckdb", "out.csv"]


def test_output_follows_no_planted_link(folder):
    """FILE.part leads to another file, which is not touched."""
    Path("victim").write_text("precious")
    Path("out.csv.part").symlink_to("victim")
    assert query("SELECT 1", "--format", "csv", "--output", "out.csv") == 0
    assert Path("victim").read_text() == "precious"
    assert Path("out.csv.part").is_symlink()


def test_output_to_a_link_writes_the_file_that_it_names(folder):
    """The link remains, as with a redirection of the shell."""
    Path("data").mkdir()
    Path("out.csv").symlink_to("data/real.csv")
    assert query("SELECT 1 AS one", "--format", "csv", "--output", "out.csv") == 0
    assert Path("out.csv").is_symlink()
    assert Path("data/real.csv").read_text() == "one\n1\n"


@pytest.mark.slow
def test_a_failure_leaves_the_file_as_it_was(folder, monkeypatch):
    """A disk that is full is not an error of usage; a folder that does not exist is."""
    Path("out.csv").write_text("before")
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY));"
        "from exr_inspector.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    words = ["query", "SELECT range FROM range(1000)", "--format", "csv", "--output", "out.csv", "--catalog", CATALOG]
    done = subprocess.run([COMMAND[0], "-c", code, *words], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (3, "exr-inspector: out.csv: cannot be written: File too large\n")
    assert Path("out.csv").read_text() == "before"
    assert names(folder) == ["catalog.duckdb", "out.csv"]
    assert query("SELECT 1", "--output", "none/out.csv") == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code", "message"),
    [(signal.SIGINT, 130, "exr-inspector: interrupted\n"), (signal.SIGTERM, 143, "")],
)
def test_interrupted_output_leaves_the_file_as_it_was(folder, number, code, message):
    """By Ctrl-C or `kill` while it is written."""
    Path("out.json").write_text("before")
    words = ["query", MANY_ROWS, "--format", "json", "--output", "out.json", "--catalog", CATALOG]
    process = subprocess.Popen([*COMMAND, *words], stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not any(path.stat().st_size for path in folder.glob(".*.part")):
        time.sleep(0.01)
    process.send_signal(number)
    _, err = process.communicate()
    assert (process.returncode, err) == (code, message)
    assert Path("out.json").read_text() == "before"
    assert names(folder) == ["catalog.duckdb", "out.json"]


def test_two_outputs_at_once_do_not_mix(tmp_path, monkeypatch):
    """One of them is there, whole."""
    monkeypatch.chdir(tmp_path)
    texts = ["a" * 1000, "b" * 1000]
    tables = [pa.table({"text": [text] * 3000}) for text in texts]
    threads = [threading.Thread(target=write_table, args=(table, Format.CSV, "out.csv")) for table in tables]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Path("out.csv").read_text() in [f"text\n{3000 * (text + chr(10))}" for text in texts]
    assert names(tmp_path) == ["out.csv"]


def test_output_to_a_fifo_is_written_to_it(folder):
    """And not replaced."""
    os.mkfifo("fifo")
    read = []
    reader = threading.Thread(target=lambda: read.append(Path("fifo").read_text()))
    reader.start()
    assert query("SELECT 1 AS one", "--format", "csv", "--output", "fifo") == 0
    reader.join()
    assert read == ["one\n1\n"]
    assert stat.S_ISFIFO(os.stat("fifo").st_mode)


@pytest.mark.slow
@pytest.mark.parametrize("output", ["/dev/stdout", "/dev/fd/{}"])
def test_output_to_a_pipe_of_the_shell_is_written_to_it(folder, output):
    """As in `--output /dev/stdout | cat` and `--output >(gzip > out.gz)`."""
    reading, writing = os.pipe()
    words = ["query", "SELECT 1 AS one", "--format", "csv", "--output", output.format(writing), "--catalog", CATALOG]
    done = subprocess.run([*COMMAND, *words], stdout=writing, stderr=subprocess.PIPE, pass_fds=[writing])
    os.close(writing)
    with open(reading, "rb") as pipe:
        assert (done.returncode, done.stderr, pipe.read()) == (0, b"", b"one\n1\n")


def test_an_error_of_what_is_read_does_not_name_the_output(tmp_path):
    """And nothing is left."""
    with pytest.raises(OSError, match=r"^input$"), data_stream(str(tmp_path / "out")) as stream:
        stream.write(b"begun")
        raise OSError("input")
    assert names(tmp_path) == []


def test_lines_precede_the_data_that_follows(monkeypatch):
    """Also if stdout is a pipe, whose lines Python buffers."""
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO()))
    print_done("line")
    with data_stream(None) as stream:
        stream.write(b"data\n")
    assert sys.stdout.buffer.getvalue() == b"line\ndata\n"

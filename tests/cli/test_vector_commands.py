"""similar, outliers and db reembed: text, machine-readable output, exit codes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from exr_inspector import open_catalog
from exr_inspector.cli.main import main
from exr_inspector.ingestion.run import ingest
from tests.support import exr_writer as w

CATALOG = "duckdb:catalog.duckdb"
ZIP = 3


def write(file, *extra, compression=0, channels=w.RGB):
    path = Path(file)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(w.build(w.part(extra=extra, compression=compression, channels=channels)).data)


def make_show():
    """A catalog with six frames of one sequence, one of them compressed, and two of another."""
    for number in range(1, 7):
        write(f"show/c.100{number}.exr", w.text("Software", "Arnold 7.2"), compression=ZIP if number == 4 else 0)
    for number in (1, 2):
        write(f"show/d.100{number}.exr", w.text("artist", "ana"), channels=[*w.RGB, ("Z", w.FLOAT, 1, 1, 0)])
    with open_catalog(CATALOG) as catalog:
        ingest(["show"], catalog)


def run(*words):
    return main([*words, "--catalog", CATALOG])


@pytest.mark.slow
def test_similar_as_text(show, capfd):
    """The nearest first, with the groups that differ; the search method last."""
    assert run("similar", "show/c.1001.exr", "-k", "5", "--explain") == 0
    lines = capfd.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines if line[0].isdigit()][:5] == [
        f"show/c.100{n}.exr" for n in (2, 3, 5, 6, 4)
    ]
    assert lines[0].startswith("1.000")
    (why,) = (line for line in lines if line.startswith("differs "))
    assert why.split()[1] == "structure"
    assert lines[-1] == "5 files; array_cosine_distance in DuckDB"


@pytest.mark.slow
@pytest.mark.parametrize("how", ["json", "csv", "parquet"])
def test_similar_in_other_formats(show, how, capfdbinary):
    assert run("similar", "show/c.1001.exr", "--per-sequence", "--where", "channel_count > 3", "--format", how) == 0
    out = capfdbinary.readouterr().out
    if how == "json":
        (row,) = json.loads(out)
    elif how == "parquet":
        (row,) = pq.read_table(io.BytesIO(out)).to_pylist()
    else:
        header, values = out.decode().splitlines()
        row = dict(zip(header.split(","), values.split(","), strict=True))
    assert list(row) == ["file_id", "file_path_normalized", "sequence", "frame", "files", "similarity"]
    assert row["file_path_normalized"] == f"file://{show}/show/d.1001.exr"
    assert int(row["files"]) == 2
    assert 0 < float(row["similarity"]) < 1


@pytest.mark.slow
def test_the_reference_may_be_a_file_id_or_a_file_outside_the_catalog(show, tmp_path, capfd):
    with open_catalog(CATALOG, read_only=True) as catalog:
        (row,) = catalog.sql("SELECT file_id FROM files WHERE ends_with(file_path, 'd.1001.exr')").to_pylist()
    assert run("similar", row["file_id"][:12], "-k", "1") == 0
    assert "show/d.1002.exr" in capfd.readouterr().out
    elsewhere = tmp_path / "e.exr"
    write(elsewhere, w.text("artist", "ana"), channels=[*w.RGB, ("Z", w.FLOAT, 1, 1, 0)])
    assert run("similar", str(elsewhere), "-k", "1", "--by", "channels") == 0
    assert "show/d.1001.exr" in capfd.readouterr().out


@pytest.mark.fast_cases(3)
@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["similar", "0123456789abcdef"], 2, "no file_id in the catalog begins with it"),
        (["similar", "nowhere.exr"], 3, "no such file"),
        (["similar", "show/c.1001.exr", "--where", "1 = 1) OR (1 = 1"], 2, "is not a condition"),
        (["similar", "show/c.1001.exr", "--where", "colour = 1"], 2, "unknown column colour"),
        (
            ["similar", "show/c.1001.exr", "--where", "file_id IN (SELECT content FROM read_text('/etc/passwd'))"],
            2,
            "a subquery at character ",
        ),
        (["similar", "show/c.1001.exr", "--by", "pixels"], 2, "pixels"),
        (["similar", "show/c.1001.exr", "-k", "0"], 2, "-k"),
    ],
)
def test_errors_are_one_line(show, words, code, message, capfd):
    assert run(*words) == code
    err = capfd.readouterr().err
    assert message in err
    assert len(err.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("command", ["outliers", "odd"])
def test_outliers_as_text_and_json(show, capfd, command):
    """The field that differs, then the vector groups; `odd` is the former name."""
    assert run(command) == 0
    head, *differs = capfd.readouterr().out.splitlines()
    assert head.startswith("show/c.1004.exr  similarity 0.")
    assert differs[0] == 'differs     compression: "ZIP", usually "NONE"'
    assert differs[1].startswith("differs     structure ")
    assert run(command, "c.", "--format", "json", "--fail-on", "warning") == 1
    (row,) = json.loads(capfd.readouterr().out)
    assert (row["frame"], row["differs"][0]) == ("1004", 'compression: "ZIP", usually "NONE"')
    assert run(command, "d.", "--fail-on", "warning") == 0
    assert capfd.readouterr().out == ""


@pytest.mark.slow
def test_reembed_prints_a_summary(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    make_show()
    assert run("db", "reembed") == 0
    assert capfd.readouterr().out == "0 of 0 files have new vectors\n"
    assert run("db", "reembed", "--all") == 0
    assert capfd.readouterr().out == "8 of 8 files have new vectors\n"


def test_a_reference_that_is_not_an_exr_file(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    Path("png.exr").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(60))
    with open_catalog("duckdb:c.duckdb"):
        pass
    assert main(["similar", "png.exr", "--catalog", "duckdb:c.duckdb"]) == 1
    assert capfd.readouterr().err == "exr-inspector: png.exr: not an EXR file: PNG signature (not_exr at byte 0)\n"

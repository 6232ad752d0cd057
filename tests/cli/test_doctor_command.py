"""The command doctor: lines, formats, exit codes. Its checks are tested in tests/doctor."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from exr_inspector.cli.doctor_command import _lines
from exr_inspector.cli.main import main
from exr_inspector.doctor import Check, Status
from tests.support.s3_server import ACCESS_KEY, SECRET_KEY
from tests.support.small_exr import small_file


def make_show() -> None:
    Path("a.exr").write_bytes(small_file(1, False, 12))
    assert main(["ingest", "a.exr", "--catalog", "a.duckdb"]) == 0


@pytest.fixture(autouse=True)
def settings(show, monkeypatch):
    for name in list(os.environ):
        if name.startswith(("S3_", "AWS_", "VAST_DB_", "EXR_INSPECTOR_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("EXR_INSPECTOR_CATALOG", "a.duckdb")


UNREACHABLE = {"S3_ENDPOINT": "http://127.0.0.1:1", "S3_ACCESS_KEY": ACCESS_KEY, "S3_SECRET_KEY": SECRET_KEY}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "environment", "code", "last"),
    [
        ((), {}, 0, " checks: "),
        (("--deep", "--after"), {}, 0, "6 checks: 5 ok, 1 skip"),
        (("--catalog", "none.duckdb"), {}, 1, " checks: 1 FAIL, "),
        (("--catalog", "none.duckdb", "--before"), {}, 0, " checks: "),
        ((), UNREACHABLE, 3, " checks: 1 FAIL, "),
        (("--catalog", "none.duckdb"), UNREACHABLE, 3, " checks: 2 FAIL, "),
    ],
)
def test_exit_codes(monkeypatch, capfd, words, environment, code, last):
    """3 wins over 1."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert main(["doctor", *words]) == code
    lines = capfd.readouterr().out.splitlines()
    assert last in lines[-1]
    assert all(line.startswith(("ok   ", "warn ", "FAIL ", "skip ")) for line in lines[:-1])
    assert ("ok   schema " in "\n".join(lines)) or "none.duckdb" in words
    assert not Path("none.duckdb").exists()


@pytest.mark.slow
@pytest.mark.parametrize("output_format", ["table", "json", "jsonl", "csv", "parquet"])
def test_no_format_shows_a_key(monkeypatch, capfdbinary, output_format):
    for name, value in (UNREACHABLE | {"VAST_DB_ACCESS_KEY": ACCESS_KEY}).items():
        monkeypatch.setenv(name, value)
    assert main(["doctor", "--format", output_format]) == 3
    out, err = capfdbinary.readouterr()
    assert b"AKIA\xe2\x80\xa6(20)" in out
    for secret in (ACCESS_KEY[:5], SECRET_KEY[:8]):
        assert secret.encode() not in out + err


def test_rows(capfd):
    assert main(["doctor", "--after", "--catalog", "none.duckdb", "--format", "json"]) == 1
    schema, coverage = json.loads(capfd.readouterr().out)
    assert schema == {
        "name": "schema",
        "status": "FAIL",
        "what": "there is no catalog",
        "remedy": "create it with: exr-inspector db create-schema --catalog none.duckdb",
        "is_conclusive": True,
    }
    assert coverage["remedy"] == "exr-inspector db coverage PREFIX --catalog none.duckdb"


@pytest.mark.parametrize("width", [60, 80, 160])
def test_lines_fit_the_width_of_a_terminal(width):
    """Only a word that is longer, such as a path, does not."""
    remedy = f"create it with: exr-inspector ingest FOLDER --catalog {'x' * 100}.duckdb"
    check = Check(name="schema", status=Status.FAIL, what="there is no catalog, " * 10, remedy=remedy)
    lines = [line.plain for line in _lines(check, width)]
    assert all(len(line) <= width or line.strip() == f"{'x' * 100}.duckdb" for line in lines)
    assert " ".join(line[24:] for line in lines) == f"{check.what.strip()} → {remedy}"
    assert any(line[24:].startswith("→ create") for line in lines)
    assert [line.plain for line in _lines(check, None)] == [f"FAIL schema             {check.what} → {remedy}"]


def test_both_stages_exclude_each_other(capfd):
    assert main(["doctor", "--before", "--after"]) == 2
    assert "--before and --after exclude each other" in capfd.readouterr().err

"""query: parameters, files and stdin, reports that are printed and run; columns of one name."""

from __future__ import annotations

import csv
import io
import json

import duckdb
import pyarrow.parquet as pq
import pytest

from exr_inspector import inspect, open_catalog
from exr_inspector.catalog.queries.named import named_queries
from exr_inspector.cli.main import main
from tests.support import corpus
from tests.support.demo_catalog import PARAMETERS, fill

CATALOG = "duckdb:catalog.duckdb"


def demo_catalog():
    with open_catalog(CATALOG) as catalog:
        fill(catalog)


@pytest.fixture(scope="module")
def prepared(made_once):
    return made_once(demo_catalog)


@pytest.fixture
def folder(prepared, monkeypatch):
    """A folder with the catalog, which the tests do not change."""
    monkeypatch.chdir(prepared)
    return prepared


def query(capfd, *words):
    code = main(["query", *words, "--catalog", CATALOG])
    shown = capfd.readouterr()
    return code, shown.out, shown.err


@pytest.mark.slow
@pytest.mark.parametrize("name", [query.name for query in named_queries().values() if not query.completed])
def test_the_printed_sql_of_a_report_gives_its_rows(folder, tmp_path, capfd, name):
    """With the same parameters, and the defaults that the SQL declares."""
    given = [word for item in PARAMETERS.get(name, {}).items() for word in ("--param", "=".join(item))]
    if name == "coverage":
        given += ["--param", "days=1"]
    output = ["--format", "json", "--catalog", CATALOG]
    assert main(["report", name, *given, *output]) == 0
    rows = json.loads(capfd.readouterr().out)
    assert main(["report", name, "--sql", "--output", str(tmp_path / "f.sql")]) == 0
    assert main(["query", f"@{tmp_path / 'f.sql'}", *given, *output]) == 0
    assert json.loads(capfd.readouterr().out) == rows


def test_sql_that_begins_with_a_comment_follows_two_hyphens(folder, capfd):
    """As the SQL of a report does: `query -- "$(exr-inspector report storage --sql)"`."""
    assert main(["query", "--catalog", CATALOG, "--format", "csv", "--", "-- one\nSELECT 1 AS n"]) == 0
    assert capfd.readouterr().out == "n\n1\n"


@pytest.mark.slow
def test_parameters_are_bound(folder, capfd, monkeypatch):
    """As text, or as a comment at the head declares; a quote in a value is a character."""
    count = "SELECT count(*) AS n FROM files WHERE frame_number = $frame AND $name = 'it''s; --'"
    given = ["--param", "frame=1003", "--param", "name=it's; --", "--format", "csv"]
    assert query(capfd, count, *given)[:2] == (0, "n\n4\n")
    declared = "\n-- param least integer = 1004: the first frame\nSELECT min(frame_number) AS n FROM files "
    declared += "WHERE frame_number >= $least"
    assert query(capfd, declared, "--format", "csv") == (0, "n\n1004\n", "")
    assert query(capfd, declared, "--param", "least=1005", "--format", "csv") == (0, "n\n1005\n", "")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(declared.encode())))
    assert query(capfd, "-", "--format", "csv") == (0, "n\n1004\n", "")


@pytest.mark.fast_cases(3)
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["SELECT 1", "--param", "x=1"], "the query has no parameter 'x'; it has none"),
        (["SELECT $x", "--param", "x"], "--param: expected a name, = and a value"),
        (["\n-- param x integer: n\nSELECT $x"], "the query needs a value for x"),
        (
            ["\n-- param x integer: n\nSELECT $x", "--param", "x=a"],
            "parameter x: 'a' is not of the kind integer",
        ),
        (
            ["\n-- param x float: n\nSELECT $x"],
            "'-- param x float: n': the kind float is not one of text,",
        ),
        (["@none.sql"], "@none.sql: No such file or directory; expected a file with SQL after the @"),
        (["@catalog.duckdb"], "@catalog.duckdb: not UTF-8; expected a text file with SQL"),
    ],
)
def test_invalid_parameters_and_files_are_usage_errors(folder, capfd, words, message):
    code, out, err = query(capfd, *words)
    assert (code, out) == (2, "")
    assert err.startswith(f"exr-inspector: {message}")
    assert err.count("\n") == 1


# ── columns of one name ────────────────────────────────

CASE = [case for case in corpus.REPORTS_2 if str(case.id).startswith(("33-", "no corpus"))]


@pytest.fixture
def joined(request, tmp_path, monkeypatch):
    """A catalog with one file, and a query with two columns of one name."""
    monkeypatch.chdir(tmp_path)
    sidecar = request.param
    report = corpus.sidecar(sidecar)
    with open_catalog(CATALOG) as catalog:
        catalog.persist([inspect(sidecar.parent / name) for name in report["files"]])
    return report["expect"]


@pytest.mark.slow
@pytest.mark.parametrize("joined", CASE, indirect=True)
def test_columns_of_one_name_keep_their_values(joined, capfd):
    """In every format, the second one with a number."""
    sql = joined["query"]
    names = ["file_id", "is_tiled", "file_id_1", "part_index"]
    _, out, _ = query(capfd, sql, "--format", "json")
    (row,) = json.loads(out)
    assert list(row) == names
    assert len(row) == joined["json"]["keys"]
    values = list(row.values())
    assert values == [values[0], False, values[0], 0]
    _, out, _ = query(capfd, sql, "--format", "csv")
    assert list(csv.reader(io.StringIO(out))) == [names, [values[0], "false", values[0], "0"]]
    assert query(capfd, sql, "--format", "parquet", "--output", "x.parquet") == (0, "", "")
    assert pq.read_table("x.parquet").to_pylist() == [row]
    assert duckdb.sql("SELECT * FROM 'x.parquet'").fetchall() == [tuple(values)]
    _, out, _ = query(capfd, sql, "--format", "table")
    assert out.count(values[0]) == 2
    for other in joined["alsoTry"]:
        code, out, err = query(capfd, other, "--format", "csv")
        assert (code, err) == (0, "")
        head, *rows = csv.reader(io.StringIO(out))
        assert len(set(head)) == len(head)
        assert [len(row) for row in rows] == [len(head)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("TIMESTAMP_NS '2020-01-01 00:00:00.000000001'", "2020-01-01 00:00:00.000000001"),
        ("TIMESTAMP 'infinity'", "infinity"),
        ("TIMESTAMP '290000-01-01'", "290000-01-01 00:00:00"),
        ("DATE '-infinity'", "-infinity"),
        ("['infinity'::TIMESTAMPTZ]", "[infinity]"),
        ("INTERVAL 3 DAY", "3 days"),
        ("{'wait': INTERVAL 3 DAY}", "{'wait': 3 days}"),
        ("'0101'::BIT", "0101"),
        ("union_value(k := 1)", "1"),
        ("TIMETZ '10:00:00+02'", "10:00:00+02"),
        ("1::BIGNUM", "1"),
    ],
)
def test_values_that_only_duckdb_has_are_text(folder, tmp_path, capfd, value, shown):
    """In every format; other columns are as they are, also of the same name."""
    sql = f"SELECT 1 AS x, {value} AS x, $x AS given FROM range(2)"
    row = {"x": 1, "x_1": shown, "given": "it"}
    code, out, err = query(capfd, sql, "--param", "x=it", "--format", "json")
    assert (code, json.loads(out), err) == (0, [row] * 2, "")
    assert query(capfd, sql, "--param", "x=it", "--format", "table")[0] == 0
    path = tmp_path / "x.parquet"
    assert query(capfd, sql, "--param", "x=it", "--format", "parquet", "--output", str(path)) == (0, "", "")
    assert pq.read_table(path).to_pylist() == [row] * 2


@pytest.mark.slow
def test_decimals_are_numbers(folder, capfd):
    """In JSON; sums of integers are integers, and text has all digits."""
    sql = "SELECT sum(size_bytes * 0 + 7) // count(*) AS whole, 0.1::DECIMAL(38,20) AS part, [2.50] AS list FROM files"
    _, out, _ = query(capfd, sql, "--format", "jsonl")
    assert out == '{"whole": 7, "part": 0.1, "list": [2.5]}\n'
    assert query(capfd, sql, "--format", "csv")[1] == "whole,part,list\n7,0.10000000000000000000,[2.5]\n"
    assert query(capfd, f"SELECT {2**100}::HUGEINT AS n", "--format", "jsonl")[1] == f'{{"n": {2**100}}}\n'


def test_a_number_is_not_that_of_another_column(tmp_path):
    with open_catalog(f"duckdb:{tmp_path}/c.duckdb") as catalog:
        assert catalog.sql("SELECT 1 AS a, 2 AS a, 3 AS a_1, 4 AS a").to_pylist() == [
            {"a": 1, "a_2": 2, "a_1": 3, "a_3": 4}
        ]


def test_the_batches_of_a_large_result_are_small(tmp_path):
    """Arrow cannot hold more than 2 GiB of text in one batch; cells have up to 64 KiB."""
    with open_catalog(f"duckdb:{tmp_path}/c.duckdb") as catalog:
        table = catalog.sql("SELECT 'x' AS text FROM range(30000)")
    assert table.num_rows == 30000
    assert max(batch.num_rows for batch in table.to_batches()) << 16 < 1 << 31

"""`db metrics`: the gauges of a catalog, as Prometheus reads them."""

from __future__ import annotations

import duckdb
import pytest
from prometheus_client.parser import text_string_to_metric_families

from exr_inspector.cli.main import main
from exr_inspector.vectors import VERSION

from .conftest import fill


def gauges(text: str, uri: str) -> dict[str, float]:
    """The value of each gauge; all have the catalog as their label."""
    families = list(text_string_to_metric_families(text))
    assert {family.type for family in families} == {"gauge"}
    samples = [sample for family in families for sample in family.samples]
    assert {sample.labels["catalog"] for sample in samples} == {uri}
    assert {sample.labels.get("embedding_version", str(VERSION)) for sample in samples} == {str(VERSION)}
    return {sample.name.removeprefix("exr_inspector_"): sample.value for sample in samples}


@pytest.mark.slow
def test_gauges_of_a_catalog(tmp_path, capsys):
    """To stdout, and to a file that replaces the one before."""
    uri, textfile = f"duckdb:{tmp_path}/c.duckdb", tmp_path / "exr.prom"
    fill(uri)
    assert main(["db", "metrics", "--catalog", uri]) == 0
    before = gauges(capsys.readouterr().out, uri)
    assert main(["db", "metrics", "--deep", "--catalog", uri]) == 0
    assert gauges(capsys.readouterr().out, uri) == {"duplicates": 0, "orphans": 0}
    with duckdb.connect(str(tmp_path / "c.duckdb")) as connection:
        connection.execute("INSERT INTO channels BY NAME SELECT * REPLACE ('lost' AS file_id) FROM channels LIMIT 1")
        connection.execute("INSERT INTO parts FROM parts LIMIT 1")
        connection.execute(
            "INSERT INTO ingest_errors BY NAME SELECT 's3://b/x.exr' AS file_path_normalized, 'bad_magic' AS code, "
            "'no' AS message, last_inspected AS first_seen, last_inspected AS last_seen, 1 AS count FROM files LIMIT 1"
        )
        (newest,) = connection.execute("SELECT epoch(max(last_inspected)) FROM files").fetchone()
    assert before == {
        "newest_row_timestamp_seconds": newest, "files": 3, "open_errors": 0,
        "embedding_version_files": 3,
    }  # fmt: skip
    textfile.write_text("old")
    assert main(["db", "metrics", "--catalog", uri, "--textfile", str(textfile)]) == 0
    assert capsys.readouterr().out == ""
    assert gauges(textfile.read_text(), uri) == before | {"open_errors": 1}
    assert main(["db", "metrics", "--deep", "--catalog", uri, "--textfile", str(textfile)]) == 0
    assert gauges(textfile.read_text(), uri) == {"duplicates": 1, "orphans": 1}
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".duckdb"] == ["exr.prom"]


@pytest.mark.slow
def test_an_empty_catalog_has_no_newest_row(tmp_path, capsys):
    uri = f"duckdb:{tmp_path}/c.duckdb"
    assert main(["--quiet", "db", "create-schema", "--catalog", uri]) == 0
    assert main(["db", "metrics", "--catalog", uri]) == 0
    text = capsys.readouterr().out
    assert "newest_row" not in text
    assert f'exr_inspector_files{{catalog="{uri}"}} 0' in text

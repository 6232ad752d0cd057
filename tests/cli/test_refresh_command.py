"""db refresh, and queries on the derived tables."""

from pathlib import Path

import pytest

from exr_inspector.cli.main import main
from tests.support.small_exr import small_file


@pytest.fixture
def catalog(tmp_path, monkeypatch):
    """A catalog of two frames in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EXR_INSPECTOR_CATALOG", "duckdb:shows.duckdb")
    Path("renders").mkdir()
    for frame in (1001, 1003):
        Path(f"renders/beauty.{frame}.exr").write_bytes(small_file(frame, False, 12))
    assert main(["ingest", "renders", "-q"]) == 0


QUERY = ["query", "SELECT missing FROM sequences", "--format", "csv"]


@pytest.mark.slow
def test_stored_tables_are_kept_up_by_ingest(catalog, capfd):
    assert main(QUERY) == 0
    shown = capfd.readouterr()
    assert shown.out.split() == ["missing", "1002"]
    assert "computed for this query" in shown.err
    assert main(["db", "refresh"]) == 0
    assert "sequences            1 rows" in capfd.readouterr().out
    Path("renders/beauty.1002.exr").write_bytes(small_file(1002, False, 12))
    assert main(["ingest", "renders", "-q"]) == 0
    assert main(QUERY) == 0
    shown = capfd.readouterr()
    assert (shown.out.split("\n")[1], shown.err) == ('""', "")


@pytest.mark.slow
def test_status_says_whether_they_are_right(catalog, capfd):
    main(["db", "status"])
    assert "derived tables       not stored as of now" in capfd.readouterr().out
    main(["db", "refresh"])
    main(["db", "status"])
    assert "derived tables       up to date" in capfd.readouterr().out


def test_a_missing_catalog_is_not_created(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert main(["db", "refresh", "--catalog", "duckdb:typo.duckdb"]) == 3
    assert "typo.duckdb does not exist" in capfd.readouterr().err
    assert not Path("typo.duckdb").exists()

"""Commands with a catalog in a VAST Database."""

import json
import os
import re
from pathlib import Path

import pytest

from exr_inspector import open_catalog
from exr_inspector.catalog.schema import PIXEL_TABLES, TABLES, VERSION
from exr_inspector.cli.main import main
from exr_inspector.sources import listing
from tests.catalog.conftest import BUCKET, emulator, vast_settings  # noqa: F401 (fixtures)
from tests.cli.test_inspect import CUT
from tests.support.exr_bytes import exr_bytes, text
from tests.vastdb_emulator import Emulator

SECRET = "not-a-real-secret"


@pytest.fixture
def uri(tmp_path, monkeypatch, vast_settings):  # noqa: F811
    """A missing catalog, and a folder with a sequence that has a gap, a truncated frame and an outlier."""
    monkeypatch.chdir(tmp_path)
    Path("show").mkdir()
    for number in (1001, 1002, 1004, 1005):
        Path(f"show/c.{number}.exr").write_bytes(exr_bytes(text("note", "odd" if number == 1005 else "usual")))
    Path("show/c.1006.exr").write_bytes(CUT)
    Path("show/png.exr").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(60))
    return f"vast://{BUCKET}/{tmp_path.name.replace('-', '_')}"


@pytest.mark.slow
def test_ingest_sequences_query_and_prune(uri, capsys):
    assert main(["ingest", "show", "--catalog", uri]) == 1
    output = capsys.readouterr()
    assert f"6 files: 5 new, 0 unchanged, 1 truncated, 1 unreadable → {uri}" in output.out
    assert main(["ingest", "show", "--catalog", uri]) == 1
    assert "6 files: 0 new, 4 unchanged, 1 inspected again, 1 truncated, 1 unreadable" in capsys.readouterr().out
    assert main(["sequences", "--catalog", uri, "--format", "json"]) == 0
    sequence, unreadable = json.loads(capsys.readouterr().out)
    assert (unreadable["frames"], unreadable["bad"][0]["status"]) == ("", "unreadable")
    assert (sequence["missing"], sequence["bad"][0]["frame"]) == ("1003", "1006")
    assert main(["check", "--catalog", uri, "--frames"]) == 1
    assert capsys.readouterr().out == "show/c.####.exr\t1003,1006\nshow/png.exr\t\n"
    query = "SELECT count(*) AS n FROM channels WHERE channel_name = 'G'"
    assert main(["query", query, "--catalog", uri, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"n": 5}]
    Path("show/c.1001.exr").unlink()
    assert main(["ingest", "show", "--catalog", uri, "--prune"]) == 1
    assert "1 marked deleted" in capsys.readouterr().out


@pytest.mark.slow
def test_no_tables_are_created_for_paths_that_cannot_be_listed(uri, capsys):
    for _ in range(2):
        assert main(["ingest", "nothere", "--catalog", uri]) == 3
        shown = capsys.readouterr()
        assert shown.out == ""
        assert shown.err.endswith("no catalog was created, as none of the paths can be listed\n")
    assert main(["ingest", "show/c.1001.exr", "--catalog", uri]) == 0
    assert main(["ingest", "nothere", "--catalog", uri]) == 3
    assert capsys.readouterr().out.endswith(f"1 file: 0 new, 0 unchanged, 1 not read → {uri}\n")


@pytest.mark.slow
def test_pixels_are_judged_by_stored_statistics(uri, capsys):
    Path("p.yaml").write_text('policy: p\nversion: "1"\nrules: {value-limit: {limit: -1}}\n')
    words = ["ingest", "show/c.1001.exr", "--catalog", uri]
    assert main([*words, "--policy", "p.yaml"]) == 0
    assert "1 passed p.yaml, 1 judged without pixels" in capsys.readouterr().out
    assert main([*words, "--stats"]) == 0
    assert main([*words, "--policy", "p.yaml"]) == 0
    assert "1 unchanged, 1 warned p.yaml →" in capsys.readouterr().out
    assert main(["validate", "--from-catalog", "--catalog", uri, "--policy", "p.yaml"]) == 0
    assert "EXR806" in capsys.readouterr().out


@pytest.mark.slow
def test_only_statistics_of_files_to_judge_are_read(uri, emulator, capsys):  # noqa: F811
    """And none without rules about pixels; the truncated file, which is read again, has none."""
    selected = {
        "pixels": "select: [nan, fps-allowed]\n",
        "others": "select: [nan, fps-allowed]\nignore: [EXR8]\n",
    }
    for name, rules in selected.items():
        Path(f"{name}.yaml").write_text(f'policy: {name}\nversion: "1"\n{rules}')

    def selects(name: str) -> dict[str, list[int]]:
        """The sizes of the requests that select statistics."""
        emulator.reset_requests()
        assert main(["ingest", "show", "--catalog", uri, "--policy", f"{name}.yaml"]) == 1
        of_tables: dict[str, list[int]] = {}
        for request in emulator.requests:
            table = request.path.split("?")[0].rsplit("/", 1)[-1]
            if request.operation == "select" and table in PIXEL_TABLES:
                of_tables.setdefault(table, []).append(request.body_bytes)
        return of_tables

    assert selects("others") == selects("others") == {}
    main(["ingest", "show/c.1001.exr", "--catalog", uri, "--stats"])
    first, again = selects("pixels"), selects("pixels")
    assert {table: len(sizes) for table, sizes in first.items()} == {"part_stats": 2, "channel_stats": 2}
    assert {table: len(sizes) for table, sizes in again.items()} == {"part_stats": 1, "channel_stats": 1}
    capsys.readouterr()
    main(["ingest", "show", "--catalog", uri, "--policy", "pixels.yaml"])
    output = capsys.readouterr()
    assert "4 judged without pixels" in output.out  # of five, and one is not an EXR file
    main(["ingest", "show/c.1002.exr", "show/c.1004.exr", "show/c.1005.exr", "--catalog", uri, "--stats"])
    last = selects("pixels")
    for table in PIXEL_TABLES:
        assert last[table][-1] > first[table][-1] + 64  # a condition on file_id: three of them, and one before
    assert selects("others") == {}


@pytest.mark.slow
def test_paths_are_listed_once(uri, capsys, monkeypatch):
    """If the catalog exists; a pattern is searched in the whole tree below its folder."""
    assert main(["ingest", "show/c.1001.exr", "--catalog", uri]) == 0
    listed, searched = [], listing.matching_paths

    def matching_paths(*arguments):
        listed.append(arguments[1])
        return searched(*arguments)

    monkeypatch.setattr(listing, "matching_paths", matching_paths)
    assert main(["ingest", "show/**/c.1002.*", "--catalog", uri]) == 0
    assert len(listed) == 1
    assert "1 file: 1 new" in capsys.readouterr().out


@pytest.mark.slow
def test_create_schema_and_status(uri, emulator, capsys):  # noqa: F811
    assert main(["db", "status", "--catalog", uri]) == 3
    assert "create them with: exr-inspector db create-schema" in capsys.readouterr().err
    assert main(["db", "create-schema", "--catalog", uri]) == 0
    assert capsys.readouterr().out == f"{uri}: schema version {VERSION}\n"
    assert main(["db", "status", "--catalog", uri]) == 0
    output = capsys.readouterr().out
    assert f"backend              VAST 5.4.0.0 at {emulator.url}\n" in output
    assert "metadata_embedding   384 dimensions" in output
    for table in TABLES:  # the counts are those of an earlier commit
        assert re.search(rf"^{table} +0 rows$", output, re.MULTILINE)


@pytest.mark.slow
def test_a_query_changes_nothing(uri, capsys):
    main(["ingest", "show", "--catalog", uri])
    for query in ("DELETE FROM files", "COPY files TO 'files.csv'", "SELECT * FROM read_csv('show/png.exr')"):
        assert main(["query", query, "--catalog", uri]) == 2
    assert not Path("files.csv").exists()
    capsys.readouterr()


def test_missing_settings_are_named(monkeypatch, capsys):
    for name in [name for name in os.environ if name.startswith("VAST_DB_")]:
        monkeypatch.delenv(name)
    assert main(["db", "status", "--catalog", "vast://b/s"]) == 2
    output = capsys.readouterr().err
    assert output.count("\n") == 1
    assert "VAST_DB_ENDPOINT, VAST_DB_ACCESS_KEY, VAST_DB_SECRET_KEY" in output


def test_an_unreachable_database_is_one_line(monkeypatch, capsys):
    monkeypatch.setenv("VAST_DB_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("VAST_DB_ACCESS_KEY", "key")
    monkeypatch.setenv("VAST_DB_SECRET_KEY", SECRET)
    assert main(["db", "status", "--catalog", "vast://b/s"]) == 3
    output = capsys.readouterr().err
    assert output.count("\n") == 1
    assert "http://127.0.0.1:9: cannot be reached" in output


@pytest.mark.parametrize("version", ["5.4.0.0", "5.5.0.0"])
@pytest.mark.slow
def test_verify_reports_and_drops_its_schema(monkeypatch, capsys, caplog, version):
    with Emulator(access_key="key", secret_key=SECRET, buckets=[BUCKET], version=version) as server:
        monkeypatch.setenv("VAST_DB_ENDPOINT", server.url)
        monkeypatch.setenv("VAST_DB_ACCESS_KEY", "key")
        monkeypatch.setenv("VAST_DB_SECRET_KEY", SECRET)
        status = main(["db", "verify", "--catalog", f"vast://{BUCKET}/show"])
        output = capsys.readouterr().out
        assert (status, re.findall(r"FAILED.*", output)) == (0, [])
        assert re.search(r"^ok +a new file +7 requests", output, re.MULTILINE)
        assert "a transaction does not see later commits" in output
        assert "the second is rejected at its request" in output
        assert "ok      a column is added beside a writer" in output
        assert "128 KiB; 256 KiB is rejected" in output
        assert output.endswith("16 checks, 0 failed\n")
        assert server.schemas(BUCKET) == []
        assert SECRET not in output
        assert "RPC failed" not in caplog.text


def test_verify_is_for_vast(capsys, vast_settings):  # noqa: F811
    assert main(["db", "verify", "--catalog", "duckdb:x.duckdb"]) == 2
    assert "vast://BUCKET/SCHEMA" in capsys.readouterr().err


@pytest.mark.slow
def test_a_catalog_opened_in_python_takes_the_same_settings(uri):
    with open_catalog(uri) as catalog:
        assert catalog.status().backend == "vast"
